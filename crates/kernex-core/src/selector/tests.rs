use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::{DeviceHealth, Membership, Timestamp};

fn now() -> Timestamp {
    Timestamp::from_millis(1_800_000_000_000)
}

fn device() -> DeviceFacts {
    let tags = [("site", "berlin"), ("rack", "10"), ("status", "spare"), ("firmware", "2.10.1"), ("or", "x")];
    DeviceFacts {
        id: "019a0000-0000-7000-8000-00000000abcd".parse().unwrap(),
        display_name: Some("Camera North".to_owned()),
        device_type: Some("jetson".to_owned()),
        arch: Some("aarch64".to_owned()),
        key_fingerprint: format!("{:0<64}", "feed"),
        membership: Membership::Active,
        health: Some(DeviceHealth::Healthy),
        overdue_at: now().plus_secs(60),
        registered_at: "2026-12-31T12:00:00Z".parse().unwrap(),
        last_seen_at: Some(now().plus_secs(-3_600)),
        agent_version: Some("0.9.2".to_owned()),
        bundles: vec![
            ("detector".parse().unwrap(), "1.10".parse().unwrap()),
            ("ui".parse().unwrap(), "nightly".parse().unwrap()),
        ],
        tags: tags.map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
        groups: BTreeSet::from(["pilots".to_owned()]),
    }
}

fn matches(text: &str) -> bool {
    let selector: Selector =
        text.parse().unwrap_or_else(|error: SelectorError| panic!("{}", error.with_caret(text)));
    selector.matches(&device(), now())
}

#[test]
fn what_is_asked_for_is_what_the_device_is() {
    for yes in [
        "site=berlin and rack!=7 and bundle.version<1.11 and status=online and last_seen<2h and camera north",
        "*",
        "site=*",
        "floor!=*",
        "floor!=3",
        "not floor=3",
        "floor not in (3, 4)",
        "site in (paris, berlin)",
        "site not in (paris)",
        "(site=paris or site=berlin) and not type=pi",
        "rack>9 and rack<=10 and firmware>=2.9",
        "tag.status=spare and status in (online, degraded)",
        "name~camera",
        "name='Camera North'",
        r#"name="Camera North""#,
        "arch=aarch64",
        "device_type=jetson",
        "tag.or=x",
        "bundle=detector",
        "bundle.detector=1.10.0",
        "bundle.detector>1.9",
        "bundle.ui=nightly",
        "bundle.version=1.10",
        "bundle.ui=* and bundle.other!=*",
        "agent_version<1",
        "agent_version=0.9.2",
        "agent_version!=0.9",
        "last_seen>30m",
        "last_seen>=1h",
        "registered<30d",
        "registered>2026-12-01",
        "registered<2027-01-01T00:00:00+02:00",
        "group=pilots",
        "group!=others",
        "id=019A0000-0000-7000-8000-00000000abcd",
        "id!=019a0000-0000-7000-8000-000000000000",
        "019a0000-0000",
        "FEED0",
        "jetson",
        "BERLIN",
        "site==berlin",
        "SITE!=berlin",
        "NOT site=paris Or site=x",
    ] {
        assert!(matches(yes), "{yes}");
    }
    for no in [
        "not *",
        "site!=berlin",
        "site=Berlin",
        "site!=*",
        "floor=*",
        "floor=3",
        "floor<3",
        "rack<9",
        "rack=10.0",
        "site<2",
        "bundle.ui>0",
        "bundle.ui<9",
        "bundle.version>=1.11",
        "bundle.detector!=1.10.0",
        "bundle.detector!=*",
        "last_seen>2h",
        "last_seen<1h",
        "registered>2027-01-01",
        "registered<2d",
        "status=offline",
        "status!=online",
        "group=others",
        "name~south",
        "nothing",
        "-",
        "019b",
        "agent_version>=1",
        "camera and not north",
    ] {
        assert!(!matches(no), "{no}");
    }
}

#[test]
fn status_and_ages_move_with_the_clock() {
    let holds =
        |text: &str, secs| text.parse::<Selector>().unwrap().matches(&device(), now().plus_secs(secs));
    assert!(holds("status=online", 59) && !holds("status=online", 60) && holds("status=offline", 60));
    assert!(holds("last_seen<2h", 3_599) && !holds("last_seen<2h", 3_600));
    for (text, depends) in [
        ("site=x", false),
        ("registered>2026-01-01", false),
        ("not (a=b or last_seen>1h)", true),
        ("status=error", true),
    ] {
        assert_eq!(text.parse::<Selector>().unwrap().depends_on_time(), depends, "{text}");
    }
}

#[test]
fn a_selector_has_one_canonical_form() {
    for (text, canonical) in [
        ("  site = berlin   AND  model != jetson ", "site=berlin and model!=jetson"),
        ("a=1 b=2 free", "a=1 and b=2 and free"),
        ("((a=1)) or (b=2 and (c=3 and d=4))", "a=1 or b=2 and c=3 and d=4"),
        ("(a=1 or b=2) and c=3", "(a=1 or b=2) and c=3"),
        ("not a=1", "a!=1"),
        ("not not a=1", "not a!=1"),
        ("not (a=1 and b=2)", "not (a=1 and b=2)"),
        ("site in (berlin)", "site=berlin"),
        ("site not in ( x ,'y z', x)", r#"site not in (x, "y z")"#),
        ("not site in (x,y)", "site not in (x, y)"),
        ("type==pi", "device_type=pi"),
        (
            "tag.site=x tag.name=y tag.tag.z=1 tag.bundle.x=2",
            "site=x and tag.name=y and tag.tag.z=1 and tag.bundle.x=2",
        ),
        ("tag.in=x", "tag.in=x"),
        ("last_seen<90m", "last_seen<1h30m"),
        ("registered>=2026-01-31", "registered>=2026-01-31T00:00:00.000Z"),
        (r#"name="a \"b\" \\c" 'and'"#, r#"name="a \"b\" \\c" and "and""#),
        ("O'Hara 100% rack_7 a\\b café", "O'Hara and 100% and rack_7 and a\\b and café"),
        ("name=\"*\"", "name=\"*\""),
        ("*", "*"),
    ] {
        assert_eq!(text.parse::<Selector>().unwrap().to_string(), canonical, "{text}");
    }
}

#[test]
fn what_is_wrong_is_said_with_its_column() {
    let long = "x".repeat(257);
    let many = vec!["a=1"; 201].join(" or ");
    let deep = format!("{}a=1{}", "(".repeat(17), ")".repeat(17));
    let nots = format!("{}a=1", "not ".repeat(100));
    for (text, expected) in [
        ("", "column 1: a selector must say something"),
        ("site=", "column 6: a value is expected here"),
        ("site=berlin and", "column 16: a test is expected here"),
        ("site=berlin and or x=1", "column 17: `or` needs a test before and after it"),
        ("or a=1", "column 1: `or` needs a test"),
        ("=berlin", "column 1: a test is expected here"),
        ("(site=berlin", "column 1: this `(` is never closed"),
        ("site=berlin)", "column 12: this `)` closes nothing"),
        ("()", "column 2: there is nothing between the parentheses"),
        ("name='x", "column 6: this quote is never closed"),
        (r#"name="\x""#, "column 7: `\\` in quotes stands before"),
        ("name=a\u{7}", "column 7: a control character"),
        ("a=b=c", "column 4: `and`, `or` or the end is expected"),
        ("a ! b", "column 3: `!` stands only in `!=`"),
        ("\"site\"=x", "column 1: a field stands without quotes"),
        ("größe=x", "column 1: `größe` is neither a field nor a tag's key"),
        ("status=on", "column 8: `on` is none of: online"),
        ("status<online", "column 1: `status` cannot be compared by < <= > >=; possible is = != in"),
        ("status=*", "column 8: every device has `status`"),
        ("id=abc", "column 4: `abc` is no device id"),
        ("last_seen=2h", "column 11: `last_seen` is a time"),
        ("last_seen<soon", "column 11: `soon` is no age such as 90s"),
        ("last_seen<999999999w", "column 11: `999999999w` is no age"),
        ("registered in (2h)", "column 1: `registered` cannot be compared by in"),
        ("bundle.version<nightly", "column 16: `nightly` has no place in the order"),
        ("bundle.version=a/b", "column 16: version `a/b` is not allowed"),
        ("bundle.UP=1", "column 1: bundle name `UP` is not allowed"),
        ("bundle~x", "column 1: `bundle` cannot be compared by ~"),
        ("site in ()", "column 10: a value is expected here"),
        ("site in (a b)", "column 12: `,` or `)` is expected in a list"),
        ("site in (a,", "column 12: a value is expected here"),
        ("site in (a", "column 9: this `(` is never closed"),
        ("site in (*)", "column 10: `*` is no value of a list"),
        ("site=ber*", "column 6: `*` stands alone"),
        ("ber*", "column 1: free text finds parts"),
        ("site=and", "column 6: `and` must stand in quotes"),
        ("name~''", "column 6: the text to look for is empty"),
        (&long, "column 1: a value has at most 256 bytes"),
        (&many, "column 1401: more than 200 tests"),
        (&deep, "column 17: more than 16 parentheses"),
        (&nots, "column 65: more than 16 parentheses"),
        (&"a ".repeat(1_001), "column 1: a selector has at most 2000 bytes, this one has 2002"),
    ] {
        let error = text.parse::<Selector>().map(|selector| selector.to_string()).unwrap_err();
        assert!(error.to_string().starts_with(expected), "{text}: {error}");
    }
}

#[test]
fn an_error_points_at_its_place() {
    let text = "site=berlin and status=on and x";
    let error = text.parse::<Selector>().unwrap_err();
    let shown = error.with_caret(text);
    assert!(
        shown.starts_with("site=berlin and status=on and x\n                       ^^ `on` is none of:"),
        "{shown}"
    );
    let text = format!("{}status=on", "größe1 ".repeat(30));
    let shown = text.parse::<Selector>().unwrap_err().with_caret(&text);
    let lines: Vec<Vec<char>> = shown.lines().map(|line| line.chars().collect()).collect();
    let place = lines[1].iter().position(|c| *c == '^').unwrap();
    assert_eq!(lines[0][place..].iter().collect::<String>(), "on");
}

#[test]
fn named_groups_are_put_in_where_they_stand() {
    let selector: Selector = "group in (berlin, list) and not group=berlin".parse().unwrap();
    assert_eq!(selector.group_names(), ["berlin", "list"].into());
    let put_in = selector.with_groups(|name| (name == "berlin").then(|| "site=b or site=c".parse().unwrap()));
    assert_eq!(put_in.to_string(), "(site=b or site=c or group=list) and not (site=b or site=c)");
    assert_eq!(put_in.to_string().parse::<Selector>().unwrap(), put_in);
}

fn word() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z]{1,5}", "[ -~]{1,8}", "\\PC{1,6}", Just("and".to_owned()), Just("*".to_owned())]
}

fn test() -> impl Strategy<Value = String> {
    let quoted =
        word().prop_map(|word| format!("\"{}\"", word.replace('\\', "\\\\").replace('"', "\\\""))).boxed();
    let field = prop_oneof![
        Just("name".to_owned()),
        Just("arch".to_owned()),
        "[a-z]{1,4}",
        "tag\\.(status|in|and|tag\\.x|name|bundle\\.x|[A-Z]{2})",
    ]
    .boxed();
    prop_oneof![
        quoted.clone(),
        (field.clone(), "=|!=|~|==", quoted.clone())
            .prop_map(|(field, sign, value)| format!("{field} {sign} {value}")),
        (field.clone(), proptest::collection::vec(quoted, 1..4), "in|not in|IN")
            .prop_map(|(field, values, sign)| format!("{field} {sign} ({})", values.join(" , "))),
        field.prop_map(|field| format!("{field}=*")),
        ("bundle\\.(version|a|x\\.y)|agent_version", "<|<=|>|>=|=", "[0-9]{1,2}(\\.[0-9]){0,2}(-rc\\.1)?")
            .prop_map(|(field, sign, value)| format!("{field}{sign}{value}")),
        ("last_seen|registered", "<|<=|>|>=", "[0-9]{1,3}[smhdw]([0-9]{1,2}[smh])?|2026-0[1-9]-1[0-9]")
            .prop_map(|(field, sign, value)| format!("{field}{sign}{value}")),
        "status(=|!=)(online|error)|group=[a-z]{1,3}|\\*",
    ]
}

fn selector() -> impl Strategy<Value = String> {
    test().prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            (inner.clone(), " and | or | ", inner.clone()).prop_map(|(a, with, b)| format!("{a}{with}{b}")),
            inner.clone().prop_map(|a| format!("({a})")),
            inner.prop_map(|a| format!("not {a}")),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_printed_is_read_back(text in selector()) {
        let Ok(read) = text.parse::<Selector>() else { return Ok(()) };
        let printed = read.to_string();
        let again = printed.parse::<Selector>();
        prop_assert_eq!(again.as_ref(), Ok(&read), "{} -> {}", text, printed);
        prop_assert_eq!(again.unwrap().to_string(), printed);
    }

    #[test]
    fn no_text_is_a_panic_and_every_error_has_a_place(text in "([a-z()=!<>~,*\"' ]|and |or |not |in |site|status|\\PC){0,40}") {
        if let Err(error) = text.parse::<Selector>() {
            prop_assert!(error.column >= 1 && error.column <= text.chars().count() + 1);
            let _ = error.with_caret(&text);
        }
    }
}

#[test]
fn a_selector_is_a_text_in_json() {
    let selector: Selector = serde_json::from_str(r#""site=berlin  x""#).unwrap();
    assert_eq!(serde_json::to_string(&selector).unwrap(), r#""site=berlin and x""#);
    let error = serde_json::from_str::<Selector>(r#""site=""#).unwrap_err().to_string();
    assert!(error.contains("selector: column 6: a value is expected here"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]
    #[test]
    fn generated_selectors_are_mostly_selectors(texts in proptest::collection::vec(selector(), 40)) {
        let read = texts.iter().filter(|text| text.parse::<Selector>().is_ok()).count();
        prop_assert!(read > 20, "the generator must not make mistakes only: {read}");
    }
}
