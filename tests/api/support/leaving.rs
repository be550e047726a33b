//! Clients that go away while what they asked for stands before a lock.

use std::{
    pin::pin,
    time::{Duration, Instant},
};

use super::TestShop;

impl TestShop {
    /// Sends the request while `lock` is held, goes away when a statement of these words waits for that, looks at the
    /// shop once it has noticed, and lets go of the lock.
    pub async fn leave(
        &self,
        request: reqwest::RequestBuilder,
        lock: &'static str,
        statement: &str,
        look: impl AsyncFnOnce(),
    ) {
        let mut holder = self.db.begin().await.unwrap();
        sqlx::raw_sql(lock).execute(&mut *holder).await.unwrap();
        {
            let mut asked = pin!(request.send());
            tokio::select! {
                answer = &mut asked => panic!("nothing was waited for: {answer:?}"),
                () = self.waits(statement) => {}
            }
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
        look().await;
        holder.rollback().await.unwrap();
    }

    /// Returns once a statement that has this in it waits for a lock.
    pub async fn waits(&self, statement: &str) {
        let begun = Instant::now();
        loop {
            let waiting: bool = sqlx::query_scalar(
                "select exists (select from pg_stat_activity
                                where datname = current_database() and wait_event_type = 'Lock' and query like $1)",
            )
            .bind(format!("%{statement}%"))
            .fetch_one(&self.db)
            .await
            .unwrap();
            if waiting {
                return;
            }
            assert!(begun.elapsed() < Duration::from_secs(20), "no `{statement}` waits");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}
