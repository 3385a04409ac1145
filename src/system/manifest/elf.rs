//! ELF objects that ask for libraries.

/// The loader of this machine.
const INTERPRETER: &[u8] = b"/lib64/ld-linux-x86-64.so.2\0";

/// The smallest object with a dynamic section: `needs`, `soname`, `rpath`, `runpath` with commas between words, and `machine`.
pub(super) fn dynamic(asked: &[(&str, &str)]) -> Result<Vec<u8>, String> {
    let mut machine: u16 = if cfg!(target_arch = "aarch64") { 183 } else { 62 };
    let mut strings = vec![0_u8];
    let mut tags: Vec<(u64, u64)> = Vec::new();
    for (key, value) in asked {
        let tag = match *key {
            "needs" => 1,
            "soname" => 14,
            "rpath" => 15,
            "runpath" => 29,
            "machine" => {
                machine = value.parse().map_err(|_| format!("{value} is not a machine"))?;
                continue;
            }
            _ => return Err(format!("no such word about an object: {key}")),
        };
        for word in value.split(',') {
            tags.push((tag, strings.len() as u64));
            strings.extend(word.bytes().chain([0]));
        }
    }
    // Header, three program headers, the loader's path, strings, the dynamic section; all of it is one segment.
    let (path, text) = (64 + 3 * 56_u64, 64 + 3 * 56 + INTERPRETER.len() as u64);
    let section = (text + strings.len() as u64).next_multiple_of(8);
    tags.extend([(5, text), (0, 0)]);
    let whole = section + tags.len() as u64 * 16;
    let mut bytes = vec![0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    bytes.extend(3_u16.to_le_bytes());
    bytes.extend(machine.to_le_bytes());
    bytes.extend(1_u32.to_le_bytes());
    [0_u64, 64, 0].iter().for_each(|word| bytes.extend(word.to_le_bytes()));
    bytes.extend(0_u32.to_le_bytes());
    [64_u16, 56, 3, 64, 0, 0].iter().for_each(|half| bytes.extend(half.to_le_bytes()));
    let dynamic = tags.len() as u64 * 16;
    for (kind, at, size) in [(3_u32, path, INTERPRETER.len() as u64), (1, 0, whole), (2, section, dynamic)] {
        bytes.extend(kind.to_le_bytes());
        bytes.extend(4_u32.to_le_bytes());
        [at, at, at, size, size, 1].iter().for_each(|word| bytes.extend(word.to_le_bytes()));
    }
    bytes.extend(INTERPRETER);
    bytes.extend(&strings);
    bytes.resize(section as usize, 0);
    tags.iter().for_each(|(tag, value)| {
        bytes.extend(tag.to_le_bytes());
        bytes.extend(value.to_le_bytes());
    });
    Ok(bytes)
}
