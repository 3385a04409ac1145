//! golden's own drop-in of a unit: read, changed and written whole.

use crate::model::change::{DROP_IN, How};

/// The first line, so that a person knows whose it is.
const HEAD: &str =
    "# Written by golden, which keeps it as small as it can. `golden apply --undo` takes changes back.";

/// Its assignments by section, in the order in which they are written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct DropIn {
    sections: Vec<(String, Vec<(String, String)>)>,
}

/// Whether a drop-in of this name is golden's.
pub(super) fn is_golden(name: &str) -> bool {
    name.trim_start_matches('z') == DROP_IN.trim_start_matches('z') && name.starts_with("zz")
}

impl DropIn {
    /// Takes in what a file says; an error where it says what golden did not write.
    pub(super) fn take_in(&mut self, bytes: &[u8]) -> Result<(), String> {
        let text = std::str::from_utf8(bytes).map_err(|_| "is not UTF-8".to_owned())?;
        let mut section = String::new();
        for (index, line) in text.lines().enumerate() {
            let line = line.trim_end();
            if line.is_empty() || line.starts_with(['#', ';']) {
                continue;
            }
            if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
                name.clone_into(&mut section);
                continue;
            }
            match line.split_once('=') {
                Some((key, value)) if !section.is_empty() && !line.ends_with('\\') => {
                    self.lines(&section).push((key.trim().to_owned(), value.trim().to_owned()));
                }
                _ => return Err(format!("was edited by hand (line {})", index + 1)),
            }
        }
        Ok(())
    }

    fn lines(&mut self, section: &str) -> &mut Vec<(String, String)> {
        let at = match self.sections.iter().position(|(name, _)| name == section) {
            Some(at) => at,
            None => {
                self.sections.push((section.to_owned(), Vec::new()));
                self.sections.len() - 1
            }
        };
        &mut self.sections[at].1
    }

    /// Gives a setting its values.
    pub(super) fn set(&mut self, section: &str, key: &str, values: &[String], how: How) {
        let lines = self.lines(section);
        if how != How::Add {
            lines.retain(|(name, _)| name != key);
        }
        if how == How::Replace {
            lines.push((key.to_owned(), String::new()));
        }
        for value in values {
            let line = (key.to_owned(), value.clone());
            if how != How::Add || !lines.contains(&line) {
                lines.push(line);
            }
        }
    }

    /// The whole file.
    pub(super) fn text(&self) -> String {
        let mut text = format!("{HEAD}\n");
        for (section, lines) in self.sections.iter().filter(|(_, lines)| !lines.is_empty()) {
            text.push_str(&format!("[{section}]\n"));
            lines.iter().for_each(|(key, value)| text.push_str(&format!("{key}={value}\n")));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_drop_in_holds_all_of_a_unit() {
        let mut drop_in = DropIn::default();
        drop_in.set("Service", "User", &["qt".into()], How::Set);
        drop_in.set("Unit", "After", &["a.service".into()], How::Add);
        drop_in.set("Service", "ExecStart", &["/bin/true".into()], How::Replace);
        drop_in.set("Service", "User", &["qt2".into()], How::Set);
        drop_in.set("Unit", "After", &["a.service".into()], How::Add);
        let text = drop_in.text();
        assert!(
            text.ends_with("[Service]\nExecStart=\nExecStart=/bin/true\nUser=qt2\n[Unit]\nAfter=a.service\n"),
            "{text}"
        );
        let mut again = DropIn::default();
        again.take_in(text.as_bytes()).unwrap();
        assert_eq!(again, drop_in);
        assert!(again.take_in(b"[Service]\nExecStart=a \\\n b\n").is_err());
        assert!(is_golden("zz-golden.conf") && is_golden("zzzz-golden.conf") && !is_golden("golden.conf"));
    }
}
