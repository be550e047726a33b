//! Counts the SQL that a request takes.

use std::{
    fmt,
    sync::{Arc, LazyLock, Mutex},
};

use tracing::{
    Dispatch, Event, Metadata, Subscriber, dispatcher,
    field::{Field, Visit},
    subscriber::Interest,
};
use tracing_subscriber::{
    Layer,
    layer::{Context, SubscriberExt},
};

/// What the statements of the workers name that run beside every request.
const WORKER: [&str; 14] = [
    "catalog_change",
    "change_log",
    "change_floor",
    "index_consumer",
    "search_settings",
    "pg_notify",
    "pg_current_wal_flush_lsn",
    "pg_logical_emit_message",
    // Those of payments that look for work.
    "next_check_at <= now()",
    "payment_inbox",
    "o.payment_status in ('paid', 'partially_refunded')",
    // And those of jobs, of orders and of kept answers.
    "parameters - 'unclaimed'",
    "expires_at <= now() and id <> all",
    "delete from idempotency_key where created_at",
];

/// The statements that ran meanwhile on this thread: a test's shop has no other. Without those of the mirror, which
/// must be settled before, and without the ends of transactions.
pub async fn statements<T>(work: impl Future<Output = T>) -> (T, Vec<String>) {
    // With a single listener, the first thread that comes along an event decides for all whether it is of interest,
    // by its own listener alone. With two, all listeners are asked.
    static SECOND: LazyLock<Dispatch> = LazyLock::new(|| listener(&Arc::default()));
    LazyLock::force(&SECOND);
    let seen = Arc::default();
    let guard = dispatcher::set_default(&listener(&seen));
    let done = work.await;
    drop(guard);
    let mut statements = std::mem::take(&mut *seen.lock().unwrap());
    statements.retain(|text: &String| {
        let verb = text.split_whitespace().next().unwrap_or_default();
        ["select", "insert", "update", "delete", "with"].contains(&verb)
            && !WORKER.iter().any(|name| text.contains(name))
    });
    (done, statements)
}

/// How many of the statements that ran meanwhile name one of these words.
pub async fn statements_of(words: &[&str], work: impl AsyncFnOnce()) -> usize {
    let ((), statements) = statements(work()).await;
    statements.iter().filter(|text| words.iter().any(|word| text.contains(word))).count()
}

fn listener(seen: &Arc<Mutex<Vec<String>>>) -> Dispatch {
    Dispatch::new(tracing_subscriber::registry().with(Record(Arc::clone(seen))))
}

struct Record(Arc<Mutex<Vec<String>>>);

impl<S: Subscriber> Layer<S> for Record {
    /// Never for good: that would hold for the other tests' threads too, where nobody listens.
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if metadata.target() == "sqlx::query" { Interest::sometimes() } else { Interest::never() }
    }

    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        metadata.target() == "sqlx::query"
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut text = Text::default();
        event.record(&mut text);
        self.0.lock().unwrap().push(if text.whole.is_empty() { text.summary } else { text.whole });
    }
}

#[derive(Default)]
struct Text {
    /// The whole statement where it is short, else its beginning.
    summary: String,
    /// Empty where it is short.
    whole: String,
}

impl Visit for Text {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "summary" => self.summary = value.to_owned(),
            "db.statement" => self.whole = value.trim().to_owned(),
            _ => {}
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record_str(field, format!("{value:?}").trim_matches('"'));
    }
}
