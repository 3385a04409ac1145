//! Shared libraries of a program that nobody would find.

use std::collections::BTreeSet;

use crate::facts::MissingLibrary;
use crate::facts::start::{Loading, NAMESPACE_SETTINGS, START_SETTINGS, behind_binds, commands, namespace_paths, program_paths};
use crate::rules::looks::Looks;
use crate::rules::prelude::*;
use crate::rules::reach::{brings_files, has_own_root};

rule! {
    /// A program needs a shared library that cannot be found.
    ///
    /// The program starts and ends at once with 127: "error while loading shared libraries". golden reads what
    /// the program and its libraries need (`DT_NEEDED`) and searches as ld.so(8) does: libraries that are
    /// already loaded under that name (`LD_PRELOAD`, /etc/ld.so.preload, `DT_SONAME`), `DT_RPATH`,
    /// `LD_LIBRARY_PATH` of the unit, `DT_RUNPATH` with `$ORIGIN` and `$LIB`, the directories of ld.so.conf(5),
    /// the system's, and in all of them those for newer processors (`glibc-hwcaps`). A library for another
    /// machine does not count. golden loads and runs nothing, and does not see what a program loads later
    /// (dlopen(3)). A program with an unusual number of libraries or directories is undecided.
    ///
    /// ```bad
    /// elf /usr/bin/true root:root 0755 needs=libgone.so.1
    /// file /etc/systemd/system/quantum-backend.service.d/pre.conf root:root 0644
    /// | [Service]
    /// | ExecStartPre=/usr/bin/true
    /// ```
    /// ```good
    /// elf /usr/bin/true root:root 0755 needs=libthere.so.1
    /// elf /opt/lib/libthere.so.1 root:root 0644
    /// file /etc/ld.so.conf root:root 0644
    /// | include /etc/ld.so.conf.d/*.conf
    /// file /etc/ld.so.conf.d/opt.conf root:root 0644
    /// | /opt/lib
    /// file /etc/systemd/system/quantum-backend.service.d/pre.conf root:root 0644
    /// | [Service]
    /// | ExecStartPre=/usr/bin/true
    /// ```
    id: "start-library-missing",
    section: D,
    severity: Must,
    needs: [Units, Start, EnvFiles],
    cause: Unit,
    why: "the program ends with status 127 before it does any work",
    see: ["ldd {program}"],
    mend: "Install the package that has the library, or name its directory in /etc/ld.so.conf.d and run \
           ldconfig(8).",
    man: ["ld.so(8)", "ldconfig(8)"],
    since: "unreleased",
    check: Service(check),
}

fn check(view: &ServiceView) -> Ruling {
    let Some(unit) = view.loaded()? else { return Ok(unit_not_loaded()) };
    has_own_root(unit)?;
    let loading = view.loading(unit)?;
    let (mut looks, mut seen) = (Looks::default(), BTreeSet::new());
    for started in commands(unit, START_SETTINGS) {
        if started.may_fail(unit) {
            continue;
        }
        if seen.insert(started.command.program.clone()) {
            looks.add(lacking(view, unit, &started.command.program, &loading));
        }
    }
    looks.ruling()
}

/// What a program lacks; nothing where it is not there.
fn lacking(
    view: &ServiceView,
    unit: &EffectiveUnit,
    program: &str,
    loading: &Loading,
) -> Result<Vec<Finding>, Undecided> {
    for path in program_paths(unit, program) {
        let path = behind_binds(unit, &path);
        if view.path(Need::Start, &path)?.node()?.is_none() {
            continue;
        }
        let missing = view.missing_libraries(&loading.key(&path))?.into_iter().flatten();
        let found = missing.map(|library| {
            is_plain(unit, &library.name)?;
            match &loading.unread {
                Some(unread) => Err(unread.clone()),
                None => Ok(finding(view, &path, library)),
            }
        });
        return found.collect();
    }
    Ok(Vec::new())
}

fn finding(view: &ServiceView, path: &str, library: &MissingLibrary) -> Finding {
    Finding::new(
        format!("cannot start: {} needs {}, which is not found", library.wanted_by, library.name),
        Location::file(library.wanted_by.as_str()),
        view.service.unit.at.clone(),
    )
    .key(format!("{path} {}", library.name))
    .expected(format!("{} where ld.so looks", library.name))
    .observed("no such library of this machine")
    .mend(Remedy::decide(format!(
        "install the package that has {}, or name its directory in /etc/ld.so.conf.d",
        library.name
    )))
}

/// Whether the service sees the same libraries as the host.
fn is_plain(unit: &EffectiveUnit, library: &str) -> Result<(), Undecided> {
    let binds = namespace_paths(unit, NAMESPACE_SETTINGS).into_iter().find(|path| path.key.starts_with("Bind"));
    match binds.map(|bind| bind.setting).or_else(|| brings_files(unit)) {
        Some(setting) => Err(Undecided::new(format!(
            "{library} is not found on the host, and {} may add it ({})",
            written(setting),
            setting.at
        ))),
        None => Ok(()),
    }
}
