//! `$default`: every path that no operation has.
//!
//! The gateway's own 404 would be the one answer that is not a problem with a code and a trace id.

use contract::{
    Access, Call, Context, Method, Operation, Problem, Reply, Trigger, handled_by, operation::Json,
    problem::UNKNOWN_PATH,
};

/// answerUnknownPath
pub const OPERATION: Operation = Operation {
    name: "answerUnknownPath",
    summary: "Answers every path that no operation has",
    triggers: &[Trigger::Route(Method::Any, "$default")],
    access: Access::Public,
    answers: &[],
    refuses: &[&UNKNOWN_PATH],
    ..handled_by!(answer_unknown_path)
};

async fn answer_unknown_path(_: &Context, _: Call<Json>) -> Result<Reply<()>, Problem> {
    Err((&UNKNOWN_PATH).into())
}
