//! The accounts that the contract names.

use crate::rules::prelude::*;

rule! {
    /// The user or group that the contract gives a service does not exist.
    ///
    /// Read from passwd(5) and group(5) of the host or disk. systemd ends the start with 217/USER or 216/GROUP.
    /// Where nsswitch.conf(5) names other sources of accounts, an account outside these files may exist there: on a
    /// running host getent(1) is asked, and of a disk the rule is undecided. A user of `DynamicUser=yes`, which exists while the service runs, is in
    /// neither file.
    ///
    /// ```bad
    /// file /etc/passwd root:root 0644
    /// | root:x:0:0:root:/root:/bin/bash
    /// | nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
    /// ```
    /// ```bad
    /// file /etc/nsswitch.conf root:root 0644
    /// | passwd: sss files
    /// file /etc/passwd root:root 0644
    /// | root:x:0:0:root:/root:/bin/bash
    /// | nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
    /// getent passwd
    /// ```
    /// ```good
    /// file /etc/nsswitch.conf root:root 0644
    /// | passwd: sss files
    /// file /etc/passwd root:root 0644
    /// | root:x:0:0:root:/root:/bin/bash
    /// | nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
    /// getent passwd qt:x:1000:1000::/home/qt:/bin/bash
    /// getent initgroups qt 1000
    /// ```
    /// ```good
    /// mode /etc/passwd 0444
    /// ```
    id: "account-missing",
    section: J,
    severity: Must,
    needs: [Accounts, Fragments],
    cause: Accounts,
    why: "the service cannot start, and its files have an owner without a name",
    see: ["getent passwd {user}", "getent group {group}"],
    mend: "golden creates a system account.",
    man: ["passwd(5)", "group(5)", "systemd.exec(5)"],
    since: "0.1.0",
    check: Service(check),
}

fn check(view: &ServiceView) -> Ruling {
    let (user, group) = (&view.service.user, &view.service.group);
    let has_group = made_by_systemd(view, &group.value, EffectiveUnit::dynamic_group)? || view.group(&group.value)?.is_some();
    let has_user = made_by_systemd(view, &user.value, EffectiveUnit::user_name)? || view.user(&user.value)?.is_some();
    let mut findings = Vec::new();
    let mut miss = |what: &str, file: &str, name: &Stated<String>| {
        let user = (!has_user).then_some(user.value.as_str());
        findings.push(
            Finding::new(
                format!("{what} {} does not exist", name.value),
                Location::file(file),
                name.at.clone(),
            )
            .key(what)
            .expected(format!("{what} {}", name.value))
            .observed(match view.accounts() {
                Ok(accounts) if !accounts.elsewhere.is_empty() => {
                    format!("neither {file} nor getent(1) knows it now")
                }
                _ => format!("no such {what}"),
            })
            .mend(make(view, user, &group.value)),
        );
    };
    if !has_group {
        miss("group", "/etc/group", group);
    }
    if !has_user {
        miss("user", "/etc/passwd", user);
    }
    Ok(Outcome::from_findings(findings))
}

/// Whether systemd makes the user or group of this name while the service runs.
fn made_by_systemd(
    view: &ServiceView,
    demanded: &str,
    name: for<'u> fn(&'u EffectiveUnit) -> Option<&'u str>,
) -> Result<bool, Undecided> {
    let unit = view.effective(&view.service.unit.value)?;
    Ok(unit.load == LoadState::Loaded && unit.is_dynamic() && name(unit) == Some(demanded))
}

/// The remedy that makes a system account: sysusers.d(5). Where a host keeps its accounts elsewhere as well, a person makes
/// it there.
fn make(view: &ServiceView, user: Option<&str>, group: &str) -> Remedy {
    if let Ok(accounts) = view.accounts()
        && !accounts.elsewhere.is_empty()
    {
        let sources = accounts.elsewhere.join(" ");
        return Remedy::decide(format!("decide where it belongs: this host asks {sources} as well as its files, and a source that does not answer looks the same"));
    }
    let is_the_contracts = user == Some(view.contract.identity.user.value.as_str());
    let home = view.contract.provision.home.as_ref().filter(|_| is_the_contracts);
    let home = home.map(|home| home.value.clone());
    Change::Account { user: user.map(str::to_owned), group: group.to_owned(), home }.into()
}
