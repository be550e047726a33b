//! Asking the index within limits, and only what it has not been asked before.
//!
//! Searches have threads of their own and a queue before them, but for those that the engine says are brief and whose
//! rows are kept: to hand such a one over and to be woken takes as long as the search itself, it keeps others waiting
//! hardly longer than writing any answer does, and to turn it away would cost as much. What may wait for the disk never
//! runs here.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, LazyLock},
    time::{Duration, Instant},
};

use duka_index::{Engine, Found, Hits, Lexicon, Query, Reader, SuggestQuery, Suggestions};
use metrics::Histogram;

use super::model::Trial;
use crate::{
    app::App,
    auth::Admin,
    cache::{Body, Key, Outcome, Question, State, encoding::Encoding, rows::ReadyRow},
    client::Client,
    error::{Error, Kind, Result},
    gate::Undone,
    indexing::{Remedy, Tuning, Version},
    throttle::Act,
};

/// How long a search waits for the write that it must hold.
const CATCH_UP: Duration = Duration::from_millis(500);
/// How long a search waits for an index in place of one that it cannot read: as long as a small one takes to build.
const MENDED: Duration = Duration::from_secs(5);

/// What searches take that are answered where they are asked.
const BRIEF: Duration = Duration::from_micros(300);
/// The same while more are asked than can be answered: of those that take longer fewer can be turned away here, before
/// the rest of the work, than by the queue.
const BRIEF_IN_A_CROWD: Duration = Duration::from_micros(75);

/// What a client demands of its answer, whatever it asks.
#[derive(Clone, Copy, Debug)]
pub struct Demand {
    /// Where it is asked from.
    pub client: Client,
    /// The writes that it must hold: the request may name one in two places.
    pub versions: [Option<Version>; 2],
    /// What it should be coded in.
    pub encoding: Encoding,
}

/// An answer, ready to be sent.
#[derive(Debug)]
pub struct Answer {
    /// The bytes.
    pub body: Body,
    /// Every write up to this one was seen, and the one that was demanded.
    pub version: Version,
    /// Whether it had to be computed.
    pub outcome: Outcome,
    /// How long it took, the wait for the demanded write aside.
    pub took: Duration,
    /// What it answers.
    pub question: Question,
}

/// Searches the mirror. `write` makes the answer of what was found, and of its rows where all of them are kept, as of the
/// instant given (microseconds since 1970), and of nothing else that could change.
///
/// # Errors
/// 503 when too many searches are waiting, or the demanded write is not there in time; 429.
pub async fn search(
    app: &App,
    demand: Demand,
    query: Query,
    write: impl Fn(Found, Option<Vec<ReadyRow>>, i64) -> Result<Vec<u8>> + Send + Sync + 'static,
) -> Result<Answer> {
    let question = Question::new(&("search", Query { at: 0, ..query.clone() }))?;
    let asked = Arc::new((query, write));
    let ask = move |app: App, index: Reader, tuning: Arc<Tuning>, at| {
        let asked = Arc::clone(&asked);
        async move {
            let query = Query { at, ..asked.0.clone() };
            let within = if app.pulse.is_overloaded() { BRIEF_IN_A_CROWD } else { BRIEF };
            if !index.is_brief(&query, &tuning.lexicon, within) {
                app.pulse.count_placed();
                return work(&app, move || (asked.1)(index.find(&query, &tuning.lexicon)?, None, at)).await;
            }
            let found = here(|| Ok(index.find(&query, &tuning.lexicon)?))?;
            // Rows that are not kept are on the disk, but for those that were just written, and so is what makes others of
            // them.
            let is_plain = !query.highlight && !query.places;
            if let Some(rows) = is_plain.then(|| app.rows.all_of(&found)).flatten() {
                return (asked.1)(found, Some(rows), at);
            }
            if is_plain && within == BRIEF && app.rows.nearly_all_of(&found) {
                return here(|| (asked.1)(found, None, at));
            }
            app.pulse.count_placed();
            work(&app, move || (asked.1)(found, None, at)).await
        }
    };
    answer(app, demand, question, ask).await
}

/// Searches the mirror twice at one instant: under the settings that hold, and under those that are tried. Nothing is
/// kept of it, and nobody else's search is other for it.
///
/// # Errors
/// 503 when too many searches are waiting.
pub async fn try_out<T: Send + 'static>(
    app: &App,
    _: Admin,
    Trial { query, settings }: Trial,
    write: impl FnOnce([Hits; 2], i64) -> T + Send + 'static,
) -> Result<T> {
    // They were checked when they were read.
    let lexicon = Lexicon::new(&settings).map_err(|faults| {
        Error::internal(faults.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))
    })?;
    let at = app.clock.micros();
    let asked = Arc::new((Query { at, ..query }, lexicon));
    let deadline = Instant::now() + MENDED;
    let hits = loop {
        let engine = app.indexing.engine();
        let (index, tuning, asked) = (engine.reader(), app.indexing.tuning(), Arc::clone(&asked));
        let asking = work(app, move || {
            let (query, lexicon) = asked.as_ref();
            Ok([index.search(query, &tuning.lexicon)?, index.search(query, lexicon)?])
        });
        match asking.await {
            Ok(hits) => break hits,
            Err(error) => mended(app, &engine, error, deadline).await?,
        }
    };
    work(app, move || Ok(write(hits, at))).await
}

/// Completes what somebody types; see [`search`].
///
/// # Errors
/// As [`search`].
pub async fn suggest(
    app: &App,
    demand: Demand,
    query: SuggestQuery,
    write: impl Fn(Suggestions, i64) -> Result<Vec<u8>> + Send + Sync + 'static,
) -> Result<Answer> {
    let question = Question::new(&("suggest", &query))?;
    let asked = Arc::new((query, write));
    let ask = move |app: App, index: Reader, tuning: Arc<Tuning>, at| {
        let asked = Arc::clone(&asked);
        async move { work(&app, move || (asked.1)(index.suggest(&asked.0, &tuning.lexicon)?, at)).await }
    };
    answer(app, demand, question, ask).await
}

/// Finds what is like a product; see [`search`].
///
/// # Errors
/// As [`search`]; 404 when there is no such product that shoppers see.
pub async fn similar(
    app: &App,
    demand: Demand,
    id: i64,
    limit: usize,
    write: impl Fn(Hits, i64) -> Result<Vec<u8>> + Send + Sync + 'static,
) -> Result<Answer> {
    let write = Arc::new(write);
    let ask = move |app: App, index: Reader, _: Arc<Tuning>, at| {
        let write = Arc::clone(&write);
        let similar =
            move || write(index.similar(id, limit)?.ok_or_else(|| Error::not_found("product"))?, at);
        async move { work(&app, similar).await }
    };
    answer(app, demand, Question::new(&("similar", id, limit))?, ask).await
}

/// The answer to a question that demands nothing, where it can be had at once: it is kept, and the client may ask. It
/// was asked when it `begun`.
pub fn kept(
    app: &App,
    begun: Instant,
    client: Client,
    question: Question,
    encoding: Encoding,
) -> Option<Answer> {
    // As `answer`: what answers is never older than what is promised.
    let version = app.indexing.version();
    let at = app.clock.micros();
    let key =
        app.indexing.peek(|engine, tuning| key(question, engine.generation_and_price_epoch(at), tuning));
    let body = app.cache.get_now(&key.coded(encoding))?;
    app.throttle.lets(Act::Search, client).then_some(())?;
    let outcome = Outcome::Hit;
    app.cache.count(outcome);
    let took = begun.elapsed();
    observe(outcome, took);
    Some(Answer { body, version, outcome, took, question })
}

/// Equal for two askings only when their answers are. The instant is in it as the price epoch; currency, public
/// address and secrets shape answers too, and are the same for all of a process.
fn key(question: Question, (generation, price_epoch): (u64, i64), tuning: &Tuning) -> Key {
    Key::new(question, State { generation, price_epoch, settings: tuning.version })
}

/// Figures of an answer.
fn observe(outcome: Outcome, took: Duration) {
    static SECONDS: LazyLock<[Histogram; 2]> = LazyLock::new(|| {
        [Outcome::Hit, Outcome::Miss]
            .map(|outcome| metrics::histogram!("duka_search_seconds", "cache" => outcome.as_str()))
    });
    SECONDS[usize::from(outcome == Outcome::Miss)].record(took.as_secs_f64());
}

/// The answer of the index that is current.
async fn answer<A: Future<Output = Result<Vec<u8>>> + Send + 'static>(
    app: &App,
    demand: Demand,
    question: Question,
    ask: impl Fn(App, Reader, Arc<Tuning>, i64) -> A,
) -> Result<Answer> {
    app.throttle.count(Act::Search, demand.client)?;
    catch_up(app, demand.versions).await?;
    let begun = Instant::now();
    let (body, version, outcome) = loop {
        // Before the index: what answers is never older than what is promised.
        let version = reached(app, demand.versions);
        let engine = app.indexing.engine();
        match kept_or_made(app, &engine, demand.encoding, question, &ask).await {
            Ok((body, outcome)) => break (body, version, outcome),
            Err(error) => mended(app, &engine, error, begun + MENDED).await?,
        }
    };
    app.cache.count(outcome);
    let took = begun.elapsed();
    observe(outcome, took);
    Ok(Answer { body, version, outcome, took, question })
}

/// The answer that is kept, else a new one.
async fn kept_or_made<A: Future<Output = Result<Vec<u8>>> + Send + 'static>(
    app: &App,
    engine: &Engine,
    encoding: Encoding,
    question: Question,
    ask: &impl Fn(App, Reader, Arc<Tuning>, i64) -> A,
) -> Result<(Body, Outcome)> {
    let (index, tuning) = (engine.reader(), app.indexing.tuning());
    let at = app.clock.micros();
    let key = key(question, (index.generation(), index.price_epoch(at)), &tuning);
    if let Some(body) = app.cache.get(&key.coded(encoding)).await {
        return Ok((body, Outcome::Hit));
    }
    let asking = ask(app.clone(), index, tuning, at);
    let (plain, outcome) = app.cache.get_or_make(key, async { Ok(Body::new(asking.await?)) }).await?;
    Ok((coded(app, key, plain, encoding).await?, outcome))
}

/// After an error: returns when it is worth asking again, since it was the fault of an index that another one has taken
/// over from, or of one that is whole after all.
async fn mended(app: &App, engine: &Engine, error: Error, deadline: Instant) -> Result<()> {
    if !is_unread(&error) {
        return Err(error);
    }
    match app.indexing.remedy(engine, deadline.into()).await {
        Remedy::Replaced => Ok(()),
        Remedy::Whole if is_suspect(&error) && Instant::now() < deadline => Ok(()),
        Remedy::Whole => Err(error),
        Remedy::Late => {
            Err(Error::unavailable("The index is damaged and is being replaced.").with_cause(error))
        }
    }
}

/// Whether an error may be the fault of the index's files. A damaged one can make its reader panic.
fn is_unread(error: &Error) -> bool {
    error.cause::<duka_index::Error>().is_some()
        || error.cause::<Undone>().is_some_and(|undone| *undone == Undone::Broken)
}

fn is_suspect(error: &Error) -> bool {
    matches!(error.cause(), Some(duka_index::Error::Suspect))
}

/// The body in the coding, prepared once.
async fn coded(app: &App, key: Key, plain: Body, encoding: Encoding) -> Result<Body> {
    if encoding == Encoding::Plain {
        return Ok(plain);
    }
    let coding = {
        let app = app.clone();
        async move { work(&app, move || plain.coded(encoding)).await }
    };
    Ok(app.cache.get_or_make(key.coded(encoding), coding).await?.0)
}

/// Runs it on this thread. That it has panicked is an error here, as it is on another one.
fn here<T>(run: impl FnOnce() -> Result<T>) -> Result<T> {
    let _entered = tracing::info_span!("search").entered();
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| Err(Error::internal(Undone::Broken)))
}

/// Runs it on a thread of its own, once there is a place.
async fn work<T: Send + 'static>(app: &App, run: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let span = tracing::info_span!("search");
    let working = app.searches.run(move || span.in_scope(run));
    working.await.unwrap_or_else(|undone| match undone {
        Undone::TurnedAway => {
            metrics::counter!("duka_search_refused_total").increment(1);
            Err(Error::unavailable("Too many searches are waiting."))
        }
        Undone::Broken => Err(Error::internal(undone)),
    })
}

/// How far the index is; `held` are writes that it is known to hold. They may be above the newest version below
/// which nothing is missing, while an older transaction is still open.
fn reached(app: &App, held: [Option<Version>; 2]) -> Version {
    let version = app.indexing.version();
    let held = held.into_iter().flatten().filter(|held| held.epoch == version.epoch);
    held.chain([version]).max_by_key(|version| version.xid).unwrap_or(version)
}

/// Waits until the index holds the writes. A later one may be there without an earlier one, which has been committed
/// after it.
async fn catch_up(app: &App, versions: [Option<Version>; 2]) -> Result<()> {
    let deadline = Instant::now() + CATCH_UP;
    for version in versions.into_iter().flatten() {
        let patience = deadline.saturating_duration_since(Instant::now());
        if !app.indexing.holds(version, patience).await {
            let reached = app.indexing.version();
            return Err(Error::new(
                Kind::IndexBehind,
                format!("The index is at {reached}, not at {version}."),
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use duka_index::{Document, PriceStep};

    use super::*;

    fn page(offset: usize) -> Question {
        Question::new(&("search", Query { offset, limit: 24, ..Query::default() })).unwrap()
    }

    /// An index of one product, whose price changes at 1,000 and at 2,000.
    fn shop() -> (tempfile::TempDir, Engine) {
        let directory = tempfile::tempdir().unwrap();
        let engine = Engine::open(directory.path()).unwrap();
        let mut writer = engine.writer(15_000_000).unwrap();
        let steps = [(i64::MIN, 500), (1_000, 400), (2_000, 500)];
        let prices = steps.map(|(from, effective_price)| PriceStep { from, effective_price, discount: None });
        let document = Document { id: 1, is_active: true, prices: prices.into(), ..Document::default() };
        writer.upsert(&document).unwrap();
        writer.commit("").unwrap();
        (directory, engine)
    }

    fn key(question: Question, index: &Reader, tuning: &Tuning, at: i64) -> Key {
        super::key(question, (index.generation(), index.price_epoch(at)), tuning)
    }

    #[test]
    fn a_price_boundary_is_another_entry() {
        let (_directory, engine) = shop();
        let at = |at| {
            let key = key(page(0), &engine.reader(), &Tuning::default(), at);
            let peeked = engine.generation_and_price_epoch(at);
            assert_eq!(super::key(page(0), peeked, &Tuning::default()), key, "with a reader or without");
            key
        };
        assert_eq!(at(0), at(999));
        assert_ne!(at(999), at(1_000), "to the microsecond");
        assert_eq!(at(1_000), at(1_999));
        assert_ne!(at(1_999), at(2_000));
        assert_ne!(at(0), at(2_000), "equal prices or not: it is cheaper to ask twice than to compare");
    }

    #[test]
    fn a_commit_a_setting_and_a_question_are_other_entries() {
        let (_directory, engine) = shop();
        let before = engine.reader();
        let tuning = Tuning::default();
        let kept = key(page(0), &before, &tuning, 0);
        let newer = Tuning { version: 1, ..Tuning::default() };
        assert_ne!(key(page(0), &before, &newer, 0), kept);
        assert_ne!(key(page(24), &before, &tuning, 0), kept);
        let mut writer = engine.writer(15_000_000).unwrap();
        writer.delete(7).unwrap();
        writer.commit("").unwrap();
        assert_ne!(key(page(0), &engine.reader(), &tuning, 0), kept);
        assert_eq!(key(page(0), &before, &tuning, 0), kept);
    }
}
