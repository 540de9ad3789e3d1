//! What a device that nobody knows yet sends: headers, what is signed, and keys.

use kernex_api::signing::{
    CanonicalRequest, PublicKey, SignatureAlgorithm, SigningKey, decode_signature, encode_signature,
};

/// A key whose private half nobody has kept.
const KEY: &str = "-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=
-----END PUBLIC KEY-----
";
const ALGORITHMS: [Option<SignatureAlgorithm>; 4] = [
    None,
    Some(SignatureAlgorithm::RsaPssSha256),
    Some(SignatureAlgorithm::RsaPkcs1Sha256),
    Some(SignatureAlgorithm::Ed25519),
];

/// Headers and body, each ended by a line end; the same bytes as PEM and as DER.
pub fn signing(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    for algorithm in ALGORITHMS {
        if let Ok(key) = PublicKey::from_pem(&text, algorithm) {
            check_key(&key);
        }
        if let Ok(key) = PublicKey::from_spki(data.to_vec(), algorithm) {
            assert_eq!(key.spki(), data);
            check_key(&key);
        }
    }
    if let Ok(key) = SigningKey::from_pem(&text) {
        assert!(PublicKey::from_pem(&key.public_key_pem().unwrap(), Some(key.algorithm())).is_ok());
    }
    check_request(&text, data);
}

fn check_key(key: &PublicKey) {
    assert!(!key.verify(b"text", b"no signature"));
    assert_eq!(key.fingerprint().len(), 64);
    let again = PublicKey::from_spki(key.spki().to_vec(), Some(key.algorithm()));
    assert!(again.is_ok(), "a key that was accepted is accepted again");
}

fn check_request(text: &str, body: &[u8]) {
    let mut parts = text.splitn(8, '\n');
    let mut part = || parts.next().unwrap_or_default();
    let request = CanonicalRequest {
        method: part(),
        path: part(),
        query: part(),
        device_id: part(),
        timestamp: part(),
        challenge: Some(part()),
        body,
    };
    let signature = part();
    if let Ok(signed) = request.text() {
        // Eight lines, whatever the fields hold: no field can look like another.
        let lines: Vec<_> = signed.split('\n').collect();
        assert_eq!((lines.len(), lines[8], lines[7].len()), (9, "", 64));
        let fields = [request.method, request.path, request.query, request.device_id, request.timestamp];
        assert_eq!(lines[1..6], fields);
        let key = PublicKey::from_pem(KEY, None).expect("the key in this file is good");
        let forged = decode_signature(signature).unwrap_or_default();
        assert!(!key.verify(signed.as_bytes(), &forged), "a signature was guessed");
    }
    if let Some(bytes) = decode_signature(signature) {
        assert_eq!(decode_signature(&encode_signature(&bytes)), Some(bytes));
    }
}
