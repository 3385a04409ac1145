//! Documents that are made from what they describe are fresh, and no document points at nothing.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use golden::model::{RuleInfo, Section, Severity};
use golden::rules::{RULES, see};

/// The documents that are written by hand.
const DOCUMENTS: [&str; 9] = [
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "docs/contract-file.md",
    "docs/glossary.md",
    "docs/rehearsal.md",
    "docs/wrapper.md",
    "examples/quantum_trader/README.md",
];

/// The rule that CONTRIBUTING.md writes as an example; it is in no list.
const EXAMPLE: &str = "unit-niced-below-zero";

fn tree(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn rules_page() -> String {
    let mut page =
        "# Rules\n\nMade from the rules themselves: `make docs`. `golden explain RULE` shows one.\n"
            .to_owned();
    for section in Section::ALL {
        let mut rules: Vec<_> =
            RULES.iter().map(|rule| &rule.info).filter(|info| info.section == *section).collect();
        if rules.is_empty() {
            continue;
        }
        rules.sort_by_key(|info| info.id);
        let _ = writeln!(page, "\n## {section}. {}", section.title());
        for info in rules {
            let level = if info.severity == Severity::Must { "must" } else { "should" };
            let _ = writeln!(page, "\n### {}\n\n*{level}* · because {}.\n", info.id, info.why);
            let (prose, blocks) = info.doc.split_once("```").unwrap_or((info.doc, ""));
            for line in prose.lines() {
                let _ = writeln!(page, "{}", line.strip_prefix(' ').unwrap_or(line));
            }
            write_remedy(&mut page, info);
            let blocks = if blocks.is_empty() { String::new() } else { format!("```{blocks}") };
            for line in blocks.lines() {
                let line = line.strip_prefix(' ').unwrap_or(line);
                let line = if line.starts_with("```bad") || line.starts_with("```good") {
                    format!(
                        "{}:\n\n```text",
                        if line.starts_with("```bad") { "Breaks it" } else { "Does not break it" }
                    )
                } else {
                    line.to_owned()
                };
                let _ = writeln!(page, "{line}");
            }
        }
    }
    page
}

/// How a defect is seen and mended, what describes it, and since when there is a rule.
fn write_remedy(page: &mut String, info: &RuleInfo) {
    let _ = writeln!(page, "See it by hand:\n\n```sh");
    for command in info.see {
        let _ = writeln!(page, "{}", see::filled(command, &see::Values::new()));
    }
    let since = if info.since == "unreleased" { "the next release" } else { info.since };
    let man = info.man.join(", ");
    let _ = writeln!(page, "```\n\nMend it: {}\n\nManual: {man}. Since {since}.\n", info.mend);
}

/// What makes all generated documents anew.
const UPDATE: &str = "make docs";

/// Whether documents are made anew before they are held against what they are made of.
fn is_updating() -> bool {
    std::env::var_os("UPDATE_DOCS").is_some()
}

#[test]
fn the_page_of_all_rules_is_fresh() {
    let path = tree("docs/rules.md");
    let page = rules_page();
    if is_updating() {
        std::fs::write(&path, &page).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == page, "docs/rules.md is stale: {UPDATE}");
}

#[test]
fn no_document_points_at_nothing() {
    let mut dead = Vec::new();
    for document in DOCUMENTS {
        let text = std::fs::read_to_string(tree(document)).unwrap();
        let folder = tree(document).parent().unwrap().to_owned();
        for (at, _) in text.match_indices("](") {
            let target = text[at + 2..].split([')', '#']).next().unwrap();
            if !target.is_empty() && !target.contains("://") && !folder.join(target).exists() {
                dead.push(format!("{document}: {target}"));
            }
        }
        // What golden says of another repository is none of this one.
        let said = |line: &&str| line.starts_with("   golden render ");
        let text: String = text.lines().filter(|line| !said(line)).flat_map(|line| [line, "\n"]).collect();
        for word in text.split(|c: char| c.is_whitespace() || "`()".contains(c)) {
            let is_path = ["src/", "tests/", "tools/", "demo/", "docs/", "examples/"]
                .iter()
                .any(|root| word.starts_with(root));
            let word = word.trim_end_matches(['.', ',', ':', ';', '/']);
            if is_path
                && !word.contains(['*', '<', '{', '|'])
                && !word.contains("my_defect")
                && !tree(word).exists()
            {
                dead.push(format!("{document}: {word}"));
            }
        }
    }
    assert!(dead.is_empty(), "{dead:#?}");
}

#[test]
fn every_make_target_of_the_readme_exists() {
    let makefile = std::fs::read_to_string(tree("Makefile")).unwrap();
    let readme = std::fs::read_to_string(tree("README.md")).unwrap();
    let mut named = 0;
    for (at, _) in readme.match_indices("make ") {
        let target: String =
            readme[at + 5..].chars().take_while(|c| c.is_ascii_lowercase() || *c == '-').collect();
        if readme[..at].ends_with(['`', ' ']) && !target.is_empty() && readme[..at].ends_with('`') {
            named += 1;
            assert!(makefile.contains(&format!("\n{target}:")), "make {target}");
        }
    }
    assert!(named >= 2);
}

/// What stands behind each occurrence of `mark`, as far as it could be a rule's id or a verb.
fn words_after<'a>(text: &'a str, mark: &'a str) -> impl Iterator<Item = &'a str> {
    text.match_indices(mark).map(|(at, mark)| {
        let rest = &text[at + mark.len()..];
        let end = rest.find(|c: char| !(c.is_ascii_lowercase() || c == '-')).unwrap_or(rest.len());
        &rest[..end]
    })
}

#[test]
fn every_rule_that_a_document_names_exists() {
    let mut named = 0;
    let mut unknown = Vec::new();
    let beside = ["demo/run", "examples/contracts/web.toml", "src/contract/builtin/quantum.toml"];
    for document in DOCUMENTS.iter().chain(&beside) {
        let text = std::fs::read_to_string(tree(document)).unwrap();
        let marks = ["rule = \"", "\"rule\": \"", "--rule ", "explain "];
        let marked = marks.iter().flat_map(|mark| words_after(&text, mark));
        // The line of a result in a report ends with its rule.
        let report = text
            .lines()
            .filter(|line| ["   ✗ ", "   ! ", "   ~ ", "   ? "].iter().any(|mark| line.starts_with(mark)));
        for id in marked.chain(report.filter_map(|line| line.split_whitespace().last())) {
            if id.contains('-') && !id.starts_with('-') && id != EXAMPLE {
                named += 1;
                if golden::rules::Rule::find(id).is_none() {
                    unknown.push(format!("{document}: {id}"));
                }
            }
        }
    }
    assert!(unknown.is_empty(), "{unknown:#?}");
    assert!(named >= 6, "{named}");
}

/// A way out that names a verb which this version has not got is no way out.
#[test]
fn every_verb_that_a_rule_or_document_names_exists() {
    let mut texts: Vec<(String, String)> = Vec::new();
    for document in DOCUMENTS.iter().filter(|name| !name.starts_with("examples/")) {
        let text = std::fs::read_to_string(tree(document)).unwrap();
        // What is not there yet is named there as such.
        let there = text.split("## What it does not do").next().unwrap_or_default();
        texts.push(((*document).to_owned(), there.to_owned()));
    }
    for folder in ["host", "service", "model", "repository"] {
        for entry in std::fs::read_dir(tree("src/rules").join(folder)).unwrap() {
            let path = entry.unwrap().path();
            texts.push((path.display().to_string(), std::fs::read_to_string(&path).unwrap()));
        }
    }
    let help = std::process::Command::new(env!("CARGO_BIN_EXE_golden")).arg("--help").output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let verbs = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let verbs = verbs.take_while(|line| !line.is_empty()).filter(|line| !line.starts_with("   "));
    let known: Vec<&str> = verbs.filter_map(|line| line.split_whitespace().next()).collect();
    assert!(known.len() > 10, "{help}");
    let mut unknown = Vec::new();
    for (name, text) in &texts {
        for verb in ["`golden ", "$ golden ", "sudo golden "].iter().flat_map(|mark| words_after(text, mark))
        {
            if !verb.is_empty() && !verb.starts_with('-') && !known.contains(&verb) {
                unknown.push(format!("{name}: golden {verb}"));
            }
        }
    }
    assert!(unknown.is_empty(), "{unknown:#?}");
    let readme = std::fs::read_to_string(tree("README.md")).unwrap();
    for verb in known {
        assert!(readme.contains(&format!("`golden {verb}")), "the readme does not name golden {verb}");
    }
}

/// Every command of golden in a rendered document, as its words: in code of a line, in blocks, in comments of a unit.
fn commands(text: &str) -> Vec<Vec<&str>> {
    let mut found = Vec::new();
    for mark in ["`golden ", "sudo golden ", "\ngolden ", "  golden ", "; golden "] {
        for (at, mark) in text.match_indices(mark) {
            let rest = &text[at + mark.len()..];
            let end = rest.find(['`', '\n', ';', ',', '(']).unwrap_or(rest.len());
            let mut words: Vec<&str> = rest[..end].split_whitespace().collect();
            // Which contract is meant is said before the verb.
            while let Some(skipped) = words.first().and_then(|word| match *word {
                "--contract" => Some(2),
                "--quiet" => Some(1),
                _ => None,
            }) {
                words.drain(..skipped.min(words.len()));
            }
            found.push(words);
        }
    }
    found
}

/// What a reader is told to type exists, with the verbs and options that are named.
#[test]
fn every_command_of_a_rendered_document_exists() {
    let web = std::fs::read_to_string(tree("examples/contracts/web.toml")).unwrap();
    let web = golden::contract::Contract::parse(&web, "golden.toml", false, &|_| Err(String::new())).unwrap();
    let mut helps: std::collections::BTreeMap<Vec<&str>, String> = Default::default();
    let texts: Vec<String> = [golden::contract::Contract::built_in(), web]
        .iter()
        .flat_map(golden::render::documents)
        .map(|artefact| artefact.content)
        .collect();
    let mut named = 0;
    for words in texts.iter().flat_map(|text| commands(text)) {
        let has_sub = matches!(words[0], "contract" | "service" | "model");
        let verb = words[..if has_sub { 2 } else { 1 }].to_vec();
        if verb == ["VERB"] {
            continue;
        }
        let help = helps.entry(verb.clone()).or_insert_with(|| {
            let asked =
                std::process::Command::new(env!("CARGO_BIN_EXE_golden")).args(&verb).arg("--help").output();
            let asked = asked.unwrap();
            assert!(asked.status.success(), "golden {}", verb.join(" "));
            String::from_utf8(asked.stdout).unwrap()
        });
        // What stands in quotes is for another program.
        let own = words.iter().take_while(|word| !word.starts_with('"'));
        for option in own.filter(|word| word.starts_with("--")) {
            named += 1;
            assert!(help.contains(*option), "golden {} has no {option}", verb.join(" "));
        }
    }
    assert!(helps.len() > 10 && named > 10, "{} verbs, {named} options", helps.len());
}

/// Phrases that made readers stumble, with what to write instead.
const RIDDLES: [(&str, &str); 21] = [
    ("nobody", "no user, no process, or a passive: was not looked at"),
    ("whoever", "a user who"),
    ("somebody", "another user, or a passive"),
    ("someone", "a user"),
    ("anybody", "any user"),
    ("everybody", "all users"),
    ("is no", "is not a"),
    ("are no", "are not"),
    ("is none of", "is not one of"),
    ("another rule's word", "reported by RULE"),
    ("another rule reports", "reported by RULE"),
    ("a person must", "the order itself: choose a value"),
    ("a person decides", "decide"),
    ("as whom", "as which user"),
    ("and its kin", "and similar"),
    ("and their kin", "and similar"),
    ("and its like", "and similar"),
    ("anew", "again"),
    ("of root's", "that root owns"),
    ("takes over", "an attacker who controls"),
    ("at the worst moment", "when it is needed"),
];

/// The phrases of [`RIDDLES`] in a text. What stands in quotation marks or backticks is a name, such as that of an account.
fn riddles(text: &str) -> Vec<String> {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
    let mut found = Vec::new();
    for (phrase, instead) in RIDDLES {
        for (at, _) in text.match_indices(phrase) {
            let (before, after) = (&text[..at], &text[at + phrase.len()..]);
            let is_inside = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || "_-".contains(c));
            let is_name =
                before.ends_with(['"', '`']) && after.trim_start_matches('\\').starts_with(['"', '`']);
            // "There is no terminal" and "is no longer" are plain.
            let is_plain = (phrase.ends_with(" no") && before.ends_with("there "))
                || (phrase == "is no" && after.starts_with(" longer"));
            if !is_inside(before.chars().last()) && !is_inside(after.chars().next()) && !is_name && !is_plain
            {
                let start = before.char_indices().rev().nth(40).map_or(0, |(start, _)| start);
                let end = after.char_indices().nth(40).map_or(after.len(), |(end, _)| end);
                found.push(format!("{}[{phrase}]{}: write {instead}", &before[start..], &after[..end]));
            }
        }
    }
    found
}

/// The string literals of a source file, without comments and without the tests at its end.
fn literals(source: &str) -> Vec<String> {
    let code = source.split("#[cfg(test)]").next().unwrap_or("");
    let (mut rest, mut found) = (code, Vec::new());
    while let Some(c) = rest.chars().next() {
        let next = &rest[c.len_utf8()..];
        rest = if rest.starts_with("//") {
            rest.split_once('\n').map_or("", |(_, rest)| rest)
        } else if let Some(raw) = rest.strip_prefix("r#\"") {
            let (literal, rest) = raw.split_once("\"#").unwrap_or((raw, ""));
            found.push(literal.to_owned());
            rest
        } else if c == '"' {
            let mut escaped = false;
            let ends = |c: char| {
                let ends = c == '"' && !escaped;
                escaped = c == '\\' && !escaped;
                ends
            };
            let end = next.find(ends).unwrap_or(next.len());
            found.push(next[..end].replace("\\\n", " ").replace("\\n", " "));
            next.get(end + 1..).unwrap_or("")
        } else if c == '\'' {
            // A character, or the beginning of a lifetime.
            let after = next.strip_prefix('\\').unwrap_or(next);
            let one = after.chars().next().map_or(0, char::len_utf8);
            after[one..].strip_prefix('\'').unwrap_or(next)
        } else {
            next
        };
    }
    found
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true if !path.ends_with("tests") => sources(&path, found),
            false if path.extension().is_some_and(|ext| ext == "rs") && !path.ends_with("tests.rs") => {
                found.push(path);
            }
            _ => {}
        }
    }
}

/// What `golden VERB --help` says, of all verbs and of theirs.
fn helps(verb: &[String], found: &mut Vec<(String, String)>) {
    let golden = env!("CARGO_BIN_EXE_golden");
    let said = std::process::Command::new(golden).args(verb).arg("--help").output().unwrap();
    let said = String::from_utf8(said.stdout).unwrap();
    let verbs = said.lines().skip_while(|line| *line != "Commands:").skip(1);
    let verbs = verbs.take_while(|line| !line.is_empty()).filter(|line| !line.starts_with("   "));
    for name in verbs.filter_map(|line| line.split_whitespace().next()) {
        let verb: Vec<String> = verb.iter().cloned().chain([name.to_owned()]).collect();
        helps(&verb, found);
    }
    found.push((format!("golden {} --help", verb.join(" ")), said));
}

/// Everything that people read of golden is in plain words.
#[test]
fn no_sentence_is_a_riddle() {
    let mut texts = Vec::new();
    for document in DOCUMENTS {
        texts.push((document.to_owned(), std::fs::read_to_string(tree(document)).unwrap()));
    }
    let web = std::fs::read_to_string(tree("examples/contracts/web.toml")).unwrap();
    let web = golden::contract::Contract::parse(&web, "golden.toml", false, &|_| Err(String::new())).unwrap();
    for contract in [golden::contract::Contract::built_in(), web] {
        let made = golden::render::documents(&contract);
        texts.extend(made.into_iter().map(|one| (format!("{:?}", one.in_repository), one.content)));
    }
    // The blocks of a page are files of hosts.
    for info in RULES.iter().map(|rule| &rule.info) {
        let prose = info.doc.split("```").next().unwrap();
        texts.push((info.id.to_owned(), format!("{prose}\n{}.\n{}", info.why, info.mend)));
    }
    helps(&[], &mut texts);
    let mut files = Vec::new();
    sources(&tree("src"), &mut files);
    for file in &files {
        let source = std::fs::read_to_string(file).unwrap();
        let name = file.strip_prefix(tree("")).unwrap().display().to_string();
        // A literal of this one word is the name of the account.
        let sentences = literals(&source).into_iter().filter(|literal| literal != "nobody");
        texts.extend(sentences.map(|literal| (name.clone(), literal)));
    }
    assert!(files.len() > 100 && texts.len() > 5000, "{} files, {} texts", files.len(), texts.len());
    let found = |(name, text): &(String, String)| {
        riddles(text).into_iter().map(|riddle| format!("{name}: {riddle}")).collect::<Vec<_>>()
    };
    let wrong: Vec<String> = texts.iter().flat_map(found).collect();
    assert!(wrong.is_empty(), "{} riddles\n{}", wrong.len(), wrong.join("\n"));
}

/// The test above can fail.
#[test]
fn a_riddle_is_found_and_a_name_is_none() {
    for text in ["which nobody\nreads", "Whoever may write it", "it is no file", "made anew, again"] {
        assert_eq!(riddles(text).len(), 1, "{text}");
    }
    for text in ["user = \"nobody\"", "there is no terminal", "it is no longer there", "nobodys"] {
        assert!(riddles(text).is_empty(), "{text}");
    }
    let source = "// \"whoever\"\nlet a = '\"'; let b: &'static str = \"some\\\"body\"; f(r#\"x\"y\"#);\n#[cfg(test)] \"nobody\"";
    assert_eq!(literals(source), ["some\\\"body", "x\"y"]);
}

/// golden with these words and the built-in contract, from the tree.
fn golden(words: &str) -> std::process::Output {
    let mut golden = std::process::Command::new(env!("CARGO_BIN_EXE_golden"));
    golden
        .args(["--contract", "builtin:quantum"])
        .args(words.split(' '))
        .current_dir(tree("."))
        .output()
        .unwrap()
}

#[test]
fn the_example_holds_what_the_contract_makes() {
    if is_updating() {
        assert!(golden("render --out examples/quantum_trader").status.success());
    }
    let checked = golden("render --check --out examples/quantum_trader");
    let said = String::from_utf8(checked.stdout).unwrap();
    assert!(checked.status.success(), "{UPDATE}: {said}");
}

/// The sample at the top of the README, as text and as a picture: what golden says of facts that lie here.
#[test]
fn the_sample_of_the_readme_is_what_golden_says() {
    const COMMAND: &str = "audit --facts demo/facts/service-as-root.json";
    let said = String::from_utf8(golden(COMMAND).stdout).unwrap();
    assert!(said.contains("VIOLATED"), "{said}");
    let sample = format!("```text\n$ golden {COMMAND}\n{said}```\n");
    if is_updating() {
        let readme = std::fs::read_to_string(tree("README.md")).unwrap();
        let (before, rest) = readme.split_once(&format!("```text\n$ golden {COMMAND}\n")).unwrap();
        let (_, after) = rest.split_once("```\n").unwrap();
        std::fs::write(tree("README.md"), format!("{before}{sample}{after}")).unwrap();
        let script = format!("tools/picture 'golden {COMMAND}' >docs/audit.svg");
        let coloured = golden(&format!("--color always {COMMAND}")).stdout;
        let mut shell = std::process::Command::new("sh");
        let mut shell = shell
            .args(["-ec", &script])
            .current_dir(tree("."))
            .stdin(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        std::io::Write::write_all(&mut shell.stdin.take().unwrap(), &coloured).unwrap();
        assert!(shell.wait().unwrap().success());
    }
    assert!(
        std::fs::read_to_string(tree("README.md")).unwrap().contains(&sample),
        "README.md should say ({UPDATE}):\n{sample}"
    );
    let picture = std::fs::read_to_string(tree("docs/audit.svg")).unwrap();
    let text: String = picture.split('<').filter_map(|piece| Some(piece.split_once('>')?.1)).collect();
    let text = text
        .replace("&#x27;", "'")
        .replace("&quot;", "\"")
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&");
    let bare = |text: &str| text.split_whitespace().collect::<String>();
    assert!(bare(&text).contains(&bare(&said)), "docs/audit.svg is stale: {UPDATE}");
}
