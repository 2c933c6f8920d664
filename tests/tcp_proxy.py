"""A TCP proxy on 127.0.0.1 that can be cut or slowed down at any time. Shared by tests; not a test
itself."""

import selectors
import socket
import threading
import time

CHUNK = 1 << 16


class Proxy:
    """Forwards `port` to `target` (a port). delay_s: before each piece is passed on, which also
    bounds the rate; cut(): connections end and new ones are turned away, until mend()."""

    def __init__(self, port=0, target=None):
        self.listener = socket.create_server(("127.0.0.1", port))
        self.port, self.target = self.listener.getsockname()[1], target
        self.delay_s, self.up, self.closed = 0, True, False
        self.passed = 0  # bytes, both ways
        self.pairs, self.lock = set(), threading.Lock()
        self.thread = threading.Thread(target=self.accept, daemon=True)
        self.thread.start()

    def accept(self):
        while not self.closed:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(("127.0.0.1", self.target), timeout=5)
            except OSError:
                near.close()
                continue
            far.settimeout(None)
            pair = (near, far)
            with self.lock:
                self.pairs.add(pair)
                up = self.up
            if not up:
                self.end(pair)
                continue
            threading.Thread(target=self.forward, args=(pair,), daemon=True).start()

    def forward(self, pair):
        other = {pair[0]: pair[1], pair[1]: pair[0]}
        with selectors.DefaultSelector() as selector:
            try:
                for each in pair:
                    selector.register(each, selectors.EVENT_READ)
                while True:
                    for key, _ in selector.select():
                        piece = key.fileobj.recv(CHUNK)
                        if not piece:
                            return
                        time.sleep(self.delay_s)
                        other[key.fileobj].sendall(piece)
                        self.passed += len(piece)
            except (OSError, ValueError):
                return
            finally:
                self.end(pair)

    def end(self, pair):
        with self.lock:
            self.pairs.discard(pair)
        for each in pair:
            try:
                each.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            each.close()

    def cut(self):
        with self.lock:
            self.up, pairs = False, list(self.pairs)
        for pair in pairs:
            self.end(pair)

    def mend(self):
        with self.lock:
            self.up = True

    def close(self):
        self.closed = True
        self.listener.close()
        self.cut()
