//! The two pages that begin everything: a template with addresses and settings put in, and the policy that both are
//! sent with. What the pages then show is not made here.

use axum::http::{HeaderValue, Uri};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde::Serialize;
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::config::Config;

/// What the pages must know before they can ask anything. All of it is public.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Settings {
    /// The shop's currency, ISO 4217.
    currency: String,
    /// Where and how a browser confirms a card; null: cards are not taken.
    card: Option<CardSettings>,
    /// Whether M-Pesa is taken.
    mpesa: bool,
}

#[derive(Clone, Debug, Serialize)]
struct CardSettings {
    /// The gateway's API, without a slash at its end.
    gateway: String,
    /// The publishable key.
    key: String,
}

impl Settings {
    /// The part of the settings that pages may know.
    pub(super) fn of(config: &Config) -> Self {
        let card = config.accounts.card.as_ref().and_then(|account| {
            let (gateway, key) = (account.base_url.clone(), account.publishable_key.clone()?);
            Some(CardSettings { gateway, key })
        });
        Self { currency: config.currency.code().to_owned(), card, mpesa: config.accounts.mpesa.is_some() }
    }

    /// The origin at which browsers confirm cards.
    fn gateway(&self) -> Option<String> {
        let uri: Uri = self.card.as_ref()?.gateway.parse().ok()?;
        Some(format!("{}://{}", uri.scheme_str()?, uri.authority()?))
    }
}

/// Puts into a template: `{{assets}}` where its files are, `{{imports}}` what modules call the libraries,
/// `{{preload}}` the modules that it will need, `{{settings}}`.
pub(super) fn page<'a>(
    template: &str,
    folder: &str,
    bundle: &str,
    files: impl Iterator<Item = &'a String>,
    settings: &Settings,
) -> String {
    let ours = |path: &&String| {
        let folders = ["shared/", "vendor/", &format!("{folder}/")];
        // What runs before the page is drawn is no module.
        path.ends_with(".js")
            && !path.ends_with("-first.js")
            && folders.iter().any(|folder| path.starts_with(folder))
    };
    let preload: Vec<String> = files
        .filter(ours)
        .map(|path| format!("<link rel=\"modulepreload\" href=\"{{{{assets}}}}/{path}\">"))
        .collect();
    let settings = serde_json::to_string(settings).unwrap_or_default();
    template
        .replace("{{preload}}", &preload.join("\n"))
        .replace("{{imports}}", &imports(bundle))
        .replace("{{settings}}", &escaped(&settings))
        .replace("{{assets}}", &format!("/assets/{bundle}"))
}

/// What modules call the libraries, and where those are: a script of the page, which the policy names by its hash.
pub(super) fn imports(bundle: &str) -> String {
    let at = |file: &str| format!("/assets/{bundle}/vendor/{file}");
    json!({"imports": {"preact": at("preact.js"), "preact/hooks": at("hooks.js"), "htm": at("htm.js")}})
        .to_string()
}

/// Own files, this server to ask, the gateway to confirm a card at, and products' pictures from wherever they are.
/// Nothing inline but the one script, nothing evaluated, nothing framed.
pub(super) fn policy(imports: &str, settings: &Settings) -> HeaderValue {
    let script = BASE64_STANDARD.encode(Sha256::digest(imports));
    let gateway = settings.gateway().map(|origin| format!(" {origin}")).unwrap_or_default();
    let policy = format!(
        "default-src 'self'; script-src 'self' 'sha256-{script}'; style-src 'self'; connect-src 'self'{gateway}; \
         img-src 'self' data: https: http:; object-src 'none'; base-uri 'none'; form-action 'self'; \
         frame-ancestors 'none'"
    );
    HeaderValue::from_str(&policy).unwrap_or(HeaderValue::from_static("default-src 'none'"))
}

/// Safe in a quoted attribute.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sandbox() -> Settings {
        let card = CardSettings { gateway: "http://127.0.0.1:8001/x".to_owned(), key: "pk\"<".to_owned() };
        Settings { currency: "KES".to_owned(), card: Some(card), mpesa: true }
    }

    #[test]
    fn a_page_has_no_place_left_open() {
        let files = ["shop/main.js", "console/main.js", "shared/api.js", "shop/shop.css"].map(str::to_owned);
        let template =
            "<meta content=\"{{settings}}\"><script>{{imports}}</script>{{preload}}<a href=\"{{assets}}/x\">";
        let page = page(template, "shop", "abc", files.iter(), &sandbox());
        assert!(!page.contains("{{"), "{page}");
        assert!(page.contains("href=\"/assets/abc/shop/main.js\"") && page.contains("/abc/shared/api.js"));
        assert!(!page.contains("console/main.js") && !page.contains("href=\"/assets/abc/shop/shop.css\""));
        assert!(page.contains("&quot;pk\\&quot;&lt;&quot;"), "{page}");
    }

    #[test]
    fn the_policy_names_the_gateway_and_nothing_else() {
        let policy = policy("{}", &sandbox());
        let policy = policy.to_str().unwrap();
        assert!(policy.contains("connect-src 'self' http://127.0.0.1:8001;"), "{policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
        let none = super::policy("{}", &Settings::default());
        assert!(none.to_str().unwrap().contains("connect-src 'self';"));
    }
}
