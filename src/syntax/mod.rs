//! Text to spanned trees, exactly as systemd (and the few other readers of a host) would read it.
//!
//! Nothing in here does IO or knows a contract. Every reader takes bytes and a path for its locations,
//! never panics, and keeps what the real reader would silently drop, because that is what people need
//! to hear about.

pub mod accounts;
pub mod allowed_signers;
pub mod breakdown;
pub mod calendar;
pub mod command_line;
pub mod crontab;
pub mod defaults;
pub mod effective;
pub mod elf;
pub mod env_file;
pub mod env_shell;
pub mod environment;
pub mod fstab;
pub mod glob;
pub mod hijack;
pub mod known;
pub mod logrotate;
mod make_variables;
pub mod makefile;
pub mod model_format;
pub mod pyvenv_cfg;
pub mod redis_conf;
pub mod search;
pub mod secret_shape;
pub mod secret_text;
pub mod shebang;
pub mod shell_words;
mod shell_wrappers;
pub mod specifier;
pub mod ssh_signature;
pub mod stand_in;
pub mod sudoers;
pub mod sysusers;
pub mod tmpfiles;
pub mod unit_file;
pub mod unit_name;
mod utf8;
pub mod value;
pub mod version;
pub mod words;
