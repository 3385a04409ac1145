//! What a rule may know of programs, of what they load, and of the processors that they run on.

use super::{Need, Observed, ProgramFacts, Undecided, View, not_looked_at};
use crate::facts::MissingLibrary;
use crate::facts::misfit::Misfit;
use crate::facts::processors::Processors;

impl<'a> View<'a> {
    /// What an executable is; `None` when it does not exist.
    pub fn program(&self, path: &str) -> Result<Option<&'a ProgramFacts>, Undecided> {
        self.facts(Need::Start)?.programs.get(path).ok_or_else(|| not_looked_at(path))?.known()
    }

    /// What processors the running host has; `None` where nobody looked.
    pub fn processors(&self) -> Result<Option<&'a Processors>, Undecided> {
        let processors = self.facts(Need::Start)?.processors.as_ref();
        processors.ok_or_else(|| not_looked_at("what processors the host has"))?.known()
    }

    /// The shared libraries that a program lacks; `None` where it was not said how they are looked for.
    pub fn missing_libraries(&self, program: &str) -> Result<Option<&'a Vec<MissingLibrary>>, Undecided> {
        let missing = self.facts(Need::Start)?.libraries.get(program);
        missing.map_or(Ok(None), Observed::known)
    }

    /// The text of a path file of Python, where it was looked at.
    pub fn path_file(&self, path: &str) -> Result<Option<&'a String>, Undecided> {
        self.facts(Need::Start)?.path_files.get(path).map_or(Ok(None), Observed::known)
    }

    /// What does not fit the runtime that a unit is started with.
    pub fn misfits(&self, unit: &str) -> Result<&'a [Misfit], Undecided> {
        let found = self.facts(Need::Start)?.misfits.get(unit).ok_or_else(|| not_looked_at("its runtime"))?;
        Ok(found.known()?.map_or(&[], Vec::as_slice))
    }

    /// The `main` of a package.json; `None` where there is no such file, or no word of it.
    pub fn main_of(&self, package: &str) -> Result<Option<&'a String>, Undecided> {
        let main = self.facts(Need::Start)?.mains.get(package);
        main.map_or(Ok(None), Observed::known)
    }
}
