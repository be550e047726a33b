//! Cursors: places in a list, carried by clients between two requests.
//!
//! A token is `version | place | seal` in base64url. The seal covers the list as well (its filters and its order),
//! which the token does not repeat: it opens for the list that it was made for and for no other, and nobody but
//! this shop can make one. It hides nothing.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};

use crate::{
    auth::token::{Keys, SEAL_BYTES},
    error::{Error, Fault, Result},
};

/// Grows when tokens change their meaning, or when what a list or a place consists of changes its order: both are
/// written down without names. Older tokens are refused then.
const VERSION: u8 = 2;
/// Characters of a token. What a list makes is far below; a request's whole header has 16 KiB.
const MAX_LENGTH: usize = 8 * 1024;

/// A token for the place in this list.
///
/// `list` is all that decides which rows there are and in which order, the viewer's scope included; neither how
/// many rows a page has nor what is shown of them.
///
/// # Errors
/// None that a client can cause.
pub fn seal(keys: &Keys, list: &impl Serialize, place: &impl Serialize) -> Result<String> {
    let place = postcard::to_allocvec(place).map_err(Error::internal)?;
    let mut token = vec![VERSION];
    token.extend_from_slice(&place);
    token.extend_from_slice(&keys.seal(&sealed_text(list, &place)?));
    Ok(URL_SAFE_NO_PAD.encode(token))
}

/// The place that the token was made for.
///
/// # Errors
/// 400 that names `cursor`, unless it is a token of this list.
pub fn open<T: DeserializeOwned>(keys: &Keys, list: &impl Serialize, token: &str) -> Result<T> {
    let refused = || {
        let detail = "is none that this list gave; send `next_cursor` as it was, with the same parameters, or \
                      start again without it";
        Error::parameters(vec![Fault::parameter("cursor", "value", detail)])
    };
    if token.len() > MAX_LENGTH {
        return Err(refused());
    }
    let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| refused())?;
    let (text, seal) = bytes.split_last_chunk::<SEAL_BYTES>().ok_or_else(refused)?;
    let (&version, place) = text.split_first().ok_or_else(refused)?;
    if version != VERSION || !keys.is_sealed(&sealed_text(list, place)?, seal) {
        return Err(refused());
    }
    // Sealed by a program whose lists have other places: as good as another list's.
    postcard::from_bytes(place).map_err(|_| refused())
}

fn sealed_text(list: &impl Serialize, place: &[u8]) -> Result<Vec<u8>> {
    let list = postcard::to_allocvec(list).map_err(Error::internal)?;
    let mut text = b"cursor".to_vec();
    text.push(VERSION);
    // Of one length, so that no list runs over into a place.
    text.extend_from_slice(&Sha256::digest(list));
    text.extend_from_slice(place);
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    type Place = (Vec<u64>, String);

    fn keys(secret: &str) -> Keys {
        Keys::new(&secret.repeat(32).as_str().into(), None)
    }

    fn place() -> Place {
        (vec![0, 7, u64::MAX], "Äpfel".to_owned())
    }

    #[test]
    fn a_token_opens_for_its_own_list() {
        let keys = keys("a");
        let token = seal(&keys, &("list", 1), &place()).unwrap();
        assert!(token.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b)), "{token}");
        assert_eq!(open::<Place>(&keys, &("list", 1), &token).unwrap(), place());
        for list in [("list", 2), ("lists", 1)] {
            let error = open::<Place>(&keys, &list, &token).unwrap_err().to_string();
            assert!(error.contains("`cursor`") && error.contains("start again"), "{error}");
        }
    }

    #[test]
    fn nothing_of_a_token_can_be_changed() {
        let keys = keys("a");
        let token = seal(&keys, &1, &place()).unwrap();
        for at in 0..token.len() {
            for other in "AQgw-_9=+/ %".chars().filter(|other| !token[at..].starts_with(*other)) {
                let forged = format!("{}{other}{}", &token[..at], &token[at + 1..]);
                assert!(open::<Place>(&keys, &1, &forged).is_err(), "{forged}");
            }
            let (cut, grown) = (&token[..at], format!("{}A{}", &token[..at], &token[at..]));
            assert!(open::<Place>(&keys, &1, cut).is_err() && open::<Place>(&keys, &1, &grown).is_err());
        }
        for forged in [format!("{token}A"), format!("{token}="), "é".to_owned(), "A".repeat(1_000_000)] {
            assert!(open::<Place>(&keys, &1, &forged).is_err());
        }
    }

    #[test]
    fn a_rotation_keeps_the_tokens_of_the_old_key() {
        let (old, new) = ("a".repeat(32), "b".repeat(32));
        let token = seal(&keys("a"), &1, &place()).unwrap();
        let rotated = Keys::new(&new.as_str().into(), Some(&old.as_str().into()));
        assert_eq!(open::<Place>(&rotated, &1, &token).unwrap(), place());
        assert!(open::<Place>(&keys("b"), &1, &token).is_err());
    }
}
