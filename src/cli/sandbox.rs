//! `duka sandbox`

use std::process::ExitCode;

use clap::Args;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{Outcome, output::say, serve::address};
use crate::{
    lifecycle::Interrupts,
    sandbox::{self, Credentials, Settings, Target},
};

/// See the command's help.
#[derive(Args)]
pub(super) struct Sandbox {
    /// Address and port; port 0 picks a free one
    #[arg(long, env = "DUKA_SANDBOX_LISTEN", default_value = "127.0.0.1:8001", value_name = "ADDRESS", value_parser = address)]
    listen: String,
    /// Where events of cards are sent
    #[arg(
        long,
        env = "DUKA_SANDBOX_WEBHOOK_URL",
        default_value = "http://127.0.0.1:8000/api/payment/webhook/card/",
        value_name = "URL"
    )]
    webhook_url: Target,
    /// Where callbacks may go beside this machine, such as http://shop:8000; comma-separated
    #[arg(long, env = "DUKA_SANDBOX_ALLOW", value_name = "URLS", value_delimiter = ',')]
    allow: Vec<Target>,
}

impl Sandbox {
    pub(super) async fn run(self) -> Outcome {
        let mut interrupts = Interrupts::listen()?;
        let listener = TcpListener::bind(&self.listen)
            .await
            .map_err(|error| format!("cannot listen on {}: {error}", self.listen))?;
        let address = listener.local_addr()?;
        let settings = Settings {
            webhook_url: Some(self.webhook_url.clone()),
            allowed: self.allow,
            ..Settings::default()
        };
        let credentials = settings.credentials.clone();
        let stop = CancellationToken::new();
        let serving = tokio::spawn(sandbox::serve(listener, settings, stop.clone()));
        introduce(&address.to_string(), &credentials, &self.webhook_url);
        interrupts.heard().await;
        tracing::info!("stopping");
        stop.cancel();
        serving.await??;
        Ok(ExitCode::SUCCESS)
    }
}

/// All that a shop has to be told. None of it is secret.
fn introduce(address: &str, credentials: &Credentials, webhook_url: &Target) {
    say(&format!("listening on http://{address}"));
    say("\nNo real money moves here. What a shop needs to know, none of it secret:\n");
    for (name, value) in [
        ("M-Pesa consumer key", &credentials.consumer_key),
        ("M-Pesa consumer secret", &credentials.consumer_secret),
        ("M-Pesa short code", &credentials.shortcode),
        ("M-Pesa passkey", &credentials.passkey),
        ("M-Pesa initiator", &credentials.initiator),
        ("M-Pesa security credential", &credentials.security_credential),
        ("card secret key", &credentials.secret_key),
        ("card publishable key", &credentials.publishable_key),
        ("card webhook secret", &credentials.webhook_secret),
    ] {
        say(&format!("  {name:<27} {value}"));
    }
    say(&format!("\nEvents of cards go to {webhook_url}"));
    say("Which number does what is on the page. Ctrl-C stops it; it keeps nothing.");
}
