//! What the log holds, and how it is asked for.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;

use crate::{
    clock,
    page::Place,
    params::{Params, QueryForm, integer},
};

/// An act that is recorded as a whole.
#[derive(Clone, Debug)]
pub struct Act {
    /// As `entity.verb`: stable, since people filter by it.
    pub action: &'static str,
    /// What kind of thing it was done to.
    pub entity: &'static str,
    /// Which one; `None` where it is no one row.
    pub entity_id: Option<i64>,
    /// What it was, as an object. Never a secret, and nothing personal.
    pub before: Option<Value>,
    /// What it is, or what was done, as an object. Never a secret, and nothing personal.
    pub after: Option<Value>,
}

/// A line of the log.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The row's id.
    pub id: i64,
    /// When it was written down.
    pub at: OffsetDateTime,
    /// Who it was; `None`: the command line, somebody at a prompt, the shop itself.
    pub actor: Option<Actor>,
    /// As `entity.verb`.
    pub action: String,
    /// What kind of thing it was done to.
    pub entity: String,
    /// Which one.
    pub entity_id: Option<i64>,
    /// What it was.
    pub before: Option<Value>,
    /// What it is.
    pub after: Option<Value>,
    /// The request's id, where there was one.
    pub request_id: Option<String>,
    /// The client's network address, where it is known.
    pub address: Option<String>,
}

/// Who did something.
#[derive(Clone, Debug)]
pub struct Actor {
    /// The user's id.
    pub id: i64,
    /// The user's name now.
    pub username: String,
}

/// Which lines are listed, newest first.
#[derive(Clone, Debug, Default)]
pub struct EntryFilter {
    /// What decides which lines there are.
    pub which: Which,
    /// Which page of them.
    pub place: Place,
}

/// See [`EntryFilter`]; a cursor is bound to it.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Which {
    /// By this user.
    pub actor_id: Option<i64>,
    /// Of this action.
    pub action: Option<String>,
    /// Done to things of this kind.
    pub entity: Option<String>,
    /// Done to this one.
    pub entity_id: Option<i64>,
    /// At this instant or later.
    pub since: Option<OffsetDateTime>,
    /// Before this instant.
    pub until: Option<OffsetDateTime>,
    /// In this request.
    pub request_id: Option<String>,
}

impl QueryForm for EntryFilter {
    fn read(params: &mut Params) -> Self {
        Self {
            which: Which {
                actor_id: params.parsed("actor_id", integer(1, i64::MAX)),
                action: params.one("action"),
                entity: params.one("entity"),
                entity_id: params.parsed("entity_id", integer(1, i64::MAX)),
                since: params.parsed("since", clock::parse),
                until: params.parsed("until", clock::parse),
                request_id: params.one("request_id"),
            },
            place: Place::read(params),
        }
    }
}

/// Where a page ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// Of its last line, in microseconds since 1970.
    pub at: i64,
    /// Of its last line.
    pub id: i64,
    /// Lines in the whole list when its first page was asked for: counting takes as long as the list is.
    pub count: u64,
}
