//! `duka serve`

use std::process::ExitCode;

use clap::Args;

use super::{Outcome, output::say, unless_interrupted};
use crate::{
    clock::Clock,
    config::Config,
    lifecycle::{Interrupts, Shop},
};

/// See the command's help.
#[derive(Args)]
pub(super) struct Serve {
    /// Address and port; port 0 picks a free one
    #[arg(long, env = "DUKA_LISTEN", default_value = "127.0.0.1:8000", value_name = "ADDRESS", value_parser = address)]
    pub(super) listen: String,
}

pub(super) fn address(text: &str) -> Result<String, String> {
    let port =
        text.rsplit_once(':').filter(|(host, _)| !host.is_empty()).map(|(_, port)| port.parse::<u16>());
    match port {
        Some(Ok(_)) => Ok(text.to_owned()),
        _ => Err("must be an address and a port, such as 127.0.0.1:8000".to_owned()),
    }
}

impl Serve {
    pub(super) async fn run(self, config: Config) -> Outcome {
        let mut interrupts = Interrupts::listen()?;
        let opening = async { Ok(Shop::open(config, &self.listen, Clock::default()).await?) };
        let shop = unless_interrupted(&mut interrupts, opening).await?;
        say(&format!("listening on http://{}", shop.address));
        interrupts.heard().await;
        tracing::info!("stopping");
        shop.close().await;
        Ok(ExitCode::SUCCESS)
    }
}
