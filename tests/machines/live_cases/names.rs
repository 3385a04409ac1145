//! Accounts that another source of the name service has: a module of our own, as a directory service brings one.

use super::{Host, Report};

/// A user and a group that are in no file.
const MODULE: &str = r#"
#include <nss.h>
#include <pwd.h>
#include <grp.h>
#include <string.h>
enum nss_status _nss_elsewhere_getpwnam_r(const char *name, struct passwd *found, char *buffer, size_t length, int *error) {
    if (strcmp(name, "cloud")) return NSS_STATUS_NOTFOUND;
    found->pw_name = "cloud"; found->pw_passwd = "x"; found->pw_gecos = "";
    found->pw_dir = "/"; found->pw_shell = "/usr/sbin/nologin"; found->pw_uid = 4711; found->pw_gid = 4712;
    return NSS_STATUS_SUCCESS;
}
static char *nobody[] = { 0 };
enum nss_status _nss_elsewhere_getgrnam_r(const char *name, struct group *found, char *buffer, size_t length, int *error) {
    if (strcmp(name, "clouds")) return NSS_STATUS_NOTFOUND;
    found->gr_name = "clouds"; found->gr_passwd = "x"; found->gr_gid = 4712; found->gr_mem = nobody;
    return NSS_STATUS_SUCCESS;
}
"#;

/// A service of theirs, which is not rendered.
const CONTRACT: &str = r#"schema = 1
extends = "quantum"
[services.cloud]
kind = "executable"
unit.name = "cloud.service"
user = "USER"
group = "clouds"
command = ["/usr/bin/sleep", "infinity"]
"#;

fn judged(host: &Host, user: &str) -> Report {
    host.machine.write("/root/cloud.toml", CONTRACT.replace("USER", user), 0o600, "root:root");
    let unit = format!("[Service]\nUser={user}\nGroup=clouds\nExecStart=/usr/bin/sleep infinity\n");
    host.machine.write("/etc/systemd/system/cloud.service", unit, 0o644, "root:root");
    host.sh("systemctl daemon-reload");
    let words = "golden --contract /root/cloud.toml audit --format json --rule account-missing --rule start-user-missing --rule start-group-missing";
    Report::of(&host.machine.run(&words.split(' ').collect::<Vec<_>>()))
}

pub(super) fn names(host: &Host) {
    let home = tempfile::tempdir().unwrap();
    let (source, module) = (home.path().join("elsewhere.c"), home.path().join("libnss_elsewhere.so.2"));
    std::fs::write(&source, MODULE).unwrap();
    let mut cc = std::process::Command::new("cc");
    cc.args(["-shared", "-fPIC", "-o"]).args([&module, &source]);
    assert!(cc.status().unwrap().success(), "the module does not compile");
    let place = "/usr/lib/x86_64-linux-gnu/libnss_elsewhere.so.2";
    host.machine.write(place, std::fs::read(&module).unwrap(), 0o644, "root:root");
    let sources = "passwd: files elsewhere\ngroup: files elsewhere\n";
    host.sh("cp -p /etc/nsswitch.conf /root/nsswitch.kept");
    host.machine.write("/etc/nsswitch.conf", sources, 0o644, "root:root");
    // systemd finds both, and so does golden.
    let report = judged(host, "cloud");
    assert_eq!((report.failures(), report.undecided()), (vec![], vec![]));
    host.sh("systemctl start cloud.service; systemctl stop cloud.service");
    // Whom nobody knows is missing now, and no longer undecided.
    let report = judged(host, "rain");
    assert!(report.fails("account-missing", "service:cloud", "/etc/passwd"), "{:#?}", report.failures());
    assert_eq!(report.undecided(), []);
    host.sh(&format!(
        "rm /etc/systemd/system/cloud.service {place}; mv /root/nsswitch.kept /etc/nsswitch.conf; systemctl daemon-reload"
    ));
}
