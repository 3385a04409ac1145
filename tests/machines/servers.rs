//! The servers that services rely on, as Debian packages them: asked by golden on a booted machine, each well and each in
//! the ways in which it is not there.

use crate::support::machine::{Image, Machine, Suite, skipped};
use crate::support::report::Report;

/// Names, keys and values of the contract's dependencies.
const CONTRACT: &str = r#"
schema = 1
[contract]
name = "servers"
version = "1"

[identity]
user = "orders"
group = "orders"

[services.orders]
kind = "executable"
command = ["/usr/bin/sleep"]
requires = ["forked", "role", "orders", "postgres-tcp", "shop", "shop-socket", "queue", "sessions", "front", "mysql-port", "admin"]

[dependencies.forked]
kind = "unix"
unit = "forked.service"
address = "/run/forked.sock"

[dependencies.orders]
kind = "postgres"
unit = "postgresql@15-main.service"
address = "/run/postgresql/.s.PGSQL.5432"
role = "orders"
database = "orders"

[dependencies.role]
kind = "postgres"
unit = "postgresql@15-main.service"
address = "/run/postgresql/.s.PGSQL.5432"
role = "worker"

[dependencies.postgres-tcp]
kind = "postgres"
unit = "postgresql@15-main.service"
address = "127.0.0.1:5432"

[dependencies.shop]
kind = "mysql"
unit = "mariadb.service"
address = "127.0.0.1:3306"

[dependencies.shop-socket]
kind = "mysql"
unit = "mariadb.service"
address = "/run/mysqld/mysqld.sock"

[dependencies.queue]
kind = "rabbitmq"
unit = "rabbitmq-server.service"
address = "127.0.0.1:5672"

[dependencies.sessions]
kind = "memcached"
unit = "memcached.service"
address = "127.0.0.1:11211"

[dependencies.front]
kind = "http"
unit = "nginx.service"
address = "127.0.0.1:80"
get = "/"
status = 200

[dependencies.mysql-port]
kind = "tcp"
unit = "mariadb.service"
address = "127.0.0.1:3306"

[dependencies.admin]
kind = "unix"
unit = "mariadb.service"
address = "/run/mysqld/mysqld.sock"
"#;

/// Listens, and leaves the socket to a child.
const FORKED: &str = r#"#!/usr/bin/perl
use IO::Socket::UNIX;
my $server = IO::Socket::UNIX->new(Local => '/run/forked.sock', Listen => 5) or die;
exit 0 if fork;
while (my $client = $server->accept) { close $client }
"#;

const FORKED_UNIT: &str = "[Service]\nType=forking\nExecStart=/usr/local/bin/forked\n";

/// A place, and words that are said of it.
type Expected = (&'static str, &'static str);

/// What is done to the host, the way back, and what is said then of which dependencies.
const BREAKS: &[(&str, &str, &[Expected])] = &[
    (
        "su postgres -c 'psql -qc \"alter database orders rename to gone\"'",
        "su postgres -c 'psql -qc \"alter database gone rename to orders\"'",
        &[("/run/postgresql/.s.PGSQL.5432", "database \"orders\" does not exist (3D000)")],
    ),
    (
        "su postgres -c 'psql -qc \"alter role orders nologin\"'",
        "su postgres -c 'psql -qc \"alter role orders login\"'",
        &[("/run/postgresql/.s.PGSQL.5432", "role \"orders\" is not permitted to log in (28000)")],
    ),
    (
        "systemctl stop memcached nginx",
        "systemctl start memcached nginx",
        &[
            ("127.0.0.1:11211", "no process takes the connection"),
            ("127.0.0.1:80", "no process takes the connection"),
        ],
    ),
    (
        "mv /etc/nginx/sites-enabled/default /root/; printf 'server { listen 80; return 503; }' \
         >/etc/nginx/sites-enabled/busy; systemctl reload nginx; sleep 1",
        "rm /etc/nginx/sites-enabled/busy; mv /root/default /etc/nginx/sites-enabled/; systemctl reload nginx; sleep 1",
        &[("127.0.0.1:80", "answers GET / with 503")],
    ),
    (
        "systemctl stop mariadb",
        "systemctl start mariadb",
        &[
            ("127.0.0.1:3306", "no process takes the connection"),
            ("127.0.0.1:3306", "no process takes the connection"),
            ("/run/mysqld/mysqld.sock", "no process takes the connection"),
            ("/run/mysqld/mysqld.sock", "no process takes the connection"),
        ],
    ),
    (
        "HOME=/root rabbitmqctl -q stop_app",
        "HOME=/root rabbitmqctl -q start_app",
        &[("127.0.0.1:5672", "no process takes the connection")],
    ),
];

fn audit(machine: &Machine) -> Report {
    Report::of(&machine.run(&["golden", "--contract", "/root/servers.toml", "audit", "--format", "json"]))
}

/// The place and the words of what is said of servers, sorted.
fn said(report: &Report) -> Vec<(String, String)> {
    let of_servers = report.failures().into_iter().filter(|said| said.rule == "dependency-not-answering");
    let mut said: Vec<_> = of_servers.map(|said| (said.place.clone(), said.message.clone())).collect();
    said.sort();
    said
}

#[test]
fn servers_are_asked_by_their_own_protocols() {
    if skipped() {
        return;
    }
    let machine = Machine::boot(Image::Servers, Suite::Bookworm, &[]);
    let program = std::fs::read(env!("CARGO_BIN_EXE_golden")).unwrap();
    machine.write("/usr/local/bin/golden", program, 0o755, "root:root");
    machine.write("/root/servers.toml", CONTRACT, 0o600, "root:root");
    machine.write("/usr/local/bin/forked", FORKED, 0o755, "root:root");
    machine.write("/etc/systemd/system/forked.service", FORKED_UNIT, 0o644, "root:root");
    machine.sh_ok(
        "useradd --system orders; useradd --system worker; systemctl daemon-reload; systemctl start forked
         systemctl start postgresql mariadb rabbitmq-server memcached nginx
         su postgres -c 'createuser worker && createuser orders && createdb -O orders orders'",
    );
    let healthy = audit(&machine);
    assert_eq!(said(&healthy), [], "{:#?}", healthy.failures());
    assert_eq!(healthy.outcomes("dependency-not-answering"), ["pass"; 11]);
    for (shell, back, expected) in BREAKS {
        machine.sh_ok(shell);
        let found = said(&audit(&machine));
        machine.sh_ok(back);
        let mut expected: Vec<(&str, &str)> = expected.to_vec();
        expected.sort_unstable();
        assert_eq!(found.len(), expected.len(), "{shell}: {found:#?}");
        for ((place, message), (at, words)) in found.iter().zip(expected) {
            assert!(place == at && message.contains(words), "{shell}: {place}: {message}");
        }
    }
    another_in_its_place(&machine);
    assert_eq!(said(&audit(&machine)), []);
}

/// Says what memcached would say.
const STRANGER: &str = r#"#!/usr/bin/perl
use IO::Socket::INET;
my $server = IO::Socket::INET->new(LocalAddr => '127.0.0.1:11211', Listen => 5, ReuseAddr => 1) or die;
while (my $client = $server->accept) { sysread($client, my $asked, 99); print $client "VERSION 1.6.18\r\n"; close $client }
"#;

/// What a stranger answers in a server's stead is not believed.
fn another_in_its_place(machine: &Machine) {
    machine.write("/usr/local/bin/stranger", STRANGER, 0o755, "root:root");
    machine.sh_ok("systemctl stop memcached; systemd-run -q --unit stranger /usr/local/bin/stranger");
    machine.wait_until("the stranger listens", "ss -Hltn 'sport = :11211' | grep -q .");
    let report = audit(machine);
    let undecided = report.undecided();
    machine.sh("systemctl stop stranger; systemctl start memcached");
    let is_said = |message: &str| message.contains("a process that is not of memcached.service");
    assert!(undecided.iter().any(|said| is_said(&said.message)), "{undecided:#?}");
}
