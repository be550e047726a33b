//! The settings of payments: the accounts at the gateways, and where those are.

use clap::Args;
use secrecy::SecretString;

use crate::money::Currency;

/// Where M-Pesa's API is.
const MPESA: &str = "https://api.safaricom.co.ke";
/// Where the card gateway's is.
const CARD: &str = "https://api.stripe.com";

/// The settings of payments, as given. A method without an account is not offered.
#[derive(Args, Clone, Default)]
pub struct PaymentSettings {
    /// M-Pesa's API [default: Safaricom's, in production]
    #[arg(long, env = "DUKA_MPESA_BASE_URL", value_name = "URL", global = true)]
    pub mpesa_base_url: Option<String>,
    /// The consumer key of the M-Pesa app; with it M-Pesa is offered [default: none]
    #[arg(long, env = "DUKA_MPESA_CONSUMER_KEY", value_name = "KEY", global = true, hide_env_values = true)]
    pub mpesa_consumer_key: Option<String>,
    /// The consumer secret of the M-Pesa app
    #[arg(
        long,
        env = "DUKA_MPESA_CONSUMER_SECRET",
        value_name = "SECRET",
        global = true,
        hide_env_values = true
    )]
    pub mpesa_consumer_secret: Option<String>,
    /// The shortcode that is paid: a paybill, or the store that a till belongs to
    #[arg(long, env = "DUKA_MPESA_SHORTCODE", value_name = "NUMBER", global = true)]
    pub mpesa_shortcode: Option<String>,
    /// The till number, where goods are bought and no paybill is paid [default: none]
    #[arg(long, env = "DUKA_MPESA_TILL", value_name = "NUMBER", global = true)]
    pub mpesa_till: Option<String>,
    /// The passkey of the shortcode
    #[arg(long, env = "DUKA_MPESA_PASSKEY", value_name = "SECRET", global = true, hide_env_values = true)]
    pub mpesa_passkey: Option<String>,
    /// Where M-Pesa reaches this shop [default: the public URL, else the address that it listens on]
    #[arg(long, env = "DUKA_MPESA_CALLBACK_BASE_URL", value_name = "URL", global = true)]
    pub mpesa_callback_base_url: Option<String>,
    /// The name of the user that may reverse payments; without it refunds are made by hand [default: none]
    #[arg(long, env = "DUKA_MPESA_INITIATOR", value_name = "NAME", global = true)]
    pub mpesa_initiator: Option<String>,
    /// That user's security credential, encrypted as M-Pesa wants it
    #[arg(
        long,
        env = "DUKA_MPESA_SECURITY_CREDENTIAL",
        value_name = "SECRET",
        global = true,
        hide_env_values = true
    )]
    pub mpesa_security_credential: Option<String>,
    /// The currency that the M-Pesa account holds, which must be the shop's [default: KES]
    #[arg(long, env = "DUKA_MPESA_CURRENCY", value_name = "CODE", global = true)]
    pub mpesa_currency: Option<String>,
    /// The card gateway's API [default: Stripe's]
    #[arg(long, env = "DUKA_CARD_BASE_URL", value_name = "URL", global = true)]
    pub card_base_url: Option<String>,
    /// The secret key of the account at the card gateway; with it cards are taken [default: none]
    #[arg(long, env = "DUKA_CARD_SECRET_KEY", value_name = "SECRET", global = true, hide_env_values = true)]
    pub card_secret_key: Option<String>,
    /// The publishable key of that account, which the storefront's pages confirm cards with at the gateway; without it
    /// they take none [default: none]
    #[arg(long, env = "DUKA_CARD_PUBLISHABLE_KEY", value_name = "KEY", global = true)]
    pub card_publishable_key: Option<String>,
    /// What the card gateway signs its events with; several, comma-separated, while one is replaced
    #[arg(
        long,
        env = "DUKA_CARD_WEBHOOK_SECRET",
        value_name = "SECRET",
        global = true,
        hide_env_values = true
    )]
    pub card_webhook_secret: Option<String>,
}

/// An account at M-Pesa.
#[derive(Clone, Debug)]
pub struct MpesaConfig {
    /// Without a slash at its end.
    pub base_url: String,
    /// See [`PaymentSettings`].
    pub consumer_key: SecretString,
    /// See [`PaymentSettings`].
    pub consumer_secret: SecretString,
    /// Digits.
    pub shortcode: String,
    /// Digits.
    pub till: Option<String>,
    /// See [`PaymentSettings`].
    pub passkey: SecretString,
    /// Without a slash at its end; empty: the public URL, else where the shop listens.
    pub callback_base_url: String,
    /// Who may reverse payments: the name and the credential.
    pub initiator: Option<(String, SecretString)>,
}

/// An account at the card gateway.
#[derive(Clone, Debug)]
pub struct CardConfig {
    /// Without a slash at its end.
    pub base_url: String,
    /// See [`PaymentSettings`].
    pub secret_key: SecretString,
    /// What browsers are told, so that they can confirm a card at the gateway; `None`: the storefront takes none.
    pub publishable_key: Option<String>,
    /// What events may be signed with; at least one.
    pub webhook_secrets: Vec<SecretString>,
}

/// The accounts; `None` is a method that is not offered.
#[derive(Clone, Debug, Default)]
pub struct Accounts {
    /// For M-Pesa.
    pub mpesa: Option<MpesaConfig>,
    /// For cards.
    pub card: Option<CardConfig>,
}

impl PaymentSettings {
    /// Checks what was given for a shop that sells in this currency; `fault` is told of what is wrong.
    pub(super) fn check(
        &self,
        currency: Option<Currency>,
        public_url: &str,
        fault: &mut impl FnMut(&str, String),
    ) -> Accounts {
        Accounts { mpesa: self.mpesa(currency, public_url, fault), card: self.card(fault) }
    }

    fn mpesa(
        &self,
        currency: Option<Currency>,
        public_url: &str,
        fault: &mut impl FnMut(&str, String),
    ) -> Option<MpesaConfig> {
        let base_url = url(self.mpesa_base_url.as_deref(), MPESA, "DUKA_MPESA_BASE_URL", fault);
        let callback =
            url(self.mpesa_callback_base_url.as_deref(), "", "DUKA_MPESA_CALLBACK_BASE_URL", fault);
        let needed = [
            ("DUKA_MPESA_CONSUMER_KEY", &self.mpesa_consumer_key),
            ("DUKA_MPESA_CONSUMER_SECRET", &self.mpesa_consumer_secret),
            ("DUKA_MPESA_SHORTCODE", &self.mpesa_shortcode),
            ("DUKA_MPESA_PASSKEY", &self.mpesa_passkey),
        ];
        let [consumer_key, consumer_secret, shortcode, passkey] = all_or_none(needed, fault)?;
        for (name, digits) in
            [("DUKA_MPESA_SHORTCODE", Some(shortcode)), ("DUKA_MPESA_TILL", given(&self.mpesa_till))]
        {
            if digits.is_some_and(|text| {
                !(5..=9).contains(&text.len()) || !text.bytes().all(|b| b.is_ascii_digit())
            }) {
                fault(name, "is not a number of 5 to 9 digits".to_owned());
            }
        }
        let initiator = all_or_none(
            [
                ("DUKA_MPESA_INITIATOR", &self.mpesa_initiator),
                ("DUKA_MPESA_SECURITY_CREDENTIAL", &self.mpesa_security_credential),
            ],
            fault,
        );
        let account = given(&self.mpesa_currency).unwrap_or("KES");
        if currency.is_some_and(|currency| currency.code() != account) {
            let what = format!(
                "M-Pesa takes {account}, which is not the shop's currency; set DUKA_CURRENCY={account}"
            );
            fault("DUKA_MPESA_CURRENCY", what);
        }
        let callback_base_url = if callback.is_empty() { public_url.to_owned() } else { callback };
        Some(MpesaConfig {
            base_url,
            consumer_key: consumer_key.into(),
            consumer_secret: consumer_secret.into(),
            shortcode: shortcode.to_owned(),
            till: given(&self.mpesa_till).map(ToOwned::to_owned),
            passkey: passkey.into(),
            callback_base_url,
            initiator: initiator.map(|[name, credential]| (name.to_owned(), credential.into())),
        })
    }

    fn card(&self, fault: &mut impl FnMut(&str, String)) -> Option<CardConfig> {
        let base_url = url(self.card_base_url.as_deref(), CARD, "DUKA_CARD_BASE_URL", fault);
        let needed = [
            ("DUKA_CARD_SECRET_KEY", &self.card_secret_key),
            ("DUKA_CARD_WEBHOOK_SECRET", &self.card_webhook_secret),
        ];
        let [secret_key, webhook_secrets] = all_or_none(needed, fault)?;
        let webhook_secrets = super::list(Some(webhook_secrets)).map(SecretString::from).collect();
        let publishable_key = given(&self.card_publishable_key).map(ToOwned::to_owned);
        Some(CardConfig { base_url, secret_key: secret_key.into(), publishable_key, webhook_secrets })
    }
}

/// An empty variable counts as not set: that is how a compose file leaves one out.
fn given(setting: &Option<String>) -> Option<&str> {
    setting.as_deref().map(str::trim).filter(|text| !text.is_empty())
}

/// Settings that make sense together alone.
fn all_or_none<'a, const N: usize>(
    settings: [(&str, &'a Option<String>); N],
    fault: &mut impl FnMut(&str, String),
) -> Option<[&'a str; N]> {
    let texts = settings.map(|(_, setting)| given(setting));
    if texts.iter().all(Option::is_none) {
        return None;
    }
    for ((name, _), text) in settings.iter().zip(texts) {
        if text.is_none() {
            let others = settings.map(|(name, _)| name).join(", ");
            fault(name, format!("is missing; {others} belong together"));
        }
    }
    Some(texts.map(Option::unwrap_or_default))
}

/// A base URL without a slash at its end. Secrets travel to it: over TLS, or within this machine or its network, whose
/// hosts have no dot in their names.
fn url(setting: Option<&str>, default: &str, name: &str, fault: &mut impl FnMut(&str, String)) -> String {
    let text =
        setting.map(str::trim).filter(|text| !text.is_empty()).unwrap_or(default).trim_end_matches('/');
    let uri = text.parse::<axum::http::Uri>().ok();
    let host = uri.as_ref().and_then(axum::http::Uri::host).unwrap_or_default();
    let near = !host.is_empty() && (!host.contains('.') || host.starts_with("127."));
    let fine = text.is_empty()
        || match uri.as_ref().and_then(axum::http::Uri::scheme_str) {
            Some("https") => !host.is_empty(),
            Some("http") => near,
            _ => false,
        };
    if !fine {
        fault(name, format!("`{text}` is not an https URL, nor an http URL of this machine"));
    }
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(settings: &PaymentSettings, currency: &str) -> (Accounts, Vec<String>) {
        let mut faults = Vec::new();
        let mut fault = |name: &str, what: String| faults.push(format!("{name} {what}"));
        let accounts = settings.check(currency.parse().ok(), "https://shop.example", &mut fault);
        (accounts, faults)
    }

    fn whole() -> PaymentSettings {
        let some = |text: &str| Some(text.to_owned());
        PaymentSettings {
            mpesa_base_url: some("http://127.0.0.1:9/"),
            mpesa_consumer_key: some("k"),
            mpesa_consumer_secret: some("hunter2"),
            mpesa_shortcode: some("174379"),
            mpesa_passkey: some("p"),
            card_secret_key: some("sk"),
            card_webhook_secret: some("new, old"),
            ..PaymentSettings::default()
        }
    }

    #[test]
    fn a_method_is_whole_or_not_there() {
        let (accounts, wrong) = faults(&PaymentSettings::default(), "USD");
        assert!(accounts.mpesa.is_none() && accounts.card.is_none() && wrong.is_empty());
        let (accounts, wrong) = faults(&whole(), "KES");
        assert_eq!(wrong, [""; 0]);
        let (mpesa, card) = (accounts.mpesa.unwrap(), accounts.card.unwrap());
        assert_eq!(
            (mpesa.base_url.as_str(), mpesa.callback_base_url.as_str()),
            ("http://127.0.0.1:9", "https://shop.example")
        );
        assert_eq!((card.base_url.as_str(), card.webhook_secrets.len()), ("https://api.stripe.com", 2));
        let half =
            PaymentSettings { mpesa_passkey: None, card_webhook_secret: Some(String::new()), ..whole() };
        let (_, wrong) = faults(&half, "KES");
        assert_eq!(wrong.len(), 2, "{wrong:?}");
        assert!(
            wrong[0].starts_with("DUKA_MPESA_PASSKEY") && wrong[1].starts_with("DUKA_CARD_WEBHOOK_SECRET")
        );
    }

    #[test]
    fn what_would_lose_money_or_secrets_is_refused() {
        assert_eq!(faults(&whole(), "USD").1.len(), 1, "shillings are not dollars");
        let own = PaymentSettings { mpesa_currency: Some("USD".into()), ..whole() };
        assert_eq!(faults(&own, "USD").1, [""; 0]);
        for plain in ["http://api.example.com", "ftp://x", "api.example.com", "http://10.0.0.1"] {
            let settings = PaymentSettings { card_base_url: Some(plain.into()), ..whole() };
            assert_eq!(faults(&settings, "KES").1.len(), 1, "{plain}");
        }
        for near in ["http://localhost:1", "http://sandbox:8001", "https://api.example.com/x"] {
            let settings = PaymentSettings { card_base_url: Some(near.into()), ..whole() };
            assert_eq!(faults(&settings, "KES").1, [""; 0], "{near}");
        }
    }
}
