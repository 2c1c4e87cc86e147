"""qmail-tcpto and qmail-tcpok: the table of hosts that did not answer."""

import fcntl
import os
import re
import socket
import struct
import subprocess
import time

import lib
import pytest


def record(ip, count, when):
    return struct.pack("<4sB3xI4x", socket.inet_aton(ip), count, int(when))


def write_table(home, *records):
    return home.write("run/tcpto", b"".join(records).ljust(1024, b"\0"))


def test_the_list(home):
    now = time.time()
    write_table(home, record("10.0.0.1", 2, now - 500), record("10.0.0.2", 0, now),
                record("10.0.0.3", 1, now - 7), bytes(16), record("255.254.0.9", 10, 5))
    done = home.run("qmail-tcpto")
    assert (done.returncode, done.stderr) == (0, b"")
    lines = done.stdout.decode().split("\n")
    found = [re.fullmatch(r"(\S+) timed out (\d+) seconds ago; "
                          r"# recent timeouts: (\d+)", x) for x in lines[:-1]]
    assert [(f[1], f[3]) for f in found] == [
        ("10.0.0.1", "2"), ("10.0.0.3", "1"), ("255.254.0.9", "10")]
    late = time.time() - now
    assert 499 <= int(found[0][2]) <= 501 + late
    assert 6 <= int(found[1][2]) <= 8 + late
    assert lines[-1] == ""


def test_a_clock_that_was_set_back(home):
    write_table(home, record("10.0.0.1", 1, time.time() + 5000))
    assert home.run("qmail-tcpto").stdout == \
        b"10.0.0.1 timed out 0 seconds ago; # recent timeouts: 1\n"


@pytest.mark.parametrize("content", [b"", bytes(1024), bytes(15), b"\n" * 7])
def test_nothing_to_list(home, content):
    home.write("run/tcpto", content)
    done = home.run("qmail-tcpto")
    assert (done.returncode, done.stdout) == (0, b"")


def test_errors_are_on_standard_output(home):
    (home.home / "run/tcpto").unlink(missing_ok=True)
    done = home.run("qmail-tcpto")
    assert done.returncode == 111
    assert done.stdout == b"cannot read run/tcpto: No such file or directory\n"
    done = home.run("qmail-tcpto", env={"QMAILHOME": "/nonexistent"})
    assert done.returncode == 111 and b"/nonexistent" in done.stdout
    with open("/dev/full", "wb") as full:
        assert home.run("qmail-tcpto", stdout=full).returncode == 111
    assert home.run("qmail-tcpto", "x").returncode == 100


def test_forgetting(home):
    path = write_table(home, record("10.0.0.1", 2, time.time()))
    done = home.run("qmail-tcpok")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert path.read_bytes() == bytes(1024)
    assert home.run("qmail-tcpto").stdout == b""


def test_a_short_table_gets_its_size(home):
    path = home.write("run/tcpto", b"")
    assert home.run("qmail-tcpok").returncode == 0
    assert path.read_bytes() == bytes(1024)


def test_a_lock_does_not_hold_it_up_for_ever(home):
    path = write_table(home, record("10.0.0.1", 2, time.time()))
    with open(path, "r+b") as file:
        fcntl.lockf(file, fcntl.LOCK_EX)
        begun = time.monotonic()
        assert home.run("qmail-tcpok").returncode == 0
        assert time.monotonic() - begun > 0.18  # it waited for the lock
    assert path.read_bytes() == bytes(1024)


def test_forgetting_where_there_is_nothing(home):
    (home.home / "run/tcpto").unlink(missing_ok=True)
    done = home.run("qmail-tcpok")
    assert done.returncode == 111 and b"run/tcpto" in done.stderr
    assert not (home.home / "run/tcpto").exists()
    done = home.run("qmail-tcpok", env={"QMAILHOME": "/nonexistent"})
    assert done.returncode == 111
    assert home.run("qmail-tcpok", "x").returncode == 100


@pytest.mark.skipif(os.getuid() != 0, reason="needs root")
def test_root_is_not_led_to_other_files(home):
    """Whoever owns run/ cannot make root empty a file of its own."""
    secret = home.base / "secret"
    secret.write_bytes(b"keep")
    secret.chmod(0o600)
    (home.home / "run/tcpto").unlink(missing_ok=True)
    (home.home / "run/tcpto").symlink_to(secret)
    done = subprocess.run([home.bin / "qmail-tcpok"], env=home.env(),
                          capture_output=True, timeout=lib.TIMEOUT_S)
    assert done.returncode == 111
    assert secret.read_bytes() == b"keep"
