"""Runs a program with a time limit and says how it went: bounded.py SECONDS MIB OUTPUT PROGRAM WORD...

Prints `CODE SECONDS KIB`; CODE is `hung` where it was killed. Both streams go to OUTPUT.
"""
import os
import resource
import signal
import sys
import time

limit, mib, output, words = float(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4:]
began = time.monotonic()
child = os.fork()
if child == 0:
    os.setpgid(0, 0)
    into = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.dup2(os.open("/dev/null", os.O_RDONLY), 0)
    os.dup2(into, 1)
    os.dup2(into, 2)
    os.execvp(words[0], words)
code = None
while code is None:
    done, status, usage = os.wait4(child, os.WNOHANG)
    if done:
        code = str(os.waitstatus_to_exitcode(status))
    elif time.monotonic() - began > limit:
        os.killpg(child, signal.SIGKILL)
        _, _, usage = os.wait4(child, 0)
        code = "hung"
    else:
        time.sleep(0.02)
print(code, f"{time.monotonic() - began:.1f}", usage.ru_maxrss)
