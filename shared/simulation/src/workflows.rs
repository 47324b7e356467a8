//! Step Functions: executions of state machines, each a task that goes from state to state.
//!
//! An execution survives the death of any function, and hears of it as an error. It dies when it is stopped, and its
//! name is used up. A function that it called goes on by itself, whatever becomes of its execution.

use crate::{
    agenda::TaskId,
    faults::{Fault, Port, Site, Use},
    machine::{Failed, Host, Machine},
    mix,
    platform::{self, Around, Outcome},
    random::{Dice, Stream},
    run::number_of,
    versions,
    world::{World, find, lock},
};
use async_trait::async_trait;
use contract::{
    Trigger,
    ports::{Execution, StepCall},
};
use futures_channel::oneshot;
use futures_util::future::{Either, select};
use serde_json::Value;
use std::{
    future::pending,
    sync::{Arc, Mutex, OnceLock},
};

/// The machines, by name: the files that Terraform deploys.
const MACHINES: &[(&str, &str)] =
    &[("settlement", include_str!("../../../infra/terraform/settlement.asl.json"))];

/// An execution: of which machine, and under which name.
pub type Name = (String, String);

/// An execution that was started.
#[derive(Clone, Debug)]
pub struct Started {
    /// How it stands.
    pub standing: Execution,
    /// How it ended, if it came to its end; none if it runs or was stopped.
    pub outcome: Option<Result<Value, Failed>>,
    task: TaskId,
}

static READ: OnceLock<Vec<(&str, Machine)>> = OnceLock::new();

fn machine(name: &str) -> &'static Machine {
    let all = READ.get_or_init(|| MACHINES.iter().map(|(name, text)| (*name, Machine::read(text))).collect());
    let found = all.iter().find(|(known, _)| *known == name);
    found.map(|(_, machine)| machine).unwrap_or_else(|| panic!("there is no state machine {name}"))
}

/// Starts an execution, if there is none of that name yet, and says how it stands.
pub fn start(world: &Arc<World>, workflow: &str, execution: &str, input: &Value) -> Execution {
    let machine = machine(workflow);
    let name = (workflow.to_owned(), execution.to_owned());
    let task = world.agenda.next_task();
    let number = {
        let mut state = world.state();
        if let Some(known) = state.executions.get(&name) {
            return known.standing;
        }
        let started = Started { standing: Execution::Running, outcome: None, task };
        state.executions.insert(name.clone(), started);
        u64::try_from(state.executions.len()).expect("few enough")
    };
    world.tell(|| format!("  {workflow} {execution} starts"));
    let dice = Mutex::new(Dice::new(world.seed, Stream::Run(number_of(workflow) ^ 2, number)));
    let (host, input) = (Platform { world: world.clone(), name, dice }, input.clone());
    world.agenda.start(task, async move {
        let outcome = machine.execute(&host, &host.name.1, input).await;
        host.tell(|| match &outcome {
            Ok(_) => "has come to its end".to_owned(),
            Err(failed) => format!("fails with {}", failed.error),
        });
        let mut state = host.world.state();
        let started = state.executions.get_mut(&host.name).expect("it was started");
        started.standing = Execution::Ended;
        started.outcome = Some(outcome);
    });
    Execution::Running
}

/// Stops an execution where it stands, as a person does: its children stop too, the functions it called do not.
pub fn stop(world: &Arc<World>, name: &Name) {
    let mut state = world.state();
    let Some(started) = state.executions.get_mut(name).filter(|known| known.standing == Execution::Running)
    else {
        return;
    };
    started.standing = Execution::Ended;
    let task = started.task;
    drop(state);
    world.happened(mix::EXECUTION_STOPPED);
    world.tell(|| format!("  {} {} is stopped", name.0, name.1));
    world.agenda.kill(task);
}

/// The executions that run.
pub fn running(world: &World) -> Vec<Name> {
    let state = world.state();
    let running = state.executions.iter().filter(|(_, started)| started.standing == Execution::Running);
    running.map(|(name, _)| name.clone()).collect()
}

/// An execution's surroundings.
struct Platform {
    world: Arc<World>,
    name: Name,
    dice: Mutex<Dice>,
}

impl Platform {
    fn between(&self, first: i64, last: i64) -> i64 {
        lock(&self.dice).between(first, last)
    }

    fn strike(&self, site: Site) -> Option<Fault> {
        self.world.strike(site, &mut lock(&self.dice)).fault
    }

    fn tell(&self, text: impl FnOnce() -> String) {
        self.world.tell(|| format!("  {} {} {}", self.name.0, self.name.1, text()));
    }

    /// Sends a step to its function, which takes it whether or not somebody still waits by then.
    fn send(&self, call: StepCall, delay_ms: i64) -> oneshot::Receiver<Outcome> {
        let called = find(&call.step).filter(|(_, operation)| operation.triggers.contains(&Trigger::Step));
        let called = called.unwrap_or_else(|| panic!("{} is no step", call.step));
        self.world.used(called.0, called.1, Use::By("step", ""));
        let (answer, receiver) = oneshot::channel();
        let world = self.world.clone();
        self.world.agenda.spawn(async move {
            world.agenda.sleep(delay_ms).await;
            let around = Around::platform(&call.traceparent);
            if let Ok(outcome) = platform::run(&world, called, around, call.input).await {
                // The execution may have stopped listening.
                let _ = answer.send(outcome);
            }
        });
        receiver
    }
}

#[async_trait]
impl Host for Platform {
    async fn invoke(&self, call: StepCall, timeout_ms: i64) -> Result<Value, Failed> {
        let (service, operation) = find(&call.step).unwrap_or_else(|| panic!("there is no {}", call.step));
        let fault = self.strike(Site::new(service.name, operation.name, Port::Step, 1));
        let delay_ms = match fault {
            Some(Fault::DiesBefore) => {
                self.wait(self.between(0, 2_000)).await;
                return Err(Failed::new("Lambda.Unknown", "the function died before it began"));
            }
            // Sometimes it comes after its execution has given up, and works beside the next attempt.
            Some(Fault::Delayed) => self.between(1_000, 2 * timeout_ms),
            _ => self.between(0, 12),
        };
        if fault == Some(Fault::ArrivesTwice) {
            drop(self.send(call.clone(), self.between(0, 400)));
        }
        let answer = self.send(call, delay_ms);
        match fault {
            Some(Fault::AnswerLost) => {
                self.wait(self.between(0, timeout_ms)).await;
                return Err(Failed::new("Lambda.SdkClientException", "the answer was lost"));
            }
            Some(Fault::Stopped) => {
                self.wait(self.between(0, 200)).await;
                stop(&self.world, &self.name);
                pending::<()>().await;
            }
            _ => {}
        }
        match select(answer, self.world.agenda.sleep(timeout_ms)).await {
            Either::Left((Ok(Ok(reply)), _)) => Ok(versions::answered(&self.world, reply.body)),
            Either::Left((Ok(Err(problem)), _)) => Err(Failed::new(&problem.code, problem.detail)),
            Either::Left((Err(_), _)) => Err(Failed::new("Lambda.Unknown", "the function died or was ended")),
            Either::Right(_) => Err(Failed::new("States.Timeout", "the function did not answer in time")),
        }
    }

    async fn wait(&self, millis: i64) {
        self.world.agenda.sleep(millis).await;
    }

    fn jitter(&self, most: i64) -> i64 {
        self.between(0, most)
    }

    fn runs_of_child(&self) -> usize {
        let twice = self.strike(Site::new("settlement", "a child of its machine", Port::Child, 1));
        if twice == Some(Fault::ArrivesTwice) { 2 } else { 1 }
    }

    fn entered(&self, state: &str) {
        self.tell(|| format!("is at {state}"));
    }
}
