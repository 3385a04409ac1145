//! Broken contracts: for each the exact places of all of its errors, and words of the messages.

use super::super::Contract;

/// Seven sound lines; what a case says follows.
const HEAD: &str = "\
schema = 1
[contract]
name = \"shop\"
version = \"1.0.0\"
[identity]
user = \"app\"
group = \"app\"
";

/// What most cases about services need.
const SERVICES: &str = "\
[env]
owner = \"root\"
group = \"app\"
mode = \"0640\"
[venvs]
api = \"/srv/venvs/api\"
[dependencies.redis]
kind = \"redis\"
unit = \"redis.service\"
address = \"127.0.0.1:6379\"
[services.api]
kind = \"python\"
venv = \"api\"
requires = [\"redis\"]
env_files = [\"/etc/shop/api.env\"]
";

/// A text with `«` before each place where an error is expected, and a piece of each message in order.
type Case = (&'static str, &'static [&'static str]);

const SYNTAX: &[Case] = &[
    ("[layout]\ndata = «/srv\n", &["string"]),
    ("[layout\n", &["TOML"]),
    (
        "[services.a]\nkind = \"draft\"\nunit = \"a.service\"\n[services.a.«unit.Service]\nType = \"simple\"\n",
        &["cannot extend value"],
    ),
    ("[layout.data]\npath = \"/a\"\n«path = \"/b\"\n", &["`path` is already defined"]),
    (
        "[layout.data]\npath = \"/a\"\n[layout.«data]\n«path = \"/b\"\n",
        &["`data` is already defined", "`path`"],
    ),
    ("[layout]\na = { path = \"/a\", «path = \"/b\" }\n", &["`path` is already defined"]),
    ("[layout]\na = «0755\n", &["leading zero"]),
];

const KEYS: &[Case] = &[
    ("[«layuot]\n", &["unknown key `layuot` in the contract"]),
    ("[layout.data]\npath = \"/srv\"\n«onwer = \"app\"\n", &["unknown key `onwer` in layout.data"]),
    ("[unit.«Servce]\nType = \"simple\"\n", &["unknown key `Servce` in unit"]),
    ("[unit.Service]\nType = { «equal = \"simple\" }\n", &["unknown key `equal` in unit.Service.Type"]),
    ("[kinds.«pyton.unit]\n", &["there is no kind `pyton`"]),
    (
        "«[[changes]]\nversion = \"1\"\n«day = 2026-01-01\ntext = \"x\"\n",
        &["lacks `date`", "unknown key `day`"],
    ),
    ("[layout.«\"my data\"]\npath = \"/srv\"\n", &["\"my data\" cannot be a name"]),
];

const TYPES: &[Case] = &[
    ("[layout]\ndata = «5\n", &["`data` must be a path or a table, not a whole number"]),
    ("[layout.data]\npath = \"/srv\"\nholds = «\"a\"\n", &["`holds` must be a list, not text"]),
    ("[layout.data]\npath = \"/srv\"\nrequired = «\"no\"\n", &["`required` must be true or false"]),
    ("[layout.data]\npath = \"/srv\"\nmode = «640\n", &["`mode` must be text in octal digits"]),
    ("[layout.data]\npath = \"/srv\"\nmode = «\"0999\"\n", &["\"0999\" is not a mode"]),
    ("[layout.data]\npath = \"/srv\"\nlevel = «\"may\"\n", &["\"may\" is not a level"]),
    ("[layout.data]\npath = \"/srv\"\nlevel = «\"off\"\n", &["a place cannot be off"]),
    ("[layout.data]\npath = \"/srv\"\nowner = «\"a b\"\n", &["\"a b\" is not the name of a user or group"]),
    ("[layout.data]\npath = «\"srv\"\n", &["\"srv\" is not an absolute path"]),
    ("[layout.data]\npath = «\"/srv/../etc\"\n", &["climbs with `..`"]),
    ("[layout.data]\npath = \"/srv\"\nholds = [«\"/a\", \"b\"]\n", &["\"/a\" is absolute"]),
    ("[layout.data]\npath = «\"\"\n", &["`path` is empty"]),
    ("[layout.data]\npath = «\"/a\\nb\"\n", &["a line break"]),
    ("[layout.«data]\nowner = \"app\"\n", &["layout.data lacks `path`"]),
    (
        "[[changes]]\nversion = \"1\"\ndate = «2026-01-01T10:00:00Z\ntext = \"x\"\n",
        &["not a day of the calendar"],
    ),
    (
        "[[changes]]\nversion = \"1\"\ndate = «\"2026-01-01\"\ntext = \"x\"\n",
        &["`date` must be a date without quotes"],
    ),
    ("[changes]\n", &["`changes` must be a list of tables"]),
    ("[[checklist]]\nsection = «\"Z\"\ntext = \"x\"\n", &["\"Z\" is not a section"]),
    ("[env]\nowner = \"root\"\n", &["env lacks `group`", "env lacks `mode`"]),
];

const DEMANDS: &[Case] = &[
    ("[unit.Service]\nType = «{ level = \"should\" }\n", &["does not say what is demanded"]),
    ("[unit.Service]\nType = { equals = \"a\", «one_of = [\"b\"] }\n", &["both `equals` and `one_of`"]),
    (
        "[unit.Service]\nCapabilityBoundingSet = «\"CAP_FOO\"\n",
        &["systemd ignores CapabilityBoundingSet=CAP_FOO"],
    ),
    ("[unit.Service]\nSystemCallFilter = «\"read @nope\"\n", &["\"@nope\" is not a group of system calls"]),
    (
        "[unit.Service]\nRestrictAddressFamilies = «{ contains = [\"AF_INET\", \"AF_FOO\"] }\n",
        &["systemd ignores RestrictAddressFamilies=AF_FOO"],
    ),
    (
        "[unit.Service]\nCapabilityBoundingSet = \"CAP_NET_BIND_SERVICE\"\nSystemCallFilter = { contains = [\"@system-service\", \"~@privileged\"] }\nRestrictAddressFamilies = \"AF_UNIX AF_INET\"\n",
        &[],
    ),
    (
        "[services.w]\nkind = \"executable\"\nunit.name = «\"w@.service\"\ncommand = [\"/bin/true\"]\nenv_files = []\n",
        &["\"w@.service\" is a template"],
    ),
    ("[unit.Service]\nType = «[]\n", &["`Service.Type` demands nothing"]),
    ("[unit.Service]\nType = { one_of = «[] }\n", &["`one_of` is an empty list"]),
    ("[unit.Service]\nType = { absent = «false }\n", &["`absent = false` demands nothing"]),
    ("[unit.Service]\nType = «{ equals = \"x\", level = \"off\" }\n", &["switched off at once"]),
    (
        "[unit.Service]\nType = { equals = \"exec\", presence = «\"maybe\" }\n",
        &["\"maybe\" is not a presence"],
    ),
    ("[unit.Service]\n«\"Type=\" = \"x\"\n", &["\"Type=\" is not the name of a setting"]),
    ("[unit.Service]\n«ExecStart = \"/bin/x\"\n", &["`ExecStart` is not demanded as a setting"]),
    ("[unit.Service]\nEnvironmentFile = «\"-/etc/x.env\"\n", &["a path has no leading `-` here"]),
    ("[unit.Service]\nWorkingDirectory = «\"{layout.repo}\"\n", &["unknown placeholder `{layout.repo}`"]),
    (
        "[unit.forbidden.x]\nsettings = [«\"After\"]\nwords = [\"a\"]\nwhy = \"b\"\n",
        &["\"After\" is not a setting of a section"],
    ),
    ("[unit.forbidden.«x]\nsettings = [\"Unit.After\"]\nwhy = \"b\"\n", &["`x` forbids nothing"]),
    (
        "[env]\nowner = \"root\"\ngroup = \"app\"\nmode = \"0640\"\n[env.variables]\n«A-B = \"1\"\n",
        &["\"A-B\" is not the name of a variable"],
    ),
    (
        "[env]\nowner = \"root\"\ngroup = \"app\"\nmode = \"0640\"\n[env.variables]\nA = { absent = true, «equals = \"1\" }\n",
        &["both `absent` and `equals`"],
    ),
    (
        "[env]\nowner = \"root\"\ngroup = \"app\"\nmode = \"0640\"\n[env.variables]\nA = «{ min = 3, max = 1 }\n",
        &["at least 3 and at most 1"],
    ),
    (
        "[env]\nowner = \"root\"\ngroup = \"app\"\nmode = \"0640\"\n[env.variables]\nA = { path = «\"relative\" }\n",
        &["can only be \"absolute\""],
    ),
];

const PLACES: &[Case] = &[
    (
        "[layout]\na = «\"{layout.b}/x\"\nb = «\"{layout.a}/y\"\n",
        &["the path of `a` leads in a circle", "the path of `b`"],
    ),
    ("[layout]\na = «\"{layout.bb}/x\"\nb = \"/b\"\n", &["unknown placeholder `{layout.bb}`"]),
    ("[layout]\na = «\"/srv/{service}\"\n", &["`{service}` has no meaning here"]),
    (
        "[layout.data]\npath = «\"/tmp/data\"\nnot_under = [\"/tmp\"]\n",
        &["lies under /tmp, where it must not"],
    ),
    (
        "[layout.repo]\npath = \"/srv/repo\"\n[layout.data]\npath = \"{layout.repo}/data\"\noutside_repository = «true\n[repository]\nplace = \"repo\"\n",
        &["/srv/repo/data lies in the repository"],
    ),
    ("[repository]\nplace = «\"repo\"\n", &["there is no place \"repo\""]),
    (
        "[layout.«spare]\npath = \"/srv/spare\"\nrequired = false\n",
        &["the place spare demands nothing and nothing names it"],
    ),
    (
        "[dependencies.«cache]\nkind = \"tcp\"\naddress = \"localhost:11211\"\n",
        &["nothing requires the dependency cache"],
    ),
    ("[«venvs]\n", &[]),
    ("[venvs]\n«old = \"/srv/venvs/old\"\n", &["no service uses the venv old"]),
];

const SERVICE_CASES: &[Case] = &[
    ("[services.«web]\nkind = \"python\"\n", &["web is a python service without a venv"]),
    ("[services.web]\nkind = «\"pyhton\"\n", &["there is no kind \"pyhton\""]),
    ("[services.«web]\n", &["services.web lacks `kind`"]),
    (
        "[services.web]\nkind = \"executable\"\ncommand = «[\"nginx\"]\n",
        &["\"nginx\" is relative, and web has no venv"],
    ),
    ("[services.web]\nkind = \"executable\"\ncommand = «[]\n", &["`command` is empty"]),
    ("[services.web]\nkind = \"executable\"\nexact = «true\n", &["`exact` without a `command`"]),
    ("[services.web]\nkind = \"executable\"\nunit = «\"web.timer\"\n", &["\"web.timer\" is a timer unit"]),
    ("[services.web]\nkind = \"executable\"\nunit = «\"web x.service\"\n", &["cannot be the name of a unit"]),
    (
        "[services.«web]\nkind = \"executable\"\nunit = \"api.service\"\n",
        &["the services api and web are one unit"],
    ),
    (
        "[services.web]\nkind = \"executable\"\n«timer = \"web.timer\"\n",
        &["web has a timer but is not a timer job"],
    ),
    ("[services.web]\nkind = \"python\"\nvenv = «\"apu\"\n", &["there is no venv \"apu\""]),
    (
        "[services.web]\nkind = \"executable\"\nrequires = [«\"redsi\"]\n",
        &["there is no dependency \"redsi\""],
    ),
    (
        "[services.web]\nkind = \"executable\"\nafter = [«\"apo\"]\n",
        &["neither a service nor a dependency \"apo\""],
    ),
    ("[services.web]\nkind = \"executable\"\nafter = [«\"web\"]\n", &["web waits for itself"]),
    (
        "[services.a]\nkind = \"executable\"\nafter = [\"b\"]\n[services.b]\nkind = \"executable\"\nafter = [«\"a\"]\n",
        &["wait for each other: a → b → a"],
    ),
    (
        "[services.web]\nkind = \"executable\"\nenv_files = [\"/etc/a.env\", «\"/etc/a.env\"]\n",
        &["/etc/a.env is named twice by web"],
    ),
    (
        "[services.web]\nkind = \"executable\"\nenv_files = [«\"a.env\"]\n",
        &["\"a.env\" is not an absolute path"],
    ),
    (
        "[services.web]\nkind = \"executable\"\nenv_files = [{ path = «\"/etc/a.env\", secret = true, mode = \"0644\" }]\n",
        &["its mode lets all users read it"],
    ),
    (
        "[services.web]\nkind = \"executable\"\nworking_directory = \"/home/app/web\"\n[services.web.unit.Service]\n«ProtectHome = \"yes\"\n",
        &["the demanded ProtectHome hides /home/app/web from web"],
    ),
    (
        "[services.web]\nkind = \"executable\"\nwrites = [\"/home/app/out\"]\n[services.web.unit.Service]\n«ProtectHome = \"read-only\"\n",
        &["web must write /home/app/out, but ProtectHome"],
    ),
    (
        "[services.web]\nkind = \"executable\"\nwrites = [\"/srv/out\"]\n[services.web.unit.Service]\n«ProtectSystem = \"strict\"\n",
        &["web must write /srv/out, but ProtectSystem=strict"],
    ),
    (
        "[services.web]\nkind = \"executable\"\nwrites = [\"/srv/out\"]\n[services.web.unit.Service]\nProtectSystem = \"strict\"\nReadWritePaths = { contains = [\"/srv\"] }\n",
        &[],
    ),
];

const REST: &[Case] = &[
    ("[dependencies.x]\nkind = «\"redsi\"\n", &["\"redsi\" is not a kind of dependency"]),
    (
        "[dependencies.«x]\nkind = \"tcp\"\naddress = \"h:1\"\n«append_only = true\n",
        &["nothing requires", "`append_only` means nothing for a dependency of kind tcp"],
    ),
    ("[dependencies.x]\nkind = \"tcp\"\naddress = «\"localhost\"\n", &["\"localhost\" is not an address"]),
    (
        "[dependencies.«x]\nkind = \"redis\"\naddress = «\"10.0.0.1:6379\"\nloopback_only = true\n",
        &["nothing requires", "not an address of this host"],
    ),
    ("[jobs.t]\nservice = «\"apu\"\nbuilt_in = \"audit\"\n", &["there is no service \"apu\""]),
    ("[jobs.t]\nservice = \"api\"\nbuilt_in = «\"audti\"\n", &["golden has no built-in job \"audti\""]),
    ("[jobs.t]\nservice = \"api\"\n«script = \"x.py\"\n", &["the contract has none"]),
    (
        "[jobs.t]\nservice = \"api\"\n«script = «\"../x.py\"\n",
        &["the contract has none", "leads out of its directory"],
    ),
    ("[jobs.«t]\nservice = \"api\"\n", &["the job t runs nothing"]),
    (
        "[jobs.t]\nservice = \"api\"\nbuilt_in = \"audit\"\ntime_limit = «\"5\"\n",
        &["\"5\" is not a span of time"],
    ),
    (
        "[jobs.t]\nservice = \"api\"\nbuilt_in = \"audit\"\nmake_target = «\"a\"\n[jobs.u]\nservice = \"api\"\nbuilt_in = \"audit\"\nmake_target = «\"a\"\n",
        &["no Makefile is named", "the jobs t and u are one make target", "no Makefile is named"],
    ),
    (
        "[jobs.t]\nservice = \"api\"\nbuilt_in = \"audit\"\nneeds = [«\"sql\"]\n",
        &["there is no dependency \"sql\""],
    ),
    (
        "«[[waivers]]\nrule = \"r\"\nsubject = \"host\"\n",
        &["waivers lacks `reason`", "waivers lacks `owner`", "waivers lacks `expires`"],
    ),
    (
        "[[waivers]]\nrule = \"r\"\nsubject = «\"service:apu\"\nreason = \"x\"\nowner = \"y\"\nexpires = 2026-12-31\n",
        &["there is no service \"apu\" to waive"],
    ),
    (
        "[[waivers]]\nrule = \"r\"\nsubject = «\"service:*\"\nreason = \"x\"\nowner = \"y\"\nexpires = 2026-12-31\n",
        &["there is no service \"*\""],
    ),
    (
        "[[waivers]]\nrule = \"r\"\nsubject = «\"all\"\nreason = \"x\"\nowner = \"y\"\nexpires = 2026-12-31\n",
        &["\"all\" is not a subject"],
    ),
    (
        "[[waivers]]\nrule = \"r\"\nsubject = \"host\"\nreason = «\"\"\nowner = \"y\"\nexpires = 2026-12-31\n",
        &["`reason` is empty"],
    ),
    (
        "[[waivers]]\nrule = \"r\"\nsubject = \"host\"\nreason = \"x\"\nowner = \"y\"\nexpires = «2999-12-31\n",
        &["too long for an exception"],
    ),
    (
        "[[waivers]]\nrule = \"r\"\nsubject = \"host\"\nreason = \"x\"\nowner = \"y\"\nexpires = 2026-12-31\n«[[waivers]]\nrule = \"r\"\nsubject = \"host\"\nreason = \"z\"\nowner = \"y\"\nexpires = 2026-12-31\n",
        &["waived twice, first at golden.toml:23:1"],
    ),
    ("[rules]\nsome-rule = «\"never\"\n", &["\"never\" is not a level"]),
    (
        "[«safety]\n",
        &[
            "lacks `models`",
            "lacks `reports`",
            "lacks `telemetry`",
            "lacks `gate`",
            "lacks `scoreboard`",
            "lacks `rollback`",
        ],
    ),
];

/// A sound section F for what follows.
const SAFETY: &str = "\
[layout]
models = \"/srv/models\"
[safety]
models = \"models\"
reports = \"reports\"
telemetry = { dependency = \"redis\", stream = \"s\", field = \"f\", window = 10, stale_after = \"1h\", actions = [\"BUY\", \"HOLD\"], hold = \"HOLD\" }
gate = { min_events = 1, max_action_share = 0.7, max_hold_share = 0.8, collapsed_below = 0.05, constant_below = 0.01, narrow_below = 0.1 }
scoreboard = { agreement_min = 0.5, agreement_max = 0.8, hard_disagreement_below = 0.2 }
rollback = { max_loss_per_hour = 0.05, max_error_share = 0.01 }
[services.other]
kind = \"python\"
venv = \"api\"
env_files = [\"/etc/shop/shared.env\"]
[services.shared]
kind = \"python\"
venv = \"api\"
env_files = [\"/etc/shop/shared.env\"]
";

const MODELS: &[Case] = &[
    ("[models.m]\nservice = \"api\"\nartefact = \"m.onnx\"\nset.canary = { A = \"{artefact}\" }\n", &[]),
    ("[models.m]\nservice = \"api\"\nartefact = \"active/m.onnx\"\nset.canary = { A = \"1\" }\n", &[]),
    (
        "[models.m]\nservice = \"api\"\nartefact = \"/srv/models/active/m.onnx\"\nset.canary = { A = \"1\" }\n",
        &[],
    ),
    (
        "[models.m]\nservice = «\"apu\"\nartefact = \"m.onnx\"\nset.canary = { A = \"1\" }\n",
        &["there is no service \"apu\""],
    ),
    (
        "[models.m]\nservice = \"shared\"\nartefact = \"m.onnx\"\n«set.canary = { A = \"1\" }\n",
        &["every env file of shared is read by other services"],
    ),
    (
        "[models.m]\nservice = \"api\"\nartefact = «\"../m.onnx\"\nset.canary = { A = \"1\" }\n",
        &["is not a file of /srv/models/active/"],
    ),
    (
        "[models.m]\nservice = \"api\"\nartefact = «\"/elsewhere/m.onnx\"\nset.canary = { A = \"1\" }\n",
        &["is not a file of"],
    ),
    (
        "[models.m]\nservice = \"api\"\nartefact = \"m.onnx\"\nset.canary = { «\".*\" = \"1\", «\"A/B\" = \"1\", «\"A\\nB\" = \"1\" }\n",
        &["\".*\" is not the name of a variable", "\"A/B\" is not the name", "\"A\\nB\" is not the name"],
    ),
    (
        "[models.m]\nservice = \"api\"\nartefact = \"m.onnx\"\nset.canary = { A = «\"1\\nB=2\" }\n",
        &["holds a line break"],
    ),
    (
        "[models.m]\nservice = \"api\"\nartefact = \"m.onnx\"\nset.canary = { A = «\"{artefakt}\" }\n",
        &["unknown placeholder `{artefakt}`"],
    ),
    (
        "[models.«1m]\nservice = \"api\"\nartefact = \"m.onnx\"\nset.canary = { A = \"1\" }\n",
        &["cannot be told from a time"],
    ),
    (
        "[models.m]\nservice = \"api\"\nartefact = \"m.onnx\"\nset.canary = { A = \"1\" }\n\
         [models.«n]\nservice = \"api\"\nartefact = «\"m.onnx\"\nset.canary = { A = \"1\" }\n",
        &["A activates both m and n", "are one file in active/"],
    ),
    ("[models.«m]\n", &["lacks `service`", "lacks `artefact`", "lacks `set`"]),
    (
        "[models.m]\nservice = \"api\"\nartefact = \"m.onnx\"\nset.canary = { A = \"1\" }\nwatch.loss = { dependency = «\"redis\", sql = \"SELECT 1\" }\n",
        &["there is no dependency \"redis\" that can be asked this"],
    ),
];

#[test]
fn models() {
    try_all(&format!("{HEAD}{SERVICES}{SAFETY}"), MODELS);
}

/// Takes the marks out of a text and gives their lines and columns.
fn unmarked(marked: &str) -> (String, Vec<String>) {
    let mut places = Vec::new();
    let (mut line, mut column) = (1, 1);
    let mut text = String::new();
    for c in marked.chars() {
        match c {
            '«' => {
                places.push(format!("golden.toml:{line}:{column}"));
                continue;
            }
            '\n' => (line, column) = (line + 1, 1),
            _ => column += 1,
        }
        text.push(c);
    }
    (text, places)
}

/// Holds each case against what is said of it.
fn try_all(head: &str, cases: &[Case]) {
    let mut wrong = String::new();
    for (marked, messages) in cases {
        let (text, places) = unmarked(&format!("{head}{marked}"));
        let parsed = Contract::parse(&text, "golden.toml", false, &|_| Err("no files here".into()));
        let errors = parsed.err().unwrap_or_default();
        let mut said: Vec<String> = errors.iter().map(|error| error.at.to_string()).collect();
        said.dedup();
        let fits = errors.len() == messages.len()
            && errors.iter().all(|error| !error.way_out.is_empty())
            && errors.iter().zip(*messages).all(|(error, message)| error.message.contains(message))
            && (places.is_empty() || said == places || messages.is_empty());
        if !fits {
            let shown: Vec<String> = errors.iter().map(|error| error.render(&text)).collect();
            wrong.push_str(&format!(
                "{marked}\nexpected {messages:?} at {places:?}, got\n{}\n",
                shown.join("")
            ));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn syntax() {
    try_all(HEAD, SYNTAX);
}

#[test]
fn keys() {
    try_all(HEAD, KEYS);
}

#[test]
fn types() {
    try_all(HEAD, TYPES);
}

#[test]
fn demands() {
    try_all(HEAD, DEMANDS);
}

#[test]
fn places() {
    try_all(HEAD, PLACES);
}

#[test]
fn services() {
    try_all(&format!("{HEAD}{SERVICES}"), SERVICE_CASES);
}

#[test]
fn dependencies_jobs_waivers_and_safety() {
    try_all(&format!("{HEAD}{SERVICES}"), REST);
}

#[test]
fn the_first_lines() {
    try_all(
        "",
        &[
            ("«", &["which schema it follows", "no `[contract]` table", "no `[identity]` table"]),
            ("schema = «2\n[nonsense]\n", &["schema 2 is newer than this program"]),
            (
                "schema = «\"1\"\n[contract]\nname = \"a\"\nversion = \"1\"\n[identity]\nuser = \"a\"\ngroup = \"a\"\n",
                &["there is no such schema"],
            ),
            ("schema = 1\nextends = «\"quantun\"\n", &["no built-in contract \"quantun\""]),
            ("schema = 1\nextends = «\"base.toml\"\n", &["base.toml cannot be read: no files here"]),
            ("schema = 1\nextends = «5\n", &["`extends` must be text"]),
        ],
    );
}

#[test]
fn a_known_rule_is_asked_for() {
    let text = format!(
        "{HEAD}[rules]\nunit-runs-as-rot = \"off\"\n[[waivers]]\nrule = \"zebra\"\nsubject = \"host\"\nreason = \"x\"\nowner = \"y\"\nexpires = 2026-12-31\n"
    );
    let judge = |known: &[&str]| {
        Contract::parse_for_rules(&text, "golden.toml", false, &|_| Err(String::new()), known)
            .err()
            .unwrap_or_default()
    };
    assert!(judge(&[]).is_empty());
    let said: Vec<String> =
        judge(&["unit-runs-as-root"]).iter().map(|error| format!("{error} / {}", error.way_out)).collect();
    assert_eq!(
        said,
        [
            "golden.toml:9:20: there is no rule \"unit-runs-as-rot\" / did you mean `unit-runs-as-root`?",
            "golden.toml:10:1: there is no rule \"zebra\" / `golden explain` lists every rule",
        ]
    );
}

#[test]
fn many_errors_at_once() {
    let text = "\
schema = 1
[contract]
name = \"shop\"
version = 1
effective = \"2026-01-10\"
[identity]
user = \"app\"
grop = \"app\"
[layout]
data = { path = \"srv/data\", mode = 755 }
[unit.Service]
Restart = { one_of = [], level = \"shall\" }
User = \"{identity.usr}\"
[services.api]
kind = \"pythn\"
command = [\"run\"]
after = [\"db\"]
[[waivers]]
rule = \"r\"
subject = \"service:web\"
reason = \"because\"
owner = \"ops\"
expires = 2026-02-30
";
    let errors = Contract::parse(text, "golden.toml", false, &|_| Err(String::new())).unwrap_err();
    let shown: Vec<String> = errors.iter().map(|error| error.render(text)).collect();
    insta::assert_snapshot!(shown.join("\n"));
}
