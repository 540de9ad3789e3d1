//! A device's private key: made on the device, kept there, used to sign.

use aws_lc_rs::{
    encoding::{AsDer as _, PublicKeyX509Der},
    rand::SystemRandom,
    rsa::KeySize,
    signature::{self, Ed25519KeyPair, KeyPair as _, RsaKeyPair},
};

use super::{CanonicalRequest, InvalidField, SignatureAlgorithm, encode_signature};

const PEM_LABEL: &str = "PRIVATE KEY";

/// Which kind of key to make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyAlgorithm {
    /// RSA with 4096 bits; takes seconds to make, tens of seconds on a small board.
    Rsa4096,
    /// Ed25519: the light choice.
    Ed25519,
}

/// Why a private key cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SigningKeyError {
    /// The random generator or the library failed.
    #[error("the key could not be generated")]
    Generate,
    /// The file holds no private key that is supported.
    #[error("the file holds no PKCS#8 private key of a supported kind (RSA of 3072 to 8192 bits, Ed25519)")]
    Parse,
    /// The library refused to sign.
    #[error("the request could not be signed")]
    Sign,
    /// The request cannot be signed as it is.
    #[error(transparent)]
    Field(#[from] InvalidField),
}

/// A private key in memory.
pub struct SigningKey {
    kind: Kind,
    pkcs8: Vec<u8>,
}

enum Kind {
    Rsa(Box<RsaKeyPair>),
    Ed25519(Ed25519KeyPair),
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SigningKey").field("algorithm", &self.algorithm()).finish_non_exhaustive()
    }
}

impl SigningKey {
    /// Makes a new key. Takes long for RSA: call it off the async threads.
    pub fn generate(algorithm: KeyAlgorithm) -> Result<Self, SigningKeyError> {
        let pkcs8 = match algorithm {
            KeyAlgorithm::Rsa4096 => aws_lc_rs::rsa::PrivateDecryptingKey::generate(KeySize::Rsa4096)
                .and_then(|key| Ok(key.as_der()?.as_ref().to_vec()))
                .map_err(|_| SigningKeyError::Generate)?,
            KeyAlgorithm::Ed25519 => Ed25519KeyPair::generate_pkcs8(&SystemRandom::new())
                .map_err(|_| SigningKeyError::Generate)?
                .as_ref()
                .to_vec(),
        };
        Self::from_pkcs8(pkcs8)
    }

    /// Reads a PKCS#8 PEM file's text.
    pub fn from_pem(text: &str) -> Result<Self, SigningKeyError> {
        let block = pem::parse(text).map_err(|_| SigningKeyError::Parse)?;
        if block.tag() != PEM_LABEL {
            return Err(SigningKeyError::Parse);
        }
        Self::from_pkcs8(block.into_contents())
    }

    /// The key as PKCS#8 PEM: a secret.
    pub fn to_pem(&self) -> String {
        encode_pem(PEM_LABEL, self.pkcs8.clone())
    }

    /// The public half as SPKI PEM, for registering.
    pub fn public_key_pem(&self) -> Result<String, SigningKeyError> {
        Ok(encode_pem("PUBLIC KEY", self.public_key_der()?))
    }

    /// The public half as SPKI DER.
    pub fn public_key_der(&self) -> Result<Vec<u8>, SigningKeyError> {
        let der: PublicKeyX509Der<'_> = match &self.kind {
            Kind::Rsa(pair) => pair.public_key().as_der(),
            Kind::Ed25519(pair) => pair.public_key().as_der(),
        }
        .map_err(|_| SigningKeyError::Parse)?;
        Ok(der.as_ref().to_vec())
    }

    /// How this key signs.
    pub fn algorithm(&self) -> SignatureAlgorithm {
        match self.kind {
            Kind::Rsa(_) => SignatureAlgorithm::RsaPssSha256,
            Kind::Ed25519(_) => SignatureAlgorithm::Ed25519,
        }
    }

    /// Signs a request; gives the text for the signature's header.
    pub fn sign(&self, request: &CanonicalRequest<'_>) -> Result<String, SigningKeyError> {
        let text = request.text()?;
        Ok(encode_signature(&self.sign_bytes(text.as_bytes())?))
    }

    /// Signs bytes that are no request; their first line must say what they are.
    pub fn sign_bytes(&self, text: &[u8]) -> Result<Vec<u8>, SigningKeyError> {
        match &self.kind {
            Kind::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&signature::RSA_PSS_SHA256, &SystemRandom::new(), text, &mut signature)
                    .map_err(|_| SigningKeyError::Sign)?;
                Ok(signature)
            }
            Kind::Ed25519(pair) => Ok(pair.sign(text).as_ref().to_vec()),
        }
    }

    fn from_pkcs8(pkcs8: Vec<u8>) -> Result<Self, SigningKeyError> {
        let kind = match Ed25519KeyPair::from_pkcs8_maybe_unchecked(&pkcs8) {
            Ok(pair) => Kind::Ed25519(pair),
            Err(_) => {
                Kind::Rsa(Box::new(RsaKeyPair::from_pkcs8(&pkcs8).map_err(|_| SigningKeyError::Parse)?))
            }
        };
        Ok(Self { kind, pkcs8 })
    }
}

fn encode_pem(label: &str, der: Vec<u8>) -> String {
    pem::encode_config(
        &pem::Pem::new(label, der),
        pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signing::{InvalidPublicKey, PublicKey, decode_signature};

    fn request(body: &[u8]) -> CanonicalRequest<'_> {
        CanonicalRequest {
            method: "POST",
            path: "/api/v1/devices/x/heartbeat",
            query: "",
            device_id: "x",
            timestamp: "1",
            challenge: None,
            body,
        }
    }

    fn signs_and_verifies(algorithm: KeyAlgorithm) {
        let key = SigningKey::generate(algorithm).unwrap();
        let again = SigningKey::from_pem(&key.to_pem()).unwrap();
        let public = PublicKey::from_pem(&key.public_key_pem().unwrap(), None).unwrap();
        assert_eq!(public.algorithm(), key.algorithm());
        let signature = decode_signature(&again.sign(&request(b"body")).unwrap()).unwrap();
        assert!(public.verify(request(b"body").text().unwrap().as_bytes(), &signature));
        assert!(!public.verify(request(b"other").text().unwrap().as_bytes(), &signature));
        assert!(!public.verify(request(b"body").text().unwrap().as_bytes(), &signature[1..]));
        assert!(!format!("{key:?}").contains("PRIVATE"));
    }

    #[test]
    fn an_ed25519_key_signs_what_its_public_half_verifies() {
        signs_and_verifies(KeyAlgorithm::Ed25519);
    }

    #[test]
    fn an_rsa_key_signs_what_its_public_half_verifies() {
        signs_and_verifies(KeyAlgorithm::Rsa4096);
    }

    #[test]
    fn pkcs1_and_spki_of_one_key_have_one_fingerprint_and_weak_keys_are_refused() {
        let pair = RsaKeyPair::generate(KeySize::Rsa3072).unwrap();
        let pkcs1 = encode_pem("RSA PUBLIC KEY", pair.public_key().as_ref().to_vec());
        let spki: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
        let spki = encode_pem("PUBLIC KEY", spki.as_ref().to_vec());
        let one = PublicKey::from_pem(&pkcs1, None).unwrap();
        let two = PublicKey::from_pem(&spki, Some(SignatureAlgorithm::RsaPkcs1Sha256)).unwrap();
        assert_eq!(one.fingerprint(), two.fingerprint());
        assert_eq!(
            PublicKey::from_pem(&spki, Some(SignatureAlgorithm::Ed25519)),
            Err(InvalidPublicKey::Mismatch("ed25519"))
        );

        let weak = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        let weak = encode_pem("RSA PUBLIC KEY", weak.public_key().as_ref().to_vec());
        assert_eq!(PublicKey::from_pem(&weak, None), Err(InvalidPublicKey::RsaBits(2048)));
    }

    #[test]
    fn what_is_no_public_key_is_refused_with_the_reason() {
        let key = SigningKey::generate(KeyAlgorithm::Ed25519).unwrap();
        let label = PublicKey::from_pem(&key.to_pem(), None).unwrap_err();
        assert_eq!(label, InvalidPublicKey::WrongLabel("PRIVATE KEY".to_owned()));
        let mut der = key.public_key_der().unwrap();
        der.push(0);
        let trailing = PublicKey::from_pem(&encode_pem("PUBLIC KEY", der), None);
        assert_eq!(trailing, Err(InvalidPublicKey::Damaged));
        for text in ["", "test-key-1", "-----BEGIN PUBLIC KEY-----\nAAAA"] {
            assert_eq!(PublicKey::from_pem(text, None), Err(InvalidPublicKey::NotPem), "{text}");
        }
    }
}
