//! All functions of money-query: `_HANDLER` picks the operation.

fn main() -> std::process::ExitCode {
    aws::serve(&money_query::SERVICE)
}
