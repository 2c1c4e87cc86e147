"""Every system call of the programs that users hand mail in with in turn fails, or is their last.

Exit 0 means that the message is in the queue, whole; anything else is temporary, whatever failed.
"""
import os
import socket
import subprocess
import threading

import pytest

from crashlib import BIN, FAULTS, sweep_calls
from test_faults_accept import RECIPIENTS, SENDER, Accepting, home  # noqa: F401

ENVELOPE = b"F" + SENDER + b"\0" + b"".join(b"T" + r + b"\0" for r in RECIPIENTS) + b"\0"
ARGUMENTS = ["-f", SENDER.decode(), *(r.decode() for r in RECIPIENTS)]
COMMANDS = {"qmail-inject": ["qmail-inject", *ARGUMENTS], "sendmail": ["sendmail", *ARGUMENTS],
            "forward": ["forward", *(r.decode() for r in RECIPIENTS)],
            "rmail": ["rmail", *(r.decode() for r in RECIPIENTS)]}


def run(home, argv, files, fault, **more):
    """The exit code of a program with these bytes on descriptors 0, 1, ..."""
    env = home.env(fault)
    env.update(more)
    opened = []
    for number, content in enumerate(files):
        path = os.path.join(home.path, "fd%d" % number)
        with open(path, "wb") as f:
            f.write(content)
        opened.append(open(path, "rb"))
    with open(home.log, "ab") as log:
        done = subprocess.run([os.path.join(BIN, argv[0]), *argv[1:]], env=env, timeout=60,
                              stdin=opened[0], stdout=opened[1] if opened[1:] else log, stderr=log)
    for f in opened:
        f.close()
    return done.returncode


def hand_in(home, program, fault):
    token, body = home.offer()
    head, _, text = body.partition(b"\n\n")
    more = {}
    if program == "forward":
        more = {"NEWSENDER": SENDER.decode(), "DTLINE": "Delivered-To: joe@in.example\n"}
    if program == "rmail":
        body = b"From s Mon Nov 30 19:00:00 2026 remote from x.example\n" + body
    home.offered[token] = text  # header fields are rewritten
    code = run(home, COMMANDS[program], [body], fault, **more)
    if code == 0:
        home.accepted.add(token)
    return [] if code in (0, 111) or code < 0 else ["exit %d" % code]


@pytest.mark.parametrize("name", sorted(FAULTS))
@pytest.mark.parametrize("program", sorted(COMMANDS))
def test_each_call(tmp_path, home, program, name):  # noqa: F811
    sweep_calls(tmp_path, program, name, lambda fault: hand_in(home, program, fault), 2)
    home.check()


@pytest.mark.parametrize("name", sorted(FAULTS))
@pytest.mark.parametrize("program", ["qmail-inject", "qmail-queue"])
def test_each_call_with_a_program_as_the_queue(tmp_path, home, program, name):  # noqa: F811
    def one(fault):
        token, body = home.offer()
        home.offered[token] = body.partition(b"\n\n")[2]
        code = run(home, COMMANDS["qmail-inject"], [body], fault,
                   QMAILQUEUE=os.path.join(BIN, "qmail-queue"))
        if code == 0:
            home.accepted.add(token)
        return [] if code in (0, 111) or code < 0 else ["exit %d" % code]

    sweep_calls(tmp_path, program, name, one, 2)
    home.check()


def queue(home, program, fault):
    token, body = home.offer()
    code = run(home, [program], [body, ENVELOPE], fault)
    if code == 0:
        home.accepted.add(token)
    return ["refused for good: exit %d" % code] if 11 <= code <= 40 else []


@pytest.mark.parametrize("name", sorted(FAULTS))
def test_each_call_of_qmail_queue(tmp_path, home, name):  # noqa: F811
    sweep_calls(tmp_path, "qmail-queue", name, lambda fault: queue(home, "qmail-queue", fault))
    home.check()


class Servers:
    """A qmail-qmqpd that nothing happens to for each connection."""

    def __init__(self, home):
        self.home = home
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        with open(self.home.log, "ab") as log:
            while True:
                try:
                    client, _ = self.listener.accept()
                except OSError:
                    return
                with client:
                    subprocess.run([os.path.join(BIN, "qmail-qmqpd")], env=self.home.env(),
                                   stdin=client, stdout=client, stderr=log, timeout=60)

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.thread.join(60)
        self.listener.close()


@pytest.mark.parametrize("name", sorted(FAULTS))
def test_each_call_of_qmail_qmqpc(tmp_path, home, name):  # noqa: F811
    servers = Servers(home)
    try:
        home.write("control/qmqpservers",
                   "127.0.0.1:%d\n" % servers.listener.getsockname()[1])
        sweep_calls(tmp_path, "qmail-qmqpc", name, lambda fault: queue(home, "qmail-qmqpc", fault))
    finally:
        servers.close()
    home.check()
