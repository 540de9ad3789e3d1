//! Comma-separated values, as RFC 4180 writes them; semicolons too, because spreadsheets of half of Europe write those.

/// A file with a line of column names.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Table {
    pub(super) columns: Vec<String>,
    pub(super) rows: Vec<Row>,
}

/// One line, with as many cells as there are columns.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Row {
    /// From 1.
    pub(super) line: usize,
    pub(super) cells: Vec<String>,
}

/// Reads a file. Empty lines are skipped, spaces around cells do not count.
pub(super) fn parse(text: &str, max_rows: usize) -> Result<Table, String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let first = text.lines().next().unwrap_or("");
    let separator = if first.contains(';') && !first.contains(',') { ';' } else { ',' };
    let mut lines = Lines { text, line: 1, separator };
    let Some((_, columns)) = lines.next_record()? else { return Err("the file is empty".to_owned()) };
    let mut rows = Vec::new();
    while let Some((line, cells)) = lines.next_record()? {
        if rows.len() == max_rows {
            return Err(format!("more than {max_rows} lines"));
        }
        if cells.len() != columns.len() {
            return Err(format!(
                "line {line}: {} cells, but there are {} columns",
                cells.len(),
                columns.len()
            ));
        }
        rows.push(Row { line, cells });
    }
    if rows.is_empty() {
        return Err("there is no line after the one with the columns' names".to_owned());
    }
    Ok(Table { columns, rows })
}

struct Lines<'a> {
    text: &'a str,
    line: usize,
    separator: char,
}

impl Lines<'_> {
    /// The next line that is not empty, with its number.
    fn next_record(&mut self) -> Result<Option<(usize, Vec<String>)>, String> {
        loop {
            if self.text.is_empty() {
                return Ok(None);
            }
            let line = self.line;
            let cells = self.record()?;
            if cells.iter().any(|cell| !cell.is_empty()) {
                return Ok(Some((line, cells)));
            }
        }
    }

    fn record(&mut self) -> Result<Vec<String>, String> {
        let mut cells = Vec::new();
        loop {
            let cell = if self.text.trim_start_matches([' ', '\t']).starts_with('"') {
                self.text = self.text.trim_start_matches([' ', '\t']);
                self.quoted()?
            } else {
                let end = self.text.find([self.separator, '\n']).unwrap_or(self.text.len());
                let (cell, rest) = self.text.split_at(end);
                self.text = rest;
                cell.trim().to_owned()
            };
            cells.push(cell);
            let mut rest = self.text.chars();
            match rest.next() {
                Some(c) if c == self.separator => self.text = rest.as_str(),
                Some(_) => {
                    self.text = rest.as_str();
                    self.line += 1;
                    return Ok(cells);
                }
                None => return Ok(cells),
            }
        }
    }

    /// A cell between quotes; two quotes in it stand for one.
    fn quoted(&mut self) -> Result<String, String> {
        let (begin, mut cell, mut rest) = (self.line, String::new(), &self.text[1..]);
        loop {
            let Some(end) = rest.find('"') else {
                return Err(format!("line {begin}: a quote is never closed"));
            };
            cell.push_str(&rest[..end]);
            rest = &rest[end + 1..];
            if !rest.starts_with('"') {
                break;
            }
            cell.push('"');
            rest = &rest[1..];
        }
        self.line += cell.matches('\n').count();
        self.text = rest.trim_start_matches([' ', '\t', '\r']);
        match self.text.chars().next() {
            None | Some('\n') => Ok(cell),
            Some(c) if c == self.separator => Ok(cell),
            Some(_) => Err(format!("line {}: there is something behind a closing quote", self.line)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &str) -> Vec<(usize, Vec<String>)> {
        parse(text, 10).unwrap().rows.into_iter().map(|row| (row.line, row.cells)).collect()
    }

    #[test]
    fn cells_are_read_as_spreadsheets_write_them() {
        let cells = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let text =
            "\u{feff}name, site ,floor\r\ncam-1,berlin,3\r\n\r\n \"cam \"\"2\"\"\" , \"a, b\nc\",\r\nx,y,z";
        assert_eq!(
            rows(text),
            [
                (2, cells(&["cam-1", "berlin", "3"])),
                (4, cells(&["cam \"2\"", "a, b\nc", ""])),
                (6, cells(&["x", "y", "z"])),
            ]
        );
        assert_eq!(rows("name;site\na,b;c\n"), [(2, cells(&["a,b", "c"]))]);
    }

    #[test]
    fn mistakes_are_told_with_their_line() {
        for (text, expected) in [
            ("", "the file is empty"),
            ("\n\n", "the file is empty"),
            ("name,site\n", "there is no line after"),
            ("name,site\na,b\nc\n", "line 3: 1 cells, but there are 2 columns"),
            ("name,site\na,\"b\nc", "line 2: a quote is never closed"),
            ("name,site\na,\"b\"c\n", "line 2: there is something behind"),
        ] {
            let error = parse(text, 10).unwrap_err();
            assert!(error.starts_with(expected), "{text:?}: {error}");
        }
        assert_eq!(parse(&format!("n,a\n{}", "x,1\n".repeat(11)), 10).unwrap_err(), "more than 10 lines");
    }
}
