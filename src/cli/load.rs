//! `duka load`

use std::{
    io::Read,
    process::ExitCode,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use clap::Args;
use tokio_util::sync::CancellationToken;

use super::{
    Outcome,
    output::{bar, say},
};
use crate::{
    lifecycle::Interrupts,
    load::{
        self, Plan, Progress,
        mix::{Catalog, Class, Mix},
        pace::Pace,
        process,
        report::Report,
        wire::{Target, Wire},
        writes::{Account, Writes},
    },
};

/// How often the bar moves.
const TELL_EVERY: Duration = Duration::from_millis(200);

/// See the command's help.
#[derive(Args)]
pub(super) struct Load {
    /// The running shop
    #[arg(default_value = "http://127.0.0.1:8000", value_name = "URL")]
    target: Target,
    /// Searches a second, sent when they are due whether earlier ones are answered or not; 0 asks again as soon as
    /// one is answered
    #[arg(long, default_value_t = 200.0, value_name = "R", value_parser = rate)]
    rate: f64,
    /// For how many seconds
    #[arg(long, default_value_t = 30, value_name = "S", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    seconds: u64,
    /// Connections, which is how many may wait for an answer at once
    #[arg(long, default_value_t = 64, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=4_096))]
    connections: u16,
    /// How many different searches there are
    #[arg(long, default_value_t = 1_000, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    distinct: u32,
    /// The n-th most frequent search is asked 1/nᵉ times as often as the most frequent one
    #[arg(long, default_value_t = 1.0, value_name = "E", value_parser = rate)]
    zipf: f64,
    /// Searches of one kind alone
    #[arg(long, value_name = "KIND", value_parser = class)]
    only: Option<Class>,
    /// The same seed asks for the same
    #[arg(long, default_value_t = 1, value_name = "S")]
    seed: u64,
    /// Writes a second beside the searches: stock up and down by one piece
    #[arg(long, default_value_t = 0.0, value_name = "R", value_parser = rate, requires_if("0..", "write_as"))]
    writes: f64,
    /// Who writes, an administrator; the password is read from standard input
    #[arg(long, value_name = "USERNAME")]
    write_as: Option<String>,
    /// The server's process on this machine, to tell its processor time
    #[arg(long, value_name = "PID")]
    pid: Option<u32>,
    /// Ask a shop on another machine: only with its owner's leave
    #[arg(long)]
    remote: bool,
    /// Print everything as one JSON object
    #[arg(long)]
    json: bool,
}

fn rate(text: &str) -> Result<f64, String> {
    let rate: Option<f64> = text.parse().ok();
    rate.filter(|rate| (0.0..=1e6).contains(rate))
        .ok_or_else(|| "must be a number from 0 to 1000000".to_owned())
}

fn class(text: &str) -> Result<Class, String> {
    let names = Class::ALL.map(|(_, name, _)| name).join(", ");
    Class::named(text).ok_or_else(|| format!("is one of {names}"))
}

impl Load {
    pub(super) async fn run(self) -> Outcome {
        if !self.target.is_loopback() && !self.remote {
            return Err(format!(
                "{} is not this machine; --remote asks it all the same, if its owner has nothing against it",
                self.target
            )
            .into());
        }
        let mut interrupts = Interrupts::listen()?;
        let stop = CancellationToken::new();
        let loading = async {
            let report = self.load(&stop).await;
            stop.cancel();
            report
        };
        let listening = async {
            tokio::select! {
                () = interrupts.heard() => stop.cancel(),
                () = stop.cancelled() => {}
            }
        };
        // What was measured until then is told all the same.
        let (report, ()) = tokio::join!(loading, listening);
        let report = report?;
        if self.json {
            say(&report.to_json().to_string());
        } else {
            say(report.to_string().trim_end());
        }
        Ok(if report.searches.count() > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    async fn load(&self, stop: &CancellationToken) -> Result<Report, Box<dyn std::error::Error>> {
        let mut wire = Wire::open(&self.target).await?;
        let catalog = Catalog::learn(&mut wire).await?;
        let mix = Mix::new(&catalog, self.only, self.distinct as usize, self.zipf, self.seed)?;
        let writes = self.writes().await?;
        let length = Duration::from_secs(self.seconds);
        let plan = Plan {
            target: self.target.clone(),
            pace: if self.rate == 0.0 { Pace::Closed } else { Pace::Open(self.rate) },
            connections: usize::from(self.connections),
            length,
        };
        let used = |pid| process::cpu(pid).map_err(|error| format!("--pid {pid}: {error}"));
        let before = self.pid.map(used).transpose()?;
        let progress = Arc::new(Progress::default());
        let searching = load::run(&plan, &mix, &progress, stop);
        let writing = async {
            match writes {
                Some(writes) => writes.run(length, stop).await.map(Some),
                None => Ok(None),
            }
        };
        let both = async { tokio::try_join!(searching, writing) };
        let (mut report, written) = watched(both, length, &progress).await?;
        report.cpu = self.pid.map(used).transpose()?.zip(before).map(|(after, before)| after - before);
        (report.writes, report.visible) = written.map(|done| (done.writes, done.visible)).unzip();
        Ok(report)
    }

    async fn writes(&self) -> Result<Option<Writes>, Box<dyn std::error::Error>> {
        if self.writes == 0.0 {
            return Ok(None);
        }
        let username = self.write_as.clone().ok_or("--writes needs --write-as, an administrator's name")?;
        let mut password = String::new();
        std::io::stdin().take(4096).read_to_string(&mut password)?;
        let password = password.trim_end_matches(['\r', '\n']).to_owned();
        Ok(Some(Writes::prepare(&self.target, Account { username, password }, self.writes).await?))
    }
}

/// Moves the bar while something goes on.
async fn watched<T>(work: impl Future<Output = T>, length: Duration, progress: &Progress) -> T {
    let bar = bar(length.as_millis() as u64, "asking {wide_bar} {msg} answered, {eta} left");
    let begun = std::time::Instant::now();
    let mut ticks = tokio::time::interval(TELL_EVERY);
    let mut work = std::pin::pin!(work);
    let done = loop {
        tokio::select! {
            done = &mut work => break done,
            _ = ticks.tick() => {
                bar.set_position(begun.elapsed().as_millis() as u64);
                bar.set_message(progress.answered.load(Ordering::Relaxed).to_string());
            }
        }
    };
    bar.finish_and_clear();
    done
}
