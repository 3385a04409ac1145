//! The `golden` command: parse, run, exit code. Everything else is in the library.
//!
//! The C library's allocator stays. mimalloc made an audit of ten thousand services faster and every start slower;
//! since results are kept in the pieces in which they are made (`model::Results`), the difference is gone.

use std::process::ExitCode;

fn main() -> ExitCode {
    golden::cli::main(std::env::args_os())
}
