use anyhow::Result;
use clap::Args;

use crate::{
    context::Context,
    output::{table::Fields, text},
};

/// Show who you are to the control plane, and what you may do
///
/// Example: kernex whoami
#[derive(Args, Debug)]
pub(crate) struct Whoami {}

impl Whoami {
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let client = context.client()?;
        let user = client.me().await?;
        context.show(&user, || {
            let mut fields = Fields::new();
            fields.add("username", user.username.clone()).add("role", user.role.as_str());
            fields.add("email", text::or_none(user.email.as_ref()));
            fields.add("organisation", user.org_id.to_string());
            fields.add("control plane", client.base().to_string());
            fields.render(None)
        })
    }
}
