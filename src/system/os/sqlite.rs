//! SQLite, opened so that nothing is created beside the database: a read-only connection to a database in
//! WAL mode would otherwise leave `-wal` and `-shm` files behind, owned by whoever looked.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags};

use crate::model::Observed;

/// `quick_check` reads the whole file; a bound keeps an audit short on a busy host.
const TIME_LIMIT: Duration = Duration::from_secs(5);

/// The first line of `PRAGMA quick_check`; absent when the file is larger than `check_up_to` bytes.
pub(super) fn quick_check(path: &Path, check_up_to: u64) -> Observed<String> {
    let size = match std::fs::metadata(path) {
        Ok(metadata) => metadata.len(),
        Err(error) => return Observed::Unreadable(error.to_string()),
    };
    if size > check_up_to {
        return Observed::Absent;
    }
    let options = match beside(path) {
        Beside::Nothing => "mode=ro&immutable=1",
        Beside::InUse => "mode=ro",
        Beside::Orphaned => {
            let why = "a -wal file without its -shm lies beside the database: it was not closed cleanly, and \
                       reading it would create files";
            return Observed::Unreadable(why.into());
        }
    };
    match check(path, options) {
        Ok(line) => Observed::Found(line),
        // What SQLite itself calls corrupt is an answer, not a failed look.
        Err(rusqlite::Error::SqliteFailure(error, text))
            if matches!(
                error.code,
                rusqlite::ErrorCode::DatabaseCorrupt | rusqlite::ErrorCode::NotADatabase
            ) =>
        {
            Observed::Found(text.unwrap_or_else(|| error.to_string()))
        }
        Err(error) => Observed::Unreadable(error.to_string()),
    }
}

enum Beside {
    Nothing,
    InUse,
    Orphaned,
}

fn beside(path: &Path) -> Beside {
    let size = |suffix: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        std::fs::metadata(PathBuf::from(name)).ok().map(|metadata| metadata.len())
    };
    match (size("-wal"), size("-shm")) {
        (None | Some(0), None) => Beside::Nothing,
        (Some(_), None) => Beside::Orphaned,
        (_, Some(_)) => Beside::InUse,
    }
}

fn check(path: &Path, options: &str) -> rusqlite::Result<String> {
    let uri = format!("file:{}?{options}", percent_encoded(&path.to_string_lossy()));
    let flags =
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(uri, flags)?;
    connection.busy_timeout(Duration::from_millis(500))?;
    let start = Instant::now();
    connection.progress_handler(10_000, Some(move || start.elapsed() > TIME_LIMIT))?;
    connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
}

/// `?`, `#` and `%` would end the path of a URI.
fn percent_encoded(path: &str) -> String {
    path.replace('%', "%25").replace('?', "%3f").replace('#', "%23")
}

/// The bytes of a database without tables, in WAL mode, so that a reader never waits for a writer.
pub fn empty_database() -> Result<Vec<u8>, String> {
    // Pages are only written once something was; what is made and dropped again leaves a database without tables.
    let mut connection = Connection::open_in_memory().map_err(|error| error.to_string())?;
    connection
        .execute_batch("CREATE TABLE made (by_golden); DROP TABLE made; VACUUM;")
        .map_err(|error| error.to_string())?;
    let data = connection.serialize(rusqlite::MAIN_DB).map_err(|error| error.to_string())?;
    let mut bytes = data.to_vec();
    // File format write and read version of the header (SQLite's file format, 1.3.1): 2 is WAL.
    if let Some(versions) = bytes.get_mut(18..20) {
        versions.fill(2);
    }
    Ok(bytes)
}
