//! Whether what systemd opens for a unit is there when systemd opens it, before the program starts.

use std::collections::BTreeSet;

use super::earlier::is_made_by_none;
use super::prelude::*;
use super::remedy::gap;
use crate::facts::boot::Reached;
use crate::facts::made::{REQUIREMENTS, own_directories};
use crate::facts::start::{Stream, StreamEnd, commands, lies_under};
use crate::model::End;
use crate::systemd::version::SystemdVersion;

/// What keeps a stream from being connected.
pub(super) struct Fault {
    /// What is wrong.
    pub what: String,
    /// What has to be there.
    pub wants: String,
}

/// What keeps systemd from connecting a stream of a unit.
pub(super) fn fault(
    view: &ServiceView,
    unit: &EffectiveUnit,
    stream: &Stream,
) -> Result<Option<Fault>, Undecided> {
    match &stream.end {
        StreamEnd::File(path) => no_file(view, unit, stream.key, path),
        StreamEnd::Opened { path, is_read } => not_opened(view, unit, path, *is_read),
        StreamEnd::Terminal(path) => no_terminal(view, unit, stream.key, path),
        StreamEnd::Socket | StreamEnd::Descriptor(_) => not_handed_over(view, unit, stream),
    }
}

/// What keeps systemd from opening a terminal for a stream.
fn no_terminal(
    view: &ServiceView,
    unit: &EffectiveUnit,
    key: &str,
    path: &str,
) -> Result<Option<Fault>, Undecided> {
    // The kernel and udev fill /dev.
    if view.is_disk() && lies_under(path, "/dev") {
        let why = format!("whether there is a terminal {path} shows on the running host alone");
        return if path == CONSOLE { Ok(None) } else { Err(Undecided::new(why)) };
    }
    let lookup = view.start_of(unit).before(path)?;
    let what = match lookup.node()? {
        Some(node) if node.meta.kind == NodeKind::Special => return Ok(None),
        Some(node) => format!("the terminal {path} of {key}= is {}", node.meta.kind.word()),
        None => {
            view.is_on_disk_alone(path)?;
            format!("the terminal {path} of {key}= does not exist")
        }
    };
    Ok(Some(Fault { what, wants: "TTYPath= with the path of a terminal".to_owned() }))
}

/// The one terminal that every host has; a container has no virtual ones.
const CONSOLE: &str = "/dev/console";

/// What keeps socket units from handing over the descriptor for a stream.
fn not_handed_over(
    view: &ServiceView,
    unit: &EffectiveUnit,
    stream: &Stream,
) -> Result<Option<Fault>, Undecided> {
    let name = unit.name.as_str();
    if unit.name.instance().is_some() {
        let why = format!("{name} may be started for a connection, which {} takes", written(stream.setting));
        return Err(Undecided::new(why));
    }
    let key = stream.key;
    let (sockets, idle) = sockets(view, unit)?;
    if let StreamEnd::Descriptor(wanted) = &stream.end {
        let is_it = |socket: &&EffectiveUnit| {
            let stated = socket.scalar("Socket", "FileDescriptorName").map(Setting::value);
            stated.unwrap_or(socket.name.as_str()) == wanted
        };
        let what = format!("no socket unit hands {name} the descriptor {wanted} of {key}={idle}");
        let wants = format!("a socket unit with FileDescriptorName={wanted}");
        return Ok((!sockets.iter().any(is_it)).then_some(Fault { what, wants }));
    }
    let what = match sockets.iter().map(|socket| socket.places_to_listen()).sum() {
        1 => return Ok(None),
        0 => format!("no socket unit hands {name} the socket of {key}={idle}"),
        more => format!("{key}= takes one socket, and socket units hand {name} {more}"),
    };
    Ok(Some(Fault { what, wants: "one socket unit that listens at one place".to_owned() }))
}

/// The socket units that listen when a service is started, and a word about those that are there and do not.
fn sockets<'v>(
    view: &'v ServiceView,
    unit: &EffectiveUnit,
) -> Result<(Vec<&'v EffectiveUnit>, String), Undecided> {
    let name = unit.name.as_str();
    // systemd starts the sockets that a service names or needs with it.
    let keys = REQUIREMENTS
        .iter()
        .copied()
        .map(|key| ("Unit", key))
        .chain([("Unit", "Wants"), ("Service", "Sockets")]);
    let with_it: BTreeSet<String> =
        keys.flat_map(|(section, key)| unit.words(section, key)).map(|(word, _)| word).collect();
    let named = unit.words("Service", "Sockets").into_iter().map(|(word, _)| word);
    let pulling = view.sockets_of(name)?.into_iter().map(str::to_owned);
    let all: BTreeSet<String> = named.chain(pulling).collect();
    let (mut listening, mut idle) = (Vec::new(), String::new());
    for socket in all {
        let effective = view.effective(&socket)?;
        if !matches!(effective.load, LoadState::Loaded) {
            idle = format!("; {socket} is not there to be started");
            continue;
        }
        let is_activator =
            name == view.service.unit.value && view.service.activated_by().is_some_and(|by| by == socket);
        match with_it.contains(&socket) || is_activator {
            true => listening.push(effective),
            false => match view.at_boot(&socket)? {
                Reached::Yes => listening.push(effective),
                Reached::Unknown(why) => return Err(Undecided::new(why)),
                Reached::Unpulled | Reached::No(..) => idle = format!("; no boot starts {socket}"),
            },
        }
    }
    Ok((listening, idle))
}

/// What keeps systemd from opening a file that it only hands over. Whether anybody listens at a socket is not to be seen.
fn not_opened(
    view: &ServiceView,
    unit: &EffectiveUnit,
    path: &str,
    is_read: bool,
) -> Result<Option<Fault>, Undecided> {
    let lookup = view.start_of(unit).before(path)?;
    let what = match lookup.node()? {
        Some(node) if node.meta.kind != NodeKind::Directory || is_read => return Ok(None),
        Some(_) => format!("{path} of OpenFile= is a directory, which can only be opened with read-only"),
        None => {
            view.is_on_disk_alone(path)?;
            // It is opened for the main program alone.
            is_made_by_none(view, unit, &commands(unit, &["ExecCondition", "ExecStartPre"]), path)?;
            format!("{path} of OpenFile= does not exist")
        }
    };
    Ok(Some(Fault { what, wants: format!("a file {path}, or the option graceful") }))
}

/// What keeps systemd from opening a file for a stream.
fn no_file(
    view: &ServiceView,
    unit: &EffectiveUnit,
    key: &str,
    path: &str,
) -> Result<Option<Fault>, Undecided> {
    let lookup = view.start_of(unit).before(path)?;
    let is_input = key == "StandardInput";
    if let Some(node) = lookup.node()? {
        let is_directory = node.meta.kind == NodeKind::Directory && !is_input;
        return Ok(is_directory.then(|| Fault {
            what: format!("{path} of {key}= is a directory"),
            wants: format!("a file {path}"),
        }));
    }
    if is_input {
        view.is_on_disk_alone(path)?;
        let what = format!("{path} of {key}= does not exist");
        return Ok(Some(Fault { what, wants: format!("a file {path}") }));
    }
    let missing = gap(&lookup).map_or_else(|| path.to_owned(), |gap| gap.path);
    let End::Absent(first) = &lookup.end else { return Ok(None) };
    if let Some(file) = lookup.steps.last().filter(|step| step.meta.kind != NodeKind::Directory) {
        let what = format!("{}, where {key}= writes, is {}", file.path, file.meta.kind.word());
        return Ok(Some(Fault { what, wants: format!("a directory {}", file.path) }));
    }
    // What is missing is the file alone, which systemd makes.
    if **first == *missing {
        return Ok(None);
    }
    let directory = missing.rsplit_once('/').map_or("/", |(directory, _)| directory).to_owned();
    let own = own_directories(unit).into_iter().find(|own| lies_under(&directory, &own.path));
    let Some(own) = own else {
        let what = format!("{directory}, where {key}= writes, does not exist");
        return Ok(Some(Fault { what, wants: format!("a directory {directory}") }));
    };
    let version = view.systemd().known()?.copied().unwrap_or_default();
    if version > SystemdVersion::NEWEST {
        return Err(Undecided::new(format!(
            "it was not measured whether systemd {version} makes the directory of {} before it opens {path}",
            written(own.setting)
        )));
    }
    let what = format!("systemd opens {path} before {}= makes {directory}", own.setting.key);
    Ok(Some(Fault { what, wants: format!("a directory {directory}") }))
}
