"""One line for each login and each session: who, from where, what came of it."""

import re
import time

import pytest

import lib
from servers import Conversation

ENV = {"TCPREMOTEIP": "192.0.2.7", "USER": "joe"}


@pytest.fixture
def maildir(home):
    path = home.base / "Maildir"
    for one in (path, *(path / d for d in ("tmp", "new", "cur"))):
        one.mkdir()
        lib.give(one)
    for number in range(3):
        message = path / "new" / f"{number}.x"
        message.write_bytes(b"Subject: x\n\nbody\n")
        lib.give(message)
    lib.wait_until(lambda: time.time() > message.stat().st_mtime + 0.01)
    return path


def line_of(program, one, env=ENV):
    """What it logged, without name, process and address."""
    ip = re.escape(env.get("TCPREMOTEIP", "unknown")).replace(r"\ ", "_")
    lib.wait_until(lambda: one.process.poll() is not None)
    match = re.fullmatch(rf"{program}: pid={one.process.pid} ip={ip} (.*)\n", one.log())
    assert match, one.log()
    return match[1]


SESSIONS = [
    ("nothing asked for", ["QUIT"], "result=quit messages=3 retrieved=0 deleted=0"),
    ("sent and removed", ["RETR 1", "RETR 1", "RETR 2", "TOP 3 0", "DELE 1", "QUIT"],
     "result=quit messages=3 retrieved=3 deleted=1"),
    ("taken back", ["DELE 1", "DELE 2", "RSET", "DELE 3", "QUIT"],
     "result=quit messages=3 retrieved=0 deleted=1"),
    ("lost: nothing is removed", ["RETR 1", "DELE 1"],
     "result=lost messages=3 retrieved=1 deleted=0"),
]


@pytest.mark.parametrize("commands,want", [s[1:] for s in SESSIONS],
                         ids=[s[0] for s in SESSIONS])
def test_sessions(home, maildir, commands, want):
    with Conversation(home, "qmail-pop3d", maildir, env=ENV) as one:
        one.send("".join(c + "\r\n" for c in commands))
        one.rest()
        assert line_of("qmail-pop3d", one) == "user=joe " + want


def test_what_cannot_be_removed_does_not_count(home, maildir):
    with Conversation(home, "qmail-pop3d", maildir, env=ENV) as one:
        one.line()
        assert one.ask("DELE 1") == "+OK "
        (maildir / "new/0.x").unlink()
        (maildir / "new/0.x").mkdir()
        assert one.ask("QUIT").startswith("-ERR")
        one.rest()
        assert line_of("qmail-pop3d", one).endswith(" deleted=0")


def test_no_maildir(home):
    with Conversation(home, "qmail-pop3d", "/nonexistent", env={}) as one:
        one.rest()
        user = home.user.pw_name
        assert line_of("qmail-pop3d", one, {}) == (
            f"user={user} result=no-maildir messages=0 retrieved=0 deleted=0")


@pytest.mark.parametrize("user,shown", [
    ("a b", "a_b"), ("x\nresult=quit", "x/result=quit"), ("%s%n", "_s_n"),
    ("u" * 1000, "u" * 200)], ids=range(4))
def test_values_are_one_field(home, maildir, user, shown):
    env = {"USER": user, "TCPREMOTEIP": "1 2"}
    with Conversation(home, "qmail-pop3d", maildir, env=env) as one:
        one.send("QUIT\r\n")
        one.rest()
        assert line_of("qmail-pop3d", one, env).startswith(f"user={shown} result=quit ")


LOGINS = [
    ("/bin/true", "USER joe\r\nPASS x\r\n", "result=accept"),
    ("/bin/false", "USER joe\r\nPASS x\r\n", "result=reject status=1"),
    ("/bin/true", "APOP joe x\r\n", "result=accept"),
    ("/bin/true", "AUTH PLAIN AGpvZQB4\r\n", "result=accept"),
    ("/nonexistent/x", "USER joe\r\nPASS x\r\n", "result=reject status=1"),
    ("/bin/true", "USER joe\r\nPASS " + "x" * 490 + "\r\n",
     "result=reject why=too-long"),
]


@pytest.mark.parametrize("program,commands,want", LOGINS, ids=range(len(LOGINS)))
def test_logins(home, program, commands, want):
    with Conversation(home, "qmail-popup", "h.example", program, env=ENV) as one:
        one.send(commands)
        one.rest()
        last = one.log().splitlines(True)[-1]
        assert re.fullmatch(rf"qmail-popup: pid={one.process.pid} ip=192\.0\.2\.7 "
                            rf"user=joe {want}\n", last)


def test_no_login_no_line(home):
    with Conversation(home, "qmail-popup", "h.example", "/bin/true", env=ENV) as one:
        one.send("USER joe\r\nQUIT\r\n")
        one.rest()
        assert one.log() == ""
