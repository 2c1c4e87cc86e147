"""qmail-qtool list and show, on a queue that nobody delivers from."""

import json
import os

import lib
import pytest

SENDERS = ["a@x.example", "B@x.example", "", "q\"\\\x01\u00e9@z"]


@pytest.fixture(scope="module")
def queue():
    one = lib.Instance()
    one.start_queued()
    for i, sender in enumerate(SENDERS):
        recipients = [f"r{i}@far.example", "test@test.example"][:1 + i % 2]
        assert one.queue(b"Subject: s\n\n" + b"x" * (2000 * i), sender, recipients).returncode == 0
    # a byte that is no UTF-8
    assert one.queue_raw(b"last\n", b"Fbad\xff\xc3@x\0Tr\xed\xa0\x80@far.example\0\0").returncode == 0
    yield one
    one.stop()
    one.remove()


def run(queue, *args, code=0):
    done = queue.run("qmail-qtool", *args)
    assert done.returncode == code, done.stderr
    return done.stdout


def numbers(queue, *args, code=0):
    ids = queue.queue_ids()
    return [ids.index(int(line)) for line in run(queue, "list", "--ids", *args, code=code).split()]


@pytest.mark.parametrize("args, want", [
    ([], [0, 1, 2, 3, 4]),
    (["--sender", "*@X.example"], [0, 1]),
    (["--sender", ""], [2]),
    (["--sender", "*"], [0, 1, 2, 3, 4]),
    (["--sender", "b@x.example"], [1]),
    (["--sender", "x"], []),
    (["--recipient", "r1@*"], [1]),
    (["--recipient", "*s*@*e*e"], [1, 3]),
    (["--host", "far.example"], [0, 1, 2, 3, 4]),
    (["--host", "test.*"], [1, 3]),
    (["--host", "far"], []),
    (["--state", "local"], [1, 3]),
    (["--state", "remote"], [0, 1, 2, 3, 4]),
    (["--state", "held"], []),
    (["--state", "done"], []),
    (["--larger", "4k"], [3]),
    (["--larger", "2000", "--smaller", "4500"], [1, 2]),
    (["--older", "1h"], []),
    (["--newer", "1h", "--sender", "a*"], [0]),
])
def test_filters(queue, args, want):
    assert numbers(queue, *args, code=0 if want else 1) == want


def test_ids(queue):
    ids = queue.queue_ids()
    assert numbers(queue, ids[1], ids[3], ids[3] + 100) == [1, 3]
    assert numbers(queue, "--host", "test.*", ids[0], ids[3]) == [3]
    assert numbers(queue, ids[-1] + 100, code=1) == []
    done = queue.run("qmail-qtool", "list", "--ids", "-", input=b"%d\n %d" % (ids[0], ids[2]))
    assert done.stdout == b"%d\n%d\n" % (ids[0], ids[2])


def test_json(queue):
    lines = run(queue, "list", "--json").splitlines()
    found = [json.loads(line.decode("utf-8", "strict")) for line in lines]
    assert [m["sender"] for m in found] == [*SENDERS, "bad\ufffd\ufffd@x"]
    assert [m["id"] for m in found] == queue.queue_ids()
    assert found[1]["recipients"] == [
        {"address": "r1@far.example", "delivered_as": "r1@far.example", "channel": "remote",
         "state": "waiting"},
        {"address": "test@test.example", "delivered_as": "test@test.example", "channel": "local",
         "state": "waiting"}]
    assert found[1]["states"] == ["local", "remote"]
    assert found[4]["recipients"][0]["address"] == "r\ufffd\ufffd\ufffd@far.example"
    for m in found:
        path = queue.home / f"queue/mess/{m['id'] % 32}/{m['id']}"
        assert m["size"] == path.stat().st_size
        assert set(m) == {"id", "time", "size", "uid", "qp", "sender", "states", "recipients"}


def test_text_is_like_that_of_qread(queue):
    assert run(queue, "list") == queue.run("qmail-qread").stdout


def test_show(queue):
    ident = queue.queue_ids()[1]
    mess = (queue.home / f"queue/mess/{ident % 32}/{ident}").read_bytes()
    assert run(queue, "show", ident, "-m") == mess
    assert run(queue, "show", ident, "-h") == mess.split(b"\n\n")[0] + b"\n"
    lines = run(queue, "show", ident).decode().splitlines()
    assert lines[0] == f"message: {ident}" and f"bytes: {len(mess)}" in lines
    assert lines[-3:] == ["sender: B@x.example", "recipient: r1@far.example",
                          "recipient: test@test.example"]
    assert run(queue, "show", ident, "-e").decode().splitlines() == lines


def test_a_damaged_envelope_is_named(home):
    home.start_queued()
    for i in range(2):
        home.queue(b"x\n", f"s{i}@x", ["a@b"])
    first, second = home.queue_ids()
    (home.home / f"queue/env/{first % 32}/{first}").write_bytes(b"v1\0garbage")
    done = home.run("qmail-qtool", "list", "--ids")
    assert done.returncode == 111 and done.stdout == b"%d\n" % second
    assert b"cannot read message %d: " % first in done.stderr


def test_a_full_disk(queue):
    with open("/dev/full", "wb") as full:
        done = queue.run("qmail-qtool", "list", stdout=full)
    assert done.returncode == 111 and b"cannot write" in done.stderr


def test_a_stopped_queue_can_be_read(home):
    home.start_queued()
    home.queue(b"x\n", "s@x", ["a@held.example"])
    assert home.run("qmail-qtool", "hold", "domain", "held.example").returncode == 0
    home.stop()
    found = json.loads(home.run("qmail-qtool", "list", "--json").stdout)
    assert found["states"] == ["remote", "held"]
    assert home.run("qmail-qtool", "hold", "--list").stdout.startswith(b"hold domain held.example since ")
    assert os.listdir(home.home / "queue/tmp") == []
