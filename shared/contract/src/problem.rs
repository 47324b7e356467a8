//! Problems: every answer that is not a success, in the form of RFC 9457.
//!
//! A refusal has a stable [`Code`], declared once as a static and listed by the operations that may answer with it,
//! so that OpenAPI names every code. A problem never carries what an engine or a library said: that goes to the log.

use crate::Trace;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::borrow::Cow;
use store::{CommitError, Unavailable, Unreadable};

/// A kind of refusal.
#[derive(Debug, PartialEq, Eq)]
pub struct Code {
    /// Stable, in snake case: what programs compare.
    pub code: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// One sentence for people, the same for every occurrence.
    pub title: &'static str,
}

/// Declares a code.
pub const fn code(status: u16, code: &'static str, title: &'static str) -> Code {
    Code { code, status, title }
}

/// A field of the input is missing, unknown, of the wrong type or out of range.
pub static VALIDATION_FAILED: Code = code(400, "validation_failed", "The input is not valid.");
/// The body is not JSON, or not UTF-8, or nested too deeply.
pub static MALFORMED_BODY: Code = code(400, "malformed_body", "The body is not a JSON object.");
/// The body is larger than 64 KiB.
pub static BODY_TOO_LARGE: Code = code(413, "body_too_large", "The body is larger than 64 KiB.");
/// The body is not `application/json`.
pub static UNSUPPORTED_MEDIA_TYPE: Code =
    code(415, "unsupported_media_type", "The body must be application/json.");
/// There is no token, or not a valid one.
pub static UNAUTHORIZED: Code = code(401, "unauthorized", "A valid access token is required.");
/// The token lacks the scope.
pub static FORBIDDEN: Code = code(403, "forbidden", "The access token does not allow this operation.");
/// No such thing, or not the caller's.
pub static NOT_FOUND: Code = code(404, "not_found", "There is no such resource.");
/// No such route.
pub static UNKNOWN_PATH: Code = code(404, "unknown_path", "There is no such path.");
/// Money moves only under a key.
pub static IDEMPOTENCY_KEY_REQUIRED: Code =
    code(400, "idempotency_key_required", "The Idempotency-Key header is required.");
/// The key is too long or has odd characters.
pub static IDEMPOTENCY_KEY_INVALID: Code =
    code(400, "idempotency_key_invalid", "The Idempotency-Key must be 1 to 255 visible ASCII characters.");
/// The same key came with another body.
pub static IDEMPOTENCY_KEY_REUSED: Code =
    code(422, "idempotency_key_reused", "This Idempotency-Key was used with another request.");
/// The first call with this key is still at work.
pub static REQUEST_IN_PROGRESS: Code =
    code(409, "request_in_progress", "The first request with this Idempotency-Key is still in progress.");
/// If-Match names another version.
pub static PRECONDITION_FAILED: Code =
    code(412, "precondition_failed", "The resource has changed: read it again.");
/// Ask again.
pub static TEMPORARILY_UNAVAILABLE: Code =
    code(503, "temporarily_unavailable", "The service cannot answer now: ask again.");
/// Pay's own fault.
pub static INTERNAL_ERROR: Code = code(500, "internal_error", "Something went wrong on our side.");

/// What is wrong with one field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldError {
    /// Which field: a JSON pointer into the input (RFC 6901), such as `/amount/currency`.
    pub pointer: String,
    /// `required`, `unknown_field`, `invalid_type` or `invalid_value`.
    pub code: Cow<'static, str>,
    /// For people.
    pub detail: String,
}

/// An answer that is not a success.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{status} {code}: {detail}")]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// The HTTP status.
    pub status: u16,
    /// The stable code.
    pub code: Cow<'static, str>,
    /// The same sentence for every occurrence of the code.
    pub title: Cow<'static, str>,
    /// What happened this time, for people.
    pub detail: String,
    /// What is wrong with which field.
    #[serde(default)]
    pub errors: Vec<FieldError>,
    /// When to ask again, in seconds.
    #[serde(default)]
    pub retry_after_seconds: Option<u32>,
    /// Where the thing that failed is to be found: the Location header.
    #[serde(default)]
    pub location: Option<String>,
    /// Whether this is the first result again: the Idempotent-Replayed header.
    #[serde(default)]
    pub replayed: bool,
    /// What the log says and the answer does not: never sent.
    #[serde(skip)]
    pub cause: Option<String>,
}

/// The code of a field that an operation does not know.
pub(crate) const UNKNOWN_FIELD: &str = "unknown_field";

impl Problem {
    /// Whether it refuses an input for a field that the operation does not know.
    pub fn has_unknown_field(&self) -> bool {
        self.errors.iter().any(|error| error.code == UNKNOWN_FIELD)
    }

    /// A problem of this code, explained.
    pub fn new(code: &Code, detail: impl Into<String>) -> Problem {
        Problem {
            status: code.status,
            code: code.code.into(),
            title: code.title.into(),
            detail: detail.into(),
            errors: Vec::new(),
            retry_after_seconds: None,
            location: None,
            replayed: false,
            cause: None,
        }
    }

    /// One field is not valid. The pointer is a JSON pointer such as `/amount`.
    pub fn field(pointer: &str, detail: impl Into<String>) -> Problem {
        let detail = detail.into();
        let error = FieldError { pointer: pointer.to_owned(), code: "invalid_value".into(), detail };
        Problem::fields(vec![error])
    }

    /// Several fields are not valid.
    pub fn fields(errors: Vec<FieldError>) -> Problem {
        let names: Vec<&str> = errors.iter().map(|error| error.pointer.as_str()).collect();
        let detail = format!("Not valid: {}.", names.join(", "));
        Problem { errors, ..Problem::new(&VALIDATION_FAILED, detail) }
    }

    /// Pay's own fault. The cause is logged, never answered.
    pub fn internal(cause: impl std::fmt::Display) -> Problem {
        let detail = "The request failed and has been logged under its trace id.";
        Problem { cause: Some(cause.to_string()), ..Problem::new(&INTERNAL_ERROR, detail) }
    }

    /// Something did not answer: the caller may ask again. The cause is logged, never answered.
    pub fn unavailable(cause: impl std::fmt::Display) -> Problem {
        let detail = "Nothing is lost: repeat the request with the same Idempotency-Key.";
        Problem { cause: Some(cause.to_string()), ..Problem::new(&TEMPORARILY_UNAVAILABLE, detail) }
            .retry_after(1)
    }

    /// The same problem with a time to wait.
    pub fn retry_after(self, seconds: u32) -> Problem {
        Problem { retry_after_seconds: Some(seconds), ..self }
    }

    /// Whether it is of this code.
    pub fn is(&self, code: &Code) -> bool {
        self.code == code.code
    }

    /// The answer's body.
    pub fn to_json(&self, trace: &Trace) -> Value {
        let mut body = json!({
            "type": format!("urn:pay:problem:{}", self.code),
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
            "traceId": trace.id(),
        });
        if let Some(body) = body.as_object_mut().filter(|_| !self.errors.is_empty()) {
            body.insert("errors".to_owned(), json!(self.errors));
        }
        body
    }
}

impl From<&Code> for Problem {
    fn from(code: &Code) -> Problem {
        Problem::new(code, code.title)
    }
}

impl From<Unavailable> for Problem {
    fn from(error: Unavailable) -> Problem {
        Problem::unavailable(error)
    }
}

impl From<Unreadable> for Problem {
    fn from(error: Unreadable) -> Problem {
        Problem::internal(error)
    }
}

/// For commits whose collisions the operation did not expect: asking again is safe.
impl From<CommitError> for Problem {
    fn from(error: CommitError) -> Problem {
        Problem::unavailable(error)
    }
}
