use std::{
    collections::HashMap,
    io,
    net::{Ipv4Addr, SocketAddr},
    pin::Pin,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use super::*;

fn get(url: &str) -> http::Request<Vec<u8>> {
    http::Request::get(url).body(Vec::new()).unwrap()
}

fn allowing(allowed: &[&str]) -> Rules {
    Rules::new(allowed.iter().map(|text| text.parse().unwrap()).collect())
}

/// Every range of IANA's registries by its edges, and the classics of this attack.
const NOT_PUBLIC: &[&str] = &[
    "0.0.0.0",
    "0.255.255.255",
    "10.0.0.0",
    "10.255.255.255",
    "100.64.0.0",
    "100.127.255.255",
    "127.0.0.1",
    "127.255.255.255",
    "169.254.0.0",
    "169.254.169.254",
    "169.254.255.255",
    "172.16.0.0",
    "172.31.255.255",
    "192.0.0.0",
    "192.0.0.8",
    "192.0.0.170",
    "192.0.0.255",
    "192.0.2.1",
    "192.31.196.1",
    "192.52.193.1",
    "192.88.99.1",
    "192.168.0.0",
    "192.168.255.255",
    "192.175.48.1",
    "198.18.0.0",
    "198.19.255.255",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:8.8.8.8",
    "::ffff:169.254.169.254",
    "64:ff9b::a00:1",
    "64:ff9b::808:808",
    "64:ff9b:1::1",
    "100::1",
    "100:0:0:1::1",
    "2001::1",
    "2001:2::1",
    "2001:10::1",
    "2001:20::1",
    "2001:1ff:ffff::1",
    "2001:db8::1",
    "2002:a00:1::1",
    "2620:4f:8000::1",
    "3fff::1",
    "3fff:fff:ffff::1",
    "5f00::1",
    "4000::1",
    "fc00::1",
    "fd00:ec2::254",
    "fdff:ffff::1",
    "fe80::1",
    "febf::1",
    "fec0::1",
    "ff02::1",
    "ff0e::1",
];

const PUBLIC: &[&str] = &[
    "1.1.1.1",
    "8.8.8.8",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.0",
    "169.253.255.255",
    "169.255.0.0",
    "172.15.255.255",
    "172.32.0.0",
    "192.0.1.0",
    "192.0.3.0",
    "192.167.255.255",
    "192.169.0.0",
    "198.17.255.255",
    "198.20.0.0",
    "223.255.255.255",
    "2001:200::1",
    "2001:4860:4860::8888",
    "2606:4700:4700::1111",
    "2a00::1",
    "3ffe::1",
];

#[test]
fn every_special_range_is_refused_and_its_neighbours_are_not() {
    for text in NOT_PUBLIC {
        assert!(!is_public(text.parse().unwrap()), "{text} counts as public");
    }
    for text in PUBLIC {
        assert!(is_public(text.parse().unwrap()), "{text} does not count as public");
    }
}

#[test]
fn an_address_is_refused_before_anything_is_sent() {
    let outbound = Outbound::new(Rules::default(), &[]).unwrap();
    let refused = |url: &str| outbound.check(&Url::parse(url).unwrap()).is_err();
    for address in NOT_PUBLIC {
        let host = if address.contains(':') { format!("[{address}]") } else { (*address).to_owned() };
        assert!(refused(&format!("https://{host}/hook")), "{address}");
    }
    // The same in other clothes: the URL standard reads them as addresses.
    for host in [
        "0x7f.1",
        "2130706433",
        "0177.0.0.1",
        "127.1",
        "0x7f000001",
        "0",
        "017700000001",
        "127。0。0。1",
        "①②⑦.0.0.1",
    ] {
        assert!(refused(&format!("https://{host}/")), "{host}");
    }
    for url in [
        "http://example.com/",
        "ftp://example.com/",
        "file:///etc/passwd",
        "gopher://example.com/",
        "data:text/html,x",
        "https://user@example.com/",
        "https://user:word@example.com/",
        "unix:///run/x.sock",
    ] {
        assert!(refused(url), "{url}");
    }
    assert!(refused(&format!("https://example.com/{}", "a".repeat(3_000))));
    assert!(!refused("https://example.com/hook?a=b"));
    assert!(!refused("https://8.8.8.8/hook"));
}

#[test]
fn what_the_configuration_names_is_allowed_and_nothing_else() {
    let outbound = Outbound::new(allowing(&["10.1.0.0/16", "keycloak.internal"]), &[]).unwrap();
    let allowed = |url: &str| outbound.check(&Url::parse(url).unwrap()).is_ok();
    assert!(allowed("http://10.1.2.3:8080/") && allowed("https://10.1.2.3/"));
    assert!(allowed("http://keycloak.internal/realms/x") && allowed("https://KEYCLOAK.internal./"));
    assert!(!allowed("http://10.2.0.1/") && !allowed("https://10.2.0.1/"));
    assert!(!allowed("http://keycloak.internal.example.com/"));
    for text in ["", "a b", "1.2.3", "http://x", "-/8", "1.2.3.4/40"] {
        assert!(text.parse::<Allowed>().is_err(), "{text}");
    }
}

/// Names and what each look-up of them gives, in turn.
struct Names {
    answers: Mutex<HashMap<String, Vec<Vec<IpAddr>>>>,
    lookups: Arc<AtomicUsize>,
}

impl Resolver for Names {
    fn resolve(&self, host: &str) -> Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>> {
        self.lookups.fetch_add(1, Ordering::Relaxed);
        let mut answers = self.answers.lock().unwrap();
        let answer = match answers.get_mut(host) {
            Some(turns) if turns.len() > 1 => Ok(turns.remove(0)),
            Some(turns) => Ok(turns[0].clone()),
            None => Err(io::Error::other("no such name")),
        };
        Box::pin(async move { answer })
    }
}

fn names(host: &str, turns: &[&[&str]]) -> (Names, Arc<AtomicUsize>) {
    let turns = turns.iter().map(|turn| turn.iter().map(|text| text.parse().unwrap()).collect()).collect();
    let lookups = Arc::new(AtomicUsize::new(0));
    let answers = Mutex::new(HashMap::from([(host.to_owned(), turns)]));
    (Names { answers, lookups: lookups.clone() }, lookups)
}

/// A server that answers every connection with the same text, and counts connections.
async fn server(answer: String) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let (address, count) = (listener.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
    let counted = count.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::Relaxed);
            let answer = answer.clone();
            tokio::spawn(async move {
                let mut buffer = [0; 4096];
                let _ = stream.read(&mut buffer).await;
                let _ = stream.write_all(answer.as_bytes()).await;
            });
        }
    });
    (address, count)
}

#[tokio::test]
async fn a_name_that_leads_inside_is_refused_also_when_only_one_of_its_addresses_does() {
    let (address, connections) = server("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".to_owned()).await;
    for turn in
        [&["127.0.0.1"][..], &["::1"], &["8.8.8.8", "127.0.0.1"], &["::ffff:127.0.0.1"], &["169.254.169.254"]]
    {
        let (names, _) = names("inside.example", &[turn]);
        let outbound = Outbound::with_resolver(Rules::default(), &[], names).unwrap();
        let url = format!("https://inside.example:{}/", address.port());
        let error = outbound.send(get(&url)).await.unwrap_err();
        assert!(matches!(error, Error::NotPublic(_)), "{turn:?}: {error}");
    }
    assert_eq!(connections.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn a_name_is_looked_up_once_so_that_a_later_answer_gains_nothing() {
    let (address, connections) = server("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok".to_owned()).await;
    // The first answer is allowed, the second would not be: whoever looks up twice connects to the second.
    let (names, lookups) = names("rebind.example", &[&["127.0.0.1"], &["127.0.0.2"]]);
    let rules = allowing(&["127.0.0.1/32"]);
    let outbound = Outbound::with_resolver(rules, &[], names).unwrap();
    let url = Url::parse(&format!("https://rebind.example:{}/", address.port())).unwrap();
    outbound.check(&url).unwrap();
    assert_eq!(lookups.load(Ordering::Relaxed), 0, "checking an address looks nothing up");
    let error = outbound.send(get(url.as_str())).await.unwrap_err();
    // It got as far as TLS, which this server does not speak.
    assert!(matches!(error, Error::Unreachable { .. }), "{error}");
    assert_eq!((lookups.load(Ordering::Relaxed), connections.load(Ordering::Relaxed)), (1, 1));
    let error = outbound.send(get(url.as_str())).await.unwrap_err();
    assert!(matches!(error, Error::NotPublic(_)), "{error}");
    assert_eq!(connections.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let (inside, connections) = server("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".to_owned()).await;
    let answer = format!("HTTP/1.1 302 Found\r\nlocation: http://{inside}/\r\ncontent-length: 0\r\n\r\n");
    let (address, _) = server(answer).await;
    let outbound = Outbound::new(allowing(&["127.0.0.0/8"]), &[]).unwrap();
    let response = outbound.send(get(&format!("http://{address}/"))).await.unwrap();
    assert_eq!(response.status(), StatusCode::FOUND);
    assert_eq!(connections.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn an_answer_that_is_too_large_is_cut_off() {
    let outbound = Outbound::new(allowing(&["127.0.0.0/8"]), &[]).unwrap();
    let body = "x".repeat(MAX_ANSWER_BYTES + 1);
    for head in [
        format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len()),
        "HTTP/1.1 200 OK\r\n\r\n".to_owned(),
    ] {
        let (address, _) = server(format!("{head}{body}")).await;
        let error = outbound.send(get(&format!("http://{address}/"))).await.unwrap_err();
        assert!(matches!(error, Error::TooLarge(_)), "{error}");
    }
    let (address, _) = server("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok".to_owned()).await;
    let response = outbound.send(get(&format!("http://{address}/"))).await.unwrap();
    assert_eq!(response.into_body(), b"ok");
}

#[tokio::test]
async fn a_host_that_says_nothing_is_given_up() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let outbound = Outbound::new(allowing(&["127.0.0.0/8"]), &[]).unwrap();
    let outbound = Outbound { timeout: Duration::from_millis(50), ..outbound };
    let error = outbound.send(get(&url)).await.unwrap_err();
    assert!(matches!(error, Error::TimedOut(_)), "{error}");
}
