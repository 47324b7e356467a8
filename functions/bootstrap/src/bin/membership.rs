//! All functions of membership: `_HANDLER` picks the operation.

fn main() -> std::process::ExitCode {
    aws::serve(&membership::SERVICE)
}
