//! What a host has that decides about services too, and that golden does not judge: said once in its report.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::model::change::quoted;

/// One such thing, and where it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unjudged {
    /// SELinux is enforcing (selinux(8)), by this file.
    Selinux(Arc<str>),
    /// AppArmor has profiles (apparmor(7)), in this directory.
    Apparmor(Arc<str>),
    /// An access control list (acl(5)) lies on a path that services need, and on so many more.
    AccessControlLists(Arc<str>, usize),
    /// Units of users (systemd.unit(5), "User Unit Search Path"): the files that start them.
    UserUnits(Vec<Arc<str>>),
}

impl Unjudged {
    /// The sentence of the report.
    pub fn in_words(&self) -> String {
        match self {
            Self::Selinux(at) => format!("SELinux is enforcing ({at}); what it denies is not judged"),
            Self::Apparmor(at) => format!("AppArmor has profiles ({at}); what they deny is not judged"),
            Self::AccessControlLists(first, more) => {
                let all = match more {
                    0 => format!("{first} has an access control list"),
                    more => format!("{first} and {more} more have access control lists"),
                };
                format!("{all}; what they grant and deny is not judged: getfacl -- {}", quoted(first))
            }
            Self::UserUnits(at) => {
                format!("units of users are not judged ({})", at.join(", "))
            }
        }
    }
}
