//! What several tests share.

pub mod clock;
pub mod example;
pub mod lay;
pub mod machine;
pub mod oracle;
pub mod remedy;
pub mod report;
pub mod sample;
pub mod shown;
pub mod skip;
pub mod starts;
pub mod units;
