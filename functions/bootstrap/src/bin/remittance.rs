//! All functions of remittance: `_HANDLER` picks the operation.

fn main() -> std::process::ExitCode {
    aws::serve(&remittance::SERVICE)
}
