//! The audit log.

use bytes::Bytes;
use kernex_api::audit::{AuditCheckpoints, AuditList};
use reqwest::{Method, Response};
use url::Url;

use super::{AuditQuery, OperatorClient, PageQuery, query};
use crate::{
    Error,
    http::{check_status, network_error},
};

/// An export of the audit log while it arrives.
#[derive(Debug)]
pub struct AuditExport {
    base: Url,
    response: Response,
}

impl AuditExport {
    /// The next bytes, `None` at the end.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Error> {
        self.response.chunk().await.map_err(|error| network_error(&self.base, error))
    }
}

impl OperatorClient {
    /// One page of what was done and attempted, newest first.
    pub async fn list_audit(&self, query: &AuditQuery) -> Result<AuditList, Error> {
        self.list(&["audit"], query).await
    }

    /// Records from the oldest on, as JSON lines or, on demand, CSV.
    pub async fn export_audit(&self, query: &AuditQuery, csv: bool) -> Result<AuditExport, Error> {
        let mut url = self.endpoint(&["audit", "export"]);
        query::append(&mut url, query);
        if csv {
            url.query_pairs_mut().append_pair("format", "csv");
        }
        let response = self.send(self.request_by(&self.uploads, Method::GET, url)).await?;
        Ok(AuditExport { base: self.base.clone(), response: check_status(&self.base, response).await? })
    }

    /// One page of signed checkpoints, oldest first, with the chain's end.
    pub async fn list_audit_checkpoints(&self, query: &PageQuery) -> Result<AuditCheckpoints, Error> {
        self.list(&["audit", "checkpoints"], query).await
    }
}
