//! Random sequences of everything that the Table port offers, on the twin and on every engine, compared step by step.
//!
//! What must be the same is all that a caller can see: errors by kind, which writes were refused and what was found
//! in their places, the items of every page and where the next one begins. `SEQUENCES` says how many, and a failure
//! is printed as the shortest sequence found for it.

use crate::server::{Engine, Kind};
use proptest::{collection::vec, option, prelude::*, sample::select, test_runner::TestRunner};
use std::{
    cell::Cell,
    collections::{BTreeMap, BTreeSet},
};
use store::{
    AttributeValue, CommitError, Condition, Item, Key, Order, Page, Query, Read, Scope, Sort, Table,
    Unavailable, Write,
    conformance::{BY_OWNER, walk},
    twin::Twin,
};

/// How many sequences `make test` runs.
const USUAL: u32 = 100;

/// One thing to do to all tables.
#[derive(Clone, Debug)]
enum Step {
    Commit(Vec<Wanted>),
    Get(Place, Read),
    /// All pages, one after the other.
    Walk(Question),
    /// The first page. Later steps turn to the next.
    Open(Question),
    /// The next page of what was opened last, whatever was written in between.
    Turn,
    /// A page that begins after a place, whether or not an item is there, and whether or not it is asked for.
    After(Question, Place, Owner),
}

/// An item's place: which partition, which sort key.
type Place = (u8, u8);

/// Whose item it is, in the index: nobody's, in part, or wholly, with a rank.
type Owner = Option<(Named, Option<Named>)>;

/// An attribute that an index has as its key.
#[derive(Clone, Debug)]
enum Named {
    Number(u8),
    /// Not a text at all.
    Odd,
    Empty,
}

#[derive(Clone, Debug)]
struct Question {
    scope: Where,
    sort: Sort,
    order: Order,
    limit: Option<u32>,
    read: Read,
}

#[derive(Clone, Copy, Debug)]
enum Where {
    Partition(u8),
    Owner(u8),
    Everything,
}

#[derive(Clone, Debug)]
enum Wanted {
    Put {
        at: Place,
        value: Option<AttributeValue>,
        size: Option<AttributeValue>,
        owner: Owner,
        condition: Condition,
    },
    Delete(Place, Condition),
    Check(Place, Condition),
}

fn number() -> impl Strategy<Value = AttributeValue> {
    let extreme = vec![i128::from(u64::MAX), i128::from(i64::MIN), 9_007_199_254_740_993];
    prop_oneof![4 => (-2..12_i128).boxed(), 1 => select(extreme).boxed()]
        .prop_map(|number| AttributeValue::N(number.to_string()))
}

fn text() -> impl Strategy<Value = AttributeValue> {
    select(vec!["", "1", "10", "9", "a", "A", "é", "\u{FFFD}", "\u{10FFFF}"])
        .prop_map(|text| AttributeValue::S(text.to_owned()))
}

fn bytes() -> impl Strategy<Value = AttributeValue> {
    select(vec![vec![], vec![0], vec![255], vec![0, 255]]).prop_map(AttributeValue::B)
}

fn plain() -> impl Strategy<Value = AttributeValue> {
    prop_oneof![
        4 => number(),
        4 => text(),
        1 => bytes(),
        1 => any::<bool>().prop_map(AttributeValue::Bool),
        1 => Just(AttributeValue::Null(true)),
    ]
}

fn value() -> impl Strategy<Value = AttributeValue> {
    let named = (select(vec!["a", "b"]), plain()).prop_map(|(name, value)| (name.to_owned(), value));
    prop_oneof![
        12 => plain(),
        1 => vec(plain(), 0..3).prop_map(AttributeValue::L),
        1 => vec(named, 0..3).prop_map(|all| AttributeValue::M(all.into_iter().collect())),
    ]
}

fn condition() -> impl Strategy<Value = Condition> {
    // One of the names is a word of DynamoDB's own.
    let name = || select(vec!["value", "value", "size", "ownerSort", "sk"]);
    prop_oneof![
        3 => Just(Condition::Always),
        3 => Just(Condition::Absent),
        2 => Just(Condition::Present),
        4 => (name(), value()).prop_map(|(name, value)| Condition::Equals(name, value)),
        4 => (name(), prop_oneof![number(), text()])
            .prop_map(|(name, bound)| Condition::AbsentOrBelow(name, bound)),
        1 => name().prop_map(Condition::Without),
    ]
}

/// Sort key 5 is the empty one, which no table takes.
fn place() -> impl Strategy<Value = Place> {
    (0..2_u8, prop_oneof![40 => 0..5_u8, 1 => Just(5_u8)])
}

/// An item's owner, or a cursor's: no page ends at an empty key, because no item has one.
fn owner(empty: u32) -> impl Strategy<Value = Owner> {
    let named = move || prop_oneof![30 => (0..3_u8).prop_map(Named::Number), 1 => Just(Named::Odd), empty => Just(Named::Empty)];
    option::of((named(), option::weighted(0.9, named())))
}

fn wanted() -> impl Strategy<Value = Wanted> {
    let put = (place(), option::of(value()), option::weighted(0.2, plain()), owner(1), condition())
        .prop_map(|(at, value, size, owner, condition)| Wanted::Put { at, value, size, owner, condition });
    prop_oneof![
        5 => put,
        2 => (place(), condition()).prop_map(|(at, condition)| Wanted::Delete(at, condition)),
        1 => (place(), condition()).prop_map(|(at, condition)| Wanted::Check(at, condition)),
    ]
}

fn read() -> impl Strategy<Value = Read> {
    prop_oneof![Just(Read::Consistent), Just(Read::Eventual)]
}

fn question(everything: u32) -> impl Strategy<Value = Question> {
    let bound = || select(vec!["", "0", "1", "1 0", "2", "3", "4", "é"]).prop_map(str::to_owned);
    let sort = prop_oneof![
        2 => Just(Sort::All),
        2 => (bound(), bound()).prop_map(|(first, last)| Sort::Between(first, last)),
        1 => bound().prop_map(Sort::StartsWith),
    ];
    let scope = prop_oneof![
        20 => (0..2_u8).prop_map(Where::Partition),
        20 => (0..3_u8).prop_map(Where::Owner),
        everything => Just(Where::Everything),
    ];
    let order = prop_oneof![Just(Order::Ascending), Just(Order::Descending)];
    let limit = option::weighted(0.7, prop_oneof![1 => Just(0_u32), 20 => 1..6_u32]);
    (scope, sort, order, limit, read()).prop_map(|(scope, sort, order, limit, read)| Question {
        scope,
        sort,
        order,
        limit,
        read,
    })
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        9 => vec(wanted(), 1..6).prop_map(|all| Step::Commit(with_keys_once(all))),
        1 => vec(wanted(), 1..6).prop_map(Step::Commit),
        2 => (place(), read()).prop_map(|(place, read)| Step::Get(place, read)),
        3 => question(4).prop_map(Step::Walk),
        // A scan is in no order, so only all of its pages together can be compared.
        2 => question(0).prop_map(Step::Open),
        3 => Just(Step::Turn),
        1 => (question(0), place(), owner(0)).prop_map(|(asked, place, owner)| Step::After(asked, place, owner)),
    ]
}

/// A commit that names a key twice is refused as a whole, and most should not be.
fn with_keys_once(mut all: Vec<Wanted>) -> Vec<Wanted> {
    let mut seen = BTreeSet::new();
    all.retain(|wanted| seen.insert(wanted.place()));
    all
}

fn key((partition, sort): Place) -> Key {
    let sort = if sort == 5 { String::new() } else { sort.to_string() };
    Key::new(format!("partition {partition}"), sort)
}

fn owner_of(number: u8) -> String {
    format!("owner {number}")
}

/// The attributes of a place and its owner. A rank ends with the item's place: in which order an index holds items of
/// one sort key, DynamoDB does not say.
fn attributes(at: Place, owner: &Owner) -> Item {
    let Key { partition, sort } = key(at);
    let mut item = Item::default();
    let mut set = |name: &str, value| drop(item.insert(name.to_owned(), value));
    let named = |named: &Named, text: &dyn Fn(u8) -> String| match named {
        Named::Number(number) => AttributeValue::S(text(*number)),
        Named::Odd => AttributeValue::N("7".to_owned()),
        Named::Empty => AttributeValue::S(String::new()),
    };
    if let Some((name, rank)) = owner {
        set(BY_OWNER.partition, named(name, &owner_of));
        if let Some(rank) = rank {
            set(BY_OWNER.sort, named(rank, &|rank| format!("{rank} {} {sort}", at.0)));
        }
    }
    set("pk", AttributeValue::S(partition));
    set("sk", AttributeValue::S(sort));
    item
}

impl Wanted {
    fn place(&self) -> Place {
        match self {
            Wanted::Put { at, .. } | Wanted::Delete(at, _) | Wanted::Check(at, _) => *at,
        }
    }

    fn write(&self) -> Write {
        match self {
            Wanted::Put { at, value, size, owner, condition } => {
                let mut item = attributes(*at, owner);
                for (name, value) in [("value", value), ("size", size)] {
                    if let Some(value) = value {
                        item.insert(name.to_owned(), value.clone());
                    }
                }
                Write::Put(item, condition.clone())
            }
            Wanted::Delete(at, condition) => Write::Delete(key(*at), condition.clone()),
            Wanted::Check(at, condition) => Write::Check(key(*at), condition.clone()),
        }
    }
}

impl Question {
    fn query(&self) -> Query {
        let scope = match self.scope {
            Where::Partition(partition) => Scope::Partition(key((partition, 0)).partition),
            Where::Owner(owner) => Scope::Index(&BY_OWNER, owner_of(owner)),
            Where::Everything => Scope::Everything,
        };
        let (sort, order, limit, read) = (self.sort.clone(), self.order, self.limit, self.read);
        Query { scope, sort, order, limit, after: None, read }
    }
}

/// A table, and the page that was opened last.
struct Reader<'a> {
    table: &'a dyn Table,
    opened: Option<Query>,
}

impl Reader<'_> {
    /// What a step did, in words that must be the same for all tables.
    async fn outcome(&mut self, step: &Step) -> String {
        match step {
            Step::Commit(wanted) => {
                let writes: Vec<Write> = wanted.iter().map(Wanted::write).collect();
                committed(self.table.commit(&writes).await)
            }
            Step::Get(place, read) => match self.table.get(&key(*place), *read).await {
                Ok(found) => format!("{:?}", found.as_ref().map(told)),
                Err(_) => "not answered".to_owned(),
            },
            Step::Walk(question) => self.walked(question.query()).await,
            Step::Open(question) => self.turned(question.query()).await,
            Step::Turn => match self.opened.take() {
                Some(query) => self.turned(query).await,
                None => "nothing is open".to_owned(),
            },
            Step::After(question, place, owner) => {
                let mut after = attributes(*place, owner);
                if matches!(question.scope, Where::Partition(_)) {
                    after = attributes(*place, &None);
                }
                let query = question.query();
                if is_last(&query, &after) {
                    return "nothing can follow".to_owned();
                }
                paged(&self.table.query(&Query { after: Some(after), ..query }).await)
            }
        }
    }

    async fn page(&self, query: &Query) -> Result<Page, Unavailable> {
        let mut page = self.table.query(query).await?;
        page.next = page.next.filter(|next| !is_last(query, next));
        Ok(page)
    }

    async fn turned(&mut self, query: Query) -> String {
        let answer = self.page(&query).await;
        let next = answer.as_ref().ok().and_then(|page| page.next.clone());
        self.opened = next.map(|next| Query { after: Some(next), ..query });
        paged(&answer)
    }

    async fn walked(&mut self, mut query: Query) -> String {
        let (mut pages, mut items) = (Vec::new(), Vec::new());
        loop {
            let answer = self.page(&query).await;
            let Ok(Page { items: found, next }) = answer else { return paged(&answer) };
            let is_ordered = query.scope != Scope::Everything;
            pages.push((found.len(), if is_ordered { next.as_ref().map(told) } else { None }));
            items.extend(found.iter().map(told));
            assert!(pages.len() < 100, "pages that never end");
            query.after = next;
            if query.after.is_none() {
                if !is_ordered {
                    items.sort_unstable();
                }
                return format!("{pages:?}\n{}", items.join("\n"));
            }
        }
    }
}

/// Whether an item at this place is the last that the question could find, because it is where what is asked for ends.
/// DynamoDB Local sees that there is no next page, and refuses to look for one; others answer an empty one. DynamoDB
/// promises neither, so nobody may count on it.
fn is_last(query: &Query, place: &Item) -> bool {
    // All of a table is in no order, and has no such end.
    if matches!(query.scope, Scope::Everything) {
        return false;
    }
    let name = if matches!(query.scope, Scope::Index(..)) { BY_OWNER.sort } else { "sk" };
    let (Sort::Between(lowest, highest), Some(AttributeValue::S(sort))) = (&query.sort, place.get(name))
    else {
        return false;
    };
    sort == if query.order == Order::Ascending { highest } else { lowest }
}

fn committed(answer: Result<(), CommitError>) -> String {
    match answer {
        Err(CommitError::Unavailable(_)) => "not taken".to_owned(),
        Err(CommitError::Refused(refused)) => {
            let told: Vec<_> = refused.iter().map(|one| (one.write, one.found.as_ref().map(told))).collect();
            format!("refused {told:?}")
        }
        other => format!("{other:?}"),
    }
}

fn paged(answer: &Result<Page, Unavailable>) -> String {
    match answer {
        Ok(page) => {
            let items: Vec<String> = page.items.iter().map(told).collect();
            format!("{}\nnext {:?}", items.join("\n"), page.next.as_ref().map(told))
        }
        Err(_) => "not answered".to_owned(),
    }
}

/// An item in words, its attributes and those of its maps in order.
fn told(item: &Item) -> String {
    let value = |value: &AttributeValue| match value {
        AttributeValue::M(map) => format!("{:?}", map.iter().collect::<BTreeMap<_, _>>()),
        other => format!("{other:?}"),
    };
    let sorted: BTreeMap<_, _> = item.iter().map(|(name, held)| (name, value(held))).collect();
    format!("{sorted:?}")
}

/// Removes whatever the sequence before left behind.
async fn clear(table: &dyn Table) {
    let left = walk(table, &Query { read: Read::Consistent, ..Query::everything() }).await.unwrap();
    let text = |item: &Item, name| match item.get(name) {
        Some(AttributeValue::S(text)) => text.clone(),
        other => panic!("a key is a text: {other:?}"),
    };
    let delete = |item: &Item| Write::Delete(Key::new(text(item, "pk"), text(item, "sk")), Condition::Always);
    for some in left.iter().map(delete).collect::<Vec<_>>().chunks(100) {
        table.commit(some).await.unwrap();
    }
}

/// Whether an engine is known to differ here: docs/aws-differences.md has the reasons.
fn is_known(kind: Kind, step: &Step, seen: &str, expected: &str) -> bool {
    match (kind, step) {
        // It looks at the conditions before it looks whether a key is there twice.
        (Kind::DynamoDbLocal, Step::Commit(wanted)) if expected == "not taken" => {
            let places: BTreeSet<_> = wanted.iter().map(Wanted::place).collect();
            places.len() < wanted.len() && seen.starts_with("refused")
        }
        _ => false,
    }
}

#[test]
fn the_twin_and_the_engines_do_the_same() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let engines =
        [Kind::Dynoxide, Kind::DynamoDbLocal].map(|kind| (kind, runtime.block_on(Engine::start(kind))));
    let (sequences, compared, known) = (crate::count("SEQUENCES", USUAL), Cell::new(0_u64), Cell::new(0_u64));
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(sequences) };
    let outcome = TestRunner::new(config).run(&vec(step(), 1..40), |mut steps| {
        let everything = Where::Everything;
        let (order, read) = (Order::Ascending, Read::Consistent);
        steps.push(Step::Walk(Question { scope: everything, sort: Sort::All, order, limit: None, read }));
        runtime.block_on(async {
            for (_, engine) in &engines {
                clear(&engine.table).await;
            }
            let twin = Twin::indexed(&[&BY_OWNER]);
            let mut model = Reader { table: &twin, opened: None };
            let mut readers: Vec<_> = engines
                .iter()
                .map(|(kind, engine)| (kind, Reader { table: &engine.table, opened: None }))
                .collect();
            for (place, step) in steps.iter().enumerate() {
                let expected = model.outcome(step).await;
                for (kind, reader) in &mut readers {
                    let seen = reader.outcome(step).await;
                    if seen != expected && is_known(**kind, step, &seen, &expected) {
                        known.set(known.get() + 1);
                        continue;
                    }
                    prop_assert_eq!(
                        &seen,
                        &expected,
                        "{:?} and the twin differ at step {}: {:?}",
                        kind,
                        place,
                        step
                    );
                    compared.set(compared.get() + 1);
                }
            }
            Ok(())
        })
    });
    outcome.unwrap();
    let (same, known) = (compared.get(), known.get());
    println!("{sequences} sequences: {same} answers as the twin's, {known} known differences");
}
