//! The accounts that the contract names.

use crate::rules::prelude::*;

rule! {
    /// The user or group that the contract gives a service does not exist.
    ///
    /// Read from the root's own passwd(5) and group(5). systemd ends the start with 217/USER or 216/GROUP.
    ///
    /// ```bad
    /// file /etc/passwd root:root 0644
    /// | root:x:0:0:root:/root:/bin/bash
    /// | nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
    /// ```
    /// ```good
    /// mode /etc/passwd 0444
    /// ```
    id: "account-missing",
    section: J,
    severity: Must,
    needs: [Accounts],
    why: "the service cannot start, and its files belong to a number",
    check: Service(check),
}

fn check(view: &ServiceView) -> Ruling {
    let accounts = view.accounts()?;
    let (user, group) = (&view.service.user, &view.service.group);
    let mut findings = Vec::new();
    let mut miss = |what: &str, file: &str, name: &Stated<String>, mend: String| {
        findings.push(
            Finding::new(format!("{what} {} does not exist", name.value), Location::file(file), name.at.clone())
                .key(what)
                .expected(format!("{what} {}", name.value))
                .observed(format!("no such {what}"))
                .mend(mend),
        );
    };
    if accounts.group(&group.value).is_none() {
        miss("group", "/etc/group", group, sysusers(&format!("g {} -", group.value)));
    }
    if accounts.user(&user.value).is_none() {
        miss("user", "/etc/passwd", user, sysusers(&format!("u {} -", user.value)));
    }
    Ok(Outcome::from_findings(findings))
}

/// Accounts are systemd's business: sysusers.d(5).
fn sysusers(line: &str) -> String {
    format!("printf '%s\\n' '{line}' > /etc/sysusers.d/golden.conf && systemd-sysusers")
}
