//! What can be done with the search's settings.

use duka_index::Settings;

use super::{
    model::{self, Current},
    store::{self, Kept},
};
use crate::{
    app::App,
    auth::Admin,
    catalog::CatalogWrite,
    error::{Error, Result},
    extract::IfMatch,
    indexing::Version,
};

/// The settings that hold, as the database says.
///
/// # Errors
/// 500 when a newer program has written them.
pub async fn current(app: &App, _: Admin) -> Result<Current> {
    read(store::newest(&app.web).await?)
}

/// Sets all settings, and returns what holds then with the write that a search can wait for. Equal ones change
/// nothing.
///
/// # Errors
/// 412 when the client saw another version.
pub async fn replace(
    app: &App,
    admin: Admin,
    if_match: &IfMatch,
    settings: Settings,
) -> Result<(Current, Version)> {
    // Not of the catalog, but followed like it: the mirror takes settings and products from one snapshot.
    let mut write = CatalogWrite::begin(app, admin).await?;
    store::lock(&mut write).await?;
    let kept = store::newest(&mut *write).await?;
    let (version, at) = kept.as_ref().map_or((0, None), |kept| (kept.version, Some(kept.created_at)));
    if_match.demand(&model::etag(version, at))?;
    // What this program cannot read is not equal to anything, and can be replaced.
    let held = read(kept).ok().filter(|held| held.settings == settings);
    let current = match held {
        Some(held) => held,
        None => {
            let (version, at) = store::insert(&mut write, &settings, admin.user_id()).await?;
            Current { version, settings, updated_at: Some(at) }
        }
    };
    Ok((current, write.commit(app).await?))
}

fn read(kept: Option<Kept>) -> Result<Current> {
    let Some(Kept { version, settings, created_at }) = kept else {
        return Ok(Current { version: 0, settings: Settings::default(), updated_at: None });
    };
    let settings = serde_json::from_value(settings).map_err(Error::internal)?;
    Ok(Current { version, settings, updated_at: Some(created_at) })
}
