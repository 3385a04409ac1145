//! Our reading of a Makefile's recipes against what GNU make says it would run (`make -n`).

use std::path::Path;
use std::process::{Command, Stdio};

use golden::syntax::makefile;

/// Makefiles without conditionals, so that there is one expansion, whose target is `t`.
const MAKEFILES: [&str; 17] = [
    "t:\n\t@echo a\n\techo b\n\n\t-@echo c \\\n\t  d\n",
    "A = $(B) x\nB = late\nt:\n\techo $(A) ${B} $B\n",
    "B := early\nA := $(B)\nB := late\nt: ; echo $(A) # kept\n",
    "A ?= one\nA ?= two\nA += three\nA+=four\nt:\n\techo $(A)\n",
    "A ::= x\nN = A\nt:\n\techo $($(N)) $$HOME $(NONE)y\n",
    "override A = x # c\nexport B=2\nt: # c\n\techo $(A). $(B) # shell\n",
    "define A =\necho one\n@echo two\nendef\nt:\n\t$(A)\n",
    "define run\n$(1) -m $(2)\nendef\nt:\n\techo $(call run,py,mod)\n",
    "A=x\\\n   y \\\n\tz\nt:\n\techo $(A)\n",
    "PY = python3\nt: PY := /opt/python\nt: u v\n\techo $(PY) $@ $< $^ $(@F) $(<D)\nu v:\n",
    ".RECIPEPREFIX = >\nt:\n> echo a\n>echo b\n",
    "D = x/a.py x/b.py\nt:\n\techo $(D:.py=.pyc) $(D:x/%=y/%) $(notdir $(D)) $(dir $(D)) $(firstword $(D))\n",
    "t:\n\techo $(if $(X),yes,no) $(or ,b) $(addprefix p/,a b) $(subst a,b,aXa) $(patsubst %.c,%.o,a.c b.h)\n",
    "t:\n\techo $(foreach i,1 2,<$(i)>) $(strip  a   b ) $(basename a.b c) $(lastword a b)\n",
    "t:\n\techo $(or ,b) $(and a,b) $(and a,)x $(sort b) $(addsuffix .x,a b) $(suffixless) $(subst x,,axb)\n",
    "A=1\n\tB=2\nt : ;@echo $(A)$(B)\n",
    "A = a#b\nC = a\\#b\nt:\n\techo $(A) '$(C)'\n",
];

fn make_would_run(dir: &Path) -> String {
    let output = Command::new("make")
        .args(["-n", "-B", "--no-print-directory", "t"])
        .current_dir(dir)
        .env_remove("MAKEFLAGS")
        .env_remove("MAKELEVEL")
        .stdin(Stdio::null())
        .output()
        .expect("GNU make runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn recipes_expand_as_make_expands_them() {
    let dir = tempfile::tempdir().expect("a directory");
    for text in MAKEFILES {
        std::fs::write(dir.path().join("Makefile"), text).expect("a Makefile");
        let makefile = makefile::parse(text);
        let mut ours = String::new();
        for line in makefile.rules_of("t").flat_map(|rule| &rule.recipe) {
            assert_eq!(line.expanded.len(), 1, "{text}");
            ours += &line.expanded[0];
            ours.push('\n');
        }
        assert_eq!(ours, make_would_run(dir.path()), "{text}");
        assert!(!makefile.incomplete, "{text}");
    }
}
