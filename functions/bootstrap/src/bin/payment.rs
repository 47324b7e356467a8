//! All functions of payment: `_HANDLER` picks the operation.

fn main() -> std::process::ExitCode {
    aws::serve(&payment::SERVICE)
}
