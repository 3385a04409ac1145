//! Properties of units as `systemctl show` prints them.

use zbus::zvariant::Value;

/// The property that shows a setting (org.freedesktop.systemd1(5)): spans of time are in microseconds there.
pub(super) fn property(key: &str) -> String {
    match key.strip_suffix("Sec") {
        _ if key == "CPUQuota" => "CPUQuotaPerSecUSec".to_owned(),
        Some(stem) if !stem.ends_with('N') => format!("{stem}USec"),
        _ => key.to_owned(),
    }
}

/// A value as a unit might say it; `None` where it is more than one word. A limit has a soft end beside the hard one.
pub(super) fn text(key: &str, value: &Value<'_>, soft: Option<&Value<'_>>) -> Option<String> {
    let is_weight = key.ends_with("Weight") || key.ends_with("Shares");
    Some(match value {
        Value::Bool(is) => (if *is { "yes" } else { "no" }).to_owned(),
        Value::Str(text) => text.as_str().to_owned(),
        Value::U64(u64::MAX) if is_weight || key == "CPUQuota" => String::new(),
        Value::U64(part) if key == "CPUQuota" && part % 10_000 == 0 => format!("{}%", part / 10_000),
        Value::U64(_) if key == "CPUQuota" => return None,
        Value::U64(microseconds) if key.ends_with("Sec") && !key.ends_with("NSec") => span(*microseconds),
        Value::U64(hard) if key.starts_with("Limit") => match soft {
            Some(Value::U64(soft)) if soft != hard => format!("{}:{}", number(*soft), number(*hard)),
            Some(Value::U64(_)) => number(*hard),
            _ => return None,
        },
        Value::U64(value) => number(*value),
        Value::U32(mode) if key == "UMask" || key.ends_with("Mode") => format!("{mode:04o}"),
        Value::U32(value) => value.to_string(),
        // Nothing is left out.
        Value::I32(-1) if key == "LogLevelMax" => String::new(),
        Value::I32(value) => value.to_string(),
        Value::I64(value) => value.to_string(),
        _ => return None,
    })
}

fn number(value: u64) -> String {
    if value == u64::MAX { "infinity".to_owned() } else { value.to_string() }
}

fn span(microseconds: u64) -> String {
    match microseconds {
        u64::MAX => "infinity".to_owned(),
        whole if whole % 1_000_000 == 0 => format!("{}s", whole / 1_000_000),
        part => format!("{part}us"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties_become_what_a_unit_might_say() {
        assert_eq!(property("TimeoutStartSec"), "TimeoutStartUSec");
        assert_eq!(property("TimerSlackNSec"), "TimerSlackNSec");
        let said = |key: &str, value: Value<'_>| text(key, &value, None);
        assert_eq!(said("TimeoutStartSec", Value::U64(90_000_000)).as_deref(), Some("90s"));
        assert_eq!(said("RestartSec", Value::U64(100_000)).as_deref(), Some("100000us"));
        assert_eq!(said("CPUQuota", Value::U64(500_000)).as_deref(), Some("50%"));
        assert_eq!(said("MemoryMax", Value::U64(u64::MAX)).as_deref(), Some("infinity"));
        assert_eq!(said("CPUWeight", Value::U64(u64::MAX)).as_deref(), Some(""));
        assert_eq!(said("UMask", Value::U32(0o22)).as_deref(), Some("0022"));
        assert_eq!(said("PrivateTmp", Value::Bool(true)).as_deref(), Some("yes"));
        assert_eq!(said("LimitCORE", Value::U64(1)), None);
        let limit = text("LimitNOFILE", &Value::U64(524_288), Some(&Value::U64(1024)));
        assert_eq!(limit.as_deref(), Some("1024:524288"));
        assert_eq!(said("Environment", Value::from(vec!["A=1"])), None);
    }
}
