//! `redis.conf` as `loadServerConfigFromString` of Redis reads it (the comments of redis.conf itself).
//!
//! One directive a line, names without regard to case, quotes as in `sdssplitargs`. An `include` counts at
//! the place where it stands, and the last word on a directive wins, so directives keep their order and the
//! caller splices included files in.

use serde::{Deserialize, Serialize};

/// Where Redis listens when nothing is said (the comments of redis.conf).
pub const USUAL_PORT: u16 = 6379;

/// Directives of one file, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RedisConf {
    /// All directives, `include` among them.
    pub directives: Vec<Directive>,
    /// Lines that make Redis refuse to start.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unbalanced: Vec<u32>,
}

/// One directive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Directive {
    /// Its name in lower case.
    pub name: String,
    /// Its arguments, quotes and escapes decoded.
    pub arguments: Vec<String>,
    /// Line in the file, from 1.
    pub line: u32,
    /// The file, where it is another than the one that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub included_from: Option<Box<str>>,
}

/// What keeps Redis from starting with its configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// What is wrong.
    pub why: String,
    /// The file in which that stands.
    pub file: Box<str>,
    /// Its line there.
    pub line: u32,
}

impl RedisConf {
    /// The last directive of this name, the one that counts for everything that is not a list.
    pub fn last(&self, name: &str) -> Option<&Directive> {
        self.directives.iter().rev().find(|directive| directive.name == name)
    }

    /// Files included, each with its position among the directives. Redis 7 takes a glob here.
    pub fn includes(&self) -> impl Iterator<Item = (usize, &Directive)> {
        self.directives.iter().enumerate().filter(|(_, directive)| directive.name == "include")
    }

    /// Replaces the directive at `position` (an `include`) by those of the file it names.
    pub fn splice(&mut self, position: usize, path: &str, mut included: RedisConf) {
        for directive in &mut included.directives {
            directive.included_from.get_or_insert_with(|| path.into());
        }
        if position < self.directives.len() {
            self.directives.splice(position..=position, included.directives);
        }
    }

    /// Addresses to listen on, a leading `-` (may be missing on the host) included. None: not stated.
    pub fn bind(&self) -> Option<&[String]> {
        self.last("bind").map(|directive| directive.arguments.as_slice())
    }

    /// The TCP port; 0 switches TCP off. None: not stated, or not a number.
    pub fn port(&self) -> Option<u16> {
        self.last("port")?.arguments.first()?.parse().ok()
    }

    /// `appendonly`. None: not stated, or neither yes nor no.
    pub fn appendonly(&self) -> Option<bool> {
        self.yes_or_no("appendonly")
    }

    /// `protected-mode`. None: not stated, or neither yes nor no.
    pub fn protected_mode(&self) -> Option<bool> {
        self.yes_or_no("protected-mode")
    }

    /// A password is demanded: by `requirepass` with a value. (ACL files and `user` lines are not judged.)
    pub fn has_password(&self) -> bool {
        self.last("requirepass")
            .and_then(|found| found.arguments.first())
            .is_some_and(|word| !word.is_empty())
    }

    /// A directive that takes `yes` or `no` in any case.
    pub fn yes_or_no(&self, name: &str) -> Option<bool> {
        match self.last(name)?.arguments.first()?.to_ascii_lowercase().as_str() {
            "yes" => Some(true),
            "no" => Some(false),
            _ => None,
        }
    }
}

/// The words behind `redis-server`: the file that it reads, and the directives that count after it. A first word without
/// a dash is the file; of the others each `--name` begins a directive (`main` of Redis; "redis-server --help").
/// `None` where it reads its configuration from its input.
pub fn parse_arguments(words: &[String]) -> Option<(Option<&str>, RedisConf)> {
    let file = words.first().filter(|word| !word.starts_with('-')).map(String::as_str);
    let mut text = String::new();
    for word in words.iter().skip(usize::from(file.is_some())) {
        match word.strip_prefix("--") {
            _ if word == "-" => return None,
            Some(option) => text.extend(["\n", option, " "]),
            None => {
                let quoted = word.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
                text.extend(["\"", &quoted, "\" "]);
            }
        }
    }
    Some((file, parse(text.as_bytes())))
}

/// Reads the content of one file. Bytes that are not UTF-8 become U+FFFD.
pub fn parse(bytes: &[u8]) -> RedisConf {
    let mut conf = RedisConf::default();
    for (line, number) in bytes.split(|&byte| byte == b'\n').zip(1u32..) {
        let line = line.trim_ascii();
        if line.is_empty() || line.starts_with(b"#") {
            continue;
        }
        match split_arguments(line) {
            None => conf.unbalanced.push(number),
            Some(mut words) if !words.is_empty() => {
                let name = words.remove(0).to_ascii_lowercase();
                conf.directives.push(Directive { name, arguments: words, line: number, included_from: None });
            }
            Some(_) => {}
        }
    }
    conf
}

/// `sdssplitargs`: None where a quote is not closed or something touches a closing quote.
fn split_arguments(line: &[u8]) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut rest = line.trim_ascii_start();
    while !rest.is_empty() {
        let mut word = Vec::new();
        let mut at = 0;
        while let Some(&byte) = rest.get(at) {
            match byte {
                _ if byte.is_ascii_whitespace() || byte == 0 => break,
                b'"' | b'\'' => {
                    at += 1 + read_quoted(rest.get(at + 1..)?, byte, &mut word)?;
                    // The closing quote ends the word, or the line is broken.
                    if rest.get(at).is_some_and(|next| !next.is_ascii_whitespace()) {
                        return None;
                    }
                    break;
                }
                _ => {
                    word.push(byte);
                    at += 1;
                }
            }
        }
        words.push(String::from_utf8_lossy(&word).into_owned());
        if rest.get(at) == Some(&0) {
            break;
        }
        rest = rest.get(at..).unwrap_or_default().trim_ascii_start();
    }
    Some(words)
}

/// Reads up to and including the closing quote; gives the length read.
fn read_quoted(text: &[u8], quote: u8, word: &mut Vec<u8>) -> Option<usize> {
    let mut at = 0;
    loop {
        let byte = *text.get(at)?;
        at += 1;
        match (byte, text.get(at)) {
            _ if byte == quote => return Some(at),
            (b'\\', Some(b'x')) if quote == b'"' && hex_byte(text.get(at + 1..at + 3)).is_some() => {
                word.extend(hex_byte(text.get(at + 1..at + 3)));
                at += 3;
            }
            (b'\\', Some(&escaped)) if quote == b'"' => {
                word.push(match escaped {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'b' => 8,
                    b'a' => 7,
                    other => other,
                });
                at += 1;
            }
            (b'\\', Some(b'\'')) => {
                word.push(b'\'');
                at += 1;
            }
            _ => word.push(byte),
        }
    }
}

fn hex_byte(digits: Option<&[u8]>) -> Option<u8> {
    u8::from_str_radix(std::str::from_utf8(digits?).ok()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_word_wins_and_includes_keep_their_place() {
        let mut conf =
            parse(b"# c\nBind 127.0.0.1 -::1\nport 1\ninclude /etc/redis/more.conf\nport 7000\r\n");
        assert_eq!(conf.bind(), Some(&["127.0.0.1".to_owned(), "-::1".to_owned()][..]));
        assert_eq!(conf.port(), Some(7000));
        let places: Vec<_> = conf.includes().map(|(position, found)| (position, found.line)).collect();
        assert_eq!(places, [(2, 4)]);
        conf.splice(2, "/inc", parse(b"bind 0.0.0.0\nport 2\n"));
        assert_eq!(conf.bind().map(<[_]>::len), Some(1));
        assert_eq!(conf.port(), Some(7000));
        conf.splice(99, "/inc", RedisConf::default());
    }

    #[test]
    fn arguments_are_a_file_and_directives() {
        let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<String>>();
        let line = words("/etc/redis.conf --Bind 0.0.0.0 -::1 --port 0 --save  --appendonly yes");
        let (file, conf) = parse_arguments(&line).unwrap();
        assert_eq!(file, Some("/etc/redis.conf"));
        assert_eq!(conf.bind(), Some(&["0.0.0.0".to_owned(), "-::1".to_owned()][..]));
        assert_eq!((conf.port(), conf.appendonly()), (Some(0), Some(true)));
        let (file, conf) = parse_arguments(&["--port 7000".to_owned()])
            .map(|(file, conf)| (file.map(str::to_owned), conf))
            .unwrap();
        assert_eq!((file, conf.port()), (None, Some(7000)));
        assert_eq!(parse_arguments(&words("- --port 1")), None);
        assert_eq!(parse_arguments(&[]), Some((None, RedisConf::default())));
    }

    #[test]
    fn quotes() {
        let conf = parse(b"requirepass \"a\\x41\\\" b\"\nuser 'it\\'s' x\nsave \"\"\n");
        assert_eq!(conf.last("requirepass").map(|found| found.arguments[0].as_str()), Some("aA\" b"));
        assert_eq!(conf.last("user").map(|found| found.arguments[0].as_str()), Some("it's"));
        assert_eq!(conf.last("save").map(|found| found.arguments.len()), Some(1));
        assert_eq!(parse(b"a \"x\nb \"x\"y\nc 'x\n").unbalanced, [1, 2, 3]);
    }

    #[test]
    fn what_is_asked_of_it() {
        let conf = parse(b"appendonly YES\nprotected-mode no\nrequirepass \"\"\n");
        assert_eq!(
            (conf.appendonly(), conf.protected_mode(), conf.has_password()),
            (Some(true), Some(false), false)
        );
        assert_eq!((conf.bind(), conf.port()), (None, None));
        assert!(parse(b"requirepass x\n").has_password());
        assert_eq!(parse(b"appendonly maybe\nport x\n").appendonly(), None);
    }
}
