"""qmail-qtool import: every state of a classic queue, byte by byte."""

import fcntl
import os
import re

import pytest

from classic_queue import RECEIVED, ClassicQueue
from lib import HOST, give
from queue_lab import Message, connect, ids, netstring, path_of, read_verdict, wait_read

BODY = b"Subject: x\n\n.\nFrom y\n\xff\0\r\nno final newline"
FAILED = "<gone@test.example>:\nno such user\n\n"


def owned(path, role):
    give(path)


@pytest.fixture
def queued(home):
    home.start_queued()
    return home


@pytest.fixture
def classic(home):
    return ClassicQueue(home.base / "classic", owner=owned)


def run(home, queue, *options):
    done = home.run("qmail-qtool", "import", *options, queue.path)
    done.out, done.err = done.stdout.decode(), done.stderr.decode()
    return done


def counts(done):
    """(taken over, before, finished, not accepted, in trouble)"""
    numbers = re.search(
        r": (\d+) messages (?:would be )?taken over.*\n"
        r"(\d+) were taken over before, (\d+) have nothing left to do, "
        r"(\d+) were never accepted, (\d+) are in trouble\n", done.out)
    return tuple(map(int, numbers.groups()))


def messages(home):
    """What is queued, by the number that it had there."""
    found = {}
    for ident in ids(home):
        message = Message(home, ident)
        number = int(message.values["O"].split(b"/")[1])
        assert number not in found
        message.bytes = path_of(home, "mess", ident).read_bytes()
        found[number] = message
    return found


def orders(home):
    path = home.home / "queue/orders"
    return path.read_text() if path.exists() else ""


# ---- states ------------------------------------------------------------------

@pytest.mark.parametrize("split, big_todo", [(1, False), (23, False), (23, True), (199, True)])
def test_every_state(queued, split, big_todo):
    queue = ClassicQueue(queued.base / "classic", split, big_todo, owned)
    bare = queue.mess(BODY)
    unfinished = queue.intd(BODY, "s@x.example", ["r@y.example"])
    new = queue.new(BODY, "s@x.example", ["r@y.example", f"test@{HOST}", "plain"],
                    uid=77, pid=999, mtime=1700000000)
    half = queue.new(BODY, "h@x.example", ["h@y.example"])
    queue.put("info", half, b"Fh@x.ex")
    queue.put("local", half, b"Th")
    queue.put("remote", half, b"")
    old = queue.old(BODY, "o@x.example", mtime=1600000000,
                    local=[b"Talias-vd-us er@vd.example", b"Ddone@here", b"T\xff@h"],
                    remote=["Dd@r.example", "Tr@r.example"])
    partly = queue.old(BODY, "list-@l.example-@[]", remote=["Tr@r.example"],
                       local=["Dd@h"], bounce=FAILED)
    bounce = queue.old(BODY, "b@x.example", bounce=FAILED + "<x@y>:\nno")
    nul = queue.old(BODY, "", bounce=b"<a@b>:\n\0\n", remote=["Dx@y"])
    lost = queue.old(BODY, "#@[]", bounce="")
    finished = queue.old(BODY, "f@x.example", local=["Da@h", "Db@h"])
    nobody = queue.old(BODY, "f@x.example")
    empty = queue.new(BODY, "e@x.example", [])
    before = queue.snapshot()

    done = run(queued, queue)
    assert done.returncode == 0, done.err
    assert counts(done) == (7, 0, 3, 2, 0), done.out
    assert queue.snapshot() == before
    found = messages(queued)
    assert set(found) == {new, half, old, partly, bounce, nul, lost}
    assert not {bare, unfinished, finished, nobody, empty} & set(found)
    assert all(m.bytes == RECEIVED + BODY for m in found.values())

    assert found[new].sender == b"s@x.example"
    assert found[new].recipients == [b"r@y.example", b"test@" + HOST.encode(), b"plain"]
    assert [found[new].values[k] for k in "upt"] == [b"77", b"999", b"1700000000"]
    assert found[half].recipients == [b"h@y.example"] and found[half].rewritten == []
    assert found[old].rewritten == [
        b"Lalias-vd-us er@vd.example", b"L\xff@h", b"Rr@r.example"]
    assert found[old].recipients == [] and found[old].values["t"] == b"1600000000"
    assert found[partly].sender == b"list-@l.example-@[]"
    assert found[partly].rewritten == [b"Rr@r.example"]
    assert found[partly].values["B"] == FAILED.encode()
    assert found[bounce].rewritten == []
    assert found[bounce].values["B"] == FAILED.encode() + b"<x@y>:\nno\n\n"
    assert found[nul].values["B"] == b"<a@b>:\n_\n\n" and found[nul].sender == b""
    assert found[lost].values["B"].startswith(b"<>:\n") and found[lost].sender == b"#@[]"
    assert "import" not in orders(queued)


def test_twice_is_harmless(queued, classic):
    number = classic.new(BODY, "s@x.example", ["r@y.example"])
    assert counts(run(queued, classic)) == (1, 0, 0, 0, 0)
    assert counts(run(queued, classic)) == (0, 1, 0, 0, 0)
    # a message that got the number of an old one is another message
    classic.at("todo", number).unlink()
    classic.at("intd", number).unlink()
    classic.at("mess", number).unlink()
    classic.new(BODY + b"!", "s@x.example", ["r@y.example"], number=number)
    assert counts(run(queued, classic)) == (1, 0, 0, 0, 0)
    assert len(ids(queued)) == 2


def test_after_they_have_gone(instance):
    """A list, not the queue, remembers what was delivered."""
    queue = ClassicQueue(instance.base / "classic", owner=owned)
    queue.old(BODY, "s@x.example", local=[f"Ttest@{HOST}"])
    assert run(instance, queue).returncode == 0
    instance.wait_maildir()
    instance.wait_empty()
    done = run(instance, queue)
    assert counts(done) == (0, 1, 0, 0, 0)
    assert len(instance.maildir()) == 1 and not instance.queue_ids()


def test_large_messages(queued, classic):
    """As files in tmp/, and with an envelope of many addresses."""
    body = os.urandom(3000) * 1000
    many = [b"r%d@some.long.domain.of.many.labels.example" % i for i in range(20000)]
    big = classic.old(body, "s@x.example", remote=[b"T" + r for r in many])
    text = b"".join(b"<r%d@x.example>:\n%s\n\n" % (i, b"no" * 40) for i in range(5000))
    both = classic.old(body, "s@x.example", local=["Tl@h"], bounce=text)
    assert run(queued, classic).returncode == 0
    found = messages(queued)
    assert found[big].bytes == found[both].bytes == RECEIVED + body
    assert found[big].rewritten == [b"R" + r for r in many]
    assert found[both].values["B"] == text
    queued.kill("queued")
    queued.wait_gone("queued")
    queued.start_queued()
    assert messages(queued)[both].values["B"] == text
    assert messages(queued)[big].bytes == RECEIVED + body


# ---- trouble -----------------------------------------------------------------

def no_mess(queue):
    number = queue.old(BODY, "s@x.example", local=["Tr@h"], number=10**12 + 1)
    queue.at("mess", number).unlink()
    return queue.at("info", number), "its message is missing"


def no_info(queue):
    number = queue.old(BODY, "s@x.example", local=["Tr@h"])
    queue.at("info", number).unlink()
    return queue.at("local", number), "its sender is missing"


def bare_bounce(queue):
    number = queue.mess(BODY)
    return queue.put("bounce", number, b"<a@b>:\nno\n\n"), "its sender is missing"


def empty_mess(queue):
    number = queue.old(BODY, "s@x.example", local=["Tr@h"])
    queue.at("mess", number).write_bytes(b"")
    return queue.at("mess", number), "it is empty"


def wrong_directory(queue):
    number = queue.old(BODY, "s@x.example", local=["Tr@h"])
    path = queue.path / "mess" / str((number + 1) % queue.split) / str(number)
    queue.at("mess", number).rename(path)
    return path, "wrong directory"


def there_twice(queue):
    number = queue.old(BODY, "s@x.example", local=["Tr@h"])
    path = queue.path / "mess" / str((number + 1) % queue.split) / str(number)
    path.write_bytes(b"other")
    return queue.path / f"mess/*/{number}", "there twice"


def a_link(queue):
    number = queue.old(BODY, "s@x.example", local=["Tr@h"])
    queue.at("local", number).unlink()
    queue.at("local", number).symlink_to("/etc/passwd")
    return queue.at("local", number), "not a regular file"


def a_pipe(queue):
    number = queue.mess(BODY, 10**12 + 2)  # no inode, that others could get
    queue.at("mess", number).unlink()
    os.mkfifo(queue.at("mess", number))
    return queue.at("mess", number), "not a regular file"


def damaged(kind, content, cause):
    def make(queue):
        number = (queue.new(BODY, "s@x.example", ["r@y.example"]) if kind == "todo" else
                  queue.old(BODY, "s@x.example", local=["Tr@h"], remote=["Tr@y.example"]))
        queue.at(kind, number).write_bytes(content)
        return queue.at(kind, number), cause
    make.__name__ = kind + " " + cause
    return make


TROUBLE = [
    no_mess, no_info, bare_bounce, empty_mess, wrong_directory, there_twice, a_link, a_pipe,
    damaged("info", b"", "it is empty"), damaged("info", b"Fs@x", "not complete"),
    damaged("info", b"Ts@x\0", "unknown type"),
    damaged("info", b"F" + b"s" * 1003 + b"\0", "too long"),
    damaged("local", b"Tr@h\0Tq", "not complete"), damaged("local", b"Tr\0\0", "not complete"),
    damaged("remote", b"Xr@h\0", "unknown type"),
    damaged("remote", b"T" + b"r" * 1003 + b"\0", "too long"),
    damaged("todo", b"", "no sender"), damaged("todo", b"u1\0p1\0Tr\0", "no sender"),
    damaged("todo", b"u1\0p1\0Fs\0Fs\0Tr\0", "two senders"),
    damaged("todo", b"u1\0p1\0Fs\0Tr", "not complete"),
    damaged("todo", b"ux\0p1\0Fs\0Tr\0", "uid"), damaged("todo", b"u1\0p-1\0Fs\0Tr\0", "pid"),
    damaged("todo", b"u1\0p1\0Fs\0Xr\0", "unknown type"),
    damaged("todo", b"u1\0p1\0Fs\0T" + b"r" * 1003 + b"\0", "too long"),
]


def test_trouble_is_named_and_harms_nobody_else(queued, classic):
    """All of it in one queue, with a sound message before, between, behind."""
    sound, expected = [], []
    for make in TROUBLE:
        sound.append(classic.new(BODY, "s@x.example", ["r@y.example"]))
        expected.append(make(classic))
    sound.append(classic.old(BODY, "s@x.example", remote=["Tr@y.example"]))
    (classic.path / "mess/0/core").write_bytes(b"")
    before = classic.snapshot()
    done = run(queued, classic)
    assert done.returncode == 1
    assert counts(done) == (len(sound), 0, 0, 0, len(TROUBLE)), done.err
    assert set(messages(queued)) == set(sound)
    assert classic.snapshot() == before
    lines = done.err.splitlines()
    for path, cause in expected:
        name = re.escape(str(path)).replace(r"\*", "[0-9]+")
        assert [l for l in lines if re.match(f"qmail-qtool: {name}: .*{cause}", l)], (
            path, cause, done.err)
    assert "1 names are no messages" in done.err
    assert len(lines) == len(TROUBLE) + 1
    # it stays so, and repeats nothing
    assert counts(run(queued, classic)) == (0, len(sound), 0, 0, len(TROUBLE))


def test_too_many_recipients_for_one_message(queued, classic):
    addresses = b"".join(b"T%d@%s\0" % (i, b"d" * 900) for i in range(80000))
    number = classic.old(BODY, "s@x.example", remote=["Tr@y"])
    classic.at("remote", number).write_bytes(addresses)
    done = run(queued, classic)
    assert done.returncode == 1 and "too big" in done.err
    classic.at("remote", number).write_bytes(b"".join(b"T%d\0" % i for i in range(2000000)))
    done = run(queued, classic)
    assert done.returncode == 1 and "too many recipients" in done.err


# ---- the dry run, and what it refuses ------------------------------------------

def test_dry_run_changes_nothing(home, classic):
    """Not even a qmail-queued is needed."""
    new = classic.new(BODY, "s@x.example", ["r@y.example"])
    old = classic.old(BODY, "s@x.example", local=["Tr@h", "Tq@h"], bounce=FAILED)
    home.start_queued()
    home.daemons["queued"].end()
    before = sorted(p for p in classic.path.rglob("*"))
    done = run(home, classic, "-n")
    assert done.returncode == 0, done.err
    assert counts(done) == (2, 0, 0, 0, 0)
    assert f"{new}: 0 local, 0 remote, 1 new recipients\n" in done.out
    assert f"{old}: 2 local, 0 remote, 0 new recipients; a bounce is due\n" in done.out
    assert sorted(p for p in classic.path.rglob("*")) == before and not ids(home)


def test_a_dry_run_knows_what_is_here(queued, classic):
    classic.new(BODY, "s@x.example", ["r@y.example"])
    run(queued, classic)
    classic.new(BODY, "s@x.example", ["r@y.example"])
    assert counts(run(queued, classic, "-n")) == (1, 1, 0, 0, 0)


@pytest.mark.parametrize("what", ["qmail-send", "lockf", "import"])
def test_not_while_somebody_is_at_work(queued, classic, what):
    path = classic.path if what == "import" else classic.path / "lock/sendmutex"
    fd = os.open(path, os.O_RDONLY if what == "import" else os.O_RDWR)
    (fcntl.lockf if what == "lockf" else fcntl.flock)(fd, fcntl.LOCK_EX)
    classic.new(BODY, "s@x.example", ["r@y.example"])
    assert run(queued, classic, "-c").returncode == 111
    done = run(queued, classic)
    assert done.returncode == 111 and not ids(queued)
    assert ("another import" if what == "import" else "a qmail-send is at work") in done.err
    os.close(fd)
    assert run(queued, classic, "-c").stdout == b"" and not ids(queued)
    assert run(queued, classic).returncode == 0


def test_usage_and_wrong_directories(queued, tmp_path):
    for arguments in ([], ["-x", "d"], ["a", "b"]):
        assert queued.run("qmail-qtool", "import", *arguments).returncode == 100
    missing = queued.run("qmail-qtool", "import", tmp_path / "none")
    assert missing.returncode == 111
    own = queued.run("qmail-qtool", "import", queued.home / "queue")
    assert own.returncode == 100 and b"not a queue of classic qmail" in own.stderr


def test_without_qmail_queued(home, classic):
    classic.new(BODY, "s@x.example", ["r@y.example"])
    home.start_queued()
    home.daemons["queued"].end()
    done = run(home, classic)
    assert done.returncode == 111 and "qmail-queued is not running" in done.err
    home.start_queued()
    assert counts(run(home, classic)) == (1, 0, 0, 0, 0)


@pytest.mark.parametrize("name, content", [
    ("cqmail-import", b"x\n"), ("cqmail-import", b"0" * 100), ("cqmail-imported", b"1 2 3\n"),
])
def test_damaged_notes_stop_it(queued, classic, name, content):
    classic.new(BODY, "s@x.example", ["r@y.example"])
    (classic.path / name).write_bytes(content)
    give(classic.path / name)
    done = run(queued, classic)
    assert done.returncode == 111 and f"{name} is damaged" in done.err
    assert not ids(queued)


def test_a_classic_queue_in_our_place(home):
    """qmail-queued does not start on it, and says what to do."""
    (home.home / "queue").rename(home.base / "empty")
    ClassicQueue(home.home / "queue", owner=owned)
    done = home.run("qmail-queued")
    assert done.returncode == 111
    assert b"qmail-qtool import" in done.stderr and b"queue.classic" in done.stderr


# ---- submit.sock ---------------------------------------------------------------

def test_waiting_for_those_who_came_before(queued):
    """W is answered when a message that is on its way is in, or will not come."""
    for ending, arrives in ((netstring(b"."), 1), (b"", 0)):
        before = len(ids(queued))
        with connect(queued) as first, connect(queued) as second:
            first.sendall(netstring(b"O1 2 key/1/2/3") + netstring(b"Mx\n"))
            wait_read(first)
            second.sendall(netstring(b"W"))
            second.settimeout(0.3)
            with pytest.raises(TimeoutError):
                second.recv(1)
            first.sendall(netstring(b"Fs@x") + ending)
            first.shutdown(1)
            second.settimeout(60)
            assert read_verdict(second) == b"K0"
            assert len(ids(queued)) == before + arrives


def test_waiting_for_nobody_else(queued):
    """Ordinary submissions, and those that come later, keep nobody waiting."""
    with connect(queued) as first, connect(queued) as second, connect(queued) as third:
        first.sendall(netstring(b"Mx"))
        third.sendall(netstring(b"O1 2 key/1/2/3"))
        second.sendall(netstring(b"W"))
        assert read_verdict(second) == b"K0"


# ---- delivery ------------------------------------------------------------------

def test_deliveries(instance, sink):
    """Each recipient gets it once, as it would have in the old queue."""
    there = sink()
    instance.route_to(there)
    instance.write_control("virtualdomains", "vd.example:test-vd\n")
    instance.dotqmail("vd-default", "./Maildir/\n")
    instance.restart("send")
    queue = ClassicQueue(instance.base / "classic", owner=owned)
    # rewritten before: not once more, and local whatever locals says now
    queue.old(b"Subject: one\n\n", "s@x.example", remote=["Tr@y.example"],
              local=["Ttest-vd-u@vd.example", "Ttest@was.local.example"])
    # remote, though the domain is local now
    queue.old(b"Subject: two\n\n", "s@x.example", remote=[f"Tother@{HOST}", "Dno@y.example"])
    queue.new(b"Subject: three\n\n", "s@x.example", ["u@vd.example", "q@y.example"])
    done = run(instance, queue)
    assert done.returncode == 0, done.err
    instance.wait_maildir(count=3)
    instance.wait_empty()
    to = sorted(r for t in there.wait(3) for r in t.recipients)
    assert to == [f"other@{HOST}", "q@y.example", "r@y.example"]
    subjects = sorted(re.search(rb"Subject: (\w+)", p.read_bytes()).group(1)
                      for p in instance.maildir())
    assert subjects == [b"one", b"one", b"three"]
    one = [p.read_bytes() for p in instance.maildir() if b"Subject: one" in p.read_bytes()]
    assert all(m.count(b"Received: (qmail") == 1 and b"qmail 4711 invoked" in m for m in one)
    log = instance.log()
    assert "to local test-vd-u@vd.example" in log
    assert "to local test@was.local.example" in log
    assert f"to remote other@{HOST}" in log


def test_bounces(instance):
    """Failures of before and of now are in one notice; prefixes are off."""
    instance.write_control("virtualdomains", "vd.example:test-vd\n")
    instance.restart("send")
    queue = ClassicQueue(instance.base / "classic", owner=owned)
    queue.old(b"Subject: only\n\n", f"test@{HOST}", bounce=FAILED)
    queue.old(b"Subject: both\n\n", f"test@{HOST}", bounce=FAILED,
              local=["Ttest-vd-none@vd.example"])
    assert run(instance, queue).returncode == 0
    instance.wait_maildir(count=2)
    instance.wait_empty()
    texts = {(b"only" if b"Subject: only" in t else b"both"): t
             for t in (p.read_bytes() for p in instance.maildir())}
    assert texts[b"only"].count(b"Hi. This is the") == 1
    for text in texts.values():
        assert text.count(FAILED.encode()) == 1
        assert FAILED.encode() in text.partition(b"--- Below")[0]
    assert b"\n\n<none@vd.example>:\n" in texts[b"both"]


def test_held_until_it_is_complete(instance, sink):
    """With an order to hold in force nothing moves, not even a bounce."""
    instance.route_to(sink())
    queue = ClassicQueue(instance.base / "classic", owner=owned)
    queue.birth += 3600  # a message that is older would wait for its next try
    key = "0123456789abcdef" * 2
    (queue.path / "cqmail-import").write_text(key + "\n")
    give(queue.path / "cqmail-import")
    number = queue.old(b"x\n", f"test@{HOST}", local=[f"Ttest@{HOST}"])
    owing = queue.old(b"x\n", f"test@{HOST}", bounce=FAILED)
    # the list cannot be written: it ends before the release
    (queue.path / "cqmail-imported.new").mkdir()
    done = run(instance, queue)
    assert done.returncode == 111 and "is held" in done.err
    assert "hold import " + key in orders(instance)
    instance.wait_log("new msg", count=2)
    instance.restart("send")
    instance.restart("queued")
    assert set(messages(instance)) == {number, owing}
    assert not instance.maildir()
    read = instance.run("qmail-qread").stdout.decode()
    assert f"\tlocal\ttest@{HOST}\n" in read and "bouncing" in read
    (queue.path / "cqmail-imported.new").rmdir()
    assert counts(run(instance, queue)) == (0, 2, 0, 0, 0)
    instance.wait_maildir(count=2)
    instance.wait_empty()
    instance.wait_log("delivery 1: success")
    instance.wait_log("end msg", count=3)
