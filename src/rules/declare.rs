//! The two macros of the registry.

/// Declares the rule of a file: its doc comment, its metadata and its check.
macro_rules! rule {
    (
        $(#[doc = $doc:literal])*
        id: $id:literal,
        section: $section:ident,
        severity: $severity:ident,
        needs: [$($need:ident),* $(,)?],
        cause: $cause:ident,
        why: $why:literal,
        see: [$($see:literal),+ $(,)?],
        mend: $mend:literal,
        man: [$($man:literal),+ $(,)?],
        since: $since:literal,
        check: $level:ident($check:path) $(,)?
    ) => {
        $(#[doc = $doc])*
        pub static RULE: $crate::rules::Rule = $crate::rules::Rule {
            info: $crate::model::RuleInfo {
                id: $id,
                section: $crate::model::Section::$section,
                severity: $crate::model::Severity::$severity,
                cause: $crate::model::Cause::$cause,
                why: $why,
                see: &[$($see),+],
                mend: $mend,
                man: &[$($man),+],
                since: $since,
                doc: concat!($($doc, "\n"),*),
            },
            needs: $crate::facts::Needs::of(&[$($crate::facts::Need::$need),*]),
            check: $crate::rules::Check::$level($check),
        };
    };
}

/// The list of all rules by folder; each word is a file.
macro_rules! rules {
    ($($folder:ident { $($rule:ident)* })*) => {
        $(
            #[doc = concat!("Rules about the ", stringify!($folder), ".")]
            pub mod $folder {
                $(pub mod $rule;)*
            }
        )*

        /// Every rule, in the order of the list.
        pub static RULES: &[&Rule] = &[$($(&$folder::$rule::RULE,)*)*];
    };
}
