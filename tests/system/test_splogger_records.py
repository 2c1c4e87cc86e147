"""splogger: what reaches the socket of syslog.

The socket is /dev/log, so the test gives splogger a /dev of its own, in a
mount namespace; that needs root or user namespaces.
"""

import re
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import lib
import pytest

# a /dev with only the socket (fd 0 to 2 are open already), then the program
SCRIPT = 'mount --bind "$1" /dev && shift && exec "$@"'


def unshare():
    for command in (["unshare", "-m"], ["unshare", "-rm"]):
        try:
            if subprocess.run([*command, "sh", "-c", "mount --bind /tmp /dev"],
                              capture_output=True).returncode == 0:
                return command
        except FileNotFoundError:
            break
    return None


UNSHARE = unshare()
needs_namespace = pytest.mark.skipif(UNSHARE is None, reason="no mount namespaces")


def records(*args, text):
    """The datagrams that splogger sent for text."""
    with tempfile.TemporaryDirectory() as dev:
        (Path(dev) / "null").touch()
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
            log.bind(f"{dev}/log")
            log.setblocking(False)
            child = subprocess.Popen(
                [*UNSHARE, "sh", "-c", SCRIPT, "sh", dev,
                 str(lib.bin_dir() / "splogger"), *args],
                stdin=subprocess.PIPE, stderr=subprocess.PIPE)
            got, rest = [], text

            def take():
                while True:
                    try:
                        got.append(log.recv(65536))
                    except BlockingIOError:
                        return
            while rest:  # the socket's queue is short: some at a time
                child.stdin.write(rest[:500])
                child.stdin.flush()
                rest = rest[500:]
                take()
            child.stdin.close()
            deadline = time.monotonic() + lib.TIMEOUT_S
            while child.poll() is None and time.monotonic() < deadline:
                take()
                time.sleep(0.002)
            take()
            assert child.wait(1) == 0, child.stderr.read()
            child.stderr.close()
            return got


def parsed(*args, text):
    """(priority, tag, stamp, mark, rest) of each record."""
    found = [re.fullmatch(rb"<(\d+)>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d ([^:]+): "
                          rb"(\d+\.\d{6})([ +])(.*)", r) for r in records(*args, text=text)]
    return [(int(f[1]), f[2], f[3], f[4], f[5]) for f in found]


@needs_namespace
def test_the_documented_records():
    before = time.time()
    got = parsed(text=b"hello\nwarning: w\nalert: a\nwarning w\nan alert: a\n\nlost")
    assert [(g[0], g[1], g[3], g[4]) for g in got] == [
        (22, b"splogger", b" ", b"hello"), (20, b"splogger", b" ", b"warning: w"),
        (17, b"splogger", b" ", b"alert: a"), (22, b"splogger", b" ", b"warning w"),
        (22, b"splogger", b" ", b"an alert: a")]
    assert all(before - 1e-6 <= float(g[2]) <= time.time() for g in got)


@needs_namespace
def test_tag_and_facility():
    assert [g[:2] for g in parsed("tag", text=b"a\n")] == [(22, b"tag")]
    assert [g[:2] for g in parsed("tag", "3", text=b"a\nalert: b\n")] == [
        (30, b"tag"), (25, b"tag")]


@needs_namespace
def test_long_lines_and_bytes():
    got = parsed(text=b"x" * 1700 + b"\n\t\xe9%s\n")
    assert [(g[3], g[4]) for g in got] == [
        (b" ", b"x" * 799), (b"+", b"x" * 799), (b"+", b"x" * 102), (b" ", b"??%s")]
    assert got[0][2] == got[1][2] == got[2][2]


def run(*args, **more):
    return subprocess.run([str(lib.bin_dir() / "splogger"), *args],
                          capture_output=True, timeout=lib.TIMEOUT_S, **more)


@pytest.mark.parametrize("args", [("t", "x"), ("t", "24"), ("t", "-1"), ("t", ""),
                                  ("t", "2", "x"), ("t", "99999999999999999999")])
def test_usage(args):
    assert run(*args, input=b"").returncode == 100


def test_an_input_that_cannot_be_read(tmp_path):
    with open(tmp_path / "out", "wb") as closed:
        done = run(stdin=closed)
    assert done.returncode == 111


def test_nothing_to_log():
    assert run(input=b"").returncode == 0
