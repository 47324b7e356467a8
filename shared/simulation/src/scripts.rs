//! Short histories in which every fault is placed at every call, one at a time.
//!
//! Chance finds what nobody thought of; this leaves out nothing. Call k of a script fails in way w, for every k and
//! every w that the port of call k knows.

use crate::{
    faults::Fault,
    history::{Ended, Plot, run},
};

/// A script: its name, and what is done after how many milliseconds by whom.
pub type Script = (&'static str, &'static [(&'static str, i64, usize)]);

/// From the beginning of histories to a quarter of an hour before the business day ends, in milliseconds.
const BEFORE_THE_CUT: i64 = 14_400_000;

/// Every script. A new operation needs one in which it is run.
pub const SCRIPTS: &[Script] = &[
    ("recharge", &[("recharge", 0, 1)]),
    ("two recharges at once", &[("recharge", 0, 1), ("recharge", 5, 1)]),
    ("recharge by event", &[("recharge_by_event", 0, 1), ("look_where_it_was", 5_000, 1)]),
    ("withdraw", &[("recharge", 0, 1), ("withdraw", 10_000, 1), ("withdraw", 2, 1)]),
    ("withdraw by event", &[("recharge", 0, 1), ("withdraw_by_event", 10_000, 1)]),
    (
        "the bank declines a withdrawal",
        &[("recharge", 0, 1), ("the_bank_declines", 9_000, 1), ("withdraw", 900, 1)],
    ),
    (
        "the bank falls silent in a withdrawal",
        &[("recharge", 0, 1), ("the_bank_does_it_and_falls_silent", 9_000, 1), ("withdraw", 900, 1)],
    ),
    (
        "the bank loses a withdrawal",
        &[("recharge", 0, 1), ("the_bank_loses_it", 9_000, 1), ("withdraw", 900, 1)],
    ),
    (
        "holds",
        &[("recharge", 0, 1), ("hold", 10_000, 1), ("hold", 5, 1), ("hold", 10_000, 1), ("hold", 5, 1)],
    ),
    (
        "franchises",
        &[
            ("open_a_franchise", 0, 1),
            ("change_a_franchise", 5_000, 1),
            ("change_a_franchise", 3, 1),
            ("read_franchises", 2_000, 1),
            ("close_a_franchise", 2_000, 1),
        ],
    ),
    (
        "region sums",
        &[
            ("recharge", 0, 1),
            ("move_house", 8_000, 1),
            ("withdraw", 5, 1),
            ("rebuild_the_read_model", 3_000, 0),
            ("recharge", 178_000, 1),
            ("move_house", 2_000, 1),
            ("ask_for_a_regions_sum", 5_000, 0),
        ],
    ),
    ("recharge, asked again", &[("recharge", 0, 2), ("ask_again", 3_000, 2), ("reuse_a_key", 3_000, 2)]),
    ("the bank declines", &[("the_bank_declines", 0, 1), ("recharge", 50, 1)]),
    ("the bank is slow", &[("the_bank_is_slow", 0, 1), ("recharge", 50, 1)]),
    ("the bank falls silent", &[("the_bank_does_it_and_falls_silent", 0, 1), ("recharge", 50, 1)]),
    ("the bank loses it", &[("the_bank_loses_it", 0, 1), ("recharge_by_event", 50, 1)]),
    ("the bank gets it twice", &[("the_bank_gets_it_twice", 0, 1), ("recharge", 50, 1)]),
    ("the bank is down", &[("the_bank_is_down", 0, 1), ("recharge", 50, 1)]),
    ("transfer", &[("recharge", 0, 1), ("transfer", 10_000, 1), ("transfer", 3, 2)]),
    (
        "link and unlink",
        &[("link_an_account", 0, 1), ("unlink_an_account", 5_000, 1), ("list_accounts", 1_000, 1)],
    ),
    (
        "link by event",
        &[("link_an_account_by_event", 0, 1), ("link_an_account", 1, 1), ("look_where_it_was", 5_000, 1)],
    ),
    ("the bank is down for linking", &[("the_bank_is_down", 0, 1), ("link_an_account_by_event", 20, 1)]),
    ("the operator moves money", &[("move_money_at_the_bank", 0, 1), ("list_firmbankings", 5_000, 1)]),
    ("the operator moves money by event", &[("move_money_at_the_bank_by_event", 0, 1)]),
    ("unlink in the middle", &[("recharge", 0, 1), ("unlink_an_account", 12, 1), ("recharge", 5, 1)]),
    ("register", &[("register", 0, 1)]),
    (
        "leave",
        &[
            ("open_a_wallet", 0, 2),
            ("open_a_franchise", 0, 2),
            ("close_a_membership", 5_000, 2),
            ("close_a_membership", 60_000, 2),
        ],
    ),
    ("leave while money is on its way", &[("recharge", 0, 1), ("close_a_membership", 12, 1)]),
    ("register by event", &[("register_by_event", 0, 1)]),
    (
        "sessions",
        &[("log_in", 0, 1), ("mistype_the_password", 100, 1), ("log_out", 100, 1), ("recharge", 700_000, 1)],
    ),
    (
        "one's own data",
        &[
            ("move_house", 0, 1),
            ("change_the_email", 10, 1),
            ("read_the_membership", 500, 1),
            ("ask_who_one_is", 500, 1),
            ("check_a_token", 500, 1),
            ("appoint_an_operator", 500, 2),
            ("log_in", 500, 2),
            ("dismiss_an_operator", 500, 2),
            ("ask_who_one_is", 500, 2),
        ],
    ),
    (
        "keys",
        &[
            ("rotate_the_keys", 0, 1),
            ("ensure_the_keys", 9_000_000, 1),
            ("rotate_the_keys", 100_000, 1),
            ("recharge", 700_000, 1),
        ],
    ),
    ("discovery", &[("read_the_discovery_documents", 0, 1), ("ask_at_an_unknown_path", 100, 1)]),
    (
        "reading",
        &[
            ("open_a_wallet", 0, 1),
            ("recharge", 500, 1),
            ("look_at_the_balance", 5_000, 1),
            ("look_at_a_past_balance", 5_000, 1),
            ("read_the_history", 500, 1),
            ("look_where_it_was", 500, 1),
        ],
    ),
    (
        "publish again",
        &[
            ("recharge", 0, 1),
            ("publish_again", 10_000, 1),
            ("publish_again", 10_000, 2),
            ("publish_again", 10_000, 3),
        ],
    ),
    ("audit", &[("recharge", 0, 1), ("look_through_the_books", 10_000, 1), ("recharge", 400_000, 1)]),
    (
        "remit",
        &[("recharge", 0, 1), ("remit", 10_000, 1), ("remit_by_email", 3, 1), ("read_remittances", 5_000, 1)],
    ),
    ("remit to the bank", &[("recharge", 0, 1), ("remit_to_a_bank_account", 10_000, 1)]),
    (
        "remit more than there is",
        &[("remit_more_than_there_is", 0, 1), ("remit_more_than_there_is", 9_000, 2)],
    ),
    (
        "the bank declines a remittance",
        &[
            ("recharge", 0, 1),
            ("the_bank_declines", 9_000, 2),
            ("the_bank_declines", 1, 3),
            ("remit_to_a_bank_account", 900, 1),
        ],
    ),
    (
        "the bank falls silent in a remittance",
        &[
            ("recharge", 0, 1),
            ("the_bank_does_it_and_falls_silent", 9_000, 2),
            ("the_bank_loses_it", 1, 3),
            ("remit_to_a_bank_account", 900, 1),
            ("ask_again", 3_000, 1),
        ],
    ),
    (
        "a silent recharge",
        &[("the_bank_does_it_and_falls_silent", 0, 1), ("remit_more_than_there_is", 20, 1)],
    ),
    (
        "pay and take back",
        &[
            ("open_a_franchise", 0, 1),
            ("recharge", 500, 2),
            ("pay", 10_000, 2),
            ("take_back", 5_000, 2),
            ("take_back_as_merchant", 3, 1),
            ("ask_whether_it_is_finished", 5_000, 2),
            ("take_back", 5_000, 2),
            ("read_payments", 5_000, 1),
            ("close_a_franchise", 5_000, 1),
            ("pay", 5_000, 2),
        ],
    ),
    (
        "pay before the first fact and after a change",
        &[("open_a_franchise", 0, 1), ("pay", 120, 2), ("change_a_franchise", 3_000, 1), ("pay", 40, 2)],
    ),
    ("pay without money", &[("open_a_franchise", 0, 1), ("pay", 10_000, 2), ("pay", 2, 2), ("pay", 2, 3)]),
    (
        "the bank declines a top-up",
        &[("open_a_franchise", 0, 1), ("the_bank_declines", 9_000, 2), ("pay", 900, 2)],
    ),
    (
        "the bank loses a top-up",
        &[("open_a_franchise", 0, 1), ("the_bank_loses_it", 9_000, 2), ("pay", 900, 2)],
    ),
    (
        "publish payments again",
        &[
            ("open_a_franchise", 0, 1),
            ("recharge", 10, 2),
            ("pay", 9_000, 2),
            ("publish_all_again", 9_000, 2),
        ],
    ),
    // Settlement. A first wait is time before the history begins; settlement's setting allows days to come.
    (
        "settle by the schedule",
        &[
            ("open_a_franchise", BEFORE_THE_CUT, 1),
            ("recharge", 500, 2),
            ("pay_a_little", 9_000, 2),
            ("take_back", 4_000, 2),
            ("pay_a_little", 4_000, 2),
            ("read_settlements", 1_500_000, 2),
            ("read_payments", 5_000, 2),
        ],
    ),
    (
        "settle twice at once, stopped and again",
        &[
            ("open_a_franchise", 0, 1),
            ("recharge", 500, 2),
            ("pay_a_little", 9_000, 2),
            ("settle_today", 5_000, 2),
            ("stop_the_settlement", 700, 1),
            ("settle_today", 500, 2),
            ("settle_a_day_to_come", 40_000, 2),
            ("pay_a_little", 20_000, 2),
            ("settle_tomorrow_twice", 5_000, 1),
            ("ask_whether_it_is_finished", 50_000, 2),
            ("publish_all_again", 9_000, 2),
        ],
    ),
    (
        "settle some days at once",
        &[
            ("open_a_franchise", 0, 1),
            ("recharge", 500, 2),
            ("pay_a_little", 9_000, 2),
            ("settle_some_days_at_once", 4_000, 1),
        ],
    ),
    (
        "take back after the settlement",
        &[
            ("open_a_franchise", 0, 1),
            ("recharge", 500, 2),
            ("pay_a_little", 9_000, 2),
            ("settle_today", 5_000, 1),
            ("take_everything_back", 60_000, 2),
            ("settle_tomorrow_twice", 5_000, 1),
            ("pay_a_little", 60_000, 2),
            ("close_a_franchise", 5_000, 1),
            // No settlement to come looks through the closing day any more.
            ("settle_today", 2 * 86_400_000, 1),
            ("close_a_membership", 60_000, 1),
        ],
    ),
    (
        // A day and the day after are settled by the schedule, and then somebody pays once more.
        "leave while a payment is to be paid out",
        &[
            ("open_a_franchise", 0, 1),
            ("recharge", 500, 2),
            ("pay_a_little", 105_000_000, 2),
            ("close_a_franchise", 5_000, 1),
            ("close_a_membership", 5_000, 1),
        ],
    ),
    (
        "the bank declines a pay-out",
        &[
            ("open_a_franchise", 0, 1),
            ("recharge", 500, 2),
            ("pay_a_little", 9_000, 2),
            ("the_bank_closes_the_shops_accounts", 3_000, 1),
            ("settle_today", 500, 1),
            ("no_more_trouble_at_the_bank", 40_000, 1),
            ("change_the_settlement_account", 500, 1),
            ("retry_all_settlements", 500, 1),
            ("retry_a_settlement", 3, 1),
        ],
    ),
    (
        "the bank falls silent in a pay-out",
        &[
            ("open_a_franchise", 0, 1),
            ("recharge", 500, 2),
            ("pay_a_little", 9_000, 2),
            ("the_bank_does_it_and_falls_silent", 3_000, 1),
            ("settle_today", 500, 1),
            ("retry_all_settlements", 9_000, 1),
        ],
    ),
    (
        "the bank is down for a pay-out",
        &[
            ("open_a_franchise", 0, 1),
            ("recharge", 500, 2),
            ("pay_a_little", 9_000, 2),
            ("the_bank_is_down", 3_000, 1),
            ("settle_today", 500, 1),
            ("settle_while_the_bank_is_in_trouble", 600_000, 2),
        ],
    ),
    (
        "the settlement account is unlinked",
        &[
            ("open_a_franchise", 0, 1),
            ("recharge", 500, 2),
            ("pay_a_little", 9_000, 2),
            ("unlink_the_settlement_account", 3_000, 1),
            ("settle_today", 500, 1),
            ("change_the_settlement_account", 20_000, 1),
            ("retry_all_settlements", 500, 1),
        ],
    ),
    (
        "a closed franchise's settlement account is unlinked",
        &[
            ("open_a_franchise", 0, 1),
            ("recharge", 500, 2),
            ("pay_a_little", 9_000, 2),
            ("close_a_franchise", 5_000, 1),
            ("unlink_the_settlement_account", 3_000, 1),
            ("settle_today", 500, 1),
            // Either may be the one that is gone.
            ("change_the_settlement_account", 20_000, 1),
            ("change_the_settlement_account", 500, 1),
            ("retry_all_settlements", 500, 1),
        ],
    ),
    (
        "settle weekly",
        &[
            ("open_a_franchise", 0, 1),
            ("change_the_cycle", 5_000, 1),
            ("recharge", 500, 2),
            ("pay_a_little", 9_000, 2),
            ("settle_today", 5_000, 1),
            ("change_the_cycle", 60_000, 1),
            ("settle_tomorrow_twice", 5_000, 1),
        ],
    ),
    (
        "the bank loses a pay-out",
        &[
            ("open_a_franchise", 0, 1),
            ("recharge", 500, 2),
            ("pay_a_little", 9_000, 2),
            ("the_bank_loses_it", 3_000, 1),
            ("settle_today", 500, 1),
        ],
    ),
    (
        "the bank loses a remittance",
        &[
            ("recharge", 0, 1),
            ("the_bank_loses_it", 9_000, 2),
            ("the_bank_loses_it", 1, 3),
            ("remit_to_a_bank_account", 900, 1),
        ],
    ),
    ("link in another name by event", &[("link_in_another_name_by_event", 0, 1)]),
    ("open a wallet at once", &[("register_and_open_a_wallet_at_once", 0, 1)]),
];

/// A script without faults.
pub fn plot(script: &Script) -> Plot {
    Plot::of_script(script.1)
}

/// Every place of a script where a fault would change something, with each fault that would.
pub fn places(script: &Script) -> (Ended, Vec<(u64, Fault)>) {
    let ended = run(&plot(script), false);
    let mut places: Vec<_> = ended.places.iter().map(|(call, fault)| (call.number, *fault)).collect();
    places.sort_unstable();
    (ended, places)
}
