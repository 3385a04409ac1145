//! How much one question reads of texts that others have written: files that include others, or that a pattern matches.
//! Each reader has a bound for a single file; this is the one for their sum.

/// What is left. What is not read because of it is unreadable.
pub(super) struct Room {
    files: usize,
    bytes: usize,
    lines: usize,
}

impl Room {
    /// For what a service or one of its servers is started with: far more than any has.
    pub(super) fn of_a_service() -> Room {
        Room { files: 256, bytes: 4 << 20, lines: 20_000 }
    }

    /// For a configuration of the host, which may have a file for each of ten thousand services.
    pub(super) fn of_the_host() -> Room {
        Room { files: 20_000, bytes: 16 << 20, lines: 400_000 }
    }

    /// Why no further file or directory is looked at.
    pub(super) fn file(&mut self) -> Result<(), String> {
        self.files = self.files.checked_sub(1).ok_or("more files than are looked at")?;
        Ok(())
    }

    /// Why a text is not read. A line takes room of its own in memory, however short it is.
    pub(super) fn text(&mut self, bytes: &[u8]) -> Result<(), String> {
        let lines = bytes.split(|byte| *byte == b'\n').count();
        self.bytes = self.bytes.checked_sub(bytes.len()).ok_or("more text than is looked at")?;
        self.lines = self.lines.checked_sub(lines).ok_or("more lines than are looked at")?;
        Ok(())
    }
}
