//! The schema's patterns. Each is a function of its own: a library for regular expressions would weigh more than all of them.

/// Whether a text matches one of the schema's patterns. One that is not known here matches nothing; a test looks that all are.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    PATTERNS.iter().any(|(known, matches)| *known == pattern && matches(text))
}

/// A pattern as it stands in the schema, and what matches it.
type Pattern = (&'static str, fn(&str) -> bool);

/// All of them.
pub(super) const PATTERNS: &[Pattern] = &[
    ("^[A-Za-z0-9._+-]*$", |text| text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._+-".contains(&b))),
    ("^[a-z0-9._-]*$", |text| {
        text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b))
    }),
    ("^[^\\x00]*$", |text| !text.contains('\0')),
    ("^[0-9a-f]{64}$", |text| {
        text.len() == 64 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    }),
    ("^(?!KERNEX_)[A-Za-z_][A-Za-z0-9_]*$", |text| !text.starts_with("KERNEX_") && is_identifier(text)),
    ("^http://[^\\s/]+(/\\S*)?$", |text| text.strip_prefix("http://").is_some_and(is_host_and_path)),
    ("^https?://[^\\s/]+(/\\S*)?$", |text| {
        let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        rest.is_some_and(is_host_and_path)
    }),
    ("^[^\\s/]+:[0-9]{1,5}$", |text| {
        text.rsplit_once(':').is_some_and(|(host, port)| {
            is_host(host) && (1..=5).contains(&port.len()) && port.bytes().all(|b| b.is_ascii_digit())
        })
    }),
    ("^v?[0-9]+(\\.[0-9]+){0,2}(-[0-9A-Za-z.-]+)?(\\+[0-9A-Za-z.-]+)?$", is_version),
];

fn is_identifier(text: &str) -> bool {
    let mut bytes = text.bytes();
    let is_letter = |b: u8| b.is_ascii_alphabetic() || b == b'_';
    bytes.next().is_some_and(is_letter) && bytes.all(|b| is_letter(b) || b.is_ascii_digit())
}

fn is_host_and_path(text: &str) -> bool {
    let (host, path) = text.split_once('/').unwrap_or((text, ""));
    is_host(host) && !path.contains(is_space)
}

fn is_host(text: &str) -> bool {
    !text.is_empty() && !text.contains(|c| c == '/' || is_space(c))
}

/// White space as JavaScript's regular expressions, and so JSON Schema, know it.
fn is_space(c: char) -> bool {
    c == '\u{feff}' || (c.is_whitespace() && c != '\u{85}')
}

fn is_version(text: &str) -> bool {
    let text = text.strip_prefix('v').unwrap_or(text);
    let (text, build) = match text.split_once('+') {
        Some((text, build)) => (text, Some(build)),
        None => (text, None),
    };
    let (numbers, label) = match text.split_once('-') {
        Some((numbers, label)) => (numbers, Some(label)),
        None => (text, None),
    };
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let is_label = |part: &str| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.' || b == b'-')
    };
    numbers.split('.').count() <= 3
        && numbers.split('.').all(is_number)
        && [label, build].into_iter().flatten().all(is_label)
}
