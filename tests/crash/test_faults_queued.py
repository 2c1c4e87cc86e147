"""Every system call of qmail-queued, or of its qmail-cleans, in turn fails, or is its last.

After a start without faults each message that was acknowledged is there, whole,
with the states that were acknowledged; any other is whole or absent.
"""
import os

import pytest

from crashlib import (ERRNOS, FAULTS, KILL, Control, Home, body_of, complain, every, read_queue,
                      stop, submit, sweep_calls, sweep_points)


class Expectation:
    """What was handed in, what was promised, and what may be either way."""

    def __init__(self):
        self.offered = {}   # body -> (sender, recipients)
        self.accepted = {}  # id -> body
        self.done, self.failed, self.retired = set(), {}, set()
        self.maybe_retired = set()

    def offer(self, home, process, token, recipients, size):
        body = body_of(token, size)
        self.offered[body] = (b"s@" + token, recipients)
        ident = submit(home, process, b"s@" + token, recipients, body)
        if ident is not None:
            assert ident not in self.accepted, "the id %d was given twice" % ident
            self.accepted[ident] = body
        return ident

    def check(self, home):
        wrong = []
        found = read_queue(home)
        for ident, body in self.accepted.items():
            if ident in self.retired:
                if ident in found:
                    wrong.append("message %d came back after it was retired" % ident)
            elif ident not in found:
                if ident not in self.maybe_retired:
                    wrong.append("accepted message %d is lost" % ident)
            elif found[ident][2] != body:
                wrong.append("accepted message %d is another" % ident)
        for ident, (sender, recipients, body, states, failures) in found.items():
            if self.offered.get(body) != (sender, recipients):
                wrong.append("message %d was never handed in like that" % ident)
            for index in [i for j, i in self.done if j == ident]:
                if states[index:index + 1] != ["D"]:
                    wrong.append("message %d forgot a delivery" % ident)
            for (j, index), text in self.failed.items():
                if j == ident and (states[index:index + 1] != ["F"] or
                                   [t for i, t in failures if i == index] != [text]):
                    wrong.append("message %d forgot or doubled a failure" % ident)
        return wrong


def short_run(home, process, want):
    """One message of each kind and one change of each kind."""
    first = want.offer(home, process, b"small", [b"one@a.example"], 400)
    many = want.offer(home, process, b"many", [b"r%d@a.example" % i for i in range(3)], 300)
    want.offer(home, process, b"large", [b"big@a.example"], 100000)
    control = Control(home, process)
    if many is not None:
        control.request(b"D", b"%d" % many, b"0")
        control.request(b"F", b"%d" % many, b"1", b"no such user\nsaid b\n")
    if first is not None:
        want.maybe_retired.add(first)
        control.request(b"R", b"%d" % first)
    control.settle()
    if not control.dead:
        if many is not None:
            want.done.add((many, 0))
            want.failed[(many, 1)] = b"no such user\nsaid b\n"
        if first is not None:
            want.retired.add(first)
    control.close()
    want.offer(home, process, b"last", [b"one@a.example"], 400)


def long_run(home, process, want):
    """Enough to fill every segment, so that they are checkpointed and used again."""
    control = Control(home, process)
    for i in range(90):
        ident = want.offer(home, process, b"m%d" % i, [b"a@x.example", b"b@x.example"], 3500)
        if ident is None:
            break
        if i % 3 == 0:
            control.request(b"D", b"%d" % ident, b"1")
            control.settle()
            if not control.dead:
                want.done.add((ident, 1))
        if i % 3 == 1:
            want.maybe_retired.add(ident)
            control.request(b"R", b"%d" % ident)
            if i % 9 == 1:
                control.settle()
                if not control.dead:
                    want.retired.update(want.maybe_retired)
    control.close()


def run(path, scenario, fault):
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
        if home.connect("submit.sock", 1, again) is None:
            return ["the next start failed: " + home.log_text()[-500:]]
    finally:
        stop(again)
    if fault and fault[3] == -1 and len(want.accepted) < len(want.offered):
        return ["refused because a transfer was short"]
    try:
        return want.check(home)
    except (AssertionError, OSError) as error:
        return [repr(error)]


def count_calls(path, scenario, kind):
    count = os.path.join(str(path), "count")
    wrong = run(path / "home", scenario, ("qmail-queued", kind, 0, 1, count))
    assert not wrong, wrong
    with open(count) as f:
        return max(int(line) for line in f)


def sweep(tmp_path, scenario, kind, name, error, stride):
    failures = []
    count = count_calls(tmp_path, scenario, kind)
    assert count > 20
    for at in sweep_points(count, stride):
        home = tmp_path / ("at-%d" % at)
        for line in run(home, scenario, ("qmail-queued", kind, at, error, None)):
            failures.append("call %d with %s: %s" % (at, name, line))
    print("%d calls counted, %d of them hit with %s" % (
        count, len(sweep_points(count, stride)), name))
    complain(failures)


@pytest.mark.parametrize("name", ["ENOSPC", "EIO", "EMFILE", "EINTR"])
def test_each_call_fails(tmp_path, name):
    sweep(tmp_path, short_run, "io", name, ERRNOS[name], every(2))


def test_each_call_moves_one_byte(tmp_path):
    sweep_calls(tmp_path, "qmail-queued", "one byte",
                lambda fault: run(tmp_path / ("at-%d" % fault[2]), short_run, fault), 8)


@pytest.mark.parametrize("name", sorted(FAULTS))
def test_each_call_of_qmail_clean(tmp_path, name):
    """It is qmail-queued that speaks to clients: it goes on, or ends and recovers."""
    sweep_calls(tmp_path, "qmail-clean", name,
                lambda fault: run(tmp_path / ("at-%d" % fault[2]), short_run, fault), 4)


@pytest.mark.parametrize("name", ["EIO", "SIGKILL"])
def test_each_call_of_qmail_clean_while_segments_are_used_again(tmp_path, name):
    sweep_calls(tmp_path, "qmail-clean", name,
                lambda fault: run(tmp_path / ("at-%d" % fault[2]), long_run, fault), 200)


def test_each_call_is_the_last(tmp_path):
    sweep(tmp_path, short_run, "io", "SIGKILL", KILL, every(0.5))


def test_each_allocation_fails(tmp_path):
    sweep(tmp_path, short_run, "mem", "ENOMEM", ERRNOS["ENOMEM"], every(1))


def test_each_call_is_the_last_while_segments_are_used_again(tmp_path):
    sweep(tmp_path, long_run, "io", "SIGKILL", KILL, every(80))


def test_each_call_fails_while_segments_are_used_again(tmp_path):
    sweep(tmp_path, long_run, "io", "EIO", ERRNOS["EIO"], every(80))


@pytest.mark.parametrize("kind", ["mess", "env"])
def test_what_only_memory_has_after_a_failed_sync(tmp_path, monkeypatch, kind):
    """A sync that failed leaves bytes in memory that are not on the disk, and that the next
    sync has no reason to write: recovery must look at the disk."""
    home = Home(tmp_path / "home")
    want = Expectation()
    process = home.start(["qmail-queued", "-k", "64"])
    ident = want.offer(home, process, b"kept", [b"one@a.example"], 400)
    process.kill()
    process.wait()
    path = os.path.join(home.path, "queue", kind, str(ident % 32), str(ident))
    with open(path, "rb") as file:
        before = file.read()
        inode = os.fstat(file.fileno()).st_ino
    fault = ("qmail-queued", "io", 0, 0, None)
    monkeypatch.setattr(home, "env", lambda given=None, plain=home.env: {
        **plain(given), **({"FAULT_FORGET": path} if given else {})})
    again = home.start(["qmail-queued", "-k", "64"], fault)
    answered = home.connect("submit.sock", 1, again) is not None
    stop(again)
    assert answered, home.log_text()[-500:]
    with open(path, "rb") as file:
        assert file.read() == before and os.fstat(file.fileno()).st_ino != inode
    assert not want.check(home)
