//! Tables without borders that fit the terminal.

use comfy_table::{Attribute, Cell, ColumnConstraint, ContentArrangement, Row, Table, presets};

use super::text::printable;

/// A list: one line per row; the first column is never cut, because people copy it.
pub(crate) struct List {
    table: Table,
}

impl List {
    pub(crate) fn new(headings: &[&str]) -> Self {
        let mut table = bare();
        table.set_header(headings.iter().map(|text| Cell::new(text).add_attribute(Attribute::Bold)));
        Self { table }
    }

    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        let mut row = Row::from(cells.into_iter().collect::<Vec<_>>());
        row.max_height(1);
        self.table.add_row(row);
    }

    /// As wide as `width`, or the terminal; in a pipe as wide as it wants to be.
    pub(crate) fn render(self, width: Option<u16>) -> String {
        finish(self.table, width, Some(ColumnConstraint::ContentWidth))
    }
}

/// One thing: a field per line.
pub(crate) struct Fields {
    table: Table,
}

impl Fields {
    pub(crate) fn new() -> Self {
        Self { table: bare() }
    }

    pub(crate) fn add(&mut self, name: &str, value: impl Into<FieldValue>) -> &mut Self {
        let FieldValue(cell) = value.into();
        self.table.add_row(vec![Cell::new(name).add_attribute(Attribute::Dim), cell]);
        self
    }

    pub(crate) fn render(self, width: Option<u16>) -> String {
        finish(self.table, width, Some(ColumnConstraint::ContentWidth))
    }
}

/// What may stand beside a field's name.
pub(crate) struct FieldValue(Cell);

impl From<Cell> for FieldValue {
    fn from(cell: Cell) -> Self {
        Self(cell)
    }
}

impl From<String> for FieldValue {
    fn from(text: String) -> Self {
        Self(plain(text))
    }
}

impl From<&str> for FieldValue {
    fn from(text: &str) -> Self {
        Self(plain(text))
    }
}

/// A cell without a colour.
pub(crate) fn plain(text: impl ToString) -> Cell {
    Cell::new(printable(&text.to_string()))
}

fn bare() -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_truncation_indicator("…");
    // The stream decides about colours; the table always has them.
    table.enforce_styling();
    table
}

fn finish(mut table: Table, width: Option<u16>, first: Option<ColumnConstraint>) -> String {
    if let Some(width) = width {
        table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
    } else if table.width().is_some() {
        table.set_content_arrangement(ContentArrangement::Dynamic);
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    if let (Some(constraint), Some(column)) = (first, table.column_mut(0)) {
        column.set_constraint(constraint);
    }
    table.trim_fmt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::tone::Tone;

    #[test]
    fn a_narrow_terminal_cuts_later_columns_but_not_the_first() {
        let mut list = List::new(&["ID", "STATUS", "DESCRIPTION"]);
        list.row([
            plain("0199aaaa-0000-7000-8000-000000000001"),
            Tone::Good.cell("online"),
            plain("a long ".repeat(20)),
        ]);
        let text = anstream::adapter::strip_str(&list.render(Some(70))).to_string();
        assert!(text.contains("0199aaaa-0000-7000-8000-000000000001"), "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= 70), "{text}");
        assert_eq!(text.lines().count(), 2, "{text}");
    }

    #[test]
    fn a_cell_with_control_characters_is_made_harmless() {
        let mut list = List::new(&["NAME"]);
        list.row([plain("evil\u{1b}]0;title\u{7}")]);
        assert!(!list.render(Some(80)).contains('\u{7}'));
    }
}
