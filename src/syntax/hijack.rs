//! Variables that make a program load or run something else than its files say.
//!
//! From ld.so(8) and its list of variables that secure execution drops, python(1), bash(1), perlrun(1) and
//! ruby(1). Options that merely tune a runtime are not here.

/// Why nobody may hand this variable to a program unasked; `None` for a harmless name.
pub fn hijacks(name: &str) -> Option<&'static str> {
    const LINKER: &str = "the dynamic linker loads code by it";
    const PYTHON: &str = "python loads other code by it";
    const SHELL: &str = "every shell runs code by it";
    const SCRIPT: &str = "the interpreter loads other code by it";
    match name {
        "GCONV_PATH" | "GLIBC_TUNABLES" | "LOCPATH" => Some("the C library loads other code or data by it"),
        "PYTHONHOME"
        | "PYTHONSTARTUP"
        | "PYTHONINSPECT"
        | "PYTHONEXECUTABLE"
        | "PYTHONPLATLIBDIR"
        | "PYTHONUSERBASE"
        | "PYTHONBREAKPOINT"
        | "PYTHONPYCACHEPREFIX" => Some(PYTHON),
        "BASH_ENV" | "ENV" | "SHELLOPTS" | "BASHOPTS" | "PS4" | "PROMPT_COMMAND" | "IFS" => Some(SHELL),
        "PERL5LIB" | "PERLLIB" | "PERL5OPT" | "PERL5DB" | "RUBYLIB" | "RUBYOPT" => Some(SCRIPT),
        _ if name.starts_with("LD_") => Some(LINKER),
        _ if name.starts_with("BASH_FUNC_") => Some(SHELL),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::hijacks;

    #[test]
    fn only_what_loads_other_code() {
        for name in
            ["LD_PRELOAD", "LD_LIBRARY_PATH", "PYTHONSTARTUP", "PYTHONHOME", "BASH_ENV", "BASH_FUNC_ls%%"]
        {
            assert!(hijacks(name).is_some(), "{name}");
        }
        for name in ["PATH", "PYTHONPATH", "PYTHONUNBUFFERED", "LANG", "LDAP_URL", "ENVIRONMENT", "HOME"] {
            assert!(hijacks(name).is_none(), "{name}");
        }
    }
}
