"""qmail-popup and qmail-pop3d: statements that no other test holds."""

import os
import re
import shutil
import subprocess
import time

import lib
import pytest
from servers import Conversation, wait_asleep
from test_qmail_pop3d_sessions import Maildir, multi

# a wait of as much, or of what some seconds of a slow machine leave of it
NEAR_1200_S = r"fd=0, events=POLLIN\}\], 1, 1(19\d|200)\d{3}\)"
needs_strace = pytest.mark.skipif(
    not shutil.which("strace"), reason="strace is not installed")


@pytest.fixture
def maildir(home):
    return Maildir(home)


@pytest.fixture
def talk(home):
    """A factory of conversations with a program; nothing has been read."""
    open_ones = []

    def start(*argv, **more):
        open_ones.append(Conversation(home, *argv, **more))
        return open_ones[-1]

    yield start
    for one in open_ones:
        one.__exit__()


@pytest.fixture
def script(home):
    """script(text): a program at home.base/tools/checker."""
    def make(text):
        folder = home.base / "tools"
        folder.mkdir()
        (folder / "checker").write_text(text)
        (folder / "checker").chmod(0o755)
        return folder
    return make


# ---- qmail-popup ----------------------------------------------------------------

def login(one, user="USER joe", secret="PASS x"):
    assert one.line().startswith("+OK <")
    assert one.ask(user) == "+OK "
    one.send(secret + "\r\n")


def test_the_subprogram_is_found_along_the_path(talk, script, home):
    folder = script("#!/bin/sh\necho \"$# $1 $2\"\n")
    one = talk("qmail-popup", "pop.example", "checker", "next", "Maildir",
               env={"PATH": f"/nonexistent:{folder}:/usr/bin:/bin"})
    login(one)
    assert one.rest() == b"2 next Maildir\n"
    assert one.process.wait(lib.TIMEOUT_S) == 1


def test_the_subprogram_keeps_descriptor_2(talk, script):
    folder = script("#!/bin/sh\necho said >&2\n")
    one = talk("qmail-popup", "pop.example", folder / "checker")
    login(one)
    assert one.end() == 1
    assert one.log().startswith("said\n")


def test_it_waits_for_the_subprogram(talk, script):
    folder = script("#!/bin/sh\nread word\necho got $word\nexit ${word%?}\n")
    one = talk("qmail-popup", "pop.example", folder / "checker")
    login(one)
    assert one.process.poll() is None
    one.send("0\r\n")
    assert one.rest() == b"got 0\r\n"  # and nothing after it
    assert one.process.wait(lib.TIMEOUT_S) == 1


@pytest.mark.parametrize("secret, want", [
    ("PASS  a  b ", b"joe\0a  b \0"), ("PASS x\ty", b"joe\0x\ty\0")])
def test_what_descriptor_3_holds(talk, script, secret, want):
    folder = script("#!/bin/sh\ncat <&3\n")
    one = talk("qmail-popup", "pop.example", folder / "checker")
    banner = one.line()[4:]
    assert re.fullmatch(r"<\d+\.\d+@pop\.example>", banner)
    assert one.ask("USER joe") == "+OK "
    one.send(secret + "\r\n")
    assert one.rest() == want + banner.encode() + b"\0"


def test_end_without_quit_is_1(talk):
    one = talk("qmail-popup", "pop.example", "true")
    assert one.line().startswith("+OK <")
    assert one.end() == 1


@needs_strace
def test_time_that_a_client_has(talk, home):
    calls = home.base / "calls"
    one = talk(shutil.which("strace"), "-e", "trace=poll,ppoll", "-o", calls,
               home.bin / "qmail-popup", "pop.example", "true")
    assert one.line().startswith("+OK <")
    wait_asleep(home, "qmail-popup")
    assert one.ask("QUIT") == "+OK "
    assert one.end() == 1
    assert re.search(NEAR_1200_S, calls.read_text())


# ---- the checkpassword interface -------------------------------------------------

CHECKER = r"""#!/usr/bin/python3
import os, sys
user, password, stamp, rest = os.read(3, 512).split(b"\0")
if password == b"later":
    sys.exit(111)
if password != b"secret" or rest:
    sys.exit(1)
os.close(3)
os.chdir(os.environ["BOX"])
os.environ.update(USER=user.decode(), HOME=os.environ["BOX"], SHELL="/bin/sh")
os.execvp(sys.argv[1], sys.argv[1:])
"""


@pytest.mark.parametrize("password, letter", [
    ("secret", "+"), ("wrong", "-"), ("later", "-")])
def test_another_checker(talk, script, maildir, home, password, letter):
    """Any program with the interface of checkpassword will do."""
    maildir.add("1", b"S: a\n\nb\n")
    folder = script(CHECKER)
    one = talk("qmail-popup", "pop.example", folder / "checker",
               home.bin / "qmail-pop3d", "Maildir", env={"BOX": home.base})
    login(one, secret=f"PASS {password}")
    reply = one.line()
    assert reply == ("+OK " if letter == "+" else "-ERR authorization failed")
    if letter == "+":
        assert one.ask("STAT") == "+OK 1 11"
        assert one.ask("QUIT") == "+OK "
    assert one.end() == 1


# ---- qmail-pop3d ------------------------------------------------------------------

def greeted(one):
    assert one.line() == "+OK "
    return one


def test_waste_goes_by_its_time_of_access(talk, maildir):
    now = time.time()
    for name, accessed, modified in [("read", 35, 99), ("old", 37, 1), ("new", 1, 1),
                                     (".hidden", 99, 99)]:
        path = maildir.add(name, b"x", sub="tmp")
        os.utime(path, (now - accessed * 3600, now - modified * 3600))
    greeted(talk("qmail-pop3d", maildir.path))
    assert sorted(os.listdir(maildir.path / "tmp")) == [".hidden", "new", "read"]


@pytest.mark.parametrize("command, reply", [
    ("LIST 2x", "+OK 2 3"), ("UIDL 02", "+OK 2 2"), ("LIST -1", "-ERR syntax error"),
    ("UIDL x", "-ERR syntax error"), ("LIST 0", "-ERR messages are counted from 1"),
    ("DELE 3", "-ERR not that many messages"), ("dele 1", "+OK ")])
def test_numbers(talk, maildir, command, reply):
    maildir.add("1", b"a\n", 200)
    maildir.add("2", b"b\n", 100)
    assert greeted(talk("qmail-pop3d", maildir.path)).ask(command) == reply


def test_last_counts_dele_only(talk, maildir):
    for name in "123":
        maildir.add(name, b"a\n\nb\n", 1000 - int(name))
    one = greeted(talk("qmail-pop3d", maildir.path))
    multi(one, "RETR 3")
    assert one.ask("LAST") == "+OK 0"
    assert one.ask("DELE 2") == "+OK "
    assert one.ask("DELE 1") == "+OK "
    assert one.ask("LAST") == "+OK 2"
    assert one.ask("RSET") == "+OK "
    assert one.ask("LAST") == "+OK 0"


def test_four_messages(talk, maildir):
    """5, 17, 10 and 0 bytes in their files; what RETR sends has more."""
    for i, text in enumerate([b"a\nb\n\n", b"S: a\n\n.dot\nl2\nl3\n",
                              b"S: b\n\nxyz\n", b""]):
        maildir.add(str(i), text, 1000 - i)
    one = greeted(talk("qmail-pop3d", maildir.path))
    assert one.ask("STAT") == f"+OK 4 {8 + 22 + 13}"
    assert one.ask("DELE 2") == "+OK "
    assert one.ask("STAT") == f"+OK 3 {8 + 13}"
    assert multi(one, "LIST") == ["1 8", "3 13", "4 0"]


def test_what_comes_later_is_for_the_next_session(talk, maildir):
    maildir.add("1", b"a\n")
    one = greeted(talk("qmail-pop3d", maildir.path))
    maildir.add("2", b"b\n")
    assert one.ask("STAT") == "+OK 1 3"
    assert one.ask("QUIT") == "+OK "
    assert one.end() == 0
    assert maildir.names() == ["cur/1:2,", "new/2"]


def test_no_argument(talk):
    one = talk("qmail-pop3d")
    assert one.line() == "-ERR this user has no $HOME/Maildir"
    assert one.end() == 0


@pytest.mark.parametrize("end", ["", "NOOP\r\n", "QUIT"])
def test_any_other_end_is_0_too(talk, maildir, end):
    one = greeted(talk("qmail-pop3d", maildir.path))
    one.send(end)
    one.rest()
    assert one.process.wait(lib.TIMEOUT_S) == 0


@needs_strace
def test_time_that_a_session_has(talk, maildir, home):
    calls = home.base / "calls"
    one = greeted(talk(shutil.which("strace"), "-e", "trace=poll,ppoll", "-o", calls,
                       home.bin / "qmail-pop3d", maildir.path))
    wait_asleep(home, "qmail-pop3d")
    assert one.end() == 0
    assert re.search(NEAR_1200_S, calls.read_text())


def test_uid_0_is_refused(home, maildir):
    """As root, or as the root of a namespace of one's own."""
    argv = [home.bin / "qmail-pop3d", maildir.path]
    if os.getuid() != 0:
        argv = ["unshare", "-r", *argv]
        if subprocess.run(["unshare", "-r", "true"], capture_output=True).returncode != 0:
            pytest.skip("needs root, or a user namespace")
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True,
                          env=home.env(), timeout=lib.TIMEOUT_S)
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.startswith(b"qmail-pop3d: ")
