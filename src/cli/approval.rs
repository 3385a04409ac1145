//! `golden contract sign` and `golden contract verify`: approvals of a contract, as SSH signatures beside it.

use std::fmt::Write as _;
use std::fs;
use std::io::Read as _;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use ssh_key::{HashAlg, LineEnding, PrivateKey, PublicKey, SshSig};

use super::{Failure, Global, find, output};
use crate::contract::{Approval, Contract, NAMESPACE, Source};
use crate::facts::gather::gather;
use crate::facts::{Need, Needs};
use crate::model::{Location, Observed, Stated};
use crate::report::Shown;
use crate::rules::approval::{Weighed, weigh, writable_by_others};
use crate::syntax::ssh_signature;
use crate::system::DiskSystem;

/// More than any private key, and than the signatures of all who ever approve one contract.
const LARGEST: u64 = 256 << 10;

/// Keys that are tried where none is named, below the home directory.
const USUAL_KEYS: [&str; 3] = [".ssh/id_ed25519", ".ssh/id_ecdsa", ".ssh/id_rsa"];

/// Arguments of `golden contract sign`.
#[derive(Args, Debug)]
pub(super) struct SignArgs {
    /// The contract; otherwise the one in force.
    file: Option<PathBuf>,
    /// The private key; otherwise ~/.ssh/id_ed25519, id_ecdsa or id_rsa.
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Print what is to be signed, for keys that only ssh-keygen can use. Signs nothing.
    #[arg(long, conflicts_with = "key")]
    message: bool,
}

/// Arguments of `golden contract verify`.
#[derive(Args, Debug)]
pub(super) struct VerifyArgs {
    /// The contract; otherwise the one in force.
    file: Option<PathBuf>,
    /// The file of signers, instead of the contract's own. It may belong to you.
    #[arg(long, value_name = "FILE")]
    signers: Option<PathBuf>,
}

/// A contract that lies in a file, with the absolute path to it.
fn contract(global: &Global, file: Option<&Path>) -> Result<Contract, Failure> {
    let contract = match file {
        None => find::contract(global)?.contract,
        Some(file) => {
            let mut found = find::read(file)?.contract;
            found.source.path = find::whole(file)?.into();
            found
        }
    };
    match contract.source.built_in {
        true => Err(Failure::new("the built-in contract is part of the program and is not signed")
            .hint("golden contract show --text >golden.toml   makes a contract of your own of it")),
        false => Ok(contract),
    }
}

/// Signs.
pub(super) fn sign(global: &Global, args: &SignArgs) -> Result<ExitCode, Failure> {
    let source = contract(global, args.file.as_deref())?.source;
    if args.message {
        return output::print_and(&source.signed_message(), ExitCode::SUCCESS);
    }
    let path = args.key.clone().map_or_else(usual_key, Ok)?;
    let key = private_key(&path, &source)?;
    let message = source.signed_message();
    let signature = key.sign(NAMESPACE, HashAlg::Sha512, message.as_bytes()).map_err(|error| {
        Failure::new(format!("{} cannot sign here: {error}", path.display())).hint(way_out(&path, &source))
    })?;
    let beside = PathBuf::from(source.signature_path());
    let (mut kept, dropped) = earlier(&beside, &source, &signature)?;
    kept.push(signature);
    let armoured: Result<String, ssh_key::Error> =
        kept.iter().map(|one| one.to_pem(LineEnding::LF)).collect();
    let text = armoured.map_err(|error| Failure::new(format!("the signature cannot be written: {error}")))?;
    output::file(&beside, &text, 0o644)?;
    let mut said = format!(
        "{} sha256:{}\nsigned by {} in {}, which holds {} of them\n",
        source.path,
        source.digest,
        key.fingerprint(HashAlg::Sha256),
        beside.display(),
        kept.len()
    );
    if dropped > 0 {
        let _ = writeln!(said, "{dropped} left out: not signatures of this contract");
    }
    output::print_and(&said, ExitCode::SUCCESS)
}

/// The first of the usual keys that is there.
fn usual_key() -> Result<PathBuf, Failure> {
    let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
    let mut keys = USUAL_KEYS.iter().map(|key| home.join(key));
    keys.find(|key| key.is_file()).ok_or_else(|| {
        Failure::new(format!("{} holds no key of SSH", home.join(".ssh").display()))
            .hint("golden contract sign --key FILE, or make one: ssh-keygen -t ed25519")
    })
}

/// How to sign with a key that this program cannot use: an agent, a token, a passphrase.
fn way_out(key: &Path, source: &Source) -> String {
    let quoted = |text: &str| crate::model::change::quoted(text).to_string();
    format!(
        "golden contract sign --message {} | ssh-keygen -Y sign -n {NAMESPACE} -f {} >>{}",
        quoted(&source.path),
        quoted(&key.display().to_string()),
        quoted(&source.signature_path())
    )
}

fn private_key(path: &Path, source: &Source) -> Result<PrivateKey, Failure> {
    let shown = path.display();
    let cannot = |error: std::io::Error| Failure::new(format!("the key {shown} cannot be read: {error}"));
    let mode = fs::metadata(path).map_err(cannot)?.mode();
    let text = read_small(path).map_err(cannot)?;
    if PublicKey::from_openssh(text.trim()).is_ok() {
        return Err(Failure::new(format!("{shown} is a public key; the private one signs"))
            .hint(format!("with an agent: {}", way_out(path, source))));
    }
    let key = PrivateKey::from_openssh(&text).map_err(|error| {
        Failure::new(format!("{shown} is not a private key of OpenSSH: {error}")).hint(way_out(path, source))
    })?;
    if mode & 0o077 != 0 {
        return Err(Failure::new(format!("{shown} can be read by others: mode {:04o}", mode & 0o7777))
            .hint(format!("chmod 600 {shown}   and consider who may have read it")));
    }
    if key.algorithm().is_rsa() {
        // The library puts the keys' primes together wrongly.
        return Err(Failure::new(format!(
            "{shown} is an RSA key; golden verifies with RSA, but does not sign"
        ))
        .hint(way_out(path, source)));
    }
    if key.is_encrypted() {
        return Err(Failure::new(format!("{shown} has a passphrase, and golden does not ask for one"))
            .hint(way_out(path, source)));
    }
    Ok(key)
}

/// Signatures that were there before, over the same contract by other keys, and how many others.
fn earlier(path: &Path, source: &Source, new: &SshSig) -> Result<(Vec<SshSig>, usize), Failure> {
    let text = match read_small(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok((Vec::new(), 0)),
        Err(error) => {
            return Err(Failure::new(format!("{} cannot be read: {error}", path.display()))
                .hint("check it, and move it away"));
        }
    };
    let message = source.signed_message();
    let is_over_this = |signature: &SshSig| {
        let key = PublicKey::new(signature.public_key().clone(), "");
        ssh_signature::verify(signature, &key, NAMESPACE, message.as_bytes()).is_ok()
    };
    let blocks = ssh_signature::blocks(&text);
    let all = blocks.len();
    let mut kept: Vec<SshSig> =
        blocks.into_iter().filter_map(|block| block.signature.ok()).filter(is_over_this).collect();
    let dropped = all - kept.len();
    kept.retain(|signature| signature.public_key() != new.public_key());
    Ok((kept, dropped))
}

fn read_small(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    let file = fs::OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(std::io::Error::other("it is not a regular file"));
    }
    file.take(LARGEST + 1).read_to_string(&mut text)?;
    match text.len() as u64 > LARGEST {
        true => Err(std::io::Error::other(format!("it holds more than {LARGEST} bytes"))),
        false => Ok(text),
    }
}

/// Verifies.
pub(super) fn verify(global: &Global, args: &VerifyArgs) -> Result<ExitCode, Failure> {
    let mut contract = contract(global, args.file.as_deref())?;
    if let Some(file) = &args.signers {
        contract.approval = Some(by_signers(&contract, file)?);
    }
    let Some(demand) = contract.approval.clone() else {
        return Err(Failure::new(format!("{} demands no approval", contract.source.path))
            .hint("golden contract verify --signers FILE   says whose signatures count"));
    };
    let system = DiskSystem::live().map_err(|error| Failure::new(format!("/ cannot be opened: {error}")))?;
    let facts = gather(&system, &contract, Needs::of(&[Need::Contract]));
    let unknown = |why: &str| Failure::new(format!("its approval is unknown: {why}"));
    let (Some(approval), Some(lookup)) = (&facts.approval, facts.paths.get(demand.signers.value.as_str()))
    else {
        return Err(unknown("it was not looked at"));
    };
    let known = |text: &Observed<String>| {
        text.known().map(|text| text.cloned()).map_err(|undecided| unknown(&undecided.why))
    };
    let signers = known(&approval.signers)?;
    if signers.is_none() && args.signers.is_some() {
        return Err(Failure::new(format!("{} does not exist", demand.signers.value))
            .hint("name a file as ssh-keygen(1) describes ALLOWED SIGNERS"));
    }
    let signatures = known(&approval.signatures)?.unwrap_or_default();
    let allowed = (signers.as_deref().unwrap_or(""), demand.signers.value.as_str());
    let weighed = weigh(&contract.source, &signatures, allowed, facts.time);
    // Whoever names a file on the command line may have written it.
    let also = args.signers.as_ref().map(|_| facts.caller);
    let open = writable_by_others(lookup, also).map(|(step, why)| format!("{} {why}", step.path));
    let approved = open.is_none() && weighed.people.len() >= demand.required.value as usize;
    let text = words(&contract.source, &demand, &weighed, open.as_deref(), approved);
    output::print_and(&text, ExitCode::from(u8::from(!approved)))
}

/// The approval that a file on the command line stands for.
fn by_signers(contract: &Contract, file: &Path) -> Result<Approval, Failure> {
    let path = find::whole(file)?;
    let at = Location::file(path.as_str());
    let own = contract.approval.as_ref().map(|approval| approval.required.clone());
    let required = own.unwrap_or_else(|| Stated::new(1, at.clone()));
    Ok(Approval { signers: Stated::new(path, at.clone()), required, at })
}

fn words(source: &Source, demand: &Approval, weighed: &Weighed, open: Option<&str>, approved: bool) -> Shown {
    let word = if approved { "approved" } else { "NOT APPROVED" };
    let mut text = Shown::new();
    text.line(format_args!("{word}: {} sha256:{}", source.path, source.digest));
    let (signed, required) = (weighed.people.len(), demand.required.value);
    text.line(format_args!("{signed} of {required} demanded signatures"));
    for person in &weighed.people {
        text.line(format_args!(
            "   signed    {} {} ({})",
            person.names.join(","),
            person.keys.join(" "),
            person.at
        ));
    }
    for refused in &weighed.refused {
        text.line(format_args!("   no        {}: {} ({})", refused.who, refused.why, refused.at));
    }
    for (at, why) in &weighed.defects {
        text.line(format_args!("   ignored   {at}: {why}"));
    }
    if let Some(why) = open {
        text.line(format_args!("   no signature counts: {why}; only root may decide who can sign"));
    }
    if weighed.people.is_empty() && weighed.refused.is_empty() {
        text.line(format_args!(
            "   no signature in {}; golden contract sign makes one",
            source.signature_path()
        ));
    }
    text
}
