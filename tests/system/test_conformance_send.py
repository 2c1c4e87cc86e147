"""qmail-send, its log and its bounces, as doc/interfaces states them."""

import os
import re
import signal
import subprocess

import pytest

import lib
from lib import wait_until
from sendlib import Sender


@pytest.fixture
def make_sender():
    made = []

    def make(start=True, **control):
        made.append(Sender())
        for name, text in control.items():
            made[-1].control(name, text)
        return made[-1].start() if start else made[-1]

    yield make
    for one in made:
        if getattr(one, "local", None):
            one.close()


@pytest.fixture
def sender(make_sender):
    return make_sender()


def lines(sender, *starts):
    return [line for line in sender.log() if line.startswith(starts)]


# ---- starting -----------------------------------------------------------------

def test_usage():
    done = subprocess.run([str(lib.bin_dir() / "qmail-send"), "x"], capture_output=True,
                          stdin=subprocess.DEVNULL, timeout=lib.TIMEOUT_S)
    assert done.returncode == 100


@pytest.mark.parametrize("missing, why", [
    ("home", "unable to switch to home directory"),
    ("queue", "unable to switch to queue directory"),
])
def test_alerts_at_the_start(tmp_path, missing, why):
    home = tmp_path / "home"
    if missing != "home":
        home.mkdir()
    with open(tmp_path / "log", "wb") as log:
        done = subprocess.run([str(lib.bin_dir() / "qmail-send")], stdin=log,
                              env={"QMAILHOME": str(home)}, timeout=lib.TIMEOUT_S)
    assert done.returncode == 111
    assert (tmp_path / "log").read_text() == f"alert: cannot start: {why}\n"


CONTROL = {"bouncefrom": "boun cer", "bouncehost": "bounce.example",
           "doublebouncehost": "double.example", "doublebounceto": "some body"}


def test_controls_are_read_at_the_start(make_sender):
    sender = make_sender(**CONTROL)
    for name in CONTROL:
        sender.control(name, "later")
    sender.post(["a@h.example"])
    sender.remote.result(sender.remote.job(), "D", "no\n")
    (text, envelope), = sender.bounces()
    assert b'\nFrom: "boun cer"@bounce.example\n' in text
    assert b"\n\nHi. This is the qmail-send program at bounce.example.\n" in text
    sender.post(["b@h.example"], sender="")
    sender.remote.result(sender.remote.job(), "D", "no\n")
    found = dict((e, t) for t, e in sender.bounces(2))
    double = found[b"F#@[]\0Tsome body@double.example\0\0"]
    assert b'\nTo: "some body"@double.example\n' in double


def test_hup_rereads_no_other_file(make_sender):
    sender = make_sender(**CONTROL, percenthack="one.example", envnoathost="two.example")
    for name in (*CONTROL, "percenthack", "envnoathost"):
        sender.control(name, "later.example")
    sender.control("locals", "local.example\nnew.example")
    sender.kill(signal.SIGHUP)
    sender.wait_reload(sender.post, "new.example")
    sender.post(["x%y@one.example", "x%y@later.example", "z"])
    jobs = {}
    while len(jobs) < 3:  # beside those that came before the signal
        job = sender.remote.job()
        if job.host == b"new.example":
            sender.remote.result(job)
        else:
            jobs[job.host] = job
    assert {h: j.recipients for h, j in jobs.items()} == {
        b"y": [b"x@y"], b"later.example": [b"x%y@later.example"],
        b"two.example": [b"z@two.example"]}
    for job in jobs.values():
        sender.remote.result(job, "D", "no\n")
    (text, _), = sender.bounces()
    assert b'\nFrom: "boun cer"@bounce.example\n' in text
    assert b"\n<z@two.example>:\n" in text


def test_hup_rereads_numbers(sender):
    for name, text in (("concurrencylocal", "3"), ("concurrencyremote", "4"),
                       ("queuelifetime", "1000")):
        sender.control(name, text)
    sender.kill(signal.SIGHUP)

    def shown():
        sender.post(["a@local.example"])
        sender.local.result(sender.local.job())
        return "status: local 0/3 remote 0/4" in sender.log()

    wait_until(shown)
    sender.post(["b@h.example"], age=2000)
    sender.remote.result(sender.remote.job(), "Z", "later\n")
    wait_until(lambda: [x for x in lines(sender, "delivery") if "too_long" in x])


def test_a_reload_that_fails(sender):
    (sender.home / "control/locals").unlink()
    (sender.home / "control/locals").mkdir()
    sender.kill(signal.SIGHUP)
    assert sender.wait_log("alert: ") == "alert: unable to reread control/locals"
    sender.post(["a@local.example"])
    assert sender.local.job().recipients == [b"a@local.example"]


def test_alrm_leaves_tcpto_alone(sender):
    table = sender.home / "run/tcpto"
    table.write_bytes(b"\1" * 1024)
    sender.post(["a@h.example"])
    sender.remote.result(sender.remote.job(), "Z", "later\n")
    sender.wait_log("delivery 1: deferral")
    sender.kill(signal.SIGALRM)
    assert sender.remote.job() is not None
    assert table.read_bytes() == b"\1" * 1024


# ---- what is tried, and in which order ---------------------------------------------

def test_a_pass_runs_in_parallel_in_order(make_sender):
    sender = make_sender(concurrencylocal="3", concurrencyremote="2")
    sender.post([f"u{n}@local.example" for n in range(5)] +
                [f"r@h{n}.example" for n in range(4)])
    local = [sender.local.job() for _ in range(3)]
    remote = [sender.remote.job() for _ in range(2)]
    assert [j.recipients for j in local] == [[b"u%d@local.example" % n] for n in range(3)]
    assert [j.host for j in remote] == [b"h0.example", b"h1.example"]
    assert sender.local.job(timeout=0.1) is None and sender.remote.job(timeout=0) is None
    sender.local.result(local[2])
    sender.remote.result(remote[1])
    assert sender.local.job().recipients == [b"u3@local.example"]
    assert sender.remote.job().host == b"h2.example"


@pytest.mark.parametrize("channel", ["local", "remote"])
def test_concurrency_0_holds_the_channel(make_sender, channel):
    sender = make_sender(**{"concurrency" + channel: "0"})
    ident = sender.post(["a@local.example", "b@h.example"])
    held, other = (sender.local, sender.remote) if channel == "local" else \
        (sender.remote, sender.local)
    other.result(other.job())
    sender.wait_log("delivery 1: success")
    sender.kill(signal.SIGALRM)
    assert held.job(timeout=0.3) is None
    assert not lines(sender, f"end msg {ident}")


def test_old_messages_in_order_of_their_due_time(make_sender):
    """Which is that of their births for those that are young."""
    sender = make_sender(start=False, concurrencylocal="0")
    for name, age in (("third", 10), ("first", 300), ("second", 200)):
        sender.put([f"{name}@local.example", f"{name}@h.example"], age=age)
    sender.start()
    for _ in range(3):  # all have been read
        sender.remote.result(sender.remote.job(), "Z", "later\n")
    sender.wait_log("delivery", 3)
    sender.control("concurrencylocal", "1")
    sender.kill(signal.SIGHUP)
    for name in (b"first", b"second", b"third"):
        job = sender.local.job()
        assert job.recipients == [name + b"@local.example"]
        sender.local.result(job)


def test_an_address_of_a_local_domain_is_not_virtual(make_sender):
    sender = make_sender(virtualdomains="u@local.example:v\nlocal.example:w")
    sender.post(["u@local.example", "x@local.example"])
    assert [sender.local.job().recipients for _ in range(2)] == [
        [b"u@local.example"], [b"x@local.example"]]


def test_an_empty_recipient(make_sender):
    sender = make_sender(envnoathost="noat.example", locals="noat.example")
    sender.post([""])
    assert sender.local.job().recipients == [b"@noat.example"]
    assert sender.wait_log("starting").endswith(" to local @noat.example")


def test_verp_of_a_virtual_recipient(make_sender):
    sender = make_sender(virtualdomains=".wild.example:alias-w")
    sender.post(["a@b.wild.example"], sender="list-@lh.example-@[]")
    job = sender.local.job()
    assert job.sender == b"list-alias-w-a=b.wild.example@lh.example"
    assert job.recipients == [b"alias-w-a@b.wild.example"]


# ---- the log -------------------------------------------------------------------

def test_status_follows_each_line_of_a_delivery(sender):
    sender.post(["a@h.example", "b@h.example", "c@i.example"])
    first, second = sender.remote.job(), sender.remote.job()
    sender.remote.result(first, "K", index=0)
    sender.remote.result(first, "K", index=1)
    sender.remote.result(second, "D", "no\n")
    sender.wait_log("end msg")
    log = sender.log()
    assert log[0].startswith("status: ")
    for number, line in enumerate(log):
        if line.startswith(("starting delivery", "delivery")):
            assert log[number + 1].startswith("status: "), log


SORRY = "Sorry, I wasn't able to establish an SMTP connection. (#4.4.1)\n"


def test_one_message_with_three_ends(make_sender):
    sender = make_sender(virtualdomains="vd.example:alias-vd")
    ident = sender.post(["us er@vd.example", "b@h.example", "c@i.example"])
    local = sender.local.job()
    one, two = sender.remote.job(), sender.remote.job()
    sender.local.result(local, "K", "")
    sender.remote.result(one, "D", "failing text\n\n\nmore\n")
    sender.remote.result(two, "Z", SORRY)
    sender.wait_log("delivery ", 3)
    assert "delivery 1: success: " in sender.log()
    assert "delivery 2: failure: failing_text///more/" in sender.log()
    assert ("delivery 3: deferral: Sorry,_I_wasn't_able_to_establish_an_SMTP_connection._"
            "(#4.4.1)/") in sender.log()
    sender.kill(signal.SIGALRM)
    sender.remote.result(sender.remote.job(), "K")
    sender.wait_log(f"end msg {ident}")
    got = [re.sub(r" qp .*", "", x) for x in sender.log() if not x.startswith("status")]
    assert got[0] == f"new msg {ident}"
    assert got[1].startswith(f"info msg {ident}: bytes 17 from <s@x.example>")
    assert got[2] == f"starting delivery 1: msg {ident} to local alias-vd-us_er@vd.example"
    assert got[-2:] == [f"bounce msg {ident}", f"end msg {ident}"]
    assert {x.split(":")[0] for x in got[2:-2]} == {
        f"{what} {n}" for n in range(1, 5) for what in ("starting delivery", "delivery")}


def test_trouble_in_select(make_sender, monkeypatch, tmp_path):
    """One call of poll fails, and all goes on."""
    wrapper = tmp_path / "qmail-send"
    wrapper.write_text("#!/bin/sh\nexec strace -D -o /dev/null -e trace=poll,ppoll -e "
                       f"inject=poll,ppoll:error=ENOMEM:when=6 {lib.bin_dir()}/qmail-send\n")
    wrapper.chmod(0o755)
    monkeypatch.setattr(lib, "bin_dir", lambda: tmp_path)
    sender = make_sender()
    for _ in range(20):
        sender.post(["a@local.example"])
        sender.local.result(sender.local.job())
    assert lines(sender, "warning: ") == ["warning: trouble in select"]
    ident = sender.post(["a@local.example"])
    sender.local.result(sender.local.job())
    sender.wait_log(f"end msg {ident}")


def test_a_directory_that_cannot_be_opened(make_sender):
    sender = make_sender(start=False)
    ident = sender.put(["a@local.example"])
    split = sender.home / "queue/env" / str(ident % 32)
    split.rename(sender.home / "away")
    split.touch()
    sender.start()
    assert sender.wait_log("alert: ") == \
        f"alert: unable to opendir env/{ident % 32}, sleeping..."
    other = sender.post(["b@local.example"])
    assert sender.local.job().id == other


def test_a_bounce_helper_that_ends(sender):
    """What runs is finished, as after the end of a spawn."""
    sender.post(["a@local.example"])
    job = sender.local.job()
    tasks = f"/proc/{sender.pid}/task/{sender.pid}/children"
    with open(tasks, encoding="ascii") as children:
        os.kill(int(children.read().split()[0]), signal.SIGKILL)
    assert sender.wait_log("alert: ") == "alert: oh no! lost bounce helper! dying..."
    sender.local.result(job)
    assert sender.wait_exit() == 111
    assert "delivery 1: success: ok/" in sender.log()


def test_a_message_whose_files_were_taken_away(sender):
    ident = sender.post(["a@local.example"])
    job = sender.local.job()
    sender.queued.path("env", ident).unlink()
    sender.local.result(job, "Z", "later\n")
    sender.wait_log("delivery 1: deferral")

    def warnings():
        found = lines(sender, "warning: ")
        return found if len(found) > 1 else None

    env = f"env/{ident % 32}/{ident}"
    assert sender.nudge(warnings)[:2] == [
        f"warning: unable to open {env}: No such file or directory; will try again later",
        f"warning: {env} is gone; forgetting the message"]


# ---- bounces -------------------------------------------------------------------

def test_a_refused_bounce(sender):
    (sender.home / "refuse").touch()
    ident = sender.post(["a@h.example"])
    sender.remote.result(sender.remote.job(), "D", "no\n")
    sender.wait_log("warning: ")
    assert lines(sender, "warning: ") == [
        "warning: trouble injecting bounce message, will try later"]
    assert not lines(sender, f"end msg {ident}", "bounce msg")


def test_failures_in_the_order_in_which_they_came(sender):
    """Which is not that of the envelope."""
    sender.post(["a@h.example", "b@i.example", "c@j.example"])
    jobs = [sender.remote.job() for _ in range(3)]
    for number in (1, 2, 0):
        sender.remote.result(jobs[number], "D", f"number {number}\n")
    (text, _), = sender.bounces()
    assert (b"\n\n<b@i.example>:\nnumber 1\n\n<c@j.example>:\nnumber 2\n\n"
            b"<a@h.example>:\nnumber 0\n\n---") in text


def test_a_bounce_has_all_of_a_large_message(sender):
    message = b"Received: x\nSubject: large\n\n" + b"line of the body\n" * 300000 + b"end"
    sender.post(["a@h.example"], message=message)
    sender.remote.result(sender.remote.job(), "D", "no\n")
    (text, _), = sender.bounces()
    assert text.endswith(b"\n\nReturn-Path: <s@x.example>\n" + message)


def parse_qsbmf(text):
    """The grammar: ({recipient: report}, original message)."""
    paragraphs = text.partition(b"\n\n")[2]
    first, _, rest = paragraphs.partition(b"\n\n")
    assert first.startswith(b"Hi. This is the")
    found = {}
    while True:
        paragraph, _, rest = rest.partition(b"\n\n")
        if paragraph.startswith(b"-"):
            return found, rest
        head, _, report = paragraph.partition(b"\n")
        assert head.startswith(b"<") and head.endswith(b">:"), paragraph
        found[head[1:-2]] = report


REPORTS = ["plain\n", "", "no newline", "a\n\n-break\n\nb\n", "\n\n\n", "\n--- \n\nx",
           "x\n\n<c@d>:\n\nHi. This is the\n\n"]


def test_bounces_obey_the_grammar(sender):
    message = b"Subject: x\n\n--- not the break\n\n<a@b>:\n"
    names = [f"r{n}@h{n}.example" for n in range(len(REPORTS))] + ["a\n\n--- b@i.example"]
    sender.post(names, message=message)
    for _ in names:
        job = sender.remote.job()
        number = int(job.host[1:2]) if job.host[:1] == b"h" else 0
        sender.remote.result(job, "D", REPORTS[number])
    (text, _), = sender.bounces()
    found, original = parse_qsbmf(text)
    assert set(found) == {n.replace("\n", "_").encode() for n in names}
    assert found[b"r0@h0.example"] == b"plain"
    assert found[b"r3@h3.example"] == b"a\n/-break\n/b"
    assert original == b"Return-Path: <s@x.example>\n" + message
