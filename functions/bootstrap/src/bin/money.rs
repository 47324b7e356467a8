//! All functions of money: `_HANDLER` picks the operation.

fn main() -> std::process::ExitCode {
    aws::serve(&money::SERVICE)
}
