//! Who may import whom, as a table. A room that reaches where it should not is a test failure, so the house
//! keeps the shape that ARCHITECTURE.md draws.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Room, and the rooms it may import. The first room whose path is a prefix of the file counts.
const TABLE: &[(&str, &[&str])] = &[
    ("main", &["cli"]),
    ("lib", &[]),
    ("model", &[]),
    ("statistics", &[]),
    ("syntax", &["model"]),
    ("systemd", &["model", "syntax"]),
    // From systemd what it would ignore of a demand.
    ("contract", &["model", "syntax", "systemd"]),
    // From systemd where units lie.
    ("system", &["model", "syntax", "systemd"]),
    ("ledger", &["system", "model"]),
    // From ledger only how its text is read.
    ("facts/gather", &["system", "ledger", "facts", "syntax", "systemd", "contract", "model"]),
    ("facts", &["syntax", "systemd", "contract", "model", "statistics"]),
    ("rules", &["facts", "contract", "syntax", "systemd", "model", "statistics"]),
    // From contract only what a draft of one is.
    ("adopt", &["contract", "facts", "facts/gather", "model", "syntax", "systemd", "system"]),
    ("policy", &["audit", "contract", "model"]),
    // From syntax and systemd only the word that a rule has looked at a value that is not known.
    ("audit", &["policy", "rules", "facts", "contract", "syntax", "systemd", "model"]),
    ("report", &["model"]),
    // From rules and policy only what each rule is about, for the documents.
    ("render", &["contract", "policy", "rules", "syntax", "model"]),
    ("plan", &["render", "ledger", "contract", "syntax", "systemd", "model", "system"]),
    // From report only how a failed proof is shown.
    ("operate", &["audit", "contract", "facts", "model", "plan", "render", "report", "rules", "system"]),
    (
        "safety",
        &["audit", "contract", "facts", "ledger", "model", "plan", "rules", "statistics", "syntax", "system"],
    ),
    ("rehearse", &["render", "contract", "system", "model", "systemd"]),
    ("run", &["audit", "contract", "facts", "model", "rules", "syntax", "systemd", "system"]),
    (
        "cli",
        &[
            "adopt", "audit", "contract", "facts", "ledger", "model", "operate", "policy", "plan",
            "rehearse", "render", "report", "rules", "run", "safety", "syntax", "system", "systemd",
        ],
    ),
];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// `crate::x::y` outside of comments and of test modules at the end of a file.
fn imports(text: &str) -> BTreeSet<String> {
    let code: String = text
        .split("#[cfg(test)]")
        .next()
        .unwrap_or("")
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .flat_map(|line| [line, "\n"])
        .collect();
    let mut found = BTreeSet::new();
    for mark in ["crate::", "golden::"] {
        for (at, _) in code.match_indices(mark) {
            let rest = &code[at + mark.len()..];
            let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            if !name.is_empty() {
                let inside = rest[name.len()..].strip_prefix("::").unwrap_or("");
                let next: String = inside.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                found.insert(if name == "facts" && next == "gather" {
                    "facts/gather".to_owned()
                } else {
                    name
                });
            }
        }
    }
    found
}

#[test]
fn every_room_imports_only_what_the_table_allows() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&source, &mut files);
    assert!(files.len() > 30, "the sources were not found");
    let mut offences = Vec::new();
    for file in files {
        let room = file.strip_prefix(&source).unwrap().with_extension("").display().to_string();
        // The generic test over all rules builds hosts; it is no rule.
        if room.starts_with("rules/tests") {
            continue;
        }
        let (_, allowed) = TABLE
            .iter()
            .find(|(prefix, _)| room == *prefix || room.starts_with(&format!("{prefix}/")))
            .unwrap_or_else(|| panic!("{room} stands in no room of the table"));
        let own = room.split('/').next().unwrap();
        for import in imports(&fs::read_to_string(&file).unwrap()) {
            // What the tests of a room share with the programs in tests/.
            if import == "skip" {
                continue;
            }
            let gather = import == "facts/gather";
            let fine = if gather {
                ["facts", "adopt", "cli", "run", "operate", "safety"].iter().any(|of| room.starts_with(of))
            } else {
                import == own || allowed.contains(&import.as_str())
            };
            if !fine {
                offences.push(format!("src/{room}.rs imports {import}"));
            }
        }
    }
    assert!(offences.is_empty(), "{offences:#?}");
}

#[test]
fn the_map_names_every_room_and_no_other() {
    let map = Path::new(env!("CARGO_MANIFEST_DIR")).join("ARCHITECTURE.md");
    let map = fs::read_to_string(map).unwrap();
    let drawn: BTreeSet<&str> =
        map.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    let rooms = TABLE.iter().map(|(room, _)| *room);
    let rooms: BTreeSet<&str> =
        rooms.filter(|room| !["main", "lib", "facts/gather"].contains(room)).collect();
    assert_eq!(drawn, rooms, "left: ARCHITECTURE.md, right: the table");
}

/// Nothing that a rule or a repository says becomes code: no source starts a shell or hands a text to one. The machine
/// script of rehearsals and tests is the product's own, and travels as a file.
#[test]
fn no_shell_is_started() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&source, &mut files);
    let mut offences = Vec::new();
    for file in files {
        let room = file.strip_prefix(&source).unwrap().display().to_string();
        let text = fs::read_to_string(&file).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap_or("");
        if room.starts_with("rules/tests") {
            continue;
        }
        // A call is words, and a shell takes its text after -c.
        for (at, line) in code.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//")) {
            let starts = ["\"/bin/sh\", \"-", "\"sh\", \"-c", "\"bash\", \"-c", "\"/bin/bash\", \"-"];
            if starts.iter().any(|start| line.contains(start)) {
                offences.push(format!("src/{room}:{}: {}", at + 1, line.trim()));
            }
        }
        // Programs are started in few places, each of which takes words.
        let homes = [
            "system/hand/program.rs",
            "system/act.rs",
            "system/os/python.rs",
            "system/os/getent.rs",
            "run/process.rs",
            "run/as_unit.rs",
            "run/supervise.rs",
        ];
        if code.contains("Command::new(") && !homes.contains(&room.as_str()) {
            offences.push(format!("src/{room} starts programs"));
        }
    }
    assert!(offences.is_empty(), "{offences:#?}");
}

#[test]
fn nothing_of_the_built_in_contract_is_hard_coded() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&source, &mut files);
    let mut offences = Vec::new();
    for file in files {
        let room = file.strip_prefix(&source).unwrap().display().to_string();
        if room.starts_with("contract/builtin") || room.contains("tests") {
            continue;
        }
        let text = fs::read_to_string(&file).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap_or("");
        for (number, line) in code.lines().enumerate() {
            // Manual pages show the built-in contract's host: they are documents and tests.
            if line.trim_start().starts_with("//") {
                continue;
            }
            for word in ["quantum", "qt", "6379"] {
                let alone = |at: usize| {
                    let before = line[..at].chars().next_back();
                    let after = line[at + word.len()..].chars().next();
                    let part = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
                    word == "quantum" || !(part(before) || part(after))
                };
                // The default of Redis itself.
                if word == "6379" && room == "syntax/redis_conf.rs" {
                    continue;
                }
                if line.match_indices(word).any(|(at, _)| alone(at)) {
                    offences.push(format!("src/{room}:{}: {}", number + 1, line.trim()));
                }
            }
        }
    }
    assert!(offences.is_empty(), "{offences:#?}");
}

/// A function of one idea has at most so many lines.
const MOST_LINES_OF_A_FUNCTION: usize = 60;

/// A file that a person can keep in mind has at most so many.
const MOST_LINES_OF_A_FILE: usize = 500;

/// What is longer today, with its lines: a number here may only fall, and an entry that is no longer needed must go.
const LONGER: &[(&str, usize)] = &[
    ("cli/deploy.rs run", 63),
    ("cli/model/activate.rs activate", 64),
    ("cli/model/activate.rs carry_out", 64),
    ("cli/model/shadow.rs shadow", 63),
    ("cli/plan.rs apply", 73),
    ("cli/rehearse.rs on_a_copy", 62),
    ("contract/diff/duties.rs duties", 68),
    ("contract/diff/duties.rs service", 64),
    ("contract/tests/arbitrary.rs line", 66),
    ("contract/tests/broken.rs", 540),
    ("facts/gather/libraries.rs", 511),
    ("facts/gather/repository.rs", 526),
    ("facts/gather/repository.rs clones", 81),
    ("facts/gather/units.rs", 555),
    ("model/change/mod.rs", 595),
    ("model/change/mod.rs words", 68),
    ("model/change/shell.rs shell", 131),
    ("plan/build.rs", 521),
    ("plan/draft/mod.rs", 532),
    ("plan/draft/mod.rs change", 86),
    ("rehearse/mod.rs scenes", 83),
    ("rules/tests/hostile.rs many_of_anything_take_time_in_proportion", 64),
    ("rules/tests/remedies.rs golden_leaves_to_a_person_what_could_do_harm", 117),
    ("rules/tests/remedies.rs golden_makes_the_smallest_change", 147),
    ("rules/tests/remedies_of_services.rs values_are_written_only_where_something_states_them", 62),
    ("system/hand/disk.rs walk", 69),
    ("system/manifest.rs directive", 96),
    ("systemd/value/enumeration.rs of", 85),
];

/// The functions of a text: name and number of lines. A function ends where its indentation comes back.
fn functions(text: &str) -> Vec<(String, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let bare = line.trim_start();
        let words = bare.strip_prefix("pub ").or_else(|| bare.split_once(") ").map(|(_, rest)| rest));
        let words = words.filter(|_| bare.starts_with("pub")).unwrap_or(bare);
        let words = ["const ", "async ", "unsafe "]
            .iter()
            .fold(words, |words, word| words.strip_prefix(word).unwrap_or(words));
        let Some(name) = words.strip_prefix("fn ") else { continue };
        let name = name.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        // What a trait only asks for has no body.
        let signature = lines.iter().skip(at).find(|line| line.ends_with(['{', ';', '}']));
        if signature.is_some_and(|line| line.ends_with(';')) {
            continue;
        }
        let end = format!("{}}}", &line[..line.len() - bare.len()]);
        let is_end = |(_, line): &(usize, &&str)| **line == end;
        let last = if bare.ends_with('}') { Some(at) } else { None };
        let last = last.or_else(|| lines.iter().enumerate().skip(at).find(is_end).map(|(last, _)| last));
        found.push((name, last.map_or(1, |last| last - at + 1)));
    }
    found
}

#[test]
fn functions_and_files_stay_small() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&source, &mut files);
    let mut long = Vec::new();
    for file in files {
        let name = file.strip_prefix(&source).unwrap().display().to_string();
        let text = fs::read_to_string(&file).unwrap();
        let of_functions = functions(&text).into_iter();
        let of_functions = of_functions.filter(|(_, lines)| *lines > MOST_LINES_OF_A_FUNCTION);
        long.extend(of_functions.map(|(function, lines)| (format!("{name} {function}"), lines)));
        let lines = text.lines().count();
        long.extend((lines > MOST_LINES_OF_A_FILE).then_some((name, lines)));
    }
    long.sort();
    let allowed = |name: &str| LONGER.iter().find(|(other, _)| *other == name).map(|(_, lines)| *lines);
    let grown: Vec<_> =
        long.iter().filter(|(name, lines)| allowed(name).is_none_or(|most| *lines > most)).collect();
    assert!(grown.is_empty(), "longer than they may be, cut them: {grown:#?}");
    let needless: Vec<_> =
        LONGER.iter().filter(|(name, _)| !long.iter().any(|(other, _)| other == name)).collect();
    assert!(needless.is_empty(), "short enough now, take the entry out: {needless:#?}");
}

#[test]
fn the_lines_of_a_function_are_counted() {
    let text = "impl A {\n    pub(crate) const fn one() {\n        let x = 1;\n    }\n}\nfn two() {}\n";
    assert_eq!(functions(text), [("one".to_owned(), 3), ("two".to_owned(), 1)]);
}

#[test]
fn every_dependency_is_used() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let manifest = fs::read_to_string(root.join("Cargo.toml")).unwrap();
    let (mut files, mut section) = (Vec::new(), "");
    sources(&root.join("src"), &mut files);
    sources(&root.join("tests"), &mut files);
    let text: String = files.iter().map(|file| fs::read_to_string(file).unwrap()).collect();
    let (mut unused, mut seen) = (Vec::new(), 0);
    for line in manifest.lines() {
        section = if line.starts_with('[') { line } else { section };
        let Some((name, _)) = line.split_once(" = ").filter(|_| section.ends_with("dependencies]")) else {
            continue;
        };
        seen += 1;
        let crate_name = name.replace('-', "_");
        let is_named = |after: &str| text.contains(&format!("{crate_name}{after}"));
        unused.extend((!is_named("::") && !is_named("!")).then_some(name));
    }
    assert!(seen > 15, "the dependencies were not found: {seen}");
    assert!(unused.is_empty(), "in Cargo.toml, and used nowhere: {unused:?}");
}

/// What golden is linked from may be passed on with it.
#[test]
fn licences_allow_what_golden_is_for() {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let target = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let asked = ["metadata", "--format-version", "1", "--offline", "--locked", "--filter-platform", &target];
    let told = std::process::Command::new(cargo)
        .args(asked)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let told: serde_json::Value = serde_json::from_slice(&told.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&told.stderr)));
    let allowed = [
        "MIT",
        "Apache-2.0",
        "BSD-2-Clause",
        "BSD-3-Clause",
        "ISC",
        "Zlib",
        "Unicode-3.0",
        "BSL-1.0",
        "Unlicense",
        "0BSD",
        "CC0-1.0",
    ];
    let packages = told["packages"].as_array().unwrap();
    assert!(packages.len() > 50);
    let is_allowed = |licence: &str| {
        let each = licence.split(" AND ").map(|part| part.trim_matches(['(', ')']));
        each.into_iter().all(|part| part.split([' ', '/', '(', ')']).any(|word| allowed.contains(&word)))
    };
    let others: Vec<String> = packages
        .iter()
        .filter(|package| !is_allowed(package["license"].as_str().unwrap_or_default()))
        .map(|package| format!("{}: {}", package["name"], package["license"]))
        .collect();
    assert!(others.is_empty(), "{others:#?}");
}

/// A file of tests that no program names would never run.
#[test]
fn every_file_of_the_tests_is_a_module() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let mut files = Vec::new();
    sources(&tests, &mut files);
    assert!(files.len() > 40, "the tests were not found");
    let mut forgotten = Vec::new();
    for file in files.iter().filter(|file| !file.ends_with("main.rs") && !file.ends_with("support/mod.rs")) {
        let folder = file.parent().unwrap();
        // A file that is called like its folder, or the root of its program.
        let parents = [folder.with_extension("rs"), folder.join("main.rs"), folder.join("mod.rs")];
        let name = file.file_stem().unwrap().to_str().unwrap();
        let names = |parent: &PathBuf| {
            let text = fs::read_to_string(parent).unwrap_or_default();
            text.lines().any(|line| line.trim_start_matches("pub ") == format!("mod {name};"))
        };
        if !parents.iter().any(names) {
            forgotten.push(file.strip_prefix(&tests).unwrap().display().to_string());
        }
    }
    assert!(forgotten.is_empty(), "no `mod` names them in tests/quick or tests/machines: {forgotten:#?}");
}
