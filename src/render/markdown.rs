//! Markdown as the rendered documents use it: blocks with an empty line before each, tables whose cells cannot break
//! them, headings with the anchors that GitHub and its kin give them.

/// A document that is being written.
pub(super) struct Page(String);

impl Page {
    /// Begins with a comment that readers of the rendered page do not see.
    pub(crate) fn new(comment: &str) -> Self {
        Page(format!("<!-- {} -->\n", comment.trim_end()))
    }

    /// A heading of this level.
    pub(crate) fn heading(&mut self, level: usize, text: &str) {
        self.block(&format!("{} {text}", "#".repeat(level)));
    }

    /// A paragraph; an empty one is none.
    pub(crate) fn say(&mut self, text: &str) {
        if !text.trim().is_empty() {
            self.block(text.trim());
        }
    }

    /// A list; without items it is none.
    pub(crate) fn list(&mut self, items: impl IntoIterator<Item = String>) {
        let lines: Vec<String> = items.into_iter().map(|item| format!("- {item}")).collect();
        self.say(&lines.join("\n"));
    }

    /// Commands, or a piece of a file in this language.
    pub(crate) fn code(&mut self, language: &str, text: &str) {
        self.block(&format!("```{language}\n{}\n```", text.trim_end()));
    }

    /// A table; without rows it is none. Columns in which no row says anything are left out.
    pub(crate) fn table<const N: usize>(&mut self, head: [&str; N], rows: &[[String; N]]) {
        let told: Vec<usize> = (0..N).filter(|at| rows.iter().any(|row| !row[*at].is_empty())).collect();
        if told.is_empty() {
            return;
        }
        let line = |cells: &[&str]| {
            let cells: Vec<String> = told.iter().map(|at| cell(cells[*at])).collect();
            format!("| {} |", cells.join(" | "))
        };
        let mut lines = vec![line(&head), format!("|{}", "---|".repeat(told.len()))];
        lines.extend(rows.iter().map(|row| line(&row.each_ref().map(String::as_str))));
        self.block(&lines.join("\n"));
    }

    fn block(&mut self, text: &str) {
        self.0.push('\n');
        self.0.push_str(text);
        self.0.push('\n');
    }

    /// The whole text.
    pub(crate) fn text(self) -> String {
        self.0
    }
}

/// A cell of a table: one line, and no bar that would end it. An empty one is a dash.
fn cell(text: &str) -> String {
    match text.trim() {
        "" => "–".to_owned(),
        text => text.replace('|', r"\|").replace('\n', " "),
    }
}

/// Text as it stands, such as a path or a value.
pub(super) fn code(text: &str) -> String {
    if text.contains('`') { format!("`` {text} ``") } else { format!("`{text}`") }
}

/// Several such, one after the other.
pub(super) fn codes<'t>(texts: impl IntoIterator<Item = &'t str>) -> String {
    texts.into_iter().map(code).collect::<Vec<_>>().join(", ")
}

/// Words that a person wrote into the contract, as one line that is no markup by accident.
pub(super) fn prose(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('<', r"\<")
}

/// Words with a capital letter in front.
pub(super) fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// The anchor of a heading.
pub(super) fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect::<String>().to_lowercase()
}

/// `1 service`, `2 services`.
pub(super) fn count(number: usize, one: &str) -> String {
    format!("{number} {one}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_cannot_break_its_table() {
        let mut page = Page::new("x");
        page.table(["a", "b", "c"], &[["1|2".into(), String::new(), "x\ny".into()]]);
        assert_eq!(page.text(), "<!-- x -->\n\n| a | c |\n|---|---|\n| 1\\|2 | x y |\n");
    }

    #[test]
    fn anchors_are_those_of_github() {
        assert_eq!(anchor("A. Filesystem layout"), "a-filesystem-layout");
        assert_eq!(anchor("What breaks the contract?"), "what-breaks-the-contract");
    }
}
