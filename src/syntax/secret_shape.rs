//! Values that are secrets by their shape: tokens of well-known services, private keys, passwords in URLs.
//!
//! A shape is a documented prefix with the right length and alphabet; entropy alone proves nothing. Which *keys*
//! hold secrets is the contract's business, by patterns that [`glob_matches`] understands.

use serde::{Deserialize, Serialize};

/// A well-known kind of secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shape {
    /// AWS access key id (`AKIA…`, `ASIA…`), which never stands alone.
    AwsAccessKey,
    /// GitHub token (`ghp_…`, `github_pat_…`).
    GitHubToken,
    /// GitLab personal access token (`glpat-…`).
    GitLabToken,
    /// Slack token (`xoxb-…`) or webhook address.
    SlackToken,
    /// Stripe live key (`sk_live_…`, `rk_live_…`).
    StripeKey,
    /// Google API key (`AIza…`) or OAuth client secret (`GOCSPX-…`).
    GoogleKey,
    /// OpenAI or Anthropic key (`sk-proj-…`, `sk-ant-…`).
    LanguageModelKey,
    /// Telegram bot token (`123456789:AA…`).
    TelegramToken,
    /// SendGrid key (`SG.….…`).
    SendGridKey,
    /// Token of a package registry (`npm_…`, `pypi-…`).
    RegistryToken,
    /// Hugging Face token (`hf_…`).
    HuggingFaceToken,
    /// DigitalOcean token (`dop_v1_…`).
    DigitalOceanToken,
    /// A PEM block with a private key.
    PrivateKey,
    /// A JSON web token with its signature.
    JsonWebToken,
    /// A URL with a password before its host.
    UrlPassword,
}

impl Shape {
    /// What a person calls it.
    pub fn words(self) -> &'static str {
        match self {
            Self::AwsAccessKey => "an AWS access key",
            Self::GitHubToken => "a GitHub token",
            Self::GitLabToken => "a GitLab token",
            Self::SlackToken => "a Slack token",
            Self::StripeKey => "a Stripe live key",
            Self::GoogleKey => "a Google key",
            Self::LanguageModelKey => "a language-model API key",
            Self::TelegramToken => "a Telegram bot token",
            Self::SendGridKey => "a SendGrid key",
            Self::RegistryToken => "a package registry token",
            Self::HuggingFaceToken => "a Hugging Face token",
            Self::DigitalOceanToken => "a DigitalOcean token",
            Self::PrivateKey => "a private key",
            Self::JsonWebToken => "a signed JSON web token",
            Self::UrlPassword => "a URL with a password",
        }
    }
}

/// A prefix, the characters that follow it and how many there are at least.
struct Token {
    prefix: &'static str,
    alphabet: fn(u8) -> bool,
    at_least: usize,
    shape: Shape,
}

const fn token(prefix: &'static str, alphabet: fn(u8) -> bool, at_least: usize, shape: Shape) -> Token {
    Token { prefix, alphabet, at_least, shape }
}

const TOKENS: [Token; 24] = [
    token("AKIA", is_upper_or_digit, 16, Shape::AwsAccessKey),
    token("ASIA", is_upper_or_digit, 16, Shape::AwsAccessKey),
    token("ghp_", is_alphanumeric, 36, Shape::GitHubToken),
    token("gho_", is_alphanumeric, 36, Shape::GitHubToken),
    token("ghu_", is_alphanumeric, 36, Shape::GitHubToken),
    token("ghs_", is_alphanumeric, 36, Shape::GitHubToken),
    token("ghr_", is_alphanumeric, 36, Shape::GitHubToken),
    token("github_pat_", is_word, 36, Shape::GitHubToken),
    token("glpat-", is_word_or_dash, 20, Shape::GitLabToken),
    token("xoxb-", is_word_or_dash, 16, Shape::SlackToken),
    token("xoxp-", is_word_or_dash, 16, Shape::SlackToken),
    token("xoxa-", is_word_or_dash, 16, Shape::SlackToken),
    token("xoxs-", is_word_or_dash, 16, Shape::SlackToken),
    token("hooks.slack.com/services/", is_path, 24, Shape::SlackToken),
    token("sk_live_", is_alphanumeric, 16, Shape::StripeKey),
    token("rk_live_", is_alphanumeric, 16, Shape::StripeKey),
    token("AIza", is_word_or_dash, 35, Shape::GoogleKey),
    token("GOCSPX-", is_word_or_dash, 24, Shape::GoogleKey),
    token("sk-proj-", is_word_or_dash, 32, Shape::LanguageModelKey),
    token("sk-ant-", is_word_or_dash, 32, Shape::LanguageModelKey),
    token("npm_", is_alphanumeric, 36, Shape::RegistryToken),
    token("pypi-AgE", is_word_or_dash, 50, Shape::RegistryToken),
    token("hf_", is_alphanumeric, 30, Shape::HuggingFaceToken),
    token("dop_v1_", is_alphanumeric, 64, Shape::DigitalOceanToken),
];

fn is_alphanumeric(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
}

fn is_upper_or_digit(byte: u8) -> bool {
    byte.is_ascii_uppercase() || byte.is_ascii_digit()
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn is_word_or_dash(byte: u8) -> bool {
    is_word(byte) || byte == b'-'
}

fn is_path(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'/'
}

/// Nothing shorter has one of the shapes, but for a password in a URL.
const SHORTEST: usize = 16;

/// The first well-known secret in a text, which may be a whole file.
pub fn secret_shape(text: &str) -> Option<Shape> {
    if text.len() < SHORTEST {
        return holds_url_password(text).then_some(Shape::UrlPassword);
    }
    let token = TOKENS.iter().find(|token| holds_token(text, token)).map(|token| token.shape);
    token
        .or_else(|| holds_private_key(text).then_some(Shape::PrivateKey))
        .or_else(|| holds_json_web_token(text).then_some(Shape::JsonWebToken))
        .or_else(|| holds_telegram_token(text).then_some(Shape::TelegramToken))
        .or_else(|| holds_sendgrid_key(text).then_some(Shape::SendGridKey))
        .or_else(|| holds_url_password(text).then_some(Shape::UrlPassword))
}

/// Occurrences of `prefix` that do not continue a word; gives the text after each.
fn after_prefix<'a>(text: &'a str, prefix: &'a str) -> impl Iterator<Item = &'a str> {
    text.match_indices(prefix).filter_map(move |(at, _)| {
        let before = at.checked_sub(1).and_then(|index| text.as_bytes().get(index));
        let begins = !before.is_some_and(u8::is_ascii_alphanumeric);
        begins.then(|| text.get(at + prefix.len()..)).flatten()
    })
}

fn holds_token(text: &str, token: &Token) -> bool {
    after_prefix(text, token.prefix).any(|after| {
        // A longer look is never needed, and text of one repeated prefix would make it quadratic.
        let tail = after.as_bytes().get(..token.at_least).unwrap_or_default();
        !tail.is_empty() && tail.iter().all(|&byte| (token.alphabet)(byte)) && !is_monotonous(tail)
    })
}

/// `ghp_xxxxxxxx…` is an example, not a secret.
fn is_monotonous(bytes: &[u8]) -> bool {
    let mut seen = [false; 256];
    for &byte in bytes {
        seen[usize::from(byte)] = true;
    }
    seen.iter().filter(|&&seen| seen).count() < 5
}

fn holds_private_key(text: &str) -> bool {
    text.match_indices("-----BEGIN ").any(|(at, begin)| {
        let label =
            text[at + begin.len()..].bytes().take(48).take_while(|&b| b == b' ' || b.is_ascii_uppercase());
        let label: Vec<u8> = label.collect();
        label.ends_with(b"PRIVATE KEY") || label.ends_with(b"PRIVATE KEY BLOCK")
    })
}

fn holds_json_web_token(text: &str) -> bool {
    const LONGEST: usize = 8192;
    after_prefix(text, "eyJ").take(64).any(|after| {
        let window: &[u8] = after.as_bytes().get(..LONGEST).unwrap_or(after.as_bytes());
        let mut parts = window.split(|&byte| byte == b'.');
        let header = parts.next().unwrap_or_default();
        let payload = parts.next().unwrap_or_default();
        let signature = parts.next().unwrap_or_default();
        let signature = signature.iter().take_while(|&&byte| is_word_or_dash(byte)).count();
        let encoded = |part: &[u8]| part.len() >= 10 && part.iter().all(|&byte| is_word_or_dash(byte));
        encoded(header) && encoded(payload) && payload.starts_with(b"eyJ") && signature >= 20
    })
}

fn holds_telegram_token(text: &str) -> bool {
    text.match_indices(":AA").any(|(at, _)| {
        let digits =
            text.as_bytes()[..at].iter().rev().take(11).take_while(|byte| byte.is_ascii_digit()).count();
        let tail = text.as_bytes().get(at + 1..at + 36).unwrap_or_default();
        (8..=10).contains(&digits) && tail.len() == 35 && tail.iter().all(|&byte| is_word_or_dash(byte))
    })
}

fn holds_sendgrid_key(text: &str) -> bool {
    after_prefix(text, "SG.").any(|after| {
        let bytes = after.as_bytes();
        let good = |range: std::ops::Range<usize>| {
            bytes.get(range).is_some_and(|part| part.iter().all(|&byte| is_word_or_dash(byte)))
        };
        good(0..22) && bytes.get(22) == Some(&b'.') && good(23..66)
    })
}

fn holds_url_password(text: &str) -> bool {
    const LONGEST: usize = 512;
    text.match_indices("://").any(|(at, found)| {
        let scheme = text.as_bytes()[..at].last().is_some_and(u8::is_ascii_alphanumeric);
        let after = &text.as_bytes()[at + found.len()..];
        let window = after.get(..LONGEST).unwrap_or(after);
        let ends = |&byte: &u8| {
            byte.is_ascii_whitespace() || matches!(byte, b'/' | b'?' | b'#' | b'"' | b'\'' | b'<')
        };
        let authority = window.split(ends).next().unwrap_or_default();
        let Some(host) = authority.iter().rposition(|&byte| byte == b'@') else { return false };
        let Some(colon) = authority[..host].iter().position(|&byte| byte == b':') else { return false };
        let password = String::from_utf8_lossy(&authority[colon + 1..host]);
        scheme && !is_placeholder(&password)
    })
}

/// Names that hold secrets by any custom, whatever a contract says: `PGPASSWORD`, `AWS_SECRET_ACCESS_KEY`, `SENTRY_DSN`.
const SECRET_NAMES: &[&str] = &[
    "*SECRET*",
    "*TOKEN",
    "*PASSWORD*",
    "*PASSWD*",
    "*PASSPHRASE*",
    "PASS",
    "*_PASS",
    "*DBPASS",
    "*_PW",
    "*_PWD",
    "*API_KEY",
    "*APIKEY",
    "*ACCESS_KEY",
    "*PRIVATE_KEY",
    "*MASTER_KEY",
    "*_PRIMARY_KEY",
    "*ENCRYPTION_KEY",
    "*SIGNING_KEY",
    "*AUTH_KEY",
    "*_DSN",
    "*CREDENTIAL",
    "*CREDENTIALS",
    "*_AUTH",
    "*_SALT",
    "*_PEPPER",
    "*COOKIE",
    "*_KEY_BASE",
    "*WEBHOOK_URL",
];

/// Whether a value says where a secret lies, and is none itself.
pub fn is_path_of_secret(value: &str) -> bool {
    value.starts_with('/') && !value.contains(char::is_whitespace)
}

/// Whether a name says that its value is for nobody's eyes, and the value is no path, number or word that only describes one
/// (`TOKEN_FILE=/run/token`, `PASSWORD_MIN_LENGTH=8`).
pub fn is_secret_by_name(name: &str, value: &str) -> bool {
    let name = name.trim_start_matches('-').replace(['-', '.'], "_").to_ascii_uppercase();
    let describes =
        ["_FILE", "_PATH", "_DIR", "_NAME", "_ID", "_LENGTH", "_TTL", "_POLICY", "_HASHERS", "_VALIDATORS"];
    SECRET_NAMES.iter().any(|pattern| glob_matches(pattern, &name))
        && !describes.iter().any(|end| name.ends_with(end))
        && !is_path_of_secret(value)
        && !is_placeholder(value)
}

/// The words of a text that are secrets: by their shape, as what follows an option with the name of one, or as what
/// follows the directive of a server that takes one.
pub fn secret_words(text: &str) -> Vec<&str> {
    const DIRECTIVES: [&str; 3] = ["requirepass", "masterauth", "--requirepass"];
    let mut hidden = Vec::new();
    let mut follows = false;
    for word in
        text.split(|c: char| c.is_whitespace() || matches!(c, '"' | '\'')).filter(|word| !word.is_empty())
    {
        let (name, value) = word.split_once('=').map_or((word, None), |(name, value)| (name, Some(value)));
        let is_option = name.starts_with("--") && is_secret_by_name(name, value.unwrap_or("value"));
        match value {
            _ if follows => hidden.push(word),
            Some(value) if is_option => hidden.push(value),
            _ => match secret_shape(word) {
                Some(Shape::UrlPassword) => hidden.extend(url_password(word)),
                Some(_) => hidden.push(value.unwrap_or(word)),
                None => {}
            },
        }
        follows = !follows
            && (value.is_none() && is_option || DIRECTIVES.iter().any(|one| one.eq_ignore_ascii_case(word)));
    }
    hidden
}

/// The password of a URL.
fn url_password(text: &str) -> Option<&str> {
    let rest = &text[text.find("://")? + 3..];
    let authority = rest.split(['/', '?', '#']).next()?;
    let (user, _) = authority.rsplit_once('@')?;
    user.split_once(':').map(|(_, password)| password).filter(|password| !password.is_empty())
}

/// A value that stands for a secret without being one.
pub fn is_placeholder(value: &str) -> bool {
    const WORDS: [&str; 27] = [
        "",
        "changeme",
        "change-me",
        "change_me",
        "none",
        "null",
        "nil",
        "example",
        "placeholder",
        "password",
        "secret",
        "token",
        "todo",
        "tbd",
        "fixme",
        "dummy",
        "test",
        "redacted",
        "unset",
        "empty",
        "disabled",
        "true",
        "false",
        "yes",
        "no",
        "n/a",
        "user",
    ];
    let value = value.trim().trim_matches(['"', '\'']).trim();
    let lower = value.get(..64).unwrap_or(value).to_ascii_lowercase();
    let filler = |c: char| matches!(c, 'x' | '*' | '.' | '-' | '_' | '…' | '0' | '#' | '?');
    let bracketed =
        [("<", ">"), ("${", "}"), ("{{", "}}"), ("$(", ")"), ("[", "]"), ("%", "%"), ("__", "__")];
    WORDS.contains(&lower.as_str())
        || lower.chars().all(filler)
        || bracketed.iter().any(|(open, close)| {
            value.len() >= open.len() + close.len() && value.starts_with(open) && value.ends_with(close)
        })
        || [
            "your-",
            "your_",
            "my-",
            "insert-",
            "insert_",
            "replace-",
            "replace_",
            "replace me",
            "put-",
            "xxx",
            "enter-",
        ]
        .iter()
        .any(|start| lower.starts_with(start))
        || ["changeme", "change_me", "change-me", "example", "placeholder", "your_", "your-"]
            .iter()
            .any(|word| lower.contains(word))
        || lower.strip_prefix('$').is_some_and(|name| !name.is_empty() && name.bytes().all(is_word))
}

/// Matches `text` against a pattern in which `*` stands for any text and `?` for one character.
pub fn glob_matches(pattern: &str, text: &str) -> bool {
    if pattern.is_ascii() && text.is_ascii() {
        return matches(pattern.as_bytes(), text.as_bytes(), b'*', b'?');
    }
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    matches(&pattern, &text, '*', '?')
}

fn matches<T: Copy + PartialEq>(pattern: &[T], text: &[T], many: T, one: T) -> bool {
    let (mut at_pattern, mut at_text) = (0, 0);
    // Where to go on after the last `*` when what follows it does not fit.
    let mut retry: Option<(usize, usize)> = None;
    while at_text < text.len() {
        match (pattern.get(at_pattern), retry) {
            (Some(&c), _) if c == many => {
                retry = Some((at_pattern + 1, at_text));
                at_pattern += 1;
            }
            (Some(&c), _) if c == one || c == text[at_text] => {
                at_pattern += 1;
                at_text += 1;
            }
            (_, Some((after_star, started))) => {
                retry = Some((after_star, started + 1));
                at_pattern = after_star;
                at_text = started + 1;
            }
            (_, None) => return false,
        }
    }
    pattern.iter().skip(at_pattern).all(|&c| c == many)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Assembled here, so that no scanner takes this file for a leak.
    fn made(prefix: &str, length: usize) -> String {
        let letters = "A1b2C3d4E5f6G7h8J9k0".chars().cycle().take(length);
        prefix.chars().chain(letters).collect()
    }

    #[test]
    fn well_known_tokens() {
        let upper = made("AKIA", 16).to_uppercase();
        assert_eq!(secret_shape(&upper), Some(Shape::AwsAccessKey));
        assert_eq!(secret_shape(&format!("x='{}'", made("ghp_", 36))), Some(Shape::GitHubToken));
        assert_eq!(secret_shape(&made("github_pat_", 82)), Some(Shape::GitHubToken));
        assert_eq!(secret_shape(&made("xoxb-12-", 24)), Some(Shape::SlackToken));
        assert_eq!(secret_shape(&made("sk_live_", 24)), Some(Shape::StripeKey));
        assert_eq!(secret_shape(&made("AIza", 35)), Some(Shape::GoogleKey));
        assert_eq!(secret_shape(&made("123456789:AA", 33)), Some(Shape::TelegramToken));
        assert_eq!(secret_shape(&(made("SG.", 22) + &made(".", 43))), Some(Shape::SendGridKey));
        let jwt = [made("eyJ", 20), made("eyJ", 40), made("", 43)].join(".");
        assert_eq!(secret_shape(&jwt), Some(Shape::JsonWebToken));
        let key = format!("-----BEGIN {} PRIVATE KEY-----\\nMII", "RSA");
        assert_eq!(secret_shape(&key), Some(Shape::PrivateKey));
    }

    #[test]
    fn urls_with_passwords() {
        assert_eq!(secret_shape("redis://:s3cr3tpw@localhost:1/0"), Some(Shape::UrlPassword));
        assert_eq!(secret_shape("postgres://bob:p@ss:w0rd@db/x"), Some(Shape::UrlPassword));
        for plain in
            ["http://localhost:80/a@b:c", "redis://:${PW}@h", "postgres://u:changeme@h", "ssh://git@h:22/x"]
        {
            assert_eq!(secret_shape(plain), None, "{plain}");
        }
    }

    #[test]
    fn what_is_no_secret() {
        let public = format!("-----BEGIN {}-----", "PUBLIC KEY");
        for plain in ["", "AKIA", "ghp_short", "risk-proj-thing", "true", "/opt/data", "sk_test_abc", &public]
        {
            assert_eq!(secret_shape(plain), None, "{plain}");
        }
        assert_eq!(secret_shape(&format!("ghp_{}", "x".repeat(36))), None);
        assert_eq!(secret_shape(&made("Zghp_", 36)), None);
    }

    #[test]
    fn names_by_any_custom() {
        for name in [
            "SECRET_KEY",
            "AWS_SECRET_ACCESS_KEY",
            "SMTP_PASS",
            "PGPASSWORD",
            "SENTRY_DSN",
            "GH_TOKEN",
            "OPENAI_API_KEY",
            "--api-key",
        ] {
            assert!(is_secret_by_name(name, "hunter2hunter2"), "{name}");
        }
        for (name, value) in [
            ("TOKEN_FILE", "/run/token"),
            ("DB_PASSWORD", "/run/secrets/db"),
            ("PORT", "1"),
            ("API_KEY", "changeme"),
            ("PGHOST", "db"),
        ] {
            assert!(!is_secret_by_name(name, value), "{name}");
        }
    }

    #[test]
    fn secret_words_of_commands() {
        assert_eq!(secret_words("a --password hunter2 -x"), ["hunter2"]);
        assert_eq!(secret_words("a --api-key=hunter2 b"), ["hunter2"]);
        assert_eq!(secret_words("Environment=\"DB=redis://u:s3cr3tpw@h/0\""), ["s3cr3tpw"]);
        assert_eq!(secret_words("requirepass hunter2"), ["hunter2"]);
        assert_eq!(secret_words("a --port 80 --token-file /x"), Vec::<&str>::new());
    }

    #[test]
    fn placeholders() {
        for value in [
            "",
            "  ",
            "changeme",
            "CHANGE_ME",
            "<token>",
            "${TOKEN}",
            "{{ token }}",
            "xxxx",
            "****",
            "your-api-key",
            "None",
            "example",
            "\"\"",
            "$TOKEN",
            "my_example_key",
            "...",
        ] {
            assert!(is_placeholder(value), "{value:?}");
        }
        for value in ["hunter2", "a8f5f167f44f4964e6c998dee827110c", "$ecret!", "x9", "[1"] {
            assert!(!is_placeholder(value), "{value:?}");
        }
    }

    #[test]
    fn globs() {
        for (pattern, text, expected) in [
            ("*_SECRET", "API_SECRET", true),
            ("*_SECRET", "_SECRET", true),
            ("*_SECRET", "API_SECRET_PATH", false),
            ("*KEY*", "MONKEYS", true),
            ("A?C", "ABC", true),
            ("A?C", "AC", false),
            ("*", "", true),
            ("", "", true),
            ("", "A", false),
            ("*a*b*c", "xxaxxbxxbc", true),
        ] {
            assert_eq!(glob_matches(pattern, text), expected, "{pattern} {text}");
        }
    }
}
