//! Tables without borders: two spaces between columns, numbers to the right, the heading in capitals.

use comfy_table::{CellAlignment, ContentArrangement, Table as Grid, presets};

/// Where the text of a column stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Left,
    Right,
}

/// A table under construction.
pub(crate) struct Table {
    grid: Grid,
}

impl Table {
    /// A table with these columns.
    pub(crate) fn new(columns: &[(&str, Side)]) -> Self {
        let mut grid = Grid::new();
        grid.load_preset(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
        grid.set_header(columns.iter().map(|(name, _)| name.to_uppercase()));
        for (column, (_, side)) in grid.column_iter_mut().zip(columns) {
            column.set_padding((0, 2));
            if *side == Side::Right {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        Self { grid }
    }

    /// One more row.
    pub(crate) fn row<I: IntoIterator<Item = String>>(&mut self, cells: I) {
        self.grid.add_row(cells);
    }

    /// The table as text, no space at the ends of its lines.
    pub(crate) fn text(&self) -> String {
        self.grid.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_lines_have_no_tail() {
        let mut table = Table::new(&[("name", Side::Left), ("price", Side::Right), ("note", Side::Left)]);
        table.row(["a".to_owned(), "1.00".to_owned(), String::new()]);
        table.row(["longer".to_owned(), "12.50".to_owned(), "x".to_owned()]);
        assert_eq!(table.text(), "NAME    PRICE  NOTE\na        1.00\nlonger  12.50  x");
    }
}
