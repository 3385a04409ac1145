use super::*;

fn programs(text: &str) -> Vec<String> {
    calls(text, 1).into_iter().map(|call| call.program).collect()
}

fn python_lines(text: &str) -> Vec<u32> {
    calls(text, 1).into_iter().filter(Call::is_python).map(|call| call.line).collect()
}

#[test]
fn simple_commands_and_their_separators() {
    assert_eq!(programs("a; b && c || d | e & f\ng |& h"), ["a", "b", "c", "d", "e", "f", "g", "h"]);
    assert_eq!(programs("X=1 Y='a b' prog --x='1;2' \"a;b\" # c; d\n"), ["prog"]);
    assert_eq!(programs("(a; b) && { c; d; }"), ["a", "b", "c", "d"]);
    assert_eq!(programs("a >f 2>&1 <g &>h; b 2> x y"), ["a", "b"]);
    assert_eq!(calls("b 2> x y", 1)[0].args, ["y"]);
    assert_eq!(programs("a \\\n  b \\\n  c\nd"), ["a", "d"]);
}

#[test]
fn substitutions_are_calls_and_text_is_not() {
    assert_eq!(programs("echo \"python x; $(python3 -V)\" 'python $(no)'"), ["python3", "echo"]);
    assert_eq!(programs("X=`python a` y"), ["python", "y"]);
    assert_eq!(programs("A=$((1+2)) B=(python x) C=$(a (b) )"), ["a", "b"]);
    assert_eq!(programs("diff <(a) <(b | c)"), ["a", "b", "c", "diff"]);
    assert_eq!(
        programs("$(which python3) x.py; \"$(command -v python)\" y"),
        ["which", "python3", "command", "python"]
    );
    assert_eq!(programs("$PYTHON x; ${PY} y"), ["$PYTHON", "${PY}"]);
}

#[test]
fn compound_commands() {
    let text = "if a; then b; elif ! c; then d; else e; fi\nfor x in python3 y; do f $x; done\n\
                while read -r l; do g; done < h\ncase $1 in\n python) i ;;\n (x|y) j; k ;;\n *) l\nesac\nm() { n; }\n\
                function o { p; }\n[[ -f q && r ]] && s\n(( t + 1 ))\nu";
    let expected = ["a", "b", "c", "d", "e", "f", "read", "g", "i", "j", "k", "l", "n", "p", "s", "u"];
    assert_eq!(programs(text), expected);
}

#[test]
fn programs_that_run_programs() {
    for text in [
        "sudo -u qt -E python x",
        "timeout -k 5 30 python x",
        "xargs -0 -n 1 python x",
        "env -u A B=1 python x",
        "exec -a name python x",
        "nohup nice -n 5 python x &",
        "cd /x && python x",
        "echo x | python3 -m json.tool",
        "bash -c 'cd y; python x'",
        "sh -ec \"python x\"",
        "find . -name a -exec python {} \\;",
        "eval python x",
        "flock -n /run/l python x",
        "sudo -- env A=1 timeout 5s bash -lc 'exec python x'",
        "! python x",
        "systemd-run --uid=qt -p Nice=5 python x",
        "su qt -c 'python x'",
        "runuser -u qt -- python x",
        "time python x",
        "env -S 'python -u' x",
        "command python x",
        "uv run python x",
        "ssh-agent python x",
        "trap 'python x' EXIT",
        "echo `python x`",
    ] {
        assert_eq!(python_lines(text), [1], "{text}");
    }
    let found = calls("sudo timeout 5 python x", 7);
    assert_eq!(found[2].through, ["sudo", "timeout"]);
    assert_eq!((found[2].line, found[2].args.as_slice()), (7, &["x".to_owned()][..]));
}

#[test]
fn what_only_names_python() {
    for text in [
        "pgrep python",
        "pkill -f 'python x'",
        "echo python; printf '%s' python",
        "command -v python3",
        "which python",
        "apt-get install -y python3",
        "grep -r python3 .",
        "# python x",
        "cat <<EOF\npython x\nEOF\n",
        "ls /usr/bin/python3",
        "cat >x <<-'E'\n\tpython x\n\tE\ntrue",
        "docker exec c python x",
        "case python in python) ;; esac",
        "type python",
        "ps aux | grep [p]ython",
        "A=python",
        "export PY=python",
        "pythonx y",
        "git commit -m 'python x'",
    ] {
        assert!(python_lines(text).is_empty(), "{text}");
    }
}

#[test]
fn lines_are_counted() {
    assert_eq!(python_lines("a\n\npython x\ncat <<E\nx\nE\npython y\nb \"\n\" \\\n c; python z"), [3, 7, 10]);
}

#[test]
fn python_names() {
    let call = |program: &str| calls(program, 1).remove(0);
    assert!(call("/usr/bin/python3.11").is_python() && call("venv/bin/python").is_python());
    assert!(!call("python-config").is_python() && !call("ipython").is_python());
    assert!(call("python3 -I -m venv x").makes_a_venv() && !call("python3 -m pip x").makes_a_venv());
}

#[test]
fn calls_without_number_are_cut_and_said_to_be() {
    let many = "a|".repeat(500_000);
    assert!(calls_within(&many, 1, MOST_ROOM).is_none());
    assert!(calls(&many, 1).len() < 100_000);
    assert!(calls_within(&("sudo ".repeat(20) + &"x ".repeat(100_000)), 1, MOST_ROOM).is_none());
    let (few, room) = calls_within("a | b c", 1, MOST_ROOM).unwrap();
    assert!(few.len() == 2 && room > 0 && room < 1000);
}

#[test]
fn deep_nesting_ends() {
    let deep = "$(".repeat(10_000) + "python" + &")".repeat(10_000);
    assert!(calls(&deep, 1).len() < 10_000);
    let quoted = "bash -c '".repeat(5_000);
    assert!(!calls(&quoted, 1).is_empty());
    assert!(calls(&"sudo ".repeat(5_000), 1).len() < 100);
}
