//! Membership: who is a member of Pay, their personal data, login, and the keys that sign access tokens.
//!
//! Read the table of operations first; each has a file of its own name. `domain` has the rules, `items` the table's
//! items, and the other modules what several operations share. The crate knows no AWS.

pub mod answers;
pub mod closing;
pub mod config;
pub mod domain;
pub mod facts;
pub mod items;
pub mod operators;
pub mod personal;
pub mod publication;
pub mod refusals;
pub mod registration;
pub mod signing;

pub mod answer_unknown_path;
pub mod audit_membership;
pub mod close_membership;
pub mod ensure_signing_key;
pub mod find_membership;
pub mod get_membership_by_jwt_token;
pub mod get_open_id_configuration;
pub mod get_signing_keys;
pub mod grant_operator;
pub mod login_membership;
pub mod logout_membership;
pub mod modify_membership;
pub mod on_register_membership_requested;
pub mod read_facts;
pub mod refresh_jwt_token_by_refresh_token;
pub mod register_membership;
pub mod register_membership_by_event;
pub mod relay_outbox;
pub mod republish;
pub mod resolve_member;
pub mod revoke_operator;
pub mod rotate_signing_key;
pub mod sweep_memberships;
pub mod validate_jwt_token;

use contract::{Api, Service};

/// The service: its table of operations.
pub static SERVICE: Service = Service {
    name: "membership",
    summary: "Members, their personal data, login and tokens",
    api: Api::Pay,
    indexes: &[],
    records: items::RECORDS,
    operations: &[
        register_membership::OPERATION,
        register_membership_by_event::OPERATION,
        on_register_membership_requested::OPERATION,
        modify_membership::OPERATION,
        find_membership::OPERATION,
        close_membership::OPERATION,
        sweep_memberships::OPERATION,
        login_membership::OPERATION,
        refresh_jwt_token_by_refresh_token::OPERATION,
        validate_jwt_token::OPERATION,
        get_membership_by_jwt_token::OPERATION,
        logout_membership::OPERATION,
        get_signing_keys::OPERATION,
        get_open_id_configuration::OPERATION,
        rotate_signing_key::OPERATION,
        ensure_signing_key::OPERATION,
        grant_operator::OPERATION,
        revoke_operator::OPERATION,
        resolve_member::OPERATION,
        audit_membership::OPERATION,
        relay_outbox::OPERATION,
        republish::OPERATION,
        read_facts::OPERATION,
        answer_unknown_path::OPERATION,
    ],
};
