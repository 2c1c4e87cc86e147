"""A home directory and a qmail-local to deliver into it, for the test_qmail_local_* files."""

import os
import socket
import subprocess

import lib

QUEUE = """#!/bin/sh
# what a program in QMAILQUEUE sees: message on 0, envelope on 1
cat >"$STORE/message" && cat <&1 >"$STORE/envelope" || exit 53
env >"$STORE/env"
if test -f "$STORE/exit"; then exit "$(cat "$STORE/exit")"; fi
"""
MESSAGE = b"From: a@b\nSubject: x\n\nbody\n"
NAMES = ("user", "homedir", "local", "dash", "ext", "domain", "sender", "default")


class Box:
    """A home `self.home`; deliver() runs one qmail-local in it."""

    def __init__(self, path):
        self.path = path
        self.home = path / "home"
        self.home.mkdir(mode=0o700)
        self.home.chmod(0o700)
        self.store = path / "store"
        self.store.mkdir()
        program = path / "queue"
        program.write_text(QUEUE)
        program.chmod(0o755)

    def env(self, **more):
        env = {k: v for k, v in os.environ.items()
               if k not in ("DEFAULT", "QMAILHOME", "EXT", "HOST")}
        env.update(QMAILQUEUE=str(self.path / "queue"), STORE=str(self.store), QMAILHOME=str(self.path))
        env.update(more)
        return env

    def dotqmail(self, name, text, mode=0o600):
        path = self.home / (".qmail" + name)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        path.chmod(mode)
        return path

    def maildir(self, name="Maildir"):
        path = self.home / name
        for part in ("", "tmp", "new", "cur"):
            (path / part).mkdir(mode=0o700)
        return path

    def arguments(self, **given):
        values = dict(user="joe", homedir=str(self.home), local="joe", dash="", ext="",
                      domain="h", sender="s@x", default="./Mailbox")
        values.update(given)
        return [values[name] for name in NAMES]

    def deliver(self, message=MESSAGE, options=(), env=None, before=None, **given):
        """Returns exit code, fd 1 and fd 2 of a one-shot delivery."""
        path = self.path / ("message-%d-%d" % (os.getpid(), id(message)))
        path.write_bytes(message)
        with open(path, "rb") as f:
            done = subprocess.run(
                [lib.bin_dir() / "qmail-local", *options, "--", *self.arguments(**given)],
                stdin=f, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                env=env or self.env(), timeout=lib.TIMEOUT_S, preexec_fn=before)
        return done.returncode, done.stdout, done.stderr

    def read(self, name):
        return (self.home / name).read_bytes()

    def new(self, name="Maildir"):
        return sorted((self.home / name / "new").iterdir())

    def queued(self):
        """(message, envelope) that reached the queue, or None."""
        if not (self.store / "envelope").exists():
            return None
        return (self.store / "message").read_bytes(), (self.store / "envelope").read_bytes()


def netstring(value):
    value = os.fsencode(value)
    return b"%d:%s," % (len(value), value)


def take_netstrings(packet):
    found = []
    while packet:
        size, _, rest = packet.partition(b":")
        size = int(size)
        assert rest[size:size + 1] == b","
        found.append(rest[:size])
        packet = rest[size + 1:]
    return found


class Worker:
    """A `qmail-local -w`, with this test in the place of qmail-lspawn."""

    def __init__(self, box, env=None):
        self.box = box
        self.number = 0
        self.socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.settimeout(lib.TIMEOUT_S)
        self.log = open(box.path / "worker.log", "wb")
        self.process = subprocess.Popen(
            [lib.bin_dir() / "qmail-local", "-w"], stdin=theirs, stdout=self.log,
            stderr=self.log, env=env or box.env())
        theirs.close()

    def send(self, message=MESSAGE, with_fd=True, **given):
        self.number += 1
        packet = netstring("L") + netstring(str(self.number)) + b"".join(
            netstring(value) for value in self.box.arguments(**given))
        path = self.box.path / ("job-%d" % self.number)
        path.write_bytes(message)
        with open(path, "rb") as f:
            if with_fd:
                socket.send_fds(self.socket, [packet], [f.fileno()])
            else:
                self.socket.send(packet)

    def receive(self):
        """The letter and the text of the next result."""
        kind, number, index, letter, text = take_netstrings(self.socket.recv(131072))
        assert (kind, number, index) == (b"R", b"%d" % self.number, b"0")
        return letter.decode(), text

    def deliver(self, *args, **given):
        self.send(*args, **given)
        return self.receive()

    def end(self):
        self.socket.close()
        code = self.process.wait(timeout=lib.TIMEOUT_S)
        self.log.close()
        return code

    def kill(self):
        self.socket.close()
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.log.close()
