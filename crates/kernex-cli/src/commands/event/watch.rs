use std::time::Duration;

use anyhow::Result;
use clap::Args;
use kernex_api::MAX_PAGE_LIMIT;

use super::{FilterArgs, list::line};
use crate::context::Context;

const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Watch what happens, until it is interrupted
///
/// With --output json each event is one line. With --after it goes on after an event's number, without a gap.
///
/// Example: kernex event watch --kind deployment.ended
#[derive(Args, Debug)]
pub(crate) struct Watch {
    #[command(flatten)]
    filter: FilterArgs,
    /// Begin after the event with this number, instead of now
    #[arg(long, value_name = "ID")]
    after: Option<u64>,
}

impl Watch {
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let client = context.client()?;
        let mut query = self.filter.query(&client).await?;
        let mut after = match self.after {
            Some(after) => after,
            None => client.list_events(&query).await?.last_event_id,
        };
        query.limit = Some(MAX_PAGE_LIMIT);
        loop {
            query.after = Some(after);
            let page = client.list_events(&query).await?;
            for event in &page.events {
                after = event.id;
                let text = if context.is_json() { serde_json::to_string(event)? } else { line(event) };
                crate::output::print(&text)?;
            }
            if page.next_cursor.is_none() {
                tokio::time::sleep(LOOK_EVERY).await;
            }
        }
    }
}
