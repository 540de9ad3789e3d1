//! Tables in Markdown.

/// A heading and a table.
pub(crate) fn table(title: &str, columns: &[&str], rows: &[Vec<String>]) -> String {
    let line =
        |cells: &mut dyn Iterator<Item = &str>| format!("| {} |\n", cells.collect::<Vec<_>>().join(" | "));
    let mut text = format!("### {title}\n\n");
    text.push_str(&line(&mut columns.iter().copied()));
    text.push_str(&line(
        &mut columns.iter().enumerate().map(|(column, _)| if column == 0 { "---" } else { "---:" }),
    ));
    for row in rows {
        text.push_str(&line(&mut row.iter().map(String::as_str)));
    }
    text
}

/// Bytes as MiB.
pub(crate) fn mib(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}
