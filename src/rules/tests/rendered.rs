//! What a contract says is rendered or refused, and what is rendered passes the audit.

mod not;

use proptest::prelude::*;

use super::judge;
use crate::contract::{Contract, schema_keys};
use crate::model::{RuleResult, Said};
use crate::render::{Artefact, artefacts};
use crate::system::MemorySystem;
use crate::systemd::command_line::{expand_arguments, parse_with};
use not::NOT_RENDERED;

const BASE: &str = r#"schema = 1
[contract]
name = "shop"
version = "1.0.0"
[identity]
user = "app"
group = "app"
[env]
owner = "root"
group = "app"
mode = "0640"
"#;

/// Every key of the format that has a counterpart in what is rendered: the key, what is written outside of the service, what
/// is written in it, and what must stand in an artefact then; after `!` what the refusal says.
const RENDERED: &[(&str, &str, &str, &str)] = &[
    ("unit.Service", "[unit.Service]\nRestart = ''", "", "!systemd ignores Restart="),
    (
        "layout.*.path",
        "[layout.l]\npath='/srv/l'\nowner='app'\n[layout.u]\npath='/srv/l/u'",
        "",
        "d /srv/l/u - :app - -\n",
    ),
    (
        "layout.*.owner",
        "[layout.l]\npath='/srv/l'\nowner='app'\n[layout.u]\npath='/srv/l/u'\nowner='root'",
        "",
        "# /srv/l/u is missing: make it yourself, because app can replace it\n",
    ),
    ("services.*.title", "", "title = 'The 5% shop'", "Description=The 5%% shop"),
    ("services.*.kind", "", "", "/etc/systemd/system/a.service"),
    ("services.*.unit", "", "unit.name = 'b.service'", "/etc/systemd/system/b.service"),
    (
        "services.*.timer",
        "[services.n]\nkind='timer-job'\ncommand=['/bin/n']\ntimer='t.timer'\nprovision.schedule='daily'",
        "",
        "/etc/systemd/system/t.timer",
    ),
    ("services.*.timer", "", "timer = 't.timer'", "!not a timer job"),
    ("services.*.user", "", "user = 'eve'", "User=eve\n"),
    ("services.*.group", "", "group = 'ops'", "Group=ops\n"),
    (
        "services.*.venv",
        "[venvs]\nv = '/srv/v'\n[services.v]\nkind='python'\nvenv='v'\ncommand=['python','-m','x']",
        "",
        "ExecStart=/srv/v/bin/python -m x\n",
    ),
    ("services.*.command", "", "", "ExecStart=/bin/a\n"),
    ("services.*.exact", "", "exact = true\nprovision.start = ['/bin/a', 'b']", "!another command"),
    ("services.*.env_files", "", "env_files = ['/etc/a.env']", "EnvironmentFile=/etc/a.env\n"),
    ("env_files.path", "", "env_files = [{ path = '/etc/a.env' }]", "/etc/a.env root:app 0640\n"),
    (
        "env_files.secret",
        "",
        "env_files = [{ path = '/etc/a.env', secret = true }]\nvariables.A_TOKEN = { present = true }",
        "# A_TOKEN= is missing",
    ),
    (
        "env_files.secret",
        "",
        "env_files = ['/etc/a.env']\nvariables.A_TOKEN = { present = true }",
        "!is a secret",
    ),
    (
        "env_files.owner",
        "",
        "env_files = [{ path = '/etc/a.env', owner = 'eve' }]",
        "/etc/a.env eve:app 0640\n",
    ),
    (
        "env_files.group",
        "",
        "env_files = [{ path = '/etc/a.env', group = 'ops' }]",
        "/etc/a.env root:ops 0640\n",
    ),
    (
        "env_files.mode",
        "",
        "env_files = [{ path = '/etc/a.env', mode = '0600' }]",
        "/etc/a.env root:app 0600\n",
    ),
    (
        "env_files.optional",
        "",
        "env_files = [{ path = '/etc/a.env', optional = true }]",
        "EnvironmentFile=-/etc/a.env\n",
    ),
    ("services.*.working_directory", "", "working_directory = '/srv'", "WorkingDirectory=/srv\n"),
    (
        "services.*.requires",
        "[dependencies.db]\nkind='unit'\nunit='db.service'",
        "requires = ['db']",
        "BindsTo=db.service\n",
    ),
    (
        "services.*.after",
        "[services.b]\nkind='executable'\ncommand=['/bin/b']",
        "after = ['b']",
        "After=b.service\n",
    ),
    (
        "services.*.writes",
        "[unit.Service]\nProtectSystem='strict'\nReadWritePaths={ contains=['/srv/w'] }",
        "writes = ['/srv/w']",
        "ReadWritePaths=/srv/w\n",
    ),
    ("services.*.variables", "", "variables.A = 'b c'", "Environment=\"A=b c\"\n"),
    ("services.*.variables", "", "variables.A_TOKEN = 'abcdef'", "!is a secret"),
    ("services.*.variables", "", "env_files = ['/etc/a.env']\nvariables.A = 'b'", "\nA=b\n"),
    ("services.*.variables", "", "variables.A = { present = true }", "!must be set"),
    ("env.variables", "[env.variables]\nA = 'b'", "env_files = ['/etc/a.env']", "\nA=b\n"),
    ("env.owner", "", "env_files = ['/etc/a.env']", "/etc/a.env root:"),
    ("env.group", "", "env_files = ['/etc/a.env']", ":app 0640"),
    ("env.mode", "", "env_files = ['/etc/a.env']", " 0640\n"),
    ("env.variables.*.equals", "", "variables.A = { equals = 'b' }", "Environment=A=b\n"),
    ("env.variables.*.one_of", "", "variables.A = { one_of = ['b', 'c'] }", "!nothing says to what"),
    ("env.variables.*.one_of", "", "variables.A = { one_of = ['b'] }", "Environment=A=b\n"),
    (
        "env.variables.*.one_of",
        "",
        "variables.A = { one_of = ['b'] }\nprovision.variables.A = 'c'",
        "!demands another value",
    ),
    ("env.variables.*.path", "", "variables.A = { path = 'absolute' }", "!must be set"),
    ("env.variables.*.under", "", "variables.A = { under = '/srv' }", "!nothing says to what"),
    ("env.variables.*.min", "", "variables.A = { min = 3 }", "!nothing says to what"),
    ("env.variables.*.min", "", "variables.A = { min = 3, max = 3 }", "Environment=A=3\n"),
    (
        "env.variables.*.max",
        "",
        "variables.A = { max = 3 }\nprovision.variables.A = '4'",
        "!demands another value",
    ),
    (
        "env.variables.*.absent",
        "",
        "variables.A = { absent = true }\nprovision.variables.A = '4'",
        "!demands another value",
    ),
    (
        "env.variables.*.present",
        "",
        "variables.A = { present = true }\nprovision.variables.A = '100%'",
        "Environment=A=100%%\n",
    ),
    ("unit.name", "[unit]\nname = 'x-{service}.service'", "", "/etc/systemd/system/x-a.service"),
    ("unit.Unit", "[unit.Unit]\nConditionHost = 'h'", "", "ConditionHost=h\n"),
    ("unit.Service", "[unit.Service]\nCapabilityBoundingSet = ''", "", "CapabilityBoundingSet=\n"),
    ("unit.Service", "[unit.Service]\nExecStartPre = '/bin/check'", "", "ExecStartPre=/bin/check\n"),
    ("unit.Install", "[unit.Install]\nAlias = 'b.service'", "", "Alias=b.service\n"),
    (
        "unit.*.equals",
        "[unit.Service]\nMemoryMax = { equals = '16GB' }",
        "",
        "!systemd ignores MemoryMax=16GB",
    ),
    ("unit.*.equals", "[unit.Service]\nUsr = 'app'", "", "!systemd ignores Usr="),
    ("unit.*.one_of", "[unit.Service]\nType = { one_of = ['exec', 'simple'] }", "", "Type=exec\n"),
    (
        "unit.*.one_of",
        "[unit.Service]\nType = { one_of = ['exec'] }\n[provision.unit.Service]\nType = 'simple'",
        "",
        "!demands another value",
    ),
    (
        "unit.*.contains",
        "[unit.Service]\nSystemCallFilter = { contains = ['@system-service'] }\n[provision.unit.Service]\nSystemCallFilter = '@mount'",
        "",
        "SystemCallFilter=@system-service @mount\n",
    ),
    (
        "unit.*.absent",
        "[unit.Service]\nNice = { absent = true }",
        "provision.unit.Service.Nice = '5'",
        "!demands another value",
    ),
    ("unit.*.present", "[unit.Service]\nNice = { present = true }", "", "!must be set"),
    ("unit.*.since", "[unit.Service]\nNewWord = { equals = 'x', since = 300 }", "", "NewWord=x\n"),
    ("kinds.*.unit", "[kinds.executable.unit.Service]\nNice = '5'", "", "Nice=5\n"),
    ("kinds.*.variables", "[kinds.executable.variables]\nA = 'b'", "env_files = ['/etc/a.env']", "\nA=b\n"),
    ("identity.user", "", "", "u app -"),
    ("identity.group", "", "", "g app -"),
    ("layout.*.path", "[layout.d]\npath = '/srv/d'\nowner='app'", "", "d /srv/d - app - -\n"),
    ("layout.*.owner", "[layout.d]\npath = '/srv/d'\nowner='eve'", "", "d /srv/d - eve - -\n"),
    ("layout.*.group", "[layout.d]\npath = '/srv/d'\ngroup='ops'", "", "d /srv/d - - ops -\n"),
    ("layout.*.mode", "[layout.d]\npath = '/srv/a b%'\nmode='0700'", "", "d \"/srv/a b%%\" 0700 - - -\n"),
    ("layout.*.holds", "[layout.d]\npath = '/srv/d'\nholds=['x']", "", "d /srv/d/x - - - -\n"),
    ("layout.*.kind", "[layout.d]\npath = '/srv/d'\nkind='file'\nholds=['x']", "", "!belongs to a directory"),
    (
        "layout.*.content",
        "[layout.d]\npath = '/srv/d'\nkind='file'\nowner='eve'\nmode='0600'\ncontent=\"x\\n\"",
        "",
        "/srv/d eve:root 0600\nx\n",
    ),
    ("layout.*.content", "[layout.d]\npath = '/srv/d'\ncontent='x'", "", "!belongs to a file"),
    (
        "layout.*.template",
        "[layout.d]\npath = '/srv/d'\nkind='file'\ntemplate='d.in'",
        "",
        "/srv/d root:root 0644\nof app\n",
    ),
    (
        "layout.*.template",
        "[layout.d]\npath = '/srv/d'\nkind='file'\ntemplate='d.in'\ncontent='x'",
        "",
        "!both",
    ),
    ("provision.home", "[provision]\nhome = '/home/app'", "", "d /home/app :0750 app app -\n"),
    ("provision.golden", "[provision]\ngolden = '/opt/golden'", "", "ExecStart=/opt/golden audit"),
    ("provision.audit", "[provision]\naudit = 'hourly'", "", "OnCalendar=hourly\n"),
    ("provision.variables", "[provision.variables]\nA = 'b'", "env_files = ['/etc/a.env']", "\nA=b\n"),
    (
        "provision.variables",
        "[provision.variables]\nA_TOKEN = 'abcdef'",
        "env_files = ['/etc/a.env']",
        "!is a secret",
    ),
    ("provision.unit", "[provision.unit.Service]\nUser = 'eve'", "", "!a key of its own"),
    ("provision.unit.Unit", "[provision.unit.Unit]\nPartOf = 'b.service'", "", "PartOf=b.service\n"),
    (
        "provision.unit.Service",
        "[provision.unit.Service]\nMemoryMax = '1GB'",
        "",
        "!systemd ignores MemoryMax=1GB",
    ),
    ("provision.unit.Install", "[provision.unit.Install]\nAlias = 'b.service'", "", "Alias=b.service\n"),
    (
        "services.*.provision.rendered",
        "",
        "provision.rendered = false\nprovision.start = ['/bin/a']",
        "!never written",
    ),
    ("services.*.provision.start", "", "provision.start = ['/bin/a', 'more']", "ExecStart=/bin/a more\n"),
    ("services.*.provision.schedule", "", "provision.schedule = 'daily'", "!no timer"),
    ("services.*.provision.variables", "", "provision.variables.A = 'b'", "Environment=A=b\n"),
    ("services.*.provision.unit", "", "provision.unit.Service.Nice = '5'", "Nice=5\n"),
    (
        "repository.makefile",
        "[layout.r]\npath='/srv/r'\nowner='app'\n[repository]\nplace='r'\nmakefile='Makefile'",
        "",
        "Makefile\n",
    ),
    (
        "repository.wrapper",
        "[layout.r]\npath='/srv/r'\nowner='app'\n[repository]\nplace='r'\nwrapper='run.sh'",
        "",
        "run.sh\n",
    ),
    (
        "repository.place",
        "[layout.r]\npath='/srv/r'\nowner='app'\n[layout.u]\npath='/srv/r/u'\nowner='app'\n[repository]\nplace='r'",
        "",
        "d /srv/r - app - -\nd /srv/r/u - app - -\n",
    ),
    (
        "jobs.*.make_target",
        "[layout.r]\npath='/srv/r'\nowner='app'\n[repository]\nplace='r'\nwrapper='run.sh'\nmakefile='Makefile'\n[jobs.j]\nservice='a'\nscript='j.sh'\nmake_target='train'",
        "",
        "\ntrain:",
    ),
    (
        "jobs.*.make_target",
        "[layout.r]\npath='/srv/r'\nowner='app'\n[repository]\nplace='r'\n[jobs.j]\nservice='a'\nscript='j.sh'\nmake_target='train'",
        "",
        "!no Makefile",
    ),
];

/// A contract with one service `a`, or why it is refused; with everything that is made of it as text.
fn rendered(around: &str, service: &str) -> Result<(Contract, Vec<Artefact>), String> {
    let text =
        format!("{BASE}{around}\n[services.a]\nkind = 'executable'\ncommand = ['/bin/a']\n{service}\n");
    of_text(&text)
}

fn of_text(text: &str) -> Result<(Contract, Vec<Artefact>), String> {
    let load = |path: &str| match path {
        "d.in" => Ok("of {identity.user}\n".to_owned()),
        _ => Err("no such file".to_owned()),
    };
    let contract = Contract::parse(text, "golden.toml", false, &load).map_err(|errors| {
        errors.iter().map(|error| format!("{error} ({})\n", error.way_out)).collect::<String>()
    })?;
    let made = artefacts(&contract).map_err(|gaps| {
        gaps.iter().map(|gap| format!("{} ({})\n", gap.message, gap.way_out)).collect::<String>()
    })?;
    Ok((contract, made))
}

/// Every artefact with its places.
fn shown(made: &[Artefact]) -> String {
    let one = |artefact: &Artefact| {
        let place = artefact.on_host.as_ref().map_or(String::new(), |file| {
            format!("{} {}:{} {:04o}\n", file.path, file.owner, file.group, artefact.mode)
        });
        let path = artefact.in_repository.as_deref().filter(|path| !path.ends_with(".md")).unwrap_or("");
        let content =
            if path.is_empty() && artefact.on_host.is_none() { "" } else { artefact.content.as_str() };
        // The place stands right before the text.
        format!("{path}\n{place}{content}\n")
    };
    made.iter().map(one).collect()
}

#[test]
fn what_a_contract_says_is_rendered_or_refused() {
    let mut wrong = Vec::new();
    for (key, around, service, wanted) in RENDERED {
        match (rendered(around, service), wanted.strip_prefix('!')) {
            (Ok((_, made)), None) if shown(&made).contains(wanted) => {}
            (Err(why), Some(said)) if why.contains(said) => {}
            (Ok((_, made)), _) => wrong.push(format!("{key}: {wanted:?} is not in\n{}", shown(&made))),
            (Err(why), _) => wrong.push(format!("{key}: {wanted:?}, but {why}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Nothing but the contract's places has a line, whatever lies on the way to them.
#[test]
fn parents_of_places_keep_their_owners() {
    let place = "[layout.t]\npath = '/etc/ssl/private/app'\nowner='root'\nmode='0750'";
    let (contract, made) = rendered(place, "").unwrap();
    let text = shown(&made);
    assert!(text.contains("d /etc/ssl/private/app 0750 root - -\n"), "{text}");
    assert!(!text.contains("d /etc/ssl ") && !text.contains("d /etc/ssl/private "), "{text}");
    assert!(contract.doubts().is_empty());
    let places = "[layout.l]\npath='/srv/l'\nowner='app'\n[layout.u]\npath='/srv/l/u'\nowner='root'";
    let (contract, _) = rendered(places, "").unwrap();
    let doubts = contract.doubts();
    assert_eq!(doubts.len(), 1);
    assert_eq!(doubts[0].message, "/srv/l/u lies below /srv/l, which app owns: app can replace it");
}

#[test]
fn every_key_of_the_format_is_rendered_or_stands_among_those_that_are_not() {
    let mut missing = Vec::new();
    for (table, keys) in schema_keys() {
        for key in keys.iter().filter(|_| !NOT_RENDERED.contains(&table)) {
            let key = format!("{table}.{key}");
            if !NOT_RENDERED.contains(&key.as_str()) && !RENDERED.iter().any(|(known, ..)| *known == key) {
                missing.push(key);
            }
        }
    }
    assert!(missing.is_empty(), "{missing:?}");
}

/// The results of rules on a host that holds the rendered unit of the service `a`.
fn judged(contract: &Contract, made: &[Artefact], rules: &[&str]) -> Vec<RuleResult> {
    let path = "/etc/systemd/system/a.service";
    let unit = made.iter().find(|one| one.on_host.as_ref().is_some_and(|file| file.path == path)).unwrap();
    let lines: String = unit.content.lines().map(|line| format!("| {line}\n")).collect();
    let manifest = format!(
        "file /etc/passwd root:root 0644\n| root:x:0:0::/root:/bin/sh\n| app:x:1000:1000::/srv:/bin/false\n\
         file /etc/group root:root 0644\n| root:x:0:\n| app:x:1000:\n\
         file /usr/lib/systemd/libsystemd-shared-257.so root:root 0644\n\
         file {path} root:root 0644\n{lines}"
    );
    judge(&MemorySystem::from_manifest(&manifest).unwrap(), contract, rules)
}

/// A word of a command for a contract, as TOML.
fn toml(word: &str) -> String {
    format!("\"{}\"", word.replace('\\', r"\\").replace('"', "\\\""))
}

/// A word in which nothing is systemd's.
fn literal(word: &str) -> String {
    word.replace('%', "%%").replace('$', "$$")
}

fn line_of(made: &[Artefact]) -> String {
    let text = shown(made);
    text.lines().find_map(|line| line.strip_prefix("ExecStart=/bin/a")).unwrap().trim_start().to_owned()
}

fn passes(contract: &Contract, made: &[Artefact]) -> bool {
    let results = judged(contract, made, &["unit-exec-wrong"]);
    results.iter().any(|result| matches!(result.said, Said::Pass))
        && !results.iter().any(|result| matches!(result.said, Said::Fail(_)))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..Default::default() })]

    /// Whatever an argument is, the program gets it, and the rendered unit passes the audit.
    #[test]
    fn arguments_arrive_as_they_are_demanded(words in prop::collection::vec("[a-z %$\\\\\"';#=é→`*|&<>()!~-]{0,8}", 0..6)) {
        let written: Vec<String> = words.iter().map(|word| toml(&literal(word))).collect();
        let command = format!("['/bin/a', {}]", written.join(", ")).replace(", ]", "]");
        let text = format!("{BASE}[services.a]\nkind = 'executable'\nexact = true\ncommand = {command}\n");
        // Words of blanks alone are refused by the contract.
        prop_assume!(words.iter().all(|word| word.is_empty() || !word.trim().is_empty()));
        let (contract, made) = of_text(&text).map_err(TestCaseError::fail)?;
        let line = parse_with(&format!("/bin/a {}", line_of(&made)), &|word| Ok(word.replace("%%", "%")));
        prop_assert!(line.error.is_none() && line.commands.len() == 1, "{line:?}");
        prop_assert_eq!(&expand_arguments(&line.commands[0], &|_| None), &words);
        prop_assert!(passes(&contract, &made), "{}", line_of(&made));
    }

    /// What is systemd's in a command stays systemd's.
    #[test]
    fn variables_and_specifiers_are_rendered_as_they_are_read(
        words in prop::collection::vec(prop::sample::select(vec![
            "${PORT}", "--a=${PORT}", "$OPTIONS", "%i", "%p-x", "%%", "$$", "a b", "", "\"", "\\", ";", "%H", "/run/%N/s", "é",
        ]), 0..6),
    ) {
        let written: Vec<String> = words.iter().map(|word| toml(word)).collect();
        let command = format!("['/bin/a', {}]", written.join(", ")).replace(", ]", "]");
        let text = format!("{BASE}[services.a]\nkind = 'executable'\nexact = true\ncommand = {command}\n");
        let (contract, made) = of_text(&text).map_err(TestCaseError::fail)?;
        let line = parse_with(&format!("/bin/a {}", line_of(&made)), &|word| Ok(word.to_owned()));
        prop_assert_eq!(&line.commands[0].words, &words);
        prop_assert!(passes(&contract, &made), "{}", line_of(&made));
    }

    /// A variable without an env file arrives as it is demanded.
    #[test]
    fn variables_of_a_unit_arrive_as_they_are_demanded(value in "[a-z %$\\\\\"';#=é→{-]{1,12}") {
        prop_assume!(!value.trim().is_empty());
        let around = "";
        let service = format!("variables = {{ A = {} }}", toml(&value));
        let (contract, made) = rendered(around, &service).map_err(TestCaseError::fail)?;
        let results = judged(&contract, &made, &["env-variable-wrong", "env-variable-missing"]);
        prop_assert!(!results.iter().any(|result| matches!(result.said, Said::Fail(_))), "{}", shown(&made));
        prop_assert!(results.iter().any(|result| matches!(result.said, Said::Pass)));
    }
}
