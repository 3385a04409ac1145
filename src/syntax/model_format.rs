//! What format an artefact of a model has by its first bytes and its name, as far as it matters: some formats run code when
//! they are loaded.

/// As many first bytes as are looked at.
pub const HEAD: usize = 64 << 10;

/// Why loading such a file runs code that is in it; `None` where nothing says so.
///
/// Pickles of every protocol (the python library reference, `pickle`: "It is possible to construct malicious pickle data
/// which will execute arbitrary code during unpickling"), what holds pickles (PyTorch's archives, joblib, NumPy's object
/// arrays), compressed files, in which nobody can look, Keras files, whose layers may be code, programs and scripts.
pub fn runs_code(head: &[u8], name: &str) -> Option<&'static str> {
    by_bytes(head).or_else(|| by_name(name))
}

fn by_bytes(head: &[u8]) -> Option<&'static str> {
    if is_pickle(head) {
        return Some("a pickle");
    }
    let begins = |with: &[u8]| head.starts_with(with);
    let holds = |what: &[u8]| head.windows(what.len()).any(|part| part == what);
    if begins(b"PK\x03\x04") || begins(b"PK\x05\x06") {
        return match holds(b".pkl") {
            true => Some("an archive with a pickle in it, as PyTorch writes it"),
            false => Some("an archive, which may hold a pickle or code"),
        };
    }
    let compressed: [&[u8]; 6] =
        [b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00", b"\x28\xb5\x2f\xfd", b"\x78\x9c", b"\x04\x22\x4d\x18"];
    if compressed.iter().any(|with| begins(with)) {
        return Some("compressed, so its content cannot be checked");
    }
    if begins(b"\x93NUMPY") && holds(b"'|O'") {
        return Some("an array of python objects, which are pickles");
    }
    if begins(b"\x89HDF\r\n\x1a\n") && (holds(b"Lambda") || holds(b"model_config")) {
        return Some("a Keras model, whose layers may be code");
    }
    if begins(b"\x7fELF") || begins(b"MZ") {
        return Some("a program");
    }
    begins(b"#!").then_some("a script")
}

/// The first bytes of a pickle: `PROTO` from protocol 2 on, else opcodes of the text protocols that import or begin.
fn is_pickle(head: &[u8]) -> bool {
    match head {
        // safetensors: eight bytes with the length of a header in JSON, which may look like a protocol.
        [_, _, _, 0, 0, 0, 0, 0, b'{', ..] => false,
        [0x80, 2..=9, ..] => true,
        // PyTorch's old format: the magic number as a pickled integer comes first.
        [b'(' | b'c' | b'i' | b']' | b'}' | b')', rest @ ..] => {
            let text = &rest[..rest.len().min(256)];
            let imports = |name: &[u8]| text.windows(name.len()).any(|part| part == name);
            let is_protocol_0 = head[0] == b'c' && text.iter().filter(|byte| **byte == b'\n').count() >= 2;
            is_protocol_0
                || [
                    &b"(dp0"[..],
                    b"lp0\n",
                    b"dp0\n",
                    b"\np0\n",
                    b"\nq\x00",
                    b"c__builtin__\n",
                    b"cposix\n",
                    b"cos\n",
                    b"q\x00",
                ]
                .iter()
                .any(|name| imports(name))
        }
        _ => false,
    }
}

fn by_name(name: &str) -> Option<&'static str> {
    let kind = name.rsplit_once('.').map_or("", |(_, kind)| kind).to_ascii_lowercase();
    match kind.as_str() {
        "pkl" | "pickle" | "joblib" | "dill" | "cloudpickle" => Some("a pickle by its name"),
        "pt" | "pth" | "ckpt" | "bin" | "mar" => Some("PyTorch's by its name, which is a pickle"),
        "py" | "pyc" | "pyd" | "so" | "sh" | "jar" => Some("a program by its name"),
        "keras" | "h5" | "hdf5" => Some("Keras' by its name, whose layers may be code"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_runs_code_is_seen_by_its_bytes() {
        let pickles: [&[u8]; 7] = [
            b"\x80\x04\x95\x10",
            b"\x80\x02}q\x00.",
            b"cos\nsystem\n(S'id'\ntR.",
            b"(dp0\nS'a'\np1\n",
            b"(lp0\n.",
            b"cposix\nsystem\np0\n",
            b"}q\x00(X\x01",
        ];
        for head in pickles {
            assert_eq!(runs_code(head, "model.json"), Some("a pickle"), "{head:?}");
        }
        for head in [
            &b"PK\x03\x04archive/data.pkl"[..],
            b"\x1f\x8b\x08",
            b"\x93NUMPY\x01\x00v\x00{'descr': '|O', ",
            b"\x89HDF\r\n\x1a\n....model_config",
            b"\x7fELF\x02",
            b"#!/usr/bin/python3\n",
        ] {
            assert!(runs_code(head, "model.json").is_some(), "{head:?}");
        }
        for name in ["a.PKL", "a.pth", "a.py", "a.h5"] {
            assert!(runs_code(b"harmless", name).is_some(), "{name}");
        }
    }

    #[test]
    fn what_is_data_is_taken() {
        for (head, name) in [
            (&b"{\"weights\": [1, 2]}"[..], "m.json"),
            (b"\x08\x00\x00\x00\x00\x00\x00\x00{\"a\":{}}", "m.safetensors"),
            (b"\x80\x04\x00\x00\x00\x00\x00\x00{\"a\":{}}", "m.safetensors"),
            (b"\x08\x07\x12\x07pytorch", "m.onnx"),
            (b"GGUF\x03\x00", "m.gguf"),
            (b"\x93NUMPY\x01\x00v\x00{'descr': '<f8', ", "m.npy"),
            (b"(a text with a bracket)", "m.txt"),
            (b"", "m"),
        ] {
            assert_eq!(runs_code(head, name), None, "{name}");
        }
    }
}
