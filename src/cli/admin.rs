//! `duka admin …`

use std::{io::Read, process::ExitCode};

use clap::{Args, Subcommand};
use serde_json::json;

use super::{Outcome, output::say};
use crate::{
    account::{actions, model::Registration},
    auth::{Role, password::Passwords},
    body,
    config::Config,
    database::Database,
};

/// See the command's help.
#[derive(Subcommand)]
pub(super) enum Admin {
    /// Make an administrator
    Create(Create),
}

impl Admin {
    pub(super) async fn run(self, config: Config) -> Outcome {
        match self {
            Self::Create(command) => command.run(config).await,
        }
    }
}

/// See the command's help.
#[derive(Args)]
pub(super) struct Create {
    /// Letters, digits and @.+-_, at least three
    #[arg(long)]
    username: String,
    /// An e-mail address that no account has
    #[arg(long)]
    email: String,
    /// Read the password from standard input; a line break at its end is not part of it
    #[arg(long, required = true)]
    password_stdin: bool,
}

impl Create {
    async fn run(self, config: Config) -> Outcome {
        let mut password = String::new();
        std::io::stdin().take(4096).read_to_string(&mut password)?;
        let password = password.trim_end_matches(['\r', '\n']);
        let form = json!({"username": self.username, "email": self.email, "password": password});
        let account: Registration = body::read(form, config.currency)?;
        let database = Database::open(&config).await?;
        let made = create(&database, &account).await;
        database.close().await;
        say(&format!("made the administrator {} (id {})", account.username, made?));
        Ok(ExitCode::SUCCESS)
    }
}

async fn create(database: &Database, account: &Registration) -> Result<i64, Box<dyn std::error::Error>> {
    database.migrate().await?;
    let pool = database.web_pool();
    let user = actions::create(&pool, &Passwords::new(1)?, account, Role::Admin).await?;
    pool.close().await;
    Ok(user.id)
}
