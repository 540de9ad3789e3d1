//! Tables without borders that fit the terminal.

use comfy_table::{Attribute, Cell, ColumnConstraint, ContentArrangement, Row, Table, Width, presets};

use super::text::printable;

/// Between two columns.
const GAP: u16 = 2;
/// A column with less room says nothing.
const MIN_COLUMN_CHARS: u16 = 8;
/// A column with more would push the others out.
const MAX_COLUMN_CHARS: u16 = 72;

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
    ///
    /// Columns stand in the order of their importance: when there is no room for all, the last ones are left out, and the
    /// last one that is shown is cut.
    pub(crate) fn render(mut self, width: Option<u16>) -> String {
        if let Some(width) = width.or_else(|| terminal_width(&self.table)) {
            let widths = fit(&self.table.column_max_content_widths(), width);
            self.table.set_constraints(widths.into_iter().map(|width| match width {
                0 => ColumnConstraint::Hidden,
                width => ColumnConstraint::Absolute(Width::Fixed(width + GAP)),
            }));
        }
        finish(self.table, width)
    }
}

/// How wide each column becomes; 0 leaves it out.
fn fit(wanted: &[u16], room: u16) -> Vec<u16> {
    let mut left = room;
    let mut is_full = false;
    let mut fitted = Vec::with_capacity(wanted.len());
    for (index, wanted) in wanted.iter().enumerate() {
        let wanted = if index == 0 { *wanted } else { (*wanted).min(MAX_COLUMN_CHARS) };
        let width = match left.saturating_sub(GAP) {
            _ if index == 0 => wanted,
            _ if is_full => 0,
            room if room >= wanted => wanted,
            room if room >= MIN_COLUMN_CHARS => room,
            _ => 0,
        };
        is_full |= width < wanted;
        left = left.saturating_sub(width + GAP);
        fitted.push(width);
    }
    fitted
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

    pub(crate) fn render(mut self, width: Option<u16>) -> String {
        if let Some(column) = self.table.column_mut(0) {
            column.set_constraint(ColumnConstraint::ContentWidth);
        }
        finish(self.table, width)
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
    table.enforce_styling().style_text_only();
    table
}

/// The terminal's width; a terminal that says 0 does not know it (`script`, some containers).
fn terminal_width(table: &Table) -> Option<u16> {
    table.width().filter(|width| *width > 0)
}

fn finish(mut table: Table, width: Option<u16>) -> String {
    if let Some(width) = width.or_else(|| terminal_width(&table)) {
        table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, GAP));
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
    fn the_last_columns_are_left_out_first() {
        assert_eq!(fit(&[36, 5, 7, 4], 120), [36, 5, 7, 4]);
        assert_eq!(fit(&[36, 5, 7, 40], 80), [36, 5, 7, 24]);
        assert_eq!(fit(&[36, 5, 7, 40], 60), [36, 5, 7, 0]);
        assert_eq!(fit(&[36, 30, 7], 50), [36, 10, 0]);
        assert_eq!(fit(&[36, 5], 10), [36, 0]);
        assert_eq!(fit(&[3, 5000], 300), [3, 72]);
    }

    #[test]
    fn a_cell_with_control_characters_is_made_harmless() {
        let mut list = List::new(&["NAME"]);
        list.row([plain("evil\u{1b}]0;title\u{7}")]);
        assert!(!list.render(Some(80)).contains('\u{7}'));
    }
}
