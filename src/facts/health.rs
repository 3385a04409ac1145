//! What running services say of their health.

use super::Need;
use super::view::ServiceView;
use crate::model::answers::ServerAnswer;
use crate::model::{Observed, Undecided};

impl<'a> ServiceView<'a> {
    /// What the service said, in the order of [`crate::contract::Health::questions`]; `None` where nobody asked it.
    pub fn answers(&self) -> Result<Option<&'a [Observed<ServerAnswer>]>, Undecided> {
        Ok(self.facts(Need::Servers)?.answers.get(&self.service.name).map(Vec::as_slice))
    }
}
