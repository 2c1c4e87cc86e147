"""Clients of qmail-queued's two sockets and a reader of its files, for its tests.

They speak the formats of doc/ARCHITECTURE.md by themselves, so that an error of
the programs' own library cannot hide behind itself.
"""

import array
import contextlib
import fcntl
import os
import re
import socket
import termios
import time

from lib import TIMEOUT_S, wait_until

SPLIT = 32
KINDS = ("mess", "env", "done", "bounce")


def crc32c(data, crc=0, table=[]):
    if not table:
        for byte in range(256):
            value = byte
            for _ in range(8):
                value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
            table.append(value)
    crc ^= 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ table[(crc ^ byte) & 255]
    return crc ^ 0xFFFFFFFF


def netstring(payload):
    return b"%d:%s," % (len(payload), payload)


def take_netstrings(data):
    fields = []
    while data:
        size, _, rest = data.partition(b":")
        fields.append(rest[:int(size)])
        assert rest[int(size):int(size) + 1] == b",", data
        data = rest[int(size) + 1:]
    return fields


# ---- submit.sock -------------------------------------------------------------

def submission(body, sender=b"s@x.example", recipients=(b"r@y.example",), label=None):
    """The bytes of one whole submission."""
    parts = [netstring(b"P%d" % label)] if label is not None else []
    parts += [netstring(b"M" + body[i:i + 65536]) for i in range(0, len(body), 65536)]
    parts.append(netstring(b"F" + sender))
    parts += [netstring(b"T" + r) for r in recipients]
    return b"".join(parts) + netstring(b".")


def connect(home, name="submit.sock", kind=socket.SOCK_STREAM):
    sock = socket.socket(socket.AF_UNIX, kind)
    sock.settimeout(TIMEOUT_S)
    sock.connect(str(home.home / "run" / name))
    return sock


def read_verdict(sock):
    """b"K7", b"E53", or b"" if the connection ended without one."""
    data = b""
    try:
        while not re.fullmatch(rb"\d+:.*,", data):
            got = sock.recv(4096)
            if not got:
                return b""
            data += got
    except ConnectionError:
        return b""
    return take_netstrings(data)[0]


def exchange(home, data):
    with connect(home) as sock:
        try:
            sock.sendall(data)
        except ConnectionError:
            pass
        return read_verdict(sock)


def submit(home, body, *args, **more):
    """Hands a message in; returns its id."""
    verdict = exchange(home, submission(body, *args, **more))
    assert verdict[:1] == b"K", verdict
    return int(verdict[1:])


def wait_read(sock):
    """Waits until the daemon has read all that was sent."""
    left = array.array("i", [0])

    def is_read():
        fcntl.ioctl(sock, termios.TIOCOUTQ, left)
        return left[0] == 0
    wait_until(is_read, what="the daemon to read")


# ---- control.sock ------------------------------------------------------------

class Control:
    """What qmail-send is for qmail-queued."""

    def __init__(self, home, subscribe=True):
        self.sock = connect(home, "control.sock", socket.SOCK_SEQPACKET)
        self.sent = self.acknowledged = 0
        self.news = []
        self.limit = None
        if subscribe:
            self.send(b"S")
            fields = self.receive()
            assert fields[0] == b"H", fields
            self.limit = int(fields[1])

    def send(self, *fields):
        self.sock.send(b"".join(netstring(f) for f in fields))

    def request(self, *fields):
        self.send(*[f if isinstance(f, bytes) else b"%d" % f for f in fields])
        self.sent += 1

    def receive(self):
        """The fields of the next packet; [] at the end."""
        try:
            return take_netstrings(self.sock.recv(131072))
        except ConnectionError:
            return []

    def until(self, letter):
        """Reads up to the next packet with that letter; its number."""
        while True:
            fields = self.receive()
            assert fields, "the connection ended"
            if fields[0] == b"A":
                self.acknowledged = int(fields[1])
            if fields[0] == b"N":
                self.news += [int(field) for field in fields[1::2]]
            if fields[0] == letter:
                return int(fields[1])

    def settle(self):
        """Waits until all requests are durable."""
        while self.acknowledged < self.sent:
            self.until(b"A")

    def barrier(self, ident=1):
        self.send(b"B", b"%d" % ident)
        assert self.until(b"B") == ident

    def close(self):
        self.sock.close()


# ---- files -------------------------------------------------------------------

def path_of(home, kind, ident):
    return home.home / "queue" / kind / str(ident % SPLIT) / str(ident)


def ids(home, kind="env"):
    return {int(p.name) for p in (home.home / "queue" / kind).glob("*/*")}


def damaged(home):
    return sorted(os.listdir(home.home / "queue/damaged"))


class Message:
    """A message as it lies in the queue; any flaw is an AssertionError."""

    def __init__(self, home, ident):
        env = path_of(home, "env", ident).read_bytes()
        mess = path_of(home, "mess", ident).read_bytes()
        head, tail = env[:-10], env[-10:]
        assert tail == b"C%08x\0" % crc32c(head), f"env {ident}: checksum"
        fields = head.split(b"\0")
        assert fields.pop() == b"" and fields.pop(0) == b"v1"
        self.values = {f[:1].decode(): f[1:] for f in fields if f[:1] not in b"TLR"}
        assert re.fullmatch("uptscO?FB?", "".join(self.values)), self.values
        assert self.values["s"] == b"%d" % len(mess), f"mess {ident}: size"
        assert self.values["c"] == b"%08x" % crc32c(mess), f"mess {ident}: checksum"
        self.sender = self.values["F"]
        self.recipients = [f[1:] for f in fields if f[:1] == b"T"]
        self.rewritten = [f for f in fields if f[:1] in (b"L", b"R")]
        self.received, newline, self.body = mess.partition(b"\n")
        assert newline and self.received.startswith(b"Received: (qmail ")


def states(home, ident):
    try:
        return path_of(home, "done", ident).read_bytes()
    except FileNotFoundError:
        return b""


def failures(home, ident):
    """[(index, text)] of a bounce file."""
    try:
        data = path_of(home, "bounce", ident).read_bytes()
    except FileNotFoundError:
        return []
    found = []
    while data:
        crc, index, size, zero = (
            int.from_bytes(data[i:i + 4], "little") for i in (0, 4, 8, 12))
        assert zero == 0 and len(data) >= 16 + size, f"bounce {ident}: torn"
        assert crc == crc32c(data[4:16 + size], ident & 0xFFFFFFFF)
        found.append((index, data[16:16 + size]))
        data = data[16 + size:]
    return found


def counters(home):
    """What USR1 makes qmail-queued print."""
    lines = home.log("queued").count("stats: ")
    os.kill(home.daemons["queued"].pid, 10)
    line = home.wait_log("^.*stats: .*$", "queued", count=lines + 1).group(0)
    words = line.split("stats: ")[1].split()
    return dict(zip(words[::2], map(int, words[1::2])))


def epochs(home):
    """The epochs of the segments, 0 for one that was never used."""
    found = []
    for path in (home.home / "queue/journal").iterdir():
        if not path.name.isdigit():
            continue
        with contextlib.suppress(FileNotFoundError), open(path, "rb") as f:
            found.append(int.from_bytes(f.read(24)[16:24], "little"))
    return sorted(found)


def body_of(number, size=300):
    """Recognisable, with bytes that break weak programs."""
    head = b"Subject: %d\n\n.\n..x\nFrom y\n\xff\x80\r\n\0" % number
    return head + b"%d\n" % number * max(0, (size - len(head)) // (len(b"%d" % number) + 1))


def now_s():
    return int(time.time())
