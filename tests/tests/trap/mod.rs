//! A tiny proxy-wasm module, written byte by byte, that stands where the filter should and fails.
//!
//! It speaks just enough of ABI 0.2.1 to be taken by Envoy. Unless it dies at the request, it breaks
//! the seal like a filter that has allowed the request, so that its death is all that is left between
//! the secret and the caller.

/// What becomes of the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It lets everything pass and decides nothing.
    Idle,
    /// It allows the request and dies in a callback.
    Trap(Phase),
    /// It takes its configuration where Envoy tries it out, and refuses it on every worker: the
    /// filter is then left out of the chain, whatever its failure policy says.
    RefusedByWorkers,
}

/// A callback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    RequestHeaders,
    ResponseHeaders,
    ResponseBody,
}

const I32: u8 = 0x7f;
const UNREACHABLE: u8 = 0x00;
const CALL: u8 = 0x10;
const DROP: u8 = 0x1a;
const I32_CONST: u8 = 0x41;
const END: u8 = 0x0b;

/// Where the name and the value of the seal lie in memory, and where the host may put its own data.
const NAME: (u32, &str) = (16, "tracegate.decision");
const VALUE: (u32, &str) = (48, "allow");
const HEAP: u32 = 1024;

/// The module.
pub(crate) fn module(fate: Fate) -> Vec<u8> {
    let trap = |phase| fate == Fate::Trap(phase);
    let on_request = match fate {
        Fate::Idle => returning(0),
        Fate::Trap(Phase::RequestHeaders) => vec![UNREACHABLE],
        Fate::Trap(_) | Fate::RefusedByWorkers => [unsealing(), returning(0)].concat(),
    };
    let on_configure = match fate {
        Fate::RefusedByWorkers => true_only_once(),
        Fate::Idle | Fate::Trap(_) => returning(1),
    };
    let otherwise = |phase| {
        if trap(phase) {
            vec![UNREACHABLE]
        } else {
            returning(0)
        }
    };
    // Name, number of parameters, whether there is a result, body. All are 32-bit integers.
    let functions = [
        ("proxy_abi_version_0_2_1", 0, false, Vec::new()),
        ("proxy_on_memory_allocate", 1, true, returning(HEAP)),
        ("proxy_on_context_create", 2, false, Vec::new()),
        ("proxy_on_vm_start", 2, true, returning(1)),
        ("proxy_on_configure", 2, true, on_configure),
        ("proxy_on_request_headers", 3, true, on_request),
        (
            "proxy_on_response_headers",
            3,
            true,
            otherwise(Phase::ResponseHeaders),
        ),
        (
            "proxy_on_response_body",
            3,
            true,
            otherwise(Phase::ResponseBody),
        ),
    ];

    let imports = [
        ("proxy_set_property", 4),
        ("proxy_get_shared_data", 5),
        ("proxy_set_shared_data", 5),
    ];
    let mut types = Vec::new();
    let mut imported = Vec::new();
    for (index, (name, parameters)) in (0u32..).zip(imports) {
        types.push(function_type(parameters, true));
        imported.push([text("env"), text(name), vec![0], leb(index)].concat());
    }
    let mut indices = Vec::new();
    let mut exports = vec![export("memory", 2, 0)];
    let mut codes = Vec::new();
    for (index, (name, parameters, result, body)) in (3u32..).zip(functions) {
        types.push(function_type(parameters, result));
        indices.push(leb(index));
        exports.push(export(name, 0, index));
        codes.push(sized(&[&leb(0)[..], &body, &[END]].concat()));
    }
    let data = [NAME, VALUE]
        .map(|(at, value)| [vec![0, I32_CONST], signed(at), vec![END], text(value)].concat());
    [
        b"\0asm\x01\0\0\0".to_vec(),
        section(1, &types),
        section(2, &imported),
        section(3, &indices),
        section(5, &[vec![0, 1]]),
        section(7, &exports),
        section(10, &codes),
        section(11, &data),
    ]
    .concat()
}

/// Sets `wasm.tracegate.decision` to `allow`.
fn unsealing() -> Vec<u8> {
    let length = |text: &str| u32::try_from(text.len()).unwrap();
    let arguments = [NAME.0, length(NAME.1), VALUE.0, length(VALUE.1)];
    let pushed = arguments.map(returning).concat();
    [pushed, vec![CALL], leb(0), vec![DROP]].concat()
}

/// Leaves 1 (true) on the stack for the first VM of the process and 0 (false) for all others: what
/// `proxy_get_shared_data` says of a key that this VM sets right after.
fn true_only_once() -> Vec<u8> {
    let length = |text: &str| u32::try_from(text.len()).unwrap();
    let key = [NAME.0, length(NAME.1)];
    // Pointers to where the host tells value, size and CAS.
    let get = [key[0], key[1], 64, 68, 72].map(returning).concat();
    let set = [key[0], key[1], VALUE.0, length(VALUE.1), 0]
        .map(returning)
        .concat();
    [get, vec![CALL], leb(1), set, vec![CALL], leb(2), vec![DROP]].concat()
}

/// Leaves a number on the stack.
fn returning(value: u32) -> Vec<u8> {
    [vec![I32_CONST], signed(value)].concat()
}

fn function_type(parameters: usize, result: bool) -> Vec<u8> {
    let parameters = sized(&vec![I32; parameters]);
    [
        vec![0x60],
        parameters,
        sized(&vec![I32; usize::from(result)]),
    ]
    .concat()
}

fn export(name: &str, kind: u8, index: u32) -> Vec<u8> {
    [text(name), vec![kind], leb(index)].concat()
}

fn section(id: u8, entries: &[Vec<u8>]) -> Vec<u8> {
    let count = leb(u32::try_from(entries.len()).unwrap());
    [vec![id], sized(&[count, entries.concat()].concat())].concat()
}

fn text(text: &str) -> Vec<u8> {
    sized(text.as_bytes())
}

fn sized(bytes: &[u8]) -> Vec<u8> {
    [leb(u32::try_from(bytes.len()).unwrap()), bytes.to_vec()].concat()
}

/// Unsigned LEB128.
fn leb(mut value: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

/// Signed LEB128 of a number that is not negative: the last byte must not look like a minus sign.
fn signed(value: u32) -> Vec<u8> {
    let mut bytes = leb(value);
    let last = bytes.last_mut().unwrap();
    if *last & 0x40 != 0 {
        *last |= 0x80;
        bytes.push(0);
    }
    bytes
}
