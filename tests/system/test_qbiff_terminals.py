"""qbiff and maildirwatch: what reaches a terminal.

The login records of the machine are not ours to write: a small library in
front of libc has one record for each name in RECORDS.
"""

import os
import pwd
import select
import shutil
import subprocess
import time

import pytest

import lib

UTMPX = r"""
#define _XOPEN_SOURCE 700
#include <stdlib.h>
#include <string.h>
#include <utmpx.h>

static char *next;

void setutxent(void) { next = getenv("RECORDS"); }
void endutxent(void) {}

/* "TYPE USER LINE TYPE USER LINE ..." */
static int take(char *to, size_t size)
{
	size_t len = strcspn(next, " ");

	memset(to, 0, size);
	memcpy(to, next, len < size ? len : size);
	next += len + (next[len] == ' ');
	return len > 0;
}

struct utmpx *getutxent(void)
{
	static struct utmpx entry;
	char type[2];

	if (next == NULL || !take(type, sizeof(type)))
		return NULL;
	entry.ut_type = type[0] == 'u' ? USER_PROCESS : DEAD_PROCESS;
	take(entry.ut_user, sizeof(entry.ut_user));
	take(entry.ut_line, sizeof(entry.ut_line));
	return &entry;
}
"""
MESSAGE = b"From: a@b\nSubject: the subject\n\nthe body\nof it\n"


@pytest.fixture(scope="module")
def records_library(tmp_path_factory):
    compiler = shutil.which("cc") or shutil.which("gcc")
    assert compiler, "a C compiler is missing"
    path = tmp_path_factory.mktemp("utmpx")
    (path / "utmpx.c").write_text(UTMPX)
    subprocess.run([compiler, "-shared", "-fPIC", "-o", path / "utmpx.so", path / "utmpx.c"],
                   check=True)
    return path / "utmpx.so"


MARK = b"<the end of what was written>"


class Terminal:
    """A pseudo terminal; read() is what was written to it."""

    def __init__(self, takes=True):
        import tty
        self.master, self.slave = os.openpty()
        tty.setraw(self.slave)
        self.path = os.ttyname(self.slave)
        self.line = self.path.removeprefix("/dev/")
        os.chmod(self.path, 0o700 if takes else 0o600)

    def read(self):
        """The kernel hands it over some time later, but in order: so up to a mark."""
        os.write(self.slave, MARK)
        seen = b""
        while not seen.endswith(MARK):
            assert select.select([self.master], [], [], lib.TIMEOUT_S)[0], seen
            seen += os.read(self.master, 65536)
        return seen.removesuffix(MARK)

    def close(self):
        os.close(self.master)
        os.close(self.slave)


@pytest.fixture
def terminal():
    made = []

    def make(**how):
        made.append(Terminal(**how))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def qbiff(records_library):
    def run(records, message=MESSAGE, drop=(), user=None, **env):
        values = {"USER": "joe", "LOCAL": "joe-x", "SENDER": "s@h", "PATH": os.environ["PATH"],
                  "LD_PRELOAD": str(records_library), "RECORDS": " ".join(records),
                  "ASAN_OPTIONS": "verify_asan_link_order=0", **env}
        who = {} if user is None else {"user": user.pw_uid, "group": user.pw_gid}
        done = subprocess.run(
            [lib.bin_dir() / "qbiff"], input=message, capture_output=True,
            timeout=lib.TIMEOUT_S, env={k: v for k, v in values.items() if k not in drop}, **who)
        assert (done.returncode, done.stdout) == (0, b"")
        return done.stderr
    return run


def test_every_terminal_of_the_user(qbiff, terminal):
    mine, also, other, gone = (terminal() for _ in range(4))
    qbiff([f"u joe {mine.line}", f"u joey {other.line}", f"u jo {other.line}",
           f"d joe {gone.line}", f"u joe {also.line}"])
    want = b"\r\n\a*** TO <joe-x> FROM <s@h>\r\n    the subject/the body/of it/\r\n"
    assert (mine.read(), also.read()) == (want, want)
    assert (other.read(), gone.read()) == (b"", b"")


def test_a_terminal_without_the_x_bit_is_left_alone(qbiff, terminal):
    quiet, after = terminal(takes=False), terminal()
    qbiff([f"u joe {quiet.line}", f"u joe {after.line}"])
    assert quiet.read() == b"" and after.read() != b""


def test_a_terminal_of_another_user_is_left_alone(qbiff, terminal):
    if os.getuid() != 0:
        pytest.skip("another user's terminal takes root to make")
    other = terminal()
    nobody = pwd.getpwnam("nobody")
    os.chown(other.path, nobody.pw_uid, nobody.pw_gid)
    qbiff([f"u joe {other.line}"])
    assert other.read() == b""


@pytest.mark.parametrize("line", ["../tmp/x", "null", "/dev/null", "pts/../null", "nosuch", "pts"])
def test_names_that_are_no_terminals(qbiff, terminal, line):
    after = terminal()
    qbiff([f"u joe {line}", f"u joe {after.line}"])
    assert after.read() != b""


@pytest.mark.parametrize("message, want", [
    (b"", b"/"),
    (b"Subject: \x1b[2J\x9b\xc3\xa4\x00\x7f\n\nb\x07\n", b"_[2J_____/b_/"),
    (b"Subject: " + b"x" * 200 + b"\n\n", b"x" * 74),
    (b"Subject: s\n\n" + b"y" * 200, b"s/" + b"y" * 72),
    (b"X: y\n\nonly a body", b"/only a body"),
])
def test_text(qbiff, terminal, message, want):
    one = terminal()
    qbiff([f"u joe {one.line}"], message=message)
    assert one.read().split(b"\r\n")[2] == b"    " + want


def test_the_envelope_is_filtered_too(qbiff, terminal):
    one = terminal()
    qbiff([f"u joe {one.line}"], LOCAL="l\x1b\r\n", SENDER="\x07s\t@h")
    assert one.read().split(b"\r\n")[1] == b"\a*** TO <l__/> FROM <_s_@h>"


def test_a_stopped_terminal_does_not_hold_it(qbiff, terminal):
    one = terminal()
    import termios
    termios.tcflow(one.slave, termios.TCOOFF)
    qbiff([f"u joe {one.line}"])
    termios.tcflow(one.slave, termios.TCOON)


@pytest.mark.parametrize("name", ["USER", "LOCAL", "SENDER"])
def test_always_0(qbiff, terminal, name):
    one = terminal()
    qbiff([f"u joe {one.line}"], drop=[name])
    assert (one.read() == b"") == (name == "USER")


# ---- maildirwatch -------------------------------------------------------------------

@pytest.fixture
def watch(tmp_path):
    for part in ("", "tmp", "new", "cur"):
        (tmp_path / "Maildir" / part).mkdir()
    made = []

    def start():
        made.append(subprocess.Popen(
            [lib.bin_dir() / "maildirwatch"], stdout=subprocess.PIPE,
            env={**os.environ, "MAILDIR": str(tmp_path / "Maildir")}))
        os.set_blocking(made[-1].stdout.fileno(), False)
        return made[-1]

    start.new = tmp_path / "Maildir/new"
    yield start
    for one in made:
        one.kill()
        one.wait()
        one.stdout.close()


CLEAR = b"\x1b[H\x1b[2J"


def test_watch(watch):
    (watch.new / "2").write_bytes(
        b"Return-Path: <s@h>\nDelivered-To: joe@x\nFrom: S <s@h>\nSubject: one\n\nbody\n")
    (watch.new / "1").write_bytes(b"Subject: \x1b[31m" + b"z" * 100 + b"\n\n")
    os.utime(watch.new / "2", (1, 1))
    begun = time.monotonic()
    process = watch()
    seen = b""

    def more():
        nonlocal seen
        seen += process.stdout.read() or b""
        return seen

    first = (CLEAR + b"FROM s@h\n  TO joe@x\nFrom: S <s@h>\n    one/body/\n\n"
             b"FROM \n  TO \nFrom: \n    _[31m" + b"z" * 69 + b"\n\n")
    lib.wait_until(lambda: more() == first, what="the first screen")
    for path in watch.new.iterdir():
        path.unlink()
    lib.wait_until(lambda: more() == first + CLEAR + b"no new mail\n", 2 * lib.TIMEOUT_S,
                   "the second screen")
    assert time.monotonic() - begun > 29  # it waits 30 seconds


def test_watch_needs_a_maildir(tmp_path):
    for env in ({}, {"MAILDIR": ""}, {"MAILDIR": str(tmp_path / "nosuch")}):
        done = subprocess.run([lib.bin_dir() / "maildirwatch"], capture_output=True,
                              timeout=lib.TIMEOUT_S, env=env)
        assert done.returncode == 111
        assert done.stderr.startswith(b"maildirwatch: fatal: ")
