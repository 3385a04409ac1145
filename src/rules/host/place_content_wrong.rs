//! What stands in files of the layout.

use crate::rules::files::does_not_exist;
use crate::rules::prelude::*;

rule! {
    /// A file of the layout has the wrong content.
    ///
    /// With `content` or `template` the file must hold exactly that text. golden compares digests and does not
    /// show the text, because it may hold secrets. With `keys` the file must set each key on a line of its own:
    /// `KEY=value`. Blanks around the `=` are allowed; comments do not count.
    ///
    /// ```bad
    /// contract [layout.motd]
    /// contract path = "/opt/quantum/motd"
    /// contract kind = "file"
    /// contract content = "welcome"
    /// file /opt/quantum/motd root:root 0644
    /// | go away
    /// ```
    /// ```bad
    /// contract [layout.settings]
    /// contract path = "/opt/quantum/settings.ini"
    /// contract kind = "file"
    /// contract keys = ["HOST", "PORT"]
    /// file /opt/quantum/settings.ini root:root 0644
    /// | HOST = localhost
    /// | # PORT = 80
    /// ```
    /// ```good
    /// contract [layout.settings]
    /// contract path = "/opt/quantum/settings.ini"
    /// contract kind = "file"
    /// contract keys = ["HOST", "PORT"]
    /// file /opt/quantum/settings.ini root:root 0644
    /// | HOST = localhost
    /// | PORT=80
    /// ```
    /// ```good
    /// contract [layout.motd]
    /// contract path = "/opt/quantum/motd"
    /// contract kind = "file"
    /// contract content = "welcome\n"
    /// file /opt/quantum/motd root:root 0644
    /// | welcome
    /// ```
    id: "place-content-wrong",
    section: A,
    severity: Must,
    needs: [Places],
    cause: Host,
    why: "a program that reads the file does not do what the contract says",
    see: ["cat {path}"],
    mend: "Compare the file with the contract, and correct one of them. Add missing keys to the file.",
    man: ["cat(1)"],
    since: "unreleased",
    check: Place(check),
}

fn check(view: &PlaceView) -> Ruling {
    let place = view.place;
    let Some(content) = &place.content else {
        return Ok(Outcome::not_applicable("the contract does not say what stands in it"));
    };
    let path = &place.path.value;
    let lookup = view.path(Need::Places, path)?;
    match lookup.node()? {
        None => return Ok(does_not_exist()),
        Some(step) if step.meta.kind != NodeKind::File => {
            return Ok(Outcome::not_applicable("it is not a file (reported by place-missing)"));
        }
        Some(_) => {}
    }
    let Some(found) = view.file(path)? else { return Ok(does_not_exist()) };
    let finding = |message: String, at: &Location| Finding::new(message, lookup.location(), at.clone());
    match content {
        Content::Text(text) => {
            let wanted = crate::model::sha256(&text.value);
            if wanted == found.digest {
                return Ok(Outcome::Pass);
            }
            Ok(finding(format!("{path} holds another text than the contract says"), &text.at)
                .expected(format!("a file with the sha256 {wanted}"))
                .observed(format!("a file with the sha256 {}", found.digest))
                .mend(Remedy::decide(format!("compare {path} with the contract and correct one of them")))
                .into())
        }
        Content::Keys(keys) => {
            let missing = keys.iter().filter(|key| !found.keys.contains(&key.value));
            let findings = missing.map(|key| {
                finding(format!("{path} does not set {}", key.value), &key.at)
                    .key(format!("{}/{}", place.name, key.value))
                    .expected(format!("a line {}=…", key.value))
                    .observed("no such line")
                    .mend(Remedy::decide(format!("add {}= to {path}", key.value)))
            });
            Ok(Outcome::from_findings(findings.collect()))
        }
    }
}
