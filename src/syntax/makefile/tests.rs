use super::*;

fn expanded(text: &str) -> Vec<(u32, String)> {
    let makefile = parse(text);
    let lines = makefile
        .recipe_lines()
        .flat_map(|(_, recipe)| recipe.expanded.iter().map(move |text| (recipe.line, text.clone())));
    lines.collect()
}

fn only(text: &str) -> String {
    let all = expanded(text);
    assert_eq!(all.len(), 1, "{text}: {all:?}");
    all[0].1.clone()
}

#[test]
fn rules_and_recipes() {
    let text =
        "all: a b | c # note\n\t@echo x\n\n# comment\n\t-+cmd \\\n\t  more\nb:: ; one # two\nc d &: e\n\tf\n";
    let makefile = parse(text);
    assert_eq!(makefile.rules[0].prerequisites, ["a", "b", "c"]);
    let lines = &makefile.rules[0].recipe;
    assert_eq!((lines[0].line, lines[0].silent, lines[0].expanded[0].as_str()), (2, true, "echo x"));
    assert_eq!((lines[1].line, lines[1].ignores_errors, lines[1].always), (5, true, true));
    assert_eq!(lines[1].expanded, ["cmd \\\n  more"]);
    assert_eq!(makefile.rules[1].recipe[0].text, "one # two");
    assert_eq!(makefile.rules[2].targets, ["c", "d"]);
    assert_eq!(makefile.rules_of("d").count(), 1);
}

#[test]
fn variables_of_every_kind() {
    assert_eq!(only("A = $(B) x\nB = late\nt:\n\t$(A)\n"), "late x");
    assert_eq!(only("B := early\nA := $(B)\nB := late\nt:\n\t${A}\n"), "early");
    assert_eq!(only("A ?= one\nA ?= two\nA += three\nt: ; $(A)\n"), "one three");
    assert_eq!(only("A ::= x\nN = A\nt:\n\t$($(N)) $A $$A $(NONE)y\n"), "x x $A y");
    assert_eq!(only("override export A = x # c\nt:\n\t$(A).\n"), "x .");
    assert_eq!(only("define A =\none\n@two\nendef\nt:\n\t$(A)\n"), "one\ntwo");
    assert_eq!(only("A=x\\\n   y\nt:\n\t$(A)\n"), "x y");
    assert_eq!(only("A=$(A) b\nt:\n\techo $(A)\n").trim_end(), "echo  b".trim_end());
}

#[test]
fn target_specific_and_automatic_variables() {
    let text =
        "PY = python3\nt: PY := /opt/python\nt: a b\n\t$(PY) $@ $< $^ $(@F)\nu: export X=1\nu:\n\t$(PY)\n";
    let all: Vec<String> = expanded(text).into_iter().map(|(_, text)| text).collect();
    assert_eq!(all, ["/opt/python t a a b t", "python3"]);
}

#[test]
fn both_branches_of_a_conditional() {
    let text = "PY = a\nifeq ($(X),1)\nPY = b\nelse ifdef Y\nPY = c\nendif\nt:\nifdef Z\n\t$(PY) 1\nelse\n\t$(PY) 2\nendif\n";
    let all: Vec<String> = expanded(text).into_iter().map(|(_, text)| text).collect();
    assert_eq!(all, ["a 1", "b 1", "c 1", "a 2", "b 2", "c 2"]);
}

#[test]
fn functions_and_shell() {
    let text = "D = x/a.py x/b.py\nPY := $(shell which python3)\nrun = $(1) -m $(2)\nV != date\nt:\n\t$(PY) $(firstword $(D))\n\
                \t$(call run,$(PY),mod) $(D:.py=.pyc) $(if $(D),yes,no) $(addprefix p/,a b)\n";
    let all: Vec<String> = expanded(text).into_iter().map(|(_, text)| text).collect();
    assert_eq!(all[0], "$(which python3) x/a.py");
    assert_eq!(all[1], "$(which python3) -m mod x/a.pyc x/b.pyc yes p/a p/b");
    let shell: Vec<_> = parse(text).shell_functions.into_iter().map(|f| (f.line, f.text)).collect();
    assert!(shell.contains(&(2, "which python3".into())) && shell.contains(&(4, "date".into())), "{shell:?}");
}

#[test]
fn includes_prefix_and_odd_lines() {
    let text = ".RECIPEPREFIX = >\nF = a.mk\ninclude $(F) b.mk\n-include c/*.mk\nt:\n> run\n>more\n\tnot: a recipe\n";
    let makefile = parse(text);
    assert_eq!(makefile.includes[0].names, ["a.mk", "b.mk"]);
    assert!(makefile.includes[1].optional);
    assert_eq!(makefile.rules[0].recipe.len(), 2);
    assert_eq!(makefile.rules[1].targets, ["not"]);
    let makefile = parse("\tX = 1\nt:\n\techo\nY = 2\n\tZ = 3\n");
    assert_eq!(makefile.assignments.len(), 3);
    assert_eq!(parse("t:\n\ta").rules[0].recipe[0].expanded, ["a"]);
    assert_eq!(parse("t:\r\n\ta\r\n").rules[0].recipe[0].expanded, ["a"]);
}

#[test]
fn growth_is_bounded() {
    let mut text = "A0 = xxxxxxxxxxxxxxxx\n".to_owned();
    for level in 1..60 {
        text += &format!("A{level} = $(A{0})$(A{0})\n", level - 1);
    }
    text += &"t:\n\t$(A59)\n".repeat(50);
    let makefile = parse(&text);
    assert!(makefile.incomplete);
    assert!(serde_json::to_string(&makefile).expect("serializable").len() < 4 * 1024 * 1024);
    let circle = parse("A = $(B)\nB = $(A)\nt:\n\tx $(A)\n");
    assert_eq!(circle.rules[0].recipe[0].expanded, ["x "]);
}
