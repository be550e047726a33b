//! Money: amounts in the shop's one currency.
//!
//! An [`Amount`] is exact and has at most two decimals, as the database's `numeric(12,2)`. The search index
//! keeps the same amounts as whole hundredths ([`Amount::hundredths`]), whatever the currency's own number
//! of decimals is. Discounts and rounding are `pricing`'s business.

use std::{fmt, str::FromStr};

use rust_decimal::{Decimal, prelude::ToPrimitive};

/// The largest amount that `numeric(12,2)` holds: 9,999,999,999.99.
const MAX_HUNDREDTHS: i64 = 999_999_999_999;

/// An ISO 4217 currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Currency {
    code: [u8; 3],
    decimals: u32,
}

impl Currency {
    /// The three capital letters.
    pub fn code(&self) -> &str {
        // Made from ASCII capitals alone.
        std::str::from_utf8(&self.code).unwrap_or_default()
    }

    /// How many decimals an amount is written with: 0 or 2.
    pub fn decimals(&self) -> u32 {
        self.decimals
    }

    /// The smallest amount, in hundredths: 1, or 100 without decimals.
    pub fn unit(&self) -> i64 {
        if self.decimals == 0 { 100 } else { 1 }
    }
}

impl FromStr for Currency {
    type Err = String;

    fn from_str(code: &str) -> Result<Self, String> {
        let code: [u8; 3] = code
            .as_bytes()
            .try_into()
            .ok()
            .filter(|code: &[u8; 3]| code.iter().all(u8::is_ascii_uppercase))
            .ok_or_else(|| format!("`{code}` is not a currency: write three capital letters, such as USD"))?;
        // ISO 4217, list one: the currencies whose minor unit is 0, and those with 3 or 4, which
        // `numeric(12,2)` cannot hold.
        let decimals = match &code {
            b"BIF" | b"CLP" | b"DJF" | b"GNF" | b"ISK" | b"JPY" | b"KMF" | b"KRW" | b"PYG" | b"RWF"
            | b"UGX" | b"UYI" | b"VND" | b"VUV" | b"XAF" | b"XOF" | b"XPF" => 0,
            b"BHD" | b"IQD" | b"JOD" | b"KWD" | b"LYD" | b"OMR" | b"TND" | b"CLF" | b"UYW" => {
                return Err(format!(
                    "`{}` has more than two decimals, which duka does not keep",
                    String::from_utf8_lossy(&code)
                ));
            }
            _ => 2,
        };
        Ok(Self { code, decimals })
    }
}

/// A price or a sum: not negative, at most two decimals, at most 9,999,999,999.99.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Amount(Decimal);

/// Why a number is not an [`Amount`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AmountError {
    /// Not a plain decimal number.
    #[error("is not a decimal number such as \"12.50\"")]
    NotANumber,
    /// Below zero.
    #[error("must not be negative")]
    Negative,
    /// More decimals than the currency has.
    #[error("has more than {0} decimals")]
    TooFine(u32),
    /// Above 9,999,999,999.99.
    #[error("is above 9999999999.99")]
    TooLarge,
}

impl Amount {
    /// Nothing.
    pub const ZERO: Self = Self(Decimal::ZERO);

    /// Reads digits with an optional point, such as `12.50`; no sign, exponent, separator or white space.
    ///
    /// # Errors
    /// See [`AmountError`]; trailing zeros beyond the currency's decimals count as decimals.
    pub fn parse(text: &str, currency: Currency) -> Result<Self, AmountError> {
        Self::parse_to(text, currency.decimals())
    }

    /// [`parse`](Self::parse) for what is no money, such as a percentage: 0 or 2 decimals.
    ///
    /// # Errors
    /// As [`parse`](Self::parse).
    pub fn parse_to(text: &str, decimals: u32) -> Result<Self, AmountError> {
        let digits = text.strip_prefix('-').unwrap_or(text);
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
        let plain = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if !plain(whole) || !plain(fraction) {
            return Err(AmountError::NotANumber);
        }
        if text.starts_with('-') {
            return Err(AmountError::Negative);
        }
        let is_whole = decimals == 0 && ["0", "00"].contains(&fraction);
        if digits.contains('.') && fraction.len() > decimals as usize && !is_whole {
            return Err(AmountError::TooFine(decimals));
        }
        if whole.trim_start_matches('0').len() > 10 {
            return Err(AmountError::TooLarge);
        }
        Decimal::from_str(digits).map(Self).map_err(|_| AmountError::NotANumber)
    }

    /// The amount that the database keeps.
    pub fn from_decimal(value: Decimal) -> Self {
        Self(value)
    }

    /// The amount as the index keeps it.
    pub fn from_hundredths(hundredths: i64) -> Self {
        Self(Decimal::new(hundredths, 2))
    }

    /// As a database parameter.
    pub fn decimal(self) -> Decimal {
        self.0
    }

    /// In hundredths of the currency's unit, as the index keeps it.
    pub fn hundredths(self) -> i64 {
        // At most `MAX_HUNDREDTHS`, by construction and by the column's type.
        (self.0 * Decimal::ONE_HUNDRED).to_i64().unwrap_or(MAX_HUNDREDTHS)
    }

    /// As clients read it: `12.50`, or `1250` in a currency without decimals.
    pub fn display(self, currency: Currency) -> String {
        format!("{:.1$}", self.0, currency.decimals() as usize)
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.2}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usd() -> Currency {
        "USD".parse().unwrap()
    }

    #[test]
    fn reads_plain_decimals_only() {
        assert_eq!(Amount::parse("12.50", usd()).unwrap().hundredths(), 1250);
        let yen = "JPY".parse().unwrap();
        for text in ["7", "7.0", "7.00"] {
            assert_eq!(Amount::parse(text, yen).unwrap().hundredths(), 700, "{text}");
        }
        for text in ["7.1", "7.01", "7.000"] {
            assert_eq!(Amount::parse(text, yen), Err(AmountError::TooFine(0)), "{text}");
        }
        assert_eq!(Amount::parse("9999999999.99", usd()).unwrap().hundredths(), MAX_HUNDREDTHS);
        for (text, error) in [
            ("-1", AmountError::Negative),
            ("1.005", AmountError::TooFine(2)),
            ("10000000000", AmountError::TooLarge),
            ("99999999999999999999999999999999999999", AmountError::TooLarge),
            ("1e3", AmountError::NotANumber),
            ("+1", AmountError::NotANumber),
            ("", AmountError::NotANumber),
            ("1.", AmountError::NotANumber),
            (".5", AmountError::NotANumber),
            ("1 000", AmountError::NotANumber),
            ("NaN", AmountError::NotANumber),
        ] {
            assert_eq!(Amount::parse(text, usd()), Err(error), "{text}");
        }
    }

    #[test]
    fn writes_the_currency_s_decimals() {
        assert_eq!(Amount::from_hundredths(1250).display(usd()), "12.50");
        assert_eq!(Amount::from_hundredths(700).display("JPY".parse().unwrap()), "7");
    }

    #[test]
    fn refuses_currencies_it_cannot_hold() {
        assert!("KWD".parse::<Currency>().is_err());
        assert!("usd".parse::<Currency>().is_err());
    }
}
