//! Commands, and whatever is written in words.

use std::ops::Range;

use super::Search;

/// How deep texts within texts are looked at: `sh -c "su -c 'mysql …'"`.
const DEEPEST: usize = 4;

/// Programs whose option with a letter takes a secret, as the next word or glued to the letter.
const BY_LETTER: &[(&[&str], &str)] = &[
    (
        &[
            "mysql",
            "mysqldump",
            "mysqladmin",
            "mariadb",
            "mariadb-dump",
            "sshpass",
            "mongo",
            "mongosh",
            "mongodump",
        ],
        "-p",
    ),
    (&["login", "7z", "7za"], "-p"),
    (&["redis-cli", "valkey-cli"], "-a"),
    (&["useradd", "usermod"], "-p"),
    (&["openssl"], "-k"),
    (&["ldapsearch", "ldapmodify", "ldapadd"], "-w"),
    (&["mosquitto_pub", "mosquitto_sub", "ipmitool", "zip", "unzip", "sqlcmd"], "-P"),
];

/// Of these the letter takes its value glued to it alone; the next word is something else.
const GLUED: &[&str] = &["mysql", "mysqldump", "mysqladmin", "mariadb", "mariadb-dump", "7z", "7za"];

/// Programs that know who somebody is by `uid:gid`.
const BY_ACCOUNT: &[&str] =
    &["docker", "podman", "chroot", "setpriv", "install", "chown", "rsync", "runuser"];

/// Settings of units whose own names sound like those of secrets, or whose value is one as a whole.
const OF_UNITS: &[&str] = &[
    "LoadCredential",
    "LoadCredentialEncrypted",
    "ImportCredential",
    "PassEnvironment",
    "SetCredential",
    "SetCredentialEncrypted",
    "StandardInputText",
    "StandardInputData",
];

/// What a header says before its secret.
const SCHEMES: &[&str] = &["basic", "bearer", "token", "digest", "negotiate", "apikey"];

/// Whose word is next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    /// A word like any other.
    Any,
    /// The secret of an option.
    OfOption,
    /// `user:password`
    Pair,
    /// The secret of a header, which may say a scheme first.
    OfHeader,
    /// The rest of an assignment with blanks around its `=`.
    Assigned,
    /// The rest of a line that assigns a table or a list: all that is quoted in it.
    AssignedAll,
    /// What follows `Bearer`, which may be a word of a sentence.
    Bearer,
}

impl Search<'_, '_> {
    /// Splits a text, and looks at its words. A shell ends words at more than blanks.
    pub(super) fn words(&mut self, at: Range<usize>, shell: bool) {
        let words = self.split(at, shell);
        self.of_words(&words, 0);
    }

    /// The words of a text, each with its quotes: blanks, newlines and everything else within quotes belong to it.
    pub(super) fn split(&self, at: Range<usize>, shell: bool) -> Vec<Range<usize>> {
        let mut words = Vec::new();
        let mut start = None;
        let mut quote = None;
        let mut escaped = false;
        let mut comment = false;
        for (index, byte) in self.text.as_bytes()[at.clone()].iter().enumerate() {
            let index = at.start + index;
            let ends = byte.is_ascii_whitespace() || *byte == 0 || shell && b";|&()`<>".contains(byte);
            // An apostrophe in a comment quotes nothing.
            comment = comment && *byte != b'\n' || *byte == b'#' && start.is_none() && shell;
            match (byte, quote) {
                _ if escaped => escaped = false,
                (b'\\', None | Some(b'"')) => {
                    escaped = true;
                    start = start.or(Some(index));
                }
                (b'"' | b'\'', None) if !comment => {
                    quote = Some(*byte);
                    start = start.or(Some(index));
                }
                (_, Some(open)) if *byte == open => quote = None,
                (_, None) if ends => words.extend(start.take().map(|start| start..index)),
                _ => start = start.or(Some(index)),
            }
        }
        words.extend(start.map(|start| start..at.end));
        words
    }

    /// Looks at words in a row.
    pub(super) fn of_words(&mut self, words: &[Range<usize>], depth: usize) {
        let mut program = "";
        let mut last = "";
        let mut next = Next::Any;
        for (index, raw) in words.iter().enumerate() {
            let before =
                index.checked_sub(1).and_then(|index| words.get(index)).map_or(raw.start, |word| word.end);
            if next == Next::AssignedAll && self.text[before..raw.start].contains('\n') {
                next = Next::Any;
            }
            let at = if next == Next::AssignedAll { raw.clone() } else { self.bare(raw.clone()) };
            let word = &self.text[at.clone()];
            next = match (next, self.follows(next, at.clone())) {
                (_, Some(then)) => then,
                (Next::OfOption | Next::Pair | Next::OfHeader | Next::Assigned | Next::AssignedAll, None) => {
                    Next::Any
                }
                (Next::Any | Next::Bearer, None) => {
                    self.word(at.clone(), program, words.get(index + 1), depth)
                }
            };
            // A letter means something else to the next program: `sshpass -p … ssh -p 22`.
            if next == Next::OfOption && !word.starts_with("--") {
                program = "";
            }
            // `aws configure set aws_secret_access_key …`
            if next == Next::Any && last == "set" && is_name(word) && (self.named)(word, STANDARD) {
                next = Next::OfOption;
            }
            last = word;
            let name = word.rsplit('/').next().unwrap_or(word);
            let is_known = BY_LETTER.iter().any(|(programs, _)| programs.contains(&name));
            if is_known || BY_ACCOUNT.contains(&name) || name == "curl" || name == "wget" {
                program = name;
            }
        }
    }

    /// A word that something before it speaks of; `None` where it is done with, or a word like any other.
    fn follows(&mut self, next: Next, at: Range<usize>) -> Option<Next> {
        let word = &self.text[at.clone()];
        match next {
            Next::Any => return None,
            Next::OfOption | Next::Pair if word.starts_with("--") => return Some(self.word(at, "", None, 0)),
            Next::OfOption => {
                let prefix = word.strip_prefix("pass:").map_or(0, |_| "pass:".len());
                self.add(at.start + prefix..at.end);
            }
            Next::Pair => self.pair(at),
            Next::OfHeader if SCHEMES.iter().any(|scheme| scheme.eq_ignore_ascii_case(word)) => {
                return Some(Next::OfHeader);
            }
            Next::OfHeader => self.add(at),
            Next::Assigned if matches!(word, "=" | ":=" | "?=" | "::=" | "+=" | "=>") => {
                return Some(Next::Assigned);
            }
            Next::Assigned if word.starts_with(['{', '[']) => return self.follows(Next::AssignedAll, at),
            Next::AssignedAll => {
                self.quoted(at);
                return Some(Next::AssignedAll);
            }
            Next::Assigned if word.starts_with(['(', '$']) => return None,
            Next::Assigned => self.add(at.start..at.start + word.trim_end_matches([',', ';']).len()),
            Next::Bearer => {
                let is_plain = word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
                if word.len() < 8 || is_plain {
                    return None;
                }
                self.add(at);
            }
        }
        (next == Next::Bearer).then_some(Next::Any)
    }

    /// What stands for a variable that is not set: `NAME:-hunter2}`.
    fn default(&mut self, at: Range<usize>) {
        let text = &self.text[at.clone()];
        let name = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
        let (Some(end), true) = (text.find('}'), text[name..].starts_with([':', '-', '='])) else { return };
        let start = name + text[name..].find(|c| !matches!(c, ':' | '-' | '=')).unwrap_or_default();
        if (name..end).contains(&start) && !text[start..].starts_with(['?', '+']) {
            let name = text[..name].to_owned();
            self.value(&name, at.start + start..at.start + end);
        }
    }

    /// What stands between the quotes of a word.
    fn quoted(&mut self, at: Range<usize>) {
        let word = &self.text[at.clone()];
        if let (Some(first), Some(last)) = (word.find(['"', '\'']), word.rfind(['"', '\'']))
            && first < last
        {
            self.add(at.start + first..at.start + last + 1);
        }
    }

    /// The password of `user:password`.
    fn pair(&mut self, at: Range<usize>) {
        let word = &self.text[at.clone()];
        let Some((user, password)) = word.split_once([':', '%']) else { return };
        let is_id = password.bytes().all(|byte| byte.is_ascii_digit());
        // `app:app` names a user and a group.
        if !user.contains('/') && !is_id && user != password {
            self.add(at.start + user.len() + 1..at.end);
        }
    }

    /// One word; says what the next one is.
    fn word(&mut self, at: Range<usize>, program: &str, after: Option<&Range<usize>>, depth: usize) -> Next {
        let word = &self.text[at.clone()];
        if let Some((name, value)) = word.split_once('=')
            && is_name(name)
        {
            let value = at.end - value.len()..at.end;
            if OF_UNITS.contains(&name) {
                let line =
                    self.text[value.start..].find('\n').map_or(self.text.len(), |end| value.start + end);
                let name = name.to_owned();
                self.setting(&name, value.start..line);
            } else if is_pair_option(name) {
                self.pair(value);
            } else if !self.value(name.trim_end_matches([':', '?', '+']), value.clone()) {
                return self.nested(value, depth);
            }
            return Next::Any;
        }
        if let Some(then) = self.header(at.clone(), depth) {
            return then;
        }
        if let Some(then) = self.option(at.clone(), program) {
            return then;
        }
        let directive = word.trim_start_matches('-');
        if ["requirepass", "masterauth"].iter().any(|one| one.eq_ignore_ascii_case(directive)) {
            return Next::OfOption;
        }
        if word == "AUTH" && program.ends_with("-cli") {
            return Next::OfOption;
        }
        if word.eq_ignore_ascii_case("bearer") {
            return Next::Bearer;
        }
        let assigns = |next: &&Range<usize>| {
            matches!(&self.text[(*next).clone()], "=" | ":=" | "?=" | "::=" | "+=" | "=>")
        };
        if is_name(word) && (self.named)(word, STANDARD) && after.filter(assigns).is_some() {
            return Next::Assigned;
        }
        self.nested(at, depth)
    }

    /// An option that takes a secret as the next word.
    fn option(&mut self, at: Range<usize>, program: &str) -> Option<Next> {
        let word = &self.text[at.clone()];
        if !word.starts_with('-') || word.len() < 2 {
            return None;
        }
        if is_pair_option(word) && !BY_ACCOUNT.contains(&program) {
            return Some(Next::Pair);
        }
        let letter =
            BY_LETTER.iter().find(|(programs, _)| programs.contains(&program)).map(|(_, letter)| *letter);
        match letter.and_then(|letter| word.strip_prefix(letter)) {
            Some("") if GLUED.contains(&program) => return Some(Next::Any),
            Some("") => return Some(Next::OfOption),
            Some(glued) if !glued.contains(':') => {
                self.add(at.end - glued.len()..at.end);
                return Some(Next::Any);
            }
            _ => {}
        }
        let asks = ["no-", "without-", "ask-", "prompt-"];
        let bare = word.trim_start_matches('-');
        let asks_only = asks.iter().any(|start| bare.starts_with(start)) || bare.ends_with("-stdin");
        let is_long = word.starts_with("--") || word.len() > 4;
        (is_name(word) && is_long && !asks_only && (self.named)(word, STANDARD)).then_some(Next::OfOption)
    }

    /// `Authorization: Bearer …`, `X-Api-Key: …`, `password: …`: in one word, or with the secret in the next.
    fn header(&mut self, at: Range<usize>, depth: usize) -> Option<Next> {
        let word = &self.text[at.clone()];
        let (name, rest) = word.split_once(':')?;
        // `curl -HAuthorization:…`
        let name =
            name.strip_prefix("-H").unwrap_or(name).trim_matches(['"', '\'', '{', ',', '-', ' ', '\\']);
        let is_header = is_name(name)
            && (name.eq_ignore_ascii_case("authorization")
                || name.eq_ignore_ascii_case("proxy-authorization")
                || (self.named)(name, STANDARD));
        if !is_header || rest.starts_with("//") {
            return None;
        }
        let mut secret = rest.trim_start();
        if secret.trim_matches(['"', '\'', '\\']).is_empty() {
            return Some(Next::OfHeader);
        }
        if let Some((scheme, value)) = secret.split_once(' ')
            && SCHEMES.iter().any(|known| known.eq_ignore_ascii_case(scheme))
        {
            secret = value.trim_start();
        }
        let start = at.end - secret.len();
        // Quoted as in JSON: what stands behind it is looked at by itself.
        let body = secret.trim_start_matches('\\');
        if let Some(quote) = body.chars().next().filter(|c| matches!(c, '"' | '\''))
            && let Some(end) = body[1..].find(quote)
        {
            let first = at.end - body.len() + 1;
            self.add(first..first + body[1..=end].trim_end_matches('\\').len());
            return Some(self.nested(first + end + 1..at.end, depth + 1));
        }
        self.add(start..start + secret.trim_end_matches([',', '}']).len());
        Some(Next::Any)
    }

    /// A text within a word: words in quotes, or assignments that something else separates (`?token=…&`, `;Password=…`).
    /// Says what the word behind it is.
    fn nested(&mut self, at: Range<usize>, depth: usize) -> Next {
        if depth >= DEEPEST {
            return Next::Any;
        }
        let at = self.bare(at);
        let text = &self.text[at.clone()];
        if text.contains(char::is_whitespace) {
            let words = self.split(at.clone(), true);
            // A word that did not come apart would never do so.
            if words.len() > 1 || words.first().is_some_and(|word| *word != at) {
                self.of_words(&words, depth + 1);
            }
            return Next::Any;
        }
        let mut next = Next::Any;
        if !text.contains(['=', ':']) {
            return next;
        }
        let mut start = at.start;
        for part in text.split_inclusive(['?', '&', ';', ',', '{', '}']) {
            let end = start + part.trim_end_matches(['?', '&', ';', ',', '{', '}']).len();
            match self.text[start..end].split_once('=').filter(|(name, _)| is_name(name)) {
                Some((name, value)) => {
                    let value = end - value.len()..end;
                    if !self.value(name, value.clone()) && value.len() < part.len() {
                        next = self.nested(value, depth + 1);
                    }
                }
                None if self.text[..start].ends_with("${") => self.default(start..at.end),
                // JSON without blanks.
                None => next = self.header(start..end, depth).unwrap_or(next),
            }
            start += part.len();
        }
        next
    }
}

/// What any secret could be: names are asked with it where the value is yet to come.
const STANDARD: &str = "hunter2";

/// Whether an option takes `user:password`.
fn is_pair_option(word: &str) -> bool {
    matches!(word, "-u" | "-U" | "--user" | "--proxy-user" | "--auth" | "--basic-auth")
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.:?+".contains(&byte))
}
