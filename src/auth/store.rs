//! The statement behind every signed-in request, and those that say who writes.

use sqlx::{AssertSqlSafe, PgConnection, PgExecutor};

use super::Author;

/// The user's role now, if session and user are alive.
pub(super) async fn live_role(
    db: impl PgExecutor<'_>,
    session_id: i64,
    user_id: i64,
) -> sqlx::Result<Option<String>> {
    sqlx::query_scalar!("select live_role($1, $2)", session_id, user_id).fetch_one(db).await
}

/// Says until the end of the transaction who writes in it.
pub(super) async fn sign(db: &mut PgConnection, author: &Author) -> sqlx::Result<()> {
    sqlx::raw_sql(AssertSqlSafe(signature(author))).execute(db).await.map(drop)
}

/// What says so; the audit's triggers ask. What such a transaction reads and writes it has to name by keys, for which one
/// plan serves all (`$1 is null or …` reads everything then): making one anew for each statement, those of triggers and
/// foreign keys included, took a third of PostgreSQL's time. A text, so that it can go along with what begins a
/// transaction; a `select`, since of a `set` PostgreSQL's statistics of statements would keep each one.
pub(super) fn signature(author: &Author) -> String {
    let mode = author.mode();
    let actor_id = author.user_id().map_or_else(|| "null".to_owned(), |id| id.to_string());
    let request_id = literal(author.request_id().unwrap_or_default());
    format!("select sign_write('{mode}', {actor_id}, {request_id})")
}

/// A text that nothing in it ends, however the server reads backslashes elsewhere: clients choose it.
fn literal(text: &str) -> String {
    let mut literal = String::from("E'");
    for byte in text.bytes() {
        match byte {
            b'-' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => literal.push(byte.into()),
            _ => literal.push_str(&format!("\\x{byte:02x}")),
        }
    }
    literal.push('\'');
    literal
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_ends_a_text() {
        assert_eq!(literal(""), "E''");
        assert_eq!(literal("3b241101-Zz"), "E'3b241101-Zz'");
        assert_eq!(literal("'; x\\"), "E'\\x27\\x3b\\x20x\\x5c'");
        assert_eq!(literal("é"), "E'\\xc3\\xa9'");
    }
}
