#!/usr/bin/env python3
"""Makes a directory tree of a host with many services, and the contract that they keep.

    many.py DIRECTORY NUMBER

DIRECTORY/root becomes the host's disk: NUMBER unit files and links that enable them, NUMBER env files, one
venv and one script that they share, accounts and a systemd whose version can be read. DIRECTORY/golden.toml
becomes the contract. DIRECTORY/files becomes the list of the files that an audit must read at the least.
"""

import os
import pathlib
import sys

UNIT = """[Unit]
Description=Fleet - Worker {number}
Documentation=https://example.org/workers
After=network-online.target
Wants=network-online.target
StartLimitIntervalSec=300
StartLimitBurst=5

[Service]
Type=simple
User=fleet
Group=fleet
WorkingDirectory=/srv/fleet
EnvironmentFile=/etc/fleet/worker-{number}.env
ExecStart=/opt/fleet/venv/bin/python /srv/fleet/worker.py --number {number}
Restart=always
RestartSec=10
StandardOutput=journal
StandardError=journal
SyslogIdentifier=worker-{number}
NoNewPrivileges=yes
PrivateTmp=yes
ProtectSystem=full
MemoryMax=256M
CPUQuota=50%

[Install]
WantedBy=multi-user.target
"""

ENV = """# What worker {number} needs to know.
SERVICE_NAME=worker-{number}
DATA_DIR=/var/lib/fleet
LOG_LEVEL=INFO
PYTHONUNBUFFERED=1
REDIS_HOST=127.0.0.1
REDIS_PORT=6379
QUEUE="tasks-{number}"
BATCH=64
"""

CONTRACT = """schema = 1

[contract]
name = "fleet"
version = "1.0.0"
effective = 2026-01-10
authority = "The platform team"

[layout.env]
path = "/etc/fleet"
owner = "root"
mode = "0755"

[identity]
user = "fleet"
group = "fleet"

[venvs]
shared = "/opt/fleet/venv"

[env]
owner = "root"
group = "fleet"
mode = "0640"

[env.variables]
SERVICE_NAME = "{service}"
DATA_DIR = "/var/lib/fleet"
LOG_LEVEL = { one_of = ["DEBUG", "INFO", "WARNING", "ERROR"] }
PYTHONUNBUFFERED = "1"
REDIS_PORT = "6379"
BATCH = { min = 1, max = 1024 }

[unit]
name = "{service}.service"

[unit.Service]
User = "fleet"
Group = "fleet"
WorkingDirectory = "/srv/fleet"
EnvironmentFile = "{layout.env}/{service}.env"
StandardOutput = "journal"
SyslogIdentifier = "{service}"
NoNewPrivileges = true
PrivateTmp = true
MemoryMax = { present = true }

[kinds.python.unit.Service]
Type = "simple"
Restart = "always"
RestartSec = "10"

[kinds.python.unit.Install]
WantedBy = { contains = ["multi-user.target"] }
"""

SERVICE = """
[services.worker-{number}]
title = "Worker {number}"
kind = "python"
venv = "shared"
"""

INTERPRETER = os.path.realpath(sys.executable)
FLEET = 990  # user and group id


def write(path, text, mode=0o644, group=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    if os.geteuid() == 0:
        os.chown(path, 0, group)


def link(path, target):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(target)


def host(root):
    """What a disk needs beside the services."""
    write(root / "etc/passwd", f"root:x:0:0:root:/root:/bin/bash\nfleet:x:{FLEET}:{FLEET}::/srv/fleet:/usr/sbin/nologin\n")
    write(root / "etc/group", f"root:x:0:\nfleet:x:{FLEET}:\n")
    write(root / "etc/hostname", "many\n")
    write(root / "etc/os-release", 'ID=debian\nVERSION_ID="12"\n')
    write(root / "usr/lib/systemd/libsystemd-shared-252.so", "")
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    program = root / "usr/bin" / f"python{version}"
    program.parent.mkdir(parents=True)
    with open(INTERPRETER, "rb") as real:
        program.write_bytes(real.read(65536))
    program.chmod(0o755)
    loader = root / "lib64/ld-linux-x86-64.so.2"
    write(loader, "", 0o755)
    loader.write_bytes(program.read_bytes()[:4096])
    (root / f"usr/lib/python{version}").mkdir(parents=True)
    write(root / "opt/fleet/venv/pyvenv.cfg", f"home = /usr/bin\ninclude-system-site-packages = false\nversion = {version}.0\n")
    link(root / "opt/fleet/venv/bin/python", f"/usr/bin/python{version}")
    (root / f"opt/fleet/venv/lib/python{version}/site-packages").mkdir(parents=True)
    write(root / "srv/fleet/worker.py", "print('working')\n")
    (root / "var/lib/fleet").mkdir(parents=True)


def main(directory, number):
    top = pathlib.Path(directory)
    root = top / "root"
    host(root)
    units, envs = root / "etc/systemd/system", root / "etc/fleet"
    wants = units / "multi-user.target.wants"
    wants.mkdir(parents=True)
    envs.mkdir(parents=True)
    names = [f"{at:05}" for at in range(number)]
    for name in names:
        write(units / f"worker-{name}.service", UNIT.format(number=name))
        write(envs / f"worker-{name}.env", ENV.format(number=name), 0o640, FLEET)
        link(wants / f"worker-{name}.service", f"/etc/systemd/system/worker-{name}.service")
    (top / "golden.toml").write_text(CONTRACT + "".join(SERVICE.format(number=name) for name in names))
    read = [path for name in names for path in (units / f"worker-{name}.service", envs / f"worker-{name}.env")]
    (top / "files").write_text("".join(f"{path}\n" for path in read))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(sys.argv[1], int(sys.argv[2]))
