"""maildir2mbox and mbox2maildir: every message is moved, none is lost."""

import contextlib
import fcntl
import os
import resource
import signal
import stat
import subprocess
import threading

import pytest

import lib

WHEN = 1762109029  # Sun Nov 02 18:43:49 2025
DATE = b"Sun Nov 02 18:43:49 2025"


class Boxes:
    def __init__(self, path):
        self.maildir = path / "Maildir"
        for part in ("", "tmp", "new", "cur"):
            (self.maildir / part).mkdir()
        self.mail = path / "Mailbox"
        self.tmp = path / "Mailbox.tmp"
        self.path = path

    def run(self, program="maildir2mbox", drop=(), limit=None, **env):
        values = {**os.environ, "MAILDIR": str(self.maildir), "MAIL": str(self.mail),
                  "MAILTMP": str(self.tmp), **env}
        done = subprocess.run(
            [lib.bin_dir() / program], capture_output=True, timeout=lib.TIMEOUT_S,
            env={k: v for k, v in values.items() if k not in drop},
            preexec_fn=limit)
        assert done.stdout == b""
        return done.returncode, done.stderr

    def add(self, name, text, when=WHEN):
        path = self.maildir / name
        path.write_bytes(text)
        os.utime(path, (when, when))
        return path

    def left(self):
        return sorted(str(p.relative_to(self.maildir))
                      for p in self.maildir.rglob("*") if not p.is_dir())

    def new(self):
        """Contents of new/, oldest first, then by the counter in the name."""
        def key(path):
            count = path.name.split(".")[1].partition("_")[2]
            return path.stat().st_mtime, int(count or 1)
        return [p.read_bytes() for p in sorted((self.maildir / "new").iterdir(), key=key)]


def no_big_files():
    """In a child: writing beyond 50 kB fails, as on a full disk."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))


@pytest.fixture
def boxes(tmp_path):
    return Boxes(tmp_path)


# ---- maildir2mbox -------------------------------------------------------------------

@pytest.mark.parametrize("text, want", [
    (b"Return-Path: <a@b>\nX: y\n\nbody\n",
     b"From a@b " + DATE + b"\nReturn-Path: <a@b>\nX: y\n\nbody\n\n"),
    (b"Return-Path: <>\n\n", b"From MAILER-DAEMON " + DATE + b"\nReturn-Path: <>\n\n\n"),
    (b"X: y\n\nReturn-Path: <a@b>\n",
     b"From XXX " + DATE + b"\nX: y\n\nReturn-Path: <a@b>\n\n"),
    (b'Return-Path: <"a b\tc"@d>\n\nx\n',
     b'From "a-b-c"@d ' + DATE + b'\nReturn-Path: <"a b\tc"@d>\n\nx\n\n'),
    (b"", b"From XXX " + DATE + b"\n\n"),
    (b"X: y\n\nlast", b"From XXX " + DATE + b"\nX: y\n\nlast\n\n"),
    (b"X: y\n\nFrom a\n>From b\n From c\nFrom",
     b"From XXX " + DATE + b"\nX: y\n\n>From a\n>>From b\n From c\nFrom\n\n"),
    (b"X: y\n\n\0\xff\r\n", b"From XXX " + DATE + b"\nX: y\n\n\0\xff\r\n\n"),
])
def test_message(boxes, text, want):
    boxes.add("new/1", text)
    assert boxes.run() == (0, b"")
    assert boxes.mail.read_bytes() == want
    assert boxes.left() == [] and not boxes.tmp.exists()
    assert stat.S_IMODE(boxes.mail.stat().st_mode) == 0o600


def test_order_is_by_time_over_new_and_cur(boxes):
    boxes.mail.write_bytes(b"From old x\n\nold\n\n")
    for name, when in (("new/a", 5), ("cur/b:2,S", 3), ("new/c", 1), ("cur/d", 4), ("new/e", 2)):
        boxes.add(name, name.encode(), WHEN + when)
    assert boxes.run() == (0, b"")
    lines = boxes.mail.read_bytes()
    assert lines.startswith(b"From old x\n\nold\n\nFrom XXX ")
    assert [x for x in lines.split(b"\n") if x[:4] in (b"new/", b"cur/")] == [
        b"new/c", b"new/e", b"cur/b:2,S", b"cur/d", b"new/a"]
    assert boxes.left() == []


def test_nothing_to_do_touches_nothing(boxes):
    boxes.add("new/.hidden", b"x")
    boxes.add("tmp/half", b"x")
    assert boxes.run() == (0, b"")
    assert not boxes.mail.exists() and not boxes.tmp.exists()
    boxes.mail.write_bytes(b"x")
    before = boxes.mail.stat()
    assert boxes.run() == (0, b"")
    after = boxes.mail.stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    assert boxes.left() == ["new/.hidden", "tmp/half"]


@pytest.mark.parametrize("name", ["MAILDIR", "MAIL", "MAILTMP"])
@pytest.mark.parametrize("how", ["missing", "empty"])
def test_needs_its_environment(boxes, name, how):
    boxes.add("new/1", b"x\n")
    code, err = boxes.run(drop=[name]) if how == "missing" else boxes.run(**{name: ""})
    assert code == 111 and name.encode() in err
    assert boxes.left() == ["new/1"]


def test_mode_of_the_mbox_stays(boxes):
    boxes.mail.write_bytes(b"")
    boxes.mail.chmod(0o640)
    boxes.add("new/1", b"x\n")
    assert boxes.run() == (0, b"")
    assert stat.S_IMODE(boxes.mail.stat().st_mode) == 0o640


def test_an_mbox_that_was_cut_by_a_crash(boxes):
    boxes.mail.write_bytes(b"From a x\n\nhalf a li")
    boxes.add("new/1", b"x\n")
    assert boxes.run() == (0, b"")
    assert b"half a li\n\nFrom XXX " in boxes.mail.read_bytes()


def test_an_old_temporary_file_is_replaced(boxes):
    boxes.tmp.write_bytes(b"rest of a crash")
    boxes.add("new/1", b"x\n")
    assert boxes.run() == (0, b"")
    assert b"crash" not in boxes.mail.read_bytes() and not boxes.tmp.exists()


@pytest.mark.parametrize("what", ["the same file", "a directory", "a link", "no directory"])
def test_wrong_temporary_file(boxes, what):
    boxes.mail.write_bytes(b"From a\n\nx\n\n")
    boxes.add("new/1", b"x\n")
    other = boxes.path / "other"
    other.write_bytes(b"o")
    if what == "the same file":
        boxes.tmp = boxes.mail
    elif what == "a directory":
        boxes.tmp.mkdir()
    elif what == "a link":
        boxes.tmp.symlink_to(other)
    else:
        boxes.tmp = boxes.path / "nowhere/tmp"
    assert boxes.run()[0] == 111
    assert boxes.mail.read_bytes() == b"From a\n\nx\n\n" and other.read_bytes() == b"o"
    assert boxes.left() == ["new/1"]


def test_an_mbox_that_is_a_link_is_refused(boxes):
    target = boxes.path / "target"
    target.write_bytes(b"")
    boxes.mail.symlink_to(target)
    boxes.add("new/1", b"x\n")
    assert boxes.run()[0] == 111
    assert boxes.mail.is_symlink() and boxes.left() == ["new/1"]


def test_no_space_loses_nothing(boxes):
    boxes.mail.write_bytes(b"From a\n\nold\n\n")
    boxes.add("new/1", b"x\n" * 100_000)
    code, err = boxes.run(limit=no_big_files)
    assert code == 111 and err.count(b"\n") == 1
    assert boxes.mail.read_bytes() == b"From a\n\nold\n\n"
    assert boxes.left() == ["new/1"] and not boxes.tmp.exists()
    assert boxes.run() == (0, b"")
    assert boxes.left() == []


@pytest.mark.parametrize("take", [fcntl.flock, fcntl.lockf])
def test_waits_for_the_lock(boxes, take):
    boxes.add("new/1", b"mine\n")
    with open(boxes.mail, "ab") as f:
        take(f, fcntl.LOCK_EX)
        result = []
        thread = threading.Thread(target=lambda: result.append(boxes.run()))
        thread.start()
        f.write(b"From other x\n\nother\n\n")
        f.flush()
        take(f, fcntl.LOCK_UN)
    thread.join()
    assert result == [(0, b"")]
    text = boxes.mail.read_bytes()
    assert b"other\n\n" in text and b"mine\n\n" in text


def test_a_delivery_that_waits_meanwhile_is_not_lost(boxes):
    """The mbox is replaced while qmail-local waits for its lock."""
    home = boxes.path / "home"
    home.mkdir(mode=0o700)
    mbox = home / "Mailbox"
    message = boxes.path / "message"
    message.write_bytes(b"Subject: late\n\nlate\n")
    with open(mbox, "ab") as old, open(message, "rb") as f:
        fcntl.flock(old, fcntl.LOCK_EX)
        process = subprocess.Popen(
            [lib.bin_dir() / "qmail-local", "--", "joe", str(home), "joe", "", "", "h", "s@x",
             "./Mailbox"], stdin=f, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        lib.wait_until(lambda: has_open(process.pid, mbox), what="its open of the mbox")
        copy = home / "copy"
        copy.write_bytes(b"From new x\n\nnew\n\n")
        copy.rename(mbox)
    out, _ = process.communicate(timeout=lib.TIMEOUT_S)
    assert process.returncode == 0, out
    text = mbox.read_bytes()
    assert text.startswith(b"From new x\n") and b"\nSubject: late\n" in text


def has_open(pid, path):
    for fd in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(OSError):  # it is closed just now
            if os.readlink(f"/proc/{pid}/fd/{fd}") == str(path):
                return True
    return False


def test_many_at_once_move_each_message_once(boxes):
    for i in range(60):
        boxes.add(f"new/{i}", b"number %d\n" % i)
    threads = [threading.Thread(target=boxes.run) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    text = boxes.mail.read_bytes()
    for i in range(60):
        assert text.count(b"\nnumber %d\n" % i) == 1
    assert boxes.left() == []


# ---- mbox2maildir -------------------------------------------------------------------

def test_split(boxes):
    boxes.mail.write_bytes(
        b"From a@b " + DATE + b"\nReturn-Path: <a@b>\n\n>From x\n>>From y\n\n\n"
        b"From c Thu Jan 01 00:00:00 1970\n\nsecond\n\nFrom d\n\nlast line")
    assert boxes.run("mbox2maildir") == (0, b"")
    files = {p.read_bytes(): p for p in (boxes.maildir / "new").iterdir()}
    assert set(files) == {b"Return-Path: <a@b>\n\nFrom x\n>From y\n\n",
                          b"\nsecond\n", b"\nlast line"}
    assert files[b"\nsecond\n"].stat().st_mtime == 0
    first = files[b"Return-Path: <a@b>\n\nFrom x\n>From y\n\n"]
    assert first.stat().st_mtime == WHEN
    assert stat.S_IMODE(first.stat().st_mode) == 0o600
    assert boxes.mail.read_bytes() == b""
    assert all(n.startswith("new/") for n in boxes.left())


def test_there_and_back(boxes):
    texts = [b"Return-Path: <a@b>\nX: %d\n\nFrom a\n>>>From b\n\n\nbody\n\n" % i for i in range(20)]
    texts += [b"X: y\n\n" + b">" * 100_000 + b"\n" + b"x" * 200_000 + b"\n", b"\n", b""]
    for i, text in enumerate(texts):
        boxes.add(f"new/{i:03}", text, WHEN + i)
    assert boxes.run() == (0, b"")
    assert boxes.run("mbox2maildir") == (0, b"")
    assert boxes.new() == texts
    assert [int(p.stat().st_mtime) - WHEN for p in sorted(
        (boxes.maildir / "new").iterdir(), key=lambda p: p.stat().st_mtime)
    ] == list(range(len(texts)))


@pytest.mark.parametrize("mbox", [None, b""])
def test_no_mail(boxes, mbox):
    if mbox is not None:
        boxes.mail.write_bytes(mbox)
    assert boxes.run("mbox2maildir", MAILDIR="/nonexistent/dir") == (0, b"")
    assert boxes.mail.exists() == (mbox is not None)


@pytest.mark.parametrize("name", ["MAILDIR", "MAIL"])
def test_mbox2maildir_needs_its_environment(boxes, name):
    boxes.mail.write_bytes(b"From a\n\nx\n")
    code, err = boxes.run("mbox2maildir", drop=[name])
    assert code == 111 and name.encode() in err


def test_a_file_that_is_no_mbox_stays(boxes):
    boxes.mail.write_bytes(b"Dear diary,\n\nFrom here on\n")
    code, err = boxes.run("mbox2maildir")
    assert code == 111 and b"is not an mbox" in err
    assert boxes.mail.read_bytes() == b"Dear diary,\n\nFrom here on\n"
    assert boxes.left() == []


@pytest.mark.parametrize("missing", ["tmp", "new"])
def test_a_failure_leaves_nothing_behind(boxes, missing):
    text = b"From a\n\nx\n\nFrom b\n\ny\n\n"
    boxes.mail.write_bytes(text)
    (boxes.maildir / missing).rmdir()
    assert boxes.run("mbox2maildir")[0] == 111
    assert boxes.mail.read_bytes() == text and boxes.left() == []


def test_mbox2maildir_without_space(boxes):
    text = b"From a\n\nx\n\nFrom b\n\n" + b"y" * 100_000 + b"\n\n"
    boxes.mail.write_bytes(text)
    code, _ = boxes.run("mbox2maildir", limit=no_big_files)
    assert code == 111
    assert boxes.mail.read_bytes() == text and boxes.left() == []


@pytest.mark.parametrize("take", [fcntl.flock, fcntl.lockf])
def test_mbox2maildir_waits_for_the_lock(boxes, take):
    with open(boxes.mail, "ab") as f:
        take(f, fcntl.LOCK_EX)
        f.write(b"From a\n\nfirst\n\n")
        f.flush()
        result = []
        thread = threading.Thread(target=lambda: result.append(boxes.run("mbox2maildir")))
        thread.start()
        f.write(b"From b\n\nsecond\n\n")
        f.flush()
        take(f, fcntl.LOCK_UN)
    thread.join()
    assert result == [(0, b"")]
    assert sorted(boxes.new()) == [b"\nfirst\n", b"\nsecond\n"]
