//! The administration of users in the graph.

use async_graphql::{Context, Object};

use super::{actions, model::UserFilter};
use crate::{
    account::graphql::{Role, User},
    error::Result,
    page::Links,
    resolver::{Arguments, Page, admin, app, view},
};

/// What is read of users.
#[derive(Default)]
pub struct Query;

#[Object(name = "UserQuery")]
impl Query {
    /// The users, from the newest down. For admins.
    async fn users(
        &self,
        ctx: &Context<'_>,
        role: Option<Role>,
        #[graphql(
            desc = "Each word of it begins a word of the user name, the e-mail address, the first or the last name"
        )]
        search: Option<String>,
        #[graphql(desc = "At most 100", default = 24)] first: i32,
        #[graphql(desc = "The `nextCursor` of the page before")] after: Option<String>,
    ) -> Result<Page<User>> {
        let (app, admin) = (app(ctx)?, admin(ctx).await?);
        let arguments = Arguments::page(Some(first), after).with("search", search);
        let filter: UserFilter = arguments.with("role", Arguments::word(role.as_ref())?).read()?;
        let found = actions::page(app, admin, &filter).await?;
        view(&filter.page.list(&app.keys, &filter.list(), found, |user| user.id, &Links::NONE)?)
    }
}
