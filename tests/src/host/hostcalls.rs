//! The functions of the ABI, as Envoy has them.

use wasmtime::{Caller, Extern, Linker, Result};

use super::context::{AfterCall, State};
use super::signature;
use super::stream::LocalReply;
use super::{Headers, HttpCall};

const NOT_FOUND: u32 = 1;
const BAD_ARGUMENT: u32 = 2;
const INVALID_MEMORY_ACCESS: u32 = 6;
const CAS_MISMATCH: u32 = 8;
const INTERNAL_FAILURE: u32 = 10;

/// A hostcall at work: its caller, with memory access.
struct Call<'a, 'b>(&'a mut Caller<'b, State>);

type Done = std::result::Result<(), u32>;

impl Call<'_, '_> {
    fn state(&mut self) -> &mut State {
        self.0.data_mut()
    }

    fn read(&mut self, at: u32, size: u32) -> std::result::Result<Vec<u8>, u32> {
        let memory = self.state().memory.ok_or(INVALID_MEMORY_ACCESS)?;
        let (from, to) = (at as usize, at as usize + size as usize);
        memory
            .data(&self.0)
            .get(from..to)
            .map(<[u8]>::to_vec)
            .ok_or(INVALID_MEMORY_ACCESS)
    }

    fn text(&mut self, at: u32, size: u32) -> std::result::Result<String, u32> {
        Ok(String::from_utf8_lossy(&self.read(at, size)?).into_owned())
    }

    fn headers(&mut self, at: u32, size: u32) -> std::result::Result<Headers, u32> {
        Headers::parse(&self.read(at, size)?).ok_or(BAD_ARGUMENT)
    }

    fn write(&mut self, at: u32, bytes: &[u8]) -> Done {
        let memory = self.state().memory.ok_or(INVALID_MEMORY_ACCESS)?;
        memory
            .write(&mut *self.0, at as usize, bytes)
            .map_err(|_| INVALID_MEMORY_ACCESS)
    }

    /// Returns bytes in memory that the module allocates; a null pointer for none.
    fn give(&mut self, bytes: &[u8], data: u32, size: u32) -> Done {
        let mut at = 0;
        if !bytes.is_empty() {
            let allocate = self.state().allocate.clone().ok_or(INVALID_MEMORY_ACCESS)?;
            at = allocate
                .call(&mut *self.0, bytes.len() as u32)
                .ok()
                .filter(|at| *at != 0)
                .ok_or(INVALID_MEMORY_ACCESS)?;
            self.write(at, bytes)?;
        }
        self.write(data, &at.to_le_bytes())?;
        self.write(size, &(bytes.len() as u32).to_le_bytes())
    }
}

/// Runs a hostcall, unless it is the one that is to fail or one that the restriction forbids.
fn hostcall(
    name: &'static str,
    mut caller: Caller<'_, State>,
    work: impl FnOnce(&mut Call<'_, '_>) -> Done,
) -> u32 {
    let state = caller.data_mut();
    state.hostcalls += 1;
    *state.hostcalls_by_name.entry(name).or_default() += 1;
    if let Some(fault) = state.fault
        && fault.at == state.hostcalls
    {
        return fault.status;
    }
    if state.settings.forbidden.contains(name) {
        return INTERNAL_FAILURE;
    }
    match work(&mut Call(&mut caller)) {
        Ok(()) => 0,
        Err(status) => status,
    }
}

/// Defines the import `env.$name`.
macro_rules! import {
    ($linker:expr, $name:ident, |$call:ident $(, $argument:ident: $kind:ty)*| $work:expr) => {
        $linker.func_wrap(
            "env",
            stringify!($name),
            |caller: Caller<'_, State> $(, $argument: $kind)*| -> u32 {
                hostcall(stringify!($name), caller, |$call| $work)
            },
        )?
    };
}

pub(super) fn link(linker: &mut Linker<State>) -> Result<()> {
    link_general(linker)?;
    link_maps(linker)?;
    link_bodies(linker)?;
    link_streams(linker)?;
    link_shared_data(linker)?;
    link_metrics(linker)
}

/// What a module exports and the hostcalls need.
pub(super) fn connect(state: &mut State, memory: Extern) {
    state.memory = memory.into_memory();
}

fn link_general(linker: &mut Linker<State>) -> Result<()> {
    import!(linker, proxy_log, |call, level: u32, at: u32, size: u32| {
        let line = format!("{level} {}", call.text(at, size)?);
        call.state().process.lock().log.push(line);
        Ok(())
    });
    import!(
        linker,
        proxy_get_current_time_nanoseconds,
        |call, at: u32| {
            let now = call.state().process.now();
            call.write(at, &now.to_le_bytes())
        }
    );
    import!(
        linker,
        proxy_set_tick_period_milliseconds,
        |call, period: u32| {
            let now = call.state().process.now();
            let (_, root) = call.state().root().ok_or(BAD_ARGUMENT)?;
            root.tick_ms = period;
            root.next_tick = now + u64::from(period) * 1_000_000;
            Ok(())
        }
    );
    import!(linker, proxy_set_effective_context, |call, context: u32| {
        let state = call.state();
        if !state.roots.contains_key(&context) && !state.streams.contains_key(&context) {
            return Err(BAD_ARGUMENT);
        }
        state.effective = Some(context);
        Ok(())
    });
    import!(
        linker,
        proxy_get_property,
        |call, path: u32, path_size: u32, at: u32, size: u32| {
            let path = call.read(path, path_size)?;
            let value = call.state().property(&path).ok_or(NOT_FOUND)?;
            call.give(&value, at, size)
        }
    );
    import!(
        linker,
        proxy_set_property,
        |call, path: u32, path_size: u32, at: u32, size: u32| {
            let (path, value) = (call.text(path, path_size)?, call.read(at, size)?);
            let stream = call.state().stream().ok_or(NOT_FOUND)?;
            stream.filter_state.insert(path, value);
            Ok(())
        }
    );
    import!(
        linker,
        proxy_call_foreign_function,
        |call,
         name: u32,
         name_size: u32,
         arguments: u32,
         arguments_size: u32,
         at: u32,
         size: u32| {
            let name = call.text(name, name_size)?;
            if name != "verify_signature" || !call.state().settings.verify_signature {
                return Err(NOT_FOUND);
            }
            let result = signature::verify(&call.read(arguments, arguments_size)?);
            call.give(&result.ok_or(BAD_ARGUMENT)?, at, size)
        }
    );
    Ok(())
}

fn link_maps(linker: &mut Linker<State>) -> Result<()> {
    const CALL_RESPONSE_HEADERS: u32 = 6;
    import!(
        linker,
        proxy_get_header_map_pairs,
        |call, map: u32, at: u32, size: u32| {
            let state = call.state();
            let headers = if map == CALL_RESPONSE_HEADERS {
                state.answer.as_ref().map(|(headers, _)| headers.clone())
            } else {
                state
                    .stream()
                    .and_then(|stream| stream.readable(map).cloned())
            };
            let bytes = headers.ok_or(BAD_ARGUMENT)?.serialize();
            call.give(&bytes, at, size)
        }
    );
    import!(
        linker,
        proxy_replace_header_map_value,
        |call, map: u32, name: u32, name_size: u32, value: u32, value_size: u32| {
            let (name, value) = (call.read(name, name_size)?, call.read(value, value_size)?);
            let stream = call.state().stream().ok_or(BAD_ARGUMENT)?;
            stream.writable(map).ok_or(BAD_ARGUMENT)?.set(&name, &value);
            Ok(())
        }
    );
    import!(
        linker,
        proxy_add_header_map_value,
        |call, map: u32, name: u32, name_size: u32, value: u32, value_size: u32| {
            let (name, value) = (call.read(name, name_size)?, call.read(value, value_size)?);
            let stream = call.state().stream().ok_or(BAD_ARGUMENT)?;
            stream
                .writable(map)
                .ok_or(BAD_ARGUMENT)?
                .push(&name, &value);
            Ok(())
        }
    );
    import!(
        linker,
        proxy_remove_header_map_value,
        |call, map: u32, name: u32, size: u32| {
            let name = call.read(name, size)?;
            let stream = call.state().stream().ok_or(BAD_ARGUMENT)?;
            stream.writable(map).ok_or(BAD_ARGUMENT)?.remove(&name);
            Ok(())
        }
    );
    Ok(())
}

/// The bytes behind a buffer number of the ABI.
fn buffer(state: &mut State, number: u32) -> std::result::Result<Vec<u8>, u32> {
    const PLUGIN_CONFIGURATION: u32 = 7;
    const CALL_RESPONSE_BODY: u32 = 4;
    let stream_buffer = |state: &mut State| {
        let stream = state.stream()?;
        let pipe = if number == 0 {
            &mut stream.request
        } else {
            &mut stream.response
        };
        pipe.buffer().map(|buffer| buffer.clone())
    };
    match number {
        0 | 1 => stream_buffer(state),
        CALL_RESPONSE_BODY => state.answer.as_ref().map(|(_, body)| body.clone()),
        PLUGIN_CONFIGURATION => Some(state.configuration.clone()),
        _ => None,
    }
    .ok_or(NOT_FOUND)
}

fn link_bodies(linker: &mut Linker<State>) -> Result<()> {
    import!(
        linker,
        proxy_get_buffer_bytes,
        |call, number: u32, start: u32, length: u32, at: u32, size: u32| {
            let bytes = buffer(call.state(), number)?;
            let start = start as usize;
            let end = start.saturating_add(length as usize).min(bytes.len());
            call.give(bytes.get(start..end).ok_or(BAD_ARGUMENT)?, at, size)
        }
    );
    import!(
        linker,
        proxy_set_buffer_bytes,
        |call, number: u32, start: u32, length: u32, at: u32, size: u32| {
            let data = call.read(at, size)?;
            let stream = call.state().stream().ok_or(NOT_FOUND)?;
            let pipe = if number == 0 {
                &mut stream.request
            } else {
                &mut stream.response
            };
            let bytes = pipe.buffer().ok_or(BAD_ARGUMENT)?;
            match (start as usize, length as usize) {
                (0, 0) => drop(bytes.splice(0..0, data)),
                (0, length) if length >= bytes.len() => *bytes = data,
                (start, _) if start > 0 && start >= bytes.len() => bytes.extend(data),
                _ => return Err(BAD_ARGUMENT),
            }
            Ok(())
        }
    );
    Ok(())
}

fn link_streams(linker: &mut Linker<State>) -> Result<()> {
    import!(linker, proxy_continue_stream, |call, direction: u32| {
        let state = call.state();
        let context = state.context();
        let stream = state.streams.get_mut(&context).ok_or(BAD_ARGUMENT)?;
        if direction != 0 {
            return Err(BAD_ARGUMENT);
        }
        stream.request.headers_open = false;
        state.after.push_back(AfterCall::ContinueRequest(context));
        Ok(())
    });
    import!(
        linker,
        proxy_send_local_response,
        |call,
         status: u32,
         details: u32,
         details_size: u32,
         body: u32,
         body_size: u32,
         headers: u32,
         headers_size: u32,
         _grpc_status: i32| {
            let details = call.text(details, details_size)?;
            let body = call.read(body, body_size)?;
            let headers = call.headers(headers, headers_size)?;
            let reply = LocalReply::new(status, headers, &body, &details);
            let context = call.state().context();
            call.state()
                .after
                .push_back(AfterCall::Reply(context, reply));
            Ok(())
        }
    );
    import!(
        linker,
        proxy_http_call,
        |call,
         cluster: u32,
         cluster_size: u32,
         headers: u32,
         headers_size: u32,
         _body: u32,
         _body_size: u32,
         _trailers: u32,
         _trailers_size: u32,
         timeout: u32,
         token: u32| {
            let cluster = call.text(cluster, cluster_size)?;
            let headers = call.headers(headers, headers_size)?;
            let state = call.state();
            let complete = [":method", ":path", ":authority"]
                .iter()
                .all(|h| headers.get(h).is_some());
            if !complete || state.settings.unknown_clusters.contains(&cluster) {
                return Err(BAD_ARGUMENT);
            }
            let deadline = state.process.now() + u64::from(timeout) * 1_000_000;
            let (root, _) = state.root().ok_or(BAD_ARGUMENT)?;
            let id = state.next_id();
            state.calls.insert(
                id,
                HttpCall {
                    root,
                    cluster,
                    headers,
                    deadline,
                },
            );
            call.write(token, &id.to_le_bytes())
        }
    );
    Ok(())
}

fn link_shared_data(linker: &mut Linker<State>) -> Result<()> {
    import!(
        linker,
        proxy_get_shared_data,
        |call, key: u32, key_size: u32, at: u32, size: u32, cas: u32| {
            let key = call.read(key, key_size)?;
            let found = call.state().process.lock().data.get(&key).cloned();
            let (value, token) = found.ok_or(NOT_FOUND)?;
            call.give(&value, at, size)?;
            call.write(cas, &token.to_le_bytes())
        }
    );
    import!(
        linker,
        proxy_set_shared_data,
        |call, key: u32, key_size: u32, at: u32, size: u32, cas: u32| {
            let (key, value) = (call.read(key, key_size)?, call.read(at, size)?);
            let set = call.state().process.lock().set(&key, &value, cas);
            if set { Ok(()) } else { Err(CAS_MISMATCH) }
        }
    );
    Ok(())
}

fn link_metrics(linker: &mut Linker<State>) -> Result<()> {
    const COUNTER: u32 = 0;
    const GAUGE: u32 = 1;
    import!(
        linker,
        proxy_define_metric,
        |call, kind: u32, name: u32, name_size: u32, id: u32| {
            let name = call.text(name, name_size)?;
            let state = call.state();
            state.metrics.push((name.clone(), kind));
            let number = state.metrics.len() as u32;
            state.process.lock().metrics.entry(name).or_default();
            call.write(id, &number.to_le_bytes())
        }
    );
    import!(
        linker,
        proxy_increment_metric,
        |call, id: u32, offset: i64| {
            let offset = u64::try_from(offset).map_err(|_| BAD_ARGUMENT)?;
            change_metric(call.state(), id, COUNTER, |value| value + offset)
        }
    );
    import!(linker, proxy_record_metric, |call, id: u32, value: u64| {
        change_metric(call.state(), id, GAUGE, |_| value)
    });
    Ok(())
}

fn change_metric(state: &State, id: u32, kind: u32, change: impl FnOnce(u64) -> u64) -> Done {
    let (name, found) = state
        .metrics
        .get((id as usize).wrapping_sub(1))
        .ok_or(NOT_FOUND)?;
    if *found != kind {
        return Err(BAD_ARGUMENT);
    }
    let mut process = state.process.lock();
    let value = process.metrics.entry(name.clone()).or_default();
    *value = change(*value);
    Ok(())
}
