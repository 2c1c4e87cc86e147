"""A `qmail-remote -w` under test, with our end of its socket."""

import array
import contextlib
import os
import socket
import subprocess

import framing
from remote_home import TIMEOUT_S


class Worker:
    """One `qmail-remote -w` with our end of its socket."""

    def __init__(self, home):
        self.home, self.number = home, 0
        self.sock, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.sock.settimeout(TIMEOUT_S)
        with theirs:
            self.process = subprocess.Popen(
                [home.program, "-w"], stdin=theirs, env=home.env,
                stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def give(self, *recipients, message=b"Subject: x\n\nbody\n", host="d.example",
             with_fd=True):
        """Sends a job."""
        self.number += 1
        fields = [b"J", b"%d" % self.number, b"%d" % (1000 + self.number),
                  host.encode(), b"s@me.example", *(r.encode() for r in recipients)]
        path = self.home.path / f"message{self.number}"
        path.write_bytes(message)
        fd = os.open(path, os.O_RDONLY)
        try:
            self.sock.sendmsg(
                [b"".join(map(framing.ns, fields))],
                [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))]
                if with_fd else [])
        finally:
            os.close(fd)

    def take(self, count):
        """The results of the last job, as (letter, text)."""
        results = {}
        for _ in range(count):
            packet = self.sock.recv(1 << 18)
            assert packet, self.process.stderr.read().decode()
            kind, number, index, letter, text = framing.split(packet)
            assert (kind, int(number)) == (b"R", self.number)
            results[int(index)] = (letter.decode(), text.decode("latin-1"))
        return [results[i] for i in range(count)]

    def deliver(self, *recipients, **more):
        recipients = recipients or ("r@d.example",)
        self.give(*recipients, **more)
        return self.take(len(recipients))

    def end(self):
        """Closes the socket; status, stdout and stderr."""
        self.sock.close()
        out, err = self.process.communicate(timeout=TIMEOUT_S)
        return self.process.returncode, out, err

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(OSError):
            self.sock.close()
        self.process.kill()
        self.process.communicate()
