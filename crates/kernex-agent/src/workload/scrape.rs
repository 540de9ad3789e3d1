//! Numbers from a workload that offers them in Prometheus's text format.

use std::{collections::BTreeMap, time::Duration};

use kernex_bundle::Metrics;
use tokio::{task::JoinSet, time::timeout};

use super::reported::{MAX_METRICS, MAX_NAME_BYTES};
use crate::context::Context;

/// A heartbeat waits no longer for numbers.
const DEADLINE: Duration = Duration::from_secs(2);
/// Far more than a page of metrics has.
const MAX_PAGE_BYTES: usize = 1024 * 1024;

/// Scrapes every workload that wants it, all at the same time. What does not answer in time leaves no numbers.
pub async fn scrape(context: &Context) {
    // While a workload is being stopped there is nothing to scrape.
    let wanted = context.supervisor.try_lock().map(|supervisor| supervisor.scraped()).unwrap_or_default();
    let mut tasks = JoinSet::new();
    for (metrics, reported) in wanted {
        let http = context.http.clone();
        tasks.spawn(async move {
            let page = timeout(DEADLINE, fetch(&http, &metrics.prometheus)).await;
            let numbers = match page.unwrap_or_else(|_| Err("it takes too long".to_owned())) {
                Ok(page) => parse(&page, &metrics),
                Err(reason) => {
                    tracing::debug!(address = metrics.prometheus, reason, "the metrics cannot be scraped");
                    BTreeMap::new()
                }
            };
            reported.set_scraped(numbers);
        });
    }
    while tasks.join_next().await.is_some() {}
}

async fn fetch(http: &reqwest::Client, url: &str) -> Result<String, String> {
    let mut response = http.get(url).send().await.map_err(|error| error.to_string())?;
    if !response.status().is_success() {
        return Err(format!("it answered {}", response.status()));
    }
    let mut page = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| error.to_string())? {
        if page.len() + chunk.len() > MAX_PAGE_BYTES {
            return Err("it is larger than 1 MiB".to_owned());
        }
        page.extend_from_slice(&chunk);
    }
    Ok(String::from_utf8_lossy(&page).into_owned())
}

/// Lines of `name{labels} value [timestamp]`; comments, and values that are no finite numbers, are left out.
fn parse(page: &str, wanted: &Metrics) -> BTreeMap<String, f64> {
    let samples = page.lines().filter_map(sample);
    let is_wanted = |name: &str| wanted.names.is_empty() || wanted.names.iter().any(|wanted| wanted == name);
    let samples = samples.filter(|(name, _, _)| is_wanted(name));
    let named = samples.map(|(name, labels, value)| (format!("{name}{labels}"), value));
    named.filter(|(name, _)| name.len() <= MAX_NAME_BYTES).take(MAX_METRICS).collect()
}

/// Name, labels with their braces (or nothing), value.
fn sample(line: &str) -> Option<(&str, &str, f64)> {
    let line = line.trim();
    let end = line.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | ':')))?;
    let (name, rest) = line.split_at(end);
    if name.is_empty() {
        return None;
    }
    let labels = if rest.starts_with('{') { rest.get(..=end_of_labels(rest)?)? } else { "" };
    let value: f64 = rest.get(labels.len()..)?.split_whitespace().next()?.parse().ok()?;
    value.is_finite().then_some((name, labels, value))
}

/// Where the labels close: a brace inside of quotes does not.
fn end_of_labels(text: &str) -> Option<usize> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    for (index, c) in text.char_indices() {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' if is_quoted => is_escaped = true,
            '"' => is_quoted = !is_quoted,
            '}' if !is_quoted => return Some(index),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = r#"
# HELP http_requests_total The number of requests.
http_requests_total{method="post",code="200"} 1027 1395066363000
http_requests_total{path="a}b\"c"} 3
up 1
load	0.5
broken{a="b" 1
nothing
nan NaN
inf +Inf
{} 1
"#;

    fn wanted(names: &[&str]) -> Metrics {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        Metrics { prometheus: String::new(), names }
    }

    #[test]
    fn samples_are_read_with_their_labels_and_everything_else_is_left_out() {
        let all = parse(PAGE, &wanted(&[]));
        let expected = [
            (r#"http_requests_total{method="post",code="200"}"#, 1_027.0),
            (r#"http_requests_total{path="a}b\"c"}"#, 3.0),
            ("load", 0.5),
            ("up", 1.0),
        ];
        assert_eq!(all.iter().map(|(name, value)| (name.as_str(), *value)).collect::<Vec<_>>(), expected);
        assert_eq!(parse(PAGE, &wanted(&["up"])).into_keys().collect::<Vec<_>>(), ["up"]);
    }

    #[test]
    fn a_page_without_end_gives_as_much_as_a_heartbeat_takes() {
        let page: String = (0..1_000).map(|number| format!("m{number} 1\n")).collect();
        assert_eq!(parse(&page, &wanted(&[])).len(), MAX_METRICS);
        assert!(parse("é{ 1\n\u{0}", &wanted(&[])).is_empty());
    }
}
