//! Tables in Markdown, and their place in docs/benchmarks.md.

use anyhow::{Context as _, Result};
use std::{fs, path::Path};

/// What operations cost, and how long a function takes to start.
pub const BENCHMARKS: &str = "docs/benchmarks.md";
/// What the system costs.
pub const COST: &str = "docs/cost.md";

/// A table whose columns are as wide as their widest cell, so that it reads well in a terminal too.
pub struct Grid {
    rows: Vec<Vec<String>>,
    numbers_from: usize,
}

impl Grid {
    /// A table with this head; columns from `numbers_from` on are set to the right.
    pub fn new(head: &[&str], numbers_from: usize) -> Grid {
        Grid { rows: vec![head.iter().map(|cell| (*cell).to_owned()).collect()], numbers_from }
    }

    /// Adds a row.
    pub fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.rows.push(cells.to_vec());
    }

    /// The table in Markdown.
    pub fn markdown(&self) -> String {
        let columns = self.rows.first().map_or(0, Vec::len);
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or_default()
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let line = |row: &Vec<String>| {
            let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, width))| {
                if column >= self.numbers_from {
                    format!("{cell:>width$}")
                } else {
                    format!("{cell:<width$}")
                }
            });
            format!("| {} |\n", cells.collect::<Vec<_>>().join(" | "))
        };
        let rule = widths.iter().enumerate().map(|(column, width)| {
            let (dashes, end) = ("-".repeat(*width), if column >= self.numbers_from { ":|" } else { "-|" });
            format!("-{dashes}{end}")
        });
        let rule = format!("|{}\n", rule.collect::<String>());
        let mut lines = self.rows.iter().map(line);
        let head = lines.next().unwrap_or_default();
        format!("{head}{rule}{}", lines.collect::<String>())
    }
}

/// A count without needless decimals.
pub fn count(number: f64) -> String {
    if number == 0.0 { "0".to_owned() } else { format!("{number}") }
}

/// A count, or a dash for nothing.
pub fn dashed(number: f64) -> String {
    if number == 0.0 { "–".to_owned() } else { count(number) }
}

/// Puts a text between the marks of this command in the document.
pub fn write(root: &Path, document: &str, command: &str, text: &str) -> Result<()> {
    let path = root.join(document);
    let name = document;
    let document = fs::read_to_string(&path).with_context(|| format!("{name} cannot be read"))?;
    let (begin, end) = (format!("<!-- begin: {command} -->\n"), format!("<!-- end: {command} -->"));
    let (before, rest) =
        document.split_once(&begin).with_context(|| format!("{name} has no line {begin}"))?;
    let (_, after) = rest.split_once(&end).with_context(|| format!("{name} has no line {end}"))?;
    fs::write(path, format!("{before}{begin}\n{text}\n{end}{after}"))?;
    Ok(())
}
