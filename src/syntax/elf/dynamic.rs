//! What an ELF object asks of the loader: the libraries that it needs, and where it wants them looked for (ld.so(8)).

use super::{Bytes, LAYOUT_32, LAYOUT_64, Layout, MOST_PROGRAM_HEADERS};

const PT_LOAD: u32 = 1;
const PT_DYNAMIC: u32 = 2;

const DT_NULL: usize = 0;
const DT_NEEDED: usize = 1;
const DT_STRTAB: usize = 5;
const DT_SONAME: usize = 14;
const DT_RPATH: usize = 15;
const DT_RUNPATH: usize = 29;

/// No dynamic section is larger; that of a large program has a few hundred entries of sixteen bytes.
const LARGEST_SECTION: usize = 64 << 10;

/// No name of a library is longer (PATH_MAX), and no list of directories.
const LONGEST_NAME: usize = 4096;
const LONGEST_LIST: usize = 16 << 10;

/// More directories than any object names; objects that name more were made to keep a reader busy.
pub const MOST_DIRECTORIES: usize = 256;

/// More libraries than any object needs by itself, and more bytes than their names have.
const MOST_NEEDED: usize = 512;
const MOST_NEEDED_BYTES: usize = 32 << 10;

/// The dynamic section, as far as it is about libraries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dynamic {
    /// Names or paths of libraries, in order.
    pub needed: Vec<String>,
    /// Directories of the older kind, which hold for what the libraries need in turn; without effect beside `runpath`.
    pub rpath: Vec<String>,
    /// Directories for its own needs alone.
    pub runpath: Vec<String>,
    /// The name under which it is known once it is loaded.
    pub soname: Option<String>,
}

/// Why a dynamic section is not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DynamicFault {
    /// The loader could not read it either.
    #[error("a broken dynamic section")]
    Broken,
    /// It asks for more than is followed here.
    #[error("it names more libraries or directories than are looked at")]
    TooMuch,
}

/// Reads part of the object: offset, length. Fewer bytes come at its end.
pub type Part<'a> = &'a dyn Fn(usize, usize) -> Option<Vec<u8>>;

/// Reads an object's dynamic section, an empty one where there is none. Of each kind of list of directories the last one
/// counts, as for the loader.
pub fn dynamic(start: &[u8], part: Part<'_>) -> Result<Dynamic, DynamicFault> {
    use DynamicFault::Broken;
    let layout = match start.get(4).ok_or(Broken)? {
        1 => LAYOUT_32,
        2 => LAYOUT_64,
        _ => return Err(Broken),
    };
    let big_endian = *start.get(5).ok_or(Broken)? == 2;
    let segments = segments(&Bytes { bytes: start, big_endian }, &layout).ok_or(Broken)?;
    let Some(section) = segments.iter().find(|segment| segment.kind == PT_DYNAMIC) else {
        return Ok(Dynamic::default());
    };
    if section.size > LARGEST_SECTION {
        return Err(DynamicFault::TooMuch);
    }
    let bytes = part(section.offset, section.size).ok_or(Broken)?;
    let entries = entries(&Bytes { bytes: &bytes, big_endian }, layout.wide);
    let last = |wanted: usize| entries.iter().rfind(|(tag, _)| *tag == wanted).map(|(_, value)| *value);
    let strings = last(DT_STRTAB).and_then(|address| offset_of(&segments, address)).ok_or(Broken)?;
    let text = |at: usize, longest: usize| text(part, strings.checked_add(at).ok_or(Broken)?, longest);
    let paths = |wanted: usize| -> Result<Vec<String>, DynamicFault> {
        let Some(at) = last(wanted) else { return Ok(Vec::new()) };
        let list = text(at, LONGEST_LIST)?;
        let parts = list.split(':').filter(|_| !list.is_empty());
        let paths: Vec<String> = parts.map(str::to_owned).take(MOST_DIRECTORIES + 1).collect();
        if paths.len() > MOST_DIRECTORIES { Err(DynamicFault::TooMuch) } else { Ok(paths) }
    };
    let (mut needed, mut room) = (Vec::new(), MOST_NEEDED_BYTES);
    for (_, at) in entries.iter().filter(|(tag, _)| *tag == DT_NEEDED) {
        let name = text(*at, LONGEST_NAME)?;
        room = room
            .checked_sub(name.len())
            .filter(|_| needed.len() < MOST_NEEDED)
            .ok_or(DynamicFault::TooMuch)?;
        needed.push(name);
    }
    let soname = last(DT_SONAME).map(|at| text(at, LONGEST_NAME)).transpose()?;
    Ok(Dynamic { needed, rpath: paths(DT_RPATH)?, runpath: paths(DT_RUNPATH)?, soname })
}

/// A string of the object, read in small pieces, since most are short.
fn text(part: Part<'_>, at: usize, longest: usize) -> Result<String, DynamicFault> {
    let mut text = Vec::new();
    while text.len() <= longest {
        let from = at.checked_add(text.len()).ok_or(DynamicFault::Broken)?;
        let bytes = part(from, PIECE).ok_or(DynamicFault::Broken)?;
        match bytes.iter().position(|byte| *byte == 0) {
            Some(end) => {
                text.extend_from_slice(&bytes[..end]);
                return Ok(String::from_utf8_lossy(&text).into_owned());
            }
            // The file ends here.
            None if bytes.len() < PIECE => return Err(DynamicFault::Broken),
            None => text.extend_from_slice(&bytes),
        }
    }
    Err(DynamicFault::TooMuch)
}

/// How much is read of a string at a time.
const PIECE: usize = 256;

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
        assert_eq!(dynamic(b"\x7fELF", &|_, _| None), Err(DynamicFault::Broken));
        assert_eq!(dynamic(b"\x7fELF\x02\x01", &|_, _| None), Err(DynamicFault::Broken));
    }
}
