"""Floods: recipients, lines and messages without end, and a local user who
sends as fast as he can."""

import contextlib
import os
import socket
import subprocess
import sys
import threading

import lib
import pytest
from framing import qmqp
from loadlib import (
    KIB, MIB, SCALE, Attack, Honest, Watch, connect, peak_kib, read_to_end,
    start_servers)
from queue_lab import netstring, submission

RECIPIENTS = 100000


class Counter:
    """A remote server that counts recipients, and keeps nothing."""

    def __init__(self):
        self.sink = lib.SmtpSink({"RCPT": self.count})
        self.seen, self.lock = {}, threading.Lock()

    def count(self, argument):
        with self.lock:
            self.seen[argument] = self.seen.get(argument, 0) + 1


def test_a_hundred_thousand_recipients(instance):
    """Of one message, by QMQP, each told to the remote server once. They are in
    the memory of qmail-queued while they arrive, so it may grow by 24 MiB; the
    others by less. Mail that comes meanwhile does not wait for them."""
    honest = Honest(instance)
    ports = start_servers(instance)
    far = Counter()
    try:
        instance.route_to(far.sink)
        honest.is_served(ports["smtp"])
        watch = Watch(instance)
        to = [b"recipient-%06d@far.example" % n for n in range(RECIPIENTS)]
        with connect(ports["qmqp"]) as one:
            one.sendall(qmqp(b"Subject: to all\n\nx\n", "s@test.example", to))
            assert b":Kok " in one.recv(200)
        for _ in range(3):
            honest.is_served(ports["smtp"])
        instance.wait_empty(300)
    finally:
        far.sink.close()
    assert len(far.seen) == RECIPIENTS and set(far.seen.values()) == {1}
    watch.check({"qmail-queued": 24 * KIB, "qmail-send": 8 * KIB, "": 2 * KIB})


# ---- without end -----------------------------------------------------------------------

# What is said before the stream, and the stream.
ENDLESS = {
    "a command": ("smtp", b"", b"x" * 65536),
    "commands": ("smtp", b"", b"XYZZY\r\n" * 9000),
    "an argument": ("smtp", b"MAIL FROM:<", b"x" * 65536),
    "a length": ("qmtp", b"", b"9" * 65536),
    "a message of 2 GiB": ("qmtp", b"2147483648:\n", b"x" * 65536),
    "zeros of a length": ("qmqp", b"", b"0" * 65536),
    "a login": ("pop3", b"USER ", b"x" * 65536),
    "logins": ("pop3", b"", b"USER x\r\n" * 8000),
}
ENOUGH = 16 * MIB


@pytest.fixture(scope="module")
def endless():
    """One instance for all of them."""
    one = lib.Instance().start()
    one.honest, one.ports = Honest(one), start_servers(one)
    one.honest.is_served(one.ports["smtp"])
    one.watch = Watch(one)
    yield one
    left = one.stop()
    one.remove()
    assert not left, left


@pytest.mark.parametrize("what", ENDLESS)
def test_what_has_no_end_is_ended(endless, what):
    """The server says its last word; it reads a little longer, so that the client
    can take it."""
    protocol, first, piece = ENDLESS[what]
    with connect(endless.ports[protocol]) as one:
        one.sendall(first)
        reader = threading.Thread(target=swallow, args=(one,), daemon=True)
        reader.start()
        with contextlib.suppress(OSError):
            for _ in range(ENOUGH // len(piece)):
                one.sendall(piece)
        reader.join(lib.TIMEOUT_S)
        assert not reader.is_alive(), "the server wants more"
    endless.honest.is_served(endless.ports["smtp"])
    endless.watch.check(2 * KIB)


def swallow(one):
    with contextlib.suppress(OSError):
        while one.recv(65536):
            pass


# ---- messages that are too big -----------------------------------------------------------

BIG = int(os.environ.get("LOAD_DATA_MIB", "2048")) * MIB


def stream(one, total, line):
    """total bytes of whole lines; the last piece may be cut."""
    piece = line * (MIB // len(line))
    while total > 0:
        one.sendall(piece[:total])
        total -= min(total, len(piece))


def disk_bytes(instance):
    """What the queue holds on the disk, the journal aside, which does not grow."""
    found = 0
    for folder in ("mess", "env", "tmp", "done", "bounce"):
        for path in (instance.home / "queue" / folder).rglob("*"):
            with contextlib.suppress(FileNotFoundError):
                found += path.stat().st_size if path.is_file() else 0
    return found


def is_too_big(endless, protocol, size, said, stop):
    """Sends it all, and looks at the disk and at the memory meanwhile."""
    program = {"smtp": "qmail-smtpd", "qmtp": "qmail-qmtpd"}[protocol]
    largest = 0
    with connect(endless.ports[protocol]) as one:
        one.sendall(said)
        (pid,) = lib.wait_until(lambda: len(endless.pids(program)) == 1
                                and endless.pids(program))
        for number in range(8):
            stream(one, size // 8, b"X-Endless: " + b"y" * 51 + b"\r\n")
            largest = max(largest, disk_bytes(endless))
            if number == 4:
                endless.honest.is_served(endless.ports["smtp"])
        peak = peak_kib(pid)
        one.sendall(stop)
        one.shutdown(socket.SHUT_WR)
        text = read_to_end(one)
    assert largest < 2 * MIB
    assert peak < 2 * KIB, f"{program} had {peak} KiB"
    endless.watch.check(2 * KIB)
    return text


def test_two_gibibytes_by_smtp(endless):
    """With databytes set: the header has no end, it is read, and refused."""
    endless.write_control("databytes", "1000000\n")
    text = is_too_big(endless, "smtp", BIG, b"EHLO x\r\nMAIL FROM:<s@x.example>\r\n"
                      b"RCPT TO:<test@test.example>\r\nDATA\r\n",
        b"\r\n.\r\nQUIT\r\n")
    assert b"\r\n552 sorry, that message size exceeds my databytes limit" in text
    endless.wait_empty()
    assert endless.maildir("test") == []


def test_the_largest_netstring(endless):
    """The same by QMTP, where the length is said first: 200,000,000 at most."""
    endless.write_control("databytes", "1000000\n")
    size = min(BIG, 199999992)
    text = is_too_big(endless, "qmtp", size, b"%d:\n" % (size + 1),
                      b"," + netstring(b"s@x.example")
                      + netstring(netstring(b"test@test.example")))
    assert b"Dsorry, that message size exceeds my databytes limit" in text
    endless.wait_empty()
    assert endless.maildir("test") == []


# ---- a local user ------------------------------------------------------------------------

FLOODER = 65531  # a uid that nobody else has
# Holds connections, each with a message begun, and submits whole messages beside;
# says a line when all are open.
FLOOD = """
import contextlib, socket, sys, threading
path, message, held = sys.argv[1], sys.argv[3].encode(), []
def one():
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(60)
    s.connect(path)
    return s
def submit():
    while True:
        with contextlib.suppress(OSError), one() as s:
            s.sendall(message)
            while s.recv(100):
                pass
for number in range(int(sys.argv[2])):
    with contextlib.suppress(OSError):
        held.append(one())
        held[-1].sendall(b"2:Mx,")
for _ in range(8):
    threading.Thread(target=submit, daemon=True).start()
print("flooding", flush=True)
sys.stdin.read()
"""


@contextlib.contextmanager
def flood(instance, held):
    message = submission(b"Subject: flood\n\nx\n", b"f@x.example",
                         [f"test@{instance.host}".encode()])
    flooder = subprocess.Popen(
        [sys.executable, "-c", FLOOD, instance.home / "run/submit.sock", str(held),
         message], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd="/",
        user=FLOODER, group=FLOODER, extra_groups=[])
    try:
        assert flooder.stdout.readline() == b"flooding\n"
        yield
        assert flooder.poll() is None
    finally:
        flooder.stdin.close()
        flooder.stdout.close()
        flooder.kill()
        flooder.wait()


@pytest.mark.skipif(os.getuid() != 0, reason="needs root")
@pytest.mark.parametrize("held", [0, 700, 900])
def test_a_local_user_who_floods_the_queue(instance, held):
    """He holds so many of 1,000 places (750 is what one uid can get) and submits
    without a pause; each message of another uid is taken at once, and delivered.
    What he is served with has its turn with the others."""
    honest = Honest(instance)
    ports = start_servers(instance)
    honest.is_served(ports["smtp"])
    watch = Watch(instance)
    with flood(instance, held):
        if held < 750:
            instance.wait_maildir("test", 100)
        for _ in range(10 * SCALE):
            honest.is_served(ports["smtp"], pop3=False)
    instance.wait_empty(300)
    watch.check(4 * KIB)


def test_submissions_without_end(instance):
    """Clients of the queue who begin a large message and drop it, over and over:
    nothing of it stays on the disk."""
    honest = Honest(instance)
    ports = start_servers(instance)
    honest.is_served(ports["smtp"])
    watch = Watch(instance)
    path = str(instance.home / "run/submit.sock")
    piece = netstring(b"M" + b"x" * 65535) * 4  # over the size of small messages

    def begin(number):
        with socket.socket(socket.AF_UNIX) as one:
            one.settimeout(lib.TIMEOUT_S)
            one.connect(path)
            one.sendall(piece * (number % 3 + 1))

    with Attack(begin) as attack:
        while attack.done < 500 * SCALE:
            honest.is_served(ports["smtp"], pop3=False)
    instance.wait_empty()
    lib.wait_until(lambda: disk_bytes(instance) == 0, what="an empty disk")
    watch.check(2 * KIB)
