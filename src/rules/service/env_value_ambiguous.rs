//! Values that systemd and a shell read differently.

use crate::rules::env_files::{contents, demanded_at, none};
use crate::rules::prelude::*;
use crate::syntax::env_shell::ShellReading;

rule! {
    /// systemd and a shell read a value differently.
    ///
    /// Somebody will source the file one day (`set -a; . FILE`), to look for a fault as the service would see
    /// it. Where a shell expands, splits or drops what systemd takes as it stands, that person looks for the
    /// fault in another program. Quoting with single quotes means the same to both, unless the value holds
    /// one.
    ///
    /// ```bad
    /// replace /etc/quantum/backend.env
    /// + GREETING=hello world
    /// ```
    /// ```bad
    /// replace /etc/quantum/backend.env
    /// + PASS=a$bcd
    /// ```
    /// ```good
    /// replace /etc/quantum/backend.env
    /// + GREETING='hello world'
    /// ```
    id: "env-value-ambiguous",
    section: C,
    severity: Should,
    needs: [EnvFiles, Units],
    why: "whoever sources the file works with other settings than the service",
    check: Service(check),
}

fn check(view: &ServiceView) -> Ruling {
    let files = contents(view)?;
    if files.is_empty() {
        return Ok(none());
    }
    let mut findings = Vec::new();
    for (path, content) in files {
        for (variable, reading) in content.read.variables.iter().zip(&content.shell) {
            if *reading == ShellReading::Same {
                continue;
            }
            let secret = crate::facts::secrets::is_secret(view.contract, &variable.name, &variable.value);
            let shown = |value: &str| if secret { "(a secret)".to_owned() } else { format!("{value:?}") };
            let observed = match reading {
                ShellReading::Same => continue,
                ShellReading::Differs { shell } => {
                    format!("systemd: {}   shell: {}", shown(&variable.value), shown(shell))
                }
                ShellReading::Breaks { why } if secret => format!("systemd: (a secret)   shell: {why}"),
                ShellReading::Breaks { why } => format!("systemd: {:?}   shell: {why}", variable.value),
            };
            findings.push(
                Finding::new(
                    format!("systemd and a shell read {} differently", variable.name),
                    Location::line(path.as_str(), variable.line),
                    demanded_at(view, &path),
                )
                .key(&*variable.name)
                .expected("one reading")
                .observed(observed)
                .mend(mend(view, &path, variable.line, &variable.name, &variable.value)),
            );
        }
    }
    Ok(Outcome::from_findings(findings))
}

/// Single quotes mean the same to both.
fn mend(view: &ServiceView, path: &str, line: u32, name: &str, value: &str) -> String {
    if value.contains(['\'', '\n']) || crate::facts::secrets::is_secret(view.contract, name, value) {
        return format!("a person must quote line {line} of {path} so that both read it alike");
    }
    view.and_take_up(crate::rules::mend::replace_line(path, line, &format!("{name}='{value}'")))
}
