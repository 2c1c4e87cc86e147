"""Every system call of the POP3 programs in turn fails, or is their last.

What a client was told is a message is the message, whole; what it has not deleted in a session that
it ended is still there; and after "+OK" to QUIT what it deleted is gone. The next session works.
"""
import os
import socket
import subprocess

import pytest

from crashlib import BIN, FAULTS, Home, body_of, sweep_calls

MESSAGES = {"new/1.a": body_of(b"one", 3000), "new/2.b": body_of(b"two", 30000),
            "cur/3.c:2,S": body_of(b"three", 50)}
ERROR = b"-ERR"


class Mailbox(Home):
    def __init__(self, path):
        super().__init__(path)
        self.maildir = os.path.join(self.path, "users/joe/Maildir")
        for sub in ("", "/tmp", "/new", "/cur"):
            os.makedirs(self.maildir + sub)
        made = subprocess.run([os.path.join(BIN, "qmail-checkpass"), "-c"], input=b"secret\n",
                              stdout=subprocess.PIPE, check=True, timeout=60)
        self.write("users/passwd", "joe:" + made.stdout.decode().strip() + ":::\n")
        os.chmod(os.path.join(self.path, "users/passwd"), 0o600)
        self.fill()

    def fill(self):
        for number, (name, text) in enumerate(sorted(MESSAGES.items())):
            path = os.path.join(self.maildir, name)
            with open(path, "wb") as f:
                f.write(text)
            os.utime(path, (1000 + number, 1000 + number))

    def empty(self):
        for sub in ("new", "cur", "tmp"):
            for name in os.listdir(os.path.join(self.maildir, sub)):
                os.unlink(os.path.join(self.maildir, sub, name))

    def texts(self):
        found = []
        for sub in ("new", "cur"):
            for name in os.listdir(os.path.join(self.maildir, sub)):
                with open(os.path.join(self.maildir, sub, name), "rb") as f:
                    found.append(f.read())
        return found


class Client:
    """One session; what it says is None once the connection is over."""

    def __init__(self, home, fault):
        self.sock, theirs = socket.socketpair()
        self.sock.settimeout(60)
        with theirs, open(home.log, "ab") as log:
            self.process = subprocess.Popen(
                [os.path.join(BIN, "qmail-popup"), "pop.example",
                 os.path.join(BIN, "qmail-checkpass"), os.path.join(BIN, "qmail-pop3d"),
                 "Maildir"], stdin=theirs, stdout=theirs, stderr=log, env=home.env(fault))
        self.stream = self.sock.makefile("rb")

    def line(self):
        try:
            line = self.stream.readline()
        except ConnectionError:
            return None
        return line if line.endswith(b"\r\n") else None

    def ask(self, command):
        try:
            self.sock.sendall(command + b"\r\n")
        except OSError:
            pass
        return self.line()

    def body(self):
        """The lines up to the final dot, or None if it does not come."""
        text = []
        while (line := self.line()) != b".\r\n":
            if line is None:
                return None
            text.append(line[1:] if line.startswith(b".") else line)
        return b"".join(text)

    def close(self):
        self.stream.close()
        self.sock.close()
        self.process.wait(60)


def sent(text):
    """A message as the protocol has it: with CR LF behind each line."""
    return text.replace(b"\n", b"\r\n")


def log_in(client):
    return all((reply or ERROR).startswith(b"+OK") for reply in [client.line()] + [
        (client.ask(b"USER joe") or ERROR)] + [(client.ask(b"PASS secret") or ERROR)])


def session(home, fault):
    """Reads all messages, deletes the first, and quits. What is wrong, and
    whether the deletion was asked for, and whether it was confirmed."""
    wrong, client = [], Client(home, fault)
    asked = confirmed = False
    first = None
    try:
        if not log_in(client):
            return wrong, None, False, False
        wanted = [sent(text) for text in MESSAGES.values()]
        for command in (b"STAT", b"NOOP"):
            client.ask(command)
        for command in (b"LIST", b"UIDL"):
            if (client.ask(command) or ERROR).startswith(b"+OK") and client.body() is None:
                return wrong, None, False, False
        for number in (b"1", b"2", b"3"):
            reply = client.ask(b"RETR " + number)
            if reply is None:
                return wrong, None, False, False
            if not reply.startswith(b"+OK"):
                continue
            text = client.body()
            if text is not None and text not in wanted:
                wrong.append("RETR %s gave %r" % (number.decode(), text[:200]))
            if number == b"1":
                first = text
        if first is not None and (client.ask(b"DELE 1") or ERROR).startswith(b"+OK"):
            asked = True
        confirmed = client.ask(b"QUIT") == b"+OK \r\n" and asked
        return wrong, first, asked, confirmed
    finally:
        client.close()


def run(home, fault):
    home.empty()
    home.fill()
    wrong, first, asked, confirmed = session(home, fault)
    there = [sent(text) for text in home.texts()]
    for text in map(sent, MESSAGES.values()):
        if there.count(text) != 1 and not (text == first and asked and text not in there):
            wrong.append("%r is there %d times" % (text[:30], there.count(text)))
    if confirmed and first in there:
        wrong.append("a deletion that was confirmed was not made")
    if fault[2] == 0:
        if not confirmed:
            wrong.append("it does not work: " + home.log_text()[-500:])
    elif session(home, None)[3] is not True:
        wrong.append("the next session fails: " + home.log_text()[-500:])
    return wrong


@pytest.mark.parametrize("name", sorted(FAULTS))
@pytest.mark.parametrize("program", ["qmail-popup", "qmail-checkpass", "qmail-pop3d"])
def test_each_call(tmp_path, program, name):
    home = Mailbox(tmp_path / "home")
    sweep_calls(tmp_path, program, name, lambda fault: run(home, fault), 3)
