use anyhow::Result;
use clap::Args;
use kernex_api::{MAX_PAGE_LIMIT, bundles::BundleList};
use kernex_client::BundleQuery;
use kernex_core::{BundleName, Timestamp};

use crate::{
    args::LimitArg,
    context::Context,
    output::{
        say,
        table::{self, plain},
        text,
    },
};

/// List the bundles on the control plane, newest first
///
/// Example: kernex bundle list --name detector
#[derive(Args, Debug)]
pub(crate) struct List {
    #[command(flatten)]
    limit: LimitArg,
    /// Only bundles with this name
    #[arg(long, value_name = "NAME")]
    name: Option<BundleName>,
}

impl List {
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let client = context.client()?;
        let limit = self.limit.limit;
        let mut query =
            BundleQuery { name: self.name.map(|name| name.to_string()), ..BundleQuery::default() };
        let mut all = BundleList { bundles: Vec::new(), total: 0, next_cursor: None };
        while (all.bundles.len() as u32) < limit {
            query.limit = Some((limit - all.bundles.len() as u32).min(MAX_PAGE_LIMIT));
            query.cursor = all.next_cursor.take();
            let page = client.list_bundles(&query).await?;
            let is_empty = page.bundles.is_empty();
            all.bundles.extend(page.bundles);
            (all.total, all.next_cursor) = (page.total, page.next_cursor);
            if is_empty || all.next_cursor.is_none() {
                break;
            }
        }
        context.show(&all, || render(&all, context.now(), None))?;
        if all.next_cursor.is_some() {
            say(&format!("{} of {}; --limit shows more", all.bundles.len(), all.total));
        }
        Ok(())
    }
}

fn render(list: &BundleList, now: Timestamp, width: Option<u16>) -> String {
    if list.bundles.is_empty() {
        return "No bundles.".to_owned();
    }
    let mut table = table::List::new(&["BUNDLE", "SIZE", "SHA-256", "CREATED", "BY", "DESCRIPTION"]);
    for bundle in &list.bundles {
        table.row([
            plain(format!("{}@{}", bundle.name, bundle.version)),
            plain(text::size(bundle.size_bytes)),
            plain(bundle.checksum_sha256.get(..12).unwrap_or_default()),
            plain(text::ago(bundle.created_at, now)),
            plain(&bundle.uploaded_by),
            plain(bundle.description.as_deref().unwrap_or_default()),
        ]);
    }
    table.render(width)
}
