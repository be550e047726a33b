//! Which users are listed, and what an administrator may change of one.

use serde::Serialize;
use serde_json::Value;

use crate::{
    account::model::Changes,
    auth::Role,
    body::{Fields, Form, Refusal, boolean},
    page::newest::Newest,
    params::{Params, QueryForm},
};

/// Characters of a search.
const SEARCH_LENGTH: usize = 256;
const ROLES: &str = "customer, vendor or admin";

/// Which users are listed.
#[derive(Debug, Default)]
pub struct UserFilter {
    /// With this role.
    pub role: Option<Role>,
    /// Each word of it begins a word of the user name, the e-mail address or the names.
    pub search: Option<String>,
    /// Which page of them.
    pub page: Newest,
}

impl QueryForm for UserFilter {
    fn read(params: &mut Params) -> Self {
        let role = |text: &str| Role::parse(text).ok_or_else(|| format!("must be {ROLES}"));
        let search = |text: &str| match text.chars().count() {
            ..=SEARCH_LENGTH => Ok(text.to_owned()),
            _ => Err(format!("may have at most {SEARCH_LENGTH} characters")),
        };
        Self {
            role: params.parsed("role", role),
            search: params.parsed("search", search).filter(|text| !text.is_empty()),
            page: Newest::read(params),
        }
    }
}

impl UserFilter {
    /// What a cursor of the list belongs to.
    pub fn list(&self) -> impl Serialize + use<'_> {
        ("users", self.role, &self.search)
    }
}

/// What an administrator changes of a user; `None` stays as it is.
#[derive(Debug)]
pub struct UserChanges {
    /// What its owner may change too.
    pub own: Changes,
    /// What the user may do.
    pub role: Option<Role>,
    /// Whether the user may sign in.
    pub is_active: Option<bool>,
}

impl Form for UserChanges {
    fn read(fields: &mut Fields) -> Self {
        Self {
            own: Changes::read(fields),
            role: fields.optional("role", role),
            is_active: fields.optional("is_active", boolean),
        }
    }
}

fn role(value: Value) -> Result<Role, Refusal> {
    let known = value.as_str().and_then(Role::parse);
    known.ok_or_else(|| ("value", format!("must be {ROLES}")))
}
