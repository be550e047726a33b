//! The command line. Results on standard output, logs and progress on standard error; exit 0 done, 1 failed,
//! 2 misused. Every command is a struct of its arguments with a `run`.

mod admin;
mod demo;
mod import;
mod load;
mod maintenance;
mod output;
mod reindex;
mod relevance;
mod sandbox;
mod serve;
mod stand_in;

use std::{error::Error, path::PathBuf, process::ExitCode, time::Duration};

use clap::{CommandFactory, Parser, Subcommand};

use crate::{
    config::{Config, Settings, unknown_variables},
    gate,
    lifecycle::Interrupts,
    niceness::take_slices,
    telemetry,
};

/// How long a thread of the runtime has a processor at a time: what it does for a request takes less, and whoever asks
/// for little is let in before those that have one for longer.
const SLICE: Duration = Duration::from_micros(200);
/// One task in so many is the oldest of those that wait for any worker: whoever was woken by another thread, such as
/// one that has searched, and whoever found no room among a worker's own 256. The runtime's own choice, up to one in
/// 127, leaves them behind those who have come later: of 512 connections that asked for three times of what there is
/// room for, the slowest hundredth waited for 140 ms, and now for 25.
const SHARED: u32 = 3;

/// What a command ends with: whether all was well.
type Outcome = Result<ExitCode, Box<dyn Error>>;

/// A search-first shop: PostgreSQL is the truth, an embedded index answers.
#[derive(Parser)]
#[command(name = "duka", version, disable_help_subcommand = false, max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    settings: Settings,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Migrate, open or build the index, and serve
    Serve(serve::Serve),
    /// Serve a shop with a generated catalog, a user of each role, and a sandbox to pay at
    Demo(demo::Demo),
    /// Bring the database's schema up to date
    Migrate(maintenance::Migrate),
    /// Bring a catalog in from a file of NDJSON or CSV, by SKU
    Import(import::Import),
    /// Write the catalog to a file of NDJSON or CSV, as an import takes it
    Export(import::Export),
    /// Make a seeded catalog, into the shop or as NDJSON
    Generate(import::Generate),
    /// Build the index anew, beside the one that answers
    Reindex(reindex::Reindex),
    /// Compare every document of the index with the database; exit 1 when they differ
    Verify(maintenance::Verify),
    /// Measure how good the answers are, over judged queries
    Relevance(relevance::Relevance),
    /// Ask a running shop as many shoppers would, and tell how long they wait
    Load(load::Load),
    /// Manage administrators
    #[command(subcommand)]
    Admin(admin::Admin),
    /// Print the OpenAPI document
    Openapi(maintenance::Openapi),
    /// Stand in for the payment gateways, for trying a shop without an account
    Sandbox(sandbox::Sandbox),
    /// Keep a PostgreSQL for tests until its last user is gone
    #[command(hide = true)]
    Supervise {
        #[arg(long)]
        dir: PathBuf,
    },
}

/// Reads the command line and runs its command.
pub fn main() -> ExitCode {
    let dotenv = dotenvy::dotenv();
    let cli = Cli::parse();
    let config = match Config::new(&cli.settings) {
        Ok(config) => config,
        Err(error) => return fail(&error, 2),
    };
    let telemetry = telemetry::start(&config);
    let code = run(cli.command, config, dotenv);
    telemetry.end();
    code
}

fn run(command: Command, config: Config, dotenv: dotenvy::Result<PathBuf>) -> ExitCode {
    match dotenv {
        Ok(path) => tracing::debug!(path = %path.display(), "read settings"),
        Err(error) if error.not_found() => {}
        Err(error) => {
            output::complain("duka: the .env file cannot be read");
            return fail(&error, 2);
        }
    }
    for name in unknown_variables(&known_variables()) {
        tracing::warn!(name, "nothing reads this variable; is it misspelt?");
    }
    if let Command::Supervise { dir } = command {
        return crate::postgres::supervise(&dir).map_or_else(|error| fail(&error, 1), |()| ExitCode::SUCCESS);
    }
    let threads = || {
        if let Err(error) = take_slices(None, SLICE) {
            tracing::debug!(%error, "the runtime takes slices of the usual length");
        }
    };
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    runtime.enable_all().on_thread_start(threads).on_thread_park(gate::rest).global_queue_interval(SHARED);
    let runtime = match runtime.build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error, 1),
    };
    let outcome = runtime.block_on(async {
        match command {
            Command::Serve(command) => command.run(config).await,
            Command::Demo(command) => command.run(config).await,
            Command::Migrate(command) => command.run(config).await,
            Command::Import(command) => command.run(config).await,
            Command::Export(command) => command.run(config).await,
            Command::Generate(command) => command.run(config).await,
            Command::Reindex(command) => command.run(config).await,
            Command::Verify(command) => command.run(config).await,
            Command::Relevance(command) => command.run(config).await,
            Command::Load(command) => command.run().await,
            Command::Admin(command) => command.run(config).await,
            Command::Openapi(command) => command.run(),
            Command::Sandbox(command) => command.run().await,
            Command::Supervise { .. } => Ok(ExitCode::SUCCESS),
        }
    });
    // A thread may still wait for standard input, or for a server that is just starting.
    runtime.shutdown_timeout(Duration::from_secs(3));
    outcome.unwrap_or_else(|error| fail(error.as_ref(), 1))
}

/// Does the work unless SIGINT or SIGTERM comes first. Work that is cut short is dropped, and with it the
/// managed database, if this was its last user.
async fn unless_interrupted<T>(
    interrupts: &mut Interrupts,
    work: impl Future<Output = Result<T, Box<dyn Error>>>,
) -> Result<T, Box<dyn Error>> {
    tokio::select! {
        done = work => done,
        () = interrupts.heard() => Err("interrupted".into()),
    }
}

fn fail(error: &(dyn Error + 'static), code: u8) -> ExitCode {
    output::complain(&format!("duka: {error}"));
    ExitCode::from(code)
}

/// Every variable that a setting of any command is read from.
fn known_variables() -> Vec<String> {
    fn collect(command: &clap::Command, names: &mut Vec<String>) {
        names.extend(
            command.get_arguments().filter_map(|arg| Some(arg.get_env()?.to_string_lossy().into_owned())),
        );
        command.get_subcommands().for_each(|sub| collect(sub, names));
    }
    let mut names = vec!["DUKA_PG_BINDIR".to_owned()];
    collect(&Cli::command(), &mut names);
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
        assert!(known_variables().iter().any(|name| name == "DUKA_LISTEN"));
    }
}
