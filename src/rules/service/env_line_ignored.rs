//! Lines of env files that systemd drops.

use crate::rules::env_files::{contents, demanded_at, may_hold_secrets, none, restore};
use crate::rules::prelude::*;
use crate::rules::remedy::of_many;
use crate::syntax::env_file::DropReason;

rule! {
    /// systemd ignores a line of an env file without a message.
    ///
    /// An env file looks like shell but is not. `export NAME=…`, a name with a dash or a dot, a line without
    /// `=` and the first line after a byte order mark set nothing (systemd.exec(5), measured). A comment can
    /// swallow the next line too: before systemd 254 a comment that ends in a backslash does.
    ///
    /// ```bad
    /// replace /etc/quantum/backend.env
    /// + export REGION=home
    /// ```
    /// ```bad
    /// replace /etc/quantum/backend.env
    /// + MY-KEY=1
    /// ```
    /// ```good
    /// replace /etc/quantum/backend.env
    /// + REGION = home
    /// + ; a comment
    /// ```
    id: "env-line-ignored",
    section: C,
    severity: Must,
    needs: [EnvFiles, Units],
    cause: Environment,
    why: "the setting looks active but has no effect",
    see: ["grep -nE \"^(export |[A-Za-z0-9_]*[-.])\" {env-file}"],
    mend: "golden writes the line as it was evidently meant (`export PORT=8000` becomes `PORT=8000`). If \
           the meaning is not clear, or the line holds a secret, correct it yourself.",
    man: ["systemd.exec(5)"],
    since: "0.1.0",
    check: Service(check),
}

fn check(view: &ServiceView) -> Ruling {
    let files = contents(view)?;
    if files.is_empty() {
        return Ok(none());
    }
    let mut findings = Vec::new();
    for (path, content) in files {
        let is_secret = may_hold_secrets(view, &path);
        for (number, dropped) in content.read.dropped.iter().enumerate() {
            // What looks like a name may be a piece of a secret.
            let named = !is_secret || dropped.why == DropReason::Export;
            let (text, key) = match named {
                true => (dropped.text.clone(), format!("{path}:{}", dropped.text)),
                false => (format!("line {}", dropped.line), format!("{path}:ignored line {}", number + 1)),
            };
            findings.push(
                Finding::new(
                    format!("systemd ignores {text}: {}", dropped.why.words()),
                    Location::line(path.as_str(), dropped.line),
                    demanded_at(view, &path),
                )
                .key(key)
                .expected("NAME=value")
                .observed(text)
                .mend(of_many(findings.len(), || restore(view, &path, dropped))),
            );
        }
    }
    Ok(Outcome::from_findings(findings))
}
