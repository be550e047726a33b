//! `duka serve`

use std::process::ExitCode;

use clap::Args;

use super::{Outcome, output::say, unless_interrupted};
use crate::{
    clock::Clock,
    config::Config,
    lifecycle::{Shop, interrupted},
};

/// See the command's help.
#[derive(Args)]
pub(super) struct Serve {
    /// Address and port; port 0 picks a free one
    #[arg(long, env = "DUKA_LISTEN", default_value = "127.0.0.1:8000", value_name = "ADDRESS")]
    pub(super) listen: String,
}

impl Serve {
    pub(super) async fn run(self, config: Config) -> Outcome {
        let opening = async { Ok(Shop::open(config, &self.listen, Clock::default()).await?) };
        let shop = unless_interrupted(opening).await?;
        say(&format!("listening on http://{}", shop.address));
        interrupted().await?;
        tracing::info!("stopping");
        shop.close().await;
        Ok(ExitCode::SUCCESS)
    }
}
