//! The log: one JSON object a line, on standard output.
//!
//! Fields are flat, so that one query finds them in every line: `service`, `operation`, `trace_id`. There is no
//! filter to parse at start: information and above, and no spans, since each line says all that it needs.

use std::panic::PanicHookInfo;
use tracing_subscriber::fmt::format::FmtSpan;

/// Starts writing. Does nothing if somebody has started before.
pub fn start() {
    let subscriber = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_span_list(false)
        .with_span_events(FmtSpan::NONE)
        .with_target(false)
        .with_max_level(tracing::Level::INFO)
        .finish();
    // A subscriber that is there already is as good.
    let _ = tracing::subscriber::set_global_default(subscriber);
}

/// Makes a panic end the process in every build, as it does in release builds, where panics abort.
///
/// After a panic nobody knows what state the process is in, and Lambda starts another one. The line says where it
/// happened but not the message, which may quote personal data.
pub fn die_on_panic() {
    std::panic::set_hook(Box::new(|info: &PanicHookInfo<'_>| {
        let (file, line) = info.location().map_or(("unknown", 0), |place| (place.file(), place.line()));
        tracing::error!(file, line, "panicked");
        std::process::abort();
    }));
}
