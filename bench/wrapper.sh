#!/usr/bin/env bash
# A wrapper of ops jobs as it is usually written: the seed's checks with the usual tools. Only to be measured.
set -euo pipefail
service=$1 script=$2
shift 2
repository=/home/qt/quantum_trader
python=/opt/quantum/venvs/$service/bin/python
env_file=/etc/quantum/$service.env
[ -d "$repository/.git" ] || { echo "no repository" >&2; exit 1; }
[ -d "/opt/quantum/venvs/$service" ] || { echo "no venv" >&2; exit 1; }
"$python" --version >/dev/null || { echo "no python" >&2; exit 1; }
[ -r "$env_file" ] || { echo "no env file" >&2; exit 1; }
[ -f "$repository/$script" ] || { echo "no script" >&2; exit 1; }
set -a
# shellcheck disable=SC1090
. "$env_file"
set +a
[ "$(redis-cli -h "$REDIS_HOST" -p "$REDIS_PORT" ping)" = PONG ] || { echo "no Redis" >&2; exit 1; }
[ -f "$DB_PATH" ] || echo "no database yet" >&2
[ -d "$DATA_DIR" ] || { echo "no data directory" >&2; exit 1; }
export REPO_ROOT=$repository PYTHONPATH=$repository PATH=/opt/quantum/venvs/$service/bin:$PATH PYTHONUNBUFFERED=1
cd "$repository"
exec "$python" "$script" "$@"
