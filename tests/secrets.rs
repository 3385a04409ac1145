//! No secret of a host comes out of golden: a disk with marked secrets in every place that is read goes through every verb
//! that looks at a disk, and all that is written is searched for them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and runs the program"
)]

use std::path::Path;
use std::process::Command;

/// Stands in every secret.
const MARK: &str = "hunter2";

const CONTRACT: &str = r#"schema = 1
[contract]
name = "secrets"
version = "1.0.0"
[layout.app]
path = "/srv/app"
owner = "root"
[repository]
place = "app"
makefile = "Makefile"
[identity]
user = "root"
group = "root"
[env]
owner = "root"
group = "root"
mode = "0640"
[env.variables]
PORT = { min = 1, max = 65535 }
SMTP_PASS = { one_of = ["a", "b"] }
SESSION_SECRET = { path = "absolute" }
[dependencies.cache]
kind = "redis"
unit = "redis-server.service"
address = "127.0.0.1:6379"
loopback_only = true
append_only = true
[services.a]
kind = "executable"
command = ["/usr/bin/true", "--exact"]
exact = true
requires = ["cache"]
env_files = ["/etc/app/a.env", { path = "/etc/app/secret.env", secret = true }]
"#;

/// Paths and texts; `#` is where the mark goes.
const FILES: &[(&str, &str)] = &[
    ("/etc/passwd", "root:x:0:0:root:/root:/bin/sh\n"),
    ("/etc/group", "root:x:0:\n"),
    ("/usr/lib/systemd/libsystemd-shared-257.so", ""),
    (
        "/etc/systemd/system/a.service",
        "[Service]\nUser=root\nEnvironment=AWS_SECRET_ACCESS_KEY=#-aws SMTP_PASS=#-smtp\n\
         Environment=\"URL=postgres://app:#-url@db/x\" \"API_TOKEN=#-tok en\"\nEnviroment=SECRET_KEY=#-typo\n\
         Environment=2FA_SECRET=#-bad PGPASSWORD=#-pg\nEnvironmentFile=/etc/app/a.env\nEnvironmentFile=/etc/app/secret.env\n\
         ExecStart=/usr/bin/false --password #-argument --api-key=#-option redis://:#-redisurl@h/0\n\
         ExecStartPre=/bin/sh -c 'mysql --password=#-shell'\n[Install]\nWantedBy=multi-user.target\n",
    ),
    (
        "/etc/systemd/system/a.service.d/over.conf",
        "[Service]\nEnvironment=SMTP_PASS=#-over\nUser=\nExecStart=\nExecStart=/usr/bin/false --password #-second\n\
         Environment=\nEnvironment=DB_PASSWORD=#-last\n",
    ),
    (
        "/etc/app/a.env",
        "PORT=none\nSECRET_KEY=#-django$abc\nexport MAIL_PASSWORD=#-export\nSMTP_PASS=#-one\nSMTP_PASS=#-two\n\
         SESSION_SECRET=#-session # note\nCACHE_URL=\"redis://:#-cache@h/0\"\nSENTRY_DSN=https://#-dsn@sentry.io/1\n\
         TWO_TOKEN='#-quoted\nEND_PASS=#-after'\n",
    ),
    ("/etc/app/secret.env", "ANYTHING=#-anything\nOTHER=\"#-other $x\"\nexport THIRD=#-third\n"),
    (
        "/etc/systemd/system/redis-server.service",
        "[Service]\nExecStart=/usr/bin/redis-server /etc/redis/redis.conf --requirepass #-requirepass\n",
    ),
    (
        "/etc/redis/redis.conf",
        "bind 0.0.0.0\nrequirepass #-redis\nmasterauth \"#-master\"\nuser bob on >#-acl ~* +@all\n",
    ),
    ("/srv/app/.git/HEAD", "ref: refs/heads/main\n"),
    ("/srv/app/.git/config", "[remote \"o\"]\n\turl = https://bob:#-remote@example.org/x.git\n"),
    ("/srv/app/.git/objects/x", ""),
    ("/srv/app/.git/refs/heads/x", ""),
    ("/srv/app/Makefile", "PASSWORD=#-make\nrun:\n\tpython3 run.py --password #-recipe\n"),
    (
        "/srv/app/ops/x.sh",
        "#!/bin/sh\npython3 load.py --token=#-script\ncurl https://bob:#-curl@example.org\n",
    ),
    ("/etc/cron.d/x", "* * * * * root python3 /srv/app/x.py --password #-cron\n"),
];

fn write(root: &Path, path: &str, text: &str) {
    let path = root.join(path.trim_start_matches('/'));
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    // The first line of a script is no place for a secret.
    let text = text.replace("#-", &format!("{MARK}0x8f2b61-"));
    std::fs::write(path, text).unwrap();
}

/// What golden writes, to its output and its errors.
fn golden(contract: &Path, words: &[&str]) -> String {
    let mut golden = Command::new(env!("CARGO_BIN_EXE_golden"));
    let done = golden.current_dir("/").arg("--contract").arg(contract).args(words).output().unwrap();
    let text = [done.stdout, done.stderr].concat();
    String::from_utf8_lossy(&text).into_owned()
}

#[test]
fn nothing_that_golden_writes_holds_a_secret_of_the_host() {
    let folder = tempfile::tempdir().unwrap();
    let (root, contract) = (folder.path().join("root"), folder.path().join("golden.toml"));
    FILES.iter().for_each(|(path, text)| write(&root, path, text));
    std::fs::write(&contract, CONTRACT).unwrap();
    let (root, facts) = (root.to_str().unwrap(), folder.path().join("facts.json"));
    let facts = facts.to_str().unwrap();
    let calls: &[&[&str]] = &[
        &["audit", "--root", root],
        &["audit", "--root", root, "-v"],
        &["audit", "--root", root, "-q"],
        &["audit", "--root", root, "--format", "json"],
        &["audit", "--root", root, "--service", "a", "--format", "json"],
        &["facts", "--root", root],
        &["facts", "--root", root, "--out", facts],
        &["audit", "--facts", facts, "-v"],
        &["audit", "--facts", facts, "--format", "json"],
    ];
    for words in calls {
        let said = golden(&contract, words);
        let found = said.match_indices(MARK).map(|(at, _)| {
            let start = said[..at].char_indices().rev().nth(80).map_or(0, |(at, _)| at);
            said[start..].chars().take(140).collect::<String>()
        });
        let found: Vec<String> = found.collect();
        assert!(found.is_empty(), "{words:?} writes {} secrets:\n{}", found.len(), found.join("\n"));
        let is_quiet = words.contains(&"--out");
        assert!(is_quiet || said.contains("SMTP_PASS"), "{words:?} says nothing of the host:\n{said}");
    }
    let kept = std::fs::read_to_string(facts).unwrap();
    assert!(!kept.contains(MARK) && kept.contains("SMTP_PASS"));
    // A file of facts that is broken is quoted by its place alone.
    let half = folder.path().join("half.json");
    std::fs::write(&half, format!("{{\"schema\":\"{MARK}")).unwrap();
    assert!(!golden(&contract, &["audit", "--facts", half.to_str().unwrap()]).contains(MARK));
}
