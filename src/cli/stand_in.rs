//! The sandbox within the demo: it stands in for each gateway that the settings name no account at.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
};

use secrecy::SecretString;
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use super::output::say;
use crate::{
    config::{CardConfig, Config, MpesaConfig},
    money::Currency,
    sandbox::{self, Credentials, Settings},
};

/// A sandbox that has an address, and is not open yet.
pub(super) struct StandIn {
    listener: TcpListener,
    address: SocketAddr,
    cards: bool,
    mpesa: bool,
    /// The shop's.
    currency: Currency,
}

/// A sandbox at work.
pub(super) struct Standing {
    stop: CancellationToken,
    serving: JoinHandle<io::Result<()>>,
}

impl StandIn {
    /// Finds a sandbox an address, another one where this one is taken, and names it in the settings for each way of
    /// paying that has no account. `None` when each has one.
    ///
    /// # Errors
    /// When it can listen nowhere.
    pub(super) async fn find(config: &mut Config, listen: &str) -> io::Result<Option<Self>> {
        let (cards, mpesa) = (config.accounts.card.is_none(), config.accounts.mpesa.is_none());
        if !cards && !mpesa {
            return Ok(None);
        }
        let listener = match TcpListener::bind(listen).await {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?
            }
            bound => bound?,
        };
        let address = listener.local_addr()?;
        let ours = Credentials::default();
        if cards {
            config.accounts.card = Some(card(address, &ours));
        }
        if mpesa {
            config.accounts.mpesa = Some(phone(address, &ours));
        }
        Ok(Some(Self { listener, address, cards, mpesa, currency: config.currency }))
    }

    /// Opens it for a shop that listens there, and says what can be tried.
    ///
    /// # Errors
    /// When the shop's address cannot be told to it.
    pub(super) fn open(self, shop: SocketAddr) -> Result<Standing, String> {
        let webhook_url = format!("http://{shop}/api/payment/webhook/card/").parse()?;
        let mpesa_currency = Some(self.currency.code().to_owned());
        let settings = Settings { webhook_url: Some(webhook_url), mpesa_currency, ..Settings::default() };
        let stop = CancellationToken::new();
        self.introduce(&settings.credentials);
        let serving = tokio::spawn(sandbox::serve(self.listener, settings, stop.clone()));
        Ok(Standing { stop, serving })
    }

    fn introduce(&self, ours: &Credentials) {
        let base = match self.address {
            SocketAddr::V4(address) if address.ip().is_loopback() => {
                format!("http://localhost:{}", address.port())
            }
            address => format!("http://{address}"),
        };
        say(&format!("\nIts payment gateways are a sandbox at {base} (no real money moves)."));
        if self.cards {
            say(&format!(
                "  cards       4242424242424242 is paid, …0002 declined, …9995 short of funds, …3184 asks its holder;\n              \
                 browsers use the key {}",
                ours.publishable_key
            ));
        }
        if self.mpesa {
            say(
                "  telephones  0712345678 is paid after two seconds, …01 is short of funds, …32 cancels, …99 asks you",
            );
            if self.currency.code() != "KES" {
                say(&format!(
                    "              in {}, which only this sandbox does: a real account takes KES, and DUKA_CURRENCY=KES",
                    self.currency.code()
                ));
            }
        }
        say("  The page there has the others, and what waits for a person.");
    }
}

impl Standing {
    /// Stops it; what it knew is forgotten.
    ///
    /// # Errors
    /// When it had failed.
    pub(super) async fn close(self) -> io::Result<()> {
        self.stop.cancel();
        self.serving.await?
    }
}

fn card(address: SocketAddr, ours: &Credentials) -> CardConfig {
    CardConfig {
        base_url: format!("http://{address}"),
        secret_key: secret(&ours.secret_key),
        publishable_key: Some(ours.publishable_key.clone()),
        webhook_secrets: vec![secret(&ours.webhook_secret)],
    }
}

/// An account in the shop's own currency, whichever that is.
fn phone(address: SocketAddr, ours: &Credentials) -> MpesaConfig {
    MpesaConfig {
        base_url: format!("http://{address}"),
        consumer_key: secret(&ours.consumer_key),
        consumer_secret: secret(&ours.consumer_secret),
        shortcode: ours.shortcode.clone(),
        till: None,
        passkey: secret(&ours.passkey),
        // It calls no other machine: not by the public URL, but where the shop listens.
        callback_base_url: String::new(),
        initiator: Some((ours.initiator.clone(), secret(&ours.security_credential))),
    }
}

fn secret(text: &str) -> SecretString {
    SecretString::from(text.to_owned())
}
