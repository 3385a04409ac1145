//! What an ELF object asks of the loader: the libraries that it needs, and where it wants them looked for (ld.so(8)).

use super::{Bytes, LAYOUT_32, LAYOUT_64, Layout, MOST_PROGRAM_HEADERS};

const PT_LOAD: u32 = 1;
const PT_DYNAMIC: u32 = 2;

const DT_NULL: usize = 0;
const DT_NEEDED: usize = 1;
const DT_STRTAB: usize = 5;
const DT_RPATH: usize = 15;
const DT_RUNPATH: usize = 29;

/// No dynamic section is larger; that of a large program has a few hundred entries of sixteen bytes.
const LARGEST_SECTION: usize = 64 << 10;

/// No path of a library is longer.
const LONGEST_NAME: usize = 4096;

/// The dynamic section, as far as it is about libraries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dynamic {
    /// Names or paths of libraries, in order.
    pub needed: Vec<String>,
    /// Directories of the older kind, which hold for what the libraries need in turn; without effect beside `runpath`.
    pub rpath: Vec<String>,
    /// Directories for its own needs alone.
    pub runpath: Vec<String>,
}

/// Reads part of the object: offset, length. Fewer bytes come at its end.
pub type Part<'a> = &'a dyn Fn(usize, usize) -> Option<Vec<u8>>;

/// Reads an object's dynamic section; `None` where it is broken, an empty one where there is none.
pub fn dynamic(start: &[u8], part: Part<'_>) -> Option<Dynamic> {
    let layout = match start.get(4)? {
        1 => LAYOUT_32,
        2 => LAYOUT_64,
        _ => return None,
    };
    let big_endian = *start.get(5)? == 2;
    let segments = segments(&Bytes { bytes: start, big_endian }, &layout)?;
    let Some(section) = segments.iter().find(|segment| segment.kind == PT_DYNAMIC) else {
        return Some(Dynamic::default());
    };
    let bytes = part(section.offset, section.size.min(LARGEST_SECTION))?;
    let entries = entries(&Bytes { bytes: &bytes, big_endian }, layout.wide);
    let address = entries.iter().find(|(tag, _)| *tag == DT_STRTAB).map(|(_, value)| *value)?;
    let strings = offset_of(&segments, address)?;
    let text = |at: usize| -> Option<String> {
        let bytes = part(strings.checked_add(at)?, LONGEST_NAME)?;
        Some(String::from_utf8_lossy(bytes.split(|byte| *byte == 0).next()?).into_owned())
    };
    let all = |wanted: usize| -> Option<Vec<String>> {
        entries.iter().filter(|(tag, _)| *tag == wanted).map(|(_, value)| text(*value)).collect()
    };
    let paths = |wanted: usize| -> Option<Vec<String>> {
        let lists = all(wanted)?;
        let parts = lists.iter().flat_map(|list| list.split(':')).filter(|path| !path.is_empty());
        Some(parts.map(str::to_owned).collect())
    };
    Some(Dynamic { needed: all(DT_NEEDED)?, rpath: paths(DT_RPATH)?, runpath: paths(DT_RUNPATH)? })
}

struct Segment {
    kind: u32,
    offset: usize,
    address: usize,
    size: usize,
}

fn segments(bytes: &Bytes<'_>, layout: &Layout) -> Option<Vec<Segment>> {
    let table = bytes.address(layout.program_header_offset, layout.wide)?;
    let size = usize::from(bytes.half(layout.program_header_size)?);
    let count = usize::from(bytes.half(layout.program_header_count)?);
    // The address of a segment stands behind its offset.
    let width = if layout.wide { 8 } else { 4 };
    let segment = |index: usize| {
        let header = table.checked_add(index.checked_mul(size)?)?;
        let field = |at: usize| bytes.address(header.checked_add(at)?, layout.wide);
        Some(Segment {
            kind: bytes.word(header)?,
            offset: field(layout.segment_offset)?,
            address: field(layout.segment_offset + width)?,
            size: field(layout.segment_size)?,
        })
    };
    (0..count.min(MOST_PROGRAM_HEADERS)).map(segment).collect()
}

/// Tags with their values, up to the end of the section.
fn entries(bytes: &Bytes<'_>, wide: bool) -> Vec<(usize, usize)> {
    let width = if wide { 8 } else { 4 };
    let entry = |at: usize| Some((bytes.address(at, wide)?, bytes.address(at + width, wide)?));
    let all = (0..bytes.bytes.len()).step_by(width * 2).map_while(entry);
    all.take_while(|(tag, _)| *tag != DT_NULL).collect()
}

/// Where in the file an address lies.
fn offset_of(segments: &[Segment], address: usize) -> Option<usize> {
    let holds = |segment: &&Segment| {
        segment.kind == PT_LOAD && address.checked_sub(segment.address).is_some_and(|at| at < segment.size)
    };
    let segment = segments.iter().find(holds)?;
    segment.offset.checked_add(address - segment.address)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syntax::elf::ENOUGH;

    #[test]
    #[allow(clippy::disallowed_methods, reason = "a real program to read")]
    fn a_real_program_needs_the_c_library() {
        let program = std::fs::read("/proc/self/exe").expect("this test is a program");
        let part =
            |at: usize, most: usize| program.get(at..).map(|rest| rest[..rest.len().min(most)].to_vec());
        let read = dynamic(&program[..ENOUGH], &part).expect("a dynamic section");
        assert!(read.needed.iter().any(|name| name.starts_with("libc.so")), "{read:?}");
    }

    #[test]
    fn what_is_broken_is_nothing() {
        assert_eq!(dynamic(b"\x7fELF", &|_, _| None), None);
        assert_eq!(dynamic(b"\x7fELF\x02\x01", &|_, _| None), None);
    }
}
