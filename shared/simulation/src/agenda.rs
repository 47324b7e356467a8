//! Tasks and simulated time: what runs next is the seed's choice, and nothing waits for real.
//!
//! It is an executor of one thread. Time stands still while a task can run and then jumps to the next timer, so that
//! an hour's wait costs nothing. A task can be killed where it waits, as a process dies: whoever waits for its answer
//! hears that there will be none.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    future::Future,
    mem,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Wake, Waker},
};

/// Names a task.
pub type TaskId = u64;
type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The tasks' shared part: whoever holds it can read the time, wait, start and kill.
#[derive(Default)]
pub struct Agenda(Mutex<State>);

#[derive(Default)]
struct State {
    now_ms: i64,
    tasks: u64,
    timers: BTreeMap<(i64, u64), Waker>,
    timer: u64,
    ready: VecDeque<TaskId>,
    started: Vec<(TaskId, Work)>,
    killed: BTreeSet<TaskId>,
}

/// Runs the tasks of an agenda.
pub struct Executor {
    agenda: Arc<Agenda>,
    tasks: BTreeMap<TaskId, Work>,
}

struct Wakeup {
    task: TaskId,
    agenda: Arc<Agenda>,
}

impl Wake for Wakeup {
    fn wake(self: Arc<Self>) {
        self.agenda.state().ready.push_back(self.task);
    }
}

impl Agenda {
    /// An agenda whose time begins here, in milliseconds since 1970.
    pub fn new(now_ms: i64) -> Arc<Agenda> {
        Arc::new(Agenda(Mutex::new(State { now_ms, ..State::default() })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The time, in milliseconds since 1970.
    pub fn now_ms(&self) -> i64 {
        self.state().now_ms
    }

    /// A name for a task to be started.
    pub fn next_task(&self) -> TaskId {
        let mut state = self.state();
        state.tasks += 1;
        state.tasks
    }

    /// Starts a task under its name.
    pub fn start(&self, task: TaskId, work: impl Future<Output = ()> + Send + 'static) {
        let mut state = self.state();
        state.started.push((task, Box::pin(work)));
        state.ready.push_back(task);
    }

    /// Starts a task whose name nobody needs.
    pub fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.start(self.next_task(), work);
    }

    /// Ends a task where it waits.
    pub fn kill(&self, task: TaskId) {
        self.state().killed.insert(task);
    }

    /// Waits so many milliseconds of simulated time.
    pub fn sleep(self: &Arc<Self>, millis: i64) -> Sleep {
        Sleep { agenda: self.clone(), until_ms: self.now_ms() + millis, waits: false }
    }
}

/// A wait.
pub struct Sleep {
    agenda: Arc<Agenda>,
    until_ms: i64,
    waits: bool,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut state = self.agenda.state();
        if state.now_ms >= self.until_ms {
            return Poll::Ready(());
        }
        if !self.waits {
            state.timer += 1;
            let place = (self.until_ms, state.timer);
            state.timers.insert(place, context.waker().clone());
            drop(state);
            self.waits = true;
        }
        Poll::Pending
    }
}

impl Executor {
    /// Runs this agenda's tasks.
    pub fn new(agenda: Arc<Agenda>) -> Executor {
        Executor { agenda, tasks: BTreeMap::new() }
    }

    /// Runs until nothing is left to do up to this time; answers whether tasks still wait for later.
    pub fn run_until(&mut self, until_ms: i64) -> bool {
        loop {
            self.take_changes();
            let ready = self.agenda.state().ready.pop_front();
            match ready {
                Some(task) => self.poll(task),
                None if self.pass_time(until_ms) => {}
                None => return !self.tasks.is_empty(),
            }
        }
    }

    /// Lets time pass without anything to do.
    pub fn advance_to(&mut self, until_ms: i64) {
        let mut state = self.agenda.state();
        state.now_ms = state.now_ms.max(until_ms);
    }

    fn poll(&mut self, task: TaskId) {
        let Some(mut work) = self.tasks.remove(&task) else { return };
        let waker = Waker::from(Arc::new(Wakeup { task, agenda: self.agenda.clone() }));
        if work.as_mut().poll(&mut Context::from_waker(&waker)).is_pending() {
            self.tasks.insert(task, work);
        }
    }

    /// What a task drops may wake others, so nothing is dropped while the agenda is locked.
    fn take_changes(&mut self) {
        loop {
            let (started, killed) = {
                let mut state = self.agenda.state();
                (mem::take(&mut state.started), mem::take(&mut state.killed))
            };
            if started.is_empty() && killed.is_empty() {
                return;
            }
            self.tasks.extend(started);
            for task in killed {
                drop(self.tasks.remove(&task));
            }
        }
    }

    fn pass_time(&mut self, until_ms: i64) -> bool {
        let mut state = self.agenda.state();
        let Some((&(at_ms, _), _)) = state.timers.first_key_value() else { return false };
        if at_ms > until_ms {
            return false;
        }
        let Some((_, waker)) = state.timers.pop_first() else { return false };
        state.now_ms = state.now_ms.max(at_ms);
        drop(state);
        waker.wake();
        true
    }
}
