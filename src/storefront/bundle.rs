//! The pages' files, as they are sent: named by what is in them, and coded once.

use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, OnceLock, PoisonError, RwLock},
};

use axum::{body::Bytes, http::HeaderValue};
use rust_embed::Embed;
use sha2::{Digest, Sha256};

use super::shell::{self, Settings};
use crate::cache::encoding::Encoding;

/// What is below `assets/`: within the program, or on disk in a build for development.
#[derive(Embed)]
#[folder = "src/storefront/assets"]
struct Assets;

/// One state of all files, and the two pages that begin everything.
pub(super) struct Bundle {
    /// Stands in the address of each file: another one when any of them changes.
    name: String,
    files: BTreeMap<String, File>,
    /// The storefront's page.
    pub(super) shop: File,
    /// The console's page.
    pub(super) console: File,
    /// What the pages may load and ask.
    pub(super) policy: HeaderValue,
}

/// A file in all its codings.
pub(super) struct File {
    /// Its media type.
    pub(super) kind: &'static str,
    etag: String,
    plain: Bytes,
    gzip: OnceLock<Bytes>,
    brotli: OnceLock<Bytes>,
}

/// A file in one coding.
pub(super) struct Coded {
    pub(super) kind: &'static str,
    pub(super) etag: String,
    pub(super) encoding: Encoding,
    pub(super) bytes: Bytes,
}

/// The present state. In a build for development it follows the disk.
pub(super) struct Pages {
    settings: Settings,
    present: RwLock<Arc<Bundle>>,
}

impl Pages {
    /// Reads the files for a shop with these settings.
    pub(super) fn new(settings: Settings) -> Self {
        let present = RwLock::new(Arc::new(Bundle::read(&settings)));
        Self { settings, present }
    }

    /// What was read last.
    pub(super) fn present(&self) -> Arc<Bundle> {
        Arc::clone(&self.present.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// What there is now, for a page that is opened. It may read the disk.
    pub(super) fn newest(&self) -> Arc<Bundle> {
        if cfg!(debug_assertions) {
            let found = Bundle::read(&self.settings);
            let mut present = self.present.write().unwrap_or_else(PoisonError::into_inner);
            if found.name != present.name {
                *present = Arc::new(found);
            }
        }
        self.present()
    }
}

impl Bundle {
    fn read(settings: &Settings) -> Self {
        let mut names: Vec<String> = Assets::iter().map(std::borrow::Cow::into_owned).collect();
        names.sort_unstable();
        let mut whole = Sha256::new();
        let mut texts = BTreeMap::new();
        for name in names {
            let Some(found) = Assets::get(&name) else { continue };
            whole.update(format!("{name}\0{}\0", found.data.len()));
            whole.update(&found.data);
            texts.insert(name, Bytes::from(found.data.into_owned()));
        }
        let name = hex(&whole.finalize());
        let page = |folder: &str| {
            let template = texts.get(&format!("{folder}/index.html")).cloned().unwrap_or_default();
            shell::page(&String::from_utf8_lossy(&template), folder, &name, texts.keys(), settings)
        };
        let (shop, console) = (page("shop"), page("console"));
        let policy = shell::policy(&shell::imports(&name), settings);
        let files = texts.into_iter().filter(|(path, _)| !path.ends_with(".html"));
        let files = files.map(|(path, bytes)| (path.clone(), File::new(kind(&path), bytes))).collect();
        let html = |text: String| File::new("text/html; charset=utf-8", text.into());
        Self { name, files, shop: html(shop), console: html(console), policy }
    }

    /// The file at this path, if this is the state that it was asked for in.
    pub(super) fn file(&self, name: &str, path: &str) -> Option<&File> {
        self.files.get(path).filter(|_| name == self.name)
    }
}

impl File {
    fn new(kind: &'static str, plain: Bytes) -> Self {
        let etag = format!("\"{}\"", hex(&Sha256::digest(&plain)));
        Self { kind, etag, plain, gzip: OnceLock::new(), brotli: OnceLock::new() }
    }

    /// The file in this coding. The first who wants it codes it, which takes milliseconds.
    ///
    /// # Errors
    /// None: coding writes into memory.
    pub(super) fn coded(&self, encoding: Encoding) -> io::Result<Coded> {
        let kept = match encoding {
            Encoding::Plain => None,
            Encoding::Gzip => Some(&self.gzip),
            Encoding::Brotli => Some(&self.brotli),
        };
        let bytes = match kept {
            None => self.plain.clone(),
            Some(kept) => match kept.get() {
                Some(bytes) => bytes.clone(),
                None => {
                    let bytes = Bytes::from(encoding.apply(&self.plain)?);
                    kept.get_or_init(|| bytes).clone()
                }
            },
        };
        Ok(Coded { kind: self.kind, etag: encoding.tag(&self.etag), encoding, bytes })
    }
}

fn kind(path: &str) -> &'static str {
    match path.rsplit('.').next() {
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "text/plain; charset=utf-8",
    }
}

/// Sixteen digits: enough that no two states of one's files share them.
fn hex(hash: &[u8]) -> String {
    hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The libraries are as their packages have them (npm: preact 11.2.0, htm 3.1.1).
    #[test]
    fn what_was_taken_over_is_as_it_was_published() {
        for (path, hash) in [
            ("vendor/preact.js", "bdcbd9abdf2c77c5c45326eab42191e949222d479d0d5f69467387a77040cb55"),
            ("vendor/hooks.js", "e862ab2973aa6455eaa0f77c5d832d2157d6be59a17c8ba546550a575b58c6b4"),
            ("vendor/htm.js", "ab33dd3f38059b9be4d5f5350128eefb2356639c4e0bbe9d9e8b3ba75847e9e4"),
        ] {
            let found = Assets::get(path).unwrap().data;
            let digest: String = Sha256::digest(&found).iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(digest, hash, "{path}");
        }
        for licence in ["vendor/preact.LICENSE.txt", "vendor/htm.LICENSE.txt"] {
            assert!(Assets::get(licence).is_some_and(|found| !found.data.is_empty()), "{licence}");
        }
    }

    #[test]
    fn every_file_is_found_under_the_name_of_its_state_alone() {
        let bundle = Bundle::read(&Settings::default());
        assert!(bundle.files.len() > 10, "{:?}", bundle.files.keys());
        for (path, file) in &bundle.files {
            assert!(bundle.file(&bundle.name, path).is_some() && bundle.file("0", path).is_none(), "{path}");
            assert!(!file.plain.is_empty(), "{path}");
        }
        assert!(bundle.file(&bundle.name, "shop/index.html").is_none(), "a template is no page");
    }

    #[test]
    fn each_coding_is_made_once_and_has_its_own_tag() {
        let file = File::new("text/plain", Bytes::from("abc".repeat(1000)));
        let [plain, gzip, brotli] = Encoding::ALL.map(|encoding| file.coded(encoding).unwrap());
        assert!(gzip.bytes.len() < plain.bytes.len() / 10 && brotli.bytes.len() < plain.bytes.len() / 10);
        assert!(plain.etag != gzip.etag && gzip.etag != brotli.etag);
        let again = file.coded(Encoding::Brotli).unwrap();
        assert_eq!(again.bytes.as_ptr(), brotli.bytes.as_ptr());
    }
}
