//! What golden does not judge is said once, of a host that has it, and of no other.

use crate::support::starts;

use golden::system::{MemorySystem, manifest};

/// The notes of a report on the field's host with changes.
fn notes(changes: &str) -> Vec<String> {
    let mut host = MemorySystem::from_manifest(include_str!("../field/base.host")).unwrap();
    let unit = "file /etc/systemd/system/a.service root:root 0644\n| [Service]\n| User=app\n| ExecStart=/usr/bin/true\n| ReadWritePaths=/srv/app\n";
    manifest::apply(&mut host, unit).unwrap();
    manifest::apply(&mut host, changes).unwrap();
    let contract = starts::contract("[services.a]\nkind = \"executable\"\nunit.name = \"a.service\"\n");
    starts::report(&host, &contract).notes
}

#[test]
fn a_host_without_any_of_it_says_nothing() {
    let none: Vec<String> = Vec::new();
    assert_eq!(notes(""), none);
    assert_eq!(notes("dir /etc/apparmor.d/local root:root 0755\n"), none);
    for mode in ["permissive", "disabled"] {
        assert_eq!(notes(&format!("file /etc/selinux/config root:root 0644\n| SELINUX={mode}\n")), none);
    }
    assert_eq!(notes("dir /var/lib/systemd/linger root:root 0755\n"), none);
    // What no service needs is nobody's concern here.
    assert_eq!(notes("dir /srv/elsewhere root:root 0755\nacl /srv/elsewhere\n"), none);
}

#[test]
fn each_is_named_with_its_place() {
    let one = |changes: &str, says: &[&str]| {
        let notes = notes(changes);
        assert!(notes.len() == 1 && says.iter().all(|word| notes[0].contains(word)), "{notes:?}");
    };
    let selinux = "file /etc/selinux/config root:root 0644\n| # SELINUX=disabled\n| SELINUX=enforcing\n| SELINUXTYPE=targeted\n";
    one(selinux, &["SELinux is enforcing", "/etc/selinux/config"]);
    one("file /etc/apparmor.d/usr.sbin.named root:root 0644\n| x\n", &["AppArmor", "/etc/apparmor.d"]);
    one(
        "file /var/lib/systemd/linger/bob root:root 0644\n",
        &["units of users", "/var/lib/systemd/linger/bob"],
    );
    one("acl /srv/app\n", &["/srv/app has an access control list", "getfacl -- /srv/app"]);
    one("acl /srv/app\nacl /srv\n", &["/srv and 1 more have access control lists"]);
}
