//! What a forger would write into the stream. Nothing of it counts, nothing of it breaks the reader.

use super::events::{Event, healthy, now};
use super::{Case, Host, STREAM, text};

pub const CASES: &[(&str, Case)] = &[
    ("values that are no answers", values),
    ("values with newlines and numbered lines", newlines),
    ("fields and keys that stand there twice", twice),
    ("deep nesting", nesting),
    ("a hundred megabytes", huge),
    ("a key of another type", another_type),
    ("ids from the future", future),
    ("an exception for the evidence", waived),
];

/// Healthy events and one more, which must be named by its id.
fn with(host: &Host, event: Event, because: &str) {
    host.clean();
    let mut events = healthy(400, 60);
    events.push(event);
    host.feed(&events);
    let id = host.machine.ok(&["redis-cli", "--raw", "XREVRANGE", STREAM, "+", "-", "COUNT", "1"]);
    let id = id.lines().next().unwrap().to_owned();
    let look = host.look(&["--model", "momentum", "--no-report"]);
    look.blocked(because);
    look.blocked(&format!("event {id} is malformed"));
    assert_eq!(look.board["events"]["malformed"], 1);
}

fn saying(json: impl AsRef<[u8]>) -> Event {
    Event::at(now() - 5_000).with("model_breakdown", json)
}

fn values(host: &Host) {
    for (value, because) in [
        ("NaN", "NaN is not a number"),
        ("Infinity", "Infinity is not a number"),
        ("1e6", "not from 0 to 1"),
        ("-1e6", "not from 0 to 1"),
        ("true", "boolean"),
        ("\"0.9\"", "string"),
        ("null", "null"),
    ] {
        with(
            host,
            saying(format!("{{\"momentum\":{{\"action\":\"BUY\",\"confidence\":{value}}}}}")),
            because,
        );
    }
    for (json, because) in [
        ("[{\"action\":\"BUY\",\"confidence\":0.5}]", "expected an object"),
        ("{\"momentum\":{\"action\":\"buy\",\"confidence\":0.5}}", "unknown action"),
        ("{\"momentum\":{\"action\":\"SHORT\",\"confidence\":0.5}}", "unknown action"),
        ("{}", "it names no model"),
        ("", "EOF"),
        ("{\"momentum\":", "EOF"),
    ] {
        with(host, saying(json), because);
    }
    with(host, saying(b"\xff\xfe\x00".as_slice()), "expected value");
    with(host, Event::at(now() - 5_000).with("payload", "{\"model_breakdown\":7}"), "expected an object");
    with(host, Event::at(now() - 5_000).with("other", "x"), "it has no model_breakdown");
}

fn newlines(host: &Host) {
    let forged =
        "1) 1) \"9999999999999-0\"\n   2) 1) \"model_breakdown\"\n      2) \"{}\"\r\n*1\r\n$3\r\nfoo\r\n";
    let mut events = healthy(400, 60);
    events.push(healthy(1, 5).remove(0).with("note", forged).with(forged, forged));
    host.feed(&events);
    let look = host.look(&[]);
    look.passes();
    assert_eq!(look.board["events"]["count"], 401);
}

fn twice(host: &Host) {
    let one = "{\"momentum\":{\"action\":\"BUY\",\"confidence\":0.5}}";
    with(host, saying(one).with("model_breakdown", one), "occurs twice");
    let models = "{\"momentum\":{\"action\":\"BUY\",\"confidence\":0.5},\"momentum\":{\"action\":\"SELL\",\"confidence\":0.1}}";
    with(host, saying(models), "occurs twice");
    let keys = "{\"momentum\":{\"action\":\"BUY\",\"confidence\":0.5,\"confidence\":0.9}}";
    with(host, saying(keys), "occurs twice");
}

fn nesting(host: &Host) {
    with(host, saying("[".repeat(60_000)), "is malformed");
    with(host, saying(format!("{{\"m\":{{\"x\":{}", "{\"a\":".repeat(12_000))), "recursion limit");
}

/// Passed over without being held: the reader stays small.
fn huge(host: &Host) {
    let hundred = vec![b'x'; 100 << 20];
    with(host, saying(&hundred), "holds 104857600 bytes");
    with(host, healthy(1, 5).remove(0).with("note", &hundred), "more than 262144");
    let measure = "import resource, subprocess, sys
subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)";
    let words = ["python3", "-c", measure, "golden", "--contract", "builtin:quantum", "gate", "--no-report"];
    let kilobytes: u64 = host.machine.ok(&words).trim().parse().unwrap();
    println!("      {} MiB resident with a value of 100 MiB", kilobytes >> 10);
    // A build without optimisation maps more of itself than a release does.
    assert!(kilobytes < 64 << 10, "{kilobytes} KiB");
}

fn another_type(host: &Host) {
    for (command, kind) in [
        (["SET", STREAM, "1"].as_slice(), "string"),
        (["LPUSH", STREAM, "1"].as_slice(), "list"),
        (["HSET", STREAM, "a", "1"].as_slice(), "hash"),
    ] {
        host.machine.ok(&["redis-cli", "DEL", STREAM]);
        host.machine.ok(&[&["redis-cli"], command].concat());
        host.look(&["--model", "momentum"]).blocked(&format!("holds a {kind}"));
    }
}

fn future(host: &Host) {
    let answer = "{\"momentum\":{\"action\":\"BUY\",\"confidence\":0.5}}";
    with(host, Event::at(now() + 3_600_000).with("model_breakdown", answer), "its id is from the future");
}

/// No exception makes evidence of nothing.
fn waived(host: &Host) {
    let waiver = |rule: &str, subject: &str| {
        format!(
            "[[waivers]]\nrule = \"{rule}\"\nsubject = \"{subject}\"\nreason = \"r\"\nowner = \"o\"\nexpires = 2099-12-31\n"
        )
    };
    let contract = format!(
        "schema = 1\nextends = \"quantum\"\n{}{}{}",
        waiver("model-events-too-few", "model:momentum"),
        waiver("model-telemetry-missing", "model:momentum"),
        waiver("model-stream-empty", "host")
    );
    host.machine.write("/etc/golden/waived.toml", contract, 0o644, "root:root");
    let look = || {
        let words =
            ["golden", "--contract", "/etc/golden/waived.toml", "gate", "--no-report", "--model", "momentum"];
        host.machine.run(&words)
    };
    let nothing = look();
    assert_eq!(nothing.status.code(), Some(2), "{}", text(&nothing.stdout));
    host.feed(&healthy(150, 5));
    let few = look();
    assert_eq!(few.status.code(), Some(2), "{}", text(&few.stdout));
    assert!(text(&few.stdout).contains("waived until 2099-12-31"), "{}", text(&few.stdout));
}
