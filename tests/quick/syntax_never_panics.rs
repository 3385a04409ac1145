//! No input panics a reader: every reader gets random bytes, random text
//! of the characters that mean something to it, and large files of one repeated piece.

use golden::syntax::secret_text::Kind;
use golden::syntax::unit_file;
use golden::syntax::{
    accounts, breakdown, elf, env_file, env_shell, makefile, pyvenv_cfg, redis_conf, secret_shape,
    secret_text, shebang, shell_words, stand_in, sudoers,
};
use golden::systemd::effective::EffectiveUnit;
use golden::systemd::specifier::Specifiers;
use golden::systemd::unit_name::UnitName;
use golden::systemd::version::SystemdVersion;
use golden::systemd::{command_line, environment};
use golden::systemd::{known, search, unit_name, value};
use proptest::prelude::*;

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn read_env(bytes: &[u8]) {
    for version in [252, 257] {
        let file = env_file::parse(bytes, version);
        let readings = env_shell::shell_readings(bytes, &file);
        assert_eq!(readings.len(), file.variables.len());
        assert!(file.effective().len() + file.repeated().len() <= file.variables.len());
    }
}

fn read_commands(bytes: &[u8]) {
    let value = text(bytes);
    for command in command_line::parse(&value).commands {
        let arguments = command_line::expand_arguments(&command, &|name| Some(name.to_owned()));
        assert!(arguments.iter().map(String::len).sum::<usize>() <= 3 * value.len());
    }
    let specifiers = |word: &str| if word.contains('%') { Err(String::new()) } else { Ok(word.to_owned()) };
    command_line::parse_with(&value, &specifiers);
    environment::parse_environment(&value, &specifiers);
    environment::parse_pass_environment(&value, &specifiers);
    environment::parse_unset_environment(&value, &specifiers);
}

fn read_accounts(bytes: &[u8]) {
    let known =
        accounts::parse(b"root:x:0:0::/root:/bin/sh\nqt:x:9:9::/:/bin/sh\n", b"qt:x:9:\nsudo:x:27:qt\n");
    let user = known.user("qt").expect("qt is there");
    sudoers::parse(&text(bytes)).grants_root(user, &known);
    let read = accounts::parse(bytes, bytes);
    for user in read.users.iter().take(20) {
        read.group_names_of(user);
    }
}

fn read_small(bytes: &[u8]) {
    shebang::parse(bytes).map(|shebang| shebang.env_use()).ok();
    elf::parse(bytes).ok();
    elf::parse(&[b"\x7fELF\x02\x01\x01", bytes].concat()).ok();
    pyvenv_cfg::parse(bytes);
    let mut conf = redis_conf::parse(bytes);
    conf.splice(0, "/inc", redis_conf::parse(bytes));
    secret_shape::secret_shape(&text(bytes));
    secret_shape::is_placeholder(&text(bytes));
    let text = text(bytes);
    let named = |name: &str, value: &str| name.len() > 3 && !value.is_empty();
    for kind in [Kind::Env, Kind::Unit, Kind::Makefile, Kind::Redis, Kind::Other] {
        let spans = secret_text::spans(kind, &text, &named);
        assert!(spans.is_sorted_by(|one, other| one.end <= other.start));
        secret_text::replaced(&text, &spans, &|_| String::new());
    }
    let words: Vec<&str> = text.split(' ').collect();
    for (index, spans) in secret_text::spans_of_words(&words, &named) {
        secret_text::replaced(words[index], &spans, &|_| String::new());
    }
    secret_text::spans_of_directive(&words, &named);
    secret_text::spans_of_setting("Environment", &text, &named);
    stand_in::characters(&text);
}

/// As it comes, as an answer, as a confidence, and inside of a payload.
fn read_breakdown(bytes: &[u8]) {
    let actions = ["BUY".to_owned(), "HOLD".to_owned()];
    let wanted = breakdown::Wanted { actions: &actions, mark: Some("digest") };
    let answer = [b"{\"m\":{\"action\":\"BUY\",\"confidence\":", bytes, b"}}"].concat();
    let model = [b"{\"m\":", bytes, b"}"].concat();
    let payload = [b"{\"b\":", bytes, b"}"].concat();
    for json in [bytes, &answer, &model] {
        let mut answers = Vec::new();
        if breakdown::read(json, wanted, &mut answers).is_ok() {
            assert!(!answers.is_empty());
            assert!(answers.iter().all(|one| (0.0..=1.0).contains(&one.confidence) && one.action < 2));
        }
    }
    let (mut held, mut answers) = (String::new(), Vec::new());
    breakdown::read_inside(&payload, "b", &mut held, wanted, &mut answers).ok();
}

fn read_makefile(bytes: &[u8]) {
    let makefile = makefile::parse(&text(bytes));
    let lines = makefile.recipe_lines().count();
    for (_, line) in makefile.recipe_lines() {
        for expanded in &line.expanded {
            if lines < 100 {
                shell_words::calls(expanded, line.line);
            }
        }
    }
}

fn read_shell(bytes: &[u8]) {
    for call in shell_words::calls(&text(bytes), 1) {
        assert!(call.line >= 1);
        call.makes_a_venv();
    }
}

fn read_unit(bytes: &[u8]) {
    let name = UnitName::parse("a-b@c-d.service").expect("it is a name");
    let read = |bytes: &[u8]| unit_file::parse(&"/x".into(), bytes);
    let settings = b"[Service]\nExecStart=/bin/x\nUser=\nEnvironment=";
    let under_header = [settings, bytes, b"\n[Unit]\nAfter=", bytes].concat();
    for version in [SystemdVersion(252), SystemdVersion(257)] {
        let specifiers = Specifiers::new(&name, None, None, version);
        specifiers.expand(&text(bytes)).ok();
        let drop_ins = vec![read(bytes), read(&under_header)];
        let unit = EffectiveUnit::merge(&name, read(&under_header), drop_ins, &specifiers, version);
        for setting in &unit.settings {
            unit.words(&setting.section, &setting.key).truncate(1);
            if unit.settings.len() > 100 {
                break;
            }
        }
    }
}

fn read_values(bytes: &[u8]) {
    let value = text(bytes);
    let keys = [
        ("Service", "RestartSec"),
        ("Service", "MemoryMax"),
        ("Service", "CPUQuota"),
        ("Service", "LimitNOFILE"),
        ("Service", "UMask"),
        ("Service", "KillSignal"),
        ("Service", "SuccessExitStatus"),
        ("Service", "User"),
        ("Service", "WorkingDirectory"),
        ("Service", "EnvironmentFile"),
        ("Service", "PIDFile"),
        ("Service", "StandardOutput"),
        ("Service", "ReadWritePaths"),
        ("Service", "Nice"),
        ("Service", "TasksMax"),
        ("Service", "SupplementaryGroups"),
        ("Service", "RootDirectory"),
        ("Unit", "StartLimitBurst"),
    ];
    let unit = UnitName::parse("x.service").expect("a unit name");
    for (section, key) in keys {
        let kind = known::kind(section, key).expect("it is a setting");
        for version in [SystemdVersion(252), SystemdVersion(257)] {
            let reader = value::Reader { version, unit: &unit };
            let Ok(read) = reader.canonical(key, kind, &value) else { continue };
            assert!(read.value.is_none_or(|canonical| !canonical.is_empty()), "{key}={value:?}");
        }
    }
}

fn read_unit_names(bytes: &[u8]) {
    let value = text(bytes);
    unit_name::unescape(&value);
    for candidate in [value.clone(), format!("{value}.service"), format!("a@{value}.timer")] {
        let Ok(name) = UnitName::parse(&candidate) else { continue };
        let groups = search::drop_in_directories(std::slice::from_ref(&name));
        assert!(groups.iter().flatten().all(|directory| directory.ends_with(".d")));
        search::link(&name, &value);
        name.template().and_then(|template| template.instantiate(&value));
    }
}

fn read_all(bytes: &[u8]) {
    for reader in [
        read_env,
        read_commands,
        read_accounts,
        read_small,
        read_breakdown,
        read_makefile,
        read_shell,
        read_unit,
        read_values,
        read_unit_names,
    ] {
        reader(bytes);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn random_bytes(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        read_all(&bytes);
    }

    #[test]
    fn random_text_of_meaningful_characters(
        pieces in prop::collection::vec(prop_oneof![
            "[a-cA-C0-2 \t\n\r\"'\\\\$#;:=(){}<>|&`!@%+*?,./~\\[\\]_-]{1,4}",
            prop::sample::select(vec![
                "export ", "$(shell ", "${A}", "$(A)", "define A\n", "endef\n", "ifeq (", "else\n", "endif\n", "include ",
                ".RECIPEPREFIX", "\n\t@", "<<E\n", "case a in ", "esac", "sudo ", "bash -c '", "$((", "[[ ", "ALL=(ALL) ",
                "User_Alias ", "[Service]\n", "User=", "ExecStart=", "%i", "%n", "%m", "\\x2d", "5min ", ".service", "é", "\u{feff}", "#!", "\\\n", "://u:p@", "eyJ", "-----BEGIN ", "$(call ", "$(foreach ",
            ]).prop_map(str::to_owned),
        ], 0..60),
    ) {
        read_all(pieces.concat().as_bytes());
    }
}

/// What is nested or repeated without end needs neither a deep stack nor quadratic time, which would be minutes.
#[test]
fn repeated_pieces_come_to_an_end() {
    let pieces = [
        "(",
        "$(",
        "`",
        "\"",
        "'",
        "\\",
        "\\\n",
        "$((",
        "${",
        "#",
        "A=",
        "A=$A$A\n",
        "A=$(A) $(A)\n",
        "a,",
        "! ",
        "case ",
        "[[ ",
        "<<a ",
        "<<a\n",
        "a(",
        "://",
        "eyJ",
        "sk_live_",
        "-----BEGIN ",
        ":AA",
        "User_Alias A=A\n",
        "x",
        " ",
        "\t",
        "\n",
        "\n\t",
        "a:b\n",
        "define A\n",
        "A+=x\n",
        "$(call A,",
        "$(foreach a,b c,",
        "sudo ",
        "bash -c ",
        "eval ",
        "; ",
        "%",
        "\r",
        "{",
        ")",
        "t: A=1\n",
        "a\\\n\t",
        "A := $(A) x\n",
        "/",
        ":",
        "=",
        "a ; ",
        "User=x\n",
        "[Service]\nUser=x\nUser=\n",
        "[Unit]\nAfter=a\n",
        "%i",
        "%",
        "1s ",
        "-",
        "a-",
        "\0",
        "é",
    ];
    for piece in pieces {
        let input = piece.repeat(60_000 / piece.len());
        read_all(input.as_bytes());
    }
}
