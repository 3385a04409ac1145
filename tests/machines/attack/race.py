"""Exchanges two names for ever, as fast as it can: race.py SECONDS A B (renameat2(2), RENAME_EXCHANGE)."""
import ctypes
import os
import sys
import time

libc = ctypes.CDLL(None, use_errno=True)
AT_FDCWD, EXCHANGE = -100, 2
end = time.monotonic() + float(sys.argv[1])
one, other = (os.fsencode(path) for path in sys.argv[2:4])
turns = 0
while turns % 64 or time.monotonic() < end:
    libc.renameat2(AT_FDCWD, one, AT_FDCWD, other, EXCHANGE)
    turns += 1
