//! All functions of franchise: `_HANDLER` picks the operation.

fn main() -> std::process::ExitCode {
    aws::serve(&franchise::SERVICE)
}
