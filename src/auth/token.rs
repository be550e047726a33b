//! Access tokens: short-lived JWTs, HS256 and nothing else.
//!
//! Each key has an id, made from the key; a token names its key's id, and the key decides the algorithm, so
//! that a token cannot choose one. Two keys may be live: the current one signs, both verify. Refresh tokens
//! are not JWTs: they are random, kept hashed, and `account`'s business.
//!
//! The same secrets also seal what clients carry for us, under keys made for that alone.

use std::sync::Once;

use hmac::{Hmac, KeyInit, Mac};
use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey, Header, Validation,
    crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils},
    signature,
};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::Role;

/// How long an access token lives.
pub const LIFETIME_SECONDS: i64 = 600;
/// Bytes of a seal: nobody guesses one of 2¹²⁸, online as it has to be.
pub const SEAL_BYTES: usize = 16;
/// Makes a key for seals of a secret, so that a seal is never a token's signature.
const SEAL_KEYS: &[u8] = b"duka seals, 1";
const ISSUER: &str = "duka";
const AUDIENCE: &str = "duka-api";
/// Clocks of two nodes may differ by this much.
const LEEWAY_SECONDS: u64 = 5;

/// What an access token says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// The user's id, in decimal.
    pub sub: String,
    /// The session that it belongs to.
    pub sid: i64,
    /// The role when it was issued.
    pub role: Role,
    iss: String,
    aud: String,
    /// Seconds since 1970.
    iat: i64,
    exp: i64,
}

/// Signs and verifies access tokens.
pub struct Keys {
    signing: EncodingKey,
    signing_id: String,
    verifying: Vec<(String, DecodingKey)>,
    /// The first one seals, all of them verify.
    seals: Vec<Hmac<Sha256>>,
}

impl Keys {
    /// Keys from the current secret and, while a rotation lasts, the one before it.
    pub fn new(current: &SecretString, previous: Option<&SecretString>) -> Self {
        install_provider();
        let secrets =
            std::iter::once(current).chain(previous).map(|secret| secret.expose_secret().as_bytes());
        let verifying = secrets.clone().map(|bytes| (key_id(bytes), DecodingKey::from_secret(bytes)));
        let seals = secrets.map(sealing_key);
        let (verifying, seals) = (verifying.collect(), seals.collect());
        let bytes = current.expose_secret().as_bytes();
        Self { signing: EncodingKey::from_secret(bytes), signing_id: key_id(bytes), verifying, seals }
    }

    /// What only holders of the current secret can make of the text. Texts of different meanings must differ in
    /// how they begin.
    pub fn seal(&self, text: &[u8]) -> [u8; SEAL_BYTES] {
        let mut seal = [0; SEAL_BYTES];
        if let Some(key) = self.seals.first() {
            let full = key.clone().chain_update(text).finalize().into_bytes();
            seal.copy_from_slice(&full[..SEAL_BYTES]);
        }
        seal
    }

    /// Whether it is this text's seal, by the current secret or, while a rotation lasts, by the one before it.
    pub fn is_sealed(&self, text: &[u8], seal: &[u8; SEAL_BYTES]) -> bool {
        self.seals.iter().any(|key| key.clone().chain_update(text).verify_truncated_left(seal).is_ok())
    }

    /// A token for the user that lives [`LIFETIME_SECONDS`] from `now` (seconds since 1970).
    ///
    /// # Errors
    /// None that is known of; the library's signature has one.
    pub fn issue(
        &self,
        user_id: i64,
        session_id: i64,
        role: Role,
        now: i64,
    ) -> Result<String, jsonwebtoken::errors::Error> {
        let claims = Claims {
            sub: user_id.to_string(),
            sid: session_id,
            role,
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
            iat: now,
            exp: now + LIFETIME_SECONDS,
        };
        let header = Header { kid: Some(self.signing_id.clone()), ..Header::new(Algorithm::HS256) };
        jsonwebtoken::encode(&header, &claims, &self.signing)
    }

    /// The claims of a token that is ours and has not expired.
    pub fn verify(&self, token: &str) -> Option<Claims> {
        let header = jsonwebtoken::decode_header(token).ok()?;
        let wanted = header.kid?;
        let (_, key) = self.verifying.iter().find(|(id, _)| *id == wanted)?;
        let mut validation = Validation::new(Algorithm::HS256);
        validation.leeway = LEEWAY_SECONDS;
        validation.validate_nbf = true;
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[AUDIENCE]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        Some(jsonwebtoken::decode::<Claims>(token, key, &validation).ok()?.claims)
    }
}

/// The first eight bytes of the key's SHA-256: tells keys apart and says nothing of them.
fn key_id(secret: &[u8]) -> String {
    Sha256::digest(secret).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// The key that seals are made with: the hash of the secret, after words that nothing else hashes it with.
fn sealing_key(secret: &[u8]) -> Hmac<Sha256> {
    let hash = Sha256::new().chain_update(SEAL_KEYS).chain_update(secret).finalize();
    // As HMAC itself pads a key to its hash's block.
    let mut block = [0; 64];
    block[..hash.len()].copy_from_slice(&hash);
    Hmac::new(&block.into())
}

/// `jsonwebtoken` brings every algorithm or none; HS256 alone needs no RSA.
static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: |algorithm, key| match algorithm {
        Algorithm::HS256 => Ok(Box::new(Hs256::new(key.as_bytes())?)),
        _ => Err(jsonwebtoken::errors::ErrorKind::InvalidAlgorithm.into()),
    },
    verifier_factory: |algorithm, key| match algorithm {
        Algorithm::HS256 => Ok(Box::new(Hs256::new(key.try_get_as_bytes()?)?)),
        _ => Err(jsonwebtoken::errors::ErrorKind::InvalidAlgorithm.into()),
    },
    key_utils: KeyUtils::new_unimplemented(),
};

fn install_provider() {
    static ONCE: Once = Once::new();
    // A second installation would be an error; the provider is the same.
    ONCE.call_once(|| {
        let _ = PROVIDER.install_default();
    });
}

struct Hs256(Hmac<Sha256>);

impl Hs256 {
    fn new(key: &[u8]) -> Result<Self, jsonwebtoken::errors::Error> {
        let wrong = |_| jsonwebtoken::errors::ErrorKind::InvalidKeyFormat;
        Ok(Self(Hmac::new_from_slice(key).map_err(wrong)?))
    }
}

impl signature::Signer<Vec<u8>> for Hs256 {
    fn try_sign(&self, message: &[u8]) -> Result<Vec<u8>, signature::Error> {
        Ok(self.0.clone().chain_update(message).finalize().into_bytes().to_vec())
    }
}

impl signature::Verifier<Vec<u8>> for Hs256 {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), signature::Error> {
        let mac = self.0.clone().chain_update(message);
        mac.verify_slice(signature).map_err(|_| signature::Error::new())
    }
}

impl JwtSigner for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

impl JwtVerifier for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

#[cfg(test)]
mod tests {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as B64};
    use serde_json::{Value, json};

    use super::*;

    const SECRET: &str = "0123456789abcdef0123456789abcdef";
    const OTHER: &str = "fedcba9876543210fedcba9876543210";

    fn keys(current: &str, previous: Option<&str>) -> Keys {
        Keys::new(&current.into(), previous.map(SecretString::from).as_ref())
    }

    fn now() -> i64 {
        time::OffsetDateTime::now_utc().unix_timestamp()
    }

    fn forge(header: &Value, claims: &Value, secret: &str) -> String {
        let message = format!("{}.{}", B64.encode(header.to_string()), B64.encode(claims.to_string()));
        let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap().chain_update(&message);
        format!("{message}.{}", B64.encode(mac.finalize().into_bytes()))
    }

    fn claims() -> Value {
        json!({"sub": "7", "sid": 3, "role": "admin", "iss": ISSUER, "aud": AUDIENCE, "iat": now(), "exp": now() + 60})
    }

    #[test]
    fn agrees_with_the_standard() {
        let token = keys(SECRET, None).issue(7, 3, Role::Admin, now()).unwrap();
        let read = keys(SECRET, None).verify(&token).unwrap();
        assert_eq!((read.sub.as_str(), read.sid, read.role), ("7", 3, Role::Admin));
        // A token made by hand from RFC 7515 and 7519 is accepted too.
        let header = json!({"alg": "HS256", "typ": "JWT", "kid": key_id(SECRET.as_bytes())});
        assert!(keys(SECRET, None).verify(&forge(&header, &claims(), SECRET)).is_some());
    }

    #[test]
    fn a_seal_holds_for_its_text_and_its_key_alone() {
        let (ours, theirs) = (keys(SECRET, None), keys(OTHER, None));
        let seal = ours.seal(b"text");
        assert!(ours.is_sealed(b"text", &seal));
        assert!(!ours.is_sealed(b"texts", &seal) && !theirs.is_sealed(b"text", &seal));
        assert!(keys(OTHER, Some(SECRET)).is_sealed(b"text", &seal), "while a rotation lasts");
        assert_eq!(keys(OTHER, Some(SECRET)).seal(b"text"), theirs.seal(b"text"), "the current one seals");
        for at in 0..SEAL_BYTES * 8 {
            let mut forged = seal;
            forged[at / 8] ^= 1 << (at % 8);
            assert!(!ours.is_sealed(b"text", &forged));
        }
        let plain =
            Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap().chain_update("text").finalize();
        assert_ne!(seal[..], plain.into_bytes()[..SEAL_BYTES], "a token's key seals nothing");
    }

    #[test]
    fn refuses_what_is_not_ours() {
        let kid = key_id(SECRET.as_bytes());
        let header = |algorithm: &str| json!({"alg": algorithm, "typ": "JWT", "kid": kid});
        let without = |name: &str| {
            let mut claims = claims();
            claims.as_object_mut().unwrap().remove(name);
            claims
        };
        let with = |name: &str, value: Value| {
            let mut claims = claims();
            claims[name] = value;
            claims
        };
        let keys = keys(SECRET, None);
        for (case, token) in [
            ("other key", forge(&header("HS256"), &claims(), OTHER)),
            ("no key id", forge(&json!({"alg": "HS256"}), &claims(), SECRET)),
            ("none", forge(&header("none"), &claims(), SECRET)),
            ("other algorithm", forge(&header("HS512"), &claims(), SECRET)),
            ("expired", forge(&header("HS256"), &with("exp", json!(now() - 60)), SECRET)),
            ("no expiry", forge(&header("HS256"), &without("exp"), SECRET)),
            ("no subject", forge(&header("HS256"), &without("sub"), SECRET)),
            ("issuer", forge(&header("HS256"), &with("iss", json!("other")), SECRET)),
            ("audience", forge(&header("HS256"), &with("aud", json!("other")), SECRET)),
            ("role", forge(&header("HS256"), &with("role", json!("root")), SECRET)),
            ("garbage", "a.b.c".to_owned()),
            ("an algorithm of keys in public", forge(&header("RS256"), &claims(), SECRET)),
            ("an algorithm in another case", forge(&header("hs256"), &claims(), SECRET)),
            (
                "a key of its own",
                forge(&json!({"alg": "HS256", "kid": kid, "jwk": {"kty": "oct", "k": "eA"}}), &claims(), "x"),
            ),
            (
                "a key id that is a path",
                forge(&json!({"alg": "HS256", "kid": "../../dev/null"}), &claims(), ""),
            ),
            ("a key id that is a number", forge(&json!({"alg": "HS256", "kid": 1}), &claims(), SECRET)),
            ("an expiry in words", forge(&header("HS256"), &with("exp", json!("never")), SECRET)),
            ("an expiry without end", forge(&header("HS256"), &with("exp", json!(1e300)), SECRET)),
            ("a subject that is a number", forge(&header("HS256"), &with("sub", json!(1)), SECRET)),
            ("a session in words", forge(&header("HS256"), &with("sid", json!("3")), SECRET)),
            ("roles", forge(&header("HS256"), &with("role", json!(["admin"])), SECRET)),
            ("an audience among others", forge(&header("HS256"), &with("aud", json!(["other"])), SECRET)),
            ("an issuer among others", forge(&header("HS256"), &with("iss", json!({"duka": true})), SECRET)),
            ("not yet", forge(&header("HS256"), &with("nbf", json!(now() + 600)), SECRET)),
            ("claims twice over", format!("{}.x", forge(&header("HS256"), &claims(), SECRET))),
            ("no signature", {
                let whole = forge(&header("HS256"), &claims(), SECRET);
                format!("{}.", whole.rsplit_once('.').unwrap().0)
            }),
        ] {
            assert_eq!(keys.verify(&token), None, "{case}");
        }
    }

    #[test]
    fn a_rotation_keeps_the_tokens_of_the_old_key() {
        let old = keys(SECRET, None).issue(7, 3, Role::Customer, now()).unwrap();
        assert!(keys(OTHER, Some(SECRET)).verify(&old).is_some());
        assert!(keys(OTHER, None).verify(&old).is_none());
    }
}
