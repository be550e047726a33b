//! Threads that stand back behind those that answer.

/// Lets this thread, and those that it will start, have less of the processor than others where there is not enough for
/// all: each step a fifth less. Of this thread alone on Linux; where it would be the whole process's, it is left as it is.
pub fn stand_back(steps: i32) {
    if cfg!(target_os = "linux")
        && let Err(error) = rustix::process::nice(steps)
    {
        tracing::debug!(%error, "a thread does not stand back");
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
}
