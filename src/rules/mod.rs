//! The rules: every check the product knows, once.
//!
//! A rule is one file and one word in the list below. Its doc comment is its manual page; `golden explain`,
//! `docs/rules.md` and the tests over all rules derive from it. Rules do no IO: they are functions of a
//! view (contract and facts) and return an outcome, or the fact that kept them from one.

#[macro_use]
mod declare;
pub mod files;
pub mod governed;
pub mod mend;
pub mod prelude;

use crate::contract::{SettingDemand, VariableDemand};
use crate::facts::Needs;
use crate::facts::view::{DependencyView, JobView, PlaceView, ServiceView, View};
use crate::model::{RuleInfo, Ruling};

/// One check with its documentation.
#[derive(Debug)]
pub struct Rule {
    /// Its id, section, level and manual page.
    pub info: RuleInfo,
    /// What it needs to see.
    pub needs: Needs,
    /// The check itself.
    pub check: Check,
}

/// The levels at which rules judge. The audit calls a check once for each subject of its level.
#[derive(Debug)]
pub enum Check {
    /// The host as a whole.
    Host(fn(&View) -> Ruling),
    /// Each place of the layout; the subject is the host, the key the place.
    Place(fn(&PlaceView) -> Ruling),
    /// Each dependency; the subject is the host, the key the dependency.
    Dependency(fn(&DependencyView) -> Ruling),
    /// Each service.
    Service(fn(&ServiceView) -> Ruling),
    /// Each setting that the contract demands of a service's unit; the key is the setting.
    Setting(fn(&ServiceView, &SettingDemand) -> Ruling),
    /// Each variable that the contract demands of a service's environment; the key is the variable.
    Variable(fn(&ServiceView, &VariableDemand) -> Ruling),
    /// Each job.
    Job(fn(&JobView) -> Ruling),
}

impl Check {
    /// Whether its subjects are services.
    pub fn is_about_services(&self) -> bool {
        matches!(self, Check::Service(_) | Check::Setting(_) | Check::Variable(_))
    }
}

impl Rule {
    /// The rule with this id.
    pub fn find(id: &str) -> Option<&'static Rule> {
        RULES.iter().copied().find(|rule| rule.info.id == id)
    }
}

rules! {
    host {
        place_missing
        place_owner_wrong
        place_mode_wrong
        place_on_link
        place_misplaced
        journal_not_persistent
        log_rotation_missing
        model_archive_misnamed
        contract_review_overdue
        contract_differs_from_source
    }
    service {
        venv_missing
        venv_is_link
        venv_config_invalid
        venv_python_broken
        venv_sees_system_packages
        venv_moved
        unit_runs_as_root
    }
    repository {
        repository_not_a_work_tree
        repository_cloned_twice
        repository_holds_forbidden_file
        wrapper_missing
        wrapper_not_executable
        makefile_missing
        makefile_target_missing
        makefile_bypasses_wrapper
        job_script_missing
        script_calls_system_python
    }
}

#[cfg(test)]
mod tests;
