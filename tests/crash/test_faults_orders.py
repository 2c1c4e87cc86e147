"""Every system call of qmail-queued in turn fails, or is its last, while orders are written.

An order that was acknowledged stands after the next start, one that was taken back does not, and
one that was refused changes nothing for those before it.
"""
import os
import re
import socket

import pytest

from crashlib import (ERRNOS, KILL, Control, Home, body_of, complain, crc32c, every, netstring,
                      stop, submit, sweep_points)


class Administrator:
    def __init__(self, home, process):
        self.home, self.process = home, process

    def ask(self, letter, *orders):
        """A letter for each order: "K" it stands, or is taken back; "E" nothing has changed;
        "?" nobody knows, as without an answer."""
        sock = self.home.connect("control.sock", socket.SOCK_SEQPACKET, self.process)
        unknown = "?" * len(orders)
        if sock is None:
            return unknown
        try:
            sock.send(netstring(letter) + b"".join(netstring(b"1 " + o) for o in orders))
            answer = sock.recv(131072)
        except OSError:
            return unknown
        finally:
            sock.close()
        fields = re.match(rb"1:([KE]),\d+:([A-Z]*)", answer)
        if not fields or b"may stand or not" in answer:
            return unknown
        if fields[1] == b"E":
            return "E" * len(orders)
        assert len(fields[2]) == len(orders)
        return "".join("K" if letter in b"KSN" else "E" for letter in fields[2])


class Expectation:
    def __init__(self):
        self.there, self.gone, self.either = set(), set(), set()

    def note(self, answers, add, orders):
        for answer, order in zip(answers, orders):
            if answer == "K":
                self.either.discard(order)
                (self.there if add else self.gone).add(order)
                (self.gone if add else self.there).discard(order)
            elif answer == "?":
                self.there.discard(order)
                self.gone.discard(order)
                self.either.add(order)
            # refused: as it was

    def check(self, path):
        try:
            with open(os.path.join(path, "queue/orders"), "rb") as f:
                data = f.read()
        except FileNotFoundError:
            return ["the file is gone"] if self.there else []
        body, _, crc = data.rpartition(b"end ")
        if crc != b"%08x\n" % crc32c(body):
            return ["the file is torn: %r" % data]
        found = {line.split(b" ", 1)[1] for line in body.splitlines()}
        return (["order %r is lost" % o for o in self.there - found] +
                ["order %r came back" % o for o in self.gone & found] +
                ["nobody has ordered %r" % o for o in found - self.there - self.gone - self.either])


def scenario(home, process, want):
    admin = Administrator(home, process)

    def say(letter, *orders):
        want.note(admin.ask(letter, *orders), letter == b"O", orders)

    say(b"O", b"hold domain a.example", b"hold channel local")
    ident = submit(home, process, b"s@x", [b"one@a.example"], body_of(b"held"))
    other = submit(home, process, b"s@x", [b"one@b.example"], body_of(b"other"))
    if ident is not None and other is not None:
        say(b"O", b"hold message %d" % ident)
        say(b"O", b"expire %d" % other, b"remove %d" % ident)
    say(b"U", b"hold channel local")
    control = Control(home, process)
    if other is not None:
        control.request(b"R", b"%d" % other)
        control.settle()
        order = b"expire %d" % other
        want.there.discard(order)
        (want.gone if not control.dead else want.either).add(order)
    control.close()
    say(b"O", b"hold domain .c.example")
    say(b"U", b"hold domain a.example")


def run(path, fault):
    home = Home(path)
    want = Expectation()
    process = home.start(["qmail-queued", "-k", "64"], fault)
    try:
        scenario(home, process, want)
    finally:
        if fault and fault[3] == KILL and process.poll() is None:
            process.kill()
            process.wait()
        stop(process)
    again = home.start(["qmail-queued", "-k", "64"])
    try:
        if home.connect("submit.sock", socket.SOCK_STREAM, again) is None:
            return ["the next start failed: " + home.log_text()[-500:]]
        # it writes what it knows, which drops the orders about those who are gone
        answer = Administrator(home, again).ask(b"O", b"hold domain end.example")
        want.note(answer, True, [b"hold domain end.example"])
        if answer != "K":
            return ["the next start takes no orders"]
        if os.listdir(os.path.join(home.path, "queue/damaged")):
            return ["something is damaged"]
    finally:
        stop(again)
    return want.check(home.path)


@pytest.mark.parametrize("name", ["ENOSPC", "EIO", "EINTR", "SIGKILL"])
def test_each_call(tmp_path, name):
    count_file = str(tmp_path / "count")
    assert run(tmp_path / "home", ("qmail-queued", "io", 0, 1, count_file)) == []
    with open(count_file) as f:
        count = max(int(line) for line in f)
    assert count > 20
    failures = []
    for at in sweep_points(count, every(2)):
        fault = ("qmail-queued", "io", at, ERRNOS.get(name, KILL), None)
        for line in run(tmp_path / ("at-%d" % at), fault):
            failures.append("call %d with %s: %s" % (at, name, line))
    complain(failures)
