//! Documents that are made from what they describe are fresh, and no document points at nothing.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and reads the tree"
)]

use std::fmt::Write;
use std::path::{Path, PathBuf};

use golden::model::{Section, Severity};
use golden::rules::RULES;

fn tree(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn rules_page() -> String {
    let mut page = "# Rules\n\nMade from the rules themselves: `UPDATE_DOCS=1 cargo test --test docs`. `golden explain RULE` shows one.\n".to_owned();
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
            for line in info.doc.lines() {
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

#[test]
fn the_page_of_all_rules_is_fresh() {
    let path = tree("docs/rules.md");
    let page = rules_page();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == page, "docs/rules.md is stale: UPDATE_DOCS=1 cargo test --test docs");
}

#[test]
fn no_document_points_at_nothing() {
    let mut dead = Vec::new();
    for document in
        ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/contract-file.md"]
    {
        let text = std::fs::read_to_string(tree(document)).unwrap();
        let folder = tree(document).parent().unwrap().to_owned();
        for (at, _) in text.match_indices("](") {
            let target = text[at + 2..].split([')', '#']).next().unwrap();
            if !target.is_empty() && !target.contains("://") && !folder.join(target).exists() {
                dead.push(format!("{document}: {target}"));
            }
        }
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
