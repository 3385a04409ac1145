//! The few facts of an ELF header that decide whether a program can start on this machine: its class, its
//! machine and its loader (elf(5)). Reads only from the beginning of the file.

pub mod dynamic;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Enough of a file for its header, its program headers and the loader's path in any usual program.
pub const ENOUGH: usize = 4096;
/// No program has more program headers than fit beside each other in what the kernel reads (one page).
const MOST_PROGRAM_HEADERS: usize = 73;
const PT_INTERP: u32 = 3;

/// What an ELF header says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Elf {
    /// The processor it was built for.
    pub machine: Machine,
    /// 64 bits; otherwise 32.
    pub is_64_bit: bool,
    /// An executable or a position-independent one (a shared library looks like the latter).
    pub is_executable: bool,
    /// The program that loads it.
    pub loader: Loader,
}

/// The processor a program was built for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Machine {
    /// AMD and Intel, 64 bits (`x86_64`).
    X86_64,
    /// ARM, 64 bits (`aarch64`).
    Aarch64,
    /// Intel, 32 bits.
    X86,
    /// ARM, 32 bits.
    Arm,
    /// RISC-V of either width.
    Riscv,
    /// Any other, by its number (`e_machine`).
    Other(u16),
}

/// The program that loads a dynamic executable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Loader {
    /// There is none: a static program.
    None,
    /// Its path, from the PT_INTERP segment.
    Path(String),
    /// There is one, but its path lies beyond the bytes given.
    Beyond,
}

/// Why a header cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ElfFault {
    /// The file does not begin with the ELF magic number.
    #[error("not an ELF file")]
    NotElf,
    /// The header is cut short or contradicts itself.
    #[error("a broken ELF header")]
    Broken,
}

impl Elf {
    /// True where a machine with this name (`uname -m`, `std::env::consts::ARCH`) runs it natively.
    pub fn runs_on(&self, architecture: &str) -> bool {
        match (architecture, self.machine) {
            ("x86_64", Machine::X86_64) | ("aarch64" | "arm64", Machine::Aarch64) => self.is_64_bit,
            ("x86_64" | "i686" | "x86", Machine::X86) | ("arm" | "armv7l", Machine::Arm) => true,
            ("riscv64", Machine::Riscv) => self.is_64_bit,
            _ => false,
        }
    }
}

/// Where the fields of the two classes lie.
struct Layout {
    program_header_offset: usize,
    program_header_size: usize,
    program_header_count: usize,
    segment_offset: usize,
    segment_size: usize,
    wide: bool,
}

const LAYOUT_64: Layout = Layout {
    program_header_offset: 32,
    program_header_size: 54,
    program_header_count: 56,
    segment_offset: 8,
    segment_size: 32,
    wide: true,
};
const LAYOUT_32: Layout = Layout {
    program_header_offset: 28,
    program_header_size: 42,
    program_header_count: 44,
    segment_offset: 4,
    segment_size: 16,
    wide: false,
};

/// Reads the beginning of a file, [`ENOUGH`] bytes of it or more.
pub fn parse(start: &[u8]) -> Result<Elf, ElfFault> {
    if !start.starts_with(b"\x7fELF") {
        return Err(ElfFault::NotElf);
    }
    parse_header(start).ok_or(ElfFault::Broken)
}

fn parse_header(start: &[u8]) -> Option<Elf> {
    let layout = match start.get(4)? {
        1 => LAYOUT_32,
        2 => LAYOUT_64,
        _ => return None,
    };
    let bytes = Bytes { bytes: start, big_endian: *start.get(5)? == 2 };
    let kind = bytes.half(16)?;
    let machine = match bytes.half(18)? {
        62 => Machine::X86_64,
        183 => Machine::Aarch64,
        3 => Machine::X86,
        40 => Machine::Arm,
        243 => Machine::Riscv,
        other => Machine::Other(other),
    };
    let loader = find_loader(&bytes, &layout)?;
    Some(Elf { machine, is_64_bit: layout.wide, is_executable: matches!(kind, 2 | 3), loader })
}

fn find_loader(bytes: &Bytes<'_>, layout: &Layout) -> Option<Loader> {
    let table = bytes.address(layout.program_header_offset, layout.wide)?;
    let size = usize::from(bytes.half(layout.program_header_size)?);
    let count = usize::from(bytes.half(layout.program_header_count)?);
    for index in 0..count.min(MOST_PROGRAM_HEADERS) {
        let header = index.checked_mul(size).and_then(|offset| table.checked_add(offset))?;
        let Some(kind) = bytes.word(header) else { return Some(Loader::Beyond) };
        if kind == PT_INTERP {
            let offset = bytes.address(header.checked_add(layout.segment_offset)?, layout.wide);
            let size = bytes.address(header.checked_add(layout.segment_size)?, layout.wide);
            let (Some(offset), Some(size)) = (offset, size) else { return Some(Loader::Beyond) };
            let Some(path) = bytes.bytes.get(offset..offset.checked_add(size)?) else {
                return Some(Loader::Beyond);
            };
            let path = path.split(|&byte| byte == 0).next().unwrap_or_default();
            return Some(Loader::Path(String::from_utf8_lossy(path).into_owned()));
        }
    }
    Some(Loader::None)
}

struct Bytes<'a> {
    bytes: &'a [u8],
    big_endian: bool,
}

impl Bytes<'_> {
    fn array<const N: usize>(&self, at: usize) -> Option<[u8; N]> {
        let mut array: [u8; N] = self.bytes.get(at..at.checked_add(N)?)?.try_into().ok()?;
        if self.big_endian {
            array.reverse();
        }
        Some(array)
    }

    fn half(&self, at: usize) -> Option<u16> {
        self.array(at).map(u16::from_le_bytes)
    }

    fn word(&self, at: usize) -> Option<u32> {
        self.array(at).map(u32::from_le_bytes)
    }

    fn address(&self, at: usize, wide: bool) -> Option<usize> {
        match wide {
            true => self.array(at).map(u64::from_le_bytes).and_then(|number| number.try_into().ok()),
            false => self.word(at).and_then(|number| number.try_into().ok()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A 64-bit little-endian header with one PT_INTERP segment.
    fn sample(machine: u16, loader: &str) -> Vec<u8> {
        let mut bytes = vec![0; 256];
        bytes[..6].copy_from_slice(b"\x7fELF\x02\x01");
        bytes[16..18].copy_from_slice(&3u16.to_le_bytes());
        bytes[18..20].copy_from_slice(&machine.to_le_bytes());
        bytes[32..40].copy_from_slice(&64u64.to_le_bytes());
        bytes[54..56].copy_from_slice(&56u16.to_le_bytes());
        bytes[56..58].copy_from_slice(&1u16.to_le_bytes());
        bytes[64..68].copy_from_slice(&PT_INTERP.to_le_bytes());
        bytes[72..80].copy_from_slice(&160u64.to_le_bytes());
        bytes[96..104].copy_from_slice(&(loader.len() as u64 + 1).to_le_bytes());
        bytes[160..160 + loader.len()].copy_from_slice(loader.as_bytes());
        bytes
    }

    #[test]
    fn machine_and_loader() {
        let elf = parse(&sample(62, "/lib64/ld-linux-x86-64.so.2")).expect("a header");
        assert_eq!(elf.loader, Loader::Path("/lib64/ld-linux-x86-64.so.2".into()));
        assert!(elf.runs_on("x86_64") && !elf.runs_on("aarch64") && elf.is_executable);
        let elf = parse(&sample(183, "/lib/ld-linux-aarch64.so.1")).expect("a header");
        assert!(elf.runs_on("aarch64") && !elf.runs_on("x86_64"));
        let mut broken = sample(62, "/x");
        broken[72..80].copy_from_slice(&u64::MAX.to_le_bytes());
        assert_eq!(parse(&broken), Err(ElfFault::Broken));
        broken[72..80].copy_from_slice(&100_000u64.to_le_bytes());
        assert_eq!(parse(&broken).map(|elf| elf.loader), Ok(Loader::Beyond));
    }

    #[test]
    #[allow(clippy::disallowed_methods, reason = "a real program to read")]
    fn a_real_program() {
        let program = std::fs::read("/proc/self/exe").expect("this test is a program");
        let elf = parse(&program[..ENOUGH]).expect("an ELF header");
        assert!(elf.runs_on(std::env::consts::ARCH) && elf.is_executable);
    }

    #[test]
    fn what_is_no_elf() {
        assert_eq!(parse(b"#!/bin/sh\n"), Err(ElfFault::NotElf));
        let bytes = sample(62, "/x");
        for length in 4..60 {
            assert_eq!(parse(&bytes[..length]).is_ok(), length >= 58, "{length}");
        }
    }
}
