"""qmail-qtool: hold, release, force, expire, remove; what survives, and where a queue may go."""

import json
import os
import re
import shutil
import signal
import subprocess

import lib
import pytest
from queue_lab import submit

LATER = "|exit 111\n"


def qtool(instance, *args, code=0, input=b""):
    done = instance.run("qmail-qtool", *args, input=input)
    assert done.returncode == code, (done.stdout, done.stderr)
    return done.stdout.decode()


def post(instance, *recipients, sender="s@test.example", message=b"Subject: x\n\nx\n"):
    """Queues a message; its id."""
    return submit(instance, message, sender.encode(), [r.encode() for r in recipients])


def known(instance, ident):
    instance.wait_log(rf"^info msg {ident}:")


def starts(instance, ident):
    return len(re.findall(rf"starting delivery \d+: msg {ident} ", instance.log("send")))


def settle(instance):
    """Whatever qmail-send was told before, it has done: a message goes through."""
    count = len(instance.maildir())
    post(instance, "test@test.example")
    instance.wait_maildir("test", count + 1)


def deferred(instance, *recipients, **more):
    """A message that was tried once, in vain."""
    instance.dotqmail("later", LATER)
    ident = post(instance, "test-later@test.example", *recipients, **more)
    wait_deferred(instance, ident, 1)
    return ident


def wait_deferred(instance, ident, count):
    """Waits for the end of that many attempts for its first recipient."""
    start = rf"starting delivery (\d+): msg {ident} to local test-later@"
    number = instance.wait_log(start, count=count).group(1)
    instance.wait_log(rf"delivery {number}: deferral: ")


def states(instance, ident):
    (one,) = json_list(instance, str(ident))
    return [r["state"] for r in one["recipients"]]


def json_list(instance, *args, code=0):
    return [json.loads(line) for line in qtool(instance, "list", "--json", *args, code=code).splitlines()]


# ---- hold --------------------------------------------------------------------

@pytest.mark.parametrize("what", ["domain test.example", "domain TEST.Example", "domain .example",
                                  "channel local"])
def test_what_is_held_is_not_tried_until_released(instance, what):
    instance.write_control("virtualdomains", "free.net:test\n")
    words = what.split()
    qtool(instance, "hold", *words)
    ident = post(instance, "test@test.example")
    known(instance, ident)
    assert [r["state"] for r in json_list(instance, "--state", "held")[0]["recipients"]] == ["held"]
    instance.daemons["send"].process.send_signal(signal.SIGALRM)
    qtool(instance, "force", ident)
    # whatever was to happen has happened when this order has come round
    qtool(instance, "hold", "domain", "other.example")
    assert starts(instance, ident) == 0
    listed = qtool(instance, "hold", "--list").splitlines()
    assert [line.split(" since ")[0] for line in listed] == [
        "hold " + what.lower(), "hold domain other.example"]
    qtool(instance, "release", *words)
    instance.wait_maildir()
    instance.wait_log(rf"^end msg {ident}$")
    assert starts(instance, ident) == 1


def test_a_held_message_survives_every_restart(instance):
    ident = deferred(instance, "test@test.example")
    other = deferred(instance)
    qtool(instance, "hold", "message", ident)
    qtool(instance, "hold", "channel", "remote")
    instance.dotqmail("later", "# fine\n")
    before = starts(instance, ident)
    for name, sig in (("queued", signal.SIGKILL), ("send", signal.SIGKILL),
                      ("queued", signal.SIGTERM), ("send", signal.SIGTERM)):
        instance.restart(name, sig)
        settle(instance)
        instance.daemons["send"].process.send_signal(signal.SIGALRM)
        settle(instance)
        assert starts(instance, ident) == before
        assert len(qtool(instance, "hold", "--list").splitlines()) == 2
    instance.wait_log(rf"^end msg {other}$")
    qtool(instance, "release", "message", ident)
    instance.wait_log(rf"^end msg {ident}$")
    # the order has gone with nothing left of it but the other
    assert qtool(instance, "hold", "--list").startswith("hold channel remote since ")


def test_some_recipients_of_a_message_are_held(instance, sink):
    server = sink()
    instance.route_to(server)
    qtool(instance, "hold", "domain", "held.net")
    ident = post(instance, "a@held.net", "b@free.net", "test@test.example")
    instance.wait_maildir()
    assert server.wait()[0].recipients == ["b@free.net"]
    lib.wait_until(lambda: states(instance, ident) == ["held", "delivered", "delivered"])
    qtool(instance, "release", "domain", "held.net")
    assert server.wait(2)[1].recipients == ["a@held.net"]
    instance.wait_log(rf"^end msg {ident}$")


def test_a_held_message_does_not_bounce_for_its_age(instance):
    instance.write_control("queuelifetime", "0\n")
    instance.restart("send")
    qtool(instance, "hold", "channel", "local")
    ident = post(instance, "test@test.example", "nobody@test.example")
    known(instance, ident)
    lib.wait_until(
        lambda: instance.run("qmail-qtool", "list", "--older", "1s").returncode == 0)
    instance.daemons["send"].process.send_signal(signal.SIGALRM)
    qtool(instance, "force", "--all")
    qtool(instance, "hold", "channel", "remote")
    assert starts(instance, ident) == 0 and states(instance, ident) == ["held", "held"]
    qtool(instance, "release", "channel", "local")
    instance.wait_maildir("test", 1)


def test_a_pass_under_way_stops(instance, sink):
    """Recipients that are not under way when the order comes are not tried."""
    instance.write_control("concurrencyremote", "1\n")
    instance.restart("send")
    server = sink({"RCPT": lib.HANG})
    instance.route_to(server)
    ident = post(instance, "a@one.net", "b@two.net", "c@three.net")
    lib.wait_until(lambda: any(line.startswith(b"RCPT") for lines in server.commands
                               for line in lines), what="the first recipient")
    qtool(instance, "hold", "message", ident)
    server.ended.set()  # those who hang are let go
    instance.wait_log("deferral")
    settle(instance)
    assert starts(instance, ident) == 1


# ---- force -------------------------------------------------------------------

def test_force_tries_at_once_and_nobody_else(instance):
    first, second = deferred(instance), deferred(instance)
    qtool(instance, "force", first)
    wait_deferred(instance, first, 2)
    assert starts(instance, second) == 1
    qtool(instance, "force", "domain", ".example")
    wait_deferred(instance, first, 3)
    wait_deferred(instance, second, 2)
    qtool(instance, "force", "--all")
    wait_deferred(instance, second, 3)
    qtool(instance, "force", "domain", "other.example", code=1)
    qtool(instance, "force", second + 100, code=1)


# ---- expire, remove ----------------------------------------------------------

def test_expire_bounces_who_is_left_and_only_them(instance):
    instance.dotqmail("gone", "|echo no; exit 100\n")
    ident = deferred(instance, "test-gone@test.example", "test-2@test.example")
    instance.dotqmail("default", "# fine\n")
    lib.wait_until(lambda: sorted(states(instance, ident))[1:] == ["failed", "waiting"] or
                   sorted(states(instance, ident)) == ["failed", "waiting", "waiting"])
    left = states(instance, ident).count("waiting")
    instance.add_user("s")
    qtool(instance, "expire", ident)
    (path,) = instance.wait_maildir("s", 1)
    text = path.read_text()
    assert text.count("The postmaster here has given this message up") == left
    assert "<test-later@test.example>:\nThe postmaster here" in text
    assert "<test-gone@test.example>:\n" in text
    instance.wait_empty()
    assert len(instance.maildir("s")) == 1
    assert qtool(instance, "hold", "--list") == ""


@pytest.mark.parametrize("held", [False, True])
def test_remove_leaves_nothing_and_tells_nobody(instance, held):
    instance.add_user("s")
    instance.dotqmail("gone", "|exit 100\n")
    ident = deferred(instance, "test-gone@test.example")
    instance.wait_log("failure")
    if held:
        qtool(instance, "hold", "message", ident)
    qtool(instance, "remove", ident)
    instance.wait_empty()
    instance.wait_log(rf"^removed msg {ident}: ")
    instance.wait_log(rf"^end msg {ident}$")
    settle(instance)
    assert instance.maildir("s") == [] and "bounce msg" not in instance.log("send")
    for kind in ("env", "mess", "done", "bounce"):
        lib.wait_until(lambda: not list((instance.home / "queue" / kind).glob(f"*/{ident}")))


@pytest.mark.parametrize("verb, bounces", [("expire", 1), ("remove", 0)])
def test_ends_wait_for_qmail_send(instance, verb, bounces):
    instance.add_user("s")
    ident = deferred(instance)
    instance.daemons["send"].end()
    done = instance.run("qmail-qtool", verb, ident)
    assert (done.returncode, done.stderr) == (
        0, b"qmail-qtool: queued: will be done when qmail-send runs\n")
    state = {"expire": "expiring", "remove": "removing"}[verb]
    assert state in json_list(instance)[0]["states"]
    instance.restart("queued", signal.SIGKILL)
    assert state in json_list(instance)[0]["states"]
    instance.start_send()
    instance.wait_empty()
    instance.wait_maildir("s", bounces)
    settle(instance)
    assert len(instance.maildir("s")) == bounces


def test_hundreds_by_standard_input(instance):
    qtool(instance, "hold", "channel", "local")
    for i in range(150):
        instance.queue(b"x\n", f"bulk{i}@x.example", ["test@test.example"])
    keep = post(instance, "test@test.example")
    ids = qtool(instance, "list", "--ids", "--sender", "BULK*@x.example")
    assert len(ids.split()) == 150
    qtool(instance, "remove", "-", input=ids.encode())
    lib.wait_until(lambda: instance.queue_ids() == [keep], what="the removals")
    qtool(instance, "remove", "-", input=ids.encode(), code=1)
    qtool(instance, "remove", "-", code=1)
    instance.add_user("s")
    qtool(instance, "remove", "-b", keep)
    qtool(instance, "release", "channel", "local")
    instance.wait_maildir("s", 1)
    instance.wait_empty()


def test_what_cannot_be_read_can_be_removed(instance):
    ident = deferred(instance)
    instance.daemons["send"].end()
    (instance.home / f"queue/env/{ident % 32}/{ident}").write_bytes(b"garbage")
    instance.start_send()
    instance.wait_log(rf"unable to read env/{ident % 32}/{ident}")
    qtool(instance, "remove", ident)
    instance.wait_empty()


# ---- the orders file ---------------------------------------------------------

def test_a_damaged_file_still_holds(instance):
    qtool(instance, "hold", "domain", "test.example")
    ident = post(instance, "test@test.example")
    instance.daemons["queued"].end()
    path = instance.home / "queue/orders"
    path.write_bytes(path.read_bytes().replace(b"end ", b"garbage\nend "))
    instance.start_queued()
    instance.wait_log("alert: queue/orders is damaged", name="queued")
    assert os.listdir(instance.home / "queue/damaged") == ["orders"]
    instance.restart("send")
    assert states(instance, ident) == ["held"]
    qtool(instance, "force", ident)
    qtool(instance, "release", "domain", "test.example")
    instance.wait_maildir()


def test_a_queue_moves_by_plain_copy(instance, make_instance):
    ident = deferred(instance)
    qtool(instance, "hold", "message", post(instance, "test-later@test.example"))
    instance.stop()
    other = make_instance(start=False)
    other.dotqmail("later", "./Maildir/\n")
    shutil.rmtree(other.home / "queue")
    shutil.copytree(instance.home / "queue", other.home / "queue")
    for path in [other.home / "queue", *(other.home / "queue").rglob("*")]:
        lib.give(path)
    other.start()
    other.wait_maildir()
    other.wait_log(rf"^end msg {ident}$")
    lib.wait_until(lambda: len(other.queue_ids()) == 1, what="one message")
    (held,) = other.queue_ids()
    assert states(other, held) == ["held"] and starts(other, held) == 0
    qtool(other, "release", "message", held)
    other.wait_maildir("test", 2)
    other.wait_empty()


# ---- who may, and what is wrong ----------------------------------------------

@pytest.mark.parametrize("args", [
    (), ("no",), ("hold",), ("hold", "message"), ("hold", "domain", "a b"), ("hold", "channel", "both"),
    ("release", "domain", ""), ("expire",), ("remove", "-b"), ("remove", "x"), ("force",),
    ("list", "--older", "5y"), ("list", "--state", "new"), ("list", "--sender"), ("show",),
    ("show", "1", "-x"), ("hold", "domain", "a" * 256),
])
def test_wrong_usage(home, args):
    done = home.run("qmail-qtool", *args)
    assert done.returncode == 100 and done.stderr.startswith(b"qmail-qtool: ")


def test_nothing_there(home):
    for verb in (["hold", "message"], ["expire"], ["force"]):
        done = home.run("qmail-qtool", *verb, "7")
        assert (done.returncode, done.stderr) == (111, b"qmail-qtool: qmail-queued is not running\n")
    home.start_queued()
    for args in (["hold", "message", "7"], ["expire", "7"], ["remove", "7"], ["show", "7"],
                 ["release", "message", "7"], ["release", "domain", "x.example"], ["list"]):
        qtool(home, *args, code=1)
    assert home.run("qmail-qtool", "force", "7").stderr == \
        b"qmail-qtool: qmail-send is not running\n"


@pytest.mark.skipif(os.getuid() != 0, reason="needs root to be another user")
def test_another_user_is_refused(instance):
    ident = deferred(instance)
    for args in (["list"], ["show", ident], ["hold", "message", ident], ["remove", ident]):
        done = subprocess.run([instance.bin / "qmail-qtool", *map(str, args)], env=instance.env(),
                              capture_output=True, user=54321, group=54321, extra_groups=[])
        assert done.returncode == 100
        assert b"only root and the owner" in done.stderr
    done = subprocess.run([instance.bin / "qmail-qtool", "remove", str(ident)], env=instance.env(),
                          capture_output=True)
    assert done.returncode == 0, done.stderr
    instance.wait_empty()
