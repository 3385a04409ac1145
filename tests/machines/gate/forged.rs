//! What a forger would write into the stream. Nothing of it counts, nothing of it breaks the reader.

use super::events::{Event, healthy, now};
use super::{Case, Host, STREAM, text};

pub const CASES: &[(&str, Case)] = &[
    ("values that are no answers", values),
    ("values with newlines and numbered lines", newlines),
    ("fields and keys that stand there twice", twice),
    ("both shapes of an event", both_shapes),
    ("deep nesting", nesting),
    ("a hundred megabytes", huge),
    ("fields without number", many_fields),
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
    with(host, saying(b"\xff\xfe\x00".as_slice()), "it is not UTF-8 behind byte 0");
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

/// Which of two shapes a reader obeys is not known, so they must say the same.
fn both_shapes(host: &Host) {
    let mixed = |events: Vec<Event>| {
        let shaped = |(at, event): (usize, Event)| if at % 2 == 0 { event } else { event.in_payload() };
        events.into_iter().enumerate().map(shaped).collect::<Vec<_>>()
    };
    host.feed(&mixed(healthy(400, 60)));
    host.look(&[]).passes();
    let buy = "{\"momentum\":{\"action\":\"BUY\",\"confidence\":0.5}}";
    let sell = buy.replace("BUY", "SELL");
    let inside = |answers: &str| format!(" {{\"model_breakdown\":{answers}}}");
    let as_text = format!("{{\"model_breakdown\":{:?}}}", sell);
    for payload in [inside(&sell), inside("{}"), inside("7"), as_text, "{\"x\":NaN,".to_owned()] {
        with(host, saying(buy).with("payload", payload), "is malformed");
    }
    with(
        host,
        saying(buy).with("payload", inside(&sell)),
        "model_breakdown and payload hold different answers",
    );
    host.clean();
    let mut events = healthy(400, 60);
    for payload in [inside(buy), "{\"symbol\":\"X\"}".to_owned(), "a text".to_owned(), "[{}]".to_owned()] {
        events.push(saying(buy).with("payload", payload));
    }
    host.feed(&events);
    let look = host.look(&["--model", "momentum"]);
    look.passes();
    assert_eq!(look.board["events"]["malformed"], 0);
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
    stays_small(host, "a value of 100 MiB");
}

/// The gate's own memory, whatever lies in the stream.
fn stays_small(host: &Host, what: &str) {
    let measure = "import resource, subprocess, sys
subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)";
    let words = ["python3", "-c", measure, "golden", "--contract", "builtin:quantum", "gate", "--no-report"];
    let kilobytes: u64 = host.machine.ok(&words).trim().parse().unwrap();
    println!("      {} MiB resident with {what}", kilobytes >> 10);
    // A build without optimisation maps more of itself than a release does.
    assert!(kilobytes < 64 << 10, "{kilobytes} KiB");
}

/// A field takes room on the way though its name and its value are empty; half a million are the most that a server takes.
fn many_fields(host: &Host) {
    let event = |ms: u64, count: u32, name: &str| {
        let answer = "{\"momentum\":{\"action\":\"BUY\",\"confidence\":0.5}}";
        let event = Event::at(ms).with("model_breakdown", answer);
        (0..count).fold(event, |event, _| event.with(name, ""))
    };
    with(host, event(now() - 5_000, 500_000, ""), "more than 262144");
    with(host, event(now() - 5_000, 500_000, "x"), "more than 262144");
    with(host, event(now() - 5_000, 200_000, "model_breakdown"), "occurs twice");
    host.clean();
    host.feed(&healthy(400, 60));
    host.feed(&(0..60).map(|at| event(now() - 5_000 + at, 100_000, "")).collect::<Vec<_>>());
    let look = host.look(&["--model", "momentum", "--no-report"]);
    look.blocked("is malformed");
    assert_eq!(
        (&look.board["events"]["malformed"], &look.board["events"]["count"]),
        (&60.into(), &460.into())
    );
    stays_small(host, "six million fields");
    // No more is asked of the server at once than it can hold.
    let peak = host.machine.sh_ok("redis-cli INFO memory | grep -o 'used_memory_peak:[0-9]*' | cut -d: -f2");
    println!("      the server held at most {} MiB", peak.trim().parse::<u64>().unwrap() >> 20);
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
    for ahead in [3_600_000, 120_000, 1 << 60] {
        let event = Event::at(now() + ahead).with("model_breakdown", answer);
        with(host, event, "its id is from the future");
    }
    // A clock may differ a little.
    host.clean();
    host.feed(&healthy(400, 60));
    host.feed(&[Event::at(now() + 20_000).with("model_breakdown", answer)]);
    host.look(&["--model", "momentum"]).passes();
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
