//! The stream formats of reasoning engines, as data.
//!
//! A dialect says where in its events text stands that goes on in later events, what tells such texts
//! apart, what ends them, and where the same text stands in the answer that is not streamed. All of
//! them hold for every stream: nobody configures a dialect, and no rule is inert because a guess at the
//! dialect was wrong. A new one is an entry here and a scenario file.
//!
//! Paths have names and `[*]`, which stands for the elements of an array, and nothing else.

/// What is known of one stream format.
pub(super) struct Dialect {
    pub(super) texts: &'static [Text],
    pub(super) ends: &'static [End],
    pub(super) aliases: &'static [Alias],
    pub(super) copies: &'static [Copy],
    pub(super) seals: &'static [Seal],
}

/// Text that goes on from event to event.
pub(super) struct Text {
    /// Where its pieces stand. A reader joins all of them.
    pub(super) at: &'static [&'static str],
    pub(super) keys: &'static [Key],
}

/// A member that tells texts apart.
#[derive(Clone, Copy)]
pub(super) enum Key {
    /// Its value, or that there is none.
    Value(&'static str),
    /// Its value, or else the index of the element that it would stand in.
    Index(&'static str),
}

/// Texts end with the event in which a member has a certain value. Should one go on all the same, it
/// is still one text; only what was let go at the supposed end is gone.
pub(super) struct End {
    pub(super) at: &'static str,
    pub(super) when: When,
    /// The texts that have the same values here; all texts if there are none.
    pub(super) keys: &'static [&'static str],
}

/// What a value has to be.
#[derive(Clone, Copy, Debug)]
pub(in crate::masking) enum When {
    /// One of these.
    Is(&'static [&'static str]),
    /// A string that ends with this.
    EndsWith(&'static str),
    /// A string with a character.
    NotEmpty,
}

/// A place in events that corresponds to one in the answer as a whole: rules for the one hold for the
/// other, and for all that is in it.
pub(super) struct Alias {
    pub(super) at: &'static str,
    pub(super) whole: &'static str,
    /// Only in events whose `$.type` is one of these, or, with a `*` at its end, begins so. In all
    /// events if there are none.
    pub(super) types: &'static [&'static str],
}

/// A container that repeats texts in a form that detectors cannot read. It is emptied wherever the
/// texts are under rules, in streams and in whole answers.
pub(super) struct Copy {
    pub(super) at: &'static [&'static str],
    /// The texts, by their paths in the whole answer.
    pub(super) of: &'static [&'static str],
}

/// A signature over a text: it is emptied where the text was changed. It also ends the text.
pub(super) struct Seal {
    pub(super) at: &'static str,
    /// A path of the text.
    pub(super) of: &'static str,
}

/// The member by which an element of a list proves to be an event: Gemini, asked without `alt=sse`,
/// streams its events as the elements of one document.
pub(in crate::masking) const LISTED_EVENT: &[u8] = b"candidates";

pub(super) const DIALECTS: &[Dialect] = &[CHAT, RESPONSES, ANTHROPIC, GEMINI, OLLAMA, COHERE];

const NOTHING: Dialect = Dialect {
    texts: &[],
    ends: &[],
    aliases: &[],
    copies: &[],
    seals: &[],
};

// === OpenAI Chat Completions, and those who speak it ===

const CHOICE: Key = Key::Index("$.choices[*].index");
const TOOL_CALL: Key = Key::Index("$.choices[*].delta.tool_calls[*].index");

const fn of_choice(at: &'static [&'static str]) -> Text {
    Text {
        at,
        keys: &[CHOICE],
    }
}

const fn of_tool_call(at: &'static [&'static str]) -> Text {
    Text {
        at,
        keys: &[CHOICE, TOOL_CALL],
    }
}

/// Chat Completions and Completions of OpenAI; Azure, vLLM, SGLang, DeepSeek, xAI, Groq, Mistral,
/// OpenRouter and many others.
const CHAT: Dialect = Dialect {
    texts: &[
        of_choice(&[
            "$.choices[*].delta.content",
            "$.choices[*].delta.content[*].text",
        ]),
        of_choice(&["$.choices[*].delta.content[*].thinking[*].text"]),
        of_choice(&["$.choices[*].delta.reasoning_content"]),
        of_choice(&["$.choices[*].delta.reasoning"]),
        of_choice(&["$.choices[*].delta.reasoning_details[*].text"]),
        of_choice(&["$.choices[*].delta.reasoning_details[*].summary"]),
        of_choice(&["$.choices[*].delta.thinking"]),
        of_choice(&["$.choices[*].delta.refusal"]),
        of_choice(&["$.choices[*].delta.function_call.arguments"]),
        of_choice(&["$.choices[*].delta.audio.transcript"]),
        of_choice(&["$.choices[*].text"]),
        of_tool_call(&["$.choices[*].delta.tool_calls[*].function.arguments"]),
        of_tool_call(&["$.choices[*].delta.tool_calls[*].custom.input"]),
    ],
    ends: &[End {
        at: "$.choices[*].finish_reason",
        when: When::NotEmpty,
        keys: &["$.choices[*].index"],
    }],
    aliases: &[Alias {
        at: "$.choices[*].delta",
        whole: "$.choices[*].message",
        types: &[],
    }],
    copies: &[Copy {
        at: &["$.choices[*].logprobs"],
        of: &[
            "$.choices[*].message.content",
            "$.choices[*].message.content[*].text",
            "$.choices[*].message.refusal",
            "$.choices[*].text",
        ],
    }],
    ..NOTHING
};

// === OpenAI Responses ===

const ITEM: &[&str] = &[
    "$.item_id",
    "$.output_index",
    "$.content_index",
    "$.summary_index",
];

const fn alias(at: &'static str, whole: &'static str, types: &'static [&'static str]) -> Alias {
    Alias { at, whole, types }
}

const RESPONSES: Dialect = Dialect {
    texts: &[Text {
        at: &["$.delta"],
        keys: &[
            Key::Value("$.type"),
            Key::Value("$.item_id"),
            Key::Value("$.output_index"),
            Key::Value("$.content_index"),
            Key::Value("$.summary_index"),
        ],
    }],
    ends: &[
        End {
            at: "$.type",
            when: When::EndsWith(".done"),
            keys: ITEM,
        },
        End {
            at: "$.type",
            when: When::Is(&["response.output_item.done"]),
            keys: &["$.output_index"],
        },
        End {
            at: "$.type",
            when: When::Is(&[
                "response.completed",
                "response.failed",
                "response.incomplete",
                "response.cancelled",
            ]),
            keys: &[],
        },
    ],
    aliases: &[
        alias("$.response", "$", &["response.*"]),
        alias("$.item", "$.output[*]", &["response.*"]),
        alias(
            "$.part",
            "$.output[*].content[*]",
            &["response.content_part.*"],
        ),
        alias(
            "$.part",
            "$.output[*].summary[*]",
            &["response.reasoning_summary_part.*"],
        ),
        alias(
            "$.annotation",
            "$.output[*].content[*].annotations[*]",
            &["response.output_text.*"],
        ),
        alias(
            "$.delta",
            "$.output[*].content[*].text",
            &["response.output_text.*", "response.reasoning_text.*"],
        ),
        alias(
            "$.text",
            "$.output[*].content[*].text",
            &["response.output_text.*", "response.reasoning_text.*"],
        ),
        alias(
            "$.delta",
            "$.output[*].content[*].refusal",
            &["response.refusal.*"],
        ),
        alias(
            "$.refusal",
            "$.output[*].content[*].refusal",
            &["response.refusal.*"],
        ),
        alias(
            "$.delta",
            "$.output[*].summary[*].text",
            &["response.reasoning_summary_text.*"],
        ),
        alias(
            "$.text",
            "$.output[*].summary[*].text",
            &["response.reasoning_summary_text.*"],
        ),
        alias(
            "$.delta",
            "$.output[*].arguments",
            &[
                "response.function_call_arguments.*",
                "response.mcp_call_arguments.*",
            ],
        ),
        alias(
            "$.arguments",
            "$.output[*].arguments",
            &[
                "response.function_call_arguments.*",
                "response.mcp_call_arguments.*",
            ],
        ),
        alias(
            "$.delta",
            "$.output[*].input",
            &["response.custom_tool_call_input.*"],
        ),
        alias(
            "$.input",
            "$.output[*].input",
            &["response.custom_tool_call_input.*"],
        ),
        alias(
            "$.delta",
            "$.output[*].code",
            &["response.code_interpreter_call_code.*"],
        ),
        alias(
            "$.code",
            "$.output[*].code",
            &["response.code_interpreter_call_code.*"],
        ),
    ],
    copies: &[Copy {
        at: &[
            "$.logprobs",
            "$.part.logprobs",
            "$.item.content[*].logprobs",
            "$.response.output[*].content[*].logprobs",
            "$.output[*].content[*].logprobs",
        ],
        of: &["$.output[*].content[*].text"],
    }],
    ..NOTHING
};

// === Anthropic Messages ===

const fn of_block(at: &'static [&'static str]) -> Text {
    Text {
        at,
        keys: &[Key::Value("$.index")],
    }
}

const ANTHROPIC: Dialect = Dialect {
    texts: &[
        of_block(&["$.delta.text", "$.content_block.text"]),
        of_block(&["$.delta.thinking", "$.content_block.thinking"]),
        of_block(&["$.delta.partial_json"]),
        of_block(&["$.delta.content"]),
    ],
    ends: &[
        End {
            at: "$.type",
            when: When::Is(&["content_block_stop"]),
            keys: &["$.index"],
        },
        End {
            at: "$.type",
            when: When::Is(&["message_stop"]),
            keys: &[],
        },
    ],
    aliases: &[
        alias("$.message", "$", &["message_start"]),
        alias("$.content_block", "$.content[*]", &[]),
        alias("$.delta", "$.content[*]", &["content_block_delta"]),
        alias(
            "$.delta.partial_json",
            "$.content[*].input",
            &["content_block_delta"],
        ),
        alias(
            "$.delta.citation",
            "$.content[*].citations[*]",
            &["content_block_delta"],
        ),
    ],
    seals: &[Seal {
        at: "$.delta.signature",
        of: "$.delta.thinking",
    }],
    ..NOTHING
};

// === Gemini ===

const CANDIDATE: Key = Key::Index("$.candidates[*].index");

/// Gemini and Vertex AI. Some versions say `finishReason` in every event, so that it ends nothing.
const GEMINI: Dialect = Dialect {
    texts: &[
        Text {
            at: &["$.candidates[*].content.parts[*].text"],
            keys: &[
                CANDIDATE,
                Key::Value("$.candidates[*].content.parts[*].thought"),
            ],
        },
        Text {
            at: &["$.candidates[*].content.parts[*].functionCall.partialArgs[*].stringValue"],
            keys: &[
                CANDIDATE,
                Key::Value("$.candidates[*].content.parts[*].functionCall.partialArgs[*].jsonPath"),
            ],
        },
    ],
    copies: &[Copy {
        at: &["$.candidates[*].logprobsResult"],
        of: &["$.candidates[*].content.parts[*].text"],
    }],
    ..NOTHING
};

// === Ollama ===

const fn alone(at: &'static [&'static str]) -> Text {
    Text { at, keys: &[] }
}

const OLLAMA: Dialect = Dialect {
    texts: &[
        alone(&["$.message.content"]),
        alone(&["$.message.thinking"]),
        alone(&["$.response"]),
        alone(&["$.thinking"]),
    ],
    ends: &[End {
        at: "$.done",
        when: When::Is(&["true"]),
        keys: &[],
    }],
    copies: &[Copy {
        at: &["$.context", "$.logprobs"],
        of: &["$.response", "$.message.content"],
    }],
    ..NOTHING
};

// === Cohere, version 2 of its chat ===

const COHERE: Dialect = Dialect {
    texts: &[
        of_block(&["$.delta.message.content.text"]),
        of_block(&["$.delta.message.content.thinking"]),
        of_block(&["$.delta.message.tool_plan"]),
        of_block(&["$.delta.message.tool_calls.function.arguments"]),
    ],
    ends: &[End {
        at: "$.type",
        when: When::Is(&["message-end"]),
        keys: &[],
    }],
    aliases: &[
        alias("$.delta.message", "$.message", &[]),
        alias("$.delta.message.content", "$.message.content[*]", &[]),
        alias("$.delta.message.tool_calls", "$.message.tool_calls[*]", &[]),
    ],
    ..NOTHING
};
