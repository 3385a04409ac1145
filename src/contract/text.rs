//! A source text and where its bytes stand: line and column of any offset without walking the text.

use std::sync::Arc;

use crate::model::Location;

/// A range of bytes of one of the texts that make up a contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Span {
    /// Index of the text: 0 is the contract itself, 1 what it extends, and so on.
    pub file: u32,
    /// First byte.
    pub start: u32,
    /// Byte after the last.
    pub end: u32,
}

impl Span {
    /// The very beginning of a text.
    pub(crate) fn top(file: u32) -> Self {
        Self { file, start: 0, end: 0 }
    }
}

/// Bytes between two counts of characters. A line of megabytes costs no more than a short one.
const STRIDE: usize = 512;

/// A text with its index of lines.
pub(super) struct SourceText<'a> {
    /// Its path in locations.
    pub path: Arc<str>,
    /// The text.
    pub text: &'a str,
    /// Offset of the first byte of each line.
    starts: Vec<u32>,
    /// Number of characters before each multiple of [`STRIDE`].
    counts: Vec<u32>,
}

/// Characters begun in these bytes: those that do not continue one.
fn begun(bytes: &[u8]) -> u32 {
    bytes.iter().map(|byte| u32::from(byte & 0xc0 != 0x80)).sum()
}

impl<'a> SourceText<'a> {
    /// Indexes a text.
    pub(crate) fn new(path: Arc<str>, text: &'a str) -> Self {
        let bytes = text.as_bytes();
        let breaks = text.match_indices('\n').map(|(at, _)| at as u32 + 1);
        let starts = std::iter::once(0).chain(breaks).collect();
        let mut counts = vec![0];
        let mut total = 0;
        for chunk in bytes.chunks(STRIDE) {
            total += begun(chunk);
            counts.push(total);
        }
        Self { path, text, starts, counts }
    }

    /// Number of characters before an offset.
    fn characters(&self, offset: usize) -> u32 {
        let chunk = offset / STRIDE;
        let counted = self.counts.get(chunk).copied().unwrap_or(0);
        counted + self.text.as_bytes().get(chunk * STRIDE..offset).map_or(0, begun)
    }

    /// Line and column of an offset, both from 1.
    pub(crate) fn locate(&self, offset: u32) -> Location {
        let offset = (offset as usize).min(self.text.len());
        let line = self.starts.partition_point(|start| *start as usize <= offset).max(1);
        let start = self.starts.get(line - 1).copied().unwrap_or(0) as usize;
        let before = match self.text.as_bytes().get(start..offset) {
            Some(near) if near.len() < STRIDE => begun(near),
            _ => self.characters(offset) - self.characters(start),
        };
        Location::column(self.path.clone(), line as u32, before + 1)
    }

    /// How many characters of its first line a span covers, as far as anybody looks.
    pub(crate) fn width(&self, span: Span) -> u32 {
        let end = span.end.min(span.start.saturating_add(STRIDE as u32));
        let covered = self.text.as_bytes().get(span.start as usize..end as usize).unwrap_or(&[]);
        begun(covered.split(|byte| *byte == b'\n').next().unwrap_or(&[])).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters() {
        let text = "a = 1\näö = 2\n\nx";
        let source = SourceText::new("f".into(), text);
        assert_eq!(source.locate(0).to_string(), "f:1:1");
        assert_eq!(source.locate(6 + 5).to_string(), "f:2:4");
        assert_eq!(source.locate(text.len() as u32).to_string(), "f:4:2");
        assert_eq!(source.locate(u32::MAX).to_string(), "f:4:2");
    }

    #[test]
    fn a_long_line_is_counted_right() {
        let text = "ä".repeat(5000);
        let source = SourceText::new("f".into(), &text);
        assert_eq!(source.locate(2 * 4321).to_string(), "f:1:4322");
    }
}
