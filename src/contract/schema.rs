//! Every key of the format, by table. The reader refuses any other, and a test holds the format's manual
//! against this list.

/// The newest version of the format that this program reads.
pub(super) const VERSION: i64 = 1;

/// Keys by table; `*` stands for a name that the contract gives.
pub(super) struct Keys {
    /// The table as one writes it.
    pub table: &'static str,
    /// Its keys.
    pub keys: &'static [&'static str],
}

macro_rules! tables {
    ($($name:ident $table:literal [$($key:literal)*])*) => {
        $(pub(super) const $name: Keys = Keys { table: $table, keys: &[$($key),*] };)*

        /// Every table of the format.
        #[cfg(test)]
        pub(super) const ALL: &[&Keys] = &[$(&$name),*];
    };
}

tables! {
    ROOT "the contract" [
        "schema" "extends" "contract" "changes" "layout" "identity" "runtime" "venvs" "env" "repository"
        "unit" "kinds" "dependencies" "provision" "services" "jobs" "safety" "models" "checklist" "rules" "waivers"
        "approval" "ledger"
    ]
    LEDGER "ledger" ["anchor" "send" "recall"]
    APPROVAL "approval" ["signers" "required"]
    CONTRACT "contract" ["name" "version" "effective" "next_review" "authority"]
    CHANGE "changes" ["version" "date" "text"]
    PLACE "layout.*" [
        "path" "owner" "group" "mode" "holds" "not_under" "not_on" "no_links" "outside_repository"
        "required" "level" "kind" "content" "template" "keys" "mounted"
    ]
    IDENTITY "identity" ["user" "group" "forbidden_groups" "must_not_write"]
    RUNTIME "runtime" ["forbidden_programs" "system_site_packages" "forbidden_shells"]
    ENV "env" ["owner" "group" "mode" "tolerated" "secret_names" "variables"]
    REPOSITORY "repository" [
        "place" "remote" "wrapper" "makefile" "clone_roots" "clone_depth" "clone_skip" "must_not_hold"
    ]
    UNIT "unit" ["name" "Unit" "Service" "Install" "forbidden"]
    FORBIDDEN "unit.forbidden.*" ["settings" "words" "why"]
    SETTING "unit.*" ["equals" "one_of" "contains" "absent" "present" "level" "presence" "since"]
    VARIABLE "env.variables.*" ["equals" "one_of" "path" "under" "min" "max" "absent" "present" "level"]
    KIND "kinds.*" ["unit" "variables"]
    SECTIONS "unit" ["name" "Unit" "Service" "Install"]
    DEPENDENCY "dependencies.*" [
        "kind" "unit" "address" "append_only" "loopback_only" "password" "named_by" "path" "owner" "check_up_to"
        "get" "status" "role" "database"
    ]
    NAMED_BY "named_by" ["host" "port"]
    PASSWORD "password" ["file" "key"]
    SERVICE "services.*" [
        "title" "kind" "timer" "user" "group" "venv" "command" "exact" "env_files"
        "working_directory" "requires" "after" "writes" "unit" "variables" "provision" "activation" "health" "code" "succeeded_within" "ports"
    ]
    PROVISION "provision" [
        "packages" "rehearse" "home" "golden" "interpreter" "wheelhouse" "uv" "requirements" "branch" "audit" "variables" "unit"
    ]
    SERVICE_PROVISION "services.*.provision" ["rendered" "start" "schedule" "variables" "unit" "health"]
    WRITTEN "provision.unit" ["Unit" "Service" "Install"]
    HEALTH "health" ["active_for" "within" "tcp" "http"]
    ENV_FILE "env_files" ["path" "secret" "owner" "group" "mode" "overrides" "optional"]
    JOB "jobs.*" [
        "service" "script" "built_in" "replaces" "needs" "single_flight" "time_limit" "make_target"
    ]
    SAFETY "safety" ["models" "reports" "telemetry" "gate" "scoreboard" "rollback"]
    TELEMETRY "safety.telemetry" [
        "dependency" "stream" "field" "inside" "window" "stale_after" "actions" "hold"
    ]
    GATE "safety.gate" [
        "min_events" "max_action_share" "max_hold_share" "collapsed_below" "constant_below" "narrow_below"
        "interval" "repeated_error" "drift_psi_above" "drift_ks_above"
    ]
    SCOREBOARD "safety.scoreboard" ["agreement_min" "agreement_max" "hard_disagreement_below"]
    ROLLBACK "safety.rollback" ["max_loss_per_hour" "max_error_share"]
    MODEL "models.*" [
        "service" "artefact" "set" "share" "digest_field" "gate_within" "runs_code" "rolls_back" "watch"
    ]
    MODEL_WATCH "models.*.watch" ["window" "loss" "errors"]
    NUMBER "models.*.watch.loss" ["dependency" "sql" "key"]
    MODEL_SET "models.*.set" ["canary" "active"]
    CHECK "checklist" ["section" "text" "by"]
    WAIVER "waivers" ["rule" "subject" "setting" "reason" "owner" "expires"]
}

/// Jobs that golden carries out itself.
pub(super) const BUILT_IN_JOBS: &[&str] = &["audit", "gate", "scoreboard", "canary", "rollback"];

/// Kinds of dependency.
pub(super) const DEPENDENCY_KINDS: &[&str] =
    &["redis", "sqlite", "unit", "tcp", "unix", "http", "postgres", "mysql", "rabbitmq", "memcached"];

/// Keys of a dependency that only some kinds have.
pub(super) const DEPENDENCY_KEYS: &[(&str, &[&str])] = &[
    ("address", &["redis", "tcp", "unix", "http", "postgres", "mysql", "rabbitmq", "memcached"]),
    ("append_only", &["redis"]),
    ("loopback_only", &["redis"]),
    ("password", &["redis"]),
    ("named_by", &["redis"]),
    ("path", &["sqlite"]),
    ("owner", &["sqlite"]),
    ("check_up_to", &["sqlite"]),
    ("get", &["http"]),
    ("status", &["http"]),
    ("role", &["postgres"]),
    ("database", &["postgres"]),
];
