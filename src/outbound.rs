//! How this process calls others over HTTP.

use reqwest::{Client, ClientBuilder};

/// What a client is built from. The library comes without cryptography of its own: whoever calls anybody begins here,
/// so that there is one provider for the process, whoever was first.
pub fn client() -> ClientBuilder {
    provide_cryptography();
    Client::builder()
}

/// Makes the process's one provider of cryptography known, for clients that a library builds itself.
pub fn provide_cryptography() {
    // It fails when there is one already, which is the same.
    let _ = rustls::crypto::ring::default_provider().install_default();
}
