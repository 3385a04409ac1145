//! What changes between two contracts, one line at a time.

use super::*;

const BASE: &str = r#"schema = 1
[contract]
name = "shop"
version = "1.0.0"
[[changes]]
version = "1.0.0"
date = 2026-01-01
text = "first"
[layout]
data = { path = "/srv/data", owner = "app", mode = "0750", holds = ["cache"] }
[identity]
user = "app"
group = "app"
forbidden_groups = ["docker"]
[env]
owner = "root"
group = "app"
mode = "0640"
[env.variables]
PORT = { min = 1024, max = 9000 }
[unit.Service]
Restart = "always"
RestartSec = { one_of = ["5", "10"] }
[dependencies.cache]
kind = "tcp"
address = "127.0.0.1:7000"
[services.api]
kind = "executable"
title = "The API"
command = ["/usr/bin/api"]
env_files = ["/etc/shop/api.env"]
requires = ["cache"]
[services.web]
kind = "executable"
command = ["/usr/bin/web"]
env_files = []
[rules]
unit-misplaced = "should"
[[waivers]]
rule = "place-missing"
subject = "host"
reason = "moves soon"
owner = "ops"
expires = 2026-12-31
"#;

fn parse(text: &str) -> Contract {
    let parsed = Contract::parse(text, "golden.toml", false, &|_| Err("stands alone".into()));
    parsed.unwrap_or_else(|errors| panic!("{errors:#?}"))
}

/// What is said when one text becomes another, without the complaints about version and change log.
fn said(old: &str, new: &str) -> Vec<String> {
    assert!(BASE.contains(old), "{old}");
    let changes = diff(&parse(BASE), &parse(&BASE.replacen(old, new, 1)));
    let of_duties = changes.iter().filter(|change| change.kind != Kind::Missing);
    of_duties.map(|change| format!("{} {} {}", change.kind.word(), change.subject, change.what)).collect()
}

#[test]
fn a_contract_does_not_differ_from_itself() {
    assert!(diff(&parse(BASE), &parse(BASE)).is_empty());
    let built_in = Contract::built_in();
    assert!(diff(&built_in, &built_in).is_empty());
    for (old, new) in [
        ("The API", "An API"),
        ("name = \"shop\"", "name = \"shop\"\nnext_review = 2027-01-01"),
        ("reason = \"moves soon\"", "reason = \"moved late\""),
        ("[identity]", "# moved down\n\n[identity]"),
        ("version = \"1.0.0\"\n[[", "version = \"2.0.0\"\n[["),
    ] {
        assert!(said(old, new).is_empty(), "{new}: {:?}", said(old, new));
    }
}

#[test]
fn each_change_says_whose_which_and_in_which_way() {
    for (old, new, expected) in [
        ("mode = \"0750\"", "mode = \"0700\"", "tightened place:data mode"),
        ("mode = \"0750\"", "mode = \"0755\"", "loosened place:data mode"),
        ("mode = \"0750\"", "mode = \"0705\"", "changed place:data mode"),
        ("path = \"/srv/data\"", "path = \"/srv/d\"", "changed place:data path"),
        ("holds = [\"cache\"]", "holds = [\"cache\", \"new\"]", "added place:data holds \"new\""),
        ("owner = \"app\", ", "", "removed place:data owner"),
        ("[\"docker\"]", "[\"docker\", \"lxd\"]", "tightened identity forbidden_groups"),
        ("max = 9000", "max = 8000", "tightened service:api $PORT"),
        ("PORT = { min = 1024, max = 9000 }", "PORT = \"8000\"", "tightened service:api $PORT"),
        ("PORT = { min = 1024, max = 9000 }", "PORT = { present = true }", "loosened service:api $PORT"),
        ("address = \"127.0.0.1:7000\"", "address = \"127.0.0.1:7001\"", "changed dependency:cache address"),
        ("unit-misplaced = \"should\"", "unit-misplaced = \"off\"", "loosened rule:unit-misplaced level"),
        ("unit-misplaced = \"should\"", "", "removed rule:unit-misplaced level"),
        ("expires = 2026-12-31", "expires = 2027-12-31", "loosened waiver place-missing host"),
        ("expires = 2026-12-31", "expires = 2026-06-30", "tightened waiver place-missing host"),
        ("[layout]", "[approval]\nsigners = \"/etc/s\"\n[layout]", "added approval approval"),
        (
            "command = [\"/usr/bin/api\"]",
            "command = [\"/usr/bin/api\", \"-x\"]",
            "changed service:api command",
        ),
    ] {
        assert_eq!(said(old, new), [expected], "{new}");
    }
}

#[test]
fn what_all_services_share_changes_for_each() {
    for (old, new, kind) in [
        ("Restart = \"always\"", "Restart = { one_of = [\"always\", \"on-failure\"] }", "loosened"),
        ("Restart = \"always\"", "Restart = { equals = \"always\", level = \"should\" }", "loosened"),
        ("Restart = \"always\"", "Restart = { present = true }", "loosened"),
        ("Restart = \"always\"", "Restart = \"no\"", "changed"),
        ("Restart = \"always\"", "", "removed"),
    ] {
        let expected = ["api", "web"].map(|name| format!("{kind} service:{name} Service.Restart"));
        assert_eq!(said(old, new), expected, "{new}");
    }
    let new = "RestartSec = { equals = \"10\", level = \"should\" }";
    let both = said("RestartSec = { one_of = [\"5\", \"10\"] }", new);
    assert_eq!(both[0], "changed service:api Service.RestartSec", "tighter, on a lower level");
}

#[test]
fn a_service_comes_and_goes_as_one() {
    let web = "[services.web]\nkind = \"executable\"\ncommand = [\"/usr/bin/web\"]\nenv_files = []\n";
    let gone = said(&BASE[BASE.find("[services.web]").unwrap()..BASE.find("[rules]").unwrap()], "");
    assert_eq!(gone, ["removed service:web service"], "the waiver stays, and is another's word");
    let more = said("[rules]", &format!("{}[rules]", web.replace("web", "two")));
    assert_eq!(more, ["added service:two service"]);
}

#[test]
fn both_lines_are_shown() {
    let changes = diff(&parse(BASE), &parse(&format!("\n{}", BASE.replace("\"0750\"", "\"0700\""))));
    let (old, new) = (changes[0].old.as_ref().unwrap(), changes[0].new.as_ref().unwrap());
    assert_eq!((old.text.as_str(), new.text.as_str()), ("mode = \"0750\"", "mode = \"0700\""));
    assert!(old.at.to_string().starts_with("golden.toml:10:"), "{}", old.at);
    assert!(new.at.to_string().starts_with("golden.toml:11:"), "{}", new.at);
}

#[test]
fn a_change_without_version_or_change_log_is_said() {
    let missing = |text: &str| {
        let changes = diff(&parse(BASE), &parse(text));
        let missing = changes.into_iter().filter(|change| change.kind == Kind::Missing);
        missing.map(|change| change.what).collect::<Vec<_>>()
    };
    let tighter = BASE.replace("\"0750\"", "\"0700\"");
    assert_eq!(missing(&tighter), ["version", "changes"]);
    let newer = tighter.replacen("version = \"1.0.0\"", "version = \"1.1.0\"", 1);
    assert_eq!(missing(&newer), ["changes"]);
    let entry = "[[changes]]\nversion = \"1.1.0\"\ndate = 2026-02-01\ntext = \"tighter\"\n[layout]";
    assert!(missing(&newer.replace("[layout]", entry)).is_empty());
    assert!(missing(&BASE.replace("[layout]", entry)).is_empty(), "no duty changed, so nothing is missing");
}

#[test]
fn what_a_server_must_have_is_a_duty() {
    let with = |fields: &str| {
        let tcp = "kind = \"tcp\"\naddress = \"127.0.0.1:7000\"";
        assert!(BASE.contains(tcp));
        parse(&BASE.replacen(tcp, &fields.replace("ADDRESS", "address = \"127.0.0.1:7000\""), 1))
    };
    let differ =
        |old: &str, new: &str| diff(&with(old), &with(new)).iter().any(|change| change.kind != Kind::Missing);
    let role = "kind = \"postgres\"\nADDRESS\nrole = \"a\"";
    for (old, new) in [
        ("kind = \"http\"\nADDRESS\nget = \"/a\"", "kind = \"http\"\nADDRESS\nget = \"/b\""),
        ("kind = \"http\"\nADDRESS", "kind = \"http\"\nADDRESS\nstatus = 200"),
        ("kind = \"postgres\"\nADDRESS", role),
        (role, &format!("{role}\ndatabase = \"b\"")),
        ("kind = \"mysql\"\nADDRESS", "kind = \"rabbitmq\"\nADDRESS"),
        ("kind = \"tcp\"\nADDRESS", "kind = \"unix\"\naddress = \"/run/a\""),
    ] {
        assert!(differ(old, new) && differ(new, old), "{old} -> {new}");
        assert!(!differ(old, old) && !differ(new, new));
    }
}
