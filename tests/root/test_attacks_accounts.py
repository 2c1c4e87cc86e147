"""Attacks by who has an account on the machine, or has taken over a program:
he reaches what his account reaches, and nothing of the others."""

import grp
import os
import re
import shutil
import signal
import socket
import subprocess

import lib
import pytest
from conftest import NAMES, USER


def as_user(running, *command, **more):
    return subprocess.run(
        [str(c) for c in command], capture_output=True, timeout=lib.TIMEOUT_S,
        user=running.user.pw_uid, group=running.user.pw_gid, extra_groups=[],
        cwd=str(running.it.user_home), **more)


@pytest.fixture(autouse=True)
def empty_mailbox(running):
    """Others who use the installation find no mail of ours."""
    yield
    running.wait_empty()
    for path in (running.it.user_home / "Maildir/new").iterdir():
        path.unlink()


@pytest.fixture
def rule(running):
    """Sets .qmail-trap of the user; ends what waits there afterwards."""
    home = running.it.user_home
    path, box = home / ".qmail-trap", running.home / "alias/Box"
    for part in (box, box / "tmp", box / "new", box / "cur"):
        part.mkdir()
        os.chown(part, running.it.uid("alias"), -1)
    (home / "link").symlink_to(box)
    (home / "link-to-file").symlink_to(running.home / "control/me")
    (home / "hard").hardlink_to(running.home / "control/me")

    def write(text):
        path.write_text(text)
        os.chown(path, running.user.pw_uid, running.user.pw_gid)
        path.chmod(0o600)

    yield write
    write("#\n")
    running.flush_empty()
    for name in ("link", "link-to-file", "hard", ".qmail-trap"):
        (home / name).unlink()
    shutil.rmtree(box)


@pytest.mark.parametrize("line", [
    "{home}/control/me", "{home}/alias/Mailbox", "{home}/run/tcpto", "/etc/motd.new",
    "./link/", "./link-to-file", "/dev/mem", "./hard"])
def test_a_user_delivers_into_nothing_that_is_not_his(running, rule, line):
    """qmail-local is the user before it opens anything."""
    alias, me = running.home / "alias", running.home / "control/me"
    before = me.read_bytes()
    rule(line.format(home=running.home) + "\n")
    count = running.log("send").count(": deferral: Unable_to")
    sent = running.run("sendmail", f"{USER}-trap@root.example")
    assert sent.returncode == 0, sent.stderr
    running.wait_log(": deferral: Unable_to", "send", count=count + 1)
    assert me.read_bytes() == before
    assert not any((alias / "Box/new").iterdir())
    assert not (alias / "Mailbox").exists()


def test_a_home_of_ones_own_changes_nothing_here(running):
    """QMAILHOME is believed from anybody, since it gives nobody any right."""
    own = running.it.user_home / "own"
    for path in (own, own / "control", own / "run", own / "queue"):
        path.mkdir(exist_ok=True)
        os.chown(path, running.user.pw_uid, running.user.pw_gid)
    (own / "control/me").write_text("evil.example\n")
    before = running.log("send").count("\nnew msg ")
    for program in ("sendmail", "qmail-queue", "qmail-inject", "qmail-start",
                    "qmail-queued", "qmail-newu", "qmail-newmrh"):
        done = as_user(running, "timeout", "1", running.bin / program, "x",
                       stdin=subprocess.DEVNULL, env={
                           "PATH": f"{running.bin}:/usr/bin:/bin", "QMAILHOME": str(own)})
        assert done.returncode != 0, program
    assert running.log("send").count("\nnew msg ") == before
    for path in own.rglob("*"):
        assert path.is_symlink() or path.stat().st_uid in (running.user.pw_uid, 0)
    shutil.rmtree(own)


LOOK = r"""
import os, sys
for pid in sys.argv[1:]:
    for what, call in (("mem", lambda p: open(p + "/mem", "rb").read(1)),
                       ("fd", lambda p: os.listdir(p + "/fd")),
                       ("environ", lambda p: open(p + "/environ", "rb").read())):
        try:
            call("/proc/" + pid)
            print(pid, what)
        except PermissionError:
            pass
        except OSError as error:
            print(pid, what) if error.errno == 5 else None
"""


@pytest.mark.parametrize("account, programs", [
    (("qmailr", "nofiles"), ["qmail-rspawn"]),
    (("qmailq", "qmail"), ["qmail-queued"]), (("qmails", "qmail"), ["qmail-send"]),
    (("qmailp", "nofiles"), ["qmail-getpw"])])
def test_who_takes_over_a_process_looks_into_no_other(running, account, programs):
    """Programs that nobody may read cannot be traced, even by their account."""
    sent = running.run("sendmail", f"{USER}@root.example")
    assert sent.returncode == 0, sent.stderr
    for program in programs:
        pids = lib.wait_until(lambda p=program: running.pids(p), what=program)
        assert running.it.as_account(*account, LOOK, *pids) == "", program


def test_a_user_cannot_take_the_place_of_a_socket(running):
    """run/ is not his: he neither removes nor replaces what is there."""
    code = """
import os, sys, socket
for name in ("submit.sock", "control.sock"):
    path = os.path.join(sys.argv[1], name)
    for call in (lambda: os.unlink(path), lambda: os.rename(path, path + "x"),
                 lambda: socket.socket(socket.AF_UNIX).bind(path)):
        try:
            call()
            print(name, "changed")
        except OSError:
            pass
"""
    assert running.it.as_account(USER, USER, code, running.home / "run") == ""
    with socket.socket(socket.AF_UNIX) as one:
        one.connect(str(running.home / "run/submit.sock"))


def test_garbage_from_a_user_is_cut_off_and_others_are_served(running):
    """Random bytes at submit.sock, a hundred connections of them."""
    code = """
import os, random, socket, sys
dice = random.Random(4)
for _ in range(100):
    with socket.socket(socket.AF_UNIX) as one:
        one.settimeout(30)
        one.connect(sys.argv[1])
        try:
            one.sendall(dice.randbytes(dice.randrange(1, 5000)))
            one.shutdown(socket.SHUT_WR)
            print(one.recv(100).decode("latin-1"))
        except OSError:
            pass
"""
    text = running.it.as_account(USER, USER, code, running.home / "run/submit.sock")
    assert "K" not in text
    sent = running.run("sendmail", f"{USER}@root.example")
    assert sent.returncode == 0, sent.stderr
    running.check_running("queued")


# A qmail-getpw as it might be after somebody has taken it over.
GETPW = """#!/usr/bin/python3
import sys
sys.stdout.write("\\0".join(["x", "%d", "%d", "%s", "-", "evil", ""]))
"""


@pytest.mark.parametrize("user, group, refused", [
    ("qmailq", "nofiles", True), ("qmails", "nofiles", True), ("qmailr", "nofiles", True),
    (USER, "qmail", True), ("root", "nofiles", True), (USER, USER, False)])
def test_getpw_cannot_name_who_carries_the_mail(running, user, group, refused):
    """What it names runs a program that it has prepared."""
    trap = running.it.prefix / "trap"
    trap.mkdir(mode=0o755)
    (trap / ".qmail-evil").write_text("|echo hit\n")
    getpw = running.bin / "qmail-getpw"
    kept = getpw.rename(running.bin / "qmail-getpw.kept")
    try:
        gid = grp.getgrnam(NAMES.get(group, group)).gr_gid
        getpw.write_text(GETPW % (running.it.uid(user), gid, trap))
        getpw.chmod(0o755)
        running.kill("qmail-getpw", signal.SIGKILL)
        said = "success: hit"
        if refused:
            said = ("deferral: Not_allowed" if user == "root" else
                    "qmail-getpw names an account of the mail system for somebody$")
        count = len(re.findall(said, running.log("send"), re.M))
        sent = running.run("sendmail", "somebody@root.example")
        assert sent.returncode == 0, sent.stderr
        running.wait_log(said, "send", count=count + 1)
    finally:
        kept.replace(getpw)
        shutil.rmtree(trap)
        running.kill("qmail-getpw", signal.SIGKILL)
        # the true one knows nobody of that name, and bounces it
        running.flush_empty()
