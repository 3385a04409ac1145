#!/usr/bin/env bash
# The one way to run an ops job under the contract; all checks are golden's.
set -euo pipefail
exec golden run "$@"
