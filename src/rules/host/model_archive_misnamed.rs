//! Names in the archive of models.

use crate::rules::prelude::*;

rule! {
    /// The name of an archived model lacks its time, model or version.
    ///
    /// Every entry of `archive` in the place of the models is named `<timestamp>_<model>_<version>`. The
    /// timestamp is a day, with or without a time (`20260110`, `20260110T120000Z`, `20260110_120000`). The
    /// version holds a digit. Names that begin with a dot are skipped.
    ///
    /// ```bad
    /// file /opt/quantum/ai_engine/models/archive/patchtst_old.pth qt:qt 0644
    /// | weights
    /// ```
    /// ```bad
    /// dir /opt/quantum/ai_engine/models/archive/20261399_patchtst_v3 qt:qt 0755
    /// ```
    /// ```good
    /// dir /opt/quantum/ai_engine/models/archive/2026-01-10T12:00:00Z_nhits_v2.1 qt:qt 0755
    /// file /opt/quantum/ai_engine/models/archive/20260110_120000_patch_tst_v20260109.pth qt:qt 0644
    /// | weights
    /// ```
    id: "model-archive-misnamed",
    section: A,
    severity: Must,
    needs: [Places],
    cause: Host,
    why: "you cannot tell which model to roll back to",
    see: ["ls -l {models}/archive"],
    mend: "Find out which model and version it is, and rename it.",
    man: ["ls(1)"],
    since: "0.1.0",
    check: Host(check),
}

/// The directory of a place of models that keeps the past.
const ARCHIVE: &str = "archive";

fn check(view: &View) -> Ruling {
    let contract = view.contract;
    let Some(place) = contract.model_place() else {
        return Ok(Outcome::not_applicable("the contract guards no models"));
    };
    let Some(demand) = place.holds.iter().find(|held| held.value == ARCHIVE) else {
        return Ok(Outcome::not_applicable("the contract demands no archive"));
    };
    let directory = format!("{}/{ARCHIVE}", place.path.value);
    let Some(names) = view.listing(Need::Places, &directory)? else {
        return Ok(crate::rules::files::does_not_exist());
    };
    let misnamed = names.iter().filter(|name| !name.starts_with('.') && !is_entry(name));
    let finding = |name: &String| {
        let path = format!("{directory}/{name}");
        Finding::new(
            format!("{name} has no time, model or version in its name"),
            Location::file(path.as_str()),
            demand.at.clone(),
        )
        .key(name.as_str())
        .expected("<timestamp>_<model>_<version>")
        .observed(name.as_str())
        .mend(
            Remedy::decide(format!("find out the model, time and version of {name}, and rename it"))
                .candidate(
                    "with the right words in the new name",
                    format!("mv -nT -- {} {}", quoted(&path), quoted(&format!("{directory}/TIMESTAMP_MODEL_VERSION"))),
                ),
        )
    };
    Ok(Outcome::from_findings(misnamed.map(finding).collect()))
}

/// `<timestamp>_<model>_<version>`
fn is_entry(name: &str) -> bool {
    let Some((day, rest)) = name.split_once('_') else { return false };
    if !is_timestamp(day) {
        return false;
    }
    // A time may stand apart: 20260110_120000_model_v1.
    let rest = match rest.split_once('_') {
        Some((time, rest)) if is_time(time) && rest.contains('_') => rest,
        _ => rest,
    };
    let Some((model, version)) = rest.rsplit_once('_') else { return false };
    let plain = |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
    model.starts_with(|c: char| c.is_ascii_alphabetic())
        && plain(model)
        && plain(version)
        && version.contains(|c: char| c.is_ascii_digit())
}

/// A day, and after a `T` or `-` a time.
fn is_timestamp(text: &str) -> bool {
    let digits: String = text.chars().filter(|c| *c != '-').take(8).collect();
    let (Ok(month), Ok(day)) =
        (digits.get(4..6).unwrap_or("").parse::<u8>(), digits.get(6..8).unwrap_or("").parse::<u8>())
    else {
        return false;
    };
    let day_long = if text.as_bytes().get(4) == Some(&b'-') { 10 } else { 8 };
    let (Some(date), Some(time)) = (text.get(..day_long), text.get(day_long..)) else { return false };
    let date_plain =
        date.chars().all(|c| c.is_ascii_digit() || c == '-') && digits.chars().all(|c| c.is_ascii_digit());
    let time_right = time.is_empty() || time.strip_prefix(['T', 't', '-']).is_some_and(is_time);
    date_plain && (1..=12).contains(&month) && (1..=31).contains(&day) && time_right
}

/// Hours and minutes at least, with or without colons and a final Z.
fn is_time(text: &str) -> bool {
    let text = text.strip_suffix(['Z', 'z']).unwrap_or(text);
    let digits = text.chars().filter(char::is_ascii_digit).count();
    (4..=9).contains(&digits) && text.chars().all(|c| c.is_ascii_digit() || ":-.".contains(c))
}

#[cfg(test)]
mod tests {
    use super::is_entry;

    #[test]
    fn names_say_when_what_and_which() {
        for good in [
            "20260110_patchtst_v1",
            "20260110T120000Z_x_2",
            "2026-01-10_a-b_1.0.0",
            "20260110_1200_a_b_v9.pth",
        ] {
            assert!(is_entry(good), "{good}");
        }
        for bad in [
            "patchtst_20260110_v1",
            "20260110_patchtst",
            "20260110_patchtst_final",
            "2026_x_v1",
            "20260001_x_v1",
        ] {
            assert!(!is_entry(bad), "{bad}");
        }
    }
}
