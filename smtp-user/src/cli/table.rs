//! Tables, made in one place so that all look alike: no lines, two spaces between columns, numbers to the
//! right. Terminals get lines that fit; everything else gets one line a row.

use comfy_table::presets::NOTHING;
use comfy_table::{Cell, CellAlignment, ContentArrangement, Table};
use serde::Serialize;

use crate::cli::output;

/// A table for people.
#[derive(Debug)]
pub struct TextTable {
    table: Table,
    columns: Vec<Column>,
}

/// How a column is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Column {
    /// Words, with their heading.
    Words(&'static str),
    /// Numbers, with their heading.
    Number(&'static str),
}

impl Column {
    fn heading(self) -> &'static str {
        match self {
            Self::Words(heading) | Self::Number(heading) => heading,
        }
    }

    fn alignment(self) -> CellAlignment {
        match self {
            Self::Words(_) => CellAlignment::Left,
            Self::Number(_) => CellAlignment::Right,
        }
    }
}

impl TextTable {
    /// An empty table.
    pub fn new(columns: &[Column]) -> Self {
        let mut table = Table::new();
        table.load_style(NOTHING);
        table.set_content_arrangement(ContentArrangement::Dynamic);
        table.set_header(columns.iter().map(|column| cell(*column, column.heading())));
        Self { table, columns: columns.to_vec() }
    }

    /// Adds a row, one text a column.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        let cells = self.columns.iter().zip(cells).map(|(column, text)| cell(*column, &text));
        self.table.add_row(cells);
    }

    /// The table as text, with a line end; `indent` spaces before each line.
    pub fn text(&mut self, indent: usize) -> String {
        let last = self.columns.len().saturating_sub(1);
        for (index, column) in self.table.column_iter_mut().enumerate() {
            column.set_padding((0, if index == last { 0 } else { 2 }));
        }
        if let Some(width) = self.table.width() {
            self.table.set_width(width.saturating_sub(u16::try_from(indent).unwrap_or(0)));
        }
        let margin = " ".repeat(indent);
        self.table.lines().fold(String::new(), |text, line| text + &margin + line.trim_end() + "\n")
    }
}

/// Prints rows, as lines of JSON or as a table; `none` is what people are told where there are none.
pub fn print<R: Serialize, C: IntoIterator<Item = String>>(
    rows: &[R],
    json: bool,
    none: &str,
    columns: &[Column],
    cells: impl Fn(&R) -> C,
) -> anyhow::Result<()> {
    if json {
        return Ok(output::json_lines(rows)?);
    }
    if rows.is_empty() {
        return Ok(output::text(none)?);
    }
    let mut table = TextTable::new(columns);
    for row in rows {
        table.row(cells(row));
    }
    Ok(output::text(&table.text(0))?)
}

fn cell(column: Column, text: &str) -> Cell {
    Cell::new(text).set_alignment(column.alignment())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stand_at_the_right_and_no_line_ends_in_spaces() {
        let mut table = TextTable::new(&[Column::Words("name"), Column::Number("packets")]);
        table.row(["mail".to_owned(), "7".to_owned()]);
        table.row(["everything else".to_owned(), "1,234".to_owned()]);
        assert_eq!(
            table.text(2),
            "  name             packets\n  mail                   7\n  everything else    1,234\n"
        );
    }
}
