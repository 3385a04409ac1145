//! Whether a job's timer fires.

use crate::rules::prelude::*;
use crate::rules::triggers;
use crate::rules::remedy::by_hand;
use crate::systemd::calendar;

rule! {
    /// The timer of a job never fires, or misses some of its times.
    ///
    /// systemd ignores a calendar expression that it cannot read (systemd.time(7)). A valid expression may
    /// never come true again, such as a date in the past. `OnUnitActiveSec=` and `OnUnitInactiveSec=` count
    /// from the last time that the job was active: if no other trigger starts it once after a boot, that time
    /// never comes. A job with `RemainAfterExit=yes` stays active: "in case the unit to activate is already
    /// active at the time the timer elapses it is not restarted" (systemd.timer(5)).
    ///
    /// systemd refuses a timer without a trigger, which `timer-missing` reports.
    ///
    /// ```bad
    /// contract [services.nightly]
    /// contract kind = "timer-job"
    /// contract timer = "quantum-nightly.timer"
    /// file /etc/systemd/system/quantum-nightly.timer root:root 0644
    /// | [Timer]
    /// | OnUnitActiveSec=1h
    /// ```
    /// ```bad
    /// contract [services.nightly]
    /// contract kind = "timer-job"
    /// contract timer = "quantum-nightly.timer"
    /// file /etc/systemd/system/quantum-nightly.timer root:root 0644
    /// | [Timer]
    /// | OnCalendar=2020-01-01 04:00
    /// ```
    /// ```bad
    /// contract [services.nightly]
    /// contract kind = "timer-job"
    /// contract timer = "quantum-nightly.timer"
    /// file /etc/systemd/system/quantum-nightly.timer root:root 0644
    /// | [Timer]
    /// | OnBootSec=5min
    /// | OnCalendar=dayly
    /// ```
    /// ```good
    /// contract [services.nightly]
    /// contract kind = "timer-job"
    /// contract timer = "quantum-nightly.timer"
    /// file /etc/systemd/system/quantum-nightly.timer root:root 0644
    /// | [Timer]
    /// | OnCalendar=Mon..Fri *-*-* 04:00 Europe/Berlin
    /// ```
    /// ```good
    /// contract [services.nightly]
    /// contract kind = "timer-job"
    /// contract timer = "quantum-nightly.timer"
    /// file /etc/systemd/system/quantum-nightly.timer root:root 0644
    /// | [Timer]
    /// | OnBootSec=5min
    /// | OnUnitActiveSec=1h
    /// ```
    id: "timer-schedule-broken",
    section: D,
    severity: Must,
    needs: [Units],
    cause: Host,
    why: "the job never runs, without an error message",
    see: ["systemctl list-timers --all {timer}", "systemd-analyze calendar \"{calendar}\""],
    mend: "Correct the line. Only you know when the job must run.",
    man: ["systemd.time(7)", "systemd.timer(5)"],
    since: "unreleased",
    check: Service(check),
}

fn check(view: &ServiceView) -> Ruling {
    let Some((timer, unit)) = triggers::timer(view)? else { return Ok(triggers::no_timer(view)) };
    let found = |message: String, at: &Location, observed: String| {
        Finding::new(message, at.clone(), timer.at.clone())
            .expected(format!("{} that starts {} again and again", timer.value, view.service.unit.value))
            .observed(observed)
            .mend(Remedy::decide("decide when the job runs, and correct the timer").candidate("", by_hand(at)))
            .into()
    };
    if let Some(ignored) = unit.passed_over_trigger() {
        let message = format!("systemd ignores {} of its timer: {}", ignored.text, ignored.why);
        return Ok(found(message, &ignored.at, ignored.text.clone()));
    }
    let mut never = None;
    let mut fires = is_relative_to_boot(unit);
    for setting in unit.assignments("Timer", "OnCalendar") {
        match elapses(view, setting)? {
            Ok(()) => fires = true,
            Err(why) => never = Some((why, setting)),
        }
    }
    let from_itself = ["OnUnitActiveSec", "OnUnitInactiveSec"].into_iter().find_map(|key| unit.scalar("Timer", key));
    if let Some(setting) = from_itself.filter(|_| !fires) {
        let links = view.enabled_by(&view.service.unit.value)?;
        if links.iter().all(|link| link.starts_with("/run/")) {
            let message = format!("its timer never fires: {} counts from a first run, and nothing starts that", written(setting));
            return Ok(found(message, &setting.at, written(setting)));
        }
        fires = true;
    }
    if let Some((why, setting)) = never.filter(|_| !fires) {
        return Ok(found(format!("its timer never fires: {why}"), &setting.at, written(setting)));
    }
    match stays_active(view)?.filter(|_| triggers::recurs(unit)) {
        Some(setting) => {
            let message = "its timer starts it once: with RemainAfterExit=yes it stays active".to_owned();
            Ok(found(message, &setting.at, written(setting)))
        }
        None => Ok(Outcome::Pass),
    }
}

/// Triggers that come true at every boot, or when somebody sets the clock.
fn is_relative_to_boot(unit: &EffectiveUnit) -> bool {
    ["OnActiveSec", "OnBootSec", "OnStartupSec"].iter().any(|key| unit.scalar("Timer", key).is_some())
        || ["OnClockChange", "OnTimezoneChange"]
            .iter()
            .any(|key| unit.scalar("Timer", key).is_some_and(|setting| setting.value() == "yes"))
}

/// Whether an expression comes true again, or why it never does.
fn elapses(view: &ServiceView, setting: &Setting) -> Result<Result<(), String>, Undecided> {
    const DAY: i64 = 86_400;
    let text = setting.value();
    let Ok(calendar) = calendar::parse(text) else {
        return Ok(Err(format!("{text:?} is not a calendar expression")));
    };
    if let Some(zone) = &calendar.zone
        && let Some(why) = unknown_zone(view, zone)?
    {
        return Ok(Err(why));
    }
    // Zones lie at most a day apart; what elapses within one is not judged.
    match calendar.next(view.now().saturating_sub(DAY)) {
        Some(_) => Ok(Ok(())),
        None => Ok(Err(format!("{text} has passed, or never comes"))),
    }
}

/// Why the host does not know a time zone; systemd reads it from the host's own database.
fn unknown_zone(view: &ServiceView, zone: &str) -> Result<Option<String>, Undecided> {
    let file = view.path(Need::Units, &format!("{}/{zone}", calendar::ZONE_DIRECTORY))?;
    let has_database = view.path(Need::Units, calendar::ZONE_DIRECTORY)?.node()?.is_some();
    Ok(match (file.node()?.is_some(), calendar::is_zone(zone)) {
        (true, _) => None,
        (false, true) if has_database => Some(format!("the host has no time zone {zone} (tzdata)")),
        // A root that was made by hand has no database at all. Older names are left out by newer systems.
        (false, true) if zone.contains('/') => None,
        (false, _) => {
            let why = format!("it is not known whether {zone} is a time zone of the host: it may be the short name of its own");
            return Err(Undecided::new(why));
        }
    })
}

/// The setting that keeps the job active after it has run.
fn stays_active<'a>(view: &ServiceView<'a>) -> Result<Option<&'a Setting>, Undecided> {
    let unit = view.loaded()?;
    Ok(unit.and_then(|unit| unit.scalar("Service", "RemainAfterExit")).filter(|setting| setting.value() == "yes"))
}
