//! A statement's rows, as CSV that a spreadsheet opens as it is: UTF-8 with a byte order mark, CRLF, a header row.
//!
//! A text that somebody else chose may begin like a formula, and a spreadsheet would run it; such a cell gets an
//! apostrophe in front, as OWASP advises. Numbers are ours and stay numbers, below zero too.

use contract::peers::ManifestRow;
use csv::{Terminator, WriterBuilder};
use kernel::SignedMoney;
use std::borrow::Cow;

/// The header row: names that stay.
pub const COLUMNS: [&str; 7] = ["kind", "paymentId", "cancellationId", "orderId", "at", "feeBps", "amount"];

/// The byte order mark, by which a spreadsheet knows UTF-8.
const BYTE_ORDER_MARK: &str = "\u{feff}";

/// A row at a statement's end.
pub struct Summary {
    /// What it sums up, such as `fee`.
    pub kind: &'static str,
    /// Under which fee, if it is of one.
    pub fee_bps: Option<u16>,
    /// The sum.
    pub amount: SignedMoney,
}

/// Writes a statement, or a page of it.
pub struct Writer {
    csv: csv::Writer<Vec<u8>>,
}

impl Writer {
    /// A page. Only the first one has the mark and the header, so that pages put together are one file.
    pub fn page(is_first: bool) -> Result<Writer, csv::Error> {
        let start = if is_first { BYTE_ORDER_MARK.as_bytes().to_vec() } else { Vec::new() };
        let mut csv = WriterBuilder::new().terminator(Terminator::CRLF).from_writer(start);
        if is_first {
            csv.write_record(COLUMNS)?;
        }
        Ok(Writer { csv })
    }

    /// Writes a payment or a cancellation.
    pub fn row(&mut self, row: &ManifestRow) -> Result<(), csv::Error> {
        let cancellation = row.cancellation_id.map(|id| id.to_string());
        let sign = if cancellation.is_some() { "-" } else { "" };
        self.csv.write_record([
            if cancellation.is_some() { "cancellation" } else { "payment" },
            &row.payment_id.to_string(),
            cancellation.as_deref().unwrap_or_default(),
            &harmless(&row.order_id),
            &row.at.to_string(),
            &row.fee_bps.get().to_string(),
            &format!("{sign}{}", row.amount.amount()),
        ])
    }

    /// Writes a sum.
    pub fn sum(&mut self, sum: &Summary) -> Result<(), csv::Error> {
        let fee_bps = sum.fee_bps.map(|bps| bps.to_string()).unwrap_or_default();
        let amount = sum.amount.amount().to_string();
        self.csv.write_record([sum.kind, "", "", "", "", &fee_bps, &amount])
    }

    /// The page as text; none if it is not one, which cannot be.
    pub fn end(self) -> Option<String> {
        String::from_utf8(self.csv.into_inner().ok()?).ok()
    }
}

/// The text as a cell that no spreadsheet takes for a formula.
fn harmless(text: &str) -> Cow<'_, str> {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']) {
        Cow::Owned(format!("'{text}"))
    } else {
        Cow::Borrowed(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernel::{BasisPoints, Id, Money};
    use proptest::prelude::*;

    fn row(order_id: &str, canceled: bool) -> ManifestRow {
        ManifestRow {
            payment_id: Id::derive(&["payment"]),
            cancellation_id: canceled.then(|| Id::derive(&["cancellation"])),
            order_id: order_id.to_owned(),
            amount: Money::won(1_200),
            fee_bps: BasisPoints::try_new(250).unwrap(),
            at: events::example_time(),
        }
    }

    fn page(rows: &[ManifestRow]) -> String {
        let mut writer = Writer::page(true).unwrap();
        for row in rows {
            writer.row(row).unwrap();
        }
        writer.end().unwrap()
    }

    fn read(text: &str) -> Vec<csv::StringRecord> {
        let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap();
        csv::ReaderBuilder::new().from_reader(text.as_bytes()).records().map(Result::unwrap).collect()
    }

    #[test]
    fn a_statement_reads_like_this() {
        let mut writer = Writer::page(true).unwrap();
        writer.row(&row("order-1", false)).unwrap();
        writer.row(&row("order, \"2\"", true)).unwrap();
        let amount = SignedMoney::try_won(-30).unwrap();
        writer.sum(&Summary { kind: "fee", fee_bps: Some(250), amount }).unwrap();
        writer.sum(&Summary { kind: "net", fee_bps: None, amount }).unwrap();
        let payment: kernel::id::PaymentId = Id::derive(&["payment"]);
        let cancellation: kernel::id::CancellationId = Id::derive(&["cancellation"]);
        assert_eq!(
            writer.end().unwrap(),
            format!(
                "\u{feff}kind,paymentId,cancellationId,orderId,at,feeBps,amount\r\n\
                 payment,{payment},,order-1,2026-11-22T10:15:30.000Z,250,1200\r\n\
                 cancellation,{payment},{cancellation},\"order, \"\"2\"\"\",2026-11-22T10:15:30.000Z,250,-1200\r\n\
                 fee,,,,,250,-30\r\n\
                 net,,,,,,-30\r\n"
            )
        );
    }

    #[test]
    fn what_looks_like_a_formula_is_text() {
        for (order, cell) in [
            ("=1+1", "'=1+1"),
            ("+82", "'+82"),
            ("-1", "'-1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\t=1", "'\t=1"),
            ("\r=1", "'\r=1"),
            ("=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0"),
            ("1=1", "1=1"),
            ("주문-1", "주문-1"),
            ("", ""),
        ] {
            assert_eq!(read(&page(&[row(order, false)]))[0].get(3), Some(cell), "{order:?}");
        }
    }

    proptest! {
        #[test]
        fn any_order_comes_back_and_none_begins_like_a_formula(orders in prop::collection::vec(".{0,12}", 0..6)) {
            let rows: Vec<_> = orders.iter().map(|order| row(order, false)).collect();
            let text = page(&rows);
            let found = read(&text);
            prop_assert_eq!(found.len(), orders.len());
            for (record, order) in found.iter().zip(&orders) {
                let cell = record.get(3).unwrap();
                prop_assert_eq!(cell.strip_prefix('\'').filter(|rest| rest == order).unwrap_or(cell), order);
                prop_assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r']));
            }
        }

        #[test]
        fn pages_put_together_are_one_file(orders in prop::collection::vec("[a-z,\"=]{0,8}", 0..8), cut in 0..8_usize) {
            let rows: Vec<_> = orders.iter().map(|order| row(order, false)).collect();
            let (first, second) = rows.split_at(cut.min(rows.len()));
            let mut rest = Writer::page(false).unwrap();
            for row in second {
                rest.row(row).unwrap();
            }
            prop_assert_eq!(page(first) + &rest.end().unwrap(), page(&rows));
        }
    }
}
