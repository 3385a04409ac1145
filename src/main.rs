//! The `golden` command: parse, run, exit code. Everything else is in the library.

use std::process::ExitCode;

/// A million small results on two threads: the C library's allocator asks the kernel for each page anew.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    golden::cli::main(std::env::args_os())
}
