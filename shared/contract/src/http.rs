//! From an HTTP request to a call, and from its outcome to an HTTP response.
//!
//! This is the one place that knows headers, bodies and paths. It holds every request to the same limits before an
//! operation sees it, and logs once, at the end: never a body, never personal data.

use crate::{
    Access, Call, Caller, Context, IdempotencyKey, Method, Operation, Problem, Reply, Scope, Service, Trace,
    json,
    log::{self, Outcome},
    operation::JSON,
    ports::{SecretText, Stage},
    problem,
    story::Story,
};
use kernel::id::MembershipId;
use serde::Deserialize;
use serde_json::{Map, Value};
use store::seal;

/// The largest body taken, in bytes.
const MOST_BODY_BYTES: usize = 64 * 1024;

/// An HTTP request as the gateway hands it over.
#[derive(Clone, Default)]
pub struct Request {
    /// `GET`, `POST` …
    pub method: String,
    /// The path, still percent-encoded, without the query.
    pub path: String,
    /// The query, still percent-encoded, without its question mark.
    pub query: String,
    /// Headers, their names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// The claims of the access token that the gateway's authorizer has verified.
    pub claims: Option<Claims>,
}

/// Verified claims of an access token.
#[derive(Clone, Debug, Deserialize)]
pub struct Claims {
    /// The member.
    pub sub: String,
    /// The scopes, separated by blanks.
    #[serde(default)]
    pub scope: String,
    /// The login session.
    #[serde(default)]
    pub sid: String,
}

/// An HTTP response.
#[derive(Clone, Debug, PartialEq)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// Headers.
    pub headers: Vec<(&'static str, String)>,
    /// The body; empty for 204.
    pub body: String,
}

impl Request {
    /// The header's value, if it was sent exactly so.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    fn trace(&self, context: &Context) -> Trace {
        self.header("traceparent").and_then(Trace::parse).unwrap_or_else(|| Trace::start(context.random()))
    }
}

/// Answers a request with the operation of this name, or, on a laptop without names, by method and path.
pub async fn answer(service: &Service, name: Option<&str>, context: &Context, request: Request) -> Response {
    let trace = request.trace(context);
    let found = match name {
        Some(name) => service.operation(name),
        None => find(service, &request),
    };
    let name = found.map_or("none", |operation| operation.name);
    let asked = &request;
    let outcome = log::told(service, name, context, &trace, |context, story| {
        let trace = trace.clone();
        async move {
            match found {
                Some(operation) => run(service, operation, &context, &story, asked, trace).await,
                None => Err((&problem::UNKNOWN_PATH).into()),
            }
        }
    });
    match outcome.await {
        Ok(reply) => success(found.map_or(JSON, |operation| operation.produces), reply, &trace),
        Err(problem) => refusal(&problem, &trace),
    }
}

async fn run(
    service: &Service,
    operation: &Operation,
    context: &Context,
    story: &Story,
    request: &Request,
    trace: Trace,
) -> Outcome {
    if let Access::ApiKey(secret) = operation.access {
        hold_to_key(context, secret, request.header("x-api-key")).await?;
    }
    let caller = authorize(operation, request.claims.as_ref())?;
    let input = input(operation, request)?;
    let idempotency_key = request.header("idempotency-key").map(IdempotencyKey::parse).transpose()?;
    let call = Call {
        operation: service.full_name(operation),
        caller,
        on_behalf_of: None,
        idempotency_key,
        reference: None,
        if_match: request.header("if-match").map(|tag| tag.trim_matches('"').to_owned()),
        trace,
        now: context.clock.now(),
        fingerprint: seal::digest(&[&input.to_string()]),
        body: input,
    };
    story.of_call(&call);
    (operation.handle)(context, call).await
}

/// The gateway's authorizer has checked token and scope already; a function does not rely on how it was reached.
fn authorize(operation: &Operation, claims: Option<&Claims>) -> Result<Caller, Problem> {
    let caller = match claims {
        None => Caller::Anonymous,
        Some(claims) => Caller::Member {
            membership_id: claims.sub.parse::<MembershipId>().map_err(|_| &problem::UNAUTHORIZED)?,
            scopes: claims.scope.split(' ').filter_map(scope).collect(),
            session: claims.sid.clone(),
        },
    };
    match operation.access {
        Access::Public | Access::ApiKey(_) => Ok(caller),
        Access::Scopes(_) if caller == Caller::Anonymous => Err((&problem::UNAUTHORIZED).into()),
        Access::Scopes(scopes) if scopes.iter().any(|scope| caller.has(*scope)) => Ok(caller),
        Access::Scopes(_) => Err((&problem::FORBIDDEN).into()),
        Access::Internal => Err((&problem::UNKNOWN_PATH).into()),
    }
}

/// Lets a request through that has the key. Digests are compared, so that the time taken tells nothing of the key.
async fn hold_to_key(context: &Context, secret: &str, sent: Option<&str>) -> Result<(), Problem> {
    let text = context.secrets.read(secret, Stage::Current).await.map_err(Problem::unavailable)?;
    let SecretText(text) = text.ok_or_else(|| Problem::internal(format!("the secret {secret} is empty")))?;
    let known: Value =
        serde_json::from_str(&text).map_err(|_| Problem::internal("the secret is not JSON"))?;
    let known = known.get("apiKey").and_then(Value::as_str).filter(|key| !key.is_empty());
    match (known, sent) {
        (Some(known), Some(sent)) if seal::digest(&[known]) == seal::digest(&[sent]) => Ok(()),
        (None, _) => Err(Problem::internal(format!("the secret {secret} has no API key"))),
        _ => Err((&problem::UNAUTHORIZED).into()),
    }
}

fn scope(text: &str) -> Option<Scope> {
    [Scope::Member, Scope::Merchant, Scope::Operator].into_iter().find(|scope| scope.as_str() == text)
}

/// The input: path parameters and body, or path parameters and query, in one object.
fn input(operation: &Operation, request: &Request) -> Result<Value, Problem> {
    // Whatever comes to an unknown path, it is the path that is wrong.
    if operation.routes().any(|(_, path)| path == "$default") {
        return Ok(Value::Object(Map::new()));
    }
    let (_, parameters) = operation
        .routes()
        .filter(|(method, _)| method.as_str() == request.method)
        .find_map(|(method, path)| Some((method, matches(path, &request.path)?)))
        .ok_or(&problem::UNKNOWN_PATH)?;
    let query = query(&request.query)?;
    let mut input = match request.method.as_str() {
        "GET" | "DELETE" => query,
        _ => match query.keys().next() {
            Some(name) => return Err(unknown(name)),
            None => body(request)?,
        },
    };
    for (name, value) in parameters {
        if input.insert(name.to_owned(), Value::String(value)).is_some() {
            return Err(unknown(name));
        }
    }
    Ok(Value::Object(input))
}

fn unknown(name: &str) -> Problem {
    Problem::fields(vec![crate::FieldError {
        pointer: crate::call::pointer_to(name),
        code: "unknown_field".into(),
        detail: "is not a field of this operation".to_owned(),
    }])
}

fn query(text: &str) -> Result<Map<String, Value>, Problem> {
    let mut query = Map::new();
    for (name, value) in form_urlencoded::parse(text.as_bytes()) {
        if query.insert(name.to_string(), Value::String(value.into_owned())).is_some() {
            return Err(Problem::field(&crate::call::pointer_to(&name), "is given twice"));
        }
    }
    Ok(query)
}

fn body(request: &Request) -> Result<Map<String, Value>, Problem> {
    if request.body.len() > MOST_BODY_BYTES {
        return Err((&problem::BODY_TOO_LARGE).into());
    }
    if request.body.is_empty() {
        return Ok(Map::new());
    }
    let media = request.header("content-type").unwrap_or_default().split(';').next().unwrap_or_default();
    if !media.trim().eq_ignore_ascii_case("application/json") {
        return Err((&problem::UNSUPPORTED_MEDIA_TYPE).into());
    }
    // The parser stops at 128 levels, far within a function's stack.
    match serde_json::from_slice(&request.body) {
        Ok(json::Unrepeated(Value::Object(fields))) => Ok(fields),
        _ => Err((&problem::MALFORMED_BODY).into()),
    }
}

/// The operation that a request's method and path lead to.
pub fn find<'a>(service: &'a Service, request: &Request) -> Option<&'a Operation> {
    let fits = |(method, path): (Method, &str)| {
        method.as_str() == request.method && matches(path, &request.path).is_some()
    };
    let exact = |operation: &&Operation| operation.routes().any(fits);
    let fallback = |operation: &&Operation| operation.routes().any(|(_, path)| path == "$default");
    // A path without parameters wins over one with, as at the gateway.
    let literal = |operation: &&Operation| {
        operation.routes().any(|(method, path)| method.as_str() == request.method && path == request.path)
    };
    let operations = || service.operations.iter();
    operations().find(literal).or_else(|| operations().find(exact)).or_else(|| operations().find(fallback))
}

/// The parameters of a path that fits the template.
fn matches<'a>(template: &'a str, path: &str) -> Option<Vec<(&'a str, String)>> {
    if template == "$default" {
        return Some(Vec::new());
    }
    let mut parameters = Vec::new();
    let mut segments = path.split('/');
    for wanted in template.split('/') {
        let segment = segments.next()?;
        match wanted.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
            Some(name) => {
                let value = percent_encoding::percent_decode_str(segment).decode_utf8().ok()?;
                parameters.push((name, value.into_owned()));
            }
            None if wanted == segment => {}
            None => return None,
        }
    }
    segments.next().is_none().then_some(parameters)
}

fn success(media: &str, reply: Reply<Value>, trace: &Trace) -> Response {
    let mut headers = common_headers(media, trace);
    headers.extend(reply.location.map(|location| ("location", location)));
    headers.extend(reply.next.map(|next| ("link", format!("<{next}>; rel=\"next\""))));
    headers.extend(reply.etag.map(|etag| ("etag", format!("\"{etag}\""))));
    headers.extend(reply.replayed.then(|| ("idempotent-replayed", "true".to_owned())));
    let body = match reply.body {
        _ if reply.status == 204 => String::new(),
        Value::String(text) if media != JSON => text,
        body => body.to_string(),
    };
    Response { status: reply.status, headers, body }
}

fn refusal(problem: &Problem, trace: &Trace) -> Response {
    let mut headers = common_headers("application/problem+json", trace);
    headers.extend(problem.retry_after_seconds.map(|seconds| ("retry-after", seconds.to_string())));
    headers.extend(problem.location.clone().map(|location| ("location", location)));
    headers.extend(problem.replayed.then(|| ("idempotent-replayed", "true".to_owned())));
    Response { status: problem.status, headers, body: problem.to_json(trace).to_string() }
}

fn common_headers(media: &str, trace: &Trace) -> Vec<(&'static str, String)> {
    vec![
        ("content-type", media.to_owned()),
        ("cache-control", "no-store".to_owned()),
        ("trace-id", trace.id().to_owned()),
    ]
}
