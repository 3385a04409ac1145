//! What a unit becomes, line by line.

use super::*;
use crate::system::MemorySystem;

/// A disk with one service `app` of the user `app`.
const HOST: &str = "
file /etc/passwd root:root 0644
| root:x:0:0:root:/root:/bin/sh
| nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
| app:x:1000:1000::/srv/app:/usr/sbin/nologin
file /etc/group root:root 0644
| root:x:0:
| nogroup:x:65534:
| app:x:1000:
file /etc/hostname root:root 0644
| host1
file /usr/lib/x86_64-linux-gnu/systemd/libsystemd-shared-257.so root:root 0644
elf /usr/bin/app root:root 0755
dir /srv/app app:app 0755
file /usr/lib/systemd/system/multi-user.target root:root 0644
| [Unit]
link /etc/systemd/system/default.target -> /usr/lib/systemd/system/multi-user.target
file /etc/systemd/system/app.service root:root 0644
| [Service]
| User=app
| ExecStart=/usr/bin/app --port 80
| [Install]
| WantedBy=multi-user.target
link /etc/systemd/system/multi-user.target.wants/app.service -> ../app.service
offline
";

fn adopted(changes: &str, units: &[&str]) -> Result<String, Refused> {
    let system = MemorySystem::from_manifest(&format!("{HOST}{changes}")).unwrap();
    let header = Header { name: "app", today: "2026-01-31", authority: "root" };
    let units: Vec<String> = units.iter().map(|unit| (*unit).to_owned()).collect();
    let text = contract(&system, header, &units)?;
    // Whatever it is, it is a contract.
    let nothing = |path: &str| Err(path.to_owned());
    let read = Contract::parse(&text, "golden.toml", false, &nothing);
    assert!(read.is_ok(), "{:?}\n{text}", read.err());
    Ok(text)
}

/// The host after some changes has these lines in its contract, and none that begins with those behind `!`.
fn says(changes: &str, lines: &[&str]) {
    let text = adopted(changes, &["app"]).unwrap_or_else(|refused| panic!("{changes}\n{refused}"));
    for line in lines {
        match line.strip_prefix('!') {
            Some(begin) => assert!(!text.lines().any(|own| own.starts_with(begin)), "{begin}: {text}"),
            None => assert!(text.lines().any(|own| own == *line), "{line} is missing: {text}"),
        }
    }
}

fn refuses(changes: &str, units: &[&str], why: &str) {
    let said = adopted(changes, units).map_or_else(|refused| refused.to_string(), |text| panic!("{text}"));
    assert!(said.contains(why), "{said}");
}

const DROP_IN: &str = "file /etc/systemd/system/app.service.d/x.conf root:root 0644\n";

#[test]
fn a_unit_is_written_down_as_it_is() {
    says(
        "",
        &[
            "[services.app]",
            "kind = \"executable\"",
            "command = [\"/usr/bin/app\", \"--port\", \"80\"]",
            "exact = true",
            "user = \"app\"",
            "group = \"app\"",
            "!forbidden_groups = [\"app\"",
            "!activation",
        ],
    );
    // One setting that a drop-in adds, one that it takes away, and one that it leaves to systemd.
    let changes = "[Service]\n| MemoryMax=1G\n| Restart=always\n| RestartSec=2min 5s\n";
    says(
        &format!("{DROP_IN}| {changes}"),
        &[
            "[services.app.unit.Service]",
            "MemoryMax = \"1G\"",
            "Restart = \"always\"",
            "RestartSec = \"2min 5s\"",
        ],
    );
    says(&format!("{DROP_IN}| [Service]\n| CapabilityBoundingSet=\n"), &["CapabilityBoundingSet = \"\""]);
    says(
        &format!("{DROP_IN}| [Service]\n| CapabilityBoundingSet=CAP_CHOWN CAP_KILL\n"),
        &["CapabilityBoundingSet = { contains = [\"cap_chown\", \"cap_kill\"] }"],
    );
    // A line that systemd ignores demands nothing.
    says(&format!("{DROP_IN}| [Service]\n| MemoryMaxx=1G\n| DB_PASSWORD=none\n"), &["!MemoryMaxx", "!DB_"]);
    // Several commands, a bare name and prefixes are left to the unit.
    for exec in ["/usr/bin/app --second", "app", "@/usr/bin/app other"] {
        let reset = if exec.contains("second") { "Type=oneshot" } else { "ExecStart=" };
        says(&format!("{DROP_IN}| [Service]\n| {reset}\n| ExecStart={exec}\n"), &["!command", "!exact"]);
    }
}

#[test]
fn variables_are_demanded_and_secrets_not_copied() {
    let unit = |lines: &str| format!("{DROP_IN}| [Service]\n| Environment={lines}\n");
    says(&unit("MODE=fast \"NOTE=two words\""), &["MODE = \"fast\"", "NOTE = \"two words\""]);
    // What another line takes back is demanded no more.
    says(&(unit("MODE=fast") + "| UnsetEnvironment=MODE\n"), &["!MODE"]);
    says(&(unit("MODE=fast") + "| Environment=\n| Environment=OTHER=1\n"), &["!MODE", "OTHER = \"1\""]);
    // A secret is demanded to be there, and what stands on its line stays with it.
    says(
        &unit("API_TOKEN=q7w8e9r0t1 MODE=fast"),
        &["API_TOKEN = { present = true }", "MODE = { present = true }"],
    );
    // Of a unit that not everybody may read no value is told.
    says(
        &format!("{}mode /etc/systemd/system/app.service.d/x.conf 0600\n", unit("MODE=fast")),
        &["MODE = { present = true }", "!command"],
    );
}

#[test]
fn env_files_are_named_with_who_owns_them() {
    let unit = |names: &[&str]| {
        let lines: String = names.iter().map(|name| format!("| EnvironmentFile={name}\n")).collect();
        format!("{DROP_IN}| [Service]\n{lines}")
    };
    let file = |mode: &str, lines: &str| format!("file /etc/app.env root:app {mode}\n| {lines}\n");
    says(
        &(unit(&["/etc/app.env"]) + &file("0640", "PORT=80")),
        &[
            "env_files = [\"/etc/app.env\"]",
            "group = \"app\"",
            "mode = \"0640\"",
            "PORT = { present = true }",
        ],
    );
    // An optional one that is not there, and one with a secret.
    says(&unit(&["-/etc/none.env"]), &["env_files = [{ path = \"/etc/none.env\", optional = true }]"]);
    says(
        &(unit(&["/etc/app.env"]) + &file("0640", "DB_PASSWORD=q7w8e9r0")),
        &["env_files = [{ path = \"/etc/app.env\", secret = true }]", "DB_PASSWORD = { present = true }"],
    );
    // The second time is the one that counts.
    says(
        &(unit(&["/etc/app.env", "/etc/app.env"]) + &file("0640", "A=1")),
        &["env_files = [\"/etc/app.env\"]"],
    );
    // The lines of a key that lost its quotes are names that a secret is made of.
    let key = "-----BEGIN\n| MIIEvq7K=\n| PLAIN=1\n";
    says(&(unit(&["/etc/app.env"]) + &file("0640", key)), &["!MIIEvq7K", "PLAIN = { present = true }"]);
    refuses(&unit(&["/etc/app.d/*.env"]), &["app"], "/etc/app.d/*.env is a pattern");
    refuses(
        &(unit(&["/etc/app.env"]) + &file("0640", "A=1") + "unreadable /etc/app.env no permission\n"),
        &["app"],
        "/etc/app.env",
    );
}

#[test]
fn what_starts_it_is_told_where_it_does() {
    let alone = "remove /etc/systemd/system/multi-user.target.wants/app.service\n";
    let timer = "file /etc/systemd/system/app.timer root:root 0644\n| [Timer]\n| OnCalendar=daily\n";
    let oneshot = format!("{alone}{DROP_IN}| [Service]\n| Type=oneshot\n");
    says(&oneshot, &["kind = \"job\""]);
    says(&(oneshot.clone() + timer), &["kind = \"timer-job\"", "!activation"]);
    // A timer that starts another unit, and one that is masked, start nothing of it.
    says(&(oneshot.clone() + timer + "| Unit=other.service\n"), &["kind = \"job\""]);
    says(&(oneshot.clone() + "link /etc/systemd/system/app.timer -> /dev/null\n"), &["kind = \"job\""]);
    let socket = "file /etc/systemd/system/app.socket root:root 0644\n| [Socket]\n| ListenStream=/run/app\n";
    says(&(alone.to_owned() + socket), &["activation = \"socket\""]);
    // One that starts by itself does not wait for its socket.
    says(socket, &["!activation"]);
    refuses(&(oneshot + timer + "| Unit=other.service\n"), &["app.timer"], "does not start it");
}

#[test]
fn what_no_contract_can_say_is_refused() {
    refuses("", &["none"], "none.service is not on this host");
    refuses("", &["app@"], "is a template");
    refuses("", &["../app"], "is not the name of a unit");
    refuses(
        "remove /etc/systemd/system/app.service\nlink /etc/systemd/system/app.service -> /dev/null\n",
        &["app"],
        "masked",
    );
    refuses(&format!("{DROP_IN}| [Service]\n| User=1234\n"), &["app"], "user 1234 has no name");
    refuses(&format!("{DROP_IN}| [Service]\n| Group=1234\n"), &["app"], "group 1234 has no name");
    refuses("unreadable /etc/passwd no permission\n", &["app"], "no permission");
    refuses("unreadable /etc/systemd/system/app.service no permission\n", &["app"], "no permission");
    // A number with a name is that name.
    says(
        &format!("{DROP_IN}| [Service]\n| User=1000\n| Group=1000\n"),
        &["user = \"app\"", "group = \"app\""],
    );
}

#[test]
fn a_service_that_runs_listens_where_it_does() {
    let running = |listens: &str| {
        format!(
            "now 1800000000\nunit app.service LoadState=loaded ActiveState=active SubState=running MainPID=7\n\
             process 7 exe=/usr/bin/app uid=1000 gid=1000 cwd=/ sockets=70,71,72\n{listens}"
        )
    };
    let says = |listens: &str, lines: &[&str]| {
        let host = HOST.replace("offline\n", "");
        let system = MemorySystem::from_manifest(&format!("{host}{}", running(listens))).unwrap();
        let header = Header { name: "app", today: "2026-01-31", authority: "root" };
        let text = contract(&system, header, &["app".to_owned()]).unwrap();
        let ports: Vec<&str> = text.lines().filter(|line| line.starts_with("ports")).collect();
        assert_eq!(ports, lines, "{text}");
    };
    says("listen 127.0.0.1 8000 70\nlisten 0.0.0.0 99 1", &["ports = [\"127.0.0.1:8000\"]"]);
    says("listen 0.0.0.0 443 70\nlisten :: 443 71\nlisten 127.0.0.1 443 72", &["ports = [\"*:443\"]"]);
    says("listen ::1 8000 70\nlisten 10.0.0.1 80 71", &["ports = [\"10.0.0.1:80\", \"[::1]:8000\"]"]);
    says("listen 127.0.0.1 40000 70\nlisten 127.0.0.1 80 71", &[]);
    says("", &[]);
}
