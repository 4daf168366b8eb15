//! What a process has used, as Linux accounts it.

use std::time::Duration;
use std::{fs, io};

/// What a process has used so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Processor time of all its threads, in user and kernel mode, to the nanosecond.
    pub cpu: Duration,
    /// Resident memory now, in bytes.
    pub resident: u64,
}

/// Threads that have ended, be it while they are counted, are left out; Envoy's workers live as long
/// as it does.
pub(super) fn usage(pid: u32) -> io::Result<Usage> {
    let mut nanoseconds = 0;
    for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
        match fs::read_to_string(thread?.path().join("schedstat")) {
            Ok(schedstat) => nanoseconds += number(schedstat.split_whitespace().next())?,
            Err(error) if has_ended(&error) => {}
            Err(error) => return Err(error),
        }
    }
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes = number(resident.and_then(|value| value.split_whitespace().next()))?;
    Ok(Usage {
        cpu: Duration::from_nanos(nanoseconds),
        resident: kibibytes * 1024,
    })
}

/// Whether a file of a thread is gone with it: its name is (`ENOENT`), or, where the file was open
/// already, what it told about (`ESRCH`, 3 on Linux).
fn has_ended(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(3)
}

fn number(text: Option<&str>) -> io::Result<u64> {
    text.and_then(|text| text.parse().ok())
        .ok_or_else(|| io::ErrorKind::InvalidData.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_of_this_process_shows_in_its_usage() {
        let pid = std::process::id();
        let before = usage(pid).unwrap();
        let mut sum = 0_u64;
        while usage(pid).unwrap().cpu < before.cpu + Duration::from_millis(5) {
            sum = (0..100_000).fold(sum, |sum, n| std::hint::black_box(sum ^ n));
        }
        assert!(before.resident > 100 * 1024);
    }

    #[test]
    fn threads_that_end_while_they_are_counted_do_no_harm() {
        let pid = std::process::id();
        std::thread::scope(|scope| {
            let comings_and_goings = scope.spawn(|| {
                for _ in 0..500 {
                    std::thread::spawn(|| {}).join().unwrap();
                }
            });
            while !comings_and_goings.is_finished() {
                usage(pid).unwrap();
            }
        });
    }

    #[test]
    fn a_process_that_does_not_exist_has_no_usage() {
        assert!(usage(u32::MAX).is_err());
    }
}
