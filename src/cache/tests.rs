//! What is kept, for how long, and how often it is computed.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::sync::{Barrier, Notify};

use super::*;

fn key(number: u64) -> Key {
    Key::new(Question::new(&number).unwrap(), State::default())
}

/// A body of so many bytes, and how often one was made.
fn make(made: &Arc<AtomicU64>, bytes: usize) -> impl Future<Output = Result<Body>> + Send + use<> {
    let made = Arc::clone(made);
    async move {
        made.fetch_add(1, Ordering::Relaxed);
        Ok(Body::new(vec![b'x'; bytes]))
    }
}

#[tokio::test]
async fn what_was_made_once_is_kept() {
    let (cache, made) = (Cache::new(1 << 20), Arc::new(AtomicU64::new(0)));
    assert_eq!(cache.get_or_make(key(1), make(&made, 5)).await.unwrap().1, Outcome::Miss);
    let (body, outcome) = cache.get_or_make(key(1), make(&made, 6)).await.unwrap();
    assert_eq!((body.bytes.len(), outcome, made.load(Ordering::Relaxed)), (5, Outcome::Hit, 1));
    assert!(cache.get(&key(1).coded(Encoding::Gzip)).await.is_none(), "a coding is a body of its own");
    assert_eq!(cache.statistics().entries, 1);
}

#[tokio::test]
async fn a_cache_of_no_bytes_keeps_nothing() {
    let (cache, made) = (Cache::new(0), Arc::new(AtomicU64::new(0)));
    for _ in 0..2 {
        assert_eq!(cache.get_or_make(key(1), make(&made, 5)).await.unwrap().1, Outcome::Miss);
        assert!(cache.get(&key(1)).await.is_none());
    }
    assert_eq!((made.load(Ordering::Relaxed), cache.statistics().entries), (2, 0));
}

#[tokio::test]
async fn the_oldest_goes_when_bytes_run_out() {
    let (cache, made) = (Cache::new(100_000), Arc::new(AtomicU64::new(0)));
    for number in 0..50 {
        cache.get_or_make(key(number), make(&made, 10_000 - ENTRY_BYTES)).await.unwrap();
        // The first one is asked for again and again, and stays.
        assert!(cache.get(&key(0)).await.is_some(), "after {number}");
        assert!(cache.statistics().entries <= 10, "after {number}");
    }
    assert!(cache.get(&key(49)).await.is_some() && cache.get(&key(30)).await.is_none());
    cache.get_or_make(key(99), make(&made, 200_000)).await.unwrap();
    assert!(cache.get(&key(99)).await.is_none(), "what is larger than the cache is not kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_who_ask_at_once_compute_once() {
    let (cache, made) = (Arc::new(Cache::new(1 << 20)), Arc::new(AtomicU64::new(0)));
    let start = Arc::new(Barrier::new(32));
    let asking = (0..32).map(|_| {
        let (cache, start, made) = (Arc::clone(&cache), Arc::clone(&start), make(&made, 5));
        tokio::spawn(async move {
            start.wait().await;
            let slowly = async {
                tokio::time::sleep(Duration::from_millis(50)).await;
                made.await
            };
            cache.get_or_make(key(1), slowly).await.unwrap().1
        })
    });
    let mut misses = 0;
    for asked in asking.collect::<Vec<_>>() {
        misses += u64::from(asked.await.unwrap() == Outcome::Miss);
    }
    assert_eq!((misses, made.load(Ordering::Relaxed)), (1, 1));
}

#[tokio::test]
async fn who_hangs_up_does_not_take_the_answer_along() {
    let (cache, made) = (Arc::new(Cache::new(1 << 20)), Arc::new(AtomicU64::new(0)));
    let (begun, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let slowly = {
        let (begun, go_on, made) = (Arc::clone(&begun), Arc::clone(&go_on), make(&made, 5));
        async move {
            begun.notify_one();
            go_on.notified().await;
            made.await
        }
    };
    let leaving = tokio::spawn({
        let cache = Arc::clone(&cache);
        async move { cache.get_or_make(key(1), slowly).await.map(drop) }
    });
    begun.notified().await;
    leaving.abort();
    assert!(leaving.await.unwrap_err().is_cancelled());
    let waiting = cache.get_or_make(key(1), make(&made, 7));
    go_on.notify_one();
    let (body, outcome) = waiting.await.unwrap();
    assert_eq!((body.bytes.len(), outcome, made.load(Ordering::Relaxed)), (5, Outcome::Hit, 1));
}

#[tokio::test]
async fn an_error_is_not_kept() {
    let (cache, made) = (Cache::new(1 << 20), Arc::new(AtomicU64::new(0)));
    let failing = || async { Err(Error::unavailable("Not now.")) };
    let (one, other) =
        tokio::join!(cache.get_or_make(key(1), failing()), cache.get_or_make(key(1), failing()));
    for error in [one.unwrap_err(), other.unwrap_err()] {
        assert_eq!(error.kind(), crate::error::Kind::Unavailable);
    }
    assert_eq!(cache.get_or_make(key(1), make(&made, 5)).await.unwrap().1, Outcome::Miss);
}

#[test]
fn each_coding_has_an_entity_tag_of_its_own() {
    let body = Body::new("a page of products, ".repeat(100).into_bytes());
    let (gzip, brotli) = (body.coded(Encoding::Gzip).unwrap(), body.coded(Encoding::Brotli).unwrap());
    assert_eq!((gzip.encoding, brotli.encoding), (Encoding::Gzip, Encoding::Brotli));
    assert!(gzip.etag != body.etag && brotli.etag != body.etag && gzip.etag != brotli.etag);
    let same = Body::new("a page of products, ".repeat(100).into_bytes());
    assert_eq!((&same.etag, same.coded(Encoding::Gzip).unwrap().etag), (&body.etag, gzip.etag));
    let short = Body::new(vec![b'x'; WORTH_CODING - 1]);
    let as_it_is = short.coded(Encoding::Gzip).unwrap();
    assert_eq!((as_it_is.encoding, as_it_is.etag), (Encoding::Plain, short.etag));
}
