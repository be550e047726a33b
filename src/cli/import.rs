//! `duka import`, `duka export`, `duka generate`

use std::{
    fs::File,
    io::{BufRead, BufReader, BufWriter, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Args, ValueEnum};
use tokio_util::sync::CancellationToken;

use super::{
    Outcome,
    output::{bar, complain, say},
    unless_interrupted,
};
use crate::{
    auth::Author,
    config::Config,
    corpus::Corpus,
    database::Database,
    export,
    import::{
        actions::{Feed, OnError, Options, Progress, Report, run},
        source::{Entry, Format, Source},
    },
    lifecycle::Interrupts,
};

/// What becomes of the file when a row is refused.
#[derive(Clone, Copy, ValueEnum)]
enum OnRefusal {
    /// Nothing of it is kept.
    Reject,
    /// Everything else is kept.
    Skip,
}

/// See the command's help.
#[derive(Args)]
pub(super) struct Import {
    /// The file; `-` is standard input
    file: PathBuf,
    /// Try everything and keep nothing
    #[arg(long)]
    dry_run: bool,
    /// What becomes of the file when a row is refused
    #[arg(long, value_enum, default_value = "reject")]
    on_error: OnRefusal,
}

impl Import {
    pub(super) async fn run(self, config: Config) -> Outcome {
        let (mut reader, size): (Box<dyn BufRead + Send>, u64) = if self.file.as_os_str() == "-" {
            (Box::new(BufReader::new(std::io::stdin())), 0)
        } else {
            let cannot = |error| format!("{} cannot be read: {error}", self.file.display());
            let file = File::open(&self.file).map_err(cannot)?;
            let size = file.metadata().map_err(cannot)?.len();
            (Box::new(BufReader::with_capacity(1 << 18, file)), size)
        };
        let format = Format::detect(reader.fill_buf()?, &self.file.to_string_lossy());
        let feed = Feed::start(Source::open(reader, format, config.currency)?);
        let on_error = match self.on_error {
            OnRefusal::Reject => OnError::Reject,
            OnRefusal::Skip => OnError::Skip,
        };
        let bar = bar(size, "importing {wide_bar} {msg} rows, {binary_bytes_per_sec}, {eta} left");
        let options = Options { on_error, dry_run: self.dry_run };
        let report = bring_in(&config, feed, options, |done| {
            bar.set_position(done.bytes);
            bar.set_message(done.report.rows.to_string());
            // As they are found: a file may have any number of them.
            bar.suspend(|| done.refused.iter().for_each(|error| say(&error.to_string())));
        });
        let report = report.await;
        bar.finish_and_clear();
        Ok(tell(&report?, options))
    }
}

/// See the command's help.
#[derive(Args)]
pub(super) struct Export {
    /// The file, CSV where it is called so and else NDJSON; `-` is standard output
    #[arg(default_value = "-")]
    file: PathBuf,
}

impl Export {
    pub(super) async fn run(self, config: Config) -> Outcome {
        let mut interrupts = Interrupts::listen()?;
        let mut out = writer(&self.file)?;
        // Nothing to go by but the name: what is written begins like NDJSON.
        let format = Format::detect(b"{", &self.file.to_string_lossy());
        let database = Database::open(&config).await?;
        let bar = bar(0, "exporting {wide_bar} {pos}/{len} ({per_sec}, {eta} left)");
        let exporting = async {
            database.migrate().await?;
            let pool = database.work_pool("duka export");
            let mut export = export::actions::Export::begin(&pool, format, config.currency).await?;
            bar.set_length(export.count().await?);
            while let Some(piece) = export.next().await? {
                out.write_all(&piece.text)?;
                bar.inc(piece.products);
            }
            out.flush()?;
            drop(export);
            pool.close().await;
            Ok(bar.position())
        };
        let exported = unless_interrupted(&mut interrupts, exporting).await;
        bar.finish_and_clear();
        database.close().await;
        complain(&format!("wrote {} products", exported?));
        Ok(ExitCode::SUCCESS)
    }
}

/// See the command's help.
#[derive(Args)]
pub(super) struct Generate {
    /// How many products
    #[arg(long, value_name = "N")]
    products: u64,
    /// The same seed makes the same catalog
    #[arg(long, default_value_t = 1, value_name = "S")]
    seed: u64,
    /// Write NDJSON here instead of into the shop; `-` is standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl Generate {
    pub(super) async fn run(self, config: Config) -> Outcome {
        let corpus = Corpus::new(self.seed, config.currency);
        let bar = bar(self.products, "generating {wide_bar} {pos}/{len} ({per_sec}, {eta} left)");
        let Some(out) = self.out else {
            let feed = feed(corpus, self.products);
            let options = Options { on_error: OnError::Reject, dry_run: false };
            let report = bring_in(&config, feed, options, |done| bar.set_position(done.report.rows)).await;
            bar.finish_and_clear();
            return Ok(tell(&report?, options));
        };
        let mut writer = writer(&out)?;
        for number in 0..self.products {
            writeln!(writer, "{}", corpus.row(number).to_json(config.currency))?;
            bar.inc(1);
        }
        writer.flush()?;
        bar.finish_and_clear();
        complain(&format!("wrote {} products", self.products));
        Ok(ExitCode::SUCCESS)
    }
}

/// Writes to the file, or to standard output where it is `-`.
fn writer(file: &Path) -> Result<Box<dyn Write>, String> {
    if file.as_os_str() == "-" {
        return Ok(Box::new(BufWriter::new(std::io::stdout())));
    }
    let cannot = |error| format!("{} cannot be written: {error}", file.display());
    Ok(Box::new(BufWriter::new(File::create(file).map_err(cannot)?)))
}

/// The first `products` rows of a corpus, as if read from a file.
pub(super) fn feed(corpus: Corpus, products: u64) -> Feed {
    let entry = move |number| Ok(Entry { line: number + 1, bytes: 0, row: Ok(corpus.row(number)) });
    Feed::start((0..products).map(entry))
}

async fn bring_in(
    config: &Config,
    feed: Feed,
    options: Options,
    progress: impl FnMut(Progress),
) -> Result<Report, Box<dyn std::error::Error>> {
    let mut interrupts = Interrupts::listen()?;
    let database = Database::open(config).await?;
    let stop = CancellationToken::new();
    let importing = async {
        database.migrate().await?;
        let pool = database.work_pool("duka import");
        let report = run(&pool, Author::SHOP, feed, options, &stop, progress).await?;
        pool.close().await;
        Ok(report)
    };
    let imported = unless_interrupted(&mut interrupts, importing).await;
    database.close().await;
    imported
}

/// Says what was done, and what the exit code is: a dry run's is the real one's.
fn tell(report: &Report, options: Options) -> ExitCode {
    let count = |number: u64, one: &str| format!("{number} {one}{}", if number == 1 { "" } else { "s" });
    let what = match (report.kept, options.dry_run) {
        (true, _) => "",
        (false, true) => " (tried only: nothing was kept)",
        (false, false) => " (nothing was kept: --on-error skip keeps the others)",
    };
    say(&format!(
        "{} read: {} created, {} updated, {} refused{what}",
        count(report.rows, "row"),
        report.created,
        report.updated,
        report.refused
    ));
    if report.refused > 0 && options.on_error == OnError::Reject {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}
