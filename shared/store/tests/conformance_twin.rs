//! The twin keeps every promise of a table.

use store::{conformance::PROMISES, twin::Twin};

#[tokio::test]
async fn the_twin_keeps_every_promise() {
    let twin = Twin::new();
    for (name, promise) in PROMISES {
        println!("{name}");
        promise(&twin).await;
    }
}
