//! Threads and processes that stand back behind those that answer.

use std::{io, time::Duration};

use rustix::process::Pid;

/// Lets this thread, and those that it will start, have less of the processor than others where there is not enough for
/// all: each step a fifth less. Of this thread alone on Linux; where it would be the whole process's, it is left as it is.
pub fn stand_back(steps: i32) {
    if cfg!(target_os = "linux")
        && let Err(error) = rustix::process::nice(steps)
    {
        tracing::debug!(%error, "a thread does not stand back");
    }
}

/// Lets a process's first thread (none is this thread) have the processor for so long at a time, from 0.1 to 100 ms, and
/// those that it will start. It does not have less of it: others wait less until it makes way, and it is let in sooner
/// when it wakes. Linux does so since 6.12 (see `sched_setattr(2)`); elsewhere everything is left as it is, as is a thread
/// that somebody has put under another rule.
///
/// # Errors
/// When the process is gone, or somebody else's.
pub fn take_slices(process: Option<Pid>, length: Duration) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        let mut attributes = kernel::attributes(process)?;
        if matches!(i32::try_from(attributes.sched_policy), Ok(libc::SCHED_OTHER | libc::SCHED_BATCH)) {
            attributes.sched_runtime = u64::try_from(length.as_nanos()).unwrap_or(u64::MAX);
            kernel::set_attributes(process, &attributes)?;
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = (process, length);
    Ok(())
}

/// For how long this thread has run, and for how long it has waited until it could; `None` where the system does not
/// tell (Linux does, see `Documentation/scheduler/sched-stats.rst` of the kernel).
pub fn run_and_waited() -> Option<(Duration, Duration)> {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    let mut nanos = told.split_whitespace().map_while(|number| number.parse().ok()).map(Duration::from_nanos);
    Some((nanos.next()?, nanos.next()?))
}

/// Two calls that neither the standard library nor a well-kept crate has.
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "calls of the kernel with a pointer to a value that is owned here")]
mod kernel {
    use std::io;

    use libc::{SYS_sched_getattr, SYS_sched_setattr, sched_attr, syscall};
    use rustix::process::Pid;

    #[expect(clippy::cast_possible_truncation, reason = "it is 48")]
    const SIZE: u32 = size_of::<sched_attr>() as u32;

    pub(super) fn attributes(process: Option<Pid>) -> io::Result<sched_attr> {
        let mut attributes = sched_attr {
            size: SIZE,
            sched_policy: 0,
            sched_flags: 0,
            sched_nice: 0,
            sched_priority: 0,
            sched_runtime: 0,
            sched_deadline: 0,
            sched_period: 0,
        };
        // SAFETY: the kernel writes at most `SIZE` bytes, all of which are the value's, whose fields may be any numbers.
        done(unsafe { syscall(SYS_sched_getattr, id(process), &raw mut attributes, SIZE, 0) })?;
        Ok(attributes)
    }

    pub(super) fn set_attributes(process: Option<Pid>, attributes: &sched_attr) -> io::Result<()> {
        // SAFETY: the kernel reads `attributes.size` bytes of the value, which has at least as many: `attributes` asked
        // for no more.
        done(unsafe { syscall(SYS_sched_setattr, id(process), &raw const *attributes, 0) })
    }

    fn id(process: Option<Pid>) -> libc::pid_t {
        process.map_or(0, Pid::as_raw_pid)
    }

    fn done(answer: libc::c_long) -> io::Result<()> {
        if answer == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_os = "linux")]
    use super::*;

    /// As the kernel has it, after the name in its brackets.
    #[cfg(target_os = "linux")]
    fn steps() -> i32 {
        let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
        let fields = stat.rsplit_once(')').unwrap().1;
        fields.split_whitespace().nth(16).unwrap().parse().unwrap()
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_thread_stands_back_with_those_it_starts_and_nobody_else() {
        let before = steps();
        let here = std::thread::spawn(|| {
            stand_back(3);
            (steps(), std::thread::spawn(steps).join().unwrap())
        });
        let here = here.join().unwrap();
        assert_eq!(here, ((before + 3).min(19), (before + 3).min(19)));
        assert_eq!(steps(), before);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_thread_knows_what_it_has_run() {
        let Some((before, waited)) = run_and_waited() else {
            return eprintln!("skipped: this system does not tell for how long threads run");
        };
        let begun = std::time::Instant::now();
        while begun.elapsed() < Duration::from_millis(50) {}
        let (after, waited) = (run_and_waited().unwrap(), waited);
        let (ran, waited) = (after.0 - before, after.1 - waited);
        assert!(ran + waited >= Duration::from_millis(40), "{ran:?} and {waited:?}");
        assert!(ran > Duration::ZERO && ran <= begun.elapsed() + Duration::from_millis(10), "{ran:?}");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_thread_takes_short_slices_and_nobody_else() {
        // A sandbox may refuse to say.
        let Ok(before) = kernel::attributes(None) else {
            return eprintln!("skipped: this system does not tell how threads are scheduled");
        };
        let here = std::thread::spawn(|| {
            take_slices(None, Duration::from_micros(300)).unwrap();
            kernel::attributes(None).unwrap()
        });
        let here = here.join().unwrap();
        if before.sched_runtime == 0 {
            return eprintln!("skipped: this kernel has no slices");
        }
        assert_eq!(here.sched_runtime, 300_000);
        assert_eq!((here.sched_policy, here.sched_nice), (before.sched_policy, before.sched_nice));
        assert_eq!(kernel::attributes(None).unwrap().sched_runtime, before.sched_runtime);
        let gone = take_slices(rustix::process::Pid::from_raw(i32::MAX), Duration::from_millis(1));
        assert!(gone.is_err(), "a process that is not there");
    }
}
