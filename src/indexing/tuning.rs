//! How searches are tuned: the settings of the database, checked and compiled.

use duka_index::{Lexicon, Settings};
use serde_json::Value;
use sqlx::PgConnection;

use super::{IndexingError, store};

/// How searches are tuned: what administrators have set, as every node has read it from the database.
#[derive(Clone, Debug, Default)]
pub struct Tuning {
    /// Grows with every change; 0 is the default settings. Part of what an answer is kept by.
    pub version: i64,
    /// As they were set.
    pub settings: Settings,
    /// The same, ready for searches.
    pub lexicon: Lexicon,
}

/// Reads a version that the transaction sees.
///
/// # Errors
/// [`IndexingError::Settings`] when they were not written by a program like this one.
pub(super) async fn read(db: &mut PgConnection, version: i64) -> Result<Tuning, IndexingError> {
    let Some(kept) = store::settings(db, version).await? else { return Ok(Tuning::default()) };
    // Thousands of synonyms take a while.
    let compiled = tokio::task::spawn_blocking(move || compile(version, kept)).await?;
    compiled.map_err(|reason| IndexingError::Settings { version, reason })
}

fn compile(version: i64, kept: Value) -> Result<Tuning, String> {
    let settings: Settings = serde_json::from_value(kept).map_err(|error| error.to_string())?;
    let lexicon = Lexicon::new(&settings).map_err(|faults| {
        let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
        faults.join(", ")
    })?;
    Ok(Tuning { version, settings, lexicon })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_another_program_wrote_is_refused() {
        assert_eq!(compile(7, json!({"stop_words": ["x"]})).unwrap().version, 7);
        for (kept, word) in [
            (json!({"ranking": "new"}), "ranking"),
            (json!({"weights": {"name": 1000}}), "/weights/name"),
            (json!({"synonyms": [{"type": "three_way", "phrases": []}]}), "three_way"),
            (json!("none"), ""),
        ] {
            let reason = compile(1, kept).unwrap_err();
            assert!(reason.contains(word), "{reason}");
        }
    }
}
