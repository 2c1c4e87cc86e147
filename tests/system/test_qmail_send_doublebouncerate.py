"""qmail-send bounds the rate of double bounces (control/doublebouncerate): what
is over it shares messages, and nothing is left out."""

import re
import signal
import time

import pytest

import lib
from sendlib import Sender

HEAD = (b"Hi. This is the qmail-send program at me.example.\n"
        b"Notices about mail that failed could not be delivered to the addresses\n"
        b"below. There were so many in a short time that this one message tells of all.\n\n")
BREAK = b"--- The bounces themselves are not returned.\n"
TO_POSTMASTER = b"F#@[]\0Tpostmaster@me.example\0\0"


@pytest.fixture
def make_sender():
    made = []

    def make(rate, **files):
        made.append(Sender())
        made[-1].control("doublebouncerate", str(rate))
        for name, text in files.items():
            made[-1].control(name, text)
        return made[-1].start()

    yield make
    for one in made:
        one.close()


def fail(sender, name, author=""):
    """A message to name that failed, when its bounce is all that is left."""
    ident = sender.post([f"{name}@h.example"], sender=author, message=b"x\n")
    job = sender.remote.job()
    sender.remote.result(job, "D", f"no {name}\n")
    lib.wait_until(lambda: any(r[0] == b"B" for r in sender.requests(ident)),
                   what="the barrier")
    return ident


def change(sender, rate):
    sender.control("doublebouncerate", str(rate))
    sender.kill(signal.SIGHUP)


def told(sender):
    """{recipient: how often} in all bounces."""
    found = {}
    for text, _ in sender.bounces(0):
        for name in re.findall(rb"^<(\w+)@h.example>:\nno \1\n\n", text, re.M):
            found[name.decode()] = found.get(name.decode(), 0) + 1
    return found


def wait_told(sender, names):
    lib.wait_until(lambda: set(told(sender)) == set(names),
                   what=lambda: f"all of them, not {told(sender)}")


def test_those_over_it_share_a_message(make_sender):
    sender = make_sender(2)
    ids = [fail(sender, name) for name in ("one", "two")]
    sender.wait_log(f"end msg {ids[1]}")
    for text, envelope in sender.bounces(2):
        assert envelope == TO_POSTMASTER
        assert text.endswith(b"the original bounce.\n\nReturn-Path: <>\nx\n")
    ids = [fail(sender, name) for name in ("three", "four", "five")]
    time.sleep(0.3)
    assert len(sender.bounces(0)) == 2 and set(told(sender)) == {"one", "two"}
    change(sender, 7200)
    (text,) = [t for t, envelope in sender.bounces(3)
               if envelope == TO_POSTMASTER and b"original" not in t]
    assert text.split(b"\nSubject: failure notice\n\n")[1] == HEAD + b"".join(
        b"<%s@h.example>:\nno %s\n\n" % (n, n) for n in (b"three", b"four", b"five")) + BREAK
    for ident in ids:
        assert sender.wait_retired(ident)[-1][0] == b"R"
        sender.wait_log(f"end msg {ident}")
    # the log says of each where it is told of
    lines = [one for one in sender.log() if re.match("bounce msg [345] qp", one)]
    assert len(lines) == 3 and len({one.split()[-1] for one in lines}) == 1


def test_a_flood_becomes_few_messages(make_sender):
    sender = make_sender(5)
    names = [f"n{i}" for i in range(700)]
    for start in range(0, 700, 20):
        for name in names[start:start + 20]:
            sender.post([f"{name}@h{name}.example"], sender="", message=b"x\n")
        for name in names[start:start + 20]:
            job = sender.remote.job()
            local = job.recipients[0].split(b"@")[0].decode()
            sender.remote.result(job, "D", f"no {local}\n")
    change(sender, 7200)  # one in half a second from here on

    def count():
        return sum(len(re.findall(rb"^<n\d+@", t, re.M)) for t, _ in sender.bounces(0))
    lib.wait_until(lambda: count() == 700, what=lambda: f"700, not {count()}")
    # 5; and 300 a message of the others, but the last ones may come in drops
    assert len(sender.bounces(0)) < 30


def test_single_bounces_have_no_bound(make_sender):
    sender = make_sender(1)
    names = [f"n{i}" for i in range(6)]
    for name in names:
        fail(sender, name, author="s@x.example")
    wait_told(sender, names)
    assert len(sender.bounces(6)) == 6


def test_zero_is_no_bound(make_sender):
    sender = make_sender(0)
    names = [f"n{i}" for i in range(6)]
    for name in names:
        fail(sender, name)
    wait_told(sender, names)
    assert all(b"original bounce" in text for text, _ in sender.bounces(6))


def test_a_bound_that_is_taken_away(make_sender):
    """What waits then goes as ever."""
    sender = make_sender(1)
    names = ("one", "two", "three")
    for name in names:
        fail(sender, name)
    sender.bounces(1)
    change(sender, 0)
    wait_told(sender, names)
    assert all(b"original bounce" in text for text, _ in sender.bounces(3))


def test_what_is_discarded_has_no_bound(make_sender):
    sender = make_sender(1, doublebounceto="")
    for ident in [fail(sender, f"n{i}") for i in range(6)]:
        sender.wait_log(f"double bounce: discarding bounce/{ident}")
    assert sender.bounces(0) == []


def test_those_that_wait_obey_orders(make_sender):
    sender = make_sender(1)
    fail(sender, "one")
    sender.bounces(1)
    two, three, four = fail(sender, "two"), fail(sender, "three"), fail(sender, "four")
    sender.queued.notice("O", f"1 remove {two}")
    sender.wait_log(f"removed msg {two}: by order, no bounce")
    sender.queued.notice("O", f"2 expire {three}")  # it has nobody left
    change(sender, 7200)
    wait_told(sender, ("one", "three", "four"))
    assert sender.wait_retired(four) and len(sender.bounces(0)) == 2


def test_those_that_wait_are_found_again(make_sender):
    sender = make_sender(1)
    for name in ("one", "two", "three"):
        fail(sender, name)
    sender.bounces(1)
    sender.kill()
    assert sender.wait_exit() == 0
    assert set(told(sender)) == {"one"}
    sender.start()  # with a place to use
    change(sender, 7200)
    wait_told(sender, ("one", "two", "three"))


def shared(sender):
    """Two that wait for the next message, "two" and "three"."""
    fail(sender, "one")
    sender.bounces(1)
    return fail(sender, "two"), fail(sender, "three")


def test_a_message_that_is_refused_tells_of_none(make_sender):
    sender = make_sender(1)
    ids = shared(sender)
    (sender.home / "refuse").touch()
    change(sender, 7200)
    sender.wait_log("warning: trouble injecting bounce message, will try later", 2)
    for ident in ids:
        assert b"R" not in [r[0] for r in sender.requests(ident)]
    (sender.home / "refuse").unlink()
    sender.kill()
    sender.wait_exit()
    sender.start()
    wait_told(sender, ("one", "two", "three"))


def test_one_that_cannot_be_read_keeps_no_other(make_sender):
    sender = make_sender(1)
    two, three = shared(sender)
    env = sender.queued.path("env", two)
    good = env.read_bytes()
    env.write_bytes(b"damaged")
    change(sender, 7200)
    assert sender.wait_retired(three)[-1][0] == b"R"
    sender.wait_log("warning: trouble injecting bounce message")
    assert told(sender) == {"one": 1, "three": 1}
    env.write_bytes(good)
    sender.kill()
    sender.wait_exit()
    sender.start()
    wait_told(sender, ("one", "two", "three"))


def test_none_that_can_be_read(make_sender):
    sender = make_sender(1)
    for ident in shared(sender):
        sender.queued.path("env", ident).write_bytes(b"damaged")
    change(sender, 7200)
    sender.wait_log("warning: trouble injecting bounce message", 2)
    assert told(sender) == {"one": 1}
    # the queue's program has been let go: no envelope
    assert [e for _, e in sender.bounces(0) if e] == [TO_POSTMASTER]


def test_a_kill_in_the_middle_loses_none(make_sender):
    sender = make_sender(1)
    shared(sender)
    slow = sender.home / "keep"
    fast = slow.read_text()
    slow.with_name("new").write_text(
        "#!/bin/sh\ntouch begun\nwhile [ -d run ] && [ ! -e go ]; do sleep .05; done\n")
    slow.with_name("new").chmod(0o755)
    slow.with_name("new").rename(slow)
    change(sender, 7200)
    lib.wait_until((sender.home / "begun").exists, what="the submission")
    sender.kill(signal.SIGKILL)
    sender.wait_exit()
    (sender.home / "go").touch()
    assert set(told(sender)) == {"one"}
    slow.write_text(fast)
    sender.start()
    wait_told(sender, ("one", "two", "three"))
