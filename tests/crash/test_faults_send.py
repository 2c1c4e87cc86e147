"""Every system call of qmail-send or qmail-start in turn fails, or is its last.

They own nothing durable: whatever happens to them, after a start without
faults each accepted message is delivered, or bounced, whole.
"""
import contextlib
import os
import re
import signal
import subprocess
import sys
import time

import pytest

from crashlib import (BIN, ERRNOS, FAULT, FAULTS, KILL, TOP, Home, body_of, complain, every, submit,
                      sweep_calls, sweep_points)

os.environ["CQMAIL_BIN"] = BIN
sys.path.insert(0, os.path.join(TOP, "tests/system"))
import lib  # noqa: E402



def submit_all(instance):
    """{token: body} of what was accepted."""
    home = Home.__new__(Home)
    home.path = str(instance.home)
    queued = instance.daemons["queued"].process
    host = instance.host.encode()
    accepted = {}
    for token, sender, recipients in (
            (b"single", b"s@" + host, [b"test@" + host]),
            (b"double", b"s@" + host, [b"test@" + host, b"test-box@" + host]),
            (b"nobody", b"test@" + host, [b"no-such-user-here@" + host])):
        body = body_of(token, 500)
        if submit(home, queued, sender, recipients, body) is not None:
            accepted[token] = body
    return accepted


def arrived(instance, accepted):
    """The tokens that are in the Maildir; raises if one is damaged."""
    seen = set()
    for path in instance.maildir():
        text = path.read_bytes()
        for token, body in accepted.items():
            if b"Subject: " + token + b"\n" in text:
                assert text.endswith(body), "message %r is damaged" % token
                seen.add(token)
    return seen


def wait_quiet(instance, seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end and instance.queue_ids() and instance.daemons["send"].is_running():
        time.sleep(0.005)


def end_send(instance, sig):
    for name in ("qmail-send", "send"):
        instance.kill(name, sig)
    try:
        instance.daemons["send"].process.wait(60)
    except subprocess.TimeoutExpired:
        instance.kill("send", signal.SIGKILL)
        instance.daemons["send"].process.wait(60)
    lib.wait_until(lambda: not instance.pids("qmail-send"), what="the end of qmail-send")


@contextlib.contextmanager
def watched_instance(wrong):
    """An instance; what fails in the block is in wrong, with the log of qmail-send."""
    instance = lib.Instance()
    try:
        yield instance
    except AssertionError as problem:
        wrong.append(str(problem))
    finally:
        if wrong:
            wrong.append(instance.log("send")[-600:])
        left = instance.stop()
        if left:
            wrong.append("still running: %s" % left)
        instance.remove()


def start_faulty(instance, program, kind, at, error, count_file):
    fault = {"LD_PRELOAD": FAULT, "FAULT_PROGRAM": program, "FAULT_CLASS": kind,
             "FAULT_AT": at, "FAULT_ERRNO": error, "FAULT_COUNT": count_file}
    instance.spawn("send", instance.bin / "qmail-start", "./Maildir/", env=fault)


def end_faulty(instance, error):
    end_send(instance, signal.SIGKILL if error == KILL else signal.SIGTERM)


def empty_queue(instance):
    """A qmail-send without faults does what is left to do; returns what is wrong."""
    instance.start_send()
    end = time.monotonic() + 120
    while instance.queue_ids() and time.monotonic() < end:
        instance.kill("send", signal.SIGALRM)
        wait_quiet(instance, 0.3)
    left = instance.queue_ids()
    return ["messages stay in the queue: %s" % left] if left else []


def run(kind, at, error, count_file=None, program="qmail-send"):
    wrong = []
    with watched_instance(wrong) as instance:
        instance.dotqmail("box", "./Maildir/\n")
        instance.start_queued("-k", "64")
        start_faulty(instance, program, kind, at, error, count_file)
        accepted = submit_all(instance)
        wait_quiet(instance, 1.5)
        end_faulty(instance, error)
        wrong += empty_queue(instance)
        lost = set(accepted) - arrived(instance, accepted)
        if lost:
            wrong.append("accepted messages are lost: %s" % lost)
    return wrong


NOBODY = ["test-nobody%d" % i for i in range(4)]


def told(instance):
    """Whom the postmaster has been told of."""
    texts = [path.read_text() for path in instance.maildir()]
    return {name for name in NOBODY for text in texts
            if "<%s@%s>:\n" % (name, instance.host) in text}


def run_doubles(kind, at, error, count_file=None):
    """Bounces to nobody wait for a place; the qmail-send that tells of them in one
    message has the fault."""
    wrong = []
    with watched_instance(wrong) as instance:
        instance.write_control("doublebouncerate", "1\n")
        instance.start_queued("-k", "64")
        instance.start_send()
        for name in NOBODY:
            sent = instance.queue(b"Subject: x\n\n", "", ["%s@%s" % (name, instance.host)])
            assert sent.returncode == 0, sent.stderr
        lib.wait_until(lambda: instance.log("send").count(": failure: ") == len(NOBODY) and
                       len(told(instance)) > 0, what="the failures")
        end_send(instance, signal.SIGTERM)
        before = len(instance.log("send"))
        start_faulty(instance, "qmail-send", kind, at, error, count_file)
        wait_quiet(instance, 1.5)
        if count_file:  # otherwise the sweep would be of something else
            places = re.findall(r"bounce msg \d+ qp (\d+)", instance.log("send")[before:])
            if len(places) < 2 or len(set(places)) != 1:
                wrong.append("they share no message: %s" % places)
        end_faulty(instance, error)
        instance.write_control("doublebouncerate", "0\n")
        wrong += empty_queue(instance)
        if told(instance) != set(NOBODY):
            wrong.append("nobody was told of %s" % (set(NOBODY) - told(instance)))
    return wrong


def run_start(fault):
    program, kind, at, error, count_file = fault
    return run(kind, at, error, count_file, program)


@pytest.mark.parametrize("name", sorted(FAULTS))
def test_each_call_of_qmail_start(tmp_path, name):
    """Its children end with it, and the next one delivers."""
    sweep_calls(tmp_path, "qmail-start", name, run_start, 12)


def test_each_call_moves_one_byte(tmp_path):
    sweep_calls(tmp_path, "qmail-send", "one byte", run_start, 16)


def sweep(tmp_path, kind, name, error, stride, run=run):
    count_file = str(tmp_path / "count")
    wrong = run(kind, 0, 1, count_file)
    assert not wrong, wrong
    with open(count_file) as f:
        count = max(int(line) for line in f)
    assert count > 20
    failures = []
    for at in sweep_points(count, stride):
        for line in run(kind, at, error):
            failures.append("call %d with %s: %s" % (at, name, line))
    print("%d calls counted" % count)
    complain(failures)


@pytest.mark.parametrize("name", ["ENOSPC", "EIO", "EMFILE"])
def test_each_call_fails(tmp_path, name):
    sweep(tmp_path, "io", name, ERRNOS[name], every(4))


def test_each_allocation_fails(tmp_path):
    sweep(tmp_path, "mem", "ENOMEM", ERRNOS["ENOMEM"], every(4))


def test_each_call_is_the_last(tmp_path):
    sweep(tmp_path, "io", "SIGKILL", KILL, every(4))


@pytest.mark.parametrize("name", ["EIO", "ENOMEM", "SIGKILL"])
def test_bounces_that_share_a_message(tmp_path, name):
    kind = "mem" if name == "ENOMEM" else "io"
    error = KILL if name == "SIGKILL" else ERRNOS[name]
    sweep(tmp_path, kind, name, error, every(8), run_doubles)
