"""The clock of the day is set back and ahead by a year while mail waits.

Mail is neither lost nor delivered twice, waits no longer than it should, is not tried over and over, and
no id is given again. A message that is older by the clock than control/queuelifetime has a last attempt
before it bounces.
"""
import os
import re
import sys

import pytest

from crashlib import BIN, TOP

os.environ["CQMAIL_BIN"] = BIN
sys.path.insert(0, os.path.join(TOP, "tests/system"))
import lib  # noqa: E402

CLOCK = os.environ.get("CQMAIL_CLOCK", os.path.join(TOP, "build/dynamic/clock.so"))
YEAR = 365 * 86400


class Stepped:
    """An instance of which the clock can be set, with one message that a remote server defers."""

    def __init__(self):
        self.instance = lib.Instance()
        self.step_file = self.instance.home / "step"
        self.instance.extra_env.update(LD_PRELOAD=CLOCK, CLOCK_STEP=str(self.step_file))
        self.sink = lib.SmtpSink({"MAIL": "451 later"})
        self.instance.route_to(self.sink)
        self.count = 0
        self.step(0)
        self.instance.start()
        self.put("r@far.example", "test")
        self.instance.wait_log(r"delivery 1: deferral: ")

    def step(self, seconds):
        """In the place that the programs look at; the 8 bytes change at once."""
        fd = os.open(self.step_file, os.O_WRONLY | os.O_CREAT, 0o644)
        os.pwrite(fd, seconds.to_bytes(8, sys.byteorder, signed=True), 0)
        os.close(fd)

    def put(self, recipient, sender="s"):
        done = self.instance.queue(b"Subject: to %s\n\nx\n" % recipient.encode(),
                                   f"{sender}@{self.instance.host}", [recipient])
        assert done.returncode == 0

    def deliver(self):
        """One more local message, which wakes qmail-send, gets through."""
        self.count += 1
        self.put(f"test@{self.instance.host}")
        self.instance.wait_log(r"delivery \d+: success: did_", count=self.count)

    def attempts(self):
        return len(re.findall("to remote r@far.example", self.instance.log("send")))

    def check_ids(self):
        ids = [int(n) for n in re.findall(r"^new msg (\d+)", self.instance.log("send"), re.M)]
        assert len(ids) >= self.count and ids == sorted(set(ids)), ids

    def close(self):
        self.sink.close()
        left = self.instance.stop()
        self.instance.remove()
        assert not left, left


@pytest.fixture
def stepped():
    one = Stepped()
    yield one
    one.close()


def test_back_a_year(stepped):
    """What waited waits as long as before, not a year."""
    stepped.step(-YEAR)
    stepped.deliver()
    assert stepped.attempts() == 1
    for name in ("queued", "send"):  # the queue holds files of the future
        stepped.instance.restart(name)
        stepped.deliver()
    before = stepped.attempts()
    stepped.sink.replies["MAIL"] = "250 ok"
    stepped.step(-YEAR + 3600)
    stepped.deliver()
    assert len(stepped.sink.wait(1)) == 1
    stepped.instance.wait_empty()
    assert stepped.attempts() <= before + 1
    stepped.check_ids()


def test_back_a_year_without_a_restart(stepped):
    stepped.step(-YEAR)
    stepped.deliver()
    stepped.sink.replies["MAIL"] = "250 ok"
    stepped.step(-YEAR + 3600)  # it is due by now, a year before it would have been
    stepped.deliver()
    stepped.sink.wait(1)
    stepped.instance.wait_empty()
    assert stepped.attempts() == 2
    stepped.check_ids()


def test_a_year_ahead(stepped):
    """The last attempt comes first, and succeeds."""
    stepped.sink.replies["MAIL"] = "250 ok"
    stepped.step(YEAR)
    stepped.deliver()
    stepped.sink.wait(1)
    stepped.instance.wait_empty()
    assert stepped.attempts() == 2
    stepped.step(0)
    for name in ("queued", "send"):
        stepped.instance.restart(name)
        stepped.deliver()
    stepped.check_ids()


def test_ahead_within_the_lifetime(stepped):
    """A day ahead: one attempt that fails is no reason to bounce, nor for a storm of attempts."""
    stepped.step(86400)
    stepped.deliver()
    stepped.instance.wait_log(r"deferral: ", count=2)
    for _ in range(5):
        stepped.deliver()
    assert stepped.attempts() == 2
    assert "bounce msg" not in stepped.instance.log("send")
    stepped.step(0)  # and back: it is due as soon as before
    stepped.deliver()
    stepped.sink.replies["MAIL"] = "250 ok"
    stepped.instance.kill("send", lib.signal.SIGALRM)
    stepped.sink.wait(1)
    stepped.instance.wait_empty()
    stepped.check_ids()


def test_a_year_ahead_and_refused(stepped):
    """The bounce tells the sender: no mail is lost."""
    stepped.step(YEAR)
    stepped.deliver()
    stepped.count += 1
    path = lib.wait_until(lambda: [p for p in stepped.instance.maildir()
                                   if b"r@far.example" in p.read_bytes()], what="the bounce")[0]
    assert b"451 later" in path.read_bytes()
    stepped.instance.wait_empty()
    assert stepped.attempts() == 2
    stepped.check_ids()
