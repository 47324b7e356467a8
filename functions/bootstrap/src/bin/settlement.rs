//! All functions of settlement: `_HANDLER` picks the operation.

fn main() -> std::process::ExitCode {
    aws::serve(&settlement::SERVICE)
}
