//! A device's public key: read, judged, and used to verify.

use aws_lc_rs::{digest, signature};
use serde::{Deserialize, Serialize};
use spki::{
    AlgorithmIdentifierRef, ObjectIdentifier, SubjectPublicKeyInfoRef,
    der::{AnyRef, Decode as _, Encode as _, asn1::BitStringRef},
};
use utoipa::ToSchema;

const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");

/// Largest PEM that is looked at; an RSA-8192 key takes 1.5 KiB.
const MAX_PEM_BYTES: usize = 8 * 1024;
const MIN_RSA_BITS: usize = 3072;
const MAX_RSA_BITS: usize = 8192;

/// How a key signs. It belongs to the registered key and is never read from a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
pub enum SignatureAlgorithm {
    /// RSASSA-PSS with SHA-256 and a salt of 32 bytes; the default for RSA keys.
    #[serde(rename = "rsa-pss-sha256")]
    RsaPssSha256,
    /// RSASSA-PKCS1-v1_5 with SHA-256, as `openssl dgst -sha256 -sign` makes it.
    #[serde(rename = "rsa-pkcs1-sha256")]
    RsaPkcs1Sha256,
    /// Ed25519.
    #[serde(rename = "ed25519")]
    Ed25519,
    /// ECDSA on P-256 with SHA-256; the signature is ASN.1 DER, as OpenSSL makes it.
    #[serde(rename = "ecdsa-p256-sha256")]
    EcdsaP256Sha256,
}

impl SignatureAlgorithm {
    /// The algorithm as the wire and the database spell it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RsaPssSha256 => "rsa-pss-sha256",
            Self::RsaPkcs1Sha256 => "rsa-pkcs1-sha256",
            Self::Ed25519 => "ed25519",
            Self::EcdsaP256Sha256 => "ecdsa-p256-sha256",
        }
    }
}

impl std::str::FromStr for SignatureAlgorithm {
    type Err = InvalidPublicKey;
    fn from_str(text: &str) -> Result<Self, InvalidPublicKey> {
        [Self::RsaPssSha256, Self::RsaPkcs1Sha256, Self::Ed25519, Self::EcdsaP256Sha256]
            .into_iter()
            .find(|algorithm| algorithm.as_str() == text)
            .ok_or(InvalidPublicKey::Unsupported)
    }
}

/// Why a key is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPublicKey {
    /// No PEM.
    #[error("public_key is not PEM of at most 8 KiB")]
    NotPem,
    /// PEM of something else.
    #[error("public_key is PEM of `{0}`; expected `PUBLIC KEY` or `RSA PUBLIC KEY`")]
    WrongLabel(String),
    /// Bytes that are no key.
    #[error("public_key is damaged: its PEM does not hold a public key")]
    Damaged,
    /// A kind of key that is not supported.
    #[error("public_key is of a kind that is not supported; RSA, Ed25519 and ECDSA on P-256 are")]
    Unsupported,
    /// An RSA modulus that is too short or too long.
    #[error("public_key is RSA with {0} bits; 3072 to 8192 are accepted")]
    RsaBits(usize),
    /// An RSA exponent other than 65537.
    #[error("public_key is RSA with another public exponent than 65537")]
    RsaExponent,
    /// An algorithm that does not fit the key.
    #[error("signature_algorithm `{0}` does not fit the public_key")]
    Mismatch(&'static str),
}

/// A public key that passed every check, with the algorithm that it signs with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    spki: Vec<u8>,
    algorithm: SignatureAlgorithm,
}

impl PublicKey {
    /// Reads a PEM key (SPKI or PKCS#1) and decides how it signs: as asked, if that fits, else by the kind of key.
    pub fn from_pem(text: &str, algorithm: Option<SignatureAlgorithm>) -> Result<Self, InvalidPublicKey> {
        if text.len() > MAX_PEM_BYTES {
            return Err(InvalidPublicKey::NotPem);
        }
        let block = pem::parse(text).map_err(|_| InvalidPublicKey::NotPem)?;
        let spki = match block.tag() {
            "PUBLIC KEY" => block.into_contents(),
            "RSA PUBLIC KEY" => wrap_pkcs1(block.contents())?,
            other => return Err(InvalidPublicKey::WrongLabel(other.chars().take(40).collect())),
        };
        Self::from_spki(spki, algorithm)
    }

    /// From the stored form.
    pub fn from_spki(spki: Vec<u8>, algorithm: Option<SignatureAlgorithm>) -> Result<Self, InvalidPublicKey> {
        let default = judge(&spki)?;
        let algorithm = algorithm.unwrap_or(default);
        let fits = algorithm == default
            || (default == SignatureAlgorithm::RsaPssSha256
                && algorithm == SignatureAlgorithm::RsaPkcs1Sha256);
        if fits { Ok(Self { spki, algorithm }) } else { Err(InvalidPublicKey::Mismatch(algorithm.as_str())) }
    }

    /// The key as DER SubjectPublicKeyInfo.
    pub fn spki(&self) -> &[u8] {
        &self.spki
    }

    /// How the key signs.
    pub fn algorithm(&self) -> SignatureAlgorithm {
        self.algorithm
    }

    /// SHA-256 of the SPKI, lower-case hex: the same for every spelling of the same key.
    pub fn fingerprint(&self) -> String {
        hex::encode(digest::digest(&digest::SHA256, &self.spki))
    }

    /// Whether the signature over the text is this key's.
    pub fn verify(&self, text: &[u8], signature: &[u8]) -> bool {
        let algorithm: &dyn signature::VerificationAlgorithm = match self.algorithm {
            SignatureAlgorithm::RsaPssSha256 => &signature::RSA_PSS_2048_8192_SHA256,
            SignatureAlgorithm::RsaPkcs1Sha256 => &signature::RSA_PKCS1_2048_8192_SHA256,
            SignatureAlgorithm::Ed25519 => &signature::ED25519,
            SignatureAlgorithm::EcdsaP256Sha256 => &signature::ECDSA_P256_SHA256_ASN1,
        };
        signature::UnparsedPublicKey::new(algorithm, &self.spki).verify(text, signature).is_ok()
    }
}

/// The kind of key in an SPKI, if it is one that is strong enough; trailing bytes are refused.
fn judge(der: &[u8]) -> Result<SignatureAlgorithm, InvalidPublicKey> {
    let info = SubjectPublicKeyInfoRef::from_der(der).map_err(|_| InvalidPublicKey::Damaged)?;
    let key = info.subject_public_key.as_bytes().ok_or(InvalidPublicKey::Damaged)?;
    match info.algorithm.oid {
        RSA => judge_rsa(key),
        ED25519 if key.len() == 32 => Ok(SignatureAlgorithm::Ed25519),
        ED25519 => Err(InvalidPublicKey::Damaged),
        EC if info.algorithm.parameters_oid().ok() == Some(P256) => {
            if key.len() == 65 && key[0] == 4 {
                Ok(SignatureAlgorithm::EcdsaP256Sha256)
            } else {
                Err(InvalidPublicKey::Damaged)
            }
        }
        _ => Err(InvalidPublicKey::Unsupported),
    }
}

fn judge_rsa(pkcs1: &[u8]) -> Result<SignatureAlgorithm, InvalidPublicKey> {
    let key = pkcs1::RsaPublicKey::from_der(pkcs1).map_err(|_| InvalidPublicKey::Damaged)?;
    let modulus = key.modulus.as_bytes();
    let bits = modulus.first().map_or(0, |first| modulus.len() * 8 - first.leading_zeros() as usize);
    if !(MIN_RSA_BITS..=MAX_RSA_BITS).contains(&bits) {
        return Err(InvalidPublicKey::RsaBits(bits));
    }
    if key.public_exponent.as_bytes() != [1, 0, 1] {
        return Err(InvalidPublicKey::RsaExponent);
    }
    Ok(SignatureAlgorithm::RsaPssSha256)
}

fn wrap_pkcs1(pkcs1: &[u8]) -> Result<Vec<u8>, InvalidPublicKey> {
    let info = SubjectPublicKeyInfoRef {
        algorithm: AlgorithmIdentifierRef { oid: RSA, parameters: Some(AnyRef::NULL) },
        subject_public_key: BitStringRef::from_bytes(pkcs1).map_err(|_| InvalidPublicKey::Damaged)?,
    };
    info.to_der().map_err(|_| InvalidPublicKey::Damaged)
}
