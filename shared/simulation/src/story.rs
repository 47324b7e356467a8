//! A history told for people: who asked what, which fault struck where, what healed it.

use crate::{
    faults::Fault,
    people::{Answer, Ask, Player},
    world::Line,
};
use contract::{Operation, Problem, Reply, Service, Trigger, http};
use serde_json::Value;
use std::fmt::Write as _;

/// A fault in words.
pub fn of_fault(fault: Fault) -> &'static str {
    match fault {
        Fault::DiesBefore => "the process dies before the call",
        Fault::DiesAfter => "the call is done, and the process dies before it hears so",
        Fault::AnswerLost => "the call is done, and its answer is lost",
        Fault::Repeated => "the call is done, its answer is lost, and the SDK makes it again",
        Fault::Throttled => "the call never arrives",
        Fault::Conflict => "another transaction holds the item",
        Fault::ConflictAfterwards => "the call is done, and its repetition meets another transaction",
        Fault::Stale => "the read is stale",
        Fault::Gapped => "the read has gaps",
        Fault::PartlyTaken => "the bus takes only some of the events",
        Fault::ArrivesTwice => "it arrives twice",
        Fault::ArrivesLate => "it arrives long after its sender has given up",
        Fault::Redelivered => "it is delivered again",
        Fault::Delayed => "it is delivered late",
        Fault::Poison => "a message that nobody can read comes along",
        Fault::ClockJumps => "the function's clock jumps",
        Fault::TokenExpires => "the access token expires on the way",
        Fault::Stopped => "somebody stops the execution in the middle of the step",
    }
}

/// Who a person is, in a story.
pub fn name_of(who: usize) -> String {
    if who == 0 { "the operator".to_owned() } else { format!("member {who}") }
}

/// A request.
pub fn of_ask(player: &Player, ask: &Ask) -> String {
    let who = if ask.is_public { "somebody".to_owned() } else { name_of(player.who) };
    let key = ask.key.as_ref().map_or(String::new(), |key| format!(" under {key}"));
    let amount = ask.body.as_ref().and_then(|body| body["amount"]["amount"].as_u64());
    let amount = amount.map_or(String::new(), |amount| format!(" of {amount} won"));
    format!("#{} {who} asks {} {}{amount}{key}", player.action, ask.method, ask.path)
}

/// What a person was answered.
pub fn of_answer(player: &Player, answer: Option<&Answer>) -> String {
    let told = match answer {
        None => "no answer".to_owned(),
        Some(answer) => outcome(answer.status, answer.replayed, &answer.body),
    };
    format!("#{} is answered: {told}", player.action)
}

/// What an operation answered over HTTP.
pub fn of_response(service: &Service, operation: &Operation, response: &http::Response) -> String {
    let body: Value = serde_json::from_str(&response.body).unwrap_or(Value::Null);
    format!("  {}.{} answers {}", service.name, operation.name, outcome(response.status, false, &body))
}

/// How a direct call, a message or a batch ended; nothing if it had nothing to do or only relayed.
pub fn of_outcome(
    service: &Service,
    operation: &Operation,
    outcome: &Result<Reply<Value>, Problem>,
) -> Option<String> {
    let told = match outcome {
        Ok(_) if operation.triggers.contains(&Trigger::Stream) => return None,
        Ok(reply) if is_idle(&reply.body) => return None,
        Ok(reply) => self::outcome(reply.status, reply.replayed, &reply.body),
        Err(problem) => format!("{} {}", problem.status, problem.code),
    };
    Some(format!("  {}.{} ends: {told}", service.name, operation.name))
}

/// A sweep that found nothing.
fn is_idle(body: &Value) -> bool {
    body["advanced"].as_array().is_some_and(Vec::is_empty)
        || (body["queued"].as_u64() == Some(0) && body["firmbanking"].is_null())
}

fn outcome(status: u16, replayed: bool, body: &Value) -> String {
    // What a sweep or an inquiry did is one level further in.
    let within = [&body["firmbanking"], &body["advanced"][0]].into_iter().find(|inner| inner.is_object());
    let body = within.unwrap_or(body);
    let mut text = status.to_string();
    for name in ["code", "state", "failureReason"] {
        if let Some(told) = body[name].as_str() {
            let _ = write!(text, " {told}");
        }
    }
    if let Some(balance) = body["balance"]["amount"].as_u64() {
        let _ = write!(text, " balance {balance}");
    }
    if replayed {
        text.push_str(" (again)");
    }
    text
}

/// The story with the time of each line since its beginning.
pub fn told(lines: &[Line]) -> String {
    let first_ms = lines.first().map_or(0, |line| line.at_ms);
    let mut text = String::new();
    for line in lines {
        let since_ms = line.at_ms - first_ms;
        let _ = writeln!(text, "{:>9}.{:03} s  {}", since_ms / 1000, since_ms % 1000, line.text);
    }
    text
}
