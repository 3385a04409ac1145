//! The rules: every check the product knows, once.
//!
//! A rule is one file and one word in the list below. Its doc comment is its manual page; `golden explain`,
//! `docs/rules.md` and the tests over all rules derive from it. Rules do no IO: they are functions of a
//! view (contract and facts) and return an outcome, or the fact that kept them from one.
//!
//! A demand of the contract (a setting, a variable) is data, judged by one generic rule at its own level
//! ([`Check::Setting`], [`Check::Variable`]), so that passes are counted for each demand. Results carry a `&'static
//! RuleInfo`: reports know a rule's words and still import only `model`.

#[macro_use]
mod declare;
pub mod approval;
pub mod at_start;
pub mod compare;
pub mod conditions;
pub mod defaults;
pub mod dependencies;
pub mod earlier;
pub mod env_files;
pub mod files;
pub mod governed;
pub mod looks;
pub mod models;
pub mod prelude;
pub mod processes;
pub mod reach;
pub mod remedy;
pub mod required;
pub mod sandbox;
pub mod see;
pub mod strangers;
mod streams;
pub mod triggers;
pub mod variables;

use crate::contract::{SettingDemand, VariableDemand};
use crate::facts::Needs;
use crate::facts::view::{DependencyView, JobView, ModelView, PlaceView, ServiceView, View};
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
    /// Each model that is judged; only `golden gate` and `golden scoreboard` judge any.
    Model(fn(&ModelView) -> Ruling),
}

impl Check {
    /// What it judges, in words for people.
    fn subject(&self) -> &'static str {
        match self {
            Check::Host(_) => "host",
            Check::Place(_) => "each place",
            Check::Dependency(_) => "each dependency",
            Check::Service(_) => "each service",
            Check::Setting(_) => "each demanded setting",
            Check::Variable(_) => "each demanded variable",
            Check::Job(_) => "each job",
            Check::Model(_) => "each model",
        }
    }

    /// Whether its subjects are services.
    pub fn is_about_services(&self) -> bool {
        matches!(self, Check::Service(_) | Check::Setting(_) | Check::Variable(_))
    }
}

impl Rule {
    /// How it is checked: what it judges, and by what it looks at.
    pub fn looks_at(&self) -> String {
        let mut words: Vec<&str> = Vec::new();
        for need in self.needs.iter() {
            // Links are a part of the unit for people.
            if !words.contains(&need.words()) {
                words.push(need.words());
            }
        }
        let live = if self.needs.live() { ", running host only" } else { "" };
        match words.is_empty() {
            true => format!("{}: the contract itself", self.check.subject()),
            false => format!("{}: {}{live}", self.check.subject(), words.join(", ")),
        }
    }

    /// The rule with this id.
    pub fn find(id: &str) -> Option<&'static Rule> {
        RULES.iter().copied().find(|rule| rule.info.id == id)
    }
}

/// Whether a rule says that a service will not start, or will start with what it cannot work with.
pub fn says_whether_it_starts(id: &str) -> bool {
    const UNITS: [&str; 4] = ["unit-missing", "unit-refused", "unit-masked", "account-missing"];
    UNITS.contains(&id)
        || [
            "start-",
            "venv-",
            "env-line-",
            "env-value-mangled",
            "env-variable-missing",
            "env-variable-wrong",
            "env-file-missing",
        ]
        .iter()
        .any(|prefix| id.starts_with(prefix))
}

rules! {
    host {
        contract_differs_from_source
        contract_not_approved
        contract_review_overdue
        database_invalid
        database_missing
        database_owner_wrong
        database_unwritable
        dependency_not_active
        dependency_not_answering
        dependency_not_enabled
        dependency_unit_missing
        journal_not_persistent
        ledger_broken
        ledger_not_anchored
        log_rotation_missing
        model_active_unknown
        model_archive_misnamed
        model_backup_broken
        model_gate_stale
        place_content_wrong
        place_misplaced
        place_missing
        place_mode_wrong
        place_not_mounted
        place_on_link
        place_owner_wrong
        plan_interrupted
        redis_exposed
        redis_foreign_listener
        redis_not_answering
        redis_not_append_only
        redis_port_wrong
        redis_setting_unsaved
        unit_left_behind
        unit_order_cycle
    }
    service {
        account_may_become_root
        account_may_sudo
        account_missing
        account_writes_system
        activation_broken
        activation_not_active
        activation_not_enabled
        draft_enabled
        env_file_holds_secret
        env_file_in_repository
        env_file_missing
        env_file_mode_wrong
        env_file_not_regular
        env_file_owner_wrong
        env_file_unreachable
        env_line_ignored
        env_value_ambiguous
        env_value_mangled
        env_variable_duplicated
        env_variable_hijacks
        env_variable_missing
        env_variable_shadowed
        env_variable_wrong
        job_enabled
        port_not_declared
        port_not_listening
        process_executable_wrong
        process_older_than_unit
        process_user_wrong
        process_variable_wrong
        redis_named_not_answering
        service_not_answering
        start_condition_fails
        start_credential_missing
        start_directory_blocked
        start_directory_missing
        start_directory_unwritable
        start_env_file_missing
        start_group_missing
        start_interpreter_broken
        start_library_missing
        start_output_missing
        start_path_missing
        start_processor_missing
        start_program_missing
        start_program_noexec
        start_requirement_missing
        start_runtime_unfit
        start_sandbox_hides
        start_sandbox_locks
        start_script_missing
        start_user_missing
        timer_missing
        timer_not_active
        timer_not_enabled
        timer_schedule_broken
        unit_bound_not_restored
        unit_env_file_wrong
        unit_exec_outside_venv
        unit_exec_wrong
        unit_group_wrong
        unit_holds_secret
        unit_last_run_failed
        unit_last_success_old
        unit_masked
        unit_misplaced
        unit_missing
        unit_not_active
        unit_not_bound
        unit_not_enabled
        unit_not_reached
        unit_not_reloaded
        unit_order_missing
        unit_refused
        unit_restarts_often
        unit_runs_as_root
        unit_runs_shell
        unit_sets_path
        unit_reset_in_vain
        unit_setting_ignored
        unit_setting_missing
        unit_setting_wrong
        unit_user_wrong
        unit_variable_unset
        unit_uses_system_python
        unit_without_preflight
        unit_word_forbidden
        venv_config_invalid
        venv_does_not_run
        venv_is_link
        venv_missing
        venv_moved
        venv_open
        venv_python_broken
        venv_python_upgraded
        venv_sees_system_packages
    }
    model {
        model_actions_biased
        model_confidence_collapsed
        model_confidence_constant
        model_confidence_narrow
        model_dead_zone
        model_drifted
        model_event_malformed
        model_events_too_few
        model_improvement_unproven
        model_stream_empty
        model_telemetry_missing
        model_telemetry_stale
        model_verdict_uncertain
    }
    repository {
        cron_bypasses_wrapper
        job_in_wrong_service
        job_script_missing
        job_script_open
        makefile_bypasses_wrapper
        makefile_hidden
        makefile_missing
        makefile_target_missing
        repository_cloned_twice
        repository_holds_forbidden_file
        repository_not_a_work_tree
        repository_owner_mixed
        script_calls_system_python
        wrapper_missing
        wrapper_not_executable
    }
}

#[cfg(test)]
mod tests;
