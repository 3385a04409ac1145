//! Lines of env files that systemd drops.

use crate::rules::env_files::{contents, demanded_at, none};
use crate::rules::mend::delete_line;
use crate::rules::prelude::*;
use crate::syntax::env_file::DropReason;

rule! {
    /// systemd drops a line of an env file without a word.
    ///
    /// An env file looks like shell and is not: `export NAME=…`, a name with a dash or a dot, a line without
    /// `=` and the first line after a byte order mark set nothing (systemd.exec(5), measured). The comment
    /// above may swallow a line, too: before systemd 254 one that ends in a backslash does.
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
    why: "somebody believes that this setting is in force",
    check: Service(check),
}

fn check(view: &ServiceView) -> Ruling {
    let files = contents(view)?;
    if files.is_empty() {
        return Ok(none());
    }
    let mut findings = Vec::new();
    for (path, content) in files {
        for dropped in &content.read.dropped {
            let take_out = match dropped.why {
                DropReason::Export => format!("sed -i '{}s/export[[:blank:]]*//' {}", dropped.line, quoted(&path)),
                DropReason::ByteOrderMark => format!(r"sed -i '1s/^\xef\xbb\xbf//' {}", quoted(&path)),
                DropReason::CommentContinuation => {
                    format!(r"sed -i '{}s/\\*$//' {}", dropped.line.saturating_sub(1), quoted(&path))
                }
                _ => delete_line(&path, dropped.line),
            };
            findings.push(
                Finding::new(
                    format!("systemd drops {}: {}", dropped.text, dropped.why.words()),
                    Location::line(path.as_str(), dropped.line),
                    demanded_at(view, &path),
                )
                .key(format!("{path}:{}", dropped.text))
                .expected("NAME=value")
                .observed(&*dropped.text)
                .mend(view.and_take_up(take_out)),
            );
        }
    }
    Ok(Outcome::from_findings(findings))
}
