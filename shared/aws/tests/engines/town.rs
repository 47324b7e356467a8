//! Money and remittance on the deployed adapter behind a misbehaving network, each with a table of its own: whoever
//! asks repeats under one key until there is an answer, and in the end every won is where the answers say.
//!
//! The services are the real ones and call one another; membership and banking are played by what they know, and the
//! bank does what it is told, once for each reference.

use crate::{
    faults::{Counts, Network},
    server::Engine,
};
use async_trait::async_trait;
use aws::table::DynamoDb;
use contract::{
    Call, Caller, Context, Trace,
    ports::{Calls, DirectAnswer, DirectCall, Unanswered},
    testing::{Answer, Bench, Request},
};
use kernel::{
    Id,
    id::{BankAccountId, FirmbankingId, MembershipId},
};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, OnceLock},
};

const MEMBERS: u64 = 3;
const ASKS: usize = 12;
const OWN_FUNDS: i64 = 1_000_000;
/// A step is some ten calls, and all of them must come through for an answer.
const SHARES: [u64; 4] = [20, 80, 160, 240];
/// Far more than any seed needs: a request that is never answered is a bug.
const MOST_ATTEMPTS: u32 = 300;

fn member(number: u64) -> MembershipId {
    Id::derive(&["member", &number.to_string()])
}

fn account(number: u64) -> BankAccountId {
    Id::derive(&["account", &number.to_string()])
}

fn won(amount: u64) -> Value {
    json!({ "amount": amount, "currency": "KRW" })
}

/// Everybody but money and remittance.
#[derive(Default)]
struct Others {
    contexts: OnceLock<BTreeMap<&'static str, Context>>,
    /// What the bank moved, by reference.
    moved: Mutex<BTreeMap<String, Value>>,
}

#[async_trait]
impl Calls for Others {
    async fn invoke(&self, call: &DirectCall, _: u32) -> Result<DirectAnswer, Unanswered> {
        match call.operation.as_str() {
            "money.auditLedger" => Err(Unanswered("nobody calls it here".to_owned())),
            own if own.starts_with("money.") || own.starts_with("remittance.") => Ok(self.own(call).await),
            _ => Ok(DirectAnswer::Done(self.answer(call))),
        }
    }
}

impl Others {
    /// As shared/aws's runtime would hand a direct call to the operation.
    async fn own(&self, call: &DirectCall) -> DirectAnswer {
        let (service, name) = call.operation.split_once('.').unwrap();
        let context = &self.contexts.get().unwrap()[service];
        let service = if service == "money" { &money::SERVICE } else { &remittance::SERVICE };
        let typed = Call {
            operation: call.operation.clone(),
            caller: call.caller(),
            on_behalf_of: call.on_behalf_of,
            idempotency_key: None,
            reference: call.reference.clone(),
            if_match: None,
            trace: Trace::parse(&call.traceparent).unwrap(),
            now: context.clock.now(),
            fingerprint: store::seal::digest(&[&call.body.to_string()]),
            body: call.body.clone(),
        };
        match (service.operation(name).unwrap().handle)(context, typed).await {
            Ok(reply) => DirectAnswer::Done(reply.body),
            Err(problem) => DirectAnswer::Refused(problem),
        }
    }

    fn answer(&self, call: &DirectCall) -> Value {
        let body = &call.body;
        match call.operation.as_str() {
            "membership.resolveMember" => json!({ "membershipId": body["membershipId"] }),
            "banking.findRechargeAccount" => {
                let mut members = 0..MEMBERS;
                let asked = members.find(|number| json!(member(*number)) == body["membershipId"]);
                json!({ "bankAccountId": account(asked.unwrap()) })
            }
            "banking.requestFirmbanking" => {
                let reference = call.reference.clone().unwrap();
                let mut moved = self.moved.lock().unwrap();
                let order = moved.entry(reference.id.clone()).or_insert_with(|| body.clone());
                assert_eq!(order, body, "a reference has one order");
                let mut answer = body.clone();
                answer["firmbankingId"] = json!(FirmbankingId::derive(&[&reference.id]));
                answer["requestedAt"] = json!(reference.birth);
                answer["state"] = json!("succeeded");
                answer
            }
            "banking.getCorporateBalance" => {
                json!({ "balance": won(u64::try_from(OWN_FUNDS + self.moved_in(|_| true)).unwrap()) })
            }
            "banking.auditBanking" => {
                let sums = json!({ "banking.forSagas": self.moved_in(|_| true), "open.bankIn": 0 });
                json!({ "checked": 1, "findings": [], "sums": sums })
            }
            audit if audit.contains(".audit") => json!({ "checked": 0, "findings": [], "sums": {} }),
            other => panic!("nobody answers {other}"),
        }
    }

    /// What the bank has moved for this money request.
    fn moved_in_by(&self, request: &Value) -> i64 {
        let Some(request) = request.as_str() else { return 0 };
        let moved = self.moved.lock().unwrap();
        moved
            .iter()
            .filter(|(reference, _)| reference.starts_with(request))
            .map(|(_, order)| effect(order))
            .sum()
    }

    /// What the bank has moved into Pay, less what it has moved out, in won.
    fn moved_in(&self, is_meant: impl Fn(&Value) -> bool) -> i64 {
        let moved = self.moved.lock().unwrap();
        let is_meant = |order: &&Value| {
            let linked = ["source", "destination"].into_iter().map(|side| &order[side]);
            linked.filter(|party| party["kind"] == "linked").any(&is_meant)
        };
        moved.values().filter(is_meant).map(effect).sum()
    }
}

fn effect(order: &Value) -> i64 {
    let amount = order["amount"]["amount"].as_i64().unwrap();
    if order["source"]["kind"] == "corporate" { -amount } else { amount }
}

/// Something that a member asks for.
#[derive(Clone, Copy, Debug)]
enum Ask {
    Recharge(u64, u64),
    Withdraw(u64, u64),
    Remit(u64, u64, u64),
}

/// The two services on one seed's tables.
struct Town {
    money: Bench,
    remittance: Bench,
    others: Arc<Others>,
    network: Network,
    /// The same without faults.
    calm: [Context; 2],
}

impl Town {
    async fn new(seed: u64, engine: &Engine) -> Town {
        let others = Arc::<Others>::default();
        let (network, config) = Network::new(seed, &engine.config, SHARES);
        let (mut money, mut remittance) = (Bench::new(&money::SERVICE), Bench::new(&remittance::SERVICE));
        money.context.settings.config = json!({ "ownFunds": OWN_FUNDS });
        let clock = remittance.world.clone();
        let mut calm = Vec::new();
        for bench in [&mut money, &mut remittance] {
            let name = format!("pay-{}-{seed}", bench.service.name);
            engine.create_table(&name, bench.service.indexes).await;
            bench.context.calls = others.clone();
            bench.context.clock = clock.clone();
            let table = Arc::new(DynamoDb::new(engine.config.clone(), &name));
            calm.push(Context { table, ..bench.context.clone() });
            bench.context.table = Arc::new(DynamoDb::new(config.clone(), &name));
        }
        let contexts = [("money", money.context.clone()), ("remittance", remittance.context.clone())];
        assert!(others.contexts.set(contexts.into()).is_ok());
        Town { money, remittance, others, network, calm: calm.try_into().ok().unwrap() }
    }

    fn plan(&self) -> Vec<Ask> {
        let below = |bound| self.network.below(bound);
        let amount = || 1_000 * (1 + below(20));
        let ask = |_| match below(4) {
            0 => Ask::Recharge(below(MEMBERS), amount()),
            1 => Ask::Withdraw(below(MEMBERS), amount()),
            _ => {
                let from = below(MEMBERS);
                Ask::Remit(from, (from + 1 + below(MEMBERS - 1)) % MEMBERS, amount())
            }
        };
        (0..ASKS).map(ask).collect()
    }

    fn request(place: usize, ask: Ask) -> Request {
        let (path, who, body) = match ask {
            Ask::Recharge(who, amount) => {
                ("/v1/money/increases", who, json!({ "bankAccountId": account(who), "amount": won(amount) }))
            }
            Ask::Withdraw(who, amount) => {
                ("/v1/money/decreases", who, json!({ "bankAccountId": account(who), "amount": won(amount) }))
            }
            Ask::Remit(from, to, amount) => {
                let to = json!({ "kind": "member", "membershipId": member(to) });
                ("/v1/remittances", from, json!({ "to": to, "amount": won(amount) }))
            }
        };
        Request::new("POST", path).caller(member(who), "member").key(&format!("ask-{place}")).json(&body)
    }

    /// Asks again under the same key until there is an answer, as a client does.
    async fn driven(&self, place: usize, ask: Ask) -> Answer {
        let bench = if matches!(ask, Ask::Remit(..)) { &self.remittance } else { &self.money };
        let mut told = Vec::new();
        for _ in 0..MOST_ATTEMPTS {
            let answer = bench.send(Town::request(place, ask)).await;
            told.push(format!("{} {}", answer.status, answer.body["code"]));
            self.remittance.world.pass_seconds(1);
            // Accepted is not done yet, and a conflict is with an attempt of its own.
            if answer.status < 500 && ![202, 409].contains(&answer.status) {
                return answer;
            }
        }
        panic!("ask {place}: {ask:?} is never answered, but {told:?}");
    }

    async fn rest(&mut self) {
        self.network.calm();
        self.network.settle().await;
        let [money, remittance] = self.calm.clone();
        (self.money.context, self.remittance.context) = (money, remittance);
        for _ in 0..3 {
            self.remittance.world.pass_seconds(1_000);
            self.money.call("sweepMoneyRequests", Caller::Platform, json!({})).await.unwrap();
            self.remittance.call("sweepRemittances", Caller::Platform, json!({})).await.unwrap();
        }
    }

    async fn balance(&self, number: u64) -> i64 {
        let path = format!("/v1/money/wallets/{}/balance", member(number));
        let answer = self.money.send(Request::new("GET", &path).caller(member(number), "member")).await;
        assert_eq!(answer.body["held"].clone(), if answer.status == 200 { won(0) } else { Value::Null });
        answer.body["balance"]["amount"].as_i64().unwrap_or_default()
    }

    /// What money's own audit, which asks every other service's, has found.
    async fn findings(&self) -> Value {
        let mut body = json!({ "slackSeconds": 0 });
        loop {
            let caller = Caller::Service("operations".to_owned());
            let answer = self.money.call("auditLedger", caller, body).await.unwrap().body;
            if !answer["next"].is_object() {
                return answer["findings"].clone();
            }
            body = json!({ "next": answer["next"] });
        }
    }
}

/// One seed's asks under faults, two at a time; then all comes to rest, and the books are read.
pub async fn run(seed: u64, engine: &Engine) -> Counts {
    let mut town = Town::new(seed, engine).await;
    let mut counts = Counts::new();
    let plan: Vec<(usize, Ask)> = town.plan().into_iter().enumerate().collect();
    let mut answers = Vec::new();
    for pair in plan.chunks(2) {
        match pair {
            [(place, ask), (other, next)] => {
                let both = tokio::join!(town.driven(*place, *ask), town.driven(*other, *next));
                answers.extend([both.0, both.1]);
            }
            alone => {
                for (place, ask) in alone {
                    answers.push(town.driven(*place, *ask).await);
                }
            }
        }
    }
    town.rest().await;
    let mut expected: BTreeMap<u64, i64> = BTreeMap::new();
    for ((place, ask), answer) in plan.iter().zip(&answers) {
        let told = format!("SEED={seed}, ask {place}: {ask:?}: {answer:?}");
        let again = town.driven(*place, *ask).await;
        for id in ["moneyRequestId", "remittanceId", "state", "code"] {
            assert_eq!(again.body[id], answer.body[id], "asked again: {again:?}, {told}");
        }
        let is_done = ["succeeded", "completed"].iter().any(|state| answer.body["state"] == *state);
        assert!(is_done || answer.status == 422, "neither done nor refused, {told}");
        if let (Ask::Remit(from, to, amount), true) = (ask, is_done) {
            let amount = i64::try_from(*amount).unwrap();
            *expected.entry(*from).or_default() -= amount;
            *expected.entry(*to).or_default() += amount;
        }
        let kind = if is_done { "done" } else { "refused" };
        *counts.entry(kind.to_owned()).or_default() += 1;
        let bank = town.others.moved_in_by(&answer.body["moneyRequestId"]);
        match ask {
            Ask::Recharge(_, amount) => {
                assert_eq!(bank, if is_done { i64::try_from(*amount).unwrap() } else { 0 }, "{told}")
            }
            Ask::Withdraw(_, amount) => {
                assert_eq!(bank, if is_done { -i64::try_from(*amount).unwrap() } else { 0 }, "{told}")
            }
            Ask::Remit(..) => {}
        }
    }
    for number in 0..MEMBERS {
        let is_theirs = |linked: &Value| linked["bankAccountId"] == json!(account(number));
        let expected = expected.get(&number).copied().unwrap_or_default() + town.others.moved_in(is_theirs);
        assert_eq!(town.balance(number).await, expected, "SEED={seed}, member {number}: {plan:?}");
    }
    town.remittance.world.pass_seconds(3_600);
    assert_eq!(town.findings().await, json!([]), "SEED={seed}: {plan:?}");
    counts.extend(town.network.struck());
    counts
}
