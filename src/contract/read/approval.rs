//! `[approval]`: whose signatures a contract needs. `[ledger]`: where the head of golden's record is left.

use super::places::path_value;
use super::{Cx, Fields, unstated};
use crate::contract::{Approval, schema};
use crate::model::Stated;

/// More people than ever sign one file; a larger number is a slip that would lock everybody out.
const MOST: u64 = 32;

/// `[approval]`
pub(super) fn approval<'a>(cx: &mut Cx<'a>, root: &Fields<'_, 'a>) -> Option<Approval> {
    let entry = root.get("approval")?;
    let fields = cx.fields(&entry.node, entry.at, "", &schema::APPROVAL)?;
    let at = cx.at(fields.at);
    let signers = fields.need(cx, "signers", "\"/etc/golden/allowed_signers\"", path_value);
    let required = match fields.opt(cx, "required", Cx::count) {
        None => unstated(1, &at),
        Some(count) if (1..=MOST).contains(&count.value) => Stated::new(count.value as u32, count.at),
        Some(count) => {
            let way_out =
                format!("write how many people must sign, from 1 to {MOST}; no approval: no `[approval]`");
            cx.error_at(&count.at, format!("`required` is {}", count.value), way_out);
            unstated(1, &count.at)
        }
    };
    Some(Approval { signers: signers?, required, at })
}

/// `[ledger]`
pub(super) fn anchor<'a>(cx: &mut Cx<'a>, root: &Fields<'_, 'a>) -> Option<Stated<String>> {
    let entry = root.get("ledger")?;
    let fields = cx.fields(&entry.node, entry.at, "", &schema::LEDGER)?;
    let path = fields.need(cx, "anchor", "\"/mnt/elsewhere/golden-heads\"", path_value)?;
    const OWN: [&str; 3] = ["/var/lib/golden", "/run/golden", "/etc/golden"];
    if let Some(own) = OWN.iter().find(|own| std::path::Path::new(&path.value).starts_with(own)) {
        let message =
            format!("`anchor` lies in golden's own {own}: who rewrites the ledger rewrites it along with it");
        cx.error_at(&path.at, message, "name a file elsewhere, best on a file system of another host");
    }
    Some(path)
}
