"""What the tests of qmail-remote share: a home with control files only, a
way to run the program, and servers that send exactly the bytes they are told."""

import contextlib
import os
import socket
import subprocess
import threading

import lib

TIMEOUT_S = lib.TIMEOUT_S


def records(output):
    """The records of a run, as text without their NULs."""
    assert output.endswith(b"\0"), output
    return [r.decode("latin-1") for r in output[:-1].split(b"\0")]


class Home:
    def __init__(self, path, **control):
        self.path = path
        for name in ("control", "run"):
            (path / name).mkdir(parents=True, exist_ok=True)
        self.env = {"QMAILHOME": str(path), "DNSCACHEIP": "127.0.0.1:1"}
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS"):
            if name in os.environ:
                self.env[name] = os.environ[name]
        self.control("me", "me.example")
        for name, text in control.items():
            self.control(name, text)

    def control(self, name, text):
        (self.path / "control" / name).write_text(text + "\n")

    def route(self, *servers):
        """All mail to the first server's port, at 127.0.0.1."""
        self.control("smtproutes", f":127.0.0.1:{servers[0].port}")

    @property
    def program(self):
        return str(lib.bin_dir() / "qmail-remote")

    def run(self, *args, message=b"Subject: x\n\nbody\n", pipe=False,
            timeout=TIMEOUT_S):
        """Runs the one-shot program; its records. It always exits 0."""
        args = [os.fsencode(a) for a in args]
        if pipe:
            done = subprocess.run([self.program, *args], input=message,
                                  env=self.env, timeout=timeout,
                                  capture_output=True, check=False)
        else:
            path = self.path / "message"
            path.write_bytes(message)
            with open(path, "rb") as file:
                done = subprocess.run([self.program, *args], stdin=file,
                                      env=self.env, timeout=timeout,
                                      capture_output=True, check=False)
        assert (done.returncode, done.stderr) == (0, b"")
        return records(done.stdout)

    def send(self, *recipients, **more):
        return self.run("d.example", "s@me.example",
                        *(recipients or ("r@d.example",)), **more)


class RawServer:
    """A listener whose handler(connection, number) gets each connection, the
    first with number 0, and may do with it what it likes. `connections` were
    taken, `closed` are over."""

    def __init__(self, handler, host="127.0.0.1", port=0):
        self.handler, self.clients = handler, []
        self.connections = self.closed = 0
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.listener = socket.socket(family)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:  # IPV6_FREEBIND: routed here is enough
            self.listener.setsockopt(socket.IPPROTO_IPV6, 78, 1)
        self.listener.bind((host, port))
        self.listener.listen(16)
        self.port = self.listener.getsockname()[1]
        self.ended = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, address = self.listener.accept()
                self.clients.append(address[0])
                number, self.connections = self.connections, self.connections + 1
                threading.Thread(
                    target=self._serve, args=(client, number), daemon=True).start()

    def _serve(self, client, number):
        with client, contextlib.suppress(OSError):
            client.settimeout(TIMEOUT_S)
            self.handler(client, number)
        self.closed += 1

    def close(self):
        self.ended.set()
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


def script(*steps):
    """A handler for RawServer: sends each of steps (bytes), and waits for one
    line of the client between two of them; for b"BODY" first to the final
    dot. Closes after the last."""
    def handle(client, _):
        with client.makefile("rb") as stream:
            for number, step in enumerate(steps):
                if number > 0:
                    line = stream.readline()
                    while step.startswith(b"BODY") and line not in (b".\r\n", b""):
                        line = stream.readline()
                client.sendall(step.removeprefix(b"BODY"))
    return handle
