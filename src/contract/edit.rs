//! Changes of a contract's text by a program: a service written into it or taken out of it. Comments, order and
//! everything else stay as they are. Whether the new text is a contract is for its reader to say.
//!
//! toml_edit keeps them; the new text is read as a contract before it replaces the old one.

use toml_edit::{Array, DocumentMut, Formatted, InlineTable, Item, Table, Value};

use super::{Contract, builtin};

/// A service to be written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewService {
    /// Its name in the contract.
    pub name: String,
    /// `python`, `executable`, `timer-job` …
    pub kind: String,
    /// Its title in documents.
    pub title: Option<String>,
    /// What its unit must start: program and arguments.
    pub command: Vec<String>,
    /// The user, where it is not the contract's.
    pub user: Option<String>,
    /// The venv, by its name in `[venvs]`.
    pub venv: Option<String>,
    /// Dependencies that it must have.
    pub requires: Vec<String>,
    /// Services that it starts after.
    pub after: Vec<String>,
    /// Directories that it must be able to write.
    pub writes: Vec<String>,
    /// Values of variables in its env file.
    pub variables: Vec<(String, String)>,
    /// When its timer starts it.
    pub schedule: Option<String>,
    /// An address that answers when it is healthy.
    pub health: Option<String>,
}

/// Why a text cannot be changed.
pub type Wrong = String;

/// A contract to begin with, for a system of this name.
pub fn starter(name: &str, today: &str, authority: &str, remote: Option<&str>) -> String {
    let remote = remote.map_or_else(
        || {
            "# remote = \"https://git.example.org/app.git\"   # from where a host without one clones it"
                .to_owned()
        },
        |url| format!("remote = {}", Value::from(url)),
    );
    let words = [("@name@", name), ("@today@", today), ("@authority@", authority), ("@remote@", &remote)];
    words.iter().fold(builtin::STARTER.to_owned(), |text, (word, value)| text.replace(word, value))
}

fn parse(text: &str) -> Result<DocumentMut, Wrong> {
    text.parse::<DocumentMut>().map_err(|error| error.to_string())
}

/// The text with a further service behind the others. A venv that the contract does not know is written, too.
pub fn add_service(text: &str, contract: &Contract, new: &NewService) -> Result<String, Wrong> {
    let mut document = parse(text)?;
    if contract.services.iter().any(|service| *service.name == *new.name) {
        return Err(format!("there is a service {:?} already", new.name));
    }
    let mut service = Table::new();
    if let Some(title) = &new.title {
        service["title"] = text_item(title);
    }
    service["kind"] = text_item(&new.kind);
    if let Some(venv) = &new.venv {
        service["venv"] = text_item(venv);
    }
    service["command"] = list(&new.command);
    if let Some(user) = &new.user {
        service["user"] = text_item(user);
    }
    for (key, values) in [("requires", &new.requires), ("after", &new.after), ("writes", &new.writes)] {
        if !values.is_empty() {
            service[key] = list(values);
        }
    }
    if let Some(address) = &new.health {
        let key = if address.contains("://") { "http" } else { "tcp" };
        let mut health = InlineTable::new();
        health.insert(key, Value::from(address.as_str()));
        service["health"] = Item::Value(Value::InlineTable(health));
    }
    let provision = provision_of(new);
    if !provision.is_empty() {
        service.insert("provision", Item::Table(provision));
    }
    if let Some(venv) = new.venv.as_deref().filter(|venv| !contract.venvs.contains_key(*venv)) {
        write_venv(&mut document, contract, venv)?;
    }
    let services = table(&mut document, "services")?;
    services.insert(&new.name, Item::Table(service));
    Ok(document.to_string())
}

fn provision_of(new: &NewService) -> Table {
    let mut provision = Table::new();
    if let Some(schedule) = &new.schedule {
        provision["schedule"] = text_item(schedule);
    }
    if !new.variables.is_empty() {
        let mut variables = InlineTable::new();
        for (name, value) in &new.variables {
            variables.insert(name, Value::String(Formatted::new(value.clone())));
        }
        provision["variables"] = Item::Value(Value::InlineTable(variables));
    }
    provision
}

/// A venv of its own beside the others, with its locked requirements in the repository.
fn write_venv(document: &mut DocumentMut, contract: &Contract, name: &str) -> Result<(), Wrong> {
    if !contract.layout.contains_key("venvs") {
        return Err(format!("there is no venv {name:?}, and no [layout.venvs] where one could lie"));
    }
    table(document, "venvs")?[name] = text_item(&format!("{{layout.venvs}}/{name}"));
    let provision = table(document, "provision")?;
    let requirements = provision.entry("requirements").or_insert_with(|| Item::Table(Table::new()));
    let requirements = requirements.as_table_like_mut().ok_or("`provision.requirements` is not a table")?;
    requirements.insert(name, text_item(&format!("requirements/{name}.txt")));
    Ok(())
}

/// The text without a service, and without its venv when nobody else uses that. Comments above its table that a blank
/// line parts from it stay.
pub fn remove_service(text: &str, contract: &Contract, name: &str) -> Result<String, Wrong> {
    let mut document = parse(text)?;
    let services = table(&mut document, "services")?;
    let Some(item) = services.remove(name) else {
        return Err(format!("this file has no service {name:?}; it may stand in a contract that it extends"));
    };
    let service = contract.services.iter().find(|service| *service.name == *name);
    let path = service.and_then(|service| service.venv.as_ref()).map(|venv| venv.value.as_str());
    let others = contract.services.iter().filter(|service| *service.name != *name);
    let shared =
        others.filter_map(|service| service.venv.as_ref()).any(|venv| Some(venv.value.as_str()) == path);
    let venv = contract.venvs.values().find(|venv| Some(venv.path.value.as_str()) == path && !shared);
    if let Some(venv) = venv {
        remove_at(&mut document, &["venvs"], &venv.name);
        remove_at(&mut document, &["provision", "requirements"], &venv.name);
    }
    if let Some(kept) = item.as_table().and_then(comments_apart) {
        give_comments(&mut document, &kept);
    }
    Ok(document.to_string())
}

/// The lines above a table that a blank line parts from it.
fn comments_apart(table: &Table) -> Option<String> {
    let above = table.decor().prefix()?.as_str()?;
    let (apart, _) = above.rsplit_once("\n\n")?;
    (!apart.trim().is_empty()).then(|| format!("{apart}\n"))
}

/// Puts lines in front of the last service, or behind everything.
fn give_comments(document: &mut DocumentMut, lines: &str) {
    let first = document.get_mut("services").and_then(Item::as_table_mut).and_then(|services| {
        services.iter_mut().find_map(|(_, item)| match item {
            Item::Table(table) if !table.is_implicit() => Some(table),
            _ => None,
        })
    });
    match first {
        Some(table) => {
            let old = table.decor().prefix().and_then(|prefix| prefix.as_str()).unwrap_or("").to_owned();
            table.decor_mut().set_prefix(format!("{lines}{old}"));
        }
        None => {
            let old = document.trailing().as_str().unwrap_or("").to_owned();
            document.set_trailing(format!("{lines}{old}"));
        }
    }
}

/// Removes a key of a table, and the table when nothing is left in it.
fn remove_at(document: &mut DocumentMut, path: &[&str], key: &str) {
    let mut at: &mut dyn toml_edit::TableLike = document.as_table_mut();
    for part in path {
        let Some(next) = at.get_mut(part).and_then(Item::as_table_like_mut) else { return };
        at = next;
    }
    at.remove(key);
}

fn table<'d>(document: &'d mut DocumentMut, name: &str) -> Result<&'d mut Table, Wrong> {
    let entry = document.entry(name).or_insert_with(|| {
        let mut table = Table::new();
        table.set_implicit(true);
        Item::Table(table)
    });
    entry
        .as_table_mut()
        .ok_or_else(|| format!("`{name}` is written as a value; write it as a table, [{name}]"))
}

fn text_item(text: &str) -> Item {
    Item::Value(Value::from(text))
}

fn list(words: &[String]) -> Item {
    Item::Value(Value::Array(words.iter().map(String::as_str).collect::<Array>()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Contract {
        Contract::parse(text, "golden.toml", false, &|_| Err("stands alone".into()))
            .unwrap_or_else(|errors| panic!("{errors:#?}\n{text}"))
    }

    fn new(name: &str, kind: &str, words: &[&str]) -> NewService {
        NewService {
            name: name.to_owned(),
            kind: kind.to_owned(),
            command: words.iter().map(|word| (*word).to_owned()).collect(),
            ..NewService::default()
        }
    }

    #[test]
    fn a_starter_is_a_contract_and_grows() {
        for remote in [None, Some("https://git.example.org/\"shop\".git")] {
            let text = starter("shop", "2026-11-23", "ops", remote);
            let contract = read(&text);
            assert!(contract.services.is_empty());
            let api = NewService {
                variables: vec![("PORT".into(), "8080".into())],
                health: Some("http://127.0.0.1:8080/".into()),
                ..new("api", "executable", &["/usr/local/bin/api", "--port", "8080"])
            };
            let text = add_service(&text, &contract, &api).unwrap();
            let worker = NewService {
                venv: Some("worker".into()),
                after: vec!["api".into()],
                ..new("worker", "python", &["python", "-m", "worker"])
            };
            let text = add_service(&text, &read(&text), &worker).unwrap();
            let report = NewService {
                schedule: Some("daily".into()),
                ..new("report", "timer-job", &["/usr/local/bin/report"])
            };
            let text = add_service(&text, &read(&text), &report).unwrap();
            let contract = read(&text);
            let names: Vec<&str> = contract.services.iter().map(|service| service.name.as_ref()).collect();
            assert_eq!(names, ["api", "worker", "report"], "{text}");
            for part in ["\n[services]\n", "# ---- Services, in the", "# ---- Dated exceptions"] {
                assert!(text.contains(part), "{part}: {text}");
            }
        }
    }

    #[test]
    fn what_is_added_and_removed_leaves_the_text_as_it_was() {
        let text = Contract::built_in_text();
        let contract = Contract::built_in();
        let scorer = NewService {
            venv: Some("scorer".into()),
            requires: vec!["redis".into()],
            ..new("scorer", "python", &["python", "-m", "src.scorer"])
        };
        let more = add_service(text, &contract, &scorer).unwrap();
        let mut old = text.lines().peekable();
        let added: Vec<&str> = more.lines().filter(|line| old.next_if_eq(line).is_none()).collect();
        assert_eq!(old.next(), None, "a line was changed: {more}");
        let wanted = [
            "scorer = \"{layout.venvs}/scorer\"",
            "scorer = \"requirements/scorer.txt\"",
            "[services.scorer]",
            "kind = \"python\"",
            "venv = \"scorer\"",
            "command = [\"python\", \"-m\", \"src.scorer\"]",
            "requires = [\"redis\"]",
            "",
        ];
        assert_eq!(added, wanted, "{more}");
        let less = remove_service(&more, &read(&more), "scorer").unwrap();
        assert_eq!(less, text);
    }

    #[test]
    fn comments_of_a_section_survive_its_first_service() {
        let contract = Contract::built_in();
        let less = remove_service(Contract::built_in_text(), &contract, "backend").unwrap();
        assert!(less.contains("# ---- The services, in the order in which they start"), "{less}");
        assert!(!less.contains("[services.backend"));
        assert!(!less.contains("venvs}/backend"));
        // ai-engine starts after it, and says so: the reader of the contract refuses.
        assert!(Contract::parse(&less, "golden.toml", false, &|_| Err(String::new())).is_err());
    }

    #[test]
    fn what_is_there_or_not_is_said() {
        let contract = Contract::built_in();
        let text = Contract::built_in_text();
        let again = add_service(text, &contract, &new("backend", "python", &["python"]));
        assert!(again.unwrap_err().contains("already"));
        assert!(remove_service(text, &contract, "ghost").unwrap_err().contains("no service \"ghost\""));
        assert!(add_service("services = 1\n", &contract, &new("x", "job", &["/x"])).is_err());
    }
}
