//! The installed contract is the one in the repository.

use crate::rules::prelude::*;

rule! {
    /// The installed contract differs from its source.
    ///
    /// Root obeys the contract under /etc, which only root can write. Its source is the file golden.toml at the
    /// top of the repository. A difference means that a change was never installed, or that the installed
    /// contract was edited. The rule does not apply to the built-in contract, nor to a repository without that
    /// file.
    ///
    /// ```bad
    /// contract # installed
    /// file /home/qt/quantum_trader/golden.toml qt:qt 0644
    /// | schema = 1
    /// ```
    /// ```good
    /// contract # installed
    /// link /home/qt/quantum_trader/golden.toml -> /etc/golden/golden.toml
    /// ```
    /// ```good na
    /// contract # installed, and nobody keeps its source
    /// ```
    id: "contract-differs-from-source",
    section: M,
    severity: Should,
    needs: [Contract],
    cause: Host,
    why: "the host is judged by a different contract from the one in the repository",
    see: ["diff /etc/golden/golden.toml {repository}/golden.toml"],
    mend: "Read the difference, then install the right version. golden does not choose, because every user \
           who can write the repository can write the source.",
    man: ["diff(1)"],
    since: "0.1.0",
    check: Host(check),
}

fn check(view: &View) -> Ruling {
    let contract = view.contract;
    if contract.source.built_in {
        return Ok(Outcome::not_applicable("the built-in contract has no source on this host"));
    }
    let Some(repository) = &contract.repository else {
        return Ok(crate::rules::governed::no_repository());
    };
    let source = format!("{}/golden.toml", repository.path.value);
    let installed = contract.source.path.as_ref();
    if source == installed {
        return Ok(Outcome::not_applicable("the contract in force is the repository's own"));
    }
    let files = view.contract_files()?;
    let Some(digest) = files.source.known()? else {
        return Ok(Outcome::not_applicable("the repository holds no golden.toml"));
    };
    let Some(in_force) = files.installed.known()? else {
        return Err(Undecided::new(format!("{installed} is not on the host that was looked at")));
    };
    if digest == in_force {
        return Ok(Outcome::Pass);
    }
    let short = |digest: &str| digest.chars().take(12).collect::<String>();
    Ok(Finding::new(
        format!("{installed} differs from its source"),
        Location::file(source.as_str()),
        Location::file(contract.source.path.clone()),
    )
    .expected(format!("sha256 {}…", short(in_force)))
    .observed(format!("sha256 {}…", short(digest)))
    .mend(
        Remedy::decide("read what changes, and decide which of the two is right")
            .candidate(
                "see which duties change",
                format!("golden contract diff {} {}", quoted(installed), quoted(&source)),
            )
            .candidate("show the difference, ask, and install the source", "golden apply"),
    )
    .into())
}
