//! What a shop may ask for: Daraja's requests, checked.

use base64::{Engine, prelude::BASE64_STANDARD};
use reqwest::Url;
use serde_json::{Map, Value};
use time::{PrimitiveDateTime, macros::format_description};

use super::super::Desk;

/// Why a request is refused. `http` says how.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// No `Basic` authorisation, or not ours.
    Authentication,
    /// Another grant than `client_credentials`.
    GrantType,
    /// No bearer token.
    Header,
    /// Not a token, or no longer one.
    Token,
    /// A field is wrong, or absent.
    Field(&'static str),
    /// Not a JSON object.
    Payload,
    /// Nobody's short code.
    Merchant,
    /// The password does not follow from short code, passkey and time.
    Password,
    /// Another prompt is on that telephone.
    Locked,
    /// Nothing is decided yet.
    Processing,
    /// The gateway itself fails.
    Internal,
    /// There is nothing here.
    Resource,
    /// Not like this.
    Method,
}

/// A prompt that is asked for.
#[derive(Clone, Debug)]
pub(super) struct Push {
    /// Whole shillings.
    pub(super) amount: u64,
    pub(super) phone: String,
    pub(super) callback: Url,
    pub(super) reference: String,
    pub(super) description: String,
}

/// A reversal that is asked for.
#[derive(Clone, Debug)]
pub(super) struct ReversalRequest {
    pub(super) initiator: String,
    pub(super) credential: String,
    /// The receipt.
    pub(super) receipt: String,
    /// Whole shillings.
    pub(super) amount: u64,
    pub(super) result: Url,
    pub(super) timed_out: Url,
}

/// A request's fields. A number may be written as a text, as most clients do.
pub(super) struct Fields(Map<String, Value>);

impl Fields {
    pub(super) fn read(body: &[u8]) -> Result<Self, Refusal> {
        serde_json::from_slice(body).map(Self).map_err(|_| Refusal::Payload)
    }

    pub(super) fn text(&self, name: &'static str) -> Result<String, Refusal> {
        match self.0.get(name) {
            Some(Value::String(text)) if !text.is_empty() => Ok(text.clone()),
            Some(Value::Number(number)) if number.is_u64() => Ok(number.to_string()),
            _ => Err(Refusal::Field(name)),
        }
    }

    fn up_to(&self, name: &'static str, longest: usize) -> Result<String, Refusal> {
        let text = self.text(name)?;
        if text.chars().count() > longest { Err(Refusal::Field(name)) } else { Ok(text) }
    }

    fn amount(&self) -> Result<u64, Refusal> {
        let text = self.text("Amount")?;
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse().ok().filter(|amount| digits && *amount >= 1).ok_or(Refusal::Field("Amount"))
    }

    fn phone(&self, name: &'static str) -> Result<String, Refusal> {
        let phone = self.text(name)?;
        let digits = phone.len() == 12 && phone.bytes().all(|byte| byte.is_ascii_digit());
        let mobile = phone.starts_with("2547") || phone.starts_with("2541");
        if digits && mobile { Ok(phone) } else { Err(Refusal::Field(name)) }
    }

    fn url(&self, name: &'static str, desk: &Desk) -> Result<Url, Refusal> {
        let url = Url::parse(&self.text(name)?).ok();
        url.filter(|url| desk.courier.goes_to(url)).ok_or(Refusal::Field(name))
    }

    /// Short code, time and password, as pushes and queries carry them.
    pub(super) fn signed(&self, desk: &Desk) -> Result<(), Refusal> {
        let shortcode = self.text("BusinessShortCode")?;
        if !(5..=7).contains(&shortcode.len()) || !shortcode.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(Refusal::Field("BusinessShortCode"));
        }
        let at = self.text("Timestamp")?;
        let format = format_description!("[year][month][day][hour][minute][second]");
        if at.len() != 14 || PrimitiveDateTime::parse(&at, format).is_err() {
            return Err(Refusal::Field("Timestamp"));
        }
        let password = self.text("Password")?;
        if shortcode != desk.credentials.shortcode {
            return Err(Refusal::Merchant);
        }
        let expected = BASE64_STANDARD.encode(format!("{shortcode}{}{at}", desk.credentials.passkey));
        if password == expected { Ok(()) } else { Err(Refusal::Password) }
    }
}

impl Push {
    pub(super) fn read(body: &[u8], desk: &Desk) -> Result<Self, Refusal> {
        let fields = Fields::read(body)?;
        fields.signed(desk)?;
        let kind = fields.text("TransactionType")?;
        if kind != "CustomerPayBillOnline" && kind != "CustomerBuyGoodsOnline" {
            return Err(Refusal::Field("TransactionType"));
        }
        let amount = fields.amount()?;
        fields.phone("PartyA")?;
        // A till has a number of its own beside its store's short code; a pay bill has one alone.
        let payee = fields.text("PartyB")?;
        if kind == "CustomerPayBillOnline" && payee != desk.credentials.shortcode {
            return Err(Refusal::Field("PartyB"));
        }
        Ok(Self {
            amount,
            phone: fields.phone("PhoneNumber")?,
            callback: fields.url("CallBackURL", desk)?,
            reference: fields.up_to("AccountReference", 12)?,
            description: fields.up_to("TransactionDesc", 13)?,
        })
    }
}

impl ReversalRequest {
    pub(super) fn read(body: &[u8], desk: &Desk) -> Result<Self, Refusal> {
        let fields = Fields::read(body)?;
        if fields.text("CommandID")? != "TransactionReversal" {
            return Err(Refusal::Field("CommandID"));
        }
        // The name is misspelt on the wire. 11 is what the documentation says, 4 what its samples had.
        let kind = fields.text("RecieverIdentifierType")?;
        if kind != "11" && kind != "4" {
            return Err(Refusal::Field("RecieverIdentifierType"));
        }
        if fields.text("ReceiverParty")? != desk.credentials.shortcode {
            return Err(Refusal::Field("ReceiverParty"));
        }
        let remarks = fields.up_to("Remarks", 100)?;
        if remarks.chars().count() < 2 {
            return Err(Refusal::Field("Remarks"));
        }
        Ok(Self {
            initiator: fields.text("Initiator")?,
            credential: fields.text("SecurityCredential")?,
            receipt: fields.text("TransactionID")?,
            amount: fields.amount()?,
            result: fields.url("ResultURL", desk)?,
            timed_out: fields.url("QueueTimeOutURL", desk)?,
        })
    }
}
