//! `golden contract sign`, `verify` and `diff`, beside the real ssh-keygen.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

const CONTRACT: &str = "schema = 1
[contract]
name = \"shop\"
version = \"1.0.0\"
[identity]
user = \"app\"
group = \"app\"
[unit.Service]
Restart = \"always\"
[services.api]
kind = \"executable\"
command = [\"/usr/bin/api\"]
env_files = []
";

/// A directory with a contract in it.
struct Desk(tempfile::TempDir);

impl Desk {
    fn new() -> Self {
        let desk = Self(tempfile::tempdir().unwrap());
        desk.write("golden.toml", CONTRACT);
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        fs::write(self.path(name), text).unwrap();
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    fn run(&self, program: &str, arguments: &[&str], input: &str) -> Output {
        let mut child = Command::new(program)
            .current_dir(self.0.path())
            .env_remove("GOLDEN_CONTRACT")
            .env("HOME", self.0.path())
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    }

    /// Exit code and everything that was said.
    fn golden(&self, arguments: &[&str]) -> (i32, String) {
        let output = self.run(env!("CARGO_BIN_EXE_golden"), arguments, "");
        let said = [output.stdout, output.stderr].concat();
        (output.status.code().unwrap(), String::from_utf8(said).unwrap())
    }

    fn keygen(&self, arguments: &[&str], input: &str) -> String {
        let output = self.run("ssh-keygen", arguments, input);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Makes a key and allows it; gives the line of the public key.
    fn key(&self, name: &str, kind: &[&str], passphrase: &str) -> String {
        let path = self.path(name).display().to_string();
        let all = [&["-q", "-N", passphrase, "-C", "", "-f", &path, "-t"], kind].concat();
        self.keygen(&all, "");
        let public = self.read(&format!("{name}.pub"));
        let mut signers = fs::read_to_string(self.path("signers")).unwrap_or_default();
        signers.push_str(&format!("{name}@example.com {public}"));
        self.write("signers", signers);
        public
    }

    fn message(&self) -> String {
        let (code, message) = self.golden(&["contract", "sign", "--message", "golden.toml"]);
        assert_eq!(code, 0, "{message}");
        message
    }

    fn sign(&self, key: &str) -> (i32, String) {
        self.golden(&["contract", "sign", "--key", key, "golden.toml"])
    }

    fn verify(&self) -> (i32, String) {
        self.golden(&["contract", "verify", "golden.toml", "--signers", "signers"])
    }
}

#[test]
fn ssh_keygen_and_golden_take_each_others_signatures() {
    for (name, kind) in [
        ("alice", &["ed25519"][..]),
        ("bob", &["ecdsa", "-b", "256"]),
        ("carol", &["ecdsa", "-b", "384"]),
        ("dora", &["ecdsa", "-b", "521"]),
        ("emil", &["rsa", "-b", "2048"]),
    ] {
        let desk = Desk::new();
        desk.key(name, kind, "");
        let digest = desk.run("sha256sum", &["golden.toml"], "").stdout;
        let digest = String::from_utf8(digest).unwrap();
        let message = format!("sha256:{}\n", digest.split(' ').next().unwrap());
        assert_eq!(desk.message(), message);
        // golden signs, ssh-keygen verifies. The library cannot sign with RSA, and refuses keys of ECDSA that OpenSSH
        // wrote with a byte less, which is every second one of 521 bits: such a key is told the other way.
        let (code, said) = desk.sign(name);
        if code != 0 {
            assert!(kind[0] != "ed25519" && said.contains("golden contract sign --message"), "{said}");
            let signature = desk.keygen(&["-Y", "sign", "-q", "-n", "golden-contract", "-f", name], &message);
            desk.write("golden.toml.sig", signature);
        }
        let identity = format!("{name}@example.com");
        let verify = [
            "-Y",
            "verify",
            "-n",
            "golden-contract",
            "-f",
            "signers",
            "-I",
            &identity,
            "-s",
            "golden.toml.sig",
        ];
        desk.keygen(&verify, &message);
        assert_eq!(desk.verify().0, 0, "{}", desk.verify().1);
        // ssh-keygen signs, golden verifies.
        let signature = desk.keygen(&["-Y", "sign", "-q", "-n", "golden-contract", "-f", name], &message);
        desk.write("golden.toml.sig", signature);
        let (code, said) = desk.verify();
        assert_eq!(code, 0, "{said}");
        assert!(
            said.starts_with("approved: ") && said.contains(&identity) && said.contains("signers:1"),
            "{said}"
        );
    }
}

#[test]
fn what_is_no_approval_is_said() {
    let desk = Desk::new();
    desk.key("alice", &["ed25519"], "");
    let (code, said) = desk.verify();
    assert!(code == 1 && said.contains("no signature in"), "{said}");
    let message = desk.message();
    let good = desk.keygen(&["-Y", "sign", "-q", "-n", "golden-contract", "-f", "alice"], &message);
    let file = desk.keygen(&["-Y", "sign", "-q", "-n", "file", "-f", "alice"], &message);
    let other = desk.keygen(&["-Y", "sign", "-q", "-n", "golden-contract", "-f", "alice"], "sha256:00\n");
    let allowed = desk.read("signers");
    desk.key("mallory", &["ed25519"], "");
    let stranger = desk.keygen(&["-Y", "sign", "-q", "-n", "golden-contract", "-f", "mallory"], &message);
    for (signatures, signers, says) in [
        (file, allowed.clone(), "made for \"file\""),
        (other, allowed.clone(), "other bytes"),
        (stranger, allowed.clone(), "does not name its key"),
        (good[..good.len() / 2].to_owned(), allowed.clone(), "cut off"),
        ("approved by me\n".to_owned(), allowed.clone(), "not a signature"),
        (good.clone(), allowed.replace(" ssh-", " valid-before=\"20200101Z\" ssh-"), "held until 20200101Z"),
        (good.clone(), allowed.replace(" ssh-", " valid-after=\"20990101Z\" ssh-"), "does not hold before"),
        (good.clone(), allowed.replace(" ssh-", " namespaces=\"git\" ssh-"), "does not allow"),
        (good.clone(), allowed.replace(" ssh-", " cert-authority ssh-"), "authority"),
        (good.clone(), allowed.replace("alice@", "*@"), "is a pattern"),
        (good.clone(), String::new(), "does not name its key"),
    ] {
        desk.write("golden.toml.sig", signatures);
        desk.write("signers", signers);
        let (code, said) = desk.verify();
        assert!(
            code == 1 && said.starts_with("NOT APPROVED") && said.contains(says),
            "{says}: {code} {said}"
        );
    }
    desk.write("signers", &allowed);
    desk.write("golden.toml.sig", &good);
    assert_eq!(desk.verify().0, 0);
    desk.write("golden.toml", format!("{CONTRACT}# one more word\n"));
    let (code, said) = desk.verify();
    assert!(code == 1 && said.contains("other bytes"), "{said}");
    // Whoever else can write the signers' file approves whatever they like.
    desk.write("golden.toml", CONTRACT);
    fs::set_permissions(desk.path("signers"), fs::Permissions::from_mode(0o666)).unwrap();
    let (code, said) = desk.verify();
    assert!(code == 1 && said.contains("can be written by others"), "{said}");
}

#[test]
fn what_cannot_be_told_is_exit_2() {
    let desk = Desk::new();
    desk.key("alice", &["ed25519"], "");
    desk.write("golden.toml.sig", vec![b'x'; 300 << 10]);
    let (code, said) = desk.verify();
    assert!(code == 2 && said.contains("holds more than"), "{said}");
    desk.write("golden.toml.sig", [0xff, 0xfe]);
    let (code, said) = desk.verify();
    assert!(code == 2 && said.contains("is not UTF-8"), "{said}");
    fs::remove_file(desk.path("golden.toml.sig")).unwrap();
    fs::create_dir(desk.path("golden.toml.sig")).unwrap();
    let (code, said) = desk.verify();
    assert!(code == 2 && said.contains("a directory"), "{said}");
    assert_eq!(desk.sign("alice").0, 2);
    for (arguments, says) in [
        (&["contract", "verify", "golden.toml"][..], "demands no approval"),
        (&["contract", "verify", "golden.toml", "--signers", "nobody"], "does not exist"),
        (&["contract", "verify", "missing.toml", "--signers", "signers"], "missing.toml"),
        (&["contract", "sign", "--key", "missing", "golden.toml"], "missing"),
        (&["contract", "sign", "--key", "alice.pub", "golden.toml"], "public key"),
        (&["contract", "sign", "--key", "signers", "golden.toml"], "not a private key"),
        (&["contract", "sign", "golden.toml"], "ssh-keygen -t ed25519"),
        (&["contract", "diff", "golden.toml", "missing.toml"], "missing.toml"),
    ] {
        let (code, said) = desk.golden(arguments);
        assert!(code == 2 && said.contains(says), "{arguments:?}: {code} {said}");
    }
    desk.write("broken.toml", "schema = 1\nnonsense");
    let (code, said) = desk.golden(&["contract", "sign", "--key", "alice", "broken.toml"]);
    assert!(code == 2 && said.contains("broken.toml:2") && !desk.path("broken.toml.sig").exists(), "{said}");
}

#[test]
fn a_key_with_a_passphrase_names_the_way_out_and_the_way_out_works() {
    let desk = Desk::new();
    desk.key("alice", &["ed25519"], "secret words");
    let (code, said) = desk.sign("alice");
    assert!(code == 2 && !desk.path("golden.toml.sig").exists(), "{said}");
    let way_out = said.lines().find_map(|line| line.trim().strip_prefix("try: ")).unwrap();
    assert!(way_out.contains("ssh-keygen -Y sign -n golden-contract -f alice"), "{way_out}");
    // What a person would do; the passphrase is given here instead of at a terminal.
    let way_out = way_out
        .replace("golden contract", &format!("{} contract", env!("CARGO_BIN_EXE_golden")))
        .replace("-f alice", "-P 'secret words' -f alice");
    let output = desk.run("sh", &["-c", &way_out], "");
    if output.status.success() {
        assert_eq!(desk.verify().0, 0, "{}", desk.verify().1);
    } else {
        desk.keygen(&["-q", "-p", "-P", "secret words", "-N", "", "-f", "alice"], "");
        let output = desk.run("sh", &["-c", &way_out.replace("-P 'secret words' ", "")], "");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(desk.verify().0, 0, "{}", desk.verify().1);
    }
}

#[test]
fn signatures_are_added_replaced_and_never_half_written() {
    let desk = Desk::new();
    desk.key("alice", &["ed25519"], "");
    desk.key("bob", &["ed25519"], "");
    let blocks = || desk.read("golden.toml.sig").matches("BEGIN SSH SIGNATURE").count();
    for (key, number) in [("alice", 1), ("alice", 1), ("bob", 2), ("alice", 2)] {
        let (code, said) = desk.sign(key);
        assert_eq!((code, blocks()), (0, number), "{said}");
    }
    let required = format!("{CONTRACT}[approval]\nsigners = \"/etc/golden/allowed_signers\"\nrequired = 2\n");
    desk.write("golden.toml", &required);
    let (code, said) = desk.sign("alice");
    assert!(code == 0 && blocks() == 1 && said.contains("2 left out"), "{said}");
    let (code, said) = desk.verify();
    assert!(code == 1 && said.contains("1 of 2"), "{said}");
    // The same person with another key is the same person.
    desk.key("carol", &["ed25519"], "");
    let signers = desk.read("signers");
    desk.write("signers", signers.replace("carol@", "alice@"));
    assert_eq!(desk.sign("carol").0, 0);
    assert!(desk.verify().1.contains("1 of 2"), "{}", desk.verify().1);
    desk.write("signers", signers);
    assert_eq!(desk.verify().0, 0, "{}", desk.verify().1);
    let meta = fs::metadata(desk.path("golden.toml.sig")).unwrap();
    assert_eq!(meta.mode() & 0o022, 0);
    let left: Vec<_> = fs::read_dir(desk.0.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().ends_with(".new")), "{left:?}");
    // A key that others can read is no one person's.
    fs::set_permissions(desk.path("alice"), fs::Permissions::from_mode(0o644)).unwrap();
    let (code, said) = desk.sign("alice");
    assert!(code == 2 && said.contains("chmod 600"), "{said}");
}

#[test]
fn a_chain_is_signed_as_a_whole() {
    let desk = Desk::new();
    desk.key("alice", &["ed25519"], "");
    desk.write("base.toml", CONTRACT);
    desk.write("golden.toml", "schema = 1\nextends = \"base.toml\"\n");
    let both = desk.run("sh", &["-c", "cat golden.toml base.toml | sha256sum"], "").stdout;
    let both = String::from_utf8(both).unwrap();
    assert_eq!(desk.message(), format!("sha256:{}\n", both.split(' ').next().unwrap()));
    assert_eq!(desk.sign("alice").0, 0);
    assert_eq!(desk.verify().0, 0);
    desk.write("base.toml", CONTRACT.replace("always", "no"));
    assert_eq!(desk.verify().0, 1, "what it extends is part of it");
}

#[test]
fn an_audit_demands_what_the_contract_demands() {
    if crate::support::skip::without_root() {
        return;
    }
    let desk = Desk::new();
    desk.key("alice", &["ed25519"], "");
    let signers = desk.path("signers").display().to_string();
    desk.write("golden.toml", format!("{CONTRACT}[approval]\nsigners = \"{signers}\"\n"));
    let audit =
        || desk.golden(&["audit", "--rule", "contract-not-approved", "--contract", "golden.toml", "-v"]);
    let (code, said) = audit();
    assert!(
        code == 1 && said.contains("the contract is not approved") && said.contains("no signature"),
        "{said}"
    );
    assert_eq!(desk.sign("alice").0, 0);
    let (code, said) = audit();
    assert_eq!(code, 0, "{said}");
    // Written down, and judged elsewhere; another contract is not approved by it.
    let facts = desk.path("facts.json").display().to_string();
    assert_eq!(desk.golden(&["facts", "--contract", "golden.toml", "--out", &facts]).0, 0);
    let replay = || {
        let arguments =
            ["audit", "--rule", "contract-not-approved", "--contract", "golden.toml", "--facts", &facts];
        desk.golden(&arguments)
    };
    assert_eq!(replay().0, 0, "{}", replay().1);
    desk.write("golden.toml", format!("{CONTRACT}[approval]\nsigners = \"{signers}\"\n# changed\n"));
    assert_eq!(replay().0, 1, "{}", replay().1);
    assert_eq!(desk.sign("alice").0, 0);
    fs::set_permissions(&signers, fs::Permissions::from_mode(0o664)).unwrap();
    let (code, said) = audit();
    assert!(code == 1 && said.contains("decided by others than root"), "{said}");
}

#[test]
fn a_diff_says_which_duties_change() {
    let desk = Desk::new();
    desk.write("same.toml", CONTRACT.replace("[identity]", "# words\n[identity]"));
    let (code, said) = desk.golden(&["contract", "diff", "golden.toml", "same.toml"]);
    assert!(code == 0 && said.contains("no duty of any host changes"), "{said}");
    desk.write("new.toml", CONTRACT.replace("\"always\"", "{ present = true }"));
    let (code, said) = desk.golden(&["contract", "diff", "golden.toml", "new.toml"]);
    assert_eq!(code, 1);
    for says in ["loosened", "Service.Restart", "service:api", "golden.toml:9:1", "new.toml:9:1", "missing"] {
        assert!(said.contains(says), "{says}: {said}");
    }
    let (code, said) = desk.golden(&["contract", "diff", "golden.toml", "new.toml", "--format", "json"]);
    let json: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!((code, json["schema"].as_str()), (1, Some("golden.contract-diff/1")));
    assert_eq!(json["changes"][0]["kind"], "loosened");
    assert_eq!(json["changes"][0]["new"]["at"]["line"], 9);
    desk.write("bad.toml", "schema = 1\n");
    assert_eq!(desk.golden(&["contract", "diff", "golden.toml", "bad.toml"]).0, 2);
}
