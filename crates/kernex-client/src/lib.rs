//! Typed client of the published API: [`DeviceClient`] for agents and the simulator, [`OperatorClient`] for the CLI and
//! tests. There is no private door: it sends what `docs/api-design.md` says, and nothing else.

mod device;
mod error;
mod http;
mod operator;

pub use device::{DeviceClient, Download, DownloadStart};
pub use error::Error;
pub use http::{HttpOptions, build_http_client};
pub use operator::{
    AuditExport, AuditQuery, BundleQuery, DeploymentQuery, DeviceQuery, EventQuery, LogQuery, Login,
    OperatorClient, PageQuery, TargetQuery, Token,
};
