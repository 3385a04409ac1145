//! SQLite, opened so that nothing is created beside the database: a read-only connection to a database in
//! WAL mode would otherwise leave `-wal` and `-shm` files behind, owned by whoever looked.
//!
//! The files beside a database belong to whoever owns the database, who can put anything in their place. SQLite opens
//! them by their names and waits at a FIFO, so they are looked at first, and the question is asked on a thread that
//! can be left.
//!
//! A database is opened `immutable` unless a live `-shm` lies beside it.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags};

use crate::model::Observed;

/// `quick_check` reads the whole file; a bound keeps an audit short on a busy host.
const TIME_LIMIT: Duration = Duration::from_secs(5);

/// What comes on top of that until the thread is left: it does not look at the clock while it waits for a file.
const GRACE: Duration = Duration::from_secs(1);

/// How long a database may look unreadable before that is its answer.
const MOMENT: Duration = Duration::from_millis(300);

/// The largest log that is read with a database, and its index: a frame of the log takes eight bytes in it.
const WAL_LIMIT: u64 = 256 << 20;
const SHM_LIMIT: u64 = 16 << 20;

/// How much memory SQLite may take, in all connections of this process.
const ROOM: u64 = 48 << 20;

/// The first line of `PRAGMA quick_check`; absent when the file is larger than `check_up_to` bytes.
pub(super) fn quick_check(path: &Path, check_up_to: u64) -> Observed<String> {
    let path = path.to_owned();
    within(TIME_LIMIT + GRACE, move || check_here(&path, check_up_to))
}

/// Asks on a thread that is left when the time is over.
fn within(limit: Duration, question: impl FnOnce() -> Observed<String> + Send + 'static) -> Observed<String> {
    let (say, hear) = mpsc::channel();
    let started = std::thread::Builder::new().name("sqlite".to_owned()).spawn(move || {
        // Nobody hears an answer that comes too late.
        let _ = say.send(question());
    });
    match started {
        Ok(_) => hear.recv_timeout(limit).unwrap_or_else(|_| {
            Observed::Unreadable(format!("the database gave no answer within {} s", limit.as_secs()))
        }),
        Err(error) => Observed::Unreadable(error.to_string()),
    }
}

/// The one number that a SELECT gives; `:since` in it is bound to `since`. Absent where there is no database, or no row.
pub fn sqlite_number(path: &Path, sql: &str, since: i64) -> Observed<String> {
    let (path, sql) = (path.to_owned(), sql.to_owned());
    within(TIME_LIMIT + GRACE, move || {
        settled(&path, u64::MAX, |options| match number(&path, options, &sql, since) {
            Ok(Some(number)) => Observed::Found(number.to_string()),
            Ok(None) | Err(rusqlite::Error::QueryReturnedNoRows) => Observed::Absent,
            Err(error) => Observed::Unreadable(error.to_string()),
        })
    })
}

fn number(path: &Path, options: &str, sql: &str, since: i64) -> rusqlite::Result<Option<f64>> {
    let connection = open(path, options)?;
    let mut statement = connection.prepare(sql)?;
    let read = |row: &rusqlite::Row<'_>| row.get(0);
    match statement.parameter_index(":since")? {
        Some(_) => statement.query_row(&[(":since", &since)], read),
        None => statement.query_row([], read),
    }
}

fn check_here(path: &Path, check_up_to: u64) -> Observed<String> {
    settled(path, check_up_to, |options| match check(path, options) {
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
    })
}

/// Asks a database of up to `limit` bytes until nothing came or went beside it meanwhile; absent where there is none.
///
/// The last program that closes a database takes its index and its log away, one after the other, and the next one
/// makes them anew. A question that falls in between finds no index to open, or reads a file that is being written;
/// so an answer counts only when what lay there before it lies there after it.
fn settled(path: &Path, limit: u64, question: impl Fn(&str) -> Observed<String>) -> Observed<String> {
    let start = Instant::now();
    loop {
        let before = match Seen::of(path) {
            Ok(Some(seen)) if seen.size <= limit => seen,
            Ok(_) => return Observed::Absent,
            Err(why) => return Observed::Unreadable(why),
        };
        let answer = match before.options() {
            Ok(options) => question(options),
            Err(why) => Observed::Unreadable(why.to_owned()),
        };
        let stands = Seen::of(path).is_ok_and(|after| after.is_some_and(|after| before.stands(&after)));
        // What could not be read may have been gone for a moment only.
        let is_settled = stands && (!matches!(answer, Observed::Unreadable(_)) || start.elapsed() > MOMENT);
        if is_settled || start.elapsed() > TIME_LIMIT {
            return answer;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A database and what lies beside it.
struct Seen {
    size: u64,
    changed: (i64, i64),
    wal: Option<u64>,
    shm: Option<u64>,
}

impl Seen {
    fn of(path: &Path) -> Result<Option<Self>, String> {
        let Some(database) = plain_file(path)? else { return Ok(None) };
        let beside = |suffix: &str, limit: u64| {
            let mut name = path.as_os_str().to_owned();
            name.push(suffix);
            let name = PathBuf::from(name);
            match plain_file(&name)?.map(|meta| meta.size()) {
                Some(size) if size > limit => {
                    Err(format!("{} holds more than {limit} bytes", name.display()))
                }
                size => Ok(size),
            }
        };
        beside("-journal", u64::MAX)?;
        Ok(Some(Self {
            size: database.size(),
            changed: (database.ctime(), database.ctime_nsec()),
            wal: beside("-wal", WAL_LIMIT)?,
            shm: beside("-shm", SHM_LIMIT)?,
        }))
    }

    /// How SQLite is to open it so that nothing is made or changed.
    fn options(&self) -> Result<&'static str, &'static str> {
        match (self.wal, self.shm) {
            (None | Some(0), None) => Ok("mode=ro&immutable=1"),
            // The index is read, never written: the one who looks leaves no trace in it.
            (_, Some(_)) => Ok("mode=ro&readonly_shm=1"),
            (Some(_), None) => {
                Err("a -wal file without its -shm lies beside the database: it was not closed cleanly, \
                                    and reading it would create files")
            }
        }
    }

    /// Whether an answer that was given between two looks is one about this.
    fn stands(&self, after: &Self) -> bool {
        let beside = |seen: &Self| (seen.wal.is_some(), seen.shm.is_some());
        // With an index, readers and writers keep each other apart by its locks.
        beside(self) == beside(after) && (self.shm.is_some() || self.changed == after.changed)
    }
}

/// A regular file, `None` where there is nothing; a link, a FIFO or a device is not opened.
fn plain_file(path: &Path) -> Result<Option<std::fs::Metadata>, String> {
    match std::fs::symlink_metadata(path) {
        Ok(meta) if meta.is_file() => Ok(Some(meta)),
        Ok(_) => Err(format!("{} is not a regular file", path.display())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(format!("{}: {error}", path.display())),
    }
}

fn check(path: &Path, options: &str) -> rusqlite::Result<String> {
    open(path, options)?.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
}

/// Opens a database for reading, within bounds of time and memory.
fn open(path: &Path, options: &str) -> rusqlite::Result<Connection> {
    let uri = format!("file:{}?{options}", percent_encoded(&path.to_string_lossy()));
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_URI
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let mut connection = Connection::open_with_flags(uri, flags)?;
    connection.busy_timeout(Duration::from_millis(500))?;
    let start = Instant::now();
    connection.progress_handler(10_000, Some(move || start.elapsed() > TIME_LIMIT))?;
    connection.query_row(&format!("PRAGMA hard_heap_limit({ROOM})"), [], |_| Ok(()))?;
    Ok(connection)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn database(folder: &Path) -> PathBuf {
        let path = folder.join("db");
        std::fs::write(&path, empty_database().unwrap()).unwrap();
        path
    }

    fn fifo(path: &Path) {
        rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    }

    #[test]
    fn what_blocks_beside_a_database_is_not_opened() {
        let start = Instant::now();
        for suffix in ["-journal", "-wal", "-shm"] {
            let folder = tempfile::tempdir().unwrap();
            let path = database(folder.path());
            assert_eq!(quick_check(&path, 1 << 20), Observed::Found("ok".to_owned()));
            fifo(&folder.path().join(format!("db{suffix}")));
            let Observed::Unreadable(why) = quick_check(&path, 1 << 20) else { panic!("{suffix}") };
            assert!(why.contains("is not a regular file"), "{why}");
        }
        assert!(start.elapsed() < Duration::from_secs(5));
    }

    #[test]
    fn a_sparse_log_is_too_large_and_a_link_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let path = database(folder.path());
        std::fs::File::create(folder.path().join("db-wal")).unwrap().set_len(3 << 30).unwrap();
        assert!(
            matches!(quick_check(&path, 1 << 20), Observed::Unreadable(why) if why.contains("more than"))
        );
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert!(matches!(quick_check(&link, 1 << 20), Observed::Unreadable(_)));
    }

    #[test]
    fn a_database_in_use_is_read_and_left_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = database(folder.path());
        let writer = Connection::open(&path).unwrap();
        writer.execute_batch("CREATE TABLE t (x); INSERT INTO t VALUES (1);").unwrap();
        assert_eq!(quick_check(&path, 1 << 20), Observed::Found("ok".to_owned()));
        drop(writer);
    }

    /// The database of a writer in a process of its own: within one process, SQLite shares an open index.
    const WRITTEN: &str = "GOLDEN_TEST_WRITTEN";

    #[test]
    fn a_database_that_is_opened_and_closed_all_the_time_is_sound() {
        if let Some(path) = std::env::var_os(WRITTEN) {
            loop {
                let connection = Connection::open(&path).unwrap();
                connection
                    .execute_batch("CREATE TABLE t (x); INSERT INTO t VALUES (1); DROP TABLE t;")
                    .unwrap();
            }
        }
        let folder = tempfile::tempdir().unwrap();
        let path = database(folder.path());
        let name = "system::os::sqlite::tests::a_database_that_is_opened_and_closed_all_the_time_is_sound";
        let mut writer = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", name])
            .env(WRITTEN, &path)
            .spawn()
            .unwrap();
        let (mut met, start) = (0, Instant::now());
        while met < 500 && start.elapsed() < Duration::from_secs(20) {
            met += usize::from(folder.path().join("db-shm").exists());
            assert_eq!(quick_check(&path, 1 << 20), Observed::Found("ok".to_owned()));
        }
        let is_alive = writer.try_wait().unwrap().is_none();
        writer.kill().unwrap();
        writer.wait().unwrap();
        assert!(is_alive && met > 0, "nobody wrote");
    }

    #[test]
    fn a_question_without_an_answer_is_given_up() {
        let asleep = || {
            std::thread::sleep(Duration::from_secs(60));
            Observed::Absent
        };
        assert!(matches!(within(Duration::from_millis(10), asleep), Observed::Unreadable(_)));
    }
}
