//! What the contract says of what services rely on.

use super::*;
use crate::model::answers::Protocol;

pub(super) fn dependency(all: &mut Vec<Duty>, dependency: &Dependency) {
    let Dependency { name, kind, unit, at } = dependency;
    let mut of = of(all, format!("dependency:{name}"), at);
    of.maybe("unit", unit);
    match kind {
        DependencyKind::Redis { address, append_only, loopback_only, password, named_by } => {
            of.exactly("address", address);
            for (what, flag) in [("append_only", append_only), ("loopback_only", loopback_only)] {
                flag.iter().for_each(|flag| of.flag(what, flag.value, &flag.at));
            }
            for (what, pair) in [("password", password), ("named_by", named_by)] {
                if let Some((first, second)) = pair {
                    let value = format!("{} {}", first.value, second.value);
                    of.add(what, format!("{what} = {value}"), Shape::Exactly(value), &first.at);
                }
            }
        }
        DependencyKind::Sqlite { path, owner, check_up_to } => {
            of.exactly("path", path);
            of.maybe("owner", owner);
            let text = format!("check_up_to = {check_up_to}");
            of.add("check_up_to", text, Shape::AtLeast(*check_up_to as f64), at);
        }
        DependencyKind::Server { address, protocol } => {
            of.exactly("address", address);
            let mut also = |key: &str, value: String| {
                of.add(key, format!("{key} = {value}"), Shape::Exactly(value), at);
            };
            match protocol {
                Protocol::Http { get, statuses: (first, last) } => {
                    also("get", get.clone());
                    also("status", format!("{first}..{last}"));
                }
                Protocol::Postgres { role, database } => {
                    role.iter().for_each(|role| also("role", role.clone()));
                    database.iter().for_each(|database| also("database", database.clone()));
                }
                Protocol::Any | Protocol::Mysql | Protocol::Amqp | Protocol::Memcached => {}
            }
        }
        DependencyKind::Unit => {}
    }
    let word = kind.word();
    of.add("kind", format!("kind = {word:?}"), Shape::Exactly(word.to_owned()), at);
}
