"""Every system call of the servers that take mail from the network in turn fails, or is their last.

What was answered with 250 or K is in the queue, whole; what was not is there whole or not at all. Of
trouble of its own a server makes a temporary refusal or the end of the connection, never a permanent
refusal. The queue under it goes on.
"""
import os
import socket
import subprocess

import pytest

from crashlib import (BIN, FAULTS, Home, body_of, netstring, read_queue, stop, submit, sweep_calls)

SENDER, RECIPIENTS = b"s@x.example", [b"one@in.example", b"two@in.example"]


class Accepting(Home):
    """A home with a qmail-queued that nothing happens to."""

    def __init__(self, path):
        super().__init__(path)
        for name, text in {"rcpthosts": "in.example\n", "badmailfrom": "bad@x.example\n",
                           "databytes": "10000000\n", "timeoutsmtpd": "100\n",
                           "smtpgreeting": "in.example\n",
                           "badhelo": "bad.example\n"}.items():
            self.write("control/" + name, text)
        self.process = self.start(["qmail-queued", "-k", "1024"])
        self.offered, self.accepted = {}, set()
        self.connect("submit.sock", socket.SOCK_STREAM, self.process).close()

    def offer(self):
        """A message that no other is like, under its token."""
        token = b"%d" % len(self.offered)
        self.offered[token] = body_of(token, 5000).replace(b"\r", b"")
        return token, self.offered[token]

    def check(self):
        """Every message is whole, and those that were acknowledged are there."""
        token, body = self.offer()
        assert submit(self, self.process, SENDER, RECIPIENTS, body) is not None
        self.accepted.add(token)
        assert stop(self.process) == 0, self.log_text()
        there = set()
        for sender, recipients, body, _, _ in read_queue(self).values():
            assert (sender, recipients) == (SENDER, RECIPIENTS)
            token = body[body.index(b"Subject: ") + 9:].split(b"\n", 1)[0]
            assert body.endswith(self.offered[token]), "message %s was altered" % token
            there.add(token)
        assert self.accepted <= there, "accepted messages are lost: %s" % (self.accepted - there)


@pytest.fixture
def home(tmp_path):
    one = Accepting(tmp_path / "home")
    try:
        yield one
    finally:
        stop(one.process)


class Conversation:
    """One server with a socket pair as its network."""

    def __init__(self, home, program, fault, more):
        self.sock, theirs = socket.socketpair()
        self.sock.settimeout(60)
        env = home.env(fault)
        env.update(TCPREMOTEIP="192.0.2.1", TCPREMOTEHOST="client.example", PROTO="TCP", **more)
        with theirs, open(home.log, "ab") as log:
            self.process = subprocess.Popen([os.path.join(BIN, program)], env=env, stdin=theirs,
                                            stdout=theirs, stderr=log)
        self.buffer = b""

    def send(self, data):
        try:
            self.sock.sendall(data)
        except OSError:
            pass  # what it has said may still be read

    def take(self, size_of):
        """What it says next; size_of tells how long that is, or None. None at the end."""
        while size_of(self.buffer) is None:
            try:
                more = self.sock.recv(65536)
            except ConnectionError:
                more = b""
            if not more:
                return None
            self.buffer += more
        size = size_of(self.buffer)
        said, self.buffer = self.buffer[:size], self.buffer[size:]
        return said

    def close(self):
        self.sock.close()
        self.process.wait(60)


def reply_size(data):
    """The length of the SMTP reply that data begins with."""
    at = 0
    while True:
        end = data.find(b"\n", at)
        if end == -1:
            return None
        if data[at + 3:at + 4] != b"-":
            return end + 1
        at = end + 1


def netstring_size(data):
    head, colon, rest = data.partition(b":")
    size = len(head) + 1 + int(head) + 1 if colon else None
    return size if size is not None and len(data) >= size else None


def smtp(home, fault, **more):
    """A session of two messages, the second on the connection of the first."""
    one = Conversation(home, "qmail-smtpd", fault, more)
    wrong = []

    def ask(command, want):
        if command is not None:
            one.send(command)
        reply = one.take(reply_size)
        if reply is not None and reply[:1] not in (want, b"4"):
            wrong.append("%r to %r" % (reply, command and command[:40]))
        return reply is not None and reply[:1] == want

    if ask(None, b"2") and ask(b"EHLO client.example\r\n", b"2"):
        for _ in range(2):
            token, body = home.offer()
            if not ask(b"MAIL FROM:<" + SENDER + b">\r\n", b"2"):
                continue
            taken = [ask(b"RCPT TO:<" + r + b">\r\n", b"2") for r in RECIPIENTS]
            if not all(taken) or not ask(b"DATA\r\n", b"3"):
                ask(b"RSET\r\n", b"2")
                continue
            lines = body.replace(b"\n.", b"\n..").replace(b"\n", b"\r\n")
            if ask(lines + b".\r\n", b"2"):
                home.accepted.add(token)
        ask(b"QUIT\r\n", b"2")
    one.close()
    return wrong


def framed(home, program, message_of, answers, fault, more):
    one = Conversation(home, program, fault, more)
    token, body = home.offer()
    one.send(message_of(body))
    said = [one.take(netstring_size) for _ in range(answers)]
    one.close()
    letters = [s[s.index(b":") + 1:][:1] for s in said if s is not None]
    if letters == [b"K"] * answers:
        home.accepted.add(token)
    elif b"K" in letters:
        return ["two answers about one message: %r" % said]
    return ["refused for good: %r" % said] if set(letters) - {b"K", b"Z"} else []


def qmtp(home, fault, **more):
    return framed(home, "qmail-qmtpd", lambda body: netstring(b"\n" + body) + netstring(SENDER) +
                  netstring(b"".join(map(netstring, RECIPIENTS))), len(RECIPIENTS), fault, more)


def qmqp(home, fault, **more):
    return framed(home, "qmail-qmqpd", lambda body: netstring(
        netstring(body) + netstring(SENDER) + b"".join(map(netstring, RECIPIENTS))), 1, fault, more)


SESSIONS = {"qmail-smtpd": smtp, "qmail-qmtpd": qmtp, "qmail-qmqpd": qmqp}


@pytest.mark.parametrize("name", sorted(FAULTS))
@pytest.mark.parametrize("program", sorted(SESSIONS))
def test_each_call(tmp_path, home, program, name):
    sweep_calls(tmp_path, program, name, lambda fault: SESSIONS[program](home, fault), 1)
    home.check()


@pytest.mark.parametrize("name", sorted(FAULTS))
@pytest.mark.parametrize("program", ["qmail-smtpd", "qmail-queue"])
def test_each_call_with_a_program_as_the_queue(tmp_path, home, program, name):
    """QMAILQUEUE is set: the server starts a program, and either may fail."""
    queue = os.path.join(BIN, "qmail-queue")
    sweep_calls(tmp_path, program, name, lambda fault: smtp(home, fault, QMAILQUEUE=queue), 3)
    home.check()
