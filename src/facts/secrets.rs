//! Secrets never leave the host in a facts file: each is replaced by a salted digest, so that two equal
//! secrets of one file can still be seen to be equal and nobody can look one up.

use sha2::{Digest, Sha256};

use super::HostFacts;
use crate::contract::Contract;
use crate::model::Observed;
use crate::syntax::secret_shape;

/// What a hidden value starts with.
pub const HIDDEN: &str = "hidden:";

impl HostFacts {
    /// Hides every value that the contract's patterns or its own shape call a secret.
    pub fn hide_secrets(&mut self, contract: &Contract) {
        let salt = Sha256::new().chain_update(self.host.as_bytes()).chain_update(self.time.to_le_bytes());
        for file in self.env_files.values_mut() {
            let Observed::Found(file) = file else { continue };
            for variable in &mut file.read.variables {
                if is_secret(contract, &variable.name, &variable.value) {
                    variable.value = hidden(&salt, &variable.value);
                }
            }
        }
        for answer in self.pythons.values_mut() {
            let Observed::Found(answer) = answer else { continue };
            let words: Vec<&str> = answer.complaint.split_whitespace().collect();
            let secrets = words.into_iter().filter(|word| secret_shape::secret_shape(word).is_some());
            let secrets: Vec<String> = secrets.map(str::to_owned).collect();
            for secret in secrets {
                answer.complaint = answer.complaint.replace(&secret, &hidden(&salt, &secret));
            }
        }
    }
}

fn hidden(salt: &Sha256, value: &str) -> String {
    let digest = salt.clone().chain_update(value.as_bytes()).finalize();
    let hex: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("{HIDDEN}{hex}")
}

/// Whether a variable holds a real secret: its name matches a pattern of the contract and its value is no
/// placeholder, or its value has the shape of a well-known token.
pub fn is_secret(contract: &Contract, name: &str, value: &str) -> bool {
    let named =
        contract.env.secret_names.value.iter().any(|pattern| secret_shape::glob_matches(pattern, name));
    (named && !secret_shape::is_placeholder(value)) || secret_shape::secret_shape(value).is_some()
}
