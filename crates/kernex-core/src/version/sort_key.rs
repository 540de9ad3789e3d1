//! A text per version that sorts byte by byte as the versions do, so that a database can compare versions by an index.
//!
//! On semantic versions the order is that of the `semver` crate. Beyond them, a release may have any number of numeric parts
//! (`1.4` is `1.4.0`, `2026.1.31.2` works) and leading zeros. Digits are written behind a sign for their number, so that
//! `10` follows `9`; a part that is missing sorts before every part that is there.

/// Longer texts have no key. As long as a bundle's version may be.
const MAX_BYTES: usize = 64;

/// Ends a list of parts: before every sign that begins a part.
const END: char = '!';

/// The key of a version; `None` when the text is no version that has a place in an order, such as `nightly`.
pub fn sort_key(text: &str) -> Option<String> {
    if text.is_empty() || text.len() > MAX_BYTES || !text.is_ascii() {
        return None;
    }
    let text = text.strip_prefix('v').unwrap_or(text);
    let (text, build) = split(text, '+');
    let (release, pre) = split(text, '-');
    let mut key = String::with_capacity(text.len() * 2 + 8);
    push_release(&mut key, release)?;
    match pre {
        None => key.push('z'),
        Some(pre) => {
            key.push('a');
            push_identifiers(&mut key, pre, true)?;
        }
    }
    push_identifiers(&mut key, build.unwrap_or_default(), build.is_some())?;
    Some(key)
}

fn split(text: &str, sign: char) -> (&str, Option<&str>) {
    text.split_once(sign).map_or((text, None), |(before, after)| (before, Some(after)))
}

fn push_release(key: &mut String, release: &str) -> Option<()> {
    let parts: Vec<&str> = release.split('.').collect();
    if parts.iter().any(|part| part.is_empty() || !is_number(part)) {
        return None;
    }
    let zero = |part: &&&str| part.bytes().all(|digit| digit == b'0');
    let trailing_zeros = parts.iter().rev().take_while(zero).count();
    for part in &parts[..parts.len() - trailing_zeros] {
        push_number(key, part);
    }
    key.push(END);
    Some(())
}

/// Numbers before words, fewer before more. What `semver` calls build metadata has one empty part when there is none.
fn push_identifiers(key: &mut String, text: &str, demanded: bool) -> Option<()> {
    for part in text.split('.') {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        if demanded && part.is_empty() || !part.bytes().all(allowed) {
            return None;
        }
        if is_number(part) {
            key.push('1');
            push_number(key, part);
            key.push(sign_of(part.len())); // 0 < 00 < 1 < 01
        } else {
            key.push('2');
            key.push_str(part);
            key.push(END);
        }
    }
    key.push(END);
    Some(())
}

fn push_number(key: &mut String, digits: &str) {
    let digits = digits.trim_start_matches('0');
    key.push(sign_of(digits.len()));
    key.push_str(digits);
}

/// One printable sign for a number of digits up to 64, in order.
fn sign_of(digits: usize) -> char {
    char::from(b'0'.saturating_add(u8::try_from(digits).unwrap_or(u8::MAX)).min(b'~'))
}

fn is_number(part: &str) -> bool {
    part.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn keys_sort_as_the_versions_do() {
        let ascending = [
            "0",
            "0.0.1",
            "0.9",
            "0.10",
            "1.0.0-alpha",
            "1.0.0-alpha.1",
            "1.0.0-alpha.beta",
            "1.0.0-beta",
            "1.0.0-beta.2",
            "1.0.0-beta.11",
            "1.0.0-rc.1",
            "1.0.0",
            "1.0.0+1",
            "1.0.0+b",
            "1.0.0.1",
            "1.4",
            "1.10",
            "2",
            "9.99.99",
            "10",
            "2026.1.31",
            "2026.02.01",
            "99999999999999999999999999999999999999",
        ];
        for pair in ascending.windows(2) {
            let (less, more) = (sort_key(pair[0]).unwrap(), sort_key(pair[1]).unwrap());
            assert!(less < more, "{} {less} {} {more}", pair[0], pair[1]);
        }
        assert_eq!(sort_key("v1.4"), sort_key("1.4.0"));
        assert_eq!(sort_key("01.4"), sort_key("1.4.0.0"));
    }

    #[test]
    fn what_has_no_place_in_an_order_has_no_key() {
        let long = "1".repeat(65);
        for text in
            ["", "v", "nightly", "1..2", "1.x", "1.0-", "1.0+", "1.0-a..b", ".1", "1.", "-1", "1.0-ä", &long]
        {
            assert_eq!(sort_key(text), None, "{text}");
        }
    }

    fn version() -> impl Strategy<Value = String> {
        let part = "(0|[1-9][0-9]{0,2}|[a-z-]{1,3}|[0-9a-c]{1,3}[a-c])";
        let list = format!("{part}(\\.{part}){{0,2}}");
        let number = "(0|[1-9][0-9]?)";
        let text = format!("{number}\\.{number}\\.{number}(-{list})?(\\+{list}(\\.0{{1,2}}[0-9])?)?");
        proptest::string::string_regex(&text).unwrap()
    }

    proptest! {
        #[test]
        fn on_semantic_versions_the_order_is_that_of_semver(a in version(), b in version()) {
            let (Ok(left), Ok(right)) = (semver::Version::parse(&a), semver::Version::parse(&b)) else { return Ok(()) };
            prop_assert_eq!(sort_key(&a).cmp(&sort_key(&b)), left.cmp(&right), "{} {}", a, b);
        }

        #[test]
        fn any_text_has_a_printable_key_or_none(text in "\\PC{0,70}") {
            if let Some(key) = sort_key(&text) {
                prop_assert!(key.bytes().all(|byte| byte.is_ascii_graphic()), "{}", key);
            }
        }
    }
}
