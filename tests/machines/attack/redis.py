"""Answers on the port of Redis as somebody else would: redis.py KIND, for a minute."""
import os
import socket
import sys
import threading
import time

kind = sys.argv[1]
FORGED = "\x1b[2J\x1b[1;1H\r\nFORGED COMPLIANT\r\u009b31m\u202e"


def bulk(text):
    return b"$%d\r\n%s\r\n" % (len(text.encode()), text.encode())


def serve(connection):
    try:
        while connection.recv(65536):
            if kind == "slow":
                for byte in b"$600\r\n" + b"x" * 600 + b"\r\n":
                    connection.sendall(bytes([byte]))
                    time.sleep(1)
            elif kind == "endless":
                connection.sendall(b"$536870912\r\n")
                while True:
                    connection.sendall(b"x" * (1 << 20))
            elif kind == "deep":
                connection.sendall(b"*1\r\n" * 2_000_000)
            elif kind == "many":
                connection.sendall(b"*100000000\r\n" + b":1\r\n" * 20_000_000)
            elif kind == "silent":
                time.sleep(60)
            elif kind == "error":
                connection.sendall(("-ERR " + FORGED.replace("\r\n", " ") + "\r\n").encode())
            else:
                connection.sendall(bulk(FORGED))
    except OSError:
        pass


listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind(("127.0.0.1", 6379))
listener.listen(64)
end = time.monotonic() + 60
threading.Timer(60, lambda: os._exit(0)).start()
while time.monotonic() < end:
    connection, _ = listener.accept()
    threading.Thread(target=serve, args=(connection,), daemon=True).start()
