//! `make bench-settlement N=… M=…`: what a day's settlement costs, for N payments of M franchises on a real engine.
//!
//! The payments are written as payment writes them; then the steps run in the state machine's order, each as Step
//! Functions would call it. Units per payment and memory must not grow with N, and only they are judged: seconds are
//! printed for people.

use crate::{
    dynoxide::Dynoxide,
    report::{self, Grid},
    runner::{Caller, Runner, request},
    scenarios::{self, text, won},
    tally::{Scope, Units, units},
    world::{World, table_name},
};
use anyhow::{Context as _, Result, bail, ensure};
use aws_sdk_dynamodb::{
    Client,
    config::{self, timeout::TimeoutConfig},
    types::{PutRequest, WriteRequest},
};
use kernel::{
    BasisPoints, Id, Money, SeoulDay, Timestamp,
    id::{FranchiseId, PaymentId},
};
use payment::{
    domain::OrderId,
    items::{Payment, PaymentState},
};
use serde_json::{Value, json};
use std::{
    fs,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};
use store::Record as _;

/// How many payments of how many franchises.
#[derive(Clone, Copy)]
struct Size {
    payments: u32,
    franchises: u32,
}

/// What is written into the document: quick enough for anybody to repeat. A million is run by hand.
const USUAL: &[Size] = &[
    Size { payments: 10_000, franchises: 100 },
    Size { payments: 100_000, franchises: 100 },
    Size { payments: 100_000, franchises: 1 },
];

/// The most write units that a payment may cost, all of a run's put together.
const MOST_WRITES: f64 = 1.0;
/// The most memory that a step may take, in MB: all services run in this one process, so it is less.
const MOST_MEMORY: u64 = 128;

/// How often a step that has failed is tried again.
const RETRIES: u32 = 8;

/// What one run has cost.
struct Cost {
    size: Size,
    what: &'static str,
    seconds: f64,
    steps: u32,
    units: Units,
    memory: u64,
    idle_memory: u64,
}

/// Settles the usual sizes and writes the document's table, or the one that is asked for.
pub async fn run(root: &Path, arguments: &[String]) -> Result<()> {
    let sizes = match arguments {
        [] => USUAL.to_vec(),
        [payments, franchises] => {
            vec![Size { payments: payments.parse()?, franchises: franchises.parse()? }]
        }
        _ => bail!("usage: bench settlement [payments franchises]"),
    };
    let mut costs = Vec::new();
    for size in sizes {
        ensure!(
            size.franchises > 0 && size.payments >= size.franchises,
            "a franchise has a payment at least"
        );
        costs.extend(settle(root, size).await?);
    }
    let text = table(&costs);
    println!("{text}");
    if arguments.is_empty() {
        report::write(root, report::BENCHMARKS, "make bench-settlement", &text)?;
    }
    for cost in &costs {
        let each = cost.units.writes() / f64::from(cost.size.payments);
        ensure!(each <= MOST_WRITES, "{} payments cost {each} write units each", cost.size.payments);
        ensure!(cost.memory < MOST_MEMORY, "{} payments took {} MB", cost.size.payments, cost.memory);
    }
    Ok(())
}

/// Settles a day, and the day after it, on which nothing was paid.
async fn settle(root: &Path, size: Size) -> Result<[Cost; 2]> {
    let server = Dynoxide::start(root).await?;
    let world = World::new(&server).await?;
    let (operator, franchises) = open(&world, size).await?;
    let today = contract::ports::Clock::now(&*world).business_day();
    eprintln!("writing {} payments of {} franchises", size.payments, size.franchises);
    let paid = pay(&server, &today, &franchises, size.payments).await?;

    let first = run_of(&world, &operator, &today, size, "a day").await?;
    let found = find(&world, &operator, &today).await?;
    ensure!(found["totals"]["sales"] == won(paid), "{paid} won were paid, and the run says {found}");
    ensure!(found["totals"]["done"] == json!(size.franchises), "not every franchise is settled: {found}");
    let second = run_of(&world, &operator, &today.plus_days(1), size, "the next, nothing paid").await?;
    let found = find(&world, &operator, &today.plus_days(1)).await?;
    ensure!(found["totals"]["sales"] == won(0), "the second run has found something: {found}");
    Ok([first, second])
}

/// A merchant with a linked account and so many franchises.
async fn open(world: &Arc<World>, size: Size) -> Result<(Caller, Vec<FranchiseId>)> {
    let mut runner = Runner::new(world.clone());
    let (member, _, operator) = scenarios::membership::run(&mut runner).await?;
    let account = scenarios::banking::run(&mut runner, &member, &operator).await?;
    let contact = json!({ "name": "김하나", "email": "hana@shop.example", "phone": "02-1234-5678" });
    let mut franchises = Vec::new();
    for number in 0..size.franchises {
        let body = json!({
            "membershipId": member.id, "name": "하나상점", "contact": contact,
            "bankAccountId": account, "feeBps": 250, "settlementCycle": { "kind": "daily" },
        });
        let key = format!("franchise-{number}");
        let open = request("POST", "/v1/franchises", Some(&operator), &key, &body);
        let opened = runner.route("franchise.registerFranchise", "one of many", open, 201).await?;
        franchises.push(text(&opened, "franchiseId")?.parse()?);
        runner.rows.clear();
    }
    Ok((operator, franchises))
}

/// Writes payments as payment does when they are approved, over the day until an hour before its end; answers their
/// sum.
async fn pay(server: &Dynoxide, day: &SeoulDay, franchises: &[FranchiseId], count: u32) -> Result<u64> {
    // Only the writing waits so long: a million payments are a while on a busy machine, and steps have their own time.
    let patient = TimeoutConfig::builder().operation_timeout(Duration::from_secs(120)).build();
    let config = config::Builder::from(&server.config).timeout_config(patient).build();
    let client = Client::from_conf(config);
    let opened = day.business_opens_at();
    let step = (23_i64 * 3_600_000).checked_div(i64::from(count)).unwrap_or_default();
    let mut sum = 0;
    let mut batch = Vec::new();
    for number in 0..count {
        let franchise = franchises[usize::try_from(number)? % franchises.len()];
        let approved_at = Timestamp::from_millis(opened.millis() + step * i64::from(number));
        let payment = approved(number, franchise, approved_at)?;
        sum += payment.amount.amount();
        let put = PutRequest::builder().set_item(Some(payment.to_item()?.into())).build()?;
        batch.push(WriteRequest::builder().put_request(put).build());
        if batch.len() == 25 || number + 1 == count {
            let written =
                client.batch_write_item().request_items(table_name("payment"), std::mem::take(&mut batch));
            let written = written.send().await?;
            ensure!(written.unprocessed_items().is_none_or(|left| left.is_empty()), "not all was written");
        }
    }
    Ok(sum)
}

fn approved(number: u32, franchise_id: FranchiseId, approved_at: Timestamp) -> Result<Payment> {
    let payment_id: PaymentId = Id::derive(&["bench", &number.to_string()]);
    Ok(Payment {
        payment_id,
        membership_id: Id::derive(&["payer", &number.to_string()]),
        franchise_id,
        order_id: OrderId::parse(&format!("order-{number}")).context("an order's id")?,
        amount: Money::won(1_000 + number % 977),
        fee_bps: BasisPoints::try_new(250)?,
        bank_account_id: None,
        requested_at: approved_at,
        payable_until: approved_at.plus_seconds(300),
        fingerprint: store::seal::digest(&["bench", &number.to_string()]),
        state: PaymentState::Normal,
        top_up: None,
        failure_reason: None,
        approved_at: Some(approved_at),
        entered_at: None,
        cancellations: Vec::new(),
        version: 2,
        attempts: 0,
        leased_until: approved_at.plus_seconds(20),
        traceparent: events::EXAMPLE_TRACEPARENT.to_owned(),
    })
}

/// Runs a day's settlement from its start to its end, step by step.
#[allow(clippy::disallowed_methods, reason = "seconds of this machine are what is printed")]
async fn run_of(
    world: &Arc<World>,
    operator: &Caller,
    day: &SeoulDay,
    size: Size,
    what: &'static str,
) -> Result<Cost> {
    let mut bench = Settling { world, day, steps: 0, units: Units::default() };
    let now = contract::ports::Clock::now(&**world);
    let closed = day.plus_days(1).business_opens_at().plus_seconds(600);
    world.pass_seconds(closed.millis_since(now).div_euclid(1000));
    world.tally.take();
    world.tally.enter(Scope::Request);
    fs::write("/proc/self/clear_refs", "5")?;
    let (idle_memory, began) = (peak_memory()?, Instant::now());
    let function = world.function("settlement.startSettlement")?;
    let body = json!({ "businessDay": day });
    let start = request("POST", "/v1/settlements", Some(operator), "", &body);
    let started =
        contract::http::answer(function.service, function.name.as_deref(), &function.context, start).await;
    ensure!(started.status == 202, "{} {}", started.status, started.body);
    bench.run().await?;
    let seconds = began.elapsed().as_secs_f64();
    world.tally.enter(Scope::Nobody);
    let Settling { steps, units, .. } = bench;
    Ok(Cost { size, what, seconds, steps, units, memory: peak_memory()?, idle_memory })
}

/// The state machine's path, one franchise after the other.
struct Settling<'a> {
    world: &'a Arc<World>,
    day: &'a SeoulDay,
    steps: u32,
    units: Units,
}

impl Settling<'_> {
    async fn run(&mut self) -> Result<()> {
        let mut after = Value::Null;
        loop {
            after = self.step("enlistFranchises", json!({ "after": after })).await?["after"].take();
            if after.is_null() {
                break;
            }
        }
        for shard in 0..16 {
            let mut after = Value::Null;
            loop {
                let asked = json!({ "shard": shard, "after": after });
                let mut page = self.step("listDueFranchises", asked).await?;
                for franchise in page["franchises"].as_array().into_iter().flatten() {
                    self.franchise(&franchise["franchiseId"]).await?;
                }
                after = page["after"].take();
                if after.is_null() {
                    break;
                }
            }
        }
        let left = self.step("countOpenLines", json!({})).await?;
        ensure!(left["due"] == 0 && left["open"] == 0, "something is left: {left}");
        self.step("finishSettlement", json!({})).await?;
        Ok(())
    }

    async fn franchise(&mut self, id: &Value) -> Result<()> {
        let franchise = json!({ "franchiseId": id });
        loop {
            let answer = self.step("collectPayments", franchise.clone()).await?;
            match answer["next"].as_str() {
                Some("collect") => {}
                Some("calculate") => break,
                _ => return Ok(()),
            }
        }
        let calculated = self.step("calculateSettlement", franchise).await?;
        let asked = json!({ "calculation": calculated["calculation"] });
        let recorded = self.step("recordSettlement", asked).await?;
        self.step("payOutSettlement", json!({ "settlementId": recorded["settlementId"] })).await?;
        Ok(())
    }

    async fn step(&mut self, name: &str, mut input: Value) -> Result<Value> {
        input["businessDay"] = json!(self.day);
        let step = format!("settlement.{name}");
        let event = json!({ "step": step, "traceparent": events::EXAMPLE_TRACEPARENT, "input": input });
        let mut answer = self.world.invoke(&step, event.clone()).await;
        self.steps += 1;
        // As the state machine does: a busy engine may let a step wait too long.
        for _ in 0..RETRIES {
            if answer.is_ok() {
                break;
            }
            answer = self.world.invoke(&step, event.clone()).await;
            self.steps += 1;
        }
        let spent = units(&self.world.tally.take(), Scope::Request);
        self.units = Units {
            table_writes: self.units.table_writes + spent.table_writes,
            index_writes: self.units.index_writes + spent.index_writes,
            reads: self.units.reads + spent.reads,
        };
        // The relays are not measured here, and what they would relay is memory.
        for service in crate::world::SERVICES {
            self.world.take_changes(service.name);
        }
        answer
    }
}

async fn find(world: &Arc<World>, operator: &Caller, day: &SeoulDay) -> Result<Value> {
    let function = world.function("settlement.findSettlement")?;
    let path = format!("/v1/settlements/{day}");
    let asked = request("GET", &path, Some(operator), "", &Value::Null);
    let answer =
        contract::http::answer(function.service, function.name.as_deref(), &function.context, asked).await;
    ensure!(answer.status == 200, "{} {}", answer.status, answer.body);
    Ok(serde_json::from_str(&answer.body)?)
}

/// The most memory that this process has had since it was last asked to forget, in MB.
fn peak_memory() -> Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM")?;
    let kilobytes: u64 = line.trim().trim_end_matches(" kB").trim().parse()?;
    Ok(kilobytes.div_ceil(1024))
}

fn table(costs: &[Cost]) -> String {
    let head = [
        "payments",
        "franchises",
        "run of",
        "write units",
        "a payment",
        "read units",
        "a payment",
        "steps",
        "peak MB",
        "before MB",
        "seconds here",
    ];
    let mut grid = Grid::new(&head, 3);
    for cost in costs {
        let each = |units: f64| format!("{:.4}", units / f64::from(cost.size.payments));
        grid.row([
            cost.size.payments.to_string(),
            cost.size.franchises.to_string(),
            cost.what.to_owned(),
            cost.units.writes().to_string(),
            each(cost.units.writes()),
            cost.units.reads.to_string(),
            each(cost.units.reads),
            cost.steps.to_string(),
            cost.memory.to_string(),
            cost.idle_memory.to_string(),
            format!("{:.1}", cost.seconds),
        ]);
    }
    format!("{}\n{NOTES}", grid.markdown())
}

const NOTES: &str = "\
Units are of all tables and indexes, with those of payment, money, banking and franchise whom the steps call; the
simulated bank's are not in them. Memory is that of one process in which all services run, at its highest, and before
the run began. Seconds are of this machine, with one franchise after the other, and prove nothing.";
