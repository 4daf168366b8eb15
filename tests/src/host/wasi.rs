//! The few functions of WASI preview 1 that Rust's standard library calls in the filter.

use wasmtime::{Caller, Error, Linker, Result};

use super::context::State;

const SUCCESS: u32 = 0;
const FAULT: u32 = 21;
const MODULE: &str = "wasi_snapshot_preview1";

fn write(caller: &mut Caller<'_, State>, at: u32, bytes: &[u8]) -> Result<()> {
    let memory = caller
        .data()
        .memory
        .ok_or_else(|| Error::msg("the module has no memory"))?;
    Ok(memory.write(caller, at as usize, bytes)?)
}

fn read(caller: &mut Caller<'_, State>, at: u32, size: u32) -> Option<Vec<u8>> {
    let data = caller.data().memory?.data(caller);
    data.get(at as usize..at as usize + size as usize)
        .map(<[u8]>::to_vec)
}

fn word(caller: &mut Caller<'_, State>, at: u32) -> Option<u32> {
    Some(u32::from_le_bytes(read(caller, at, 4)?.try_into().ok()?))
}

fn environment(state: &State) -> Vec<String> {
    let variables = state.settings.environment.iter();
    variables
        .map(|(name, value)| format!("{name}={value}\0"))
        .collect()
}

pub(super) fn link(linker: &mut Linker<State>) -> Result<()> {
    linker.func_wrap(
        MODULE,
        "environ_sizes_get",
        |mut caller: Caller<'_, State>, count: u32, size: u32| -> Result<u32> {
            let variables = environment(caller.data());
            let bytes: usize = variables.iter().map(String::len).sum();
            write(&mut caller, count, &(variables.len() as u32).to_le_bytes())?;
            write(&mut caller, size, &(bytes as u32).to_le_bytes())?;
            Ok(SUCCESS)
        },
    )?;
    linker.func_wrap(
        MODULE,
        "environ_get",
        |mut caller: Caller<'_, State>, mut pointers: u32, mut at: u32| -> Result<u32> {
            for variable in environment(caller.data()) {
                write(&mut caller, pointers, &at.to_le_bytes())?;
                write(&mut caller, at, variable.as_bytes())?;
                pointers += 4;
                at += variable.len() as u32;
            }
            Ok(SUCCESS)
        },
    )?;
    // The same bytes each time: hash maps are seeded with them, and tests are to repeat.
    linker.func_wrap(
        MODULE,
        "random_get",
        |mut caller: Caller<'_, State>, at: u32, size: u32| -> Result<u32> {
            write(&mut caller, at, &vec![0x5a; size as usize])?;
            Ok(SUCCESS)
        },
    )?;
    // Standard error: what a panic says before it traps.
    linker.func_wrap(
        MODULE,
        "fd_write",
        |mut caller: Caller<'_, State>, _file: u32, list: u32, count: u32, written: u32| {
            let mut line = Vec::new();
            for at in (list..).step_by(8).take(count as usize) {
                let Some((from, size)) = word(&mut caller, at).zip(word(&mut caller, at + 4))
                else {
                    return Ok(FAULT);
                };
                line.extend(read(&mut caller, from, size).unwrap_or_default());
            }
            write(&mut caller, written, &(line.len() as u32).to_le_bytes())?;
            let line = String::from_utf8_lossy(&line).into_owned();
            caller.data().process.lock().log.push(line);
            Ok::<_, Error>(SUCCESS)
        },
    )?;
    linker.func_wrap(
        MODULE,
        "proc_exit",
        |_: Caller<'_, State>, code: u32| -> Result<()> {
            Err(Error::msg(format!("the module called exit({code})")))
        },
    )?;
    Ok(())
}
