//! What an account is, and which names, addresses and passwords may stand in one.

use secrecy::SecretString;
use serde::Serialize;
use serde_json::Value;
use time::OffsetDateTime;
use unicode_normalization::UnicodeNormalization;
use utoipa::ToSchema;

use crate::{
    auth::Role,
    body::{Fields, Form, Refusal, line, secret},
    text::{Shape, check},
};

/// A user, as the database keeps it and clients read it. Never the password.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct User {
    /// The row's id.
    pub id: i64,
    /// As typed; unique without regard to case.
    pub username: String,
    /// As typed; unique without regard to case.
    pub email: String,
    /// May be empty.
    pub first_name: String,
    /// May be empty.
    pub last_name: String,
    /// May be empty.
    pub phone: String,
    /// What the user may do.
    pub role: Role,
    /// Whether the user may sign in.
    pub is_active: bool,
    /// When the account was made.
    #[serde(with = "time::serde::rfc3339")]
    pub date_joined: OffsetDateTime,
}

/// What somebody fills in to get an account.
#[derive(Debug)]
pub struct Registration {
    /// 3–150 of letters, digits and `@.+-_`.
    pub username: String,
    /// An e-mail address.
    pub email: String,
    /// As typed.
    pub password: SecretString,
    /// May be empty.
    pub first_name: String,
    /// May be empty.
    pub last_name: String,
    /// May be empty.
    pub phone: String,
}

impl Form for Registration {
    fn read(fields: &mut Fields) -> Self {
        let username = fields.required("username", username);
        let email = fields.required("email", email);
        let password = fields.required("password", password);
        // What has a fault already is empty here.
        if !password.is_empty()
            && let Some((code, detail)) = weakness(&password, &username)
        {
            fields.fault("password", code, detail);
        }
        Self {
            username,
            email,
            password: password.into(),
            first_name: fields.optional("first_name", line(0..=150)).unwrap_or_default(),
            last_name: fields.optional("last_name", line(0..=150)).unwrap_or_default(),
            phone: fields.optional("phone", phone).unwrap_or_default(),
        }
    }
}

/// What a user may change of the own account; `None` stays as it is.
#[derive(Debug, Default)]
pub struct Changes {
    /// See [`User`].
    pub first_name: Option<String>,
    /// See [`User`].
    pub last_name: Option<String>,
    /// See [`User`].
    pub phone: Option<String>,
    /// See [`User`].
    pub email: Option<String>,
}

impl Form for Changes {
    fn read(fields: &mut Fields) -> Self {
        Self {
            first_name: fields.optional("first_name", line(0..=150)),
            last_name: fields.optional("last_name", line(0..=150)),
            phone: fields.optional("phone", phone),
            email: fields.optional("email", email),
        }
    }
}

/// A user name and a password, as typed: neither is judged, only compared.
#[derive(Debug)]
pub struct Credentials {
    /// The e-mail address, or the user name.
    pub address: String,
    /// The same as user names are kept.
    pub username: String,
    /// The password.
    pub password: SecretString,
}

impl Form for Credentials {
    fn read(fields: &mut Fields) -> Self {
        let address = fields.required("username", line(1..=254));
        Self {
            username: folded(&address),
            address,
            password: fields.required("password", secret(1..=1024)).into(),
        }
    }
}

/// A password's change.
#[derive(Debug)]
pub struct PasswordChange {
    /// The present one.
    pub old_password: SecretString,
    /// The one to be.
    pub new_password: SecretString,
}

impl Form for PasswordChange {
    fn read(fields: &mut Fields) -> Self {
        Self {
            old_password: fields.required("old_password", secret(1..=1024)).into(),
            new_password: fields.required("new_password", password).into(),
        }
    }
}

/// 3–150 letters, digits and `@.+-_`.
///
/// # Errors
/// Says what is wrong.
pub fn username(value: Value) -> Result<String, Refusal> {
    let name = folded(&line(3..=150)(value)?);
    // A sign may stand for several, or several for one.
    let name = line(3..=150)(Value::String(name))?;
    let allowed = |c: char| c.is_alphanumeric() || "@.+-_".contains(c);
    if name.chars().all(allowed) {
        Ok(name)
    } else {
        Err(("format", "may hold letters, digits and @ . + - _".into()))
    }
}

/// A user name as it is kept: full-width letters and the like would make two names that look the same.
fn folded(name: &str) -> String {
    let name: String = name.nfkc().collect();
    name.trim().to_owned()
}

/// 8–128 characters that can be seen, as typed.
fn password(value: Value) -> Result<String, Refusal> {
    let password = secret(8..=128)(value)?;
    check(&password, Shape::Line).map_err(|forbidden| ("format", forbidden.to_string()))?;
    Ok(password)
}

/// Something, an @, a host name with a dot: whether mail arrives there, only mail can tell.
///
/// # Errors
/// Says what is wrong.
pub fn email(value: Value) -> Result<String, Refusal> {
    let email = line(3..=254)(value)?;
    let part =
        |text: &str| !text.is_empty() && !text.chars().any(|c| c.is_whitespace() || "@,;<>()\"".contains(c));
    let well_formed = email.rsplit_once('@').is_some_and(|(local, host)| {
        let labels =
            host.split('.').all(|label| part(label) && !label.starts_with('-') && !label.ends_with('-'));
        part(local) && local.len() <= 64 && host.contains('.') && labels
    });
    if well_formed {
        Ok(email)
    } else {
        Err(("format", "is not an e-mail address such as ada@example.com".into()))
    }
}

fn phone(value: Value) -> Result<String, Refusal> {
    let phone = line(0..=32)(value)?;
    let digits = phone.chars().filter(char::is_ascii_digit).count();
    let plain = phone.chars().all(|c| c.is_ascii_digit() || "+-() .".contains(c));
    if phone.is_empty() || (plain && digits >= 5) {
        Ok(phone)
    } else {
        Err(("format", "is not a telephone number such as +254712345678".into()))
    }
}

/// Why a password of the right length is still refused, if it is.
pub fn weakness(password: &str, username: &str) -> Option<(&'static str, &'static str)> {
    let lower = password.to_lowercase();
    let common = || include_str!("common_passwords.txt").lines().any(|known| known == lower);
    if lower == username.to_lowercase() {
        Some(("weak", "must not be the user name"))
    } else if common() {
        Some(("weak", "is one that everybody tries first; choose another"))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn addresses() {
        for good in ["ada@example.com", "a+b@x.co.ke", "ü@bücher.example"] {
            assert!(email(json!(good)).is_ok(), "{good}");
        }
        for bad in ["ada", "ada@", "@example.com", "a@b", "a b@x.com", "a@x..com", "a@-x.com", "a@b@c.com"] {
            assert!(email(json!(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn passwords_that_everybody_tries() {
        assert!(weakness("PassWord123", "ada").is_some());
        assert!(weakness("ada.lovelace", "Ada.Lovelace").is_some());
        assert!(weakness("correct horse battery", "ada").is_none());
        assert_eq!(password(json!(" as typed ")), Ok(" as typed ".to_owned()));
        for unseen in ["abc\u{7}defgh", "abc\u{202e}defgh", "abc\ndefgh"] {
            assert_eq!(password(json!(unseen)).map_err(|(code, _)| code), Err("format"));
        }
    }

    #[test]
    fn the_list_is_of_possible_passwords() {
        let list = include_str!("common_passwords.txt");
        assert!(
            list.lines().all(|p| p.len() >= 8 && p.to_lowercase() == p),
            "shorter ones are refused anyway"
        );
    }

    #[test]
    fn user_names_and_telephones() {
        assert!(username(json!("ada.l+1@x_y-z")).is_ok());
        assert!(username(json!("ad")).is_err());
        assert!(username(json!("ada lovelace")).is_err());
        assert_eq!(username(json!("ａｄａ１２")), Ok("ada12".to_owned()));
        assert!(username(json!("㎏".repeat(100))).is_err(), "each is two letters");
        assert!(username(json!("ｶﾞa")).is_err(), "two of three are one");
        assert!(phone(json!("+254 712 345678")).is_ok());
        assert!(phone(json!("call me")).is_err());
    }
}
