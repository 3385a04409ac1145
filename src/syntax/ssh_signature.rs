//! Files of SSH signatures (OpenSSH's PROTOCOL.sshsig): armoured blocks, any number of them one after the
//! other, as `ssh-keygen -Y sign` writes them. What is no block, and what is half of one, is kept with what is wrong.

use ssh_key::{Algorithm, HashAlg, PublicKey, SshSig};

const BEGIN: &str = "-----BEGIN SSH SIGNATURE-----";
const END: &str = "-----END SSH SIGNATURE-----";

/// What the decoder wants a line of base64 to be; writers differ.
const LINE: usize = 70;

/// A signature of a file, or what stands where one should.
#[derive(Debug)]
pub struct Block {
    /// The line it begins in.
    pub line: u32,
    /// The signature, or why it is none.
    pub signature: Result<SshSig, String>,
}

/// Every block of a text, in order.
pub fn blocks(text: &str) -> Vec<Block> {
    let mut found = Vec::new();
    let mut open: Option<(u32, String)> = None;
    let mut stray = None;
    let cut_off = |line| Block { line, signature: Err(format!("it is cut off: its {END} is missing")) };
    for (number, line) in (1..).zip(text.lines()) {
        match (line.trim(), &mut open) {
            (BEGIN, _) => found.extend(open.replace((number, String::new())).map(|(line, _)| cut_off(line))),
            (END, Some(_)) => {
                found.extend(open.take().map(|(line, body)| Block { line, signature: decode(&body) }));
            }
            (body, Some((_, text))) => text.extend(body.split_whitespace()),
            ("", None) => {}
            (_, None) => stray = stray.or(Some(number)),
        }
    }
    found.extend(open.map(|(line, _)| cut_off(line)));
    let why = || format!("it is not a signature: one begins with {BEGIN}");
    found.extend(stray.map(|line| Block { line, signature: Err(why()) }));
    found
}

/// A signature from the base64 of its block.
fn decode(body: &str) -> Result<SshSig, String> {
    if !body.is_ascii() {
        return Err("it is broken: its text is not base64".to_owned());
    }
    let mut armour = format!("{BEGIN}\n");
    for line in body.as_bytes().chunks(LINE) {
        armour.push_str(&String::from_utf8_lossy(line));
        armour.push('\n');
    }
    armour.push_str(END);
    armour.push('\n');
    SshSig::from_pem(&armour).map_err(|error| format!("it is broken: {error}"))
}

/// Whether a signature was made by `key`, for `namespace`, over `message`; otherwise what it is.
pub fn verify(signature: &SshSig, key: &PublicKey, namespace: &str, message: &[u8]) -> Result<(), String> {
    if signature.namespace() != namespace {
        return Err(format!("it was made for {:?}, not for {namespace:?}", signature.namespace()));
    }
    if matches!(signature.algorithm(), Algorithm::Rsa { hash: None } | Algorithm::Dsa) {
        return Err("it is made with SHA-1, which proves nothing".to_owned());
    }
    key.verify(namespace, message, signature).map_err(|error| match error {
        ssh_key::Error::AlgorithmUnsupported { .. } | ssh_key::Error::AlgorithmUnknown => {
            format!("keys of the type {} cannot be checked", signature.public_key().algorithm())
        }
        _ => "it is over other bytes than these, or forged".to_owned(),
    })
}

/// The fingerprint of the key that made a signature, as ssh-keygen shows it.
pub fn fingerprint(signature: &SshSig) -> String {
    signature.public_key().fingerprint(HashAlg::Sha256).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ssh_key::PrivateKey;
    use ssh_key::private::{Ed25519Keypair, KeypairData};

    fn key(seed: u8) -> PrivateKey {
        let pair = Ed25519Keypair::from_seed(&[seed; 32]);
        PrivateKey::new(KeypairData::from(pair), "").unwrap()
    }

    fn signed(seed: u8, namespace: &str, message: &str) -> String {
        let signature = key(seed).sign(namespace, HashAlg::Sha512, message.as_bytes()).unwrap();
        signature.to_pem(ssh_key::LineEnding::LF).unwrap()
    }

    #[test]
    fn blocks_are_read_however_they_are_wrapped() {
        let one = signed(1, "n", "m");
        let rewrapped = one.replace('\n', "\r\n").replacen("MQ", "M\nQ", 1);
        let all = blocks(&format!("{one}\n{rewrapped}{}", signed(2, "n", "m")));
        assert_eq!(all.len(), 3);
        for block in &all {
            let signature = block.signature.as_ref().unwrap();
            let seed = if block.line > 10 { 2 } else { 1 };
            assert_eq!(verify(signature, key(seed).public_key(), "n", b"m"), Ok(()), "{}", block.line);
        }
    }

    #[test]
    fn half_a_block_and_other_text_are_said() {
        let one = signed(1, "n", "m");
        let cut: String = one.lines().take(3).collect::<Vec<_>>().join("\n");
        let said = |text: &str| {
            let words =
                |block: Block| format!("{}: {}", block.line, block.signature.err().unwrap_or_default());
            blocks(text).into_iter().map(words).collect::<Vec<_>>().join("\n")
        };
        assert!(said(&cut).starts_with("1: it is cut off"), "{}", said(&cut));
        assert!(said(&format!("{cut}\n{one}")).starts_with("1: it is cut off"));
        assert!(said("hello\nworld").starts_with("1: it is not a signature"));
        assert!(said(&format!("{BEGIN}\n{END}\n")).contains("broken"));
        assert!(said(&format!("{BEGIN}\näö\n{END}\n")).contains("base64"));
        let shortened = one.replacen("U1NIU0lH", "U1NI", 1);
        assert!(said(&shortened).contains("broken"), "{}", said(&shortened));
        assert!(blocks("").is_empty() && blocks("\n \n").is_empty());
    }

    #[test]
    fn only_this_key_namespace_and_message_count() {
        let text = signed(1, "n", "m");
        let signature = blocks(&text).remove(0).signature.unwrap();
        let refused = |seed, namespace: &str, message: &[u8]| {
            verify(&signature, key(seed).public_key(), namespace, message).unwrap_err()
        };
        assert!(refused(1, "other", b"m").contains("\"n\""));
        assert!(refused(1, "n", b"M").contains("other bytes"));
        assert!(refused(2, "n", b"m").contains("forged"));
    }
}
