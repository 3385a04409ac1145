//! Which paths a service names: in the settings of its effective unit, and in the variables of its environment.

use std::collections::BTreeSet;

use super::view::View;
use crate::contract::Service;
use crate::model::Undecided;
use crate::systemd::effective::noticing_unread;

/// The absolute paths that a service names, wherever they stand in a value.
///
/// # Errors
/// The unit or an env file cannot be read, or a value depends on what was not read.
pub fn named_paths(view: &View<'_>, service: &Service) -> Result<BTreeSet<String>, Undecided> {
    let (answer, unread) = noticing_unread(|| {
        let unit = view.effective(&service.unit.value)?;
        let environment = view.environment(unit)?;
        let settings = unit.settings.iter().map(|setting| setting.value());
        let variables = environment.values().flatten().map(|layer| layer.value.as_str());
        Ok(settings.chain(variables).flat_map(paths).map(str::to_owned).collect())
    });
    match unread {
        Some(why) => Err(Undecided::new(why)),
        None => answer,
    }
}

/// What may be a path in a value: a list, an option `--root=/srv/app`, a prefix of an Exec line.
fn paths(value: &str) -> impl Iterator<Item = &str> {
    let parts = value.split(|part: char| part.is_whitespace() || "\"'=:;,".contains(part));
    parts.filter_map(|part| part.find('/').map(|at| &part[at..])).filter(|path| path.len() > 1)
}

#[cfg(test)]
mod tests {
    use super::paths;

    #[test]
    fn a_path_is_found_wherever_it_stands() {
        let found = |value| paths(value).collect::<Vec<_>>();
        assert_eq!(found("-/usr/bin/app --root=/srv/app '/opt/a b'"), ["/usr/bin/app", "/srv/app", "/opt/a"]);
        assert_eq!(found("/srv/one:/srv/two;/srv/three"), ["/srv/one", "/srv/two", "/srv/three"]);
        assert_eq!(found("/ no path at all"), Vec::<&str>::new());
    }
}
