//! What the server's process has used, where the system says so (`/proc`, on Linux).

use std::{fs, io, time::Duration};

/// Ticks a second in `/proc`: a constant of Linux towards programs, whatever the kernel's own clock does.
const TICKS: u64 = 100;

/// The processor time of a process and of all its threads, its children's left out.
///
/// # Errors
/// When there is no such process, or the system does not say.
pub fn cpu(pid: u32) -> io::Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    of_stat(&stat)
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, format!("/proc/{pid}/stat is odd")))
}

/// User time and the system's on its behalf. The second field is a name in brackets, which may hold anything.
fn of_stat(stat: &str) -> Option<Duration> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<u64>().ok();
    Some(Duration::from_millis((ticks()? + ticks()?) * 1_000 / TICKS))
}

/// How much memory of a process is resident, and the most that ever was, in bytes.
///
/// # Errors
/// As [`cpu`].
pub fn memory(pid: u32) -> io::Result<(u64, u64)> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        Some(line.split_whitespace().next()?.parse::<u64>().ok()? * 1_024)
    };
    field("VmRSS:")
        .zip(field("VmHWM:"))
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, format!("/proc/{pid}/status is odd")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_in_brackets_may_hold_anything() {
        let stat = "42 (a ) 1 2) S 1 42 42 0 -1 4194560 1 2 3 4 150 25 9 9 20 0 1 0 5 6 7";
        assert_eq!(of_stat(stat), Some(Duration::from_millis(1_750)));
        assert_eq!(of_stat("42 (a"), None);
    }
}
