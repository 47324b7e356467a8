//! All functions of banking: `_HANDLER` picks the operation.

fn main() -> std::process::ExitCode {
    aws::serve(&banking::SERVICE)
}
