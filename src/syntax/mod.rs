//! Text to spanned trees, as the program that really reads each format would read it.
//!
//! Nothing in here does IO or knows a contract. Every reader takes bytes and a path for its locations,
//! never panics, and keeps what the real reader would silently drop, because that is what people need
//! to hear about.

pub mod accounts;
pub mod allowed_signers;
pub mod breakdown;
pub mod crontab;
pub mod elf;
pub mod env_file;
pub mod env_shell;
pub mod fstab;
pub mod glob;
pub mod hijack;
pub mod json;
pub mod logrotate;
mod make_functions;
mod make_variables;
pub mod makefile;
pub mod model_format;
pub mod pyvenv_cfg;
pub mod redis_conf;
pub mod secret_shape;
pub mod secret_text;
pub mod shebang;
pub mod shell_words;
pub mod shell_wrappers;
pub mod ssh_signature;
pub mod stand_in;
pub mod sudoers;
pub mod sysusers;
pub mod tmpfiles;
pub mod unit_file;
mod utf8;
pub mod words;
