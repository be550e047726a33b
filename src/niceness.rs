//! Threads and processes that stand back behind those that answer, and make way for them.

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
/// that somebody has put under another rule, and this is false.
///
/// # Errors
/// When the process is gone, or somebody else's.
pub fn take_slices(process: Option<Pid>, length: Duration) -> io::Result<bool> {
    #[cfg(target_os = "linux")]
    {
        let mut attributes = kernel::attributes(process)?;
        let is_usual =
            matches!(i32::try_from(attributes.sched_policy), Ok(libc::SCHED_OTHER | libc::SCHED_BATCH));
        // A kernel that has no slices tells of none.
        if is_usual && attributes.sched_runtime > 0 {
            attributes.sched_runtime = u64::try_from(length.as_nanos()).unwrap_or(u64::MAX);
            kernel::set_attributes(process, &attributes)?;
            return Ok(true);
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = (process, length);
    Ok(false)
}

/// Until it is dropped, its thread makes way every so often.
#[must_use = "the thread makes way for as long as there is this"]
pub struct MakingWay {
    #[cfg(target_os = "linux")]
    _timer: kernel::Timer,
}

/// Lets others that wait for this thread's processor have it every so often, whatever the thread does meanwhile. Who wakes
/// and has had a moment more than its share lately is not let in at once, and then Linux looks again only at the next
/// tick of its clock, 4 ms later at 250 Hz. Each time the thread gives up what is left of its slice, which therefore should
/// be shorter still ([`take_slices`]), or it gets next to nothing of a processor that others want too.
///
/// The thread is told by a signal, SIGURG, which nobody minds who does not ask for it: Go's threads are told by the same
/// (see its `runtime/signal_unix.go`). Elsewhere than on Linux this does nothing.
///
/// # Errors
/// When the system gives no timer, or does not let signals be handled.
pub fn make_way(every: Duration) -> io::Result<MakingWay> {
    #[cfg(not(target_os = "linux"))]
    let _ = every;
    Ok(MakingWay {
        #[cfg(target_os = "linux")]
        _timer: kernel::Timer::start(every)?,
    })
}

/// For how long this thread has run, and for how long it has waited until it could; `None` where the system does not
/// tell (Linux does, see `Documentation/scheduler/sched-stats.rst` of the kernel).
pub fn run_and_waited() -> Option<(Duration, Duration)> {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    let mut nanos = told.split_whitespace().map_while(|number| number.parse().ok()).map(Duration::from_nanos);
    Some((nanos.next()?, nanos.next()?))
}

/// Calls that neither the standard library has nor a well-kept crate for every Linux.
#[cfg(target_os = "linux")]
#[expect(
    unsafe_code,
    reason = "calls of the kernel with pointers to values that are owned here, one of them when a signal comes"
)]
mod kernel {
    use std::{
        io,
        mem::{self, MaybeUninit},
        ptr,
        sync::LazyLock,
        time::Duration,
    };

    use libc::{
        CLOCK_MONOTONIC, SIGEV_THREAD_ID, SIGURG, SYS_sched_getattr, SYS_sched_setattr, c_long, itimerspec,
        sched_attr, sigevent, syscall, time_t, timer_create, timer_delete, timer_settime, timer_t, timespec,
    };
    use rustix::{process::Pid, thread::sched_yield};

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

    /// What tells the thread that started it, again and again, to let others have its processor.
    pub(super) struct Timer(timer_t);

    impl Timer {
        pub(super) fn start(every: Duration) -> io::Result<Self> {
            // SAFETY: a call of the kernel that changes no memory is all that is done, which a handler may do.
            static HANDLED: LazyLock<bool> = LazyLock::new(|| unsafe {
                signal_hook_registry::register(SIGURG, sched_yield)
                    .inspect_err(|error| tracing::debug!(%error, "a signal cannot be handled"))
                    .is_ok()
            });
            if !*HANDLED {
                return Err(io::ErrorKind::Unsupported.into());
            }
            // SAFETY: numbers and pointers that may be null.
            let mut event: sigevent = unsafe { mem::zeroed() };
            event.sigev_notify = SIGEV_THREAD_ID;
            event.sigev_signo = SIGURG;
            event.sigev_notify_thread_id = rustix::thread::gettid().as_raw_pid();
            let mut timer = MaybeUninit::uninit();
            // SAFETY: the event is read, and the timer written when there is no error.
            let timer = unsafe {
                done(timer_create(CLOCK_MONOTONIC, &raw mut event, timer.as_mut_ptr()).into())?;
                Self(timer.assume_init())
            };
            let every = timespec {
                tv_sec: time_t::try_from(every.as_secs()).unwrap_or(time_t::MAX),
                tv_nsec: every.subsec_nanos().into(),
            };
            let times = itimerspec { it_interval: every, it_value: every };
            // SAFETY: the times are read; what they were before is not wanted.
            done(unsafe { timer_settime(timer.0, 0, &raw const times, ptr::null_mut()) }.into())?;
            Ok(timer)
        }
    }

    impl Drop for Timer {
        fn drop(&mut self) {
            // SAFETY: it is one, and nobody else's.
            unsafe { timer_delete(self.0) };
        }
    }

    fn id(process: Option<Pid>) -> libc::pid_t {
        process.map_or(0, Pid::as_raw_pid)
    }

    fn done(answer: c_long) -> io::Result<()> {
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

    /// How often a thread of two that want the same processor had to let go of it in so long.
    #[cfg(target_os = "linux")]
    fn turns(makes_way: bool) -> u64 {
        use rustix::thread::{CpuSet, sched_getcpu, sched_setaffinity};
        let mut here = CpuSet::new();
        here.set(sched_getcpu());
        let taken = || {
            let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
            let line = status.lines().find_map(|line| line.strip_prefix("nonvoluntary_ctxt_switches:"));
            line.unwrap().trim().parse::<u64>().unwrap()
        };
        let work = || {
            sched_setaffinity(None, &here).unwrap();
            let every = Duration::from_micros(300);
            let _ = makes_way.then(|| take_slices(None, every));
            let _making_way = makes_way.then(|| make_way(every).unwrap());
            let (begun, before) = (std::time::Instant::now(), taken());
            while begun.elapsed() < Duration::from_millis(100) {}
            taken() - before
        };
        std::thread::scope(|scope| {
            [scope.spawn(work), scope.spawn(work)].map(|thread| thread.join().unwrap())
        })[0]
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_thread_makes_way_more_often_than_the_clock_ticks() {
        if let Err(error) = make_way(Duration::from_millis(1)) {
            return eprintln!("skipped: {error}");
        }
        // Others may want the processor too, for a while.
        let mut tried = Vec::new();
        let is_more_often = (0..10).any(|_| {
            let (before, after) = (turns(false), turns(true));
            tried.push((before, after));
            after > 3 * before.max(10)
        });
        assert!(is_more_often, "{tried:?}");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_thread_takes_short_slices_and_nobody_else() {
        // A sandbox may refuse to say.
        let Ok(before) = kernel::attributes(None) else {
            return eprintln!("skipped: this system does not tell how threads are scheduled");
        };
        let here = std::thread::spawn(|| {
            (take_slices(None, Duration::from_micros(300)).unwrap(), kernel::attributes(None).unwrap())
        });
        let (is_taken, here) = here.join().unwrap();
        assert_eq!(is_taken, before.sched_runtime > 0);
        if !is_taken {
            return eprintln!("skipped: this kernel has no slices");
        }
        assert_eq!(here.sched_runtime, 300_000);
        assert_eq!((here.sched_policy, here.sched_nice), (before.sched_policy, before.sched_nice));
        assert_eq!(kernel::attributes(None).unwrap().sched_runtime, before.sched_runtime);
        let gone = take_slices(rustix::process::Pid::from_raw(i32::MAX), Duration::from_millis(1));
        assert!(gone.is_err(), "a process that is not there");
    }
}
