"""The whole file system in one line a path, and back again.

    digest.py digest          prints owner, mode, content, link target and extended attributes of every path
    digest.py save            keeps the trees that scenarios change, with their contents
    digest.py restore         brings these trees back, changing nothing that is as it was

Left out is what the kernel, systemd and running services write, and golden's own state. Contents are read again only
where the inode says that it changed.
"""
import hashlib, os, pickle, shutil, stat, sys

OUT = ("/proc", "/sys", "/dev", "/tmp", "/var/tmp", "/var/log", "/var/lib/golden", "/var/lib/redis", "/run")
# Of /run these alone are anybody's decision.
IN = ("/run/systemd/system",)
TREES = ("/etc", "/srv", "/opt", "/usr/local", "/usr/lib/systemd", "/home", "/root", "/mnt", "/var/lib", "/var/cache", "/run/systemd/system")
# Written by running services, and what useradd(8) and its kin keep of the last change.
BUSY = ("/etc/passwd-", "/etc/group-", "/etc/shadow-", "/etc/gshadow-", "/etc/subuid-", "/etc/subgid-", "/etc/.updated", "/var/.updated", "/var/lib/systemd/", "/etc/.pwd.lock", "/var/lib/dbus/", "/var/cache/ldconfig/")
CACHE, SAVED = "/tmp/harm-cache", "/tmp/harm-saved"


def walk(tops):
    """Every path below these, with what lstat(2) says."""
    todo = list(tops)
    while todo:
        path = todo.pop()
        try:
            status = os.lstat(path)
        except FileNotFoundError:
            continue
        yield path, status
        if stat.S_ISDIR(status.st_mode):
            for name in os.listdir(path):
                below = path.rstrip("/") + "/" + name
                if below not in OUT and not below.startswith(BUSY):
                    todo.append(below)


def attributes(path):
    try:
        names = os.listxattr(path, follow_symlinks=False)
    except OSError:
        return {}
    return {name: os.getxattr(path, name, follow_symlinks=False) for name in names}


def content(path, status):
    if stat.S_ISLNK(status.st_mode):
        return os.readlink(path).encode("utf-8", "surrogateescape")
    if stat.S_ISREG(status.st_mode):
        with open(path, "rb") as file:
            return file.read()
    return b""


def meant(path, text):
    """The order of a group's members means nothing, and gpasswd(1) adds one at the end."""
    if path not in ("/etc/group", "/etc/gshadow"):
        return text
    fields = [line.split(b":") for line in text.split(b"\n")]
    return b"\n".join(b":".join(line[:-1] + [b",".join(sorted(line[-1].split(b",")))]) for line in fields)


def digest():
    try:
        with open(CACHE, "rb") as file:
            known = pickle.load(file)
    except OSError:
        known = {}
    seen, lines = {}, []
    for path, status in walk(("/",) + IN):
        mark = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        entry = known.get(path)
        if entry is None or entry[0] != mark:
            text = content(path, status)
            held = sorted((name, value.hex()) for name, value in attributes(path).items())
            what = "-> " + text.decode("utf-8", "backslashreplace") if stat.S_ISLNK(status.st_mode) else hashlib.sha256(meant(path, text)).hexdigest()
            entry = (mark, f"{path}\t{status.st_mode:o} {status.st_uid}:{status.st_gid} {what} {held or ''}")
        seen[path] = entry
        lines.append(entry[1])
    with open(CACHE, "wb") as file:
        pickle.dump(seen, file)
    sys.stdout.buffer.write("\n".join(sorted(lines)).encode("utf-8", "backslashreplace") + b"\n")


def mark(status):
    return (status.st_ino, status.st_mode, status.st_uid, status.st_gid, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def save():
    kept = {path: (status, content(path, status), attributes(path)) for path, status in walk(TREES)}
    with open(SAVED, "wb") as file:
        pickle.dump(kept, file)


def gone(path):
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    elif os.path.lexists(path):
        os.unlink(path)


def restore():
    with open(SAVED, "rb") as file:
        kept = pickle.load(file)
    for path in [path for path, _ in walk(TREES) if path not in kept]:
        gone(path)
    # What is above comes first.
    for path in sorted(kept):
        status, text, held = kept[path]
        try:
            now = os.lstat(path)
        except FileNotFoundError:
            now = None
        if now is not None and mark(now) == mark(status):
            continue
        if stat.S_ISDIR(status.st_mode):
            if now is None or not stat.S_ISDIR(now.st_mode):
                gone(path)
                os.mkdir(path)
        elif stat.S_ISLNK(status.st_mode):
            gone(path)
            os.symlink(text, path)
            os.chown(path, status.st_uid, status.st_gid, follow_symlinks=False)
            continue
        elif stat.S_ISREG(status.st_mode):
            gone(path)
            with open(path, "wb") as file:
                file.write(text)
            os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
        else:
            continue
        for name in attributes(path):
            os.removexattr(path, name)
        os.chown(path, status.st_uid, status.st_gid)
        os.chmod(path, stat.S_IMODE(status.st_mode))
        for name, value in held.items():
            os.setxattr(path, name, value)
    # The next time only what changes after this is written again.
    for path, (status, text, held) in kept.items():
        kept[path] = (os.lstat(path), text, held)
    with open(SAVED, "wb") as file:
        pickle.dump(kept, file)


{"digest": digest, "save": save, "restore": restore}[sys.argv[1]]()
