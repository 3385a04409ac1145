#!/usr/bin/env bash
# The one way to run an ops job under the contract; all checks are golden's
# Written by `golden render` from the contract quantum 1.1.0; change that, not this file.
set -euo pipefail
exec golden run "$@"
