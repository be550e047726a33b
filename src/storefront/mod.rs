//! The pages: the storefront at `/` and the console at `/admin/`, which are part of the program.
//!
//! Pages are files below `assets/` that a browser takes as they are: no step builds them, and they load nothing from
//! elsewhere. What they show they ask for at the REST API, like any client; nothing about a shop is decided here. A
//! build made for development reads the files anew for each page that is opened; any other one has them within.

mod bundle;
mod http;
mod shell;

pub use self::http::routes;
