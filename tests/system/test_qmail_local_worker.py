"""qmail-local -w: jobs over a socket, one after the other."""

import os
import socket

import pytest

from lib import wait_until
from local_box import MESSAGE, Box, Worker, netstring


@pytest.fixture
def box(tmp_path):
    return Box(tmp_path)


@pytest.fixture
def worker(box):
    made = []

    def make(**env):
        made.append(Worker(box, box.env(**env)))
        return made[-1]

    yield make
    for one in made:
        one.kill()


def test_letters(box, worker):
    box.dotqmail("-exit-default", '|echo words; exit "$DEFAULT"\n')
    w = worker()
    assert w.deliver() == ("K", b"did 1+0+0\n")
    for ext, want in (("exit-0", ("K", b"words\ndid 0+0+1\n")), ("exit-99", ("K", b"words\ndid 0+0+1\n")),
                      ("exit-100", ("D", b"words\n")), ("exit-111", ("Z", b"words\n")),
                      ("exit-1", ("Z", b"words\n")),
                      ("none", ("D", b"Sorry, no mailbox here by that name. (#5.1.1)\n"))):
        assert w.deliver(dash="-", ext=ext) == want
    assert w.deliver(b"Delivered-To: joe@h\n\n")[0] == "D"
    assert w.deliver(homedir="/nonexistent")[0] == "Z"
    assert w.deliver() == ("K", b"did 1+0+0\n")
    assert w.end() == 0


def test_nothing_passes_from_job_to_job(box, worker, tmp_path):
    state = "|pwd; umask; env | sort | grep -E '^(DEFAULT|EXT|LOCAL|SENDER|HOME)='; ls /proc/self/fd | wc -l\n"
    other = tmp_path / "other"
    other.mkdir(mode=0o700)
    box.dotqmail("-default", "|umask 0; cd /; export EXT=z\n" + state)
    (other / ".qmail").write_text(state)
    (other / ".qmail").chmod(0o600)
    w = worker()
    first = w.deliver(dash="-", ext="a-b", local="joe-a-b")
    second = w.deliver(homedir=str(other), sender="", local="jim", domain="i")
    assert second == ("K", b"%s\n0077\nEXT=\nHOME=%s\nLOCAL=jim\nSENDER=\n4\ndid 0+0+1\n"
                      % (os.fsencode(other), os.fsencode(other)))
    assert first == ("K", b"%s\n0077\nDEFAULT=a-b\nEXT=a-b\nHOME=%s\nLOCAL=joe-a-b\nSENDER=s@x\n4\ndid 0+0+2\n"
                     % (os.fsencode(box.home), os.fsencode(box.home)))
    # whatever went wrong in between
    w.deliver(homedir="/nonexistent")
    assert w.deliver(dash="-", ext="a-b", local="joe-a-b") == first
    assert w.end() == 0


def test_inherited_default_comes_back(box, worker):
    box.dotqmail("-default", "|echo $DEFAULT\n")
    box.dotqmail("-x", "|echo $DEFAULT\n")
    w = worker(DEFAULT="inherited")
    assert w.deliver(dash="-", ext="a")[1].startswith(b"a\n")
    assert w.deliver(dash="-", ext="x")[1].startswith(b"inherited\n")


def test_descriptors_do_not_pile_up(box, worker):
    box.maildir()
    box.dotqmail("", "./Maildir/\n./Mailbox\n|exit 0\na@b\n")
    w = worker()
    assert w.deliver()[0] == "K"
    before = len(os.listdir(f"/proc/{w.process.pid}/fd"))
    for n in range(30):
        assert w.deliver(b"Subject: %d\n\n" % n)[0] == "K"
        assert w.deliver(homedir="/nonexistent")[0] == "Z"
    assert len(os.listdir(f"/proc/{w.process.pid}/fd")) == before
    assert len(box.new()) == 31
    assert w.end() == 0


def test_maildir_names_of_one_process(box, worker):
    box.maildir()
    w = worker()
    for n in range(20):
        assert w.deliver(b"%d\n" % n, default="./Maildir/") == ("K", b"did 1+0+0\n")
    bodies = {path.read_bytes() for path in box.new()}
    assert len(bodies) == 20
    assert all(f".{w.process.pid}" in path.name for path in box.new())


def test_forward(box, worker):
    box.dotqmail("", "|echo words\na@b\n")
    letter, text = worker().deliver()
    assert letter == "K" and text.startswith(b"words\ndid 0+1+1\nqp ")
    assert box.queued() == (b"Delivered-To: joe@h\n" + MESSAGE, b"Fs@x\0Ta@b\0\0")


def test_long_reports_are_cut(box, worker):
    box.dotqmail("-long", "|head -c 3001 /dev/zero | tr '\\0' x; exit 100\n")
    box.dotqmail("-fits", "|head -c 3000 /dev/zero | tr '\\0' x; exit 100\n")
    box.dotqmail("-flood", "|yes | head -c 50000000; exit 100\n")
    box.dotqmail("-nul", "|printf 'a\\000b'; exit 100\n")
    w = worker()
    letter, text = w.deliver(dash="-", ext="long")
    assert letter == "D" and len(text) == 3000 and text.startswith(b"xxx")
    assert text.endswith(b"\nThe report was too long: cut here.\n")
    assert w.deliver(dash="-", ext="fits") == ("D", b"x" * 3000)
    letter, text = w.deliver(dash="-", ext="flood")
    assert letter == "D" and len(text) == 3000
    assert w.deliver(dash="-", ext="nul") == ("D", b"a")


def test_who_stays_behind_does_not_hold_the_worker(box, worker):
    box.dotqmail("-stay", "|sleep 300 & echo $! >pid; echo here\n")
    w = worker()
    try:
        assert w.deliver(dash="-", ext="stay") == ("K", b"here\ndid 0+0+1\n")
        assert w.deliver() == ("K", b"did 1+0+0\n")
        os.kill(int(box.read("pid")), 0)  # it was there all the time
    finally:
        os.kill(int(box.read("pid")), 9)


def test_a_job_without_its_message(box, worker):
    w = worker()
    w.send(with_fd=False)
    letter, text = w.receive()
    assert letter == "Z" and text.endswith(b"(#4.3.0)\n")
    assert w.deliver()[0] == "K"


@pytest.mark.parametrize("packet", [
    b"x", netstring("J") + netstring("1"), netstring("L") + netstring("1") * 8,
    netstring("L") + netstring("1") * 10, netstring("L") + netstring("1") + netstring(b"\0") * 8,
])
def test_garbage_ends_the_worker(box, worker, packet):
    w = worker()
    w.socket.send(packet)
    try:
        assert w.socket.recv(1000) == b""
    except ConnectionResetError:
        pass
    assert w.process.wait(timeout=60) == 111


def test_the_end_of_the_socket_ends_the_worker(box, worker):
    assert worker().end() == 0


def test_a_socket_that_ends_during_a_job(box, worker):
    box.dotqmail("", "|echo $$ >started; exec sleep 1000\n")
    w = worker()
    w.send()
    wait_until(lambda: (box.home / "started").exists() and box.read("started"))
    w.socket.shutdown(socket.SHUT_RDWR)
    os.kill(int(box.read("started")), 9)
    assert w.process.wait(timeout=60) in (0, 111)


def memory_kib(pid):
    with open(f"/proc/{pid}/status") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmRSS:"))


def test_memory_stays_flat(box, worker):
    box.maildir()
    box.dotqmail("-default", "# x\n./Maildir/\n./Mailbox\n|echo words\n")
    message = b"Subject: x\n\n" + b"From y\n" * 20000
    w = worker()

    def some():
        for n in range(40):
            assert w.deliver(message, dash="-", ext=f"a-{n}", sender="s" * n + "@x")[0] == "K"
            assert w.deliver(dash="-", ext="", homedir="/nonexistent")[0] == "Z"

    some()
    before = memory_kib(w.process.pid)
    for _ in range(4):
        some()
    assert memory_kib(w.process.pid) - before < 256
    assert w.end() == 0
