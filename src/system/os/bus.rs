//! systemd over D-Bus (org.freedesktop.systemd1(5)). Asking for a property of a unit loads the unit, so a
//! name that nobody knows answers with the load state `not-found`.
//!
//! zbus 5 in its asynchronous form sends all questions about properties before it awaits the first answer: one round
//! trip instead of forty (zbus 6 has no blocking interface beside it). A bus that takes connections and never answers
//! is *undecided* after five seconds.

mod shown;

use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use futures_util::future::{join_all, try_join_all};
use zbus::zvariant::OwnedValue;
use zbus::{Connection, Message};

use crate::model::Observed;
use crate::model::answers::{UnitState, UnitStates};

const SYSTEMD: &str = "org.freedesktop.systemd1";
const UNIT: &str = "org.freedesktop.systemd1.Unit";

/// What a rule may want to know of any unit.
const UNIT_PROPERTIES: &[&str] = &[
    "LoadState",
    "ActiveState",
    "SubState",
    "UnitFileState",
    "NeedDaemonReload",
    "FragmentPath",
    "DropInPaths",
];

/// What only services have.
const SERVICE_PROPERTIES: &[&str] = &[
    "MainPID",
    "ExecMainStartTimestamp",
    "ExecMainExitTimestamp",
    "ExecMainStatus",
    "NRestarts",
    "Result",
    "ControlGroup",
];

/// How long a bus may be silent, and how much longer for each name. One that takes connections and never answers
/// (a stopped daemon) would otherwise hold the audit for ever.
const TIME_LIMIT: Duration = Duration::from_secs(5);
const TIME_FOR_A_NAME: Duration = Duration::from_millis(5);

pub(super) fn units(names: &[&str]) -> Observed<UnitStates> {
    let owned: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    let count = u32::try_from(names.len()).unwrap_or(u32::MAX);
    let limit = TIME_LIMIT.saturating_add(TIME_FOR_A_NAME.saturating_mul(count));
    within(limit, move || zbus::block_on(ask(&owned)).map_err(|error| error.to_string())).map_or_else(
        |why| Observed::Unreadable(format!("systemd could not be asked over D-Bus: {why}")),
        Observed::Found,
    )
}

/// The handshake of a bus has no time limit of its own, so the question is asked on a thread that can be left.
fn within<T: Send + 'static>(
    limit: Duration,
    question: impl FnOnce() -> Result<T, String> + Send + 'static,
) -> Result<T, String> {
    let (say, hear) = mpsc::channel();
    let started = thread::Builder::new().name("bus".to_owned()).spawn(move || {
        // Nobody hears an answer that comes too late.
        let _ = say.send(question());
    });
    started.map_err(|error| error.to_string())?;
    hear.recv_timeout(limit).unwrap_or_else(|error| match error {
        RecvTimeoutError::Timeout => Err(format!("no answer within {} s", limit.as_secs())),
        RecvTimeoutError::Disconnected => Err("the request was interrupted".to_owned()),
    })
}

async fn ask(names: &[String]) -> zbus::Result<UnitStates> {
    let connection = Connection::system().await?;
    // All questions are sent before the first answer is awaited: one round trip, not fifty.
    let states = names.iter().map(|name| unit(&connection, name));
    Ok(try_join_all(states).await?.into_iter().collect())
}

async fn unit(connection: &Connection, name: &str) -> zbus::Result<(Arc<str>, UnitState)> {
    let path = object_path(name);
    let unit = UNIT_PROPERTIES.iter().map(|property| get(connection, &path, UNIT, property));
    let service = SERVICE_PROPERTIES.iter().map(|property| get(connection, &path, interface(name), property));
    let service = async { if name.ends_with(".service") { join_all(service).await } else { Vec::new() } };
    let (unit, service) = futures_util::future::join(join_all(unit), service).await;

    let mut state = UnitState::default();
    for (property, value) in UNIT_PROPERTIES.iter().zip(unit).chain(SERVICE_PROPERTIES.iter().zip(service)) {
        fill(&mut state, property, value?)?;
    }
    Ok((name.into(), state))
}

pub(super) fn values(asked: &[(&str, &str, &str)]) -> Observed<Vec<Option<String>>> {
    let owned: Vec<[String; 3]> =
        asked.iter().map(|(unit, section, key)| [*unit, *section, *key].map(str::to_owned)).collect();
    let count = u32::try_from(asked.len()).unwrap_or(u32::MAX);
    let limit = TIME_LIMIT.saturating_add(TIME_FOR_A_NAME.saturating_mul(count));
    within(limit, move || zbus::block_on(ask_values(&owned)).map_err(|error| error.to_string())).map_or_else(
        |why| Observed::Unreadable(format!("systemd could not be asked over D-Bus: {why}")),
        Observed::Found,
    )
}

async fn ask_values(asked: &[[String; 3]]) -> zbus::Result<Vec<Option<String>>> {
    let connection = Connection::system().await?;
    Ok(join_all(asked.iter().map(|asked| value(&connection, asked))).await)
}

/// What is in force of one setting. A property that this version does not have is answered with an error.
async fn value(connection: &Connection, [unit, section, key]: &[String; 3]) -> Option<String> {
    let (path, property) = (object_path(unit), shown::property(key));
    let interface = if section == "Unit" { UNIT } else { interface(unit) };
    let value = get(connection, &path, interface, &property).await.ok()?;
    let soft = match key.starts_with("Limit") {
        true => get(connection, &path, interface, &format!("{property}Soft")).await.ok(),
        false => None,
    };
    shown::text(key, &value, soft.as_deref())
}

fn interface(name: &str) -> &'static str {
    match name.rsplit_once('.') {
        Some((_, "timer")) => "org.freedesktop.systemd1.Timer",
        _ => "org.freedesktop.systemd1.Service",
    }
}

async fn get(
    connection: &Connection,
    path: &str,
    interface: &str,
    property: &str,
) -> zbus::Result<OwnedValue> {
    let reply: Message = connection
        .call_method(
            Some(SYSTEMD),
            path,
            Some("org.freedesktop.DBus.Properties"),
            "Get",
            &(interface, property),
        )
        .await?;
    reply.body().deserialize()
}

/// A property of an unexpected type is an error, never a default.
fn fill(state: &mut UnitState, property: &str, value: OwnedValue) -> zbus::zvariant::Result<()> {
    let text = |value: &OwnedValue| value.downcast_ref::<&str>().map(str::to_owned);
    match property {
        "LoadState" => state.load_state = text(&value)?,
        "ActiveState" => state.active_state = text(&value)?,
        "SubState" => state.sub_state = text(&value)?,
        "UnitFileState" => state.unit_file_state = text(&value)?,
        "NeedDaemonReload" => state.need_daemon_reload = value.downcast_ref()?,
        "FragmentPath" => state.fragment_path = text(&value)?,
        "DropInPaths" => state.drop_in_paths = value.try_into()?,
        "MainPID" => state.main_pid = value.downcast_ref()?,
        "ExecMainStartTimestamp" => state.started = seconds(&value)?,
        "ExecMainExitTimestamp" => state.exited = seconds(&value)?,
        "ExecMainStatus" => state.exit_status = value.downcast_ref()?,
        "NRestarts" => state.restarts = value.downcast_ref()?,
        "Result" => state.result = text(&value)?,
        "ControlGroup" => state.control_group = text(&value)?,
        _ => {}
    }
    Ok(())
}

fn seconds(value: &OwnedValue) -> zbus::zvariant::Result<i64> {
    let microseconds: u64 = value.downcast_ref()?;
    Ok(i64::try_from(microseconds / 1_000_000).unwrap_or(i64::MAX))
}

/// Bus object paths allow letters and digits; every other byte is `_` and its hex code.
fn object_path(name: &str) -> String {
    let mut path = String::from("/org/freedesktop/systemd1/unit/");
    for (at, byte) in name.bytes().enumerate() {
        if byte.is_ascii_alphabetic() || (at > 0 && byte.is_ascii_digit()) {
            path.push(char::from(byte));
        } else {
            path.push_str(&format!("_{byte:02x}"));
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{object_path, within};

    #[test]
    fn a_question_without_an_answer_is_given_up() {
        let asleep = || {
            std::thread::sleep(Duration::from_secs(60));
            Ok(())
        };
        let why = within(Duration::from_millis(10), asleep).map_err(|why| why.contains("no answer within"));
        assert_eq!(why, Err(true));
        assert_eq!(within(Duration::from_secs(60), || Ok(1)), Ok(1));
        assert_eq!(within::<()>(Duration::from_secs(60), || Err("no".into())), Err("no".into()));
    }

    #[test]
    fn object_paths_are_escaped_as_systemd_does() {
        assert_eq!(
            object_path("quantum-ai-engine.service"),
            "/org/freedesktop/systemd1/unit/quantum_2dai_2dengine_2eservice"
        );
        assert_eq!(object_path("0x@.service"), "/org/freedesktop/systemd1/unit/_30x_40_2eservice");
    }
}
