//! A call of an operation, and its reply.

use crate::{Problem, problem};
use data_encoding::HEXLOWER;
use kernel::{Id, IdKind, Timestamp, id::MembershipId};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de::DeserializeOwned};
use serde_json::Value;
use std::fmt;

/// What an access token allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Scope {
    /// Every member.
    Member,
    /// A corporate member.
    Merchant,
    /// Pay's own people.
    Operator,
}

impl Scope {
    /// As a token's `scope` claim and OpenAPI spell it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Scope::Member => "member",
            Scope::Merchant => "merchant",
            Scope::Operator => "operator",
        }
    }
}

/// Who calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caller {
    /// Nobody known: a public operation.
    Anonymous,
    /// A member with an access token.
    Member {
        /// The token's subject.
        membership_id: MembershipId,
        /// The token's scopes.
        scopes: Vec<Scope>,
        /// The token's login session: its family of refresh tokens.
        session: String,
    },
    /// An operation of Pay, by a direct call; its full name, such as `money.increaseMoneyRequest`.
    Service(String),
    /// AWS itself: a queue, stream, schedule or rotation.
    Platform,
}

impl Caller {
    /// Whether the caller's token has this scope.
    pub fn has(&self, scope: Scope) -> bool {
        matches!(self, Caller::Member { scopes, .. } if scopes.contains(&scope))
    }

    /// The member who calls, or 401.
    pub fn member(&self) -> Result<MembershipId, Problem> {
        match self {
            Caller::Member { membership_id, .. } => Ok(*membership_id),
            _ => Err((&problem::UNAUTHORIZED).into()),
        }
    }

    /// Lets the owner through and answers everyone else as if there were nothing: 404.
    pub fn owns(&self, owner: MembershipId) -> Result<(), Problem> {
        if self.member()? == owner { Ok(()) } else { Err((&problem::NOT_FOUND).into()) }
    }
}

impl fmt::Display for Caller {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Caller::Anonymous => formatter.write_str("anonymous"),
            Caller::Member { membership_id, .. } => membership_id.fmt(formatter),
            Caller::Service(name) => formatter.write_str(name),
            Caller::Platform => formatter.write_str("platform"),
        }
    }
}

/// A W3C trace context: one id for everything that one request sets going.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace(String);

impl Trace {
    /// Continues a trace, if the text is a traceparent of version 00 (W3C Trace Context, section 3.2).
    pub fn parse(traceparent: &str) -> Option<Trace> {
        let mut parts = traceparent.split('-');
        let [version, trace, span, flags] = [parts.next()?, parts.next()?, parts.next()?, parts.next()?];
        let hex = |text: &str, length| text.len() == length && HEXLOWER.decode(text.as_bytes()).is_ok();
        let known =
            version == "00" && hex(trace, 32) && hex(span, 16) && hex(flags, 2) && parts.next().is_none();
        let named = trace.contains(|digit| digit != '0') && span.contains(|digit| digit != '0');
        (known && named).then(|| Trace(traceparent.to_owned()))
    }

    /// Starts a trace from 24 random bytes.
    pub fn start(random: [u8; 24]) -> Trace {
        let (trace, span) = random.split_at(16);
        Trace(format!("00-{}-{}-01", HEXLOWER.encode(trace), HEXLOWER.encode(span)))
    }

    /// Continues the trace that AWS began: `Root=1-6b033de1-9800ced546f7767bbe4b2c7e;Parent=c053c071ad47ad0b`. A
    /// gateway's header has a root only; the span is then made of these random bytes.
    pub fn from_xray(header: &str, random: [u8; 8]) -> Option<Trace> {
        let part = |name: &str| header.split(';').find_map(|part| part.trim().strip_prefix(name));
        let (seconds, rest) = part("Root=1-")?.split_once('-')?;
        let span = part("Parent=").map_or_else(|| HEXLOWER.encode(&random), str::to_owned);
        Trace::parse(&format!("00-{seconds}{rest}-{span}-01"))
    }

    /// The whole traceparent.
    pub fn traceparent(&self) -> &str {
        &self.0
    }

    /// The trace's id: 32 hexadecimal digits.
    pub fn id(&self) -> &str {
        self.0.split('-').nth(1).unwrap_or_default()
    }
}

/// A caller's name for one request: 1 to 255 visible ASCII characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// Checks a key.
    pub fn parse(text: &str) -> Result<IdempotencyKey, Problem> {
        let known = (1..=255).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        if known {
            Ok(IdempotencyKey(text.to_owned()))
        } else {
            Err((&problem::IDEMPOTENCY_KEY_INVALID).into())
        }
    }

    /// The key.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Which step of which saga asks, and since when it may have asked: the idempotency key of a direct call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reference {
    /// Unique for the step: asking twice under one id is asking once.
    pub id: String,
    /// Stored before the first attempt. No trace of the step is older than this.
    pub birth: Timestamp,
}

/// A call of an operation with its typed input.
#[derive(Clone, Debug)]
pub struct Call<I> {
    /// The operation's full name, such as `money.increaseMoneyRequest`.
    pub operation: String,
    /// Who calls.
    pub caller: Caller,
    /// For which member, if a service calls.
    pub on_behalf_of: Option<MembershipId>,
    /// The Idempotency-Key header.
    pub idempotency_key: Option<IdempotencyKey>,
    /// The saga step that asks, if a service calls.
    pub reference: Option<Reference>,
    /// The If-Match header, without quotes.
    pub if_match: Option<String>,
    /// The trace that the call belongs to.
    pub trace: Trace,
    /// When the call came, by this function's clock.
    pub now: Timestamp,
    /// SHA-256 of the canonical input: what "the same body" means. For inputs with personal data, store its blind
    /// index, never itself.
    pub fingerprint: String,
    /// The input: path parameters, query and body in one.
    pub body: I,
}

impl<I> Call<I> {
    /// The id of the thing that this call makes: derived from caller, operation and key, so that the record is the
    /// idempotency record. 400 without a key.
    pub fn derived_id<K: IdKind>(&self) -> Result<Id<K>, Problem> {
        if let Some(reference) = &self.reference {
            return Ok(Id::derive(&["reference", &reference.id]));
        }
        let key = self.idempotency_key.as_ref().ok_or(&problem::IDEMPOTENCY_KEY_REQUIRED)?;
        Ok(Id::derive(&[&self.caller.to_string(), &self.operation, key.as_str()]))
    }

    /// The member for whom it is done: who calls, or whom the calling service names. 401 if there is none.
    pub fn member(&self) -> Result<MembershipId, Problem> {
        match (&self.caller, self.on_behalf_of) {
            (Caller::Service(_), Some(member)) => Ok(member),
            _ => self.caller.member(),
        }
    }

    /// Whether the call may change a thing at this version: it named no other one in If-Match.
    pub fn may_change(&self, version: u64) -> bool {
        self.if_match.as_ref().is_none_or(|tag| tag == "*" || *tag == version.to_string())
    }

    /// The same call without its input, in the trace of the record that it works on: whoever goes on with a record,
    /// a repetition of its request or a sweep, does it as a part of the record's own story.
    pub fn in_trace_of(&self, traceparent: &str) -> Call<()> {
        Call {
            operation: self.operation.clone(),
            caller: self.caller.clone(),
            on_behalf_of: self.on_behalf_of,
            idempotency_key: self.idempotency_key.clone(),
            reference: self.reference.clone(),
            if_match: self.if_match.clone(),
            trace: Trace::parse(traceparent).unwrap_or_else(|| self.trace.clone()),
            now: self.now,
            fingerprint: self.fingerprint.clone(),
            body: (),
        }
    }

    /// The same call with another input.
    pub fn with<J>(self, body: J) -> Call<J> {
        self.split().1.with_body(body)
    }

    /// The input apart from the call around it.
    pub fn split(self) -> (I, Call<()>) {
        let around = Call {
            operation: self.operation,
            caller: self.caller,
            on_behalf_of: self.on_behalf_of,
            idempotency_key: self.idempotency_key,
            reference: self.reference,
            if_match: self.if_match,
            trace: self.trace,
            now: self.now,
            fingerprint: self.fingerprint,
            body: (),
        };
        (self.body, around)
    }
}

impl Call<()> {
    fn with_body<J>(self, body: J) -> Call<J> {
        Call {
            operation: self.operation,
            caller: self.caller,
            on_behalf_of: self.on_behalf_of,
            idempotency_key: self.idempotency_key,
            reference: self.reference,
            if_match: self.if_match,
            trace: self.trace,
            now: self.now,
            fingerprint: self.fingerprint,
            body,
        }
    }
}

impl Call<Value> {
    /// Reads the input, or answers which field is wrong.
    pub fn typed<I: DeserializeOwned>(self) -> Result<Call<I>, Problem> {
        let (body, around) = self.split();
        let input = serde_path_to_error::deserialize(body).map_err(|error| input_problem(&error))?;
        Ok(around.with_body(input))
    }
}

/// Turns serde's message into a field error. Serde says which field in words for missing and unknown ones.
fn input_problem(error: &serde_path_to_error::Error<serde_json::Error>) -> Problem {
    let detail = error.inner().to_string();
    let named = detail.split('`').nth(1).unwrap_or_default();
    let mut pointer: String = error
        .path()
        .iter()
        .map(|segment| match segment {
            serde_path_to_error::Segment::Seq { index } => format!("/{index}"),
            serde_path_to_error::Segment::Map { key } => pointer_to(key),
            serde_path_to_error::Segment::Enum { variant } => format!("/{variant}"),
            serde_path_to_error::Segment::Unknown => String::new(),
        })
        .collect();
    let code = if detail.starts_with("missing field") {
        pointer = format!("{pointer}/{named}");
        "required"
    } else if detail.starts_with("unknown field") {
        if !pointer.ends_with(&pointer_to(named)) {
            pointer.push_str(&pointer_to(named));
        }
        crate::problem::UNKNOWN_FIELD
    } else if detail.starts_with("invalid type") {
        "invalid_type"
    } else {
        "invalid_value"
    };
    // Serde quotes the offending value, which may be a password or a name: say what was expected instead.
    let detail = match (code, detail.split_once(", expected ")) {
        ("required", _) => "is required".to_owned(),
        (crate::problem::UNKNOWN_FIELD, _) => "is not a field of this operation".to_owned(),
        (_, Some((_, expected))) => format!("expected {expected}"),
        (_, None) => detail,
    };
    Problem::fields(vec![crate::FieldError { pointer, code: code.into(), detail }])
}

/// Reads a field that may be missing but not null: null could mean "wipe it", which no operation does.
pub fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// A JSON pointer's step to a field (RFC 6901, section 3).
pub(crate) fn pointer_to(field: &str) -> String {
    format!("/{}", field.replace('~', "~0").replace('/', "~1"))
}

/// The answer of an operation that succeeded.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply<T> {
    /// 200, 201, 202 or 204.
    pub status: u16,
    /// The Location header: where the thing made is to be found.
    pub location: Option<String>,
    /// Where an answer that is no list goes on: the Link header with `rel="next"` (RFC 8288).
    pub next: Option<String>,
    /// The ETag header, without quotes: the version of the thing answered.
    pub etag: Option<String>,
    /// Whether this is the first result again: the Idempotent-Replayed header.
    pub replayed: bool,
    /// The answer.
    pub body: T,
}

impl<T> Reply<T> {
    /// 200.
    pub fn ok(body: T) -> Reply<T> {
        Reply { status: 200, location: None, next: None, etag: None, replayed: false, body }
    }

    /// 201 with the place of what was made.
    pub fn created(location: String, body: T) -> Reply<T> {
        Reply { status: 201, location: Some(location), ..Reply::ok(body) }
    }

    /// 202 with the place where the result will be found.
    pub fn accepted(location: String, body: T) -> Reply<T> {
        Reply { status: 202, location: Some(location), ..Reply::ok(body) }
    }

    /// The same reply, marked as a repetition of the first one.
    pub fn replayed(self) -> Reply<T> {
        Reply { replayed: true, ..self }
    }

    /// The same reply, going on there if there is more.
    pub fn going_on(self, next: Option<String>) -> Reply<T> {
        Reply { next, ..self }
    }

    /// The same reply with the version of what it shows.
    pub fn version(self, etag: impl fmt::Display) -> Reply<T> {
        Reply { etag: Some(etag.to_string()), ..self }
    }
}

impl Reply<()> {
    /// 204: done, and nothing to show.
    pub fn done() -> Reply<()> {
        Reply { status: 204, ..Reply::ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_trace_that_aws_began_is_continued() {
        let read = |header| Trace::from_xray(header, [7; 8]).map(|trace| trace.traceparent().to_owned());
        let lambdas = "Root=1-6b033de1-9800ced546f7767bbe4b2c7e;Parent=c053c071ad47ad0b;Sampled=1";
        let same = "00-6b033de19800ced546f7767bbe4b2c7e-c053c071ad47ad0b-01";
        assert_eq!(read(lambdas).as_deref(), Some(same));
        let gateways = "Root=1-6b033de1-9800ced546f7767bbe4b2c7e";
        let spanned = "00-6b033de19800ced546f7767bbe4b2c7e-0707070707070707-01";
        assert_eq!(read(gateways).as_deref(), Some(spanned));
        for odd in
            ["", "Root=1-6b033de1", "Root=2-a-b;Parent=c", "Root=1-6b033de1-9800;Parent=c053c071ad47ad0b"]
        {
            assert_eq!(read(odd), None, "{odd}");
        }
    }

    fn call(caller: Caller) -> Call<()> {
        Call {
            operation: "shop.buy".to_owned(),
            caller,
            on_behalf_of: None,
            idempotency_key: None,
            reference: None,
            if_match: None,
            trace: Trace::start([1; 24]),
            now: Timestamp::EPOCH,
            fingerprint: String::new(),
            body: (),
        }
    }

    #[test]
    fn a_trace_is_continued_only_as_the_standard_writes_it() {
        let good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let trace = Trace::parse(good).unwrap();
        assert_eq!((trace.traceparent(), trace.id()), (good, "0af7651916cd43dd8448eb211c80319c"));
        let zeros = "0".repeat(32);
        for bad in [
            good.replacen("00", "01", 1),
            good.replace("0af7651916cd43dd8448eb211c80319c", &zeros),
            good.replace("b7ad6b7169203331", &zeros[..16]),
            good.to_uppercase(),
            good.replace("af", "a"),
            format!("{good}-more"),
            good.replace("-01", ""),
        ] {
            assert_eq!(Trace::parse(&bad), None, "{bad}");
        }
    }

    #[test]
    fn a_key_is_visible_ascii() {
        assert_eq!(IdempotencyKey::parse("order-1").unwrap().as_str(), "order-1");
        for (text, is_good) in [
            ("", false),
            (&*"k".repeat(255), true),
            (&*"k".repeat(256), false),
            ("a b", false),
            ("키", false),
        ] {
            assert_eq!(IdempotencyKey::parse(text).is_ok(), is_good, "{text}");
        }
    }

    #[test]
    fn a_service_acts_for_the_member_that_it_names_and_nobody_else_can() {
        let (hana, dul) = (MembershipId::derive(&["hana"]), MembershipId::derive(&["dul"]));
        let member =
            Caller::Member { membership_id: hana, scopes: vec![Scope::Member], session: String::new() };
        for (caller, named, acts_for) in [
            (member.clone(), None, Some(hana)),
            (member, Some(dul), Some(hana)),
            (Caller::Service("money.sweep".to_owned()), Some(dul), Some(dul)),
            (Caller::Service("money.sweep".to_owned()), None, None),
            (Caller::Platform, Some(dul), None),
        ] {
            let call = Call { on_behalf_of: named, ..call(caller) };
            assert_eq!(call.member().ok(), acts_for);
        }
    }

    #[test]
    fn an_answer_says_what_its_name_says() {
        let plain = Reply::ok(1);
        assert_eq!(
            Reply::created("/x".to_owned(), 1),
            Reply { status: 201, location: Some("/x".to_owned()), ..plain.clone() }
        );
        assert_eq!(
            Reply::accepted("/x".to_owned(), 1),
            Reply { status: 202, location: Some("/x".to_owned()), ..plain.clone() }
        );
        assert_eq!(plain.clone().replayed(), Reply { replayed: true, ..plain.clone() });
        assert_eq!(plain.clone().version(3), Reply { etag: Some("3".to_owned()), ..plain.clone() });
        assert_eq!(
            plain.clone().going_on(Some("/y".to_owned())),
            Reply { next: Some("/y".to_owned()), ..plain }
        );
        assert_eq!(Reply::done().status, 204);
    }

    #[test]
    fn a_field_may_be_missing_and_never_null() {
        #[derive(Deserialize, PartialEq, Debug)]
        struct Input {
            #[serde(default, deserialize_with = "given")]
            name: Option<String>,
        }
        let read = |text| serde_json::from_str::<Input>(text).ok().map(|input| input.name);
        assert_eq!(
            [read("{}"), read(r#"{"name":"a"}"#), read(r#"{"name":null}"#)],
            [Some(None), Some(Some("a".to_owned())), None]
        );
    }

    #[test]
    fn a_change_names_the_version_that_it_is_of_or_any() {
        for (tag, may) in
            [(None, true), (Some("*"), true), (Some("3"), true), (Some("2"), false), (Some("03"), false)]
        {
            let call = Call { if_match: tag.map(str::to_owned), ..call(Caller::Platform) };
            assert_eq!(call.may_change(3), may, "{tag:?}");
        }
    }
}
