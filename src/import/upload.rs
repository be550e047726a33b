//! A catalog file on its way in: received in pieces, kept on disk without a name, read from there.
//!
//! Memory holds a piece, whatever arrives. What breaks off, dawdles or is too large leaves nothing behind: a file
//! without a name goes with the last one who holds it, also when the process is killed.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read, Seek},
    path::Path,
    time::Duration,
};

use axum::body::Bytes;
use flate2::bufread::MultiGzDecoder;
use futures_util::{Stream, StreamExt};
use tokio::{
    io::{AsyncWriteExt, BufWriter},
    sync::OwnedSemaphorePermit,
    time::{Instant, timeout},
};
use tokio_util::sync::CancellationToken;

use super::source::{Format, Source, SourceError, count};
use crate::{
    app::App,
    config::ImportLimits,
    error::{Error, Kind, Result},
    money::Currency,
};

/// How long a sender may be silent.
pub(super) const SILENCE: Duration = Duration::from_secs(15);
/// How long the whole may take.
const WHOLE: Duration = Duration::from_secs(3600);
/// How much is read or written at a time.
const BUFFER: usize = 1 << 18;
/// What every gzip file begins with, and no text.
const GZIP_MAGIC: [u8; 2] = [0x1F, 0x8B];

/// How the sender describes the file.
#[derive(Clone, Debug, Default)]
pub struct Description {
    /// How it is written; `None`: its name and its beginning tell.
    pub format: Option<Format>,
    /// What the sender calls it; may be empty.
    pub name: String,
    /// Whether it is said to be gzip. One that is, and is not said to be, is unpacked too.
    pub gzip: bool,
}

/// A place for one file on this server's disk.
pub struct Slot {
    _permit: OwnedSemaphorePermit,
}

impl Slot {
    /// Takes one, before anything is received.
    ///
    /// # Errors
    /// 503 when all are taken by files that wait or are brought in.
    pub fn take(app: &App) -> Result<Self> {
        let full = |_| {
            Error::unavailable(
                "As many imports as this server takes wait or run already; try again when one has ended.",
            )
        };
        app.uploads.clone().try_acquire_owned().map(|_permit| Self { _permit }).map_err(full)
    }
}

/// What arrives within so long.
///
/// # Errors
/// 408 when nothing has by then, and 503 when the shop closes meanwhile.
pub(super) async fn unless_silent<T>(
    arrives: impl Future<Output = T>,
    patience: Duration,
    stopping: &CancellationToken,
) -> Result<T> {
    let arrived = tokio::select! {
        arrived = timeout(patience, arrives) => arrived,
        () = stopping.cancelled() => return Err(Error::unavailable("The server shuts down; send it again.")),
    };
    let detail = || format!("Nothing arrived for {} seconds, or too slowly.", SILENCE.as_secs());
    arrived.map_err(|_| Error::new(Kind::RequestTimeout, detail()))
}

/// A file that was received whole.
pub struct Upload {
    file: File,
    description: Description,
    bytes: u64,
    _place: Slot,
}

impl Upload {
    /// Receives it into an unnamed file in `folder`.
    ///
    /// # Errors
    /// 413 for more than `most` bytes, 408 for a sender that falls silent, what `body` says when it breaks off, and 503
    /// when the shop closes meanwhile.
    pub async fn receive(
        place: Slot,
        folder: &Path,
        most: u64,
        description: Description,
        mut body: impl Stream<Item = Result<Bytes>> + Unpin,
        stopping: &CancellationToken,
    ) -> Result<Self> {
        let folder = folder.to_owned();
        let file = tokio::task::spawn_blocking(move || tempfile::tempfile_in(folder));
        let file = file.await.map_err(Error::internal)?.map_err(Error::internal)?;
        let mut writer = BufWriter::with_capacity(BUFFER, tokio::fs::File::from_std(file));
        let (begun, mut received) = (Instant::now(), 0);
        loop {
            let patience = SILENCE.min(WHOLE.saturating_sub(begun.elapsed()));
            let piece = unless_silent(body.next(), patience, stopping).await?;
            let Some(piece) = piece else { break };
            let piece = piece?;
            received += piece.len() as u64;
            demand_size(received, most)?;
            writer.write_all(&piece).await.map_err(Error::internal)?;
        }
        writer.flush().await.map_err(Error::internal)?;
        let file = writer.into_inner().into_std().await;
        Ok(Self { file, description, bytes: received, _place: place })
    }

    /// What its sender calls it; empty where there was no name.
    pub fn name(&self) -> &str {
        &self.description.name
    }

    /// How many bytes came, as they came.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Looks through the whole file: how many rows it has. It takes a moment; for a thread of its own.
    ///
    /// # Errors
    /// When it is too large, is broken, or `stop` is cancelled.
    pub fn count(&self, limits: ImportLimits, stop: &CancellationToken) -> Result<u64> {
        let (mut reader, format) = self.open().map_err(unreadable)?;
        let within = Within { input: &mut reader, left: limits.unpacked_bytes, stop };
        let rows = count(BufReader::with_capacity(BUFFER, within), format, limits.rows);
        let rows = rows.map_err(|error| match error.kind() {
            io::ErrorKind::FileTooLarge => {
                let most = limits.unpacked_bytes;
                too_large(format!(
                    "It unpacks to more than {most} bytes, which is the limit here; send it in parts."
                ))
            }
            _ => unreadable(error),
        })?;
        if rows > limits.rows {
            let most = limits.rows;
            return Err(too_large(format!(
                "It has more than {most} rows, which is the limit here; send it in parts."
            )));
        }
        Ok(rows)
    }

    /// Its rows; of CSV the header row is read at once.
    ///
    /// # Errors
    /// See [`Source::open`].
    pub fn rows(&self, currency: Currency) -> Result<Source<Box<dyn BufRead + Send>>, SourceError> {
        let (reader, format) = self.open()?;
        Source::open(reader, format, currency)
    }

    /// From its beginning, unpacked. One reader at a time: they share a position.
    fn open(&self) -> io::Result<(Box<dyn BufRead + Send>, Format)> {
        let mut file = self.file.try_clone()?;
        file.rewind()?;
        let mut reader = BufReader::with_capacity(BUFFER, file);
        let Description { format, name, gzip } = &self.description;
        let is_packed = reader.fill_buf()?.starts_with(&GZIP_MAGIC);
        if *gzip && !is_packed {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "it is said to be gzip and is not"));
        }
        let mut reader: Box<dyn BufRead + Send> = if is_packed {
            Box::new(BufReader::with_capacity(BUFFER, MultiGzDecoder::new(reader)))
        } else {
            Box::new(reader)
        };
        let format = match format {
            Some(format) => *format,
            None => Format::detect(reader.fill_buf()?, name.strip_suffix(".gz").unwrap_or(name)),
        };
        Ok((reader, format))
    }
}

/// Refuses what is larger than `most`.
///
/// # Errors
/// 413.
pub fn demand_size(bytes: u64, most: u64) -> Result<()> {
    let refused =
        || too_large(format!("The file may have at most {most} bytes; send it in parts, or as gzip."));
    (bytes <= most).then_some(()).ok_or_else(refused)
}

fn too_large(detail: String) -> Error {
    Error::new(Kind::TooLarge, detail)
}

fn unreadable(error: io::Error) -> Error {
    Error::malformed(format!("The file cannot be read: {error}. Was it sent whole?"))
}

/// A reader that gives up: after so many bytes, or when it is told to.
struct Within<'a, R> {
    input: R,
    left: u64,
    stop: &'a CancellationToken,
}

impl<R: Read> Read for Within<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.stop.is_cancelled() {
            return Err(io::Error::other("it was stopped"));
        }
        let read = self.input.read(buffer)?;
        self.left = self.left.checked_sub(read as u64).ok_or(io::ErrorKind::FileTooLarge)?;
        Ok(read)
    }
}
