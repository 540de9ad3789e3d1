use anyhow::Result;
use clap::Args;
use kernex_api::registration_tokens::RegistrationTokenList;
use kernex_core::Timestamp;

use crate::{
    context::Context,
    output::{
        table::{self, plain},
        text,
    },
};

/// List the registration tokens that have not ended
///
/// Example: kernex registration-token list
#[derive(Args, Debug)]
pub(crate) struct List {}

impl List {
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let list = context.client()?.list_registration_tokens().await?;
        context.show(&list, || render(&list, context.now()))
    }
}

fn render(list: &RegistrationTokenList, now: Timestamp) -> String {
    if list.registration_tokens.is_empty() {
        return "No registration tokens.".to_owned();
    }
    let mut table = table::List::new(&["ID", "USES LEFT", "EXPIRES", "CREATED", "BY", "TAGS"]);
    for token in &list.registration_tokens {
        table.row([
            plain(token.id),
            plain(token.uses_left),
            plain(text::ago(token.expires_at, now)),
            plain(text::ago(token.created_at, now)),
            plain(&token.created_by),
            plain(text::labels(&token.tags)),
        ]);
    }
    table.render(None)
}
