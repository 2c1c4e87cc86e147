"""make install over the home of a classic qmail, then its queue taken over."""

import fcntl
import os
import pwd
import re
import shutil
import stat
import subprocess
import time
from pathlib import Path

import pytest

import lib
from classic_queue import ClassicQueue
from conftest import NAMES, USER, Running, make, sh

HOST = "root.example"
FAILED = "<gone@root.example>:\nno such user\n\n"


def tree(path):
    """{name: (mode, owner, group, content)} of all below path."""
    found = {}
    for p in sorted(path.rglob("*")):
        st = p.lstat()
        content = p.read_bytes() if stat.S_ISREG(st.st_mode) else b""
        found[str(p.relative_to(path))] = (st.st_mode, st.st_uid, st.st_gid, content)
    return found


def give(path, role):
    who = pwd.getpwnam(NAMES[role])
    os.chown(path, who.pw_uid, who.pw_gid, follow_symlinks=False)


def message(number):
    return b"Subject: n%d\n\ntext\n" % number


def build_queue(home):
    """A message in every state; returns those that reach the user."""
    queue = ClassicQueue(home / "queue", owner=give)
    now = int(time.time())
    me, peer = f"{USER}@{HOST}", "r@remote.example"
    queue.mess(message(1))
    queue.intd(message(2), "s@x.example", [me])
    queue.new(message(3), "s@x.example", [me, peer], mtime=now)
    queue.old(message(4), "s@x.example", local=[f"T{me}"], mtime=now - 7200)
    queue.old(message(5), "s@x.example", local=[f"D{me}"], remote=[f"T{peer}", "Dz@remote.example"],
              mtime=now - 7200)
    queue.old(message(6), me, bounce=FAILED, mtime=now - 7200)
    queue.old(message(7), me, local=["Tvd-nobody@vd.example"], bounce=FAILED, mtime=now)
    queue.old(message(8), "s@x.example", local=["Tvd-list@vd.example"], mtime=now)
    queue.old(message(9), "s@x.example", local=[f"D{me}"])
    broken = queue.old(message(10), "s@x.example", local=[f"T{me}"])
    queue.at("info", broken).write_bytes(b"")
    return queue


@pytest.fixture
def classic_home(installation):
    """The installed home made into one of classic qmail: its queue, a setuid
    qmail-queue, control files, users/assign and alias/ as they were."""
    home = installation.home
    for old in (installation.user_home / "Maildir/new").iterdir():
        old.unlink()  # of the tests before this one
    shutil.rmtree(home / "queue")
    shutil.rmtree(home / "run")
    for name in ("qmail-queue", "qmail-send", "qmail-start"):
        (home / "bin" / name).write_text("an old program\n")
    (home / "bin/qmail-queue").chmod(0o4711)
    give(home / "bin/qmail-queue", "qmailq")
    (home / "bin/qmail-queue").chmod(0o4711)  # chown has taken the bit off
    (home / "control/virtualdomains").write_text("vd.example:vd\n")
    (home / "alias/.qmail-vd-list").write_text(f"&{USER}@{HOST}\n")
    who = pwd.getpwnam(USER)
    assign = f"=joe:{USER}:{who.pw_uid}:{who.pw_gid}:{installation.user_home}:::\n.\n"
    (home / "users/assign").write_text(assign)
    (home / "users/cdb").write_bytes(lib.users_cdb_bytes(assign))
    queue = build_queue(home)
    yield installation, queue
    for name in ("control/virtualdomains", "control/smtproutes", "alias/.qmail-vd-list",
                 "users/assign", "users/cdb"):
        (home / name).unlink(missing_ok=True)
    shutil.rmtree(home / "queue.classic", ignore_errors=True)
    for name in ("queue", "run"):
        shutil.rmtree(home / name, ignore_errors=True)
    installation.make("install")


def run_import(installation, directory):
    return subprocess.run(
        [installation.bin / "qmail-qtool", "import", directory], text=True, cwd="/",
        env={"QMAILHOME": str(installation.home)}, capture_output=True, timeout=lib.TIMEOUT_S)


def subjects(running):
    found = []
    for path in (running.it.user_home / "Maildir/new").iterdir():
        text = path.read_bytes()
        found.append("bounce" if b"Hi. This is the" in text else
                     re.search(rb"Subject: (\w+)", text).group(1).decode())
    return sorted(found)


def test_install_over_a_classic_home(classic_home):
    installation, queue = classic_home
    home = installation.home
    sink = lib.SmtpSink()
    (home / "control/smtproutes").write_text(f":127.0.0.1:{sink.port}\n")
    kept = {name: tree(home / name) for name in ("control", "users", "alias", "queue")}

    # not while it runs
    with open(home / "queue/lock/sendmutex") as mutex:
        fcntl.flock(mutex, fcntl.LOCK_EX)
        done = installation.make("install", check=False)
        assert done.returncode != 0 and "stop it first" in done.stdout, done.stdout
        assert tree(home / "queue") == kept["queue"]
        assert (home / "bin/qmail-send").read_text() == "an old program\n"

    done = installation.make("install")
    moved = home / "queue.classic"
    assert f"qmail-qtool import {moved}" in done.stdout
    assert tree(moved) == kept.pop("queue")
    for name, before in kept.items():
        assert tree(home / name) == before, name
    assert "is as etc/privileges says" in installation.make("check-install").stdout

    running = Running(installation, [])
    try:
        running.start()
        done = run_import(installation, moved)
        assert done.returncode == 1, done.stderr
        assert "it is empty; it is left there" in done.stderr
        assert re.search(r": 6 messages taken over .*\n0 were taken over before, 1 have "
                         "nothing left to do, 2 were never accepted, 1 are in trouble",
                         done.stdout), done.stdout
        want = ["bounce", "bounce", "n3", "n4", "n8"]
        lib.wait_until(lambda: len(subjects(running)) >= len(want), what="the messages")
        running.wait_empty()
        sink.wait(2)
        # once more, and after a restart: nothing comes twice
        done = run_import(installation, moved)
        assert ": 0 messages taken over" in done.stdout and "\n6 were taken" in done.stdout
        assert not running.stop()
        running.start()
        running.wait_empty()
        done = run_import(installation, moved)
        assert ": 0 messages taken over" in done.stdout
        assert not running.queue_ids()
        assert subjects(running) == want
        assert sorted((r, re.search(rb"Subject: (\w+)", t.data).group(1))
                      for t in sink.transactions for r in t.recipients) == [
            ("r@remote.example", b"n3"), ("r@remote.example", b"n5")]
        assert running.log("send").count(" to remote r@remote.example") == 2
    except BaseException:
        print(running.log("send"), running.log("queued"))
        raise
    finally:
        sink.close()
        left = running.stop()
        shutil.rmtree(running.logs, ignore_errors=True)
        for path in (installation.user_home / "Maildir/new").iterdir():
            path.unlink()
    assert not left, left


def test_two_classic_queues_stop_it(classic_home):
    installation, queue = classic_home
    (installation.home / "queue.classic").mkdir()
    done = installation.make("install", check=False)
    assert done.returncode != 0 and "move one away" in done.stdout
    assert (installation.home / "queue/lock/sendmutex").exists()
