//! A history: people act while faults strike; then the faults stop, the system comes to rest, and judges look.

use crate::{
    actions::{ACTIONS, MERCHANT, audit, end_troubles, internally, named, newcomer, register_at, republish},
    agenda::Executor,
    faults::{Call, Coverage, Fault, Plan, Use},
    judges, mix,
    people::{Crowd, Player, Seen},
    platform::{self, Around},
    random::{Dice, Stream},
    settings,
    world::{DeadLetter, Line, SERVICES, World, find, lock},
};
use argon2::{Algorithm, Argon2, Params, PasswordHasher as _, Version};
use contract::{
    Caller, Operation, Scope, Service, Trigger,
    ports::{SecretText, Stage},
    testing::Log,
};
use events::Envelope;
use kernel::{Money, SeoulDay, Timestamp};
use payment::items::Payment;
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, OnceLock},
};
use store::{AttributeValue, Item, Record as _, kind_of};

/// When histories begin: 2026-11-22T10:15:30Z, a Sunday evening in Seoul.
fn beginning_ms() -> i64 {
    events::example_time().millis()
}

/// How long the system may take to come to rest, in milliseconds: queues' delays grow to a quarter of an hour.
const MOST_REST_MS: i64 = 3 * DAY_MS;
const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;
/// How long the read model may take to be built anew, with its waits.
const REBUILD_MS: i64 = HOUR_MS;
/// Whose table holds the read model.
const READ_MODEL: &str = "money-query";

/// One thing to be done: after how many milliseconds, what, and by whom.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// Its number in the whole history: it keeps it when others are left out.
    pub number: u64,
    /// How long after the step before it, in milliseconds.
    pub after_ms: i64,
    /// What: an action's name.
    pub action: &'static str,
    /// Who.
    pub who: usize,
}

/// What to run.
#[derive(Clone, Debug)]
pub struct Plot {
    /// Where all chance comes from.
    pub seed: u64,
    /// What people do.
    pub steps: Vec<Step>,
    /// How many steps were drawn for it, of which some may be left out: what follows in the seed depends on it.
    pub drawn: u64,
    /// When faults strike.
    pub plan: Plan,
    /// Settings of the services.
    pub config: BTreeMap<&'static str, Value>,
    /// Whether functions' clocks differ.
    pub skewed: bool,
    /// How much later than others it begins, in milliseconds.
    pub later_ms: i64,
    /// Whether it happens in the middle of a deployment: until faults stop, functions of two versions run.
    pub are_versions_mixed: bool,
}

/// How a history ended.
pub struct Ended {
    /// Each service's items.
    pub items: BTreeMap<&'static str, Vec<Item>>,
    /// The people and what they saw.
    pub seen: Seen,
    /// What the bus took before the check of the outbox, and in it.
    pub published: (Vec<Envelope>, Vec<Envelope>),
    /// How often the gateway refused a token that a key in use had signed.
    pub refused_tokens: u64,
    /// Bodies of messages.
    pub messages: Vec<String>,
    /// What is given up for good, poison apart.
    pub lost: Vec<DeadLetter>,
    /// Every line of the log.
    pub log: String,
    /// Cells.
    pub coverage: Coverage,
    /// Every call with every fault that would have changed something there, if nothing was to strike by chance.
    pub places: Vec<(Call, Fault)>,
    /// The story, if it was asked for.
    pub story: Vec<Line>,
    /// What Pay's own audit has found; none if it came to no end.
    pub audit: Option<Value>,
    /// What each approved payment is shown as when all is settled.
    pub shown: Vec<Value>,
    /// When everything had come to rest, before the later days were settled.
    pub rested_at: Timestamp,
    /// The settings that were drawn.
    pub config: BTreeMap<&'static str, Value>,
    /// The read model's items when it was built anew after all this; none if it was not.
    pub rebuilt: Option<Vec<Item>>,
    /// What happened beside the faults that no table remembers, and how often.
    pub happened: BTreeMap<&'static str, u64>,
    /// How often operations ran.
    pub runs: u64,
}

/// What every history begins with: some members, linked accounts, keys. It is made once, by the operations themselves.
struct Beginning {
    items: BTreeMap<&'static str, Vec<Item>>,
    secrets: BTreeMap<(String, Stage), (String, SecretText)>,
    published: Vec<Envelope>,
    seen: Seen,
    now_ms: i64,
}

/// Members at the beginning, the operator not counted.
pub const MEMBERS: usize = 3;

impl Plot {
    /// The random history of a seed: so many steps, faults included.
    pub fn of_seed(seed: u64, drawn: u64) -> Plot {
        let mut dice = Dice::new(seed, Stream::Plan);
        let mut config = config(&mut dice);
        settings::draw(seed, &mut config);
        let in_ten_thousand = [0, 50, 150, 300, 600][usize::try_from(dice.below(5)).expect("small")];
        let all: u64 = ACTIONS.iter().map(|action| action.weight).sum();
        // Some histories are about few people, so that they meet in one wallet.
        let people = 1 + dice.below(MEMBERS.try_into().expect("few"));
        let step = |number: u64| {
            let mut left = dice.below(all);
            let weighed = ACTIONS.iter().find(|action| match left.checked_sub(action.weight) {
                Some(less) => {
                    left = less;
                    false
                }
                None => true,
            });
            let after_ms = match dice.below(100) {
                0..55 => dice.between(0, 30),
                55..80 => dice.between(0, 3_000),
                80..94 => dice.between(0, 300_000),
                94..99 => dice.between(0, 3 * HOUR_MS),
                _ => dice.between(0, 26 * HOUR_MS),
            };
            let who = 1 + usize::try_from(dice.below(people)).expect("few");
            Step { number, after_ms, action: weighed.map_or("stand_by", |action| action.name), who }
        };
        let steps = (0..drawn).map(step).collect();
        let plan = Plan::AtChance { in_ten_thousand, only: None };
        let later_ms = later_ms(&mut dice);
        let are_versions_mixed = dice.chance(3_000);
        Plot { seed, steps, drawn, plan, config, skewed: true, later_ms, are_versions_mixed }
    }

    /// The same without its last steps: one to three are left in every second history, and all in one of thirty. A
    /// fault needs little company to do harm, and short histories meet more of them in the same time.
    pub fn cut_short(mut self) -> Plot {
        let mut dice = Dice::new(self.seed, Stream::Length);
        let (least, most) = match dice.below(30) {
            0..15 => (1, 3),
            15..24 => (4, 6),
            24..28 => (7, 12),
            28 => (13, 29),
            _ => return self,
        };
        self.steps.truncate(usize::try_from(dice.between(least, most)).expect("few"));
        self
    }

    /// The same with one fault more, at this call.
    pub fn placed(&self, call: u64, fault: Fault) -> Plot {
        Plot { plan: self.plan.clone().and(call, fault), ..self.clone() }
    }

    /// A short history that is always the same, for faults to be placed in it one by one. What comes before its first
    /// step is not played.
    pub fn of_script(script: &[(&'static str, i64, usize)]) -> Plot {
        let step = |(number, (action, after_ms, who)): (usize, &(&'static str, i64, usize))| Step {
            number: number.try_into().expect("short"),
            after_ms: if number == 0 { 0 } else { *after_ms },
            action: named(action).name,
            who: *who,
        };
        let steps: Vec<Step> = script.iter().enumerate().map(step).collect();
        let drawn = steps.len().try_into().expect("short");
        let later_ms = script.first().map_or(0, |(_, after_ms, _)| *after_ms);
        let config = BTreeMap::from([
            ("settlement", json!({ "mostDaysAhead": DAYS_AHEAD_OF_SCRIPTS })),
            ("payment", small_pages()),
        ]);
        let plan = Plan::Never;
        Plot { seed: 1, steps, drawn, plan, config, skewed: false, later_ms, are_versions_mixed: false }
    }
}

/// The operation that settles a day.
const START_SETTLEMENT: (&str, &str) = ("settlement", "startSettlement");
/// From the beginning of histories to the end of their first business day, in milliseconds.
pub const UNTIL_THE_CUT_MS: i64 = 15_150_000;
/// From the beginning of histories to an hour before Seoul's midnight.
const UNTIL_LATE_MS: i64 = UNTIL_THE_CUT_MS - HOUR_MS / 2;
/// From the beginning of histories, a Sunday evening, to the next Friday's and Saturday's.
const UNTIL_THE_WEEKEND_MS: [i64; 2] = [5 * DAY_MS, 6 * DAY_MS];
/// And to the evenings of 30 November and 31 December: limits of a month begin anew, and a year ends.
const UNTIL_A_MONTH_ENDS_MS: [i64; 2] = [8 * DAY_MS, 39 * DAY_MS];

/// How much later than others a history begins. Some do right before the business day ends, and some right before it is
/// settled; some about an hour before the end of a month, some at other weekdays' evenings.
fn later_ms(dice: &mut Dice) -> i64 {
    match dice.below(10) {
        0..2 => dice.between(UNTIL_THE_CUT_MS - 600_000, UNTIL_THE_CUT_MS + 600_000),
        2 => {
            let evening_ms = dice.pick(&UNTIL_A_MONTH_ENDS_MS).expect("there are some");
            evening_ms + dice.between(UNTIL_LATE_MS - 600_000, UNTIL_LATE_MS + 600_000)
        }
        3 => {
            let evening_ms = dice.pick(&UNTIL_THE_WEEKEND_MS).expect("there are some");
            evening_ms + dice.between(0, UNTIL_THE_CUT_MS + 600_000)
        }
        _ => 0,
    }
}

/// How many days before they end business days may be settled, where that is allowed: in histories the day that runs, or
/// by a clock that is fast right before the cut, the next. A settlement of a day after that is looked back from too late
/// to find what was paid today.
pub const DAYS_AHEAD: u32 = 1;
/// The same in scripts, whose clocks are right: the day that runs and the next.
const DAYS_AHEAD_OF_SCRIPTS: u32 = 2;

/// Limits as usual, tight, or none at all; the bank's patience short or long.
fn config(dice: &mut Dice) -> BTreeMap<&'static str, Value> {
    let mut config = BTreeMap::new();
    match dice.below(4) {
        0 => {
            let limits = json!({
                "walletCap": 150_000, "rechargeEach": 120_000, "rechargePerDay": 200_000,
                "rechargePerMonth": 300_000, "transferEach": 60_000, "transferPerDay": 90_000,
                "transferPerMonth": 120_000,
            });
            config.insert("money", json!({ "limits": limits }));
        }
        1 => {
            let all = Money::MAX.amount();
            let limits = json!({
                "walletCap": all, "rechargeEach": all, "rechargePerDay": all, "rechargePerMonth": all,
                "transferEach": all, "transferPerDay": all, "transferPerMonth": all,
            });
            config.insert("money", json!({ "limits": limits }));
        }
        _ => {}
    }
    if dice.chance(5_000) {
        config.insert("banking", json!({ "bankTimeoutMs": 2_000, "voidAfterSeconds": 30 }));
    }
    if dice.chance(6_000) {
        config.insert("settlement", json!({ "mostDaysAhead": DAYS_AHEAD }));
    }
    if dice.chance(6_000) {
        config.insert("payment", small_pages());
    }
    config
}

/// Manifests of few payments a page and some pages a call, so that short histories have long ones.
fn small_pages() -> Value {
    json!({ "manifestPageBytes": 32, "manifestCallItems": 5, "manifestCallLists": 40 })
}

/// Runs work with its log collected.
fn logged<T>(log: &Log, work: impl FnOnce() -> T) -> T {
    let _collecting = log.open();
    work()
}

/// Runs a history and lets it come to rest.
pub fn run(plot: &Plot, telling: bool) -> Ended {
    let beginning = BEGINNING.get_or_init(begin);
    let log = Log::default();
    let mut ended = logged(&log, || Theatre::new(beginning, plot, telling).run(plot));
    ended.log = log.text();
    ended
}

/// Runs a history and judges it.
pub fn run_and_judge(plot: &Plot, telling: bool) -> (Ended, Vec<judges::Finding>) {
    let mut ended = run(plot, telling);
    let evidence = judges::Evidence::of(&ended);
    let (findings, situations) = (judges::look(&evidence), mix::of(&evidence));
    for (situation, times) in situations {
        ended.coverage.happened(situation, times);
    }
    (ended, findings)
}

static BEGINNING: OnceLock<Beginning> = OnceLock::new();

fn begin() -> Beginning {
    let world = World::new(0, beginning_ms());
    let crowd = Arc::new(Crowd::default());
    let mut executor = Executor::new(world.agenda.clone());
    let (at, among) = (world.clone(), crowd.clone());
    let player = Player::new(&at, &among, 0, 0);
    world.agenda.spawn(async move {
        let keys = find("membership.ensureSigningKey").expect("it is there");
        let around = Around::platform(events::EXAMPLE_TRACEPARENT);
        let made = platform::run(&at, keys, around, json!({})).await;
        assert!(matches!(made, Ok(Ok(_))), "there are no signing keys: {made:?}");
        for number in 0..=u64::try_from(MEMBERS).expect("few") {
            set_up(&player, number).await;
        }
    });
    let now_ms = beginning_ms() + 120_000;
    assert!(!executor.run_until(now_ms), "the beginning takes too long");
    let mut items: BTreeMap<_, Vec<Item>> =
        SERVICES.iter().map(|service| (service.name, world.table(service.name).twin.items())).collect();
    let (secrets, published) = {
        let state = world.state();
        (state.secrets.clone(), state.published.clone())
    };
    let mut seen = crowd.seen().clone();
    assert_eq!(seen.people.len(), MEMBERS + 1, "not everybody could be registered");
    seen.observations.clear();
    for person in &mut seen.people {
        person.asked.clear();
        person.locations.clear();
        // Tokens are old by now, and are exchanged when they are needed.
        assert!(person.refresh_token.is_some(), "somebody could not log in");
    }
    for member in items.get_mut("membership").into_iter().flatten() {
        make_the_password_cheap(member, &seen);
    }
    Beginning { items, secrets, published, seen, now_ms }
}

/// Hashes a member's password anew with the least work that there is. A hash names its own parameters, so that logging
/// in checks it as ever, and histories do not spend half their time on Argon2id. Who registers later pays in full.
fn make_the_password_cheap(member: &mut Item, seen: &Seen) {
    let id = match member.get("membershipId") {
        Some(AttributeValue::S(id)) => id,
        _ => return,
    };
    let Some(person) = seen.people.iter().find(|person| person.membership_id.to_string() == *id) else {
        return;
    };
    if let Some(AttributeValue::S(hash)) = member.get_mut("passwordHash") {
        let least = Params::new(Params::MIN_M_COST, Params::MIN_T_COST, 1, None).expect("they are the least");
        let cheap = Argon2::new(Algorithm::Argon2id, Version::V0x13, least);
        let made = cheap.hash_password_with_salt(person.password.as_bytes(), b"simulated salts!");
        *hash = made.expect("a password can be hashed").to_string();
    }
}

/// Somebody registers, logs in and links their accounts but one.
async fn set_up(player: &Player, number: u64) {
    let mut person = newcomer(number);
    for more in 1..3 {
        let account = newcomer(number + 100 * more).accounts.remove(0);
        person.accounts.push(account);
    }
    let is_merchant = number == u64::try_from(MERCHANT).expect("few");
    let kind = if is_merchant { "corporate" } else { "personal" };
    let who = register_at(player, "/v1/memberships", person, kind).await.expect("nothing is in the way");
    let player = Player::new(&player.world, &player.crowd, number, who);
    if number == 0 {
        let grant = find("membership.grantOperator").expect("it is there");
        let body = json!({ "email": player.person().email });
        let around = Around::platform(events::EXAMPLE_TRACEPARENT);
        let granted = platform::run(&player.world, grant, around, body).await;
        assert!(matches!(granted, Ok(Ok(_))), "nobody is operator: {granted:?}");
    }
    assert!(player.log_in().await, "nothing is in the way");
    for account in player.person().accounts.iter().skip(1) {
        let body = json!({ "accountNumber": account.number, "holder": player.person().name });
        let ask = crate::people::Ask::new("POST", "/v1/bank-accounts").key(account.number.clone()).json(body);
        let answer = player.ask(ask).await.expect("nothing is in the way");
        let id = answer.body["bankAccountId"].as_str().expect("it was linked").to_owned();
        player.learn(|person| {
            let known = person.accounts.iter_mut().find(|known| known.number == account.number);
            known.expect("it is theirs").linked = Some(id);
        });
    }
}

/// How long one order of a rehearsal has to come to rest, in milliseconds.
const TURN_MS: i64 = HOUR_MS;
/// When in its turn the bank is well again: once nobody's patience is left.
const WELL_AGAIN_MS: i64 = HOUR_MS / 3;

/// A world without faults, where people are told what to do one after another: each finds it at rest.
///
/// Every turn is equally long, so that two rehearsals of the same orders have the same hours.
pub struct Rehearsal {
    theatre: Theatre,
    log: Log,
}

impl Rehearsal {
    /// A world at the beginning, with the seed and the settings of this plot.
    pub fn new(plot: &Plot) -> Rehearsal {
        let plot = Plot { plan: Plan::Never, skewed: false, are_versions_mixed: false, ..plot.clone() };
        let log = Log::default();
        let mut theatre = logged(&log, || Theatre::new(BEGINNING.get_or_init(begin), &plot, false));
        // Turns end between the schedules' minutes, when nothing has just begun.
        logged(&log, || theatre.pass_time(theatre.world.agenda.now_ms() + 30_000));
        Rehearsal { theatre, log }
    }

    /// Somebody at their action.
    pub fn player(&self, action: u64, who: usize) -> Player {
        Player::new(&self.theatre.world, &self.theatre.crowd, action, who)
    }

    /// Has something done, and lets the time of one turn pass, after which all must be at rest.
    pub fn turn<T: Send + 'static>(&mut self, work: impl Future<Output = T> + Send + 'static) -> T {
        let theatre = &mut self.theatre;
        let done = Arc::new(Mutex::new(None));
        let place = done.clone();
        theatre.world.agenda.spawn(async move {
            let outcome = work.await;
            *lock(&place) = Some(outcome);
        });
        let began_ms = theatre.world.agenda.now_ms();
        logged(&self.log, || {
            theatre.pass_time(began_ms + WELL_AGAIN_MS);
            theatre.calm_the_bank();
            theatre.pass_time(began_ms + TURN_MS);
            assert!(judges::nothing_is_open(&theatre.items()), "not everything has ended in its turn");
            assert!(theatre.world.state().dead.is_empty(), "something was given up");
        });
        lock(&done).take().expect("nothing is left to be done")
    }

    /// The world's items as they are now.
    pub fn items(&self) -> BTreeMap<&'static str, Vec<Item>> {
        self.theatre.items()
    }

    /// Ends it, as a history ends.
    pub fn end(mut self) -> Ended {
        let mut ended = logged(&self.log, || {
            let before = self.theatre.world.state().published.clone();
            self.theatre.publish_everything();
            let audit = self.theatre.audit();
            self.theatre.end(Vec::new(), before, audit)
        });
        ended.log = self.log.text();
        ended
    }
}

/// A world with people in it, and time that passes.
struct Theatre {
    world: Arc<World>,
    crowd: Arc<Crowd>,
    executor: Executor,
    schedules: Vec<Schedule>,
}

struct Schedule {
    operation: (&'static Service, &'static Operation),
    rate: &'static str,
    every_ms: i64,
    next_ms: i64,
}

impl Theatre {
    fn new(beginning: &Beginning, plot: &Plot, telling: bool) -> Theatre {
        let now_ms = beginning.now_ms + plot.later_ms;
        let world = World::new(plot.seed, now_ms);
        for (service, items) in &beginning.items {
            world.table(service).restore(items);
        }
        {
            let mut state = world.state();
            state.secrets.clone_from(&beginning.secrets);
            state.published.clone_from(&beginning.published);
            state.config.clone_from(&plot.config);
            let money = state.config.entry("money").or_insert_with(|| json!({}));
            money["ownFunds"] = json!(bank_simulator::OWN_BALANCE);
            state.plan = Some(plot.plan.clone());
            state.skewed = plot.skewed;
            state.are_versions_mixed = plot.are_versions_mixed;
            state.is_listing = !plot.plan.has_chance();
            state.story = telling.then(Vec::new);
        }
        let crowd = Arc::new(Crowd::new(beginning.seen.clone()));
        let executor = Executor::new(world.agenda.clone());
        let schedules = schedules(now_ms);
        Theatre { world, crowd, executor, schedules }
    }

    fn run(mut self, plot: &Plot) -> Ended {
        let (world, crowd, steps) = (self.world.clone(), self.crowd.clone(), plot.steps.clone());
        let length_ms: i64 = steps.iter().map(|step| step.after_ms).sum();
        self.world.agenda.spawn(async move {
            for step in steps {
                world.agenda.sleep(step.after_ms).await;
                let player = Player::new(&world, &crowd, step.number, step.who);
                world.agenda.spawn((named(step.action).play)(player));
            }
        });
        let first_day = self.today();
        self.pass_time(self.world.agenda.now_ms() + length_ms + 60_000);
        if self.today().month() != first_day.month() {
            self.world.happened(mix::MONTH_ENDED);
        }
        self.rest();
        let rested_at = Timestamp::from_millis(self.world.agenda.now_ms());
        // From here on, days are settled when the judges want it: what follows is no part of the history.
        self.schedules.retain(|schedule| schedule.operation.1.name != START_SETTLEMENT.1);
        let shown = self.settle_everything();
        // All has ended, and nothing strikes any more: no sweeper has anything to do.
        self.schedules.clear();
        // The story ends here: what follows is the outbox's judge at work.
        let (story, before) = {
            let mut state = self.world.state();
            (state.story.take().unwrap_or_default(), state.published.clone())
        };
        // Publishing everything again would mend a read model that has missed something.
        let model = self.world.table(READ_MODEL).twin.items();
        self.publish_everything();
        let audit = self.audit();
        self.rebuild();
        let config = plot.config.clone();
        let mut ended = Ended { shown, rested_at, config, ..self.end(story, before, audit) };
        ended.rebuilt = ended.items.insert(READ_MODEL, model);
        ended
    }

    /// The day in Seoul.
    fn today(&self) -> SeoulDay {
        Timestamp::from_millis(self.world.agenda.now_ms()).seoul_day()
    }

    /// Builds the read model anew, as one of Pay's own people does.
    fn rebuild(&mut self) {
        let player = Player::new(&self.world, &self.crowd, u64::MAX, 0);
        let begin = json!({ "task": "begin" });
        self.world.agenda.spawn(async move {
            internally(&player, "money-query.rebuildReadModel", begin).await;
        });
        self.pass_time(self.world.agenda.now_ms() + REBUILD_MS);
    }

    /// Two later days are settled without faults, so that whatever was paid is settled; answers what payments are
    /// shown as then. They are days enough ahead for weekly franchises.
    fn settle_everything(&mut self) -> Vec<Value> {
        let payments = approved(&self.items());
        if payments.is_empty() {
            return Vec::new();
        }
        {
            let mut state = self.world.state();
            state.plan = None;
            state.config.entry("settlement").or_insert_with(|| json!({}))["mostDaysAhead"] = json!(400);
        }
        let today = Timestamp::from_millis(self.world.agenda.now_ms()).business_day();
        self.world.tell(|| "— two later days are settled —".to_owned());
        for ahead in [8, 9] {
            let (service, name) = START_SETTLEMENT;
            let start = find(&format!("{service}.{name}")).expect("it is there");
            let body = json!({ "businessDay": today.plus_days(ahead) });
            drop(platform::run(&self.world, start, Around::platform(events::EXAMPLE_TRACEPARENT), body));
            let last_ms = self.world.agenda.now_ms() + 12 * HOUR_MS;
            while self.world.agenda.now_ms() < last_ms {
                let busy = self.pass_time(self.world.agenda.now_ms() + HOUR_MS / 6);
                if !busy && judges::nothing_is_open(&self.items()) {
                    break;
                }
            }
        }
        self.look_at(payments)
    }

    /// What their payers are shown of these payments.
    fn look_at(&mut self, payments: Vec<Payment>) -> Vec<Value> {
        let shown = Arc::new(Mutex::new(Vec::new()));
        let (world, place) = (self.world.clone(), shown.clone());
        self.world.agenda.spawn(async move {
            for payment in payments {
                let look = find("payment.findPayment").expect("it is there");
                let caller = Caller::Member {
                    membership_id: payment.membership_id,
                    scopes: vec![Scope::Member],
                    session: String::new(),
                };
                let around = Around { caller, ..Around::platform(events::EXAMPLE_TRACEPARENT) };
                let found =
                    platform::run(&world, look, around, json!({ "paymentId": payment.payment_id })).await;
                lock(&place).extend(found.ok().and_then(Result::ok).map(|reply| reply.body));
            }
        });
        self.pass_time(self.world.agenda.now_ms() + HOUR_MS / 6);
        std::mem::take(&mut *lock(&shown))
    }

    /// Pay's own audit, as a person asks for it.
    fn audit(&mut self) -> Option<Value> {
        let report = Arc::new(Mutex::new(None));
        let (player, place) = (Player::new(&self.world, &self.crowd, u64::MAX, 0), report.clone());
        self.world
            .agenda
            .spawn(async move { *lock(&place) = audit(&player, json!({ "slackSeconds": 0 })).await });
        self.pass_time(self.world.agenda.now_ms() + HOUR_MS);
        lock(&report).take()
    }

    /// Lets time pass, schedules included; answers whether something is still to be done.
    fn pass_time(&mut self, until_ms: i64) -> bool {
        loop {
            let next = self.schedules.iter_mut().min_by_key(|schedule| schedule.next_ms);
            let Some(schedule) = next.filter(|schedule| schedule.next_ms <= until_ms) else {
                let busy = self.executor.run_until(until_ms);
                self.executor.advance_to(until_ms);
                return busy;
            };
            let (at_ms, operation, schedule_of) = (schedule.next_ms, schedule.operation, schedule.rate);
            schedule.next_ms += schedule.every_ms;
            self.executor.run_until(at_ms);
            self.executor.advance_to(at_ms);
            self.world.used(operation.0, operation.1, Use::By("schedule", schedule_of));
            platform::make_due(&self.world, operation);
        }
    }

    /// The faults stop, the bank is well, and time passes until nothing is left to do. What was given up meanwhile is
    /// given another chance, as a person does who sees the alarm.
    fn rest(&mut self) {
        {
            let mut state = self.world.state();
            // A fault that was placed at one call strikes there even if the call comes now.
            state.plan = state.plan.take().map(Plan::without_chance);
            state.skewed = false;
            state.are_versions_mixed = false;
        }
        self.world.tell(|| "— the faults stop —".to_owned());
        self.calm_the_bank();
        let player = Player::new(&self.world, &self.crowd, u64::MAX, 0);
        let mut redriven = 0;
        let last_ms = self.world.agenda.now_ms() + MOST_REST_MS;
        while self.world.agenda.now_ms() < last_ms {
            let busy = self.pass_time(self.world.agenda.now_ms() + HOUR_MS / 6);
            let dead = std::mem::take(&mut self.world.state().dead);
            if dead.is_empty() && !busy && judges::nothing_is_open(&self.items()) {
                return;
            }
            redriven += dead.len();
            if redriven > 100 {
                self.world.state().dead = dead;
                return;
            }
            for letter in dead {
                self.redrive(letter, &player);
            }
        }
    }

    /// The bank is well from now on.
    fn calm_the_bank(&self) {
        let calm = Player::new(&self.world, &self.crowd, u64::MAX, 0);
        let people = self.crowd.seen().people.len();
        self.world.agenda.spawn(async move {
            for who in 0..people {
                end_troubles(&calm.clone().as_person(who)).await;
            }
        });
    }

    fn redrive(&self, letter: DeadLetter, player: &Player) {
        match letter {
            DeadLetter::Message { service, operation, body, .. } => {
                self.world.tell(|| format!("— a person redrives a message for {service}.{operation} —"));
                let found = find(&format!("{service}.{operation}")).expect("it was there");
                let trace = events::EXAMPLE_TRACEPARENT.to_owned();
                platform::deliver(&self.world, found, body, 0, trace, false);
            }
            DeadLetter::Run { service, operation } => {
                self.world.tell(|| format!("— a person makes the run of {service}.{operation} —"));
                let found = find(&format!("{service}.{operation}")).expect("it was there");
                platform::make_due(&self.world, found);
            }
            DeadLetter::Changes { service } => {
                self.world.tell(|| format!("— a person republishes {service} —"));
                let player = player.clone();
                self.world.agenda.spawn(async move { republish(&player, service, json!({})).await });
            }
        }
    }

    /// Rebuilds every fact from the stored items, to be compared with what the relay published.
    fn publish_everything(&mut self) {
        {
            let mut state = self.world.state();
            state.published.clear();
            state.plan = None;
        }
        let player = Player::new(&self.world, &self.crowd, u64::MAX, 0);
        for service in SERVICES.iter().filter(|service| service.operation("republish").is_some()) {
            let player = player.clone();
            self.world.agenda.spawn(async move { republish(&player, service.name, json!({})).await });
        }
        self.pass_time(self.world.agenda.now_ms() + HOUR_MS);
    }

    fn items(&self) -> BTreeMap<&'static str, Vec<Item>> {
        SERVICES.iter().map(|service| (service.name, self.world.table(service.name).twin.items())).collect()
    }

    fn end(self, story: Vec<Line>, before: Vec<Envelope>, audit: Option<Value>) -> Ended {
        let items = self.items();
        let mut state = self.world.state();
        let lost = std::mem::take(&mut state.dead);
        Ended {
            items,
            seen: self.crowd.seen().clone(),
            published: (before, std::mem::take(&mut state.published)),
            refused_tokens: state.refused_tokens,
            messages: std::mem::take(&mut state.messages),
            lost,
            log: String::new(),
            coverage: std::mem::take(&mut state.coverage),
            places: std::mem::take(&mut state.places),
            story,
            audit,
            shown: Vec::new(),
            rested_at: Timestamp::EPOCH,
            config: state.config.clone(),
            rebuilt: None,
            happened: std::mem::take(&mut state.happened),
            runs: state.runs.values().sum(),
        }
    }
}

/// The payments that were made.
fn approved(items: &BTreeMap<&'static str, Vec<Item>>) -> Vec<Payment> {
    let payments = items["payment"].iter().filter(|item| kind_of(item) == Payment::KIND);
    let read = payments.map(|item| store::read::<Payment>(item.clone()).expect("a payment can be read"));
    read.filter(Payment::is_approved).collect()
}

fn schedules(now_ms: i64) -> Vec<Schedule> {
    let mut schedules = Vec::new();
    for service in SERVICES {
        for operation in service.operations {
            for trigger in operation.triggers {
                if let Trigger::Schedule(rate) = trigger {
                    let (first_ms, every_ms) = times_of(rate, now_ms);
                    let operation = (*service, operation);
                    schedules.push(Schedule { operation, rate, every_ms, next_ms: first_ms });
                }
            }
        }
    }
    schedules
}

/// When a schedule begins, and its interval. One by the clock is daily, such as `cron(40 23 * * ? *)`, by Seoul's.
fn times_of(schedule: &str, now_ms: i64) -> (i64, i64) {
    let Some(fields) = schedule.strip_prefix("cron(").and_then(|rest| rest.strip_suffix(" * * ? *)")) else {
        let every_ms = interval_ms(schedule);
        return (now_ms + every_ms, every_ms);
    };
    const SEOUL_MS: i64 = 9 * HOUR_MS;
    let (minute, hour) = fields.split_once(' ').expect("a minute and an hour");
    let number = |text: &str| text.parse::<i64>().expect("a whole number");
    let at_ms = number(hour) * HOUR_MS + number(minute) * 60_000 - SEOUL_MS;
    let wait_ms = (at_ms - now_ms).rem_euclid(DAY_MS);
    (now_ms + wait_ms, DAY_MS)
}

/// The interval of a schedule such as `rate(15 minutes)`.
fn interval_ms(rate: &str) -> i64 {
    let inner = rate.strip_prefix("rate(").and_then(|rest| rest.strip_suffix(')'));
    let (number, unit) = inner.and_then(|inner| inner.split_once(' ')).expect("a rate");
    let unit_ms = match unit.trim_end_matches('s') {
        "minute" => 60_000,
        "hour" => HOUR_MS,
        "day" => DAY_MS,
        _ => panic!("{rate} has an unknown unit"),
    };
    number.parse::<i64>().expect("a whole number") * unit_ms
}
