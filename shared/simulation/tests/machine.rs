//! The interpreter of state machines, with small machines; and settlement's own machine, led along every path by
//! scripted answers.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test that fails should fail loudly"
)]

use async_trait::async_trait;
use contract::ports::StepCall;
use serde_json::{Value, json};
use simulation::{
    agenda::{Agenda, Executor},
    machine::{Failed, Host, Machine},
};
use std::sync::{Arc, Mutex};

/// What a step answers: its name, its input, and how often it was asked before.
type Script = fn(&str, &Value, usize) -> Result<Value, Failed>;

/// A world in which steps answer as a script says, each after ten milliseconds.
struct Stage {
    agenda: Arc<Agenda>,
    script: Script,
    runs_of_child: usize,
    asked: Mutex<Vec<(i64, String, Value)>>,
    entered: Mutex<Vec<String>>,
    busy: Mutex<(usize, usize)>,
}

#[async_trait]
impl Host for Stage {
    async fn invoke(&self, call: StepCall, timeout_ms: i64) -> Result<Value, Failed> {
        let step = call.step.rsplit('.').next().unwrap().to_owned();
        let before = {
            let mut asked = self.asked.lock().unwrap();
            let before = asked.iter().filter(|(_, known, _)| *known == step).count();
            asked.push((self.agenda.now_ms(), step.clone(), call.input.clone()));
            before
        };
        {
            let mut busy = self.busy.lock().unwrap();
            busy.0 += 1;
            busy.1 = busy.1.max(busy.0);
        }
        let answer = (self.script)(&step, &call.input, before);
        let takes_ms = if answer == Ok(json!("never")) { timeout_ms } else { 10 };
        self.agenda.sleep(takes_ms).await;
        self.busy.lock().unwrap().0 -= 1;
        if takes_ms == timeout_ms { Err(Failed::new("States.Timeout", "")) } else { answer }
    }

    async fn wait(&self, millis: i64) {
        self.agenda.sleep(millis).await;
    }

    fn jitter(&self, most: i64) -> i64 {
        most
    }

    fn runs_of_child(&self) -> usize {
        self.runs_of_child
    }

    fn entered(&self, state: &str) {
        self.entered.lock().unwrap().push(state.to_owned());
    }
}

/// What became of an execution.
struct Played {
    outcome: Result<Value, Failed>,
    /// When which step was asked, and with what.
    asked: Vec<(i64, String, Value)>,
    entered: Vec<String>,
    most_busy: usize,
    took_ms: i64,
}

impl Played {
    fn times(&self, step: &str) -> usize {
        self.asked.iter().filter(|(_, known, _)| known == step).count()
    }

    fn inputs(&self, step: &str) -> Vec<&Value> {
        self.asked.iter().filter(|(_, known, _)| known == step).map(|(_, _, input)| input).collect()
    }
}

fn play(text: &str, input: Value, script: Script) -> Played {
    play_with(text, input, script, 1)
}

fn play_with(text: &str, input: Value, script: Script, runs_of_child: usize) -> Played {
    let agenda = Agenda::new(0);
    let stage = Arc::new(Stage {
        agenda: agenda.clone(),
        script,
        runs_of_child,
        asked: Mutex::default(),
        entered: Mutex::default(),
        busy: Mutex::default(),
    });
    let outcome = Arc::new(Mutex::new(None));
    let (host, place, machine) = (stage.clone(), outcome.clone(), Machine::read(text));
    agenda.spawn(async move {
        let ended = machine.execute(&*host, "test", input).await;
        *place.lock().unwrap() = Some((ended, host.agenda.now_ms()));
    });
    Executor::new(agenda).run_until(i64::MAX / 2);
    let (outcome, took_ms) = outcome.lock().unwrap().take().expect("the execution ends");
    Played {
        outcome,
        asked: stage.asked.lock().unwrap().clone(),
        entered: stage.entered.lock().unwrap().clone(),
        most_busy: stage.busy.lock().unwrap().1,
        took_ms,
    }
}

/// A machine of these states, which begins at A.
fn machine(states: Value) -> String {
    let machine = json!({ "Comment": "", "QueryLanguage": "JSONata", "StartAt": "A", "TimeoutSeconds": 1000, "States": states });
    machine.to_string()
}

/// A task that takes a step and goes on, with more fields of its own.
fn task(step: &str, more: Value) -> Value {
    let payload =
        json!({ "step": format!("test.{step}"), "traceparent": "", "input": "{% $states.input %}" });
    let mut task = json!({
        "Comment": "", "Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "TimeoutSeconds": 5,
        "Arguments": { "FunctionName": format!("${{{step}}}"), "Payload": payload },
        "Output": "{% $states.result.Payload %}",
    });
    for (name, value) in more.as_object().unwrap() {
        task[name] = value.clone();
    }
    task
}

fn retry(attempts: u32) -> Value {
    json!([{ "ErrorEquals": ["busy", "States.Timeout"], "IntervalSeconds": 2, "MaxAttempts": attempts,
             "BackoffRate": 3, "MaxDelaySeconds": 10, "JitterStrategy": "FULL" }])
}

fn busy() -> Result<Value, Failed> {
    Err(Failed::new("busy", ""))
}

#[test]
fn a_task_is_tried_again_after_growing_delays_and_then_fails() {
    let text = machine(json!({ "A": task("ask", json!({ "Retry": retry(3), "End": true })) }));
    let played = play(&text, json!({}), |_, _, _| busy());
    assert_eq!(played.outcome, busy());
    let times: Vec<_> = played.asked.iter().map(|(at_ms, _, _)| *at_ms).collect();
    assert_eq!(times, [0, 2_010, 8_020, 18_030], "2, 6 and at most 10 seconds");

    let played = play(
        &text,
        json!({ "x": 1 }),
        |_, input, before| if before < 3 { busy() } else { Ok(input.clone()) },
    );
    assert_eq!(played.outcome, Ok(json!({ "x": 1 })));
    let played =
        play(&text, json!({}), |_, _, before| if before < 1 { Ok(json!("never")) } else { Ok(json!(1)) });
    assert_eq!((played.outcome, played.took_ms), (Ok(json!(1)), 7_010));
    let played = play(&text, json!({}), |_, _, _| Err(Failed::new("forbidden", "")));
    assert_eq!((played.outcome.unwrap_err().error.as_str(), played.asked.len()), ("forbidden", 1));
}

#[test]
fn what_is_not_tried_again_is_caught() {
    let caught = json!([{ "ErrorEquals": ["States.ALL"], "Next": "B" }]);
    let text = machine(json!({
        "A": task("ask", json!({ "Retry": retry(1), "Catch": caught, "End": true })),
        "B": { "Comment": "", "Type": "Pass", "Output": "{% $states.input.Error %}", "End": true },
    }));
    let played = play(&text, json!({}), |_, _, _| busy());
    assert_eq!((played.outcome, played.asked.len()), (Ok(json!("busy")), 2));
}

#[test]
fn a_choice_takes_the_first_way_that_holds_and_variables_are_kept() {
    let text = machine(json!({
        "A": { "Comment": "", "Type": "Pass", "Assign": { "n": "{% $states.input.n %}", "none": null }, "Output": {}, "Next": "B" },
        "B": { "Comment": "", "Type": "Choice", "Default": "E", "Choices": [
            { "Condition": "{% $n > 2 and $n < 5 %}", "Next": "C" }, { "Condition": "{% $n > 3 %}", "Next": "D" }] },
        "C": task("ask", json!({ "Assign": { "n": "{% $n + $states.result.Payload %}" }, "Next": "B" })),
        "D": { "Comment": "", "Type": "Pass", "Output": { "n": "{% $n %}", "none": "{% $none %}" }, "End": true },
        "E": { "Comment": "", "Type": "Fail", "Error": "small" },
    }));
    let played = play(&text, json!({ "n": 3 }), |_, _, _| Ok(json!(1)));
    assert_eq!(played.outcome, Ok(json!({ "n": 5, "none": null })));
    assert_eq!(played.entered, ["A", "B", "C", "B", "C", "B", "D"]);
    assert_eq!(
        play(&text, json!({ "n": 2 }), |_, _, _| Ok(json!(1))).outcome,
        Err(Failed::new("small", "E"))
    );
    // A name that is not there is an error on AWS too.
    let error = play(&text, json!({}), |_, _, _| Ok(json!(1))).outcome.unwrap_err().error;
    assert_eq!(error, "States.QueryEvaluationError");
}

fn map(config: Value, more: Value) -> String {
    let mut map = json!({
        "Comment": "", "Type": "Map", "Items": "{% [$states.input.items] %}", "MaxConcurrency": 2, "End": true,
        "ItemProcessor": { "ProcessorConfig": config, "StartAt": "One", "States": { "One": task("ask", json!({ "End": true })) } },
    });
    for (name, value) in more.as_object().unwrap() {
        map[name] = value.clone();
    }
    machine(json!({ "A": map }))
}

fn echo_but_13(_: &str, input: &Value, _: usize) -> Result<Value, Failed> {
    if *input == 13 { busy() } else { Ok(input.clone()) }
}

#[test]
fn an_inline_map_keeps_the_order_and_its_limit_and_fails_with_its_first_failure() {
    let text = map(json!({ "Mode": "INLINE" }), json!({}));
    let played = play(&text, json!({ "items": [5, 4, 3, 2, 1] }), echo_but_13);
    assert_eq!((played.outcome, played.most_busy), (Ok(json!([5, 4, 3, 2, 1])), 2));
    assert_eq!(play(&text, json!({ "items": [] }), echo_but_13).outcome, Ok(json!([])));
    let played = play(&text, json!({ "items": [1, 13, 3, 4, 5, 6] }), echo_but_13);
    assert_eq!(played.outcome, busy());
    assert!(played.asked.len() < 5, "the others are not begun");
}

#[test]
fn a_distributed_map_tolerates_what_it_says_and_its_children_may_run_twice() {
    let express = json!({ "Mode": "DISTRIBUTED", "ExecutionType": "EXPRESS" });
    let input = json!({ "items": [1, 13, 3, 4] });
    let strict = map(express.clone(), json!({ "ToleratedFailurePercentage": 24 }));
    let error = play(&strict, input.clone(), echo_but_13).outcome.unwrap_err().error;
    assert_eq!(error, "States.ExceedToleratedFailureThreshold");
    let lenient = map(express.clone(), json!({ "ToleratedFailurePercentage": 25, "Output": {} }));
    let played = play_with(&lenient, input.clone(), echo_but_13, 2);
    assert_eq!((played.outcome, played.asked.len()), (Ok(json!({})), 8));
    let selector = json!("{% $states.context.Map.Item.Index + $states.input.items[0] %}");
    let text = map(express, json!({ "ItemSelector": selector }));
    assert_eq!(play(&text, input, echo_but_13).outcome, Ok(json!([1, 2, 3, 4])));
}

#[test]
fn what_takes_too_long_is_ended_as_on_aws() {
    let wait = |seconds: i64| json!({ "Comment": "", "Type": "Wait", "Seconds": seconds, "Next": "B" });
    let done = json!({ "Comment": "", "Type": "Succeed" });
    let played = play(&machine(json!({ "A": wait(999), "B": done })), json!(1), echo_but_13);
    assert_eq!((played.outcome, played.took_ms), (Ok(json!(1)), 999_000));
    let error =
        play(&machine(json!({ "A": wait(1_001), "B": done })), json!(1), echo_but_13).outcome.unwrap_err();
    assert_eq!(error.error, "States.Timeout");
    let child = json!({ "ProcessorConfig": { "Mode": "DISTRIBUTED", "ExecutionType": "EXPRESS" }, "StartAt": "A",
                        "States": { "A": wait(301), "B": done } });
    let text = map(json!({ "Mode": "INLINE" }), json!({ "ItemProcessor": child }));
    let error = play(&text, json!({ "items": [1] }), echo_but_13).outcome.unwrap_err();
    assert_eq!(error.error, "States.ExceedToleratedFailureThreshold");
    let endless = machine(json!({ "A": task("ask", json!({ "Next": "A" })) })).replace("1000", "100000");
    let error = play(&endless, json!({}), |_, _, _| Ok(json!({}))).outcome.unwrap_err();
    assert_eq!((error.error.as_str(), error.cause.contains("25 000")), ("States.Runtime", true));
}

#[test]
#[should_panic(expected = "unknown field `HeartbeatSeconds`")]
fn a_field_that_the_interpreter_does_not_know_is_refused() {
    Machine::read(&machine(json!({ "A": task("ask", json!({ "HeartbeatSeconds": 1, "End": true })) })));
}

#[test]
#[should_panic(expected = "unknown variant `Parallel`")]
fn a_state_that_the_interpreter_does_not_know_is_refused() {
    Machine::read(&machine(json!({ "A": { "Comment": "", "Type": "Parallel", "End": true } })));
}

// --- settlement's machine

const SETTLEMENT: &str = include_str!("../../../infra/terraform/settlement.asl.json");

fn settle(script: Script) -> Played {
    let input = json!({ "businessDay": "2026-11-22", "traceparent": "00-trace", "attempt": 1 });
    let played = play(SETTLEMENT, input, script);
    for (_, step, input) in &played.asked {
        assert_eq!(input["businessDay"], "2026-11-22", "{step}");
    }
    played
}

fn counted(due: u32, open: u32, is_over: bool) -> Result<Value, Failed> {
    Ok(json!({ "due": due, "open": open, "failed": 0, "isOver": is_over, "waitSeconds": 30 }))
}

/// Franchises by shard and page, with nothing in the way: shard 4 has two pages.
fn smoothly(step: &str, input: &Value, _: usize) -> Result<Value, Failed> {
    Ok(match step {
        "listDueFranchises" => match (input["shard"].as_u64(), input["after"].as_str()) {
            (Some(4), None) => {
                json!({ "franchises": [{ "franchiseId": "a" }, { "franchiseId": "b" }], "after": "b" })
            }
            (Some(4), Some("b")) => json!({ "franchises": [{ "franchiseId": "c" }] }),
            _ => json!({ "franchises": [] }),
        },
        "collectPayments" => json!({ "next": "calculate" }),
        "calculateSettlement" => {
            json!({ "calculation": { "of": input["franchiseId"], "net": -12, "fees": [{ "bps": 250 }] } })
        }
        "recordSettlement" => {
            json!({ "settlementId": format!("stl_{}", input["calculation"]["of"].as_str().unwrap()) })
        }
        "countOpenLines" => return counted(0, 0, false),
        _ => json!({}),
    })
}

#[test]
fn a_smooth_run_settles_each_franchise_once_and_finishes() {
    let played = settle(smoothly);
    assert_eq!(played.outcome, Ok(json!({})));
    assert_eq!(played.times("listDueFranchises"), 17, "sixteen shards, of which one has two pages");
    let paid_out: Vec<_> =
        played.inputs("payOutSettlement").iter().map(|input| input["settlementId"].clone()).collect();
    assert_eq!(paid_out, ["stl_a", "stl_b", "stl_c"]);
    assert_eq!(played.inputs("recordSettlement")[0]["calculation"]["fees"], json!([{ "bps": 250 }]));
    let tail = &played.asked[played.asked.len() - 2..];
    assert_eq!((tail[0].1.as_str(), tail[1].1.as_str()), ("countOpenLines", "finishSettlement"));
    assert!(played.most_busy <= 9, "eight shards at once, of which one has two franchises");
    let never: Vec<_> = ["WaitForNextRound", "WaitForLines", "LeaveDue", "Covered"].into_iter().collect();
    assert!(played.entered.iter().all(|state| !never.contains(&state.as_str())));
}

#[test]
fn enlisting_goes_on_from_where_it_was() {
    let played = settle(|step, input, before| match (step, before) {
        ("enlistFranchises", 0) => busy_for_now(),
        ("enlistFranchises", 1) => Ok(json!({ "after": "f1" })),
        ("enlistFranchises", 2) => Ok(json!({ "after": "f2" })),
        // Nothing may be said in two ways.
        ("enlistFranchises", _) => Ok(json!({ "after": null })),
        _ => smoothly(step, input, before),
    });
    let after: Vec<_> =
        played.inputs("enlistFranchises").iter().map(|input| input["after"].clone()).collect();
    assert_eq!(after, [json!(null), json!(null), json!("f1"), json!("f2")]);
    assert_eq!(played.outcome, Ok(json!({})));
}

fn busy_for_now() -> Result<Value, Failed> {
    Err(Failed::new("temporarily_unavailable", ""))
}

#[test]
fn a_large_manifest_is_collected_part_by_part_and_a_covered_franchise_is_left() {
    let played = settle(|step, input, before| match (step, input["franchiseId"].as_str()) {
        ("collectPayments", Some("a")) if before < 5 => Ok(json!({ "next": "collect" })),
        ("collectPayments", Some("b")) => Ok(json!({ "next": "done" })),
        _ => smoothly(step, input, before),
    });
    let of_a = played.inputs("collectPayments").iter().filter(|input| input["franchiseId"] == "a").count();
    assert!(of_a > 2, "{of_a} parts");
    assert_eq!(played.times("calculateSettlement"), 2);
    assert!(played.entered.contains(&"Covered".to_owned()));
}

#[test]
fn a_line_that_another_run_recorded_is_left_to_it() {
    let answers: [Script; 2] = [
        |step, input, before| match step {
            "calculateSettlement" | "recordSettlement" => Ok(json!({})),
            _ => smoothly(step, input, before),
        },
        |step, input, before| match step {
            "calculateSettlement" => Ok(json!({ "calculation": null })),
            "recordSettlement" => Ok(json!({ "settlementId": null })),
            _ => smoothly(step, input, before),
        },
    ];
    for script in answers {
        let played = settle(script);
        assert_eq!(played.inputs("recordSettlement")[0]["calculation"], json!(null));
        assert_eq!(played.inputs("payOutSettlement")[0]["settlementId"], json!(null));
        assert_eq!(played.outcome, Ok(json!({})));
        assert!(!played.entered.contains(&"LeaveDue".to_owned()));
    }
}

#[test]
fn one_franchises_failure_stops_no_other_and_the_next_round_takes_it_up() {
    let played = settle(|step, input, before| match (step, before) {
        ("calculateSettlement", _) if input["franchiseId"] == "b" && before < 3 => {
            Err(Failed::new("ledger_broken", ""))
        }
        ("countOpenLines", 0) => counted(1, 0, false),
        _ => smoothly(step, input, before),
    });
    assert_eq!(played.outcome, Ok(json!({})));
    assert_eq!(played.entered.iter().filter(|state| *state == "LeaveDue").count(), 1);
    assert_eq!(played.entered.iter().filter(|state| *state == "SettleShards").count(), 2);
    assert!(played.took_ms > 30_000, "it waits before the next round");
}

#[test]
fn a_shard_that_cannot_be_listed_waits_for_the_next_round() {
    let played = settle(|step, input, before| match step {
        "listDueFranchises" if input["shard"] == 9 && before < 17 => Err(Failed::new("forbidden", "")),
        "countOpenLines" if before == 0 => counted(2, 0, false),
        _ => smoothly(step, input, before),
    });
    assert_eq!(played.outcome, Ok(json!({})));
    assert_eq!(played.entered.iter().filter(|state| *state == "WaitForNextRound").count(), 1);
}

#[test]
fn open_lines_are_waited_for_without_another_round() {
    let played = settle(|step, input, before| match step {
        "countOpenLines" if before < 5 => counted(0, 3, false),
        _ => smoothly(step, input, before),
    });
    assert_eq!(played.entered.iter().filter(|state| *state == "WaitForLines").count(), 5);
    assert_eq!(played.entered.iter().filter(|state| *state == "SettleShards").count(), 1);
    assert_eq!((played.times("countOpenLines"), played.times("finishSettlement")), (6, 1));
}

#[test]
fn the_deadline_ends_the_run_whatever_is_left() {
    let played = settle(|step, input, before| match step {
        "countOpenLines" => counted(4, 3, before >= 2),
        _ => smoothly(step, input, before),
    });
    assert_eq!((played.times("countOpenLines"), played.times("finishSettlement")), (3, 1));
    assert_eq!(played.outcome, Ok(json!({})));
}

/// Six hours at 22 seconds each, and an answer that never says that it is over: the history stays short enough.
#[test]
fn the_rounds_are_limited_so_that_the_history_is() {
    let played = settle(|step, input, before| match step {
        "countOpenLines" => {
            Ok(json!({ "due": 0, "open": 1, "failed": 0, "isOver": false, "waitSeconds": 22 }))
        }
        _ => smoothly(step, input, before),
    });
    assert_eq!(played.outcome, Ok(json!({})));
    assert_eq!((played.times("countOpenLines"), played.times("finishSettlement")), (1_000, 1));
}

#[test]
fn a_step_of_the_run_itself_that_keeps_failing_fails_the_run() {
    let played = settle(|step, input, before| match step {
        "countOpenLines" => busy_for_now(),
        _ => smoothly(step, input, before),
    });
    assert_eq!((played.times("countOpenLines"), played.outcome), (9, busy_for_now()));
    let played = settle(|step, input, before| match step {
        "finishSettlement" => Err(Failed::new("forbidden", "")),
        _ => smoothly(step, input, before),
    });
    assert_eq!(played.times("finishSettlement"), 1);
    assert!(played.outcome.is_err());
}
