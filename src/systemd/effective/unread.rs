//! Settings whose value is not known: `Environment=BOOT=%b` of a disk that does not run. What is unknown is
//! neither right nor wrong, so a judgement that looked at such a value is none.
//!
//! `Setting::value` notes that such a value was looked at, and the loop of the audit turns a ruling that looked into
//! *undecided*. So a rule cannot forget it, at the price of a note that is kept for the thread.

use std::cell::RefCell;

use super::Setting;

thread_local! {
    /// What the judgement under way on this thread has looked at without knowing it.
    static SEEN: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Notes that the value of a setting was looked at which is not known.
pub(super) fn notice(setting: &Setting, why: &str) {
    SEEN.with_borrow_mut(|seen| {
        seen.get_or_insert_with(|| format!("{}: {}={}: {why}", setting.at, setting.key, setting.raw));
    });
}

/// Runs a judgement, and says which unknown value it looked at, if any.
pub fn noticing_unread<T>(judge: impl FnOnce() -> T) -> (T, Option<String>) {
    SEEN.take();
    let judged = judge();
    (judged, SEEN.take())
}
