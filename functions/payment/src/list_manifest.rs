//! Called by settlement: what a manifest lists, page by page, for the merchant's statement.
//!
//! A page keeps ids alone. What they stand for is read again: from the index, a day's part at a time, and by its id
//! what the index does not show, so that a statement is never short of anything.

use crate::{domain::Position, manifests};
use contract::{
    Call, Context, Grant, Operation, Problem, Reply, Trigger, handled_by,
    peers::{ManifestPage, ManifestPageQuestion},
};

/// The declaration.
pub const OPERATION: Operation = Operation {
    name: "listManifest",
    summary: "Lists the payments and cancellations of a manifest",
    triggers: &[Trigger::Call],
    grants: &[Grant::ReadTable],
    timeout_seconds: 15,
    ..handled_by!(list_manifest)
};

async fn list_manifest(
    context: &Context,
    call: Call<ManifestPageQuestion>,
) -> Result<Reply<ManifestPage>, Problem> {
    let ManifestPageQuestion { franchise_id, name, after } = &call.body;
    let from = match after {
        None => None,
        Some(after) => {
            let position = after.parse::<Position>();
            Some(position.map_err(|_| Problem::field("/after", "must be what the page before ended with"))?)
        }
    };
    let Some(page) = manifests::from(context, *franchise_id, name, from.as_ref()).await? else {
        return Ok(Reply::ok(ManifestPage { rows: Vec::new(), after: None }));
    };
    let content = manifests::content(context, &page).await?;
    if !content.missing.is_empty() {
        return Err(Problem::internal("a manifest lists what is not stored"));
    }
    let rows = content.listed.into_iter().map(|listed| listed.row).collect();
    Ok(Reply::ok(ManifestPage { rows, after: page.ends.map(|ends| ends.to_string()) }))
}
