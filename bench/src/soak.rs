//! A million requests through one proxy: does the filter's VM keep its memory?
//!
//! V8 reserves address space for the memory of a wasm VM and makes it readable and writable page by
//! page, as the module grows it. So the size of a VM is the readable part of a large reservation.

use std::error::Error;
use std::fs;

use tracegate_tests::envoy::Envoy;

use crate::callers::Callers;
use crate::measure::Runner;

/// Requests between two looks at the memory.
const STEP: usize = 100_000;

/// The memory of the proxy after some requests.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Footprint {
    /// Requests so far.
    pub(crate) requests: usize,
    /// Resident memory of the whole process, in bytes.
    pub(crate) resident: u64,
    /// Memory of the largest wasm VM in it, in bytes.
    pub(crate) vm: u64,
}

/// Sends that many requests, looking at the memory now and then.
pub(crate) fn run(
    runner: &mut Runner,
    callers: &Callers,
    requests: usize,
) -> Result<Vec<Footprint>, Box<dyn Error>> {
    let mut sent = 0;
    let mut footprints = vec![look(runner, sent)?];
    while sent < requests {
        let step = STEP.min(requests - sent);
        runner.sample(callers, step)?;
        sent += step;
        let footprint = look(runner, sent)?;
        eprintln!("  {footprint:?}");
        footprints.push(footprint);
    }
    Ok(footprints)
}

fn look(runner: &Runner, requests: usize) -> Result<Footprint, Box<dyn Error>> {
    Ok(Footprint {
        requests,
        resident: runner.envoy.usage()?.resident,
        vm: vm_memory(&runner.envoy)?,
    })
}

/// Memory of the largest wasm VM of a proxy, in bytes.
pub(crate) fn vm_memory(envoy: &Envoy) -> Result<u64, Box<dyn Error>> {
    let maps = fs::read_to_string(format!("/proc/{}/maps", envoy.pid()))?;
    Ok(largest_vm(&maps))
}

/// A wasm VM's address space: 4 GiB that it can address, and guards around them.
const RESERVATION: u64 = 6 << 30;

/// The readable and writable part of the reservation that has most of it.
fn largest_vm(maps: &str) -> u64 {
    let mut largest = 0;
    let mut accessible = 0;
    let mut end_of_last = 0;
    for line in maps.lines() {
        let Some((start, end, permissions)) = mapping(line) else {
            continue;
        };
        if start != end_of_last {
            accessible = 0;
        }
        if permissions.starts_with("rw") {
            accessible = end - start;
        } else if permissions.starts_with("---") && end - start >= RESERVATION {
            largest = largest.max(accessible);
        }
        end_of_last = end;
    }
    largest
}

fn mapping(line: &str) -> Option<(u64, u64, &str)> {
    let (range, rest) = line.split_once(' ')?;
    let (start, end) = range.split_once('-')?;
    let number = |text| u64::from_str_radix(text, 16).ok();
    Some((number(start)?, number(end)?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_memory_of_a_vm_is_what_lies_before_its_large_reservation() {
        let maps = "1000-2000 rw-p 00000000 00:00 0\n\
            100000000-100400000 rw-p 00000000 00:00 0\n\
            100400000-300000000 ---p 00000000 00:00 0\n\
            400000000-400800000 rw-p 00000000 00:00 0\n\
            400800000-400900000 ---p 00000000 00:00 0\n";
        assert_eq!(largest_vm(maps), 0x40_0000);
    }
}
