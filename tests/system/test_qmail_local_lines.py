"""qmail-local by hand: each kind of line, and what it leaves behind."""

import fcntl
import os
import re
import resource
from concurrent.futures import ThreadPoolExecutor

import pytest

from lib import wait_until
from local_box import MESSAGE, Box

DATE = rb"[A-Z][a-z]{2} [A-Z][a-z]{2} \d\d \d\d:\d\d:\d\d \d{4}"


@pytest.fixture
def box(tmp_path):
    return Box(tmp_path)


# ---- default delivery, mbox, maildir ------------------------------------------

TABLE = b"From me\nSubject: x\n\nFrom a\n>From b\n From d\nfrom e\nFrom\nFrom: x\nlast"


@pytest.mark.parametrize("message, sender, local, mbox", [
    (TABLE, "s\ta b@x", "joe",
     [b"From s-a-b@x DATE", b'Return-Path: <"s\ta b"@x>', b"Delivered-To: joe@h", b">From me",
      b"Subject: x", b"", b">From a", b">>From b", b" From d", b"from e", b"From", b"From: x",
      b"last", b"", b""]),
    (b"", "a..b@x", "joe",
     [b"From a..b@x DATE", b'Return-Path: <"a..b"@x>', b"Delivered-To: joe@h", b"", b""]),
    (b"x\0y\r\n\n", "#@[]", "joe",
     [b"From #@[] DATE", b"Return-Path: <#@[]>", b"Delivered-To: joe@h", b"x\0y\r", b"", b"", b""]),
    (MESSAGE, "", 'j"o',
     [b"From MAILER-DAEMON DATE", b"Return-Path: <>", b'Delivered-To: j"o@h',
      *MESSAGE.split(b"\n"), b""]),
])
def test_bytes_of_mbox_and_maildir(box, message, sender, local, mbox):
    box.maildir()
    assert box.deliver(message, sender=sender, local=local) == (0, b"did 1+0+0\n", b"")
    assert box.deliver(message, sender=sender, local=local, default="./Maildir/")[0] == 0
    got = box.read("Mailbox")
    assert re.sub(rb"\A(From \S+ )" + DATE, rb"\1DATE", got).split(b"\n") == mbox
    (path,) = box.new()
    assert path.read_bytes() == b"\n".join(mbox[1:3]) + b"\n" + message
    assert path.stat().st_mode & 0o777 == 0o600
    assert (box.home / "Mailbox").stat().st_mode & 0o777 == 0o600
    assert os.listdir(box.home / "Maildir/tmp") == []


def test_maildir_names(box):
    box.maildir()
    host = os.uname().nodename[:63]
    box.dotqmail("", "./Maildir/\n./Maildir/\n")
    assert box.deliver()[:2] == (0, b"did 2+0+0\n")
    names = [path.name for path in box.new()]
    first = [name for name in names if re.fullmatch(r"\d+\.\d+\." + re.escape(host), name)]
    second = [name for name in names if re.fullmatch(r"\d+\.\d+_2\." + re.escape(host), name)]
    assert len(first) == 1 and len(second) == 1 and len(names) == 2


def test_mbox_appends(box):
    (box.home / "Mailbox").write_bytes(b"From old\n\nx\n\n")
    assert box.deliver()[0] == 0
    assert box.read("Mailbox").startswith(b"From old\n\nx\n\nFrom s@x ")


def test_a_large_message_is_exact(box):
    box.maildir()
    message = b"Subject: big\n\n" + b"".join(
        b"From %d\0\xff line\n" % n for n in range(1000000))
    assert len(message) > 18 * 1000 * 1000
    box.dotqmail("", "./Maildir/\n./Mailbox\n|cmp - \"$COPY\"\n&f@y\n")
    (box.path / "copy").write_bytes(message)
    env = box.env(COPY=str(box.path / "copy"))
    code, out, err = box.deliver(message, env=env)
    assert code == 0, err
    (path,) = box.new()
    head = b"Return-Path: <s@x>\nDelivered-To: joe@h\n"
    assert path.read_bytes() == head + message
    mbox = box.read("Mailbox").partition(b"\n")[2]
    assert mbox == head + message.replace(b"\nFrom ", b"\n>From ") + b"\n"
    assert box.queued()[0] == b"Delivered-To: joe@h\n" + message


def test_a_hundred_at_once(box):
    box.maildir()
    box.dotqmail("", "./Mailbox\n./Maildir/\n")

    def one(n):
        message = b"Subject: %d\n\n%s\n" % (n, b"x" * n * 100)
        done = box.deliver(message)
        # 30 seconds may not be enough for the lock, if the disk is slow
        while done[0] == 111 and b"lock" in done[2]:
            done = box.deliver(message)
        return done

    with ThreadPoolExecutor(100) as pool:
        results = list(pool.map(one, range(100)))
    assert all(code == 0 for code, _, _ in results), results
    bodies = {path.read_bytes() for path in box.new()}
    assert len(box.new()) == 100 and len(bodies) == 100
    mbox = box.read("Mailbox")
    for n in range(100):
        assert b"\nDelivered-To: joe@h\nSubject: %d\n\n%s\n\n" % (n, b"x" * n * 100) in mbox
    assert len(re.findall(rb"^From s@x ", mbox, re.M)) == 100


@pytest.mark.parametrize("target", ["./Mailbox", "./Maildir/"])
def test_a_full_disk_leaves_nothing_behind(box, target):
    box.maildir()
    (box.home / "Mailbox").write_bytes(b"From old\n\nx\n\n")
    box.dotqmail("", target + "\n&f@y\n")

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (100000, 100000))

    message = b"Subject: x\n\n" + b"y" * 99 * 3000
    code, out, err = box.deliver(message, before=limit)
    assert code == 111 and err.endswith(b"(#4.3.0)\n")
    assert box.read("Mailbox") == b"From old\n\nx\n\n"
    assert box.new() == [] and os.listdir(box.home / "Maildir/tmp") == []
    assert box.queued() is None


def test_maildir_that_is_not_there(box):
    code, _, err = box.deliver(default="./Maildir/")
    assert code == 111 and err.endswith(b"(#4.2.1)\n")
    (box.home / "Maildir").mkdir()
    for present in ((), ("tmp",), ("new",)):
        for name in present:
            (box.home / "Maildir" / name).mkdir()
        code, _, err = box.deliver(default="./Maildir/")
        assert code == 111 and err.endswith(b"(#4.3.0)\n"), present
        for name in present:
            (box.home / "Maildir" / name).rmdir()  # nothing is in it


def test_mbox_that_cannot_be_one(box):
    (box.home / "dir").mkdir()
    os.mkfifo(box.home / "fifo")
    for name in ("./dir", "./fifo", "./no/such", "/dev/null"):
        code, _, err = box.deliver(default=name)
        assert code == 111 and err.endswith(b"(#4.2.1)\n"), name


@pytest.mark.parametrize("take", [fcntl.flock, fcntl.lockf])
def test_mbox_waits_for_the_lock(box, take):
    box.dotqmail("", "|: >started\n./Mailbox\n")
    (box.home / "Mailbox").write_bytes(b"")
    with open(box.home / "Mailbox", "ab") as held, ThreadPoolExecutor(1) as pool:
        take(held, fcntl.LOCK_EX)
        waiting = pool.submit(box.deliver)
        wait_until((box.home / "started").exists)
        held.write(b"From first\n\n\n")
        held.flush()
        take(held, fcntl.LOCK_UN)
        assert waiting.result()[0] == 0
    assert box.read("Mailbox").startswith(b"From first\n\n\nFrom s@x")


# ---- programs -------------------------------------------------------------------

CODES = {0: 0, 99: 0, 100: 100, 64: 100, 65: 100, 70: 100, 76: 100, 77: 100, 78: 100, 112: 100,
         1: 111, 2: 111, 66: 111, 71: 111, 74: 111, 75: 111, 111: 111, 126: 111, 127: 111, 255: 111}


@pytest.mark.parametrize("code", sorted(CODES))
def test_exit_codes_of_programs(box, code):
    box.dotqmail("", f"before@y\n|echo words; exit {code}\nafter@y\n|echo more\n")
    got, out, err = box.deliver()
    assert got == CODES[code]
    if code == 99:
        assert re.fullmatch(rb"words\ndid 0\+1\+1\nqp \d+\n", out)
        assert box.queued()[1] == b"Fs@x\0Tbefore@y\0\0"
    elif code == 0:
        assert re.fullmatch(rb"words\nmore\ndid 0\+2\+2\nqp \d+\n", out)
        assert box.queued()[1] == b"Fs@x\0Tbefore@y\0Tafter@y\0\0"
    else:
        assert (out, err) == (b"words\n", b"")  # no text is added
        assert box.queued() is None


def test_killed_program(box):
    box.dotqmail("", "|kill -9 $$\n")
    code, _, err = box.deliver()
    assert code == 111 and err.endswith(b"(#4.3.0)\n")


def test_what_a_program_gets(box):
    box.dotqmail("-a-default", "|cat >message; pwd >pwd; umask >umask; ls -l /proc/self/fd >fds; env -0 >env\n"
                 "|cat >again\n|kill -PIPE $$; touch alive\n")
    env = box.env(INHERITED="yes", DEFAULT="old", SENDER="old")
    code, _, err = box.deliver(b"x\n", env=env, local="joe-a-B.c-d", dash="-", ext="a-B.c-d",
                               domain="a.b.c.d.example", sender="s a@x")
    assert code == 111  # the last line
    assert not (box.home / "alive").exists()
    assert box.read("message") == box.read("again") == b"x\n"
    assert box.read("pwd").strip() == os.fsencode(box.home.resolve())
    assert box.read("umask").strip() == b"0077"
    fds = set(re.findall(rb" (\d+) ->", box.read("fds")))
    assert fds <= {b"0", b"1", b"2", b"3"}, fds  # 3: the directory that ls reads
    seen = dict(item.split(b"=", 1) for item in box.read("env").split(b"\0") if item)
    date = seen[b"UFLINE"].split(b" ", 2)[2]
    assert re.fullmatch(DATE + rb"\n", date)
    for name, value in {
            b"HOST": b"a.b.c.d.example", b"HOST2": b"a.b.c.d", b"HOST3": b"a.b.c", b"HOST4": b"a.b",
            b"HOME": os.fsencode(box.home), b"USER": b"joe", b"LOCAL": b"joe-a-B.c-d",
            b"RECIPIENT": b"joe-a-B.c-d@a.b.c.d.example", b"EXT": b"a-B.c-d", b"EXT2": b"B.c-d",
            b"EXT3": b"d", b"EXT4": b"", b"DEFAULT": b"B.c-d", b"SENDER": b"s a@x",
            b"NEWSENDER": b"s a@x", b"DTLINE": b"Delivered-To: joe-a-B.c-d@a.b.c.d.example\n",
            b"RPLINE": b'Return-Path: <"s a"@x>\n', b"UFLINE": b"From s-a@x " + date,
            b"INHERITED": b"yes"}.items():
        assert seen[name] == value, name


def test_addresses_reach_no_shell(box):
    evil = "() { :;}; touch owned"
    box.dotqmail("-default", '|printf "%s\\n" "$SENDER" "$EXT" "$LOCAL" "$HOST" "$DEFAULT" >seen\n')
    code, _, err = box.deliver(dash="-", ext=evil, local="$(touch owned)", domain="`touch owned`",
                               sender=evil)
    assert code == 0, err
    assert not (box.home / "owned").exists()
    assert box.read("seen").decode().split("\n") == [
        " " + evil, " " + evil, "$(touch owned)", "`touch owned`", " " + evil, ""]


def test_a_child_left_behind_does_not_hold_the_delivery(box):
    box.dotqmail("", "|sleep 300 >/dev/null 2>&1 & echo $! >pid\n")
    try:
        assert box.deliver()[0] == 0
    finally:
        os.kill(int(box.read("pid")), 9)


# ---- forwards -------------------------------------------------------------------

def test_forwards_go_in_one_submission(box):
    box.dotqmail("", "a@b\n&c d@e\n f@g\n&\n:h\n|exit 0\n")
    code, out, _ = box.deliver(b"From x\nSubject: y\n\nz")
    assert code == 0 and re.fullmatch(rb"did 0\+5\+1\nqp \d+\n", out)
    assert box.queued() == (b"Delivered-To: joe@h\nFrom x\nSubject: y\n\nz",
                            b"Fs@x\0Ta@b\0Tc d@e\0T f@g\0T\0T:h\0\0")


@pytest.mark.parametrize("code, want, text", [
    (31, 100, b"mail server permanently rejected message (#5.3.0)"),
    (11, 100, b"envelope address too long for qq (#5.1.3)"),
    (53, 111, b"qq write error or disk full (#4.3.0)"),
    (71, 111, b"mail server temporarily rejected message (#4.3.0)"),
])
def test_refused_forwards(box, code, want, text):
    box.dotqmail("", "|echo first\na@b\n")
    (box.store / "exit").write_text(str(code))
    assert box.deliver() == (want, b"first\n", b"Unable to forward message: " + text + b".\n")


@pytest.mark.parametrize("files, sender, want", [
    ([], "s@x", b"s@x"),
    (["-l-owner"], "s@x", b"joe-l-owner@h"),
    (["-l-owner", "-l-owner-default"], "s@x", b"joe-l-owner-@h-@[]"),
    (["-l-owner-default"], "s@x", b"s@x"),
    (["-l-owner", "-l-owner-default"], "", b""),
    (["-l-owner", "-l-owner-default"], "#@[]", b"#@[]"),
])
def test_newsender(box, files, sender, want):
    box.dotqmail("-l", '|printf %s "$NEWSENDER" >newsender\na@b\n')
    for name in files:
        (box.home / (".qmail" + name)).mkdir()  # any type will do
    assert box.deliver(local="joe-l", dash="-", ext="l", sender=sender)[0] == 0
    assert box.queued()[1] == b"F" + want + b"\0Ta@b\0\0"
    assert box.read("newsender") == want


def test_newsender_without_an_extension(box):
    box.dotqmail("", "a@b\n")
    box.dotqmail("-owner", "")
    assert box.deliver()[0] == 0
    assert box.queued()[1] == b"Fjoe-owner@h\0Ta@b\0\0"


def test_newsender_of_a_default_file_uses_the_whole_extension(box):
    box.dotqmail("-l-default", "a@b\n")
    box.dotqmail("-l-owner", "")
    assert box.deliver(local="joe-l-x", dash="-", ext="l-x")[0] == 0
    assert box.queued()[1] == b"Fs@x\0Ta@b\0\0"


def test_a_failure_stops_everything(box):
    box.maildir()
    box.dotqmail("", "a@b\n./Maildir/\n|exit 111\n./Mailbox\n")
    code, out, err = box.deliver()
    assert (code, out, err) == (111, b"", b"")
    assert len(box.new()) == 1 and not (box.home / "Mailbox").exists()
    assert box.queued() is None
