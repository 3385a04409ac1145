use super::*;

fn read(key: &str, text: &str) -> Result<Option<String>, Mangled> {
    let kind =
        ["Service", "Unit"].iter().find_map(|section| crate::syntax::known::kind(section, key)).unwrap();
    canonical(SystemdVersion(252), key, kind, text)
}

fn value(key: &str, text: &str) -> Option<String> {
    read(key, text).ok().map(|value| value.unwrap_or_else(|| text.to_owned()))
}

#[test]
fn one_meaning_has_one_form() {
    for (key, texts, form) in [
        ("RestartSec", &["10", "10s", "10000ms", "10 sec", "0min 10s"][..], "10s"),
        ("MemoryMax", &["2G", "2 G", "2048M", "2147483648"], "2147483648"),
        ("NoNewPrivileges", &["yes", "True", "1", "on", "t"], "yes"),
        ("CPUQuota", &["50%", "500‰", "50.0%"], "500ms"),
        ("WorkingDirectory", &["/x/y", "/x//y/", "/x/./y"], "/x/y"),
        ("UMask", &["0022", "22", "022"], "0022"),
        ("KillSignal", &["TERM", "SIGTERM", "15"], "15"),
    ] {
        for text in texts {
            assert_eq!(value(key, text).as_deref(), Some(form), "{key}={text}");
        }
    }
}

#[test]
fn what_systemd_drops_is_dropped() {
    for (key, text) in [
        ("RestartSec", "5 # c"),
        ("RestartSec", "-5"),
        ("RestartSec", "5S"),
        ("RestartSec", "1e3"),
        ("MemoryMax", "1g"),
        ("MemoryMax", "1GB"),
        ("MemoryMax", "16G # c"),
        ("MemoryMax", "0"),
        ("MemoryMax", "110%"),
        ("CPUQuota", "50"),
        ("CPUQuota", "0%"),
        ("Restart", "Always"),
        ("Restart", "unless-stopped"),
        ("Type", "notify-reload"),
        ("NoNewPrivileges", "enable"),
        ("StandardOutput", "file:rel"),
        ("LimitNOFILE", "64K"),
        ("OOMScoreAdjust", "2000"),
        ("SuccessExitStatus", "256"),
        ("EnvironmentFile", "\"/etc/x.env\""),
    ] {
        assert!(matches!(read(key, text), Err(Mangled { refused: false, .. })), "{key}={text}");
    }
    for text in ["x/y", "\"/q\"", "/x/../y"] {
        assert!(matches!(read("WorkingDirectory", text), Err(Mangled { refused: true, .. })), "{text}");
    }
}
