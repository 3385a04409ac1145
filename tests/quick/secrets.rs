//! No secret of a host comes out of golden: a disk with marked secrets in every place that is read goes through every verb
//! that looks at a disk, and all that is written is searched for them. What is no secret stays, and so does every verdict.

use std::collections::BTreeMap;
use std::process::Command;

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
wrapper = "ops/run.sh"
clone_roots = ["/srv"]
clone_depth = 3
[identity]
user = "root"
group = "root"
[env]
owner = "root"
group = "root"
mode = "0640"
[env.variables]
PORT = { min = 1, max = 65535 }
SMTP_PASS = { one_of = ["%a", "%b"] }
STATED_TOKEN = "%stated"
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
unit.Service.StandardInputText = "something else"
"#;

/// Paths and texts. `%word` is a long secret that is known wherever it stands; `~word` a short one, which is known by its
/// place alone.
const FILES: &[(&str, &str)] = &[
    ("/etc/passwd", "root:x:0:0:root:/root:/bin/sh\n"),
    ("/etc/group", "root:x:0:\n"),
    ("/usr/lib/systemd/libsystemd-shared-257.so", ""),
    (
        "/etc/systemd/system/a.service",
        "[Service]\nUser=root\nEnvironment=AWS_SECRET_ACCESS_KEY=%aws SMTP_PASS=%smtp\n\
         Environment=\"URL=postgres://app:%url@db/x\" \"API_TOKEN=%tok en\"\nEnviroment=SECRET_KEY=%typo\n\
         DB_PASSWORD=%bare\nX-Api-Token=~private\nthe admin password=~prose\n\
         Environment=2FA_SECRET=%bad PGPASSWORD=~pg OLD_PASS=$ecret!%dollar\nEnvironmentFile=/etc/app/a.env\n\
         EnvironmentFile=/etc/app/secret.env\n\
         ExecStart=/usr/bin/false --password ~arg --api-key=%option redis://:~ru@h/0 -u bob:~pair\n\
         ExecStartPre=/bin/sh -c 'mysql --password=~sh'\n\
         ExecStartPre=/usr/bin/curl -H \"Authorization: Bearer ~bear\" -H 'X-Api-Key: ~head' https://h/?token=~query\n\
         ExecStartPre=/usr/bin/a \\\n  --token \\\n  ~long\n\
         ExecStartPost=/usr/bin/echo %elsewhere\n\
         LoadCredential=db-password:/etc/app/db.cred\nSetCredential=api:~cred\nSetCredentialEncrypted=enc:%enc\n\
         StandardInputText=~stdin\nStandardInputData=%data\n[Foo]\nTOKEN=~foreign\n[Install]\nWantedBy=multi-user.target\n",
    ),
    (
        "/etc/systemd/system/a.service.d/over.conf",
        "[Service]\nEnvironment=SMTP_PASS=%over\nUser=\nExecStart=\nExecStart=/usr/bin/false --password ~exec2\n\
         Environment=\nEnvironment=DB_PASSWORD=~last\n",
    ),
    (
        "/etc/app/a.env",
        "PORT=none\nSECRET_KEY=%django$abc\nexport MAIL_PASSWORD=%export\nSMTP_PASS=%one\nSMTP_PASS=%two\n\
         SESSION_SECRET=%session # note\nCACHE_URL=\"redis://:%cache@h/0\"\nSENTRY_DSN=https://%dsn@sentry.io/1\n\
         SHARED_TOKEN=%elsewhere\nPIN_PASS=~pin\nOPTS=\"--host h --password ~opts\"\n\
         LINES_SECRET=\"%first\n%second\"\nTWO_TOKEN='%quoted\nEND_PASS=%after'\n\
         export DUE_TOKEN ~rest\nBASH_TOKEN=~bash\\\nmore\n",
    ),
    ("/etc/app/secret.env", "ANYTHING=~any\nOTHER=\"%other $x\"\nexport THIRD=%third\nSTATED_TOKEN=%wrong\n"),
    (
        "/etc/systemd/system/redis-server.service",
        "[Service]\nExecStart=/usr/bin/redis-server /etc/redis/redis.conf --requirepass ~req\n",
    ),
    (
        "/etc/redis/redis.conf",
        "bind 0.0.0.0\nrequirepass ~redis\nmasterauth \"%master\"\nuser bob on >~acl ~* +@all\n\
         rename-command CONFIG %renamed\n",
    ),
    ("/srv/app/.git/HEAD", "ref: refs/heads/main\n"),
    ("/srv/app/.git/config", "[remote \"o\"]\n\turl = https://bob:%remote@example.org/x.git\n"),
    ("/srv/app/.git/objects/x", ""),
    ("/srv/app/.git/refs/heads/x", ""),
    ("/srv/b/.git/HEAD", "ref: refs/heads/main\n"),
    ("/srv/b/.git/config", "[remote \"o\"]\n\turl = https://bob:%clone@example.org/x.git\n"),
    ("/srv/b/.git/objects/x", ""),
    ("/srv/b/.git/refs/heads/x", ""),
    (
        "/srv/app/Makefile",
        "PASSWORD=~make\nOTHER_TOKEN ?= %spaced\nrun:\n\tpython3 run.py --password ~rec\n\
         \tmysql -p~glued db\n\tpython3 $(PASSWORD)\nX := $(shell curl -u bob:~fun https://h)\n",
    ),
    (
        "/srv/app/ops/run.sh",
        "#!/bin/sh\n# don't\npython3 load.py --token=~script\ncurl https://bob:~curl@example.org\n\
         curl -H \"Authorization: Bearer ~sbear\" -u bob:~spair https://h\n\
         DB_PASSWORD=~assigned python3 x.py\npython3 x.py ${DB_PASSWORD:-~default}\nredis-cli -a ~rcli PING\n",
    ),
    ("/etc/cron.d/x", "* * * * * root python3 /srv/app/x.py --password ~cron\n"),
];

/// The texts of a disk: each mark becomes a secret of its own.
fn marked(text: &str, secrets: &mut BTreeMap<String, String>) -> String {
    let mut made = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(['%', '~']) {
        made.push_str(&rest[..at]);
        let word: String = rest[at + 1..].chars().take_while(|c| c.is_ascii_alphanumeric()).collect();
        let mark = &rest[at..=at];
        rest = &rest[at + 1 + word.len()..];
        if word.is_empty() {
            made.push_str(mark);
            continue;
        }
        // Nothing else that golden writes holds these; a short one has the number of its word.
        let next = secrets.len();
        let secret = secrets.entry(format!("{mark}{word}")).or_insert_with(|| match mark {
            "%" => format!("hunter2x8f2b61{word}"),
            _ => format!("{}Q{}", (b'G' + u8::try_from(next % 20).unwrap()) as char, next),
        });
        made.push_str(secret);
    }
    made + rest
}

/// A disk, its contract and the secrets that stand in them.
struct Host {
    folder: tempfile::TempDir,
    secrets: BTreeMap<String, String>,
}

impl Host {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut secrets = BTreeMap::new();
        let root = folder.path().join("root");
        for (path, text) in FILES {
            let path = root.join(path.trim_start_matches('/'));
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, marked(text, &mut secrets)).unwrap();
        }
        std::fs::write(folder.path().join("golden.toml"), marked(CONTRACT, &mut secrets)).unwrap();
        Self { folder, secrets }
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    /// What golden writes, to its output and its errors; `ROOT`, `FACTS` and `OUT` are paths.
    fn golden(&self, words: &[&str]) -> String {
        let word = |word: &&str| match *word {
            "ROOT" => self.path("root"),
            "FACTS" => self.path("facts.json"),
            "OUT" => self.path("out"),
            "NEW" => self.path("new"),
            other => other.to_owned(),
        };
        let mut golden = Command::new(env!("CARGO_BIN_EXE_golden"));
        let contract = self.path("golden.toml");
        golden.current_dir("/").args(["--contract", &contract]).args(words.iter().map(word));
        let done = golden.output().unwrap();
        String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned()
    }

    /// The secrets that stand in a text, each with what stands around it.
    fn leaks(&self, said: &str) -> Vec<String> {
        let around = |at: usize| {
            let start = said[..at].char_indices().rev().nth(60).map_or(0, |(at, _)| at);
            said[start..].chars().take(120).collect::<String>()
        };
        let each = self.secrets.iter();
        each.filter_map(|(mark, secret)| Some(format!("{mark} {secret}: {}", around(said.find(secret)?))))
            .collect()
    }
}

#[test]
fn every_secret_is_where_it_is_said_to_be() {
    let host = Host::new();
    assert!(host.secrets.len() > 60);
    let mut all = std::fs::read_to_string(host.path("golden.toml")).unwrap();
    for (path, _) in FILES {
        all.push_str(&std::fs::read_to_string(host.path(&format!("root{path}"))).unwrap());
    }
    for (mark, secret) in &host.secrets {
        assert!(all.contains(secret.as_str()), "{mark}");
    }
    // What looks for leaks finds them.
    assert_eq!(host.leaks(&all).len(), host.secrets.len());
}

#[test]
fn nothing_that_golden_writes_holds_a_secret_of_the_host() {
    let host = Host::new();
    std::fs::create_dir(host.path("out")).unwrap();
    std::fs::create_dir(host.path("new")).unwrap();
    let calls: &[&[&str]] = &[
        &["init", "--root", "ROOT", "NEW", "--from-host", "a", "redis-server"],
        &["audit", "--root", "ROOT"],
        &["audit", "--root", "ROOT", "-v"],
        &["audit", "--root", "ROOT", "-q"],
        &["audit", "--root", "ROOT", "--format", "json"],
        &["audit", "--root", "ROOT", "--service", "a", "--format", "json"],
        &["facts", "--root", "ROOT"],
        &["facts", "--root", "ROOT", "--out", "FACTS"],
        &["audit", "--facts", "FACTS", "-v"],
        &["audit", "--facts", "FACTS", "--format", "json"],
        &["contract", "check"],
        &["contract", "show"],
        &["render", "--out", "OUT"],
        &["render", "--out", "OUT", "--check"],
    ];
    for words in calls {
        let said = host.golden(words);
        let leaks = host.leaks(&said);
        assert!(leaks.is_empty(), "{words:?} writes {} secrets:\n{}", leaks.len(), leaks.join("\n"));
        let looks = matches!(words, ["audit", ..] | ["facts", _, _]) && !words.contains(&"--out");
        assert!(!looks || said.contains("SMTP_PASS"), "{words:?} says nothing of the host:\n{said}");
    }
    let begun = std::fs::read_to_string(host.path("new/golden.toml")).unwrap();
    let leaks = host.leaks(&begun);
    assert!(leaks.is_empty() && begun.contains("a.service"), "{begun}\n{}", leaks.join("\n"));
    let kept = std::fs::read_to_string(host.path("facts.json")).unwrap();
    let leaks = host.leaks(&kept);
    assert!(leaks.is_empty() && kept.contains("SMTP_PASS"), "{}", leaks.join("\n"));
    // A file of facts that is broken is quoted by its place alone.
    let half = format!("{{\"schema\":\"{}", host.secrets["%aws"]);
    std::fs::write(host.path("facts.json"), half).unwrap();
    assert!(host.leaks(&host.golden(&["audit", "--facts", "FACTS"])).is_empty());
}

/// What is no secret can be read as before.
#[test]
fn facts_keep_what_is_no_secret() {
    let host = Host::new();
    let facts = host.golden(&["facts", "--root", "ROOT"]);
    for healthy in [
        "/etc/app/a.env",
        "db-password:/etc/app/db.cred",
        "/usr/bin/false --password",
        "/etc/redis/redis.conf --requirepass",
        "--host h --password",
        "redis://:hidden:",
        "@example.org/x.git",
        "https://h/?token=hidden:",
        "0.0.0.0",
        "/srv/app/x.py",
        "python3",
    ] {
        assert!(facts.contains(healthy), "{healthy} is not in {facts}");
    }
}

/// A digest tells equal secrets of one recording apart from others, and no recording from another; a long secret is hidden
/// wherever it stands, a short one where its place tells what it is.
#[test]
fn stand_ins_are_what_the_readme_says() {
    let host = Host::new();
    let unit = host.path("root/etc/systemd/system/a.service.d/zz.conf");
    let text = "[Service]\nEnvironment=ONE_TOKEN=long0enough TWO_TOKEN=long0enough THREE_TOKEN=xy7\n\
        ExecStartPost=/usr/bin/echo long0enough xy7 --key zk9\n";
    std::fs::write(unit, text).unwrap();
    let stand_ins = || -> Vec<String> {
        let facts = host.golden(&["facts", "--root", "ROOT"]);
        let raw =
            facts.split("echo ").nth(2).unwrap_or_default().split('"').next().unwrap_or_default().to_owned();
        let found = facts.match_indices("ONE_TOKEN=").chain(facts.match_indices("TWO_TOKEN="));
        let word = |at: usize| facts[at..].split(['=', ' ']).nth(1).unwrap().to_owned();
        found.map(|(at, _)| word(at)).chain([raw]).collect()
    };
    let (one, other) = (stand_ins(), stand_ins());
    let [first, second, elsewhere] = one.as_slice() else { panic!("{one:#?}") };
    assert!(first.starts_with("hidden:") && first.ends_with(".11:") && first == second, "{one:#?}");
    assert_eq!(elsewhere, &format!("{first} xy7 --key zk9"));
    assert!(other[0].starts_with("hidden:") && other[0] != *first, "{other:#?}");
}

/// The rules, subjects and words of all results of a kind.
fn results(report: &str) -> BTreeMap<String, (String, String)> {
    let report = report.lines().next().unwrap_or_default().to_owned()
        + &report[report.lines().next().map_or(0, str::len)..];
    let report: serde_json::Value =
        serde_json::from_str(report.trim()).unwrap_or_else(|_| panic!("{report}"));
    let mut all = BTreeMap::new();
    for result in report["results"].as_array().unwrap() {
        let text = |key: &str| result[key].as_str().unwrap_or_default().to_owned();
        let at = format!("{} {} {} {}", text("rule"), text("subject"), result["key"], result["location"]);
        all.insert(at, (text("outcome"), text("observed")));
    }
    all
}

/// A replay says what the audit said, or that it cannot tell; and what it says of a secret without knowing it is the same.
#[test]
fn no_verdict_changes_because_something_is_hidden() {
    let host = Host::new();
    let live = results(&host.golden(&["audit", "--root", "ROOT", "--format", "json"]));
    host.golden(&["facts", "--root", "ROOT", "--out", "FACTS"]);
    let replayed = results(&host.golden(&["audit", "--facts", "FACTS", "--format", "json"]));
    let rules = |all: &BTreeMap<String, (String, String)>, outcome: &str| {
        let of = all.iter().filter(|(_, (found, _))| found == outcome);
        of.map(|(at, (_, observed))| (at.clone(), observed.clone())).collect::<BTreeMap<_, _>>()
    };
    let (was, is) = (rules(&live, "fail"), rules(&replayed, "fail"));
    // The three whose values nobody can compare any more.
    let lost: Vec<&String> = was.keys().filter(|at| !is.contains_key(*at)).collect();
    let may_be_lost = ["env-variable-wrong", "unit-setting-wrong"];
    assert!(lost.iter().all(|at| may_be_lost.iter().any(|rule| at.starts_with(rule))), "{lost:#?}");
    assert!(lost.iter().any(|at| at.starts_with("env-variable-wrong")), "{lost:#?}");
    for at in lost {
        let whose = at.split(" {").next().unwrap();
        let is_it = |(at, (outcome, _)): (&String, &(String, String))| {
            at.starts_with(whose) && outcome == "undecided"
        };
        assert!(replayed.iter().any(is_it), "{at}: {replayed:#?}");
    }
    let new: Vec<&String> = is.keys().filter(|at| !was.contains_key(*at)).collect();
    assert!(new.is_empty(), "{new:#?}");
    let passed: Vec<String> =
        rules(&replayed, "pass").into_keys().filter(|at| !rules(&live, "pass").contains_key(at)).collect();
    assert!(passed.is_empty(), "{passed:#?}");
    for (at, observed) in is {
        assert_eq!(was[&at], observed, "{at}");
    }
}

/// Files that are rendered into a repository, and what somebody wrote into them.
#[test]
fn a_difference_shows_no_secret() {
    let host = Host::new();
    let contract = "schema = 1\n[contract]\nname = \"s\"\nversion = \"1.0.0\"\n[identity]\nuser = \"app\"\ngroup = \"app\"\n\
        [env]\nowner = \"root\"\ngroup = \"app\"\nmode = \"0640\"\n[env.variables]\nA = \"1\"\nSTATED_TOKEN = \"%stated\"\n\
        [services.a]\nkind = \"executable\"\ncommand = [\"/usr/bin/true\"]\n\
        env_files = [\"/etc/app/a.env\", { path = \"/etc/app/secret.env\", secret = true }]\n";
    let mut secrets = host.secrets.clone();
    std::fs::write(host.path("golden.toml"), marked(contract, &mut secrets)).unwrap();
    std::fs::create_dir(host.path("out")).unwrap();
    let said = host.golden(&["render", "--out", "OUT"]);
    assert!(host.leaks(&said).is_empty() && said.contains("written"), "{said}");
    let mut files = vec![host.folder.path().join("out")];
    let mut edited = 0;
    while let Some(path) = files.pop() {
        if path.is_dir() {
            files.extend(std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(host.leaks(&text).is_empty(), "{} holds {:?}", path.display(), host.leaks(&text));
        let name = path.to_str().unwrap();
        let pg = &host.secrets["~pg"];
        let lines = match name {
            _ if name.ends_with(".service") => format!("Environment=\"API_TOKEN={pg}\"\n"),
            _ if name.ends_with(".env.example") => format!("SECRET_KEY=\"one {pg}\ntwo {pg}\"\n"),
            _ if name.ends_with("Makefile") => format!("PASSWORD = {pg}\nx:\n\tcurl -u a:{pg} h\n"),
            _ => format!("curl -H 'Authorization: Bearer {pg}' --password {pg}\n"),
        };
        std::fs::write(&path, text + &lines).unwrap();
        edited += 1;
    }
    let said = host.golden(&["render", "--out", "OUT", "--check"]);
    assert!(edited > 3 && said.matches("(secret)").count() > edited, "{said}");
    assert!(host.leaks(&said).is_empty(), "{:#?}", host.leaks(&said));
    assert!(said.contains("-curl -H 'Authorization: Bearer (secret)' --password (secret)"), "{said}");
}

/// Errors of a contract quote its lines.
#[test]
fn an_error_shows_no_secret() {
    let host = Host::new();
    let secret = &host.secrets["%aws"];
    let broken = format!(
        "{}\nA_TOKEN = {{ equals = \"{secret}\" }}\n[services.b]\nkind = 1\npassword = \"{secret}\"\n",
        CONTRACT
    );
    std::fs::write(host.path("golden.toml"), broken).unwrap();
    let said = host.golden(&["contract", "check"]);
    assert!(said.contains("password = \"***"), "{said}");
    assert!(!said.contains(secret.as_str()), "{said}");
}
