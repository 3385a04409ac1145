//! Values that are secrets by their shape: tokens of well-known services, private keys, passwords in URLs.
//!
//! A shape is a documented prefix with the right length and alphabet; entropy alone proves nothing. Which *keys*
//! hold secrets is the contract's business, by patterns that [`glob::matches_word`] understands.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::glob;
use super::stand_in::{self, is_stand_in};

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
    /// All of them.
    pub const ALL: [Self; 15] = [
        Self::AwsAccessKey,
        Self::GitHubToken,
        Self::GitLabToken,
        Self::SlackToken,
        Self::StripeKey,
        Self::GoogleKey,
        Self::LanguageModelKey,
        Self::TelegramToken,
        Self::SendGridKey,
        Self::RegistryToken,
        Self::HuggingFaceToken,
        Self::DigitalOceanToken,
        Self::PrivateKey,
        Self::JsonWebToken,
        Self::UrlPassword,
    ];

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

/// The first well-known secret in a text, which may be a whole file. A stand-in has the shape of what it stands for.
pub fn secret_shape(text: &str) -> Option<Shape> {
    let stands_for = || stand_in::all(text).find_map(|(_, found)| found.shape);
    let token = TOKENS.iter().filter(|_| text.len() >= SHORTEST);
    token
        .filter(|token| tokens(text, token).next().is_some())
        .map(|token| token.shape)
        .chain(SHAPED.iter().filter(|(_, find)| find(text, 0).is_some()).map(|(shape, _)| *shape))
        .next()
        .or_else(stands_for)
}

/// Where the well-known secrets of a text stand, as far as nobody may see them: of a URL the password alone.
pub fn shape_spans(text: &str) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    if text.len() >= SHORTEST {
        TOKENS.iter().for_each(|token| found.extend(tokens(text, token)));
    }
    for (_, find) in SHAPED {
        let mut from = 0;
        while let Some(span) = find(text, from) {
            from = span.end.max(from + 1);
            found.push(span);
        }
    }
    found.retain(|span| !is_stand_in(&text[span.clone()]));
    found
}

/// Finds the first secret of a shape that begins at a position or behind it.
type Find = fn(&str, usize) -> Option<Range<usize>>;

/// The shapes that are more than a prefix.
const SHAPED: [(Shape, Find); 5] = [
    (Shape::PrivateKey, private_key),
    (Shape::JsonWebToken, json_web_token),
    (Shape::TelegramToken, telegram_token),
    (Shape::SendGridKey, sendgrid_key),
    (Shape::UrlPassword, url_password),
];

/// Where occurrences of `prefix` end that do not continue a word, from a position on.
fn after_prefix<'a>(text: &'a str, prefix: &'a str, from: usize) -> impl Iterator<Item = usize> {
    let rest = text.get(from..).unwrap_or_default();
    rest.match_indices(prefix).filter_map(move |(at, _)| {
        let at = from + at;
        let before = at.checked_sub(1).and_then(|index| text.as_bytes().get(index));
        (!before.is_some_and(u8::is_ascii_alphanumeric)).then_some(at + prefix.len())
    })
}

/// How many bytes at a position are of an alphabet.
fn run_of(text: &str, at: usize, alphabet: impl Fn(u8) -> bool) -> usize {
    text.as_bytes()[at..].iter().take_while(|&&byte| alphabet(byte)).count()
}

/// The tokens of a kind in a text.
fn tokens<'a>(text: &'a str, token: &'a Token) -> impl Iterator<Item = Range<usize>> + 'a {
    let mut reached = 0;
    after_prefix(text, token.prefix, 0).filter_map(move |after| {
        // A longer look is never needed to know one, and text of one repeated prefix would make it quadratic.
        let tail = text.as_bytes().get(after..after + token.at_least)?;
        if after < reached || !tail.iter().all(|&byte| (token.alphabet)(byte)) || is_monotonous(tail) {
            return None;
        }
        reached = after + run_of(text, after, token.alphabet);
        // Of an address what stands behind the name of the host is the secret.
        let start = if token.prefix.ends_with('/') { after } else { after - token.prefix.len() };
        Some(start..reached)
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

/// From the line that begins a private key to the one that ends it, or to the end of the text.
fn private_key(text: &str, from: usize) -> Option<Range<usize>> {
    const END: &str = "-----END ";
    let begin = "-----BEGIN ";
    let found = text.get(from..)?.match_indices(begin).find(|(at, _)| {
        let label = text[from + at + begin.len()..].bytes().take(48);
        let label: Vec<u8> = label.take_while(|&b| b == b' ' || b.is_ascii_uppercase()).collect();
        label.ends_with(b"PRIVATE KEY") || label.ends_with(b"PRIVATE KEY BLOCK")
    });
    let start = from + found?.0;
    let end = text[start..]
        .find(END)
        .map(|at| start + at + END.len())
        .and_then(|label| text[label..].find("-----").map(|dashes| label + dashes + 5));
    Some(start..end.unwrap_or(text.len()))
}

fn json_web_token(text: &str, from: usize) -> Option<Range<usize>> {
    const LONGEST: usize = 8192;
    after_prefix(text, "eyJ", from).take(64).find_map(|after| {
        let start = after - 3;
        let window = &text.as_bytes()[start..];
        let window = window.get(..LONGEST).unwrap_or(window);
        let mut parts = window.split(|&byte| byte == b'.');
        let (header, payload) = (parts.next()?, parts.next()?);
        let signature = parts.next()?.iter().take_while(|&&byte| is_word_or_dash(byte)).count();
        let encoded = |part: &[u8]| part.len() >= 13 && part.iter().all(|&byte| is_word_or_dash(byte));
        let is_one = encoded(header) && encoded(payload) && payload.starts_with(b"eyJ") && signature >= 20;
        is_one.then(|| start..start + header.len() + payload.len() + 2 + signature)
    })
}

fn telegram_token(text: &str, from: usize) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    text.get(from..)?.match_indices(":AA").map(|(at, _)| from + at).find_map(|at| {
        let digits = bytes[..at].iter().rev().take(11).take_while(|byte| byte.is_ascii_digit()).count();
        let tail = bytes.get(at + 1..at + 36)?;
        let is_one = (8..=10).contains(&digits) && tail.iter().all(|&byte| is_word_or_dash(byte));
        (is_one && at - digits >= from).then(|| at - digits..at + 1 + run_of(text, at + 1, is_word_or_dash))
    })
}

fn sendgrid_key(text: &str, from: usize) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    after_prefix(text, "SG.", from).find_map(|after| {
        let good = |range: Range<usize>| {
            bytes.get(range).is_some_and(|part| part.iter().all(|&byte| is_word_or_dash(byte)))
        };
        let dot = after + 22;
        let is_one = good(after..dot) && bytes.get(dot) == Some(&b'.') && good(dot + 1..dot + 44);
        is_one.then(|| after - 3..dot + 44)
    })
}

/// The password of a URL.
fn url_password(text: &str, from: usize) -> Option<Range<usize>> {
    const LONGEST: usize = 512;
    let bytes = text.as_bytes();
    text.get(from..)?.match_indices("://").map(|(at, _)| from + at).find_map(|at| {
        let scheme = bytes[..at].last().is_some_and(u8::is_ascii_alphanumeric);
        let start = at + 3;
        let window = bytes[start..].get(..LONGEST).unwrap_or(&bytes[start..]);
        let ends = |&byte: &u8| {
            byte.is_ascii_whitespace() || matches!(byte, b'/' | b'?' | b'#' | b'"' | b'\'' | b'<')
        };
        let authority = window.split(ends).next().unwrap_or_default();
        let host = authority.iter().rposition(|&byte| byte == b'@')?;
        let colon = authority[..host].iter().position(|&byte| byte == b':')?;
        // GitHub takes a token in the place of the user.
        let is_token = &authority[colon + 1..host] == b"x-oauth-basic";
        let span = if is_token { start..start + colon } else { start + colon + 1..start + host };
        (scheme && !is_placeholder(text.get(span.clone())?)).then_some(span)
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
    "PW",
    "*BEARER",
    "PSK",
    "*_PSK",
    "*ACCOUNTKEY",
    "*ACCESSKEY",
    "*PRIVATEKEY",
    "*CONNECTION_STRING",
    "*CONNECTIONSTRING",
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
    SECRET_NAMES.iter().any(|pattern| glob::matches_word(pattern, &name))
        && !describes.iter().any(|end| name.ends_with(end))
        && !is_path_of_secret(value)
        && !is_placeholder(value)
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

#[cfg(test)]
mod tests;
