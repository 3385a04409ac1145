use super::*;

fn read(key: &str, text: &str) -> Result<Reading, Mangled> {
    let kind =
        ["Service", "Unit"].iter().find_map(|section| crate::systemd::known::kind(section, key)).unwrap();
    let unit = UnitName::parse("foo.service").unwrap();
    Reader { version: SystemdVersion(252), unit: &unit }.canonical(key, kind, text)
}

fn value(key: &str, text: &str) -> Option<String> {
    read(key, text).ok().map(|read| read.value.unwrap_or_else(|| text.to_owned()))
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

#[test]
fn bad_words_of_a_list_go_and_the_others_stay() {
    for (key, text, kept, gone) in [
        ("ReadWritePaths", "/a rel -/b/ \"/c d\"", "/a -/b /c\\ d", 1),
        ("PassEnvironment", "1A B", "B", 1),
        ("RuntimeDirectory", "a /b ../c", "a", 2),
        ("After", "a.service b c@.service", "a.service c@foo.service", 1),
        ("Documentation", "x man:x(1)", "man:x(1)", 1),
        ("RestrictAddressFamilies", "AF_X", "", 1),
        ("CapabilityBoundingSet", "CAP_KILL CAP_X", "cap_kill", 1),
        ("SuccessExitStatus", "3 x 2", "2 3", 1),
        ("SuccessExitStatus", "EXEC EXCEPTION 3", "3 203 255", 0),
    ] {
        let read = read(key, text).unwrap();
        assert_eq!((read.value.as_deref(), read.passed_over.len()), (Some(kept), gone), "{key}={text}");
    }
}
