//! crontab(5): which command cron runs, from which line.

/// A job of a crontab.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job<'a> {
    /// Its line, from 1.
    pub line: u32,
    /// What a shell is given; what follows an unprotected `%` is its input.
    pub command: &'a str,
}

/// The jobs of a crontab. Those of the system name a user before the command.
pub fn parse(text: &str, names_user: bool) -> Vec<Job<'_>> {
    let lines = text.lines().zip(1_u32..);
    lines
        .filter_map(|(line, number)| Some(Job { line: number, command: command(line, names_user)? }))
        .collect()
}

fn command(line: &str, names_user: bool) -> Option<&str> {
    let line = line.trim();
    let is_assignment = || {
        let name = line.split(['=', ' ', '\t']).next().unwrap_or_default();
        line[name.len()..].trim_start().starts_with('=')
    };
    if line.is_empty() || line.starts_with('#') || is_assignment() {
        return None;
    }
    let time = if line.starts_with('@') { 1 } else { 5 };
    let mut rest = line;
    for _ in 0..time + usize::from(names_user) {
        rest = rest.split_once([' ', '\t'])?.1.trim_start();
    }
    let input = rest.match_indices('%').map(|(at, _)| at).find(|at| !rest[..*at].ends_with('\\'));
    Some(&rest[..input.unwrap_or(rest.len())])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_follow_their_times_and_users() {
        let text = "# m h dom mon dow user command\nPATH = /bin\n17 *  * * *\troot  cd / && run-parts x%in\n\
                    @daily qt python3 a\\%b\n\n5 4 * *\n";
        let found: Vec<_> = parse(text, true).iter().map(|job| (job.line, job.command)).collect();
        assert_eq!(found, [(3, "cd / && run-parts x"), (4, "python3 a\\%b")]);
        assert_eq!(parse("@reboot x y", false), [Job { line: 1, command: "x y" }]);
    }
}
