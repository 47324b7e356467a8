//! Members and operators with their devices: they ask over HTTP, remember what they were answered, and ask again.

use crate::{
    platform,
    random::{Dice, Stream},
    world::World,
};
use contract::http;
use kernel::id::MembershipId;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How often a lost answer is asked for again before a person gives up.
const MOST_TRIES: u32 = 4;

/// A person or company, with everything that they know.
#[derive(Clone, Debug)]
pub struct Person {
    /// The member.
    pub membership_id: MembershipId,
    /// The name: personal data.
    pub name: String,
    /// The email: personal data.
    pub email: String,
    /// The address: personal data.
    pub address: String,
    /// The password: a secret.
    pub password: String,
    /// Accounts at the bank.
    pub accounts: Vec<Account>,
    /// The access token, while there is one.
    pub access_token: Option<String>,
    /// The refresh token, while there is one.
    pub refresh_token: Option<String>,
    /// Whether a device is getting new tokens at the moment.
    pub is_refreshing: bool,
    /// What was asked under a key, to be asked again.
    pub asked: Vec<Ask>,
    /// Where things were found.
    pub locations: Vec<String>,
    /// Who they are since they left and came back: a place among the people.
    pub successor: Option<usize>,
}

/// An account at the bank that a person has.
#[derive(Clone, Debug)]
pub struct Account {
    /// Its number: personal data.
    pub number: String,
    /// Its id with Pay, if it was linked.
    pub linked: Option<String>,
}

/// A request.
#[derive(Clone, Debug)]
pub struct Ask {
    /// Its method.
    pub method: &'static str,
    /// Its path and query.
    pub path: String,
    /// Its key.
    pub key: Option<String>,
    /// Its body.
    pub body: Option<Value>,
    /// Whether it needs a token.
    pub is_public: bool,
}

impl Ask {
    /// A request with a token and nothing else.
    pub fn new(method: &'static str, path: impl Into<String>) -> Ask {
        Ask { method, path: path.into(), key: None, body: None, is_public: false }
    }

    /// Needs no token.
    pub fn public(self) -> Ask {
        Ask { is_public: true, ..self }
    }

    /// With a key.
    pub fn key(self, key: impl Into<String>) -> Ask {
        Ask { key: Some(key.into()), ..self }
    }

    /// With a body.
    pub fn json(self, body: Value) -> Ask {
        Ask { body: Some(body), ..self }
    }
}

/// A request, and what came back.
#[derive(Clone, Debug)]
pub struct Observation {
    /// By which action.
    pub action: u64,
    /// Who asked; none for somebody unknown.
    pub person: Option<usize>,
    /// What.
    pub ask: Ask,
    /// When it was sent, in milliseconds since 1970.
    pub sent_ms: i64,
    /// When the answer came.
    pub answered_ms: i64,
    /// The answer; none if none came.
    pub answer: Option<Answer>,
}

/// An HTTP answer as a client reads it.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The Location header.
    pub location: Option<String>,
    /// Whether it is the first answer again.
    pub replayed: bool,
    /// The body, or null.
    pub body: Value,
}

impl Answer {
    fn of(response: http::Response) -> Answer {
        let header = |name: &str| {
            response.headers.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone())
        };
        Answer {
            status: response.status,
            location: header("location"),
            replayed: header("idempotent-replayed").is_some(),
            body: serde_json::from_str(&response.body).unwrap_or(Value::Null),
        }
    }

    /// The problem's code.
    pub fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }

    /// Whether it says that something is so, and not that something went wrong.
    pub fn is_success(&self) -> bool {
        self.status < 300
    }

    /// Whether it is the final word on what was asked.
    pub fn is_certain(&self) -> bool {
        self.status < 500 && !matches!(self.status, 401 | 403) && self.code() != "request_in_progress"
    }
}

/// What a harness outside the API asked of money directly, as remittance will.
#[derive(Clone, Debug)]
pub struct Transfer {
    /// Its reference.
    pub reference: String,
    /// Who pays.
    pub payer: MembershipId,
    /// Who is paid.
    pub payee: MembershipId,
    /// How much, in won.
    pub amount: u64,
    /// What was answered, if anything: done, or refused with a code.
    pub answers: Vec<Result<(), String>>,
}

/// What a saga of another service held.
#[derive(Clone, Debug)]
pub struct Hold {
    /// The hold's reference.
    pub reference: String,
    /// Whose money.
    pub membership_id: MembershipId,
    /// How much, in won.
    pub held: u64,
    /// How much of it was to be posted; none if it was to be given up.
    pub posted: Option<u64>,
    /// What was answered to the hold, if anything.
    pub made: Option<Result<(), String>>,
    /// What was answered to its closing.
    pub closed: Vec<Result<(), String>>,
}

/// Everybody, and everything that they saw.
#[derive(Default)]
pub struct Crowd(Mutex<Seen>);

/// What a crowd holds.
#[derive(Clone, Default)]
pub struct Seen {
    /// The people; the first is the operator.
    pub people: Vec<Person>,
    /// What they were answered.
    pub observations: Vec<Observation>,
    /// What was transferred directly.
    pub transfers: Vec<Transfer>,
    /// What was held directly.
    pub holds: Vec<Hold>,
    /// Texts that must never be in a log or an event.
    pub private: Vec<String>,
}

impl Seen {
    /// Who somebody is by now: leaving and coming back makes another member.
    fn now(&self, who: usize) -> usize {
        match self.people.get(who).and_then(|person| person.successor) {
            Some(successor) => self.now(successor),
            None => who,
        }
    }
}

impl Crowd {
    /// A crowd that knows this already.
    pub fn new(seen: Seen) -> Crowd {
        Crowd(Mutex::new(seen))
    }

    /// What it holds.
    pub fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Somebody who does one action.
#[derive(Clone)]
pub struct Player {
    /// Where.
    pub world: Arc<World>,
    /// Among whom.
    pub crowd: Arc<Crowd>,
    /// Which action of the history.
    pub action: u64,
    /// Who: a place among the people.
    pub who: usize,
    dice: Arc<Mutex<Dice>>,
}

impl Player {
    /// Somebody at their action: as the member who they are by now.
    pub fn new(world: &Arc<World>, crowd: &Arc<Crowd>, action: u64, who: usize) -> Player {
        let who = crowd.seen().now(who);
        let dice = Arc::new(Mutex::new(Dice::new(world.seed, Stream::Action(action))));
        Player { world: world.clone(), crowd: crowd.clone(), action, who, dice }
    }

    /// The same action in somebody else's name.
    pub fn as_person(self, who: usize) -> Player {
        Player { who, ..self }
    }

    /// Their chance.
    pub fn dice(&self) -> MutexGuard<'_, Dice> {
        self.dice.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who they are now.
    pub fn person(&self) -> Person {
        self.crowd.seen().people[self.who].clone()
    }

    /// Changes what they know.
    pub fn learn<T>(&self, change: impl FnOnce(&mut Person) -> T) -> T {
        change(&mut self.crowd.seen().people[self.who])
    }

    /// A key that nobody has used.
    pub fn new_key(&self) -> String {
        format!("key-{}-{}", self.action, self.dice().below(1_000_000))
    }

    /// Waits.
    pub async fn wait(&self, first_ms: i64, last_ms: i64) {
        let millis = self.dice().between(first_ms, last_ms);
        self.world.agenda.sleep(millis).await;
    }

    /// Asks, and asks again under the same key while the answer is lost; remembers what was asked under a key.
    pub async fn ask(&self, ask: Ask) -> Option<Answer> {
        if ask.key.is_some() && !ask.is_public {
            self.learn(|person| person.asked.push(ask.clone()));
        }
        for _ in 0..MOST_TRIES {
            let answer = self.ask_once(&ask).await;
            match &answer {
                Some(answer) if answer.status == 401 && !ask.is_public => {
                    if !self.get_tokens().await {
                        return None;
                    }
                }
                Some(answer) if answer.is_certain() => {
                    if !ask.is_public {
                        self.learn(|person| person.locations.extend(answer.location.clone()));
                    }
                    return Some(answer.clone());
                }
                _ if self.dice().chance(2_500) => return None,
                _ => self.wait(50, 30_000).await,
            }
        }
        None
    }

    /// Asks once.
    pub async fn ask_once(&self, ask: &Ask) -> Option<Answer> {
        let token = if ask.is_public { None } else { Some(self.token().await?) };
        self.send(ask, token).await
    }

    async fn send(&self, ask: &Ask, token: Option<String>) -> Option<Answer> {
        let (path, query) = ask.path.split_once('?').unwrap_or((&ask.path, ""));
        let mut headers = vec![("content-type".to_owned(), "application/json".to_owned())];
        headers.extend(ask.key.clone().map(|key| ("idempotency-key".to_owned(), key)));
        let request = http::Request {
            method: ask.method.to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            headers,
            body: ask.body.as_ref().map_or_else(Vec::new, |body| body.to_string().into_bytes()),
            claims: None,
        };
        let sent_ms = self.world.agenda.now_ms();
        self.world.tell(|| crate::story::of_ask(self, ask));
        let response = platform::gateway(&self.world, request, token.as_deref()).await;
        self.world.agenda.sleep(5).await;
        let answer = response.map(Answer::of);
        let person = (!ask.is_public).then_some(self.who);
        let answered_ms = self.world.agenda.now_ms();
        let (action, told) = (self.action, answer.clone());
        let observation =
            Observation { action, person, ask: ask.clone(), sent_ms, answered_ms, answer: told };
        self.crowd.seen().observations.push(observation);
        self.world.tell(|| crate::story::of_answer(self, answer.as_ref()));
        answer
    }

    /// The access token, once no other device is getting a new one.
    async fn token(&self) -> Option<String> {
        while self.learn(|person| person.is_refreshing) {
            self.world.agenda.sleep(100).await;
        }
        if self.learn(|person| person.access_token.is_none()) && !self.get_tokens().await {
            return None;
        }
        self.learn(|person| person.access_token.clone())
    }

    /// Gets new tokens by the refresh token, or by logging in.
    pub async fn get_tokens(&self) -> bool {
        let before = self.learn(|person| person.access_token.clone());
        while self.learn(|person| person.is_refreshing) {
            self.world.agenda.sleep(100).await;
        }
        if self.learn(|person| person.access_token != before && person.access_token.is_some()) {
            return true;
        }
        let refresh_token = self.learn(|person| {
            person.is_refreshing = true;
            person.refresh_token.clone()
        });
        let has = match refresh_token {
            Some(token) => self.refresh(token).await || self.log_in().await,
            None => self.log_in().await,
        };
        self.learn(|person| person.is_refreshing = false);
        has
    }

    async fn refresh(&self, token: String) -> bool {
        let ask = Ask::new("POST", "/v1/auth/refresh")
            .public()
            .key(self.new_key())
            .json(json!({ "refreshToken": token }));
        for _ in 0..MOST_TRIES {
            match self.send(&ask, None).await {
                Some(answer) if answer.is_success() => return self.keep_tokens(&answer),
                Some(answer) if answer.status < 500 => break,
                _ => self.wait(50, 2_000).await,
            }
        }
        self.learn(|person| person.refresh_token = None);
        false
    }

    /// Logs in with email and password.
    pub async fn log_in(&self) -> bool {
        let Person { email, password, .. } = self.person();
        let ask =
            Ask::new("POST", "/v1/auth/login").public().json(json!({ "email": email, "password": password }));
        for _ in 0..MOST_TRIES {
            match self.send(&ask, None).await {
                Some(answer) if answer.is_success() => return self.keep_tokens(&answer),
                Some(answer) if answer.status < 500 => return false,
                _ => self.wait(50, 2_000).await,
            }
        }
        false
    }

    fn keep_tokens(&self, answer: &Answer) -> bool {
        let text = |name: &str| answer.body[name].as_str().map(str::to_owned);
        let (access, refresh) = (text("accessToken"), text("refreshToken"));
        self.crowd.seen().private.extend(access.iter().chain(&refresh).cloned());
        self.learn(|person| {
            person.access_token = access;
            person.refresh_token = refresh;
        });
        true
    }

    /// Asks the bank as its own client would.
    pub async fn ask_bank(&self, method: &'static str, path: &str, body: Value) -> Option<Answer> {
        let request = contract::ports::Outgoing {
            method,
            url: format!("{}{path}", crate::world::BANK),
            headers: vec![("x-api-key", "open sesame".to_owned())],
            body: Some(body),
            timeout_ms: 0,
        };
        platform::bank(&self.world, &request).await.ok().map(Answer::of)
    }
}
