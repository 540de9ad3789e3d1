use anyhow::Result;
use clap::Args;
use kernex_api::{MAX_PAGE_LIMIT, audit::AuditCheckpoints};
use kernex_client::{OperatorClient, PageQuery};

use crate::{
    context::Context,
    output::table::{self, plain},
};

/// Show the signed checkpoints of the audit log, and the key that signs them
///
/// Keep the JSON form elsewhere: `kernex audit verify --checkpoints FILE` finds with it what was cut off since.
///
/// Example: kernex audit checkpoints --output json > checkpoints.json
#[derive(Args, Debug)]
pub(crate) struct Checkpoints {}

impl Checkpoints {
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let all = fetch(&context.client()?).await?;
        context.show(&all, || render(&all))
    }
}

/// Every checkpoint of the organisation.
pub(super) async fn fetch(client: &OperatorClient) -> Result<AuditCheckpoints> {
    let mut query = PageQuery { limit: Some(MAX_PAGE_LIMIT), ..PageQuery::default() };
    let mut all = client.list_audit_checkpoints(&query).await?;
    while let Some(cursor) = all.next_cursor.take() {
        query.cursor = Some(cursor);
        let page = client.list_audit_checkpoints(&query).await?;
        all.checkpoints.extend(page.checkpoints);
        all.next_cursor = page.next_cursor;
    }
    Ok(all)
}

fn render(all: &AuditCheckpoints) -> String {
    let mut table = table::List::new(&["RECORD", "SIGNED", "HASH", "KEY"]);
    for checkpoint in &all.checkpoints {
        table.row([
            plain(checkpoint.sequence),
            plain(checkpoint.signed_at),
            plain(short(&checkpoint.hash)),
            plain(short(&checkpoint.key_id)),
        ]);
    }
    let mut text = table.render(None);
    for key in &all.public_keys {
        text.push_str(&format!("\nKey {}\n{}", short(&key.key_id), key.public_key_pem));
    }
    text
}

fn short(hash: &str) -> String {
    hash.chars().take(16).collect()
}
