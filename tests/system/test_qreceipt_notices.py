"""qreceipt: who gets a notice, and what it says."""

import re
import subprocess

import pytest

import lib
from local_box import Box

FIELD = b"Notice-Requested-Upon-Delivery-To: "


@pytest.fixture
def box(tmp_path):
    return Box(tmp_path)


def run(box, *args, message=b"", sender="s@x.org", drop=()):
    env = {k: v for k, v in box.env(SENDER=sender).items() if k not in drop}
    done = subprocess.run([lib.bin_dir() / "qreceipt", *args], input=message,
                          capture_output=True, timeout=lib.TIMEOUT_S, env=env)
    assert done.stdout == b""
    return done.returncode, done.stderr


def test_notice(box):
    message = (b"From: s@x.org\nMessage-Id: <1@x.org>\n" + FIELD + b"joe@h.org\n"
               b"Message-ID: <2@x.org>\n\nthe body\n")
    assert run(box, "joe@h.org", message=message) == (0, b"")
    notice, envelope = box.queued()
    assert envelope == b"F\0Ts@x.org\0\0"
    header, body = notice.split(b"\n\n", 1)
    lines = header.split(b"\n")
    assert re.fullmatch(rb"Date: \d+ \w{3} \d{4} [\d:]{8} -0000", lines[0])
    assert lines[1:] == [b"From: s@x.org", b"To: s@x.org", b"Subject: success notice"]
    assert b"joe@h.org\n" in body and b"Message-Id: <1@x.org>\n" in body
    assert b"the body" not in notice and b"<2@x.org>" not in notice


@pytest.mark.parametrize("field", [
    FIELD + b"joe@h.org", FIELD.lower() + b"<joe@h.org>", FIELD + b"a@b, Joe <joe@h.org>, c@d",
    FIELD + b"a@b,\n\tjoe@h.org", FIELD + b"x@y\n" + FIELD + b"joe@h.org",
    b"Notice-Requested-Upon-Delivery-To : joe@h.org (me)"])
def test_asked(box, field):
    assert run(box, "joe@h.org", message=field + b"\n\n") == (0, b"")
    assert box.queued()[1] == b"F\0Ts@x.org\0\0"
    assert b"no Message-ID" in box.queued()[0]


@pytest.mark.parametrize("message", [
    b"", b"To: joe@h.org\n\n", b"\n" + FIELD + b"joe@h.org\n", FIELD + b"JOE@h.org\n",
    FIELD + b"xjoe@h.org\n", FIELD + b"joe@h.organ\n", FIELD + b"joe\n", FIELD + b"\n",
    b"X: y\nbody\n" + FIELD + b"joe@h.org\n", FIELD + b"(joe@h.org)\n",
    FIELD + b"joe@h.org (unbalanced\n"])
def test_not_asked(box, message):
    assert run(box, "joe@h.org", message=message) == (0, b"")
    assert box.queued() is None


@pytest.mark.parametrize("sender", ["", "#@[]"])
def test_no_notice_for_bounces(box, sender):
    assert run(box, "j@h", message=FIELD + b"j@h\n\n", sender=sender) == (0, b"")
    assert box.queued() is None


def test_usage(box):
    for args in ((), ("a", "b")):
        assert run(box, *args)[0] == 100
    code, err = run(box, "a@b", drop=["SENDER"])
    assert code == 100 and b"SENDER" in err


@pytest.mark.parametrize("code, want", [(31, 100), (53, 111), (81, 111)])
def test_refused_by_the_queue(box, code, want):
    (box.store / "exit").write_text(f"{code}\n")
    got, err = run(box, "j@h", message=FIELD + b"j@h\n\n")
    assert got == want and err.startswith(b"qreceipt: fatal: ")


def test_a_hostile_sender_adds_no_field(box):
    assert run(box, "j@h", message=FIELD + b"j@h\nMessage-ID: <\r\x1b[2J>\n\n",
               sender="a\nBcc: v@w\n\n@x") == (0, b"")
    notice = box.queued()[0]
    header = notice.split(b"\n\n")[0]
    assert header.count(b"\n") == 3 and b"\x1b" not in notice


def test_in_dot_qmail(instance):
    home = instance.user_home("test")
    path = home / ".qmail"
    path.write_text("|qreceipt test@test.example\n./Maildir/\n")
    path.chmod(0o600)
    lib.give(path)
    instance.add_user("asker")
    instance.send_smtp(FIELD + b"test@test.example\nMessage-ID: <q@r>\n\nx\n",
                       sender="asker@test.example", to=["test"])
    (path,) = instance.wait_maildir("asker", 1)
    text = path.read_bytes()
    assert text.startswith(b"Return-Path: <>\n")
    assert b"\nSubject: success notice\n" in text and b"Message-ID: <q@r>" in text
