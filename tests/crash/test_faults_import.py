"""qmail-qtool import, cut off or failing at every call, and the queue under it likewise.

Whatever happened, the same command run again completes it: each message is in the
queue exactly once, or was. Messages are delivered (here: retired) whenever nothing
holds them, so that one that is taken over again is noticed.
"""
import os
import socket
import sys

from crashlib import (ERRNOS, KILL, TOP, Control, Home, complain, every, read_queue, stop,
                      sweep_points)

sys.path.insert(0, os.path.join(TOP, "tests/system"))
from classic_queue import ClassicQueue  # noqa: E402

KIB = "256"


def build(path):
    """A queue, and what must come of each of its messages."""
    queue = ClassicQueue(path, split=3)
    want = {}
    for i in range(2):
        text = b"bounce %d\n" % i
        want[queue.new(b"new %d\n" % i, "s@x.example", ["r@y.example", "q@y.example"])] = (
            [b"Tr@y.example", b"Tq@y.example"], b"")
        want[queue.old(b"old %d\n" % i, "s@x.example", local=["Dd@h", "Tl@h"],
                       remote=["Tr@y.example"], bounce=text)] = (
            [b"Ll@h", b"Rr@y.example"], text + b"\n")
    want[queue.old(b"large\n" * 20000, "s@x.example", local=["Tl@h"])] = ([b"Ll@h"], b"")
    want[queue.old(b"owing\n", "s@x.example", bounce=b"<a@b>:\nno\n\n")] = (
        [], b"<a@b>:\nno\n\n")
    queue.old(b"finished\n", "s@x.example", local=["Dd@h"])
    queue.mess(b"never accepted\n")
    return queue, want


class Import:
    def __init__(self, home, path):
        self.home = home
        self.queue, self.want = build(path)
        self.key, self.delivered, self.wrong = None, {}, []

    def run(self, fault=None):
        return self.home.start(["qmail-qtool", "import", str(self.queue.path)], fault).wait(300)

    def is_held(self):
        try:
            with open(os.path.join(self.home.path, "queue/orders"), "rb") as f:
                return b"hold import " in f.read()
        except FileNotFoundError:
            return False

    def deliver(self, process):
        """What qmail-send would: retires everything unless it is held."""
        if self.is_held():
            return
        control = Control(self.home, process)
        while control.dead and process.poll() is None:
            control = Control(self.home, process)  # the one before is not gone yet
        for ident, envelope in read_envelopes(self.home).items():
            number = int(envelope[b"O"].split(b"/")[1])
            if number in self.delivered:
                self.wrong.append("message %d came twice" % number)
            self.delivered[number] = (envelope["recipients"], envelope.get(b"B", b""))
            control.request(b"R", b"%d" % ident)
        control.settle()
        control.close()

    def check(self, what):
        if self.delivered != self.want:
            self.wrong.append("it came out as %r" % self.delivered)
        return ["%s: %s" % (what, w) for w in self.wrong]


def read_envelopes(home):
    """{id: fields}; the queue is whole."""
    found = {}
    base = os.path.join(home.path, "queue/env")
    for part in os.listdir(base):
        for name in os.listdir(os.path.join(base, part)):
            with open(os.path.join(base, part, name), "rb") as f:
                fields = f.read().split(b"\0")[:-1]
            envelope = {f[:1]: f[1:] for f in fields if f[:1] not in (b"T", b"L", b"R")}
            envelope["recipients"] = [f for f in fields if f[:1] in (b"T", b"L", b"R")]
            with open(os.path.join(home.path, "queue/mess", part, name), "rb") as f:
                assert len(f.read()) == int(envelope[b"s"])
            found[int(name)] = envelope
    return found


def wait_ready(home, daemon):
    sock = home.connect("submit.sock", socket.SOCK_STREAM, daemon)
    if sock is not None:
        sock.close()


def count_calls(home, tmp_path, program, start=None):
    """How many calls a whole import makes there."""
    path = str(tmp_path / "count")
    it = Import(home, tmp_path / ("count-" + program))
    fault = (program, "io", 0, 0, path)
    daemon = home.start(["qmail-queued", "-k", KIB], fault if program == "qmail-queued" else None)
    wait_ready(home, daemon)
    assert it.run(fault if program == "qmail-qtool" else None) == 0, home.log_text()
    it.deliver(daemon)
    assert it.check("without a fault") == []
    stop(daemon)
    with open(path) as f:
        return max(map(int, f))


def test_the_tool_is_killed_or_fails_at_each_call(tmp_path):
    home = Home(tmp_path / "home")
    calls = count_calls(home, tmp_path, "qmail-qtool")
    assert calls > 100
    daemon = home.start(["qmail-queued", "-k", KIB])
    wait_ready(home, daemon)
    failures = []
    try:
        for error in (KILL, ERRNOS["EIO"], ERRNOS["ENOSPC"]):
            for at in sweep_points(calls, every(2 if error == KILL else 5)):
                it = Import(home, tmp_path / ("q%d-%d" % (error, at)))
                it.run(("qmail-qtool", "io", at, error, None))
                it.deliver(daemon)
                if it.run() != 0:
                    it.wrong.append("the second run failed: " + home.log_text()[-300:])
                it.deliver(daemon)
                failures += it.check("call %d, error %d" % (at, error))
                assert daemon.poll() is None, home.log_text()[-2000:]
    finally:
        stop(daemon)
    complain(failures)


def test_the_queue_is_killed_under_it(tmp_path):
    home = Home(tmp_path / "home")
    calls = count_calls(home, tmp_path, "qmail-queued")
    failures = []
    for at in sweep_points(calls, every(9)):
        it = Import(home, tmp_path / ("q%d" % at))
        daemon = home.start(
            ["qmail-queued", "-k", KIB], ("qmail-queued", "io", at, KILL, None))
        wait_ready(home, daemon)
        it.run()
        stop(daemon)
        daemon = home.start(["qmail-queued", "-k", KIB])
        wait_ready(home, daemon)
        it.deliver(daemon)
        if it.run() != 0:
            it.wrong.append("the second run failed: " + home.log_text()[-300:])
        it.deliver(daemon)
        stop(daemon)
        failures += it.check("call %d" % at)
    complain(failures)
