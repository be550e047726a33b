//! Writes to the catalog take turns on few connections. Nothing here knows what is written.

use std::{sync::Arc, time::Duration};

use sqlx::PgPool;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

/// How long a write waits for its turn: about twice what one takes on a busy machine. Turns that take longer wait
/// themselves, for a row.
const PATIENCE: Duration = Duration::from_millis(10);

/// As many connections as there are cores, and whose turn it is. Each connection has plans and tables of its own in
/// PostgreSQL, which fall out of the processor's memory while others have theirs, and each that works takes a core from
/// whoever searches: beside 500 writes a second on two cores, two connections in place of eight take PostgreSQL an
/// eighth less time.
pub struct Turns {
    connections: PgPool,
    places: Arc<Semaphore>,
}

/// A turn: the next one's when this is dropped.
pub struct Turn {
    _place: OwnedSemaphorePermit,
}

impl Turns {
    /// Turns on these connections, all of which are for them.
    pub(super) fn new(connections: PgPool) -> Self {
        let places = connections.options().get_max_connections() as usize;
        Self { connections, places: Arc::new(Semaphore::new(places)) }
    }

    /// The next turn and its connections; none where those before it wait for something themselves, and a connection
    /// from elsewhere has to do.
    pub async fn next(&self) -> Option<(&PgPool, Turn)> {
        let place = timeout(PATIENCE, Arc::clone(&self.places).acquire_owned()).await.ok()?.ok()?;
        Some((&self.connections, Turn { _place: place }))
    }

    /// Closes the connections.
    pub async fn close(&self) {
        self.connections.close().await;
    }
}
