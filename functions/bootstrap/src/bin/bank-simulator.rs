//! All functions of bank-simulator: `_HANDLER` picks the operation.

fn main() -> std::process::ExitCode {
    aws::serve(&bank_simulator::SERVICE)
}
