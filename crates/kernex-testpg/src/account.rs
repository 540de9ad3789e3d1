//! Who runs PostgreSQL: the caller, or a harmless account when the caller is root, because PostgreSQL refuses root.

use crate::Error;

/// An account of this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

/// The account to change to; none when the caller's own will do.
pub(crate) fn account_to_run_as() -> Result<Option<Account>, Error> {
    if !rustix::process::geteuid().is_root() {
        return Ok(None);
    }
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let account = ["postgres", "nobody"].into_iter().find_map(|name| find(&passwd, name));
    account.map(Some).ok_or(Error::NoAccount)
}

fn find(passwd: &str, name: &str) -> Option<Account> {
    let mut fields = passwd.lines().map(|line| line.split(':')).find_map(|mut fields| {
        let is_it = fields.next() == Some(name);
        is_it.then_some(fields)
    })?;
    let uid = fields.nth(1)?.parse().ok().filter(|uid| *uid != 0)?;
    Some(Account { uid, gid: fields.next()?.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_found_by_its_whole_name_and_root_never() {
        let passwd = "root:x:0:0::/root:/bin/sh\npostgresql:x:7:7::/:\npostgres:x:107:115:,,,:/var:/bin/bash\nfake:x:0:1::/:\n";
        assert_eq!(find(passwd, "postgres"), Some(Account { uid: 107, gid: 115 }));
        assert_eq!(find(passwd, "nobody"), None);
        assert_eq!(find(passwd, "fake"), None);
    }
}
