//! Lines that systemd reads past.

use crate::rules::prelude::*;

rule! {
    /// A line of the unit has no effect.
    ///
    /// systemd warns once, in a journal that nobody reads, and goes on without the line: an unknown setting
    /// (`Usr=qt`), one in the wrong section, a value it cannot read (`Restart=alwys`, `MemoryMax=16G # half`),
    /// an assignment before any section, a line without `=` (systemd.syntax(7)). What the author meant does
    /// not happen: a memory limit with a comment behind it is no limit.
    ///
    /// Correct the line, or delete it. Names that begin with `X-` are for notes and are left alone.
    ///
    /// ```bad
    /// replace /etc/systemd/system/quantum-backend.service
    /// - Restart=always
    /// + Restart=always
    /// + Usr=qt
    /// ```
    /// ```bad
    /// file /etc/systemd/system/quantum-backend.service.d/memory.conf root:root 0644
    /// | [Service]
    /// | MemoryMax=16G # half of the host
    /// ```
    /// ```bad
    /// file /etc/systemd/system/quantum-backend.service.d/limit.conf root:root 0644
    /// | StartLimitBurst=3
    /// | [Unit]
    /// | RestartSec=10
    /// ```
    /// ```good
    /// file /etc/systemd/system/quantum-backend.service.d/memory.conf root:root 0644
    /// | # half of the host
    /// | [Service]
    /// | X-Owner=team
    /// | MemoryMax=16G
    /// ```
    id: "unit-setting-ignored",
    section: D,
    severity: Must,
    needs: [Units],
    why: "what the line was meant to do does not happen, and nothing says so",
    check: Service(check),
}

fn check(view: &ServiceView) -> Ruling {
    let unit = view.effective(&view.service.unit.value)?;
    // A unit is often refused for the want of what stands in an ignored line.
    if !matches!(unit.load, LoadState::Loaded | LoadState::BadSetting(..)) {
        return Ok(unit_not_loaded());
    }
    let findings = unit.ignored.iter().map(|ignored| {
        let remedy = view
            .mend_by_deleting(unit, &ignored.at)
            .unwrap_or_else(|| format!("a person must decide: correct or delete {}", ignored.at));
        Finding::new(
            format!("systemd ignores {}: {}", ignored.text, ignored.why),
            ignored.at.clone(),
            view.service.unit.at.clone(),
        )
        .key(ignored.text.split('=').next().unwrap_or("").trim())
        .expected("lines that take effect")
        .observed(ignored.text.to_string())
        .mend(remedy)
    });
    Ok(Outcome::from_findings(findings.collect()))
}
