#!/usr/bin/env python3
"""The auditor that people write: the example's four services, checked with the standard library, `systemctl
show`, `redis-cli` and `git`. It is the yardstick of the benchmark, and honest: each thing is looked at once,
and the checks are the ones of the contract that fit in such a script.

    auditor.py [--no-systemctl]
"""

import grp
import os
import pathlib
import pwd
import re
import shlex
import sqlite3
import stat
import subprocess
import sys

SERVICES = ["backend", "ai-engine", "execution", "rl-agent"]
REPOSITORY = "/home/qt/quantum_trader"
REMOTE = "https://github.com/binyaminsemerci-ops/quantum_trader.git"
DATABASE = "/opt/quantum/data/quantum_trader.db"
PLACES = {
    REPOSITORY: ("qt", "qt", None),
    "/opt/quantum/data": ("qt", "qt", 0o755),
    "/opt/quantum/data/backups": (None, None, None),
    "/opt/quantum/data/redis_dumps": (None, None, None),
    "/opt/quantum/data/training_data": (None, None, None),
    "/opt/quantum/data/model_checkpoints": (None, None, None),
    "/opt/quantum/ai_engine/models": ("root", None, 0o755),
    "/opt/quantum/venvs": (None, None, None),
    "/etc/quantum": ("root", None, 0o755),
    "/opt/quantum/secrets": ("root", None, 0o750),
}
REQUIRED = {
    "REPO_ROOT": REPOSITORY, "DATA_DIR": "/opt/quantum/data", "MODEL_DIR": "/opt/quantum/ai_engine/models",
    "PYTHONUNBUFFERED": "1", "REDIS_PORT": "6379", "DB_PATH": DATABASE, "AUTO_ACTIVATION": "disabled",
    "SHADOW_MODE": "enabled", "LOG_LEVEL": None, "REDIS_HOST": None, "REDIS_DB": None, "SERVICE_NAME": None,
}
SETTINGS = {
    "User": "qt", "Group": "qt", "WorkingDirectory": REPOSITORY, "Type": "simple", "Restart": "always",
    "RestartUSec": "10s", "StandardOutput": "journal", "StandardError": "journal", "LoadState": "loaded",
    "ActiveState": "active", "UnitFileState": "enabled", "NeedDaemonReload": "no", "NoNewPrivileges": "yes",
    "PrivateTmp": "yes",
}
SHOWN = [*SETTINGS, "After", "BindsTo", "EnvironmentFiles", "ExecStart", "SyslogIdentifier", "Environment",
         "Description", "MainPID", "FragmentPath", "DropInPaths", "MemoryMax", "ProtectSystem", "ProtectHome",
         "ReadWritePaths", "CPUQuotaPerSecUSec"]
FORBIDDEN_GROUPS = {"root", "sudo", "wheel", "admin", "docker", "lxd", "libvirt", "disk", "shadow"}

failures = []


def check(good, text):
    if not good:
        failures.append(text)


def output(*command):
    done = subprocess.run(command, capture_output=True, text=True, timeout=10)
    return done.stdout


def check_place(path, owner, group, mode):
    try:
        status = os.stat(path)
    except OSError as error:
        return check(False, f"{path}: {error.strerror}")
    check(owner is None or pwd.getpwuid(status.st_uid).pw_name == owner, f"{path}: owner is not {owner}")
    check(group is None or grp.getgrgid(status.st_gid).gr_name == group, f"{path}: group is not {group}")
    check(mode is None or not stat.S_IMODE(status.st_mode) & ~mode, f"{path}: mode is wider than {mode}")


def read_env(path):
    variables = {}
    for line in pathlib.Path(path).read_text().splitlines():
        line = line.strip()
        if not line or line.startswith(("#", ";")):
            continue
        match = re.match(r"([A-Za-z_][A-Za-z0-9_]*)=(.*)", line)
        check(match, f"{path}: {line!r} is no assignment")
        if match:
            check(match[1] not in variables, f"{path}: {match[1]} is there twice")
            variables[match[1]] = "".join(shlex.split(match[2], comments=False)[:1])
    return variables


def check_env(service):
    path = f"/etc/quantum/{service}.env"
    check_place(path, "root", "qt", 0o644)
    variables = read_env(path)
    for name, value in REQUIRED.items():
        check(name in variables, f"{path}: {name} is missing")
        check(value is None or variables.get(name) == value, f"{path}: {name} is not {value}")
    check(variables.get("SERVICE_NAME") == service, f"{path}: SERVICE_NAME is not {service}")
    for name, value in variables.items():
        check(not (re.search("SECRET|TOKEN|PASSWORD|API_KEY", name) and value), f"{path}: {name} is a secret")


def check_unit_file(service):
    path = pathlib.Path(f"/etc/systemd/system/quantum-{service}.service")
    text = path.read_text()
    for drop_in in sorted(pathlib.Path(f"{path}.d").glob("*.conf")):
        text += drop_in.read_text()
    check("docker" not in text, f"{path}: docker")
    check("User=qt" in text, f"{path}: no User=qt")
    check(f"EnvironmentFile=/etc/quantum/{service}.env" in text, f"{path}: no EnvironmentFile=")
    check("WantedBy=multi-user.target" in text, f"{path}: no WantedBy=")


def check_unit(service):
    unit = f"quantum-{service}.service"
    text = output("systemctl", "show", "--property", ",".join(SHOWN), unit)
    shown = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    for key, value in SETTINGS.items():
        check(shown.get(key) == value, f"{unit}: {key} is {shown.get(key)}, not {value}")
    check("redis-server.service" in shown.get("After", ""), f"{unit}: not after Redis")
    check("redis-server.service" in shown.get("BindsTo", ""), f"{unit}: not bound to Redis")
    check(f"/opt/quantum/venvs/{service}/bin/python" in shown.get("ExecStart", ""), f"{unit}: not of its venv")
    check(shown.get("SyslogIdentifier") == unit.removesuffix(".service"), f"{unit}: SyslogIdentifier")
    process = pathlib.Path("/proc") / shown.get("MainPID", "0")
    check(process.exists() and process.stat().st_uid == pwd.getpwnam("qt").pw_uid, f"{unit}: not run by qt")


def check_venv(service):
    venv = pathlib.Path(f"/opt/quantum/venvs/{service}")
    check(os.access(venv / "bin/python", os.X_OK), f"{venv}: no python")
    config = (venv / "pyvenv.cfg").read_text()
    check("include-system-site-packages = false" in config, f"{venv}: sees system packages")
    for script in (venv / "bin").iterdir():
        if script.is_file() and not script.is_symlink():
            with open(script, "rb") as file:
                first = file.readline()
            check(not first.startswith(b"#!") or str(venv).encode() in first or b"/bin/sh" in first, f"{script}: other venv")


def check_account():
    names = {group.gr_name for group in grp.getgrall() if "qt" in group.gr_mem}
    check(not names & FORBIDDEN_GROUPS, f"qt is in {names & FORBIDDEN_GROUPS}")


def check_redis():
    check(output("redis-cli", "-h", "127.0.0.1", "PING").strip() == "PONG", "Redis does not answer")
    text = pathlib.Path("/etc/redis/redis.conf").read_text()
    check(re.search(r"^appendonly yes", text, re.M), "Redis is not append-only")
    check(not re.search(r"^bind .*0\.0\.0\.0", text, re.M), "Redis is exposed")


def check_database():
    check_place(DATABASE, "qt", None, None)
    connection = sqlite3.connect(f"file:{DATABASE}?mode=ro", uri=True)
    check(connection.execute("PRAGMA quick_check(1)").fetchone() == ("ok",), "the database is broken")
    connection.close()


def check_repository():
    remote = output("git", "-c", "safe.directory=*", "-C", REPOSITORY, "remote", "get-url", "origin")
    check(remote.strip() == REMOTE, f"{REPOSITORY}: remote is {remote.strip()}")
    check(os.access(f"{REPOSITORY}/ops/run.sh", os.X_OK), "no wrapper")
    makefile = pathlib.Path(REPOSITORY, "Makefile").read_text()
    check(not re.search(r"^\t@?python", makefile, re.M), "the Makefile runs python without the wrapper")
    for directory, directories, files in os.walk(REPOSITORY):
        directories[:] = [name for name in directories if name not in {".git", "node_modules", "venv", ".venv"}]
        for name in files:
            check(not name.endswith((".env", ".log")), f"{directory}/{name} does not belong here")


def main():
    for path, demanded in PLACES.items():
        check_place(path, *demanded)
    check_account()
    for service in SERVICES:
        check_env(service)
        check_unit_file(service)
        check_venv(service)
        if "--no-systemctl" not in sys.argv:
            check_unit(service)
    check_redis()
    check_database()
    check_repository()
    for text in failures:
        print("FAIL", text)
    print(f"{len(failures)} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
