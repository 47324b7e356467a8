//! DynamoDB's rules of what costs what, as the design states them, held against the engine.

use crate::{
    dynoxide::Dynoxide,
    meter::Meter,
    size,
    tally::{Scope, Tally, units},
};
use anyhow::{Context as _, Result, ensure};
use aws::table::DynamoDb;
use std::sync::Arc;
use store::{AttributeValue, CommitError, Condition, Index, Item, Key, Order, Query, Read, Table, Write};

/// What a rule says, and what was measured.
pub struct Rule {
    /// The rule with its case.
    pub rule: String,
    /// Stated units.
    pub stated: String,
    /// Measured units.
    pub measured: String,
}

static BY_OWNER: Index = Index { name: "byOwner", partition: "owner", sort: "place" };
const TABLE: &str = "pay-rules";

struct Rules {
    table: DynamoDb,
    tally: Arc<Tally>,
    rules: Vec<Rule>,
}

/// Holds every rule against the engine.
pub async fn measure(server: &Dynoxide) -> Result<Vec<Rule>> {
    server.create_table(TABLE, &[&BY_OWNER]).await?;
    let tally = Arc::new(Tally::default());
    let http = server.config.http_client().context("the adapters' configuration has no client")?;
    let mut metered = server.config.to_builder();
    metered.set_http_client(Some(Meter::around(http, tally.clone())));
    let table = DynamoDb::new(metered.build(), TABLE);
    let mut rules = Rules { table, tally, rules: Vec::new() };
    rules.sizes().await?;
    rules.conditions().await?;
    rules.indexes().await?;
    rules.queries().await?;
    Ok(rules.rules)
}

/// An item of exactly so many bytes by the documented rules, its names included.
fn item(key: &str, bytes: usize) -> Result<Item> {
    let mut item = Item::default();
    item.insert("pk".to_owned(), AttributeValue::S("rules".to_owned()));
    item.insert("sk".to_owned(), AttributeValue::S(key.to_owned()));
    let rest = bytes.checked_sub(size::item(&item)).and_then(|rest| rest.checked_sub("filling".len()));
    let filling = "x".repeat(rest.context("an item is larger than its key")?);
    item.insert("filling".to_owned(), AttributeValue::S(filling));
    ensure!(size::item(&item) == bytes, "the item has another size");
    Ok(item)
}

fn listed(key: &str, bytes: usize, owner: &str) -> Result<Item> {
    let names = "owner".len() + owner.len() + "place".len() + key.len();
    let mut item = item(key, bytes - names)?;
    item.insert("owner".to_owned(), AttributeValue::S(owner.to_owned()));
    item.insert("place".to_owned(), AttributeValue::S(key.to_owned()));
    Ok(item)
}

fn put(item: Item) -> Write {
    Write::Put(item, Condition::Always)
}

impl Rules {
    fn note(&mut self, rule: &str, stated: &str, measured: String) {
        let (rule, stated) = (rule.to_owned(), stated.to_owned());
        self.rules.push(Rule { rule, stated, measured });
    }

    async fn writes(&mut self, rule: &str, stated: &str, writes: &[Write]) -> Result<()> {
        self.tally.take();
        self.table.commit(writes).await?;
        let units = units(&self.tally.take(), Scope::Request);
        self.note(rule, stated, format!("{} W", units.table_writes));
        Ok(())
    }

    async fn index(&mut self, rule: &str, stated: &str, write: Write) -> Result<()> {
        self.tally.take();
        self.table.commit(&[write]).await?;
        let units = units(&self.tally.take(), Scope::Request);
        self.note(rule, stated, format!("{} W", units.index_writes));
        Ok(())
    }

    async fn sizes(&mut self) -> Result<()> {
        let rule = "an item of 1 024 B, names and values counted";
        self.writes(rule, "1 W", &[put(item("a", 1024)?)]).await?;
        self.writes("an item of 1 025 B", "2 W", &[put(item("b", 1025)?)]).await?;
        let rule = "a smaller item over one of 1 025 B: the larger of the two counts";
        self.writes(rule, "2 W", &[put(item("b", 100)?)]).await?;
        let both = [put(item("c", 1024)?), put(item("d", 1024)?)];
        self.writes("a transaction of two items of 1 024 B: doubled", "4 W", &both).await?;
        let key = Key::new("rules", "a");
        let check = [Write::Check(key.clone(), Condition::Present), put(item("e", 100)?)];
        self.writes("a transaction of a check and an item: the check counts", "4 W", &check).await?;
        self.writes("a delete of 1 024 B", "1 W", &[Write::Delete(key, Condition::Always)]).await?;
        let nothing = Write::Delete(Key::new("rules", "none"), Condition::Always);
        self.writes("a delete of nothing", "1 W", &[nothing]).await
    }

    /// A refusal brings no capacity with it, so the rule is only that it is one.
    async fn conditions(&mut self) -> Result<()> {
        self.tally.take();
        let refused = self.table.commit(&[Write::Put(item("c", 100)?, Condition::Absent)]).await;
        ensure!(matches!(refused, Err(CommitError::Refused(_))), "the condition held");
        let reported = units(&self.tally.take(), Scope::Request).writes();
        let measured = if reported == 0.0 {
            "not reported: counted by the rule".to_owned()
        } else {
            format!("{reported} W")
        };
        self.note(
            "a condition that fails against an item of 1 024 B is charged by that item",
            "1 W",
            measured,
        );
        Ok(())
    }

    async fn indexes(&mut self) -> Result<()> {
        self.index("index: an item that comes into it", "1 W", put(listed("i", 500, "first")?)).await?;
        let rule = "index: its key changes (out of one place, into another)";
        self.index(rule, "2 W", put(listed("i", 500, "second")?)).await?;
        let rule = "index: a projected attribute changes";
        self.index(rule, "1 W", put(listed("i", 600, "second")?)).await?;
        let rule = "index: nothing that it shows changes";
        self.index(rule, "0 W", put(listed("i", 600, "second")?)).await?;
        self.index("index: the item leaves it", "1 W", put(item("i", 500)?)).await?;
        self.index("index: an item that was never in it", "0 W", put(item("i", 510)?)).await
    }

    async fn reads(&mut self, rule: &str, stated: &str, query: &Query) -> Result<()> {
        self.tally.take();
        self.table.query(query).await?;
        let units = units(&self.tally.take(), Scope::Request);
        self.note(rule, stated, format!("{} R", units.reads));
        Ok(())
    }

    async fn queries(&mut self) -> Result<()> {
        for place in 0..20 {
            let mut item = item(&format!("{place:02}"), 275)?;
            item.insert("pk".to_owned(), AttributeValue::S("chain".to_owned()));
            self.table.commit(&[put(item)]).await?;
        }
        let newest = |limit, read| Query {
            order: Order::Descending,
            limit: Some(limit),
            read,
            ..Query::partition("chain")
        };
        let rule = "a query of 12 items of 275 B, eventual: the sum is rounded up to 4 KB, then halved";
        self.reads(rule, "0.5 R", &newest(12, Read::Eventual)).await?;
        self.reads("the same, consistent", "1 R", &newest(12, Read::Consistent)).await?;
        self.reads("a query of 20 items of 275 B, consistent", "2 R", &newest(20, Read::Consistent)).await?;
        let nothing = Query::partition("nobody");
        self.reads("a query that finds nothing, consistent", "1 R", &nothing).await?;
        self.tally.take();
        self.table.get(&Key::new("rules", "none"), Read::Consistent).await?;
        let units = units(&self.tally.take(), Scope::Request);
        self.note("a get that finds nothing, consistent", "1 R", format!("{} R", units.reads));
        Ok(())
    }
}
