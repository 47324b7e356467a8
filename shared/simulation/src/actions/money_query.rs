//! What people do with the read model: they ask it, and now and then build it anew.

use super::internally;
use crate::people::{Ask, Player};
use kernel::{Region, Timestamp};
use serde_json::json;

/// An operator asks for a region's sum; now and then somebody does who may not, or names days that cannot be.
pub async fn ask_for_a_regions_sum(player: Player) {
    let (region, days, who) = {
        let mut dice = player.dice();
        let region = dice.pick(&Region::ALL).map_or("atlantis", |region| region.code());
        (region, dice.between(-2, 400), if dice.chance(9_000) { 0 } else { player.who })
    };
    let to = Timestamp::from_millis(player.world.agenda.now_ms()).seoul_day();
    let from = to.plus_days(-days);
    let ask = Ask::new("GET", format!("/v1/money/regions/{region}/sum?from={from}&to={to}"));
    player.as_person(who).ask(ask).await;
}

/// One of Pay's own people gives the command until it is answered: a generation whose beginning was not goes on by
/// nothing else. Now and then once more, only to be sure.
pub async fn rebuild_the_read_model(player: Player) {
    loop {
        let begun = internally(&player, "money-query.rebuildReadModel", json!({ "task": "begin" })).await;
        let is_sure = player.dice().chance(8_000);
        if matches!(begun, Some(Ok(_))) && is_sure {
            return;
        }
        player.wait(100, 400_000).await;
    }
}
