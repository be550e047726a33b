//! Questions to the graph.

use serde_json::{Value, json};

use super::{Answer, TestShop, User};

impl TestShop {
    /// Asks the graph as somebody, or as nobody.
    pub async fn graph(&self, user: Option<&User>, query: &str, variables: Value) -> Answer {
        let body = json!({"query": query, "variables": variables});
        self.send_as(user, reqwest::Method::POST, "/graphql/", &body).await
    }

    /// [`graph`](Self::graph), where there must be no error: the data.
    #[track_caller]
    pub fn data<'a>(
        &'a self,
        user: Option<&'a User>,
        query: &'a str,
        variables: Value,
    ) -> impl Future<Output = Value> + 'a {
        let at = std::panic::Location::caller();
        async move {
            let answer = self.graph(user, query, variables).await.expect(200);
            assert!(answer.json["errors"].is_null(), "{at}: {}", answer.text);
            answer.json["data"].clone()
        }
    }
}

impl Answer {
    /// The slugs of a graph's errors.
    pub fn codes(&self) -> Vec<&str> {
        let errors = self.json["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
        errors.iter().map(|error| error["extensions"]["code"].as_str().unwrap_or("none")).collect()
    }
}
