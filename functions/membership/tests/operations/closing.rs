//! The end of a membership: what stands against it, what is left of the member, and what a crash does to it.

use crate::{
    attribute, bearer, bench, call, hana, items_of, logged_in, login, own, refresh, register, registered,
    table_text, text, with,
};
use async_trait::async_trait;
use contract::{
    Caller, Context,
    ports::{Calls, DirectAnswer, DirectCall, Unanswered},
    testing::{Answer, Bench, Request},
};
use events::{Envelope, membership::MembershipClosed};
use kernel::id::{MembershipId, WalletId};
use membership::items::{Member, MembershipState, member_key};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};
use store::{CommitError, Item, Key, Page, Query, Read, Record, Table, Unavailable, Write, twin::Twin};

/// Money and franchise as membership sees them: a reference of money's has one answer for ever.
#[derive(Default)]
struct Others {
    /// What is left in the wallet now.
    left: Mutex<Option<&'static str>>,
    is_open: Mutex<bool>,
    is_unsettled: Mutex<bool>,
    is_silent: Mutex<bool>,
    /// What each reference was answered.
    answers: Mutex<BTreeMap<String, Value>>,
    plan: Mutex<std::vec::IntoIter<Fault>>,
}

impl Others {
    fn at(bench: &mut Bench) -> Arc<Others> {
        let others = Arc::new(Others::default());
        bench.context.calls = others.clone();
        others
    }

    fn is_wallet_closed(&self) -> bool {
        self.answers.lock().unwrap().values().any(|answer| answer["outcome"] == "closed")
    }

    fn close(&self, call: &DirectCall) -> Value {
        let reference = call.reference.clone().unwrap();
        assert!(!reference.id.ends_with("/close"), "such a reference closes a hold or an announcement");
        let left = *self.left.lock().unwrap();
        let answer = || match left {
            Some(reason) => json!({ "outcome": "refused", "reason": reason }),
            None => json!({
                "outcome": "closed", "walletId": WalletId::of(call.on_behalf_of.unwrap()), "sequence": 3,
                "closedAt": reference.birth,
            }),
        };
        self.answers.lock().unwrap().entry(reference.id).or_insert_with(answer).clone()
    }
}

#[async_trait]
impl Calls for Others {
    async fn invoke(&self, call: &DirectCall, _: u32) -> Result<DirectAnswer, Unanswered> {
        tokio::task::yield_now().await;
        let fault = self.plan.lock().unwrap().next();
        if fault == Some(Fault::Before) || *self.is_silent.lock().unwrap() {
            return Err(Unanswered("fault".to_owned()));
        }
        assert_eq!(call.body["membershipId"], json!(call.on_behalf_of));
        let answer = match call.operation.as_str() {
            "money.closeMemberMoney" => self.close(call),
            "franchise.verifyFranchisesClosed" => {
                let is_open = *self.is_open.lock().unwrap();
                let is_settled = !*self.is_unsettled.lock().unwrap();
                json!({ "allClosed": !is_open, "allSettled": !is_open && is_settled })
            }
            other => panic!("{other} was asked"),
        };
        if fault == Some(Fault::AnswerLost) {
            return Err(Unanswered("fault".to_owned()));
        }
        Ok(DirectAnswer::Done(answer))
    }
}

fn close(id: MembershipId) -> Request {
    own("DELETE", id)
}

fn member(bench: &Bench, id: MembershipId) -> Member {
    let key = member_key(&id.to_string());
    let items = items_of(bench, Member::KIND);
    let item = items.into_iter().find(|item| attribute(item, "pk") == key.partition).unwrap();
    store::read(item).unwrap()
}

async fn looks_as_if_unknown(bench: &Bench, answer: &Answer) {
    let unknown = bench.send(login("nobody@pay.example", "correct horse battery")).await;
    assert_eq!((answer.status, answer.code()), (unknown.status, unknown.code()));
}

#[tokio::test]
async fn a_member_who_leaves_is_forgotten_and_every_token_is_dead() {
    let mut bench = bench();
    Others::at(&mut bench);
    let (id, tokens) = logged_in(&bench).await;
    let before = member(&bench, id);
    bench.relay().await.unwrap();

    let answer = bench.send(close(id)).await;
    assert_eq!((answer.status, &answer.body), (204, &Value::Null), "{}", answer.body);
    assert_eq!(bench.send(close(id)).await.status, 204, "again, while the token lives");

    let after = member(&bench, id);
    assert_eq!((after.state, after.version), (MembershipState::Closed, before.version + 2));
    assert!(after.personal.is_none() && after.email_index.is_none() && after.password_hash.is_none());
    assert_eq!(items_of(&bench, "emailOwner").len(), 0);
    // Whoever has the service's key finds nothing that it opens, nor an index that it can make again.
    let table = table_text(&bench);
    let sealed = before.personal.unwrap();
    let gone = [sealed.data_key, sealed.name, sealed.email, sealed.address, before.password_hash.unwrap()];
    for gone in gone.iter().map(String::as_str).chain([before.email_index.as_deref().unwrap()]) {
        assert!(!table.contains(gone), "{gone} is still there");
    }
    for item in bench.twin.items() {
        let data_key = item.get("personal");
        assert!(data_key.is_none(), "a sealed value is still there");
    }

    let access = text(&tokens["accessToken"]);
    let validated = Request::new("POST", "/v1/auth/validate").json(&json!({ "token": access }));
    assert_eq!(bench.send(validated).await.body, json!({ "active": false }));
    let refreshed = bench.send(refresh(text(&tokens["refreshToken"]))).await;
    assert_eq!((refreshed.status, refreshed.code()), (401, "invalid_refresh_token"));
    looks_as_if_unknown(&bench, &bench.send(login("hana@pay.example", "correct horse battery")).await).await;
    let who = bench.send(bearer(Request::new("GET", "/v1/auth/membership"), access, &bench)).await;
    assert_eq!(who.status, 404);
    assert_eq!(bench.send(own("GET", id)).await.status, 404);
    let change = own("PATCH", id).json(&json!({ "name": "김둘" }));
    assert_eq!(bench.send(change).await.status, 404);

    let operator = Request::new("GET", &format!("/v1/memberships/{id}")).caller(id, "operator");
    let seen = bench.send(operator).await.body;
    assert_eq!(
        (&seen["state"], &seen["name"], &seen["email"]),
        (&json!("closed"), &Value::Null, &Value::Null)
    );
    assert!(seen["closedAt"].is_string());
}

#[tokio::test]
async fn the_end_is_told_once_and_for_ever_and_names_nobody() {
    let mut bench = bench();
    Others::at(&mut bench);
    let id = registered(&bench, &hana()).await;
    bench.relay().await.unwrap();
    let at = bench.context.clock.now();
    assert_eq!(bench.send(close(id)).await.status, 204);
    let told = bench.relay().await.unwrap();
    let facts: Vec<&str> = told.iter().map(|event| event.kind.as_str()).collect();
    assert_eq!(facts, ["membership.closed.v1"]);
    let fact = MembershipClosed { membership_id: id, region: "seoul".to_owned(), closed_at: at };
    assert_eq!(told[0].data, json!(fact));
    call(&bench, "republish", json!({})).await;
    let again: Vec<Envelope> =
        bench.world.published().into_iter().filter(|event| event.id == told[0].id).collect();
    assert_eq!(again, [told[0].clone(), told[0].clone()]);
}

#[tokio::test]
async fn what_is_left_keeps_a_member_and_nothing_of_them_is_lost() {
    for (left, code) in
        [("held", "money_held"), ("expected", "recharge_expected"), ("balance", "wallet_not_empty")]
    {
        let mut bench = bench();
        let others = Others::at(&mut bench);
        let (id, tokens) = logged_in(&bench).await;
        let shown = bench.send(own("GET", id)).await.body;
        *others.left.lock().unwrap() = Some(left);
        for attempt in 1..3_u32 {
            let refused = bench.send(close(id)).await;
            assert_eq!((refused.status, refused.code()), (409, code));
            assert_eq!(member(&bench, id).closings, attempt, "each try has a reference of its own");
        }
        let now = bench.send(own("GET", id)).await.body;
        assert_eq!(with(now.clone(), "version", 0), with(shown.clone(), "version", 0));
        assert_eq!(bench.send(login("hana@pay.example", "correct horse battery")).await.status, 200);
        assert_eq!(bench.send(refresh(text(&tokens["refreshToken"]))).await.status, 200);
        bench.relay().await.unwrap();
        assert!(bench.world.published().iter().all(|event| event.kind != "membership.closed.v1"));

        *others.left.lock().unwrap() = None;
        assert_eq!(bench.send(close(id)).await.status, 204);
    }
}

#[tokio::test]
async fn an_open_or_unsettled_franchise_keeps_a_member_and_changes_nothing() {
    let mut bench = bench();
    let others = Others::at(&mut bench);
    let id = registered(&bench, &hana()).await;
    let before = bench.twin.items();
    *others.is_open.lock().unwrap() = true;
    let refused = bench.send(close(id)).await;
    assert_eq!((refused.status, refused.code()), (409, "franchise_open"));
    *others.is_open.lock().unwrap() = false;
    *others.is_unsettled.lock().unwrap() = true;
    let refused = bench.send(close(id)).await;
    assert_eq!((refused.status, refused.code()), (409, "franchise_unsettled"));
    *others.is_silent.lock().unwrap() = true;
    assert_eq!(bench.send(close(id)).await.code(), "temporarily_unavailable");
    assert_eq!(bench.twin.items(), before);
}

#[tokio::test]
async fn only_the_member_closes_a_membership_and_only_as_they_saw_it() {
    let mut bench = bench();
    Others::at(&mut bench);
    let id = registered(&bench, &hana()).await;
    let other = registered(&bench, &with(hana(), "email", "dul@pay.example")).await;
    let path = format!("/v1/memberships/{id}");
    let strange = Request::new("DELETE", &path).caller(other, "member operator");
    assert_eq!(bench.send(strange).await.code(), "not_found");
    assert_eq!(bench.send(Request::new("DELETE", &path)).await.code(), "unauthorized");
    assert_eq!(bench.send(Request::new("DELETE", &path).caller(id, "merchant")).await.code(), "forbidden");
    let nobody = MembershipId::derive(&["nobody"]);
    assert_eq!(bench.send(close(nobody)).await.code(), "not_found");
    assert_eq!(bench.send(close(id).header("if-match", "\"7\"")).await.code(), "precondition_failed");
    assert_eq!(member(&bench, id).state, MembershipState::Active);
    let seen = close(id).header("if-match", "\"1\"");
    assert_eq!(bench.send(seen.clone()).await.status, 204);
    assert_eq!(bench.send(seen).await.status, 204, "a repetition names the version that it saw then");
}

#[tokio::test]
async fn the_email_is_free_and_whoever_takes_it_is_somebody_else() {
    let mut bench = bench();
    Others::at(&mut bench);
    let first = bench.send(register(&hana()).key("first")).await;
    let id: MembershipId = text(&first.body["membershipId"]).parse().unwrap();
    assert_eq!(bench.send(close(id)).await.status, 204);
    let again = bench.send(register(&hana()).key("first")).await;
    assert_eq!(
        (again.status, again.code()),
        (422, "idempotency_key_reused"),
        "nobody comes back by a replay"
    );
    let anew = bench.send(register(&hana()).key("second")).await;
    assert_eq!(anew.status, 201);
    assert_ne!(anew.body["membershipId"], json!(id));
    assert_eq!(bench.send(login("hana@pay.example", "correct horse battery")).await.status, 200);
    assert_eq!(bench.send(close(id)).await.status, 204, "the first one is still gone");
    assert_eq!(bench.send(login("hana@pay.example", "correct horse battery")).await.status, 200);
}

#[tokio::test]
async fn nobody_is_found_who_leaves_or_has_left() {
    let mut bench = bench();
    let others = Others::at(&mut bench);
    let id = registered(&bench, &hana()).await;
    let questions =
        [json!({ "by": "id", "membershipId": id }), json!({ "by": "email", "email": "Hana@pay.example" })];
    for question in &questions {
        assert_eq!(call(&bench, "resolveMember", question.clone()).await["membershipId"], json!(id));
    }
    // Franchise answers and money does not; then both do.
    *others.plan.lock().unwrap() = vec![Fault::None, Fault::Before].into_iter();
    for status in [202, 204] {
        assert_eq!(bench.send(close(id)).await.status, status);
        for question in &questions {
            let found = call(&bench, "resolveMember", question.clone()).await;
            assert_eq!(found["membershipId"], Value::Null);
        }
    }
}

#[tokio::test]
async fn a_request_that_comes_late_begins_nothing_again() {
    let mut bench = bench();
    Others::at(&mut bench);
    let taken = bench.send(Request::new("POST", "/v1/memberships/by-event").json(&hana())).await;
    let id: MembershipId = text(&taken.body["membershipId"]).parse().unwrap();
    assert_eq!(bench.send(close(id)).await.code(), "not_found", "nobody can be the owner yet");
    let requested = bench.relay().await.unwrap().remove(0);
    call(&bench, "onRegisterMembershipRequested", json!(requested)).await;
    assert_eq!(bench.send(close(id)).await.status, 204);
    call(&bench, "onRegisterMembershipRequested", json!(requested)).await;
    assert_eq!(member(&bench, id).state, MembershipState::Closed);
}

#[tokio::test]
async fn while_money_is_silent_the_member_is_out_and_nothing_is_lost() {
    let mut bench = bench();
    let others = Others::at(&mut bench);
    let (id, tokens) = logged_in(&bench).await;
    bench.relay().await.unwrap();
    // Franchise answers and money does not.
    *others.plan.lock().unwrap() = vec![Fault::None, Fault::Before].into_iter();
    let taken = bench.send(close(id)).await;
    assert_eq!(
        (taken.status, taken.header("location")),
        (202, Some(format!("/v1/memberships/{id}").as_str()))
    );
    assert_eq!(taken.body, json!({ "membershipId": id, "state": "closing" }));
    looks_as_if_unknown(&bench, &bench.send(login("hana@pay.example", "correct horse battery")).await).await;
    assert_eq!(bench.send(own("GET", id)).await.status, 404);
    *others.is_silent.lock().unwrap() = true;
    assert_eq!(bench.send(close(id)).await.status, 202, "and again");
    bench.relay().await.unwrap();
    let queued = bench.world.take_queued();
    assert_eq!(queued.last().unwrap().operation, "membership.sweepMemberships");
    assert!(queued.last().unwrap().delay_seconds > 25, "ever more slowly");

    // Something came into the wallet meanwhile: the member stays, as they were.
    *others.is_silent.lock().unwrap() = false;
    *others.left.lock().unwrap() = Some("balance");
    call(&bench, "sweepMemberships", queued.last().unwrap().body.clone()).await;
    assert_eq!(member(&bench, id).state, MembershipState::Active);
    assert_eq!(bench.send(refresh(text(&tokens["refreshToken"]))).await.status, 200);
    assert_eq!(call(&bench, "sweepMemberships", json!({})).await, json!({ "advanced": 0, "queued": 0 }));
}

/// What goes wrong at a call.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    None,
    Before,
    AnswerLost,
    Conflict,
}

struct FaultyTable {
    inner: Arc<Twin>,
    plan: Mutex<std::vec::IntoIter<Fault>>,
}

impl FaultyTable {
    fn next(&self) -> Fault {
        self.plan.lock().unwrap().next().unwrap_or(Fault::None)
    }
}

#[async_trait]
impl Table for FaultyTable {
    async fn get(&self, key: &Key, how: Read) -> Result<Option<Item>, Unavailable> {
        tokio::task::yield_now().await;
        match self.next() {
            Fault::Before | Fault::AnswerLost => Err(Unavailable("fault".to_owned())),
            _ => self.inner.get(key, how).await,
        }
    }

    async fn query(&self, query: &Query) -> Result<Page, Unavailable> {
        self.inner.query(query).await
    }

    async fn commit(&self, writes: &[Write]) -> Result<(), CommitError> {
        tokio::task::yield_now().await;
        match self.next() {
            Fault::Before => Err(Unavailable("fault".to_owned()).into()),
            Fault::Conflict => Err(CommitError::Contended),
            Fault::AnswerLost => {
                self.inner.commit(writes).await?;
                Err(Unavailable("fault".to_owned()).into())
            }
            Fault::None => self.inner.commit(writes).await,
        }
    }
}

fn faults() -> impl Strategy<Value = Vec<Fault>> {
    let one = prop_oneof![
        4 => Just(Fault::None),
        1 => Just(Fault::Before),
        1 => Just(Fault::AnswerLost),
        1 => Just(Fault::Conflict),
    ];
    prop::collection::vec(one, 0..16)
}

/// Puts a member whose item is made by hand, so that no case pays for a password.
fn hana_by_hand() -> Member {
    let at = events::example_time();
    let id = MembershipId::derive(&["hana"]);
    let text = |text: &str| text.to_owned();
    let personal = json!({ "dataKey": "k", "name": "n", "email": "e", "address": "a" });
    let member = json!({
        "membershipId": id, "state": "active", "membershipKind": "personal", "personal": personal,
        "emailIndex": text("index"), "region": text("seoul"), "passwordHash": text("hash"), "operator": false,
        "version": 1, "traceparent": events::EXAMPLE_TRACEPARENT,
        "registered": { "at": at, "region": "seoul", "traceparent": events::EXAMPLE_TRACEPARENT },
    });
    serde_json::from_value(member).unwrap()
}

/// A history: so many requests two at a time under faults, while money lets the member go or not; then calm, and the
/// sweeper. Answers what was answered, and the member.
async fn run(at_table: Vec<Fault>, at_peers: Vec<Fault>, left: Option<&'static str>, asks: usize) -> Member {
    let mut bench = Bench::new(&membership::SERVICE);
    let others = Others::at(&mut bench);
    let hana = hana_by_hand();
    let id = hana.membership_id;
    let owner = membership::items::EmailOwner { email_index: "index".to_owned(), membership_id: id };
    let put = |item| Write::Put(item, store::Condition::Absent);
    bench.twin.commit(&[put(hana.to_item().unwrap()), put(owner.to_item().unwrap())]).await.unwrap();
    *others.left.lock().unwrap() = left;
    *others.plan.lock().unwrap() = at_peers.into_iter();
    let calm = bench.context.clone();
    let table = FaultyTable { inner: bench.twin.clone(), plan: Mutex::new(at_table.into_iter()) };
    bench.context = Context { table: Arc::new(table), ..calm.clone() };
    let mut answers = Vec::new();
    for _ in 0..asks {
        let (one, two) = tokio::join!(bench.send(close(id)), bench.send(close(id)));
        answers.extend([one.status, two.status]);
        bench.world.pass_seconds(30);
        drop(bench.call("sweepMemberships", Caller::Platform, json!({ "membershipId": id })).await);
    }
    bench.context = calm;
    *others.plan.lock().unwrap() = vec![].into_iter();
    bench.world.pass_seconds(3_600);
    bench.sweep("sweepMemberships").await.unwrap();
    let member = member(&bench, id);
    assert_eq!(
        member.state == MembershipState::Closed,
        others.is_wallet_closed(),
        "forgotten, and only then"
    );
    assert_eq!(items_of(&bench, "emailOwner").is_empty(), member.state == MembershipState::Closed);
    if answers.contains(&204) {
        assert_eq!(member.state, MembershipState::Closed, "it was said");
    }
    member
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn a_crash_anywhere_costs_a_delay_only(at_table in faults(), at_peers in faults(), keeps: bool, asks in 1..4_usize) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let left = keeps.then_some("balance");
        let member = runtime.block_on(run(at_table, at_peers, left, asks));
        prop_assert!(member.closing.is_none(), "nobody stays on the way out");
        match member.state {
            MembershipState::Closed => prop_assert!(!keeps && member.personal.is_none()),
            state => {
                prop_assert_eq!(state, MembershipState::Active);
                prop_assert!(member.personal.is_some() && member.password_hash.is_some());
            }
        }
    }
}
