//! WebDriver (W3C) as far as these tests speak it, over the client that the other tests have: a library for it would
//! change what features the shop's own dependencies are tested with.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::http_client;

/// Under this name the protocol says which element it means.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// Keys that are no letters, as the protocol writes them.
pub mod key {
    /// Lets go of all that are held.
    pub const NONE: &str = "\u{e000}";
    pub const TAB: &str = "\u{e004}";
    pub const ENTER: &str = "\u{e007}";
    pub const CONTROL: &str = "\u{e009}";
    pub const ESCAPE: &str = "\u{e00c}";
    pub const SPACE: &str = "\u{e00d}";
    pub const RIGHT: &str = "\u{e014}";
    pub const DOWN: &str = "\u{e015}";
}

/// A session.
pub struct Driver {
    client: reqwest::Client,
    session: String,
}

impl Driver {
    /// Begins one at the service, with a browser that is as wanted.
    pub async fn connect(service: &str, wanted: &Value) -> Self {
        let client = http_client().timeout(Duration::from_secs(90)).build().unwrap();
        let begun = Self { client, session: format!("{service}/session") };
        let made =
            begun.ask("POST", "", Some(&json!({"capabilities": {"alwaysMatch": wanted}}))).await.unwrap();
        let session = format!("{}/{}", begun.session, made["sessionId"].as_str().unwrap());
        Self { session, ..begun }
    }

    /// A command, and what it answers.
    ///
    /// # Errors
    /// What the service says of it.
    pub async fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value, String> {
        let method: Method = method.parse().unwrap();
        let request = self.client.request(method, format!("{}{path}", self.session));
        let request = match body {
            Some(body) => request.json(body),
            None => request,
        };
        let response = request.send().await.map_err(|error| error.to_string())?;
        let is_fine = response.status().is_success();
        let mut answer: Value = response.json().await.map_err(|error| error.to_string())?;
        let value = answer["value"].take();
        if is_fine { Ok(value) } else { Err(value["message"].as_str().unwrap_or_default().to_owned()) }
    }

    /// A command that must work.
    pub async fn tell(&self, path: &str, body: &Value) -> Value {
        match self.ask("POST", path, Some(body)).await {
            Ok(value) => value,
            Err(said) => panic!("{path}: {said}"),
        }
    }

    /// The name of an element that a script returned.
    pub fn element(returned: &Value) -> &str {
        returned[ELEMENT].as_str().unwrap_or_else(|| panic!("{returned} is no element"))
    }
}
