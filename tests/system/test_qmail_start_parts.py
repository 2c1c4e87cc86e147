"""qmail-start: what the programs that it starts get, and how all end."""

import json
import os
import re
import signal
import subprocess
import sys

import pytest

import lib

# Writes down what it sees, then does as the real ones do: the spawns and the
# logger wait for the end of their descriptor 0, qmail-send for a signal.
PART = f"#!{sys.executable}\n" + r'''
import json, os, select, signal, stat, sys

name = os.path.basename(sys.argv[0])
fds = {}
for fd in range(256):
    try:
        mode = os.fstat(fd).st_mode
    except OSError:
        continue
    fds[fd] = ("socket" if stat.S_ISSOCK(mode) else "pipe"
               if stat.S_ISFIFO(mode) else "other")
mask = os.umask(0)
os.umask(mask)
seen = {"argv": sys.argv[1:], "fds": fds, "umask": mask, "cwd": os.getcwd(),
        "pid": os.getpid()}
home = os.environ["QMAILHOME"]

def note(text):
    with open(f"{home}/seen/{name}.{text}.new", "w") as f:
        json.dump(seen, f)
    os.rename(f"{home}/seen/{name}.{text}.new", f"{home}/seen/{name}.{text}")

HELD = (signal.SIGHUP, signal.SIGALRM, signal.SIGTERM, signal.SIGINT)
blocked = signal.pthread_sigmask(signal.SIG_BLOCK, [])
seen["blocked"] = [n.name for n in HELD if n in blocked]
if name == "qmail-send" and os.path.exists(home + "/slow"):
    note("begun")
    pending = set()
    while pending < {signal.SIGHUP, signal.SIGALRM}:
        pending = signal.sigpending()
    note("hit")
if name == "qmail-send":
    waker, writer = os.pipe()
    os.set_blocking(writer, False)
    for number in (signal.SIGHUP, signal.SIGALRM, signal.SIGTERM):
        signal.signal(number, lambda n, frame: note(signal.Signals(n).name))
    signal.set_wakeup_fd(writer)
    os.write(0, b"hello from qmail-send\n")
    note("up")
    signal.pthread_sigmask(signal.SIG_UNBLOCK, HELD)
    while True:
        ready = select.select([waker, 1, 3, 4], [], [])[0]
        if 4 in ready:
            note("lifeline")
            sys.exit(0)
        if 1 in ready or 3 in ready:
            note("lost")
            sys.exit(111)
        if waker in ready and signal.SIGTERM in os.read(waker, 100):
            sys.exit(0)
else:
    with open(f"{home}/seen/{name}.text", "ab") as text:
        note("up")
        while True:
            got = os.read(0, 1000)
            if not got:
                break
            text.write(got)
            text.flush()
    note("end")
'''


class Parts:
    def __init__(self):
        self.home = lib.work_dir()
        for name in ("bin", "seen"):
            (self.home / name).mkdir()
            lib.give(self.home / name)
        for name in ("qmail-lspawn", "qmail-rspawn", "qmail-send", "logger"):
            (self.home / "bin" / name).write_text(PART)
            (self.home / "bin" / name).chmod(0o755)
        self.process = None

    def start(self, *args, pass_fds=()):
        env = {"PATH": os.environ["PATH"], "QMAILHOME": str(self.home)}
        with open(self.home / "out", "wb") as out:
            self.process = subprocess.Popen(
                [str(lib.bin_dir() / "qmail-start"), *args], env=env,
                stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                pass_fds=pass_fds, **lib.as_user())
        return self

    def seen(self, name, what="up"):
        path = self.home / "seen" / f"{name}.{what}"
        lib.wait_until(path.exists, what=f"{path}")
        return json.loads(path.read_text())

    def wait(self):
        return self.process.wait(timeout=60)

    def close(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        lib.wait_until(lambda: not lib.processes_of(self.home))
        subprocess.run(["rm", "-rf", str(self.home)], check=True)


@pytest.fixture
def parts():
    made = Parts()
    yield made
    made.close()


ALL = ("qmail-lspawn", "qmail-rspawn", "qmail-send")


def test_each_gets_its_descriptors_and_no_other(parts):
    stray = os.open("/dev/null", os.O_RDONLY)
    parts.start(pass_fds=(stray,))
    os.close(stray)
    for spawn in ALL[:2]:
        assert parts.seen(spawn)["fds"] == {
            "0": "socket", "1": "other", "2": "other"}
    fds = parts.seen("qmail-send")["fds"]
    assert fds == {"0": "other", "1": "socket", "2": "other", "3": "socket",
                   "4": "pipe"}
    for name in ALL:
        assert parts.seen(name)["umask"] == 0o77
        assert parts.seen(name)["cwd"] == "/"
    assert parts.seen("qmail-lspawn")["argv"] == ["./Mailbox"]
    assert parts.seen("qmail-rspawn")["argv"] == []
    assert parts.seen("qmail-send")["argv"] == []
    assert (parts.home / "out").read_text() == "hello from qmail-send\n"


def test_defaultdelivery_is_passed_as_it_is(parts):
    parts.start("|a b\n./Maildir/")
    assert parts.seen("qmail-lspawn")["argv"] == ["|a b\n./Maildir/"]


def test_logger_reads_the_log(parts):
    parts.start("./Mailbox", str(parts.home / "bin" / "logger"), "x", "y")
    seen = parts.seen("logger")
    assert seen["argv"] == ["x", "y"]
    assert seen["fds"]["0"] == "pipe" and set(seen["fds"]) == {"0", "1", "2"}
    text = parts.home / "seen" / "logger.text"
    lib.wait_until(lambda: text.read_bytes() == b"hello from qmail-send\n")
    assert parts.seen("qmail-send")["fds"]["0"] == "pipe"
    parts.seen("qmail-lspawn"), parts.seen("qmail-rspawn")
    parts.process.terminate()
    assert parts.wait() == 0
    parts.seen("logger", "end")


@pytest.mark.parametrize("sent, arrives", [
    (signal.SIGHUP, "SIGHUP"), (signal.SIGALRM, "SIGALRM")])
def test_signals_are_passed_on(parts, sent, arrives):
    parts.start()
    parts.seen("qmail-send")
    parts.process.send_signal(sent)
    parts.seen("qmail-send", arrives)
    assert parts.process.poll() is None


def test_signals_wait_until_qmail_send_listens(parts):
    """A HUP right after the start must not end what is just starting."""
    (parts.home / "slow").touch()
    parts.start()
    assert parts.seen("qmail-send", "begun")["blocked"] == [
        "SIGHUP", "SIGALRM", "SIGTERM", "SIGINT"]
    for name in ALL[:2]:
        assert parts.seen(name)["blocked"] == []
    parts.process.send_signal(signal.SIGHUP)
    parts.process.send_signal(signal.SIGALRM)
    parts.seen("qmail-send", "hit")
    parts.seen("qmail-send", "SIGHUP")
    parts.seen("qmail-send", "SIGALRM")
    assert parts.process.poll() is None
    assert len(signal.pthread_sigmask(signal.SIG_BLOCK, [])) == 0


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_term_and_int_end_all_with_0(parts, sent):
    parts.start()
    for name in ALL:
        parts.seen(name)
    parts.process.send_signal(sent)
    assert parts.wait() == 0
    parts.seen("qmail-send", "SIGTERM")
    parts.seen("qmail-lspawn", "end")
    parts.seen("qmail-rspawn", "end")


@pytest.mark.parametrize("victim", ALL)
def test_end_of_one_ends_all_with_111(parts, victim):
    parts.start()
    for name in ALL:
        parts.seen(name)
    os.kill(parts.seen(victim)["pid"], signal.SIGKILL)
    assert parts.wait() == 111
    for name in ALL[:2]:
        if name != victim:
            parts.seen(name, "end")


def test_kill_of_qmail_start_ends_all(parts):
    parts.start()
    for name in ALL:
        parts.seen(name)
    parts.process.kill()
    parts.seen("qmail-send", "lifeline")
    parts.seen("qmail-lspawn", "end")
    parts.seen("qmail-rspawn", "end")


def test_program_that_cannot_be_run_ends_all_with_111(parts):
    (parts.home / "bin" / "qmail-rspawn").chmod(0o644)
    parts.start()
    assert parts.wait() == 111
    assert re.search(r"(?m)^qmail-start: cannot run qmail-rspawn: \w",
                     (parts.home / "out").read_text())
