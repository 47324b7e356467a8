//! What AWS does between operations: gateway, direct calls, queues, streams, the bus, schedules.
//!
//! Delivery is at least once and in any order, but for a table's stream, which keeps the order of each item. What a
//! function was given and did not finish is given again; what keeps failing is given up and kept for a person.

use crate::{
    faults::{Fault, Port, Site, Use},
    mix,
    random::{Dice, Stream},
    run::{Run, number_of},
    versions,
    world::{AUDIENCE, BANK, DeadLetter, ISSUER, World, find},
};
use contract::{
    Access, Api, Call, Caller, Method, Operation, Problem, Reference, Reply, Service, Trace, Trigger, http,
    log,
    outbox::{Relayed, StreamBatch},
    ports::{DirectAnswer, DirectCall, Execution, Outgoing, Stage},
};
use events::Envelope;
use futures_channel::oneshot::{self, Receiver};
use futures_util::future::{Either, select};
use kernel::{Timestamp, id::MembershipId};
use membership::domain::{
    signing_keys::{self, KeySet},
    tokens::{self, Claims, Parties},
};
use serde_json::{Value, json};
use std::sync::Arc;

/// How often a queue offers a message before it gives it up, as Terraform sets it.
const MOST_RECEIVES: u32 = 5;
/// How long after a run that was due by the clock and failed Lambda tries it again, in milliseconds: as often as
/// Terraform sets it.
const TRIED_AGAIN_AFTER_MS: [i64; 2] = [60_000, 120_000];
/// How often a stream's reader tries a batch before it gives it up, as Terraform sets it.
const MOST_BATCH_TRIES: u32 = 100;
/// How long a gateway may keep the published keys, in milliseconds.
const KEYS_KEPT_MS: i64 = 7_200_000;

/// What a run's outcome is.
pub type Outcome = Result<Reply<Value>, Problem>;

/// A call without its operation and input.
pub struct Around {
    /// Who calls.
    pub caller: Caller,
    /// For whom.
    pub on_behalf_of: Option<MembershipId>,
    /// For which step.
    pub reference: Option<Reference>,
    /// In which trace.
    pub traceparent: String,
}

impl Around {
    /// AWS itself, in this trace.
    pub fn platform(traceparent: &str) -> Around {
        let traceparent = traceparent.to_owned();
        Around { caller: Caller::Platform, on_behalf_of: None, reference: None, traceparent }
    }
}

/// Starts a run: it ends by itself, dies, or is ended when its function's time is over.
fn start<T, F>(
    world: &Arc<World>,
    service: &'static Service,
    operation: &'static Operation,
    work: impl FnOnce(Arc<Run>) -> F,
) -> Receiver<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let task = world.agenda.next_task();
    let work = work(Run::new(world, service, operation, task));
    let (answer, receiver) = oneshot::channel();
    let time_ms = i64::from(operation.timeout_seconds) * 1000;
    let limit = world.agenda.sleep(time_ms);
    world.agenda.start(task, async move {
        if let Either::Left((outcome, _)) = select(Box::pin(work), limit).await {
            // Whoever asked may have stopped listening.
            let _ = answer.send(outcome);
        }
    });
    receiver
}

/// Runs an operation for whoever may call it directly.
pub fn run(
    world: &Arc<World>,
    (service, operation): (&'static Service, &'static Operation),
    around: Around,
    body: Value,
) -> Receiver<Outcome> {
    start(world, service, operation, |run| async move {
        let context = run.context();
        let trace = Trace::parse(&around.traceparent).unwrap_or_else(|| Trace::start(context.random()));
        let outcome = log::told(service, operation.name, &context, &trace, |context, story| {
            let trace = trace.clone();
            async move {
                let call = Call {
                    operation: service.full_name(operation),
                    caller: around.caller,
                    on_behalf_of: around.on_behalf_of,
                    idempotency_key: None,
                    reference: around.reference,
                    if_match: None,
                    trace,
                    now: context.clock.now(),
                    fingerprint: store::seal::digest(&[&body.to_string()]),
                    body,
                };
                story.of_call(&call);
                (operation.handle)(&context, call).await
            }
        })
        .await;
        run.world.tell_some(|| crate::story::of_outcome(service, operation, &outcome));
        outcome
    })
}

/// Runs an operation for an HTTP request.
fn run_http(
    world: &Arc<World>,
    (service, operation): (&'static Service, &'static Operation),
    request: http::Request,
) -> Receiver<http::Response> {
    start(world, service, operation, |run| async move {
        let response = http::answer(service, Some(operation.name), &run.context(), request).await;
        // What Pay answers, its caller tells.
        run.world.tell_some(|| {
            (service.api == Api::Bank).then(|| crate::story::of_response(service, operation, &response))
        });
        response
    })
}

/// A direct call.
pub fn direct(world: &Arc<World>, call: DirectCall) -> Receiver<DirectAnswer> {
    let called = find(&call.operation).filter(|(_, operation)| operation.triggers.contains(&Trigger::Call));
    let called = called.unwrap_or_else(|| panic!("{} takes no direct calls", call.operation));
    world.used(called.0, called.1, Use::By("call", ""));
    let body = versions::asked(world, call.body.clone());
    let is_later = body != call.body;
    let around = Around {
        caller: call.caller(),
        on_behalf_of: call.on_behalf_of,
        reference: call.reference,
        traceparent: call.traceparent,
    };
    let outcome = run(world, called, around, body);
    let (answer, receiver) = oneshot::channel();
    let world = world.clone();
    world.agenda.clone().spawn(async move {
        let _ = match outcome.await {
            Ok(Ok(reply)) => answer.send(DirectAnswer::Done(versions::answered(&world, reply.body))),
            Ok(Err(problem)) => {
                if is_later {
                    world.happened(mix::LATER_CALL_REFUSED);
                }
                answer.send(DirectAnswer::Refused(problem))
            }
            Err(_) => return,
        };
    });
    receiver
}

/// A request to the bank.
pub fn bank(world: &Arc<World>, request: &Outgoing) -> Receiver<http::Response> {
    let place = request.url.strip_prefix(BANK).expect("there is one bank");
    let (path, query) = place.split_once('?').unwrap_or((place, ""));
    let json = ("content-type".to_owned(), "application/json".to_owned());
    let named = request.headers.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
    let asked = http::Request {
        method: request.method.to_owned(),
        path: path.to_owned(),
        query: query.to_owned(),
        headers: named.chain([json]).collect(),
        body: request.body.as_ref().map_or_else(Vec::new, |body| body.to_string().into_bytes()),
        claims: None,
    };
    let operation = http::find(&bank_simulator::SERVICE, &asked).expect("a path of the bank");
    run_http(world, (&bank_simulator::SERVICE, operation), asked)
}

/// A request to Pay's API: the gateway finds its operation, checks the token, and hands it over. None: no answer.
pub async fn gateway(
    world: &Arc<World>,
    request: http::Request,
    token: Option<&str>,
) -> Option<http::Response> {
    let ours = crate::world::SERVICES.iter().filter(|service| service.api == Api::Pay);
    // A service with a fallback route answers what no other does.
    let (service, operation) = ours
        .filter_map(|service| Some((*service, http::find(service, &request)?)))
        .min_by_key(|(_, operation)| operation.routes().any(|(_, path)| path == "$default"))?;
    if let Some((method, path)) = operation.routes().find(|route| is_at(*route, &request)) {
        world.used(service, operation, Use::By(method.as_str(), path));
    }
    let claims = match operation.access {
        Access::Scopes(scopes) => {
            let Some(claims) = authorize(world, token?).await else { return Some(refused(401)) };
            if !scopes.iter().any(|scope| claims.scope.split(' ').any(|known| known == scope.as_str())) {
                return Some(refused(403));
            }
            let Claims { sub, scope, sid, .. } = claims;
            Some(http::Claims { sub: sub.to_string(), scope, sid })
        }
        _ => None,
    };
    let strike = {
        let port = if claims.is_some() { Port::Request } else { Port::PublicRequest };
        let site = Site::new(service.name, operation.name, port, 1);
        let number = world.state().calls;
        world.strike(site, &mut Dice::new(world.seed, Stream::Run(number_of("gateway"), number))).fault
    };
    let request = http::Request { claims, ..request };
    match strike {
        Some(Fault::Delayed) => world.agenda.sleep(20_000).await,
        Some(Fault::ArrivesTwice) => drop(run_http(world, (service, operation), request.clone())),
        Some(Fault::TokenExpires) => return Some(refused(401)),
        _ => {}
    }
    let response = run_http(world, (service, operation), request).await.ok();
    response.filter(|_| strike != Some(Fault::AnswerLost))
}

/// Whether a request is at this route.
fn is_at((method, path): (Method, &str), request: &http::Request) -> bool {
    if path == "$default" {
        return true;
    }
    let mut asked = request.path.split('/');
    let fits = path.split('/').all(|part| asked.next().is_some_and(|is| part.starts_with('{') || part == is));
    fits && asked.next().is_none() && method.as_str() == request.method
}

fn refused(status: u16) -> http::Response {
    let message = if status == 401 { "Unauthorized" } else { "Forbidden" };
    http::Response { status, headers: Vec::new(), body: json!({ "message": message }).to_string() }
}

/// The claims of a token, verified with the published keys as the gateway keeps them.
async fn authorize(world: &Arc<World>, token: &str) -> Option<Claims> {
    let now_ms = world.agenda.now_ms();
    let kept = world.state().gateway_keys.clone().filter(|(_, until_ms)| now_ms < *until_ms);
    let keys = match kept {
        Some((keys, _)) => keys,
        None => {
            let published = find("membership.getSigningKeys")?;
            let asked = http::Request {
                method: "GET".to_owned(),
                path: "/.well-known/jwks.json".to_owned(),
                ..http::Request::default()
            };
            let response = run_http(world, published, asked).await.ok()?;
            let mut body: Value = serde_json::from_str(&response.body).ok()?;
            let keys: Vec<_> = serde_json::from_value(body["keys"].take()).ok()?;
            let kept_ms = Dice::new(world.seed, Stream::Run(number_of("keys"), now_ms.unsigned_abs()))
                .between(1_000, KEYS_KEPT_MS);
            world.state().gateway_keys = Some((keys.clone(), now_ms + kept_ms));
            keys
        }
    };
    let (parties, now) = (Parties { issuer: ISSUER, audience: AUDIENCE }, Timestamp::from_millis(now_ms));
    let claims = tokens::verify(token, &keys.iter().collect::<Vec<_>>(), parties, now);
    if claims.is_none() {
        // A token that holds by the keys in use must hold by those that the gateway keeps.
        let secret = (signing_keys::SECRET.to_owned(), Stage::Current);
        let text = world.state().secrets.get(&secret).map(|(_, text)| text.0.clone())?;
        let set: KeySet = serde_json::from_str(&text).ok()?;
        if tokens::verify(token, &set.published(), parties, now).is_some() {
            world.state().refused_tokens += 1;
        }
    }
    claims
}

/// Takes a fact onto the bus, and from there into the queue of every operation that listens to it.
pub fn fan_out(world: &Arc<World>, event: &Envelope) {
    world.state().published.push(event.clone());
    for service in crate::world::SERVICES {
        for operation in service.operations {
            for trigger in operation.triggers {
                if let Trigger::Fact(kind) = trigger
                    && *kind == event.kind
                {
                    world.used(service, operation, Use::By("fact", kind));
                    // It travels as JSON.
                    let body = serde_json::to_value(event).expect("an event has a JSON form");
                    let body = versions::published(world, &event.kind, body);
                    deliver(world, (service, operation), body, 40, event.traceparent.clone(), false);
                }
            }
        }
    }
}

/// Puts a message into an operation's queue.
pub fn enqueue(world: &Arc<World>, operation: &str, body: Value, delay_ms: i64, trace: &Trace) {
    let found = find(operation).filter(|(_, operation)| operation.triggers.contains(&Trigger::Queue));
    let found = found.unwrap_or_else(|| panic!("{operation} has no queue"));
    world.used(found.0, found.1, Use::By("queue", ""));
    deliver(world, found, body, delay_ms, trace.traceparent().to_owned(), false);
}

/// Starts an execution of a state machine, if there is none of that name yet.
pub fn start_workflow(world: &Arc<World>, workflow: &str, execution: &str, input: &Value) -> Execution {
    crate::workflows::start(world, workflow, execution, input)
}

/// Brings a message to its operation until that has done with it.
pub fn deliver(
    world: &Arc<World>,
    to: (&'static Service, &'static Operation),
    body: Value,
    delay_ms: i64,
    traceparent: String,
    is_poison: bool,
) {
    let (service, operation) = to;
    let mut dice = {
        let mut state = world.state();
        state.messages.push(body.to_string());
        let number = u64::try_from(state.messages.len()).expect("few enough");
        Dice::new(world.seed, Stream::Run(number_of(operation.name) ^ 1, number))
    };
    let world = world.clone();
    let agenda = world.agenda.clone();
    agenda.spawn(async move {
        world.agenda.sleep(delay_ms + dice.between(1, 400)).await;
        let site = Site::new(service.name, operation.name, Port::Message, 1);
        let mut call = (!is_poison).then(|| world.strike(site, &mut dice));
        let fault = call.and_then(|call| call.fault);
        match fault {
            Some(Fault::Delayed) => world.agenda.sleep(dice.between(1_000, 900_000)).await,
            Some(Fault::Poison) => {
                let garbage = spoil(&body, &mut dice);
                deliver(&world, to, garbage, 0, traceparent.clone(), true);
            }
            _ => {}
        }
        let mut again = fault == Some(Fault::Redelivered);
        for _ in 0..MOST_RECEIVES {
            let outcome = run(&world, to, Around::platform(&traceparent), body.clone()).await;
            if matches!(outcome, Ok(Ok(_))) {
                call.take().iter().for_each(|call| world.matters(call, Fault::Redelivered));
                if !std::mem::take(&mut again) {
                    return;
                }
                world.agenda.sleep(dice.between(0, 300_000)).await;
            } else {
                // What is not deleted becomes visible again after six times its function's time.
                world.agenda.sleep(i64::from(operation.timeout_seconds) * 6_000).await;
            }
        }
        world.tell(|| format!("    a message for {}.{} is given up", service.name, operation.name));
        if !is_poison {
            let letter = DeadLetter::Message { service: service.name, operation: operation.name, body };
            world.state().dead.push(letter);
        }
    });
}

/// Makes a run that is due by the clock, at least once: Scheduler hands it to Lambda, which tries it again if it fails.
pub fn make_due(world: &Arc<World>, to: (&'static Service, &'static Operation)) {
    let (service, operation) = to;
    let mut dice = {
        let mut state = world.state();
        let number = state.runs.entry("schedule").or_default();
        *number += 1;
        Dice::new(world.seed, Stream::Run(number_of(operation.name) ^ 3, *number))
    };
    let world = world.clone();
    let agenda = world.agenda.clone();
    agenda.spawn(async move {
        let call = world.strike(Site::new(service.name, operation.name, Port::Schedule, 1), &mut dice);
        let make = || run(&world, to, Around::platform(events::EXAMPLE_TRACEPARENT), json!({}));
        if call.fault == Some(Fault::ArrivesTwice) {
            drop(make());
        }
        let mut is_dying = call.fault == Some(Fault::DiesBefore);
        let mut was_done = false;
        for wait_ms in TRIED_AGAIN_AFTER_MS.into_iter().map(Some).chain([None]) {
            let is_done = !std::mem::take(&mut is_dying) && matches!(make().await, Ok(Ok(_)));
            if is_done && !std::mem::replace(&mut was_done, true) {
                world.matters(&call, Fault::Redelivered);
            }
            if is_done && call.fault != Some(Fault::Redelivered) {
                return;
            }
            if let Some(wait_ms) = wait_ms {
                world.agenda.sleep(wait_ms).await;
            }
        }
        if !was_done {
            world.tell(|| format!("    a run of {}.{} is given up", service.name, operation.name));
            let letter = DeadLetter::Run { service: service.name, operation: operation.name };
            world.state().dead.push(letter);
        }
    });
}

/// A message that nobody can read: of another type, or with a part of another type.
fn spoil(body: &Value, dice: &mut Dice) -> Value {
    let mut spoilt = body.clone();
    let fields: Vec<String> = body.as_object().into_iter().flatten().map(|(name, _)| name.clone()).collect();
    match (spoilt.as_object_mut(), dice.pick(&fields)) {
        (Some(object), Some(field)) => {
            object.insert(field.clone(), json!([["spoilt"]]));
            spoilt
        }
        _ => json!("spoilt"),
    }
}

/// Reads a shard of a table's stream to its end, batch by batch, by the service's relay.
pub fn read_stream(world: &Arc<World>, service: &'static Service, shard: usize) {
    let relay = service
        .operations
        .iter()
        .find(|operation| operation.triggers.contains(&Trigger::Stream))
        .map(|operation| (service, operation));
    let Some(relay) = relay else { return };
    world.used(relay.0, relay.1, Use::By("stream", ""));
    let table = world.table(service.name);
    let mut dice = {
        let mut state = world.state();
        let number = state.runs.entry("stream").or_default();
        *number += 1;
        Dice::new(world.seed, Stream::Run(number_of(service.name), *number))
    };
    let world = world.clone();
    let agenda = world.agenda.clone();
    agenda.spawn(async move {
        let mut tries = 0;
        loop {
            world.agenda.sleep(dice.between(20, 300)).await;
            let most = usize::try_from(dice.between(1, 8)).expect("a small number");
            let changes = table.peek(shard, most);
            if changes.is_empty() {
                return;
            }
            let call = world.strike(Site::new(service.name, relay.1.name, Port::Batch, 1), &mut dice);
            let fault = call.fault;
            if fault == Some(Fault::Delayed) {
                world.agenda.sleep(dice.between(1_000, 120_000)).await;
            }
            let read = changes.len();
            let trace = Trace::start(dice_bytes(&mut dice));
            let batch = serde_json::to_value(StreamBatch { changes }).expect("a batch has a JSON form");
            let outcome = run(&world, relay, Around::platform(trace.traceparent()), batch).await;
            if matches!(outcome, Ok(Ok(_))) {
                world.matters(&call, Fault::Redelivered);
            }
            match outcome {
                Ok(Ok(reply)) if fault != Some(Fault::Redelivered) => {
                    let relayed: Relayed = serde_json::from_value(reply.body).expect("a relay's answer");
                    tries = if relayed.failed_sequence.is_some() { tries + 1 } else { 0 };
                    table.forget(shard, read, relayed.failed_sequence.as_deref());
                }
                Ok(Ok(_)) => {}
                _ => {
                    tries += 1;
                    world.agenda.sleep(dice.between(500, 5_000)).await;
                }
            }
            if tries > MOST_BATCH_TRIES {
                table.forget(shard, read, None);
                world.state().dead.push(DeadLetter::Changes { service: service.name });
                tries = 0;
            }
        }
    });
}

fn dice_bytes(dice: &mut Dice) -> [u8; 24] {
    let mut bytes = [0; 24];
    dice.fill(&mut bytes);
    bytes
}
