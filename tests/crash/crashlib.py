"""What the crash tests share: a bare home, a client of submit.sock, a reader of queue/.

Everything here speaks the formats of doc/ARCHITECTURE.md by itself, so that an
error of the daemons' own library cannot hide behind itself.
"""
import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BIN = os.environ.get("CQMAIL_DYNAMIC_BIN", os.path.join(TOP, "build/dynamic/bin"))
FAULT = os.environ.get("CQMAIL_FAULT", os.path.join(TOP, "build/dynamic/fault.so"))
SPLIT = 32
ERRNOS = {"ENOSPC": 28, "EIO": 5, "ENOMEM": 12, "EMFILE": 24, "EINTR": 4}
KILL = 0


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


class Home:
    """A QMAILHOME that holds what qmail-queued needs, and nothing else."""

    def __init__(self, path):
        self.path = str(path)
        os.makedirs(self.path, exist_ok=True)
        for name in ("control", "queue", "run", "alias", "users"):
            os.makedirs(os.path.join(self.path, name), exist_ok=True)
        self.write("control/me", "test.example\n")
        if not os.path.lexists(os.path.join(self.path, "bin")):
            os.symlink(BIN, os.path.join(self.path, "bin"))
        self.log = os.path.join(self.path, "log")

    def write(self, name, text):
        with open(os.path.join(self.path, name), "w") as f:
            f.write(text)

    def env(self, fault=None):
        env = {k: v for k, v in os.environ.items() if not k.startswith(("FAULT_", "QMAIL"))}
        env["QMAILHOME"] = self.path
        env["PATH"] = BIN + ":" + env.get("PATH", "/usr/bin:/bin")
        if fault:
            program, kind, at, error, count = fault
            env["LD_PRELOAD"] = FAULT
            env["FAULT_PROGRAM"] = program
            env["FAULT_CLASS"] = kind
            env["FAULT_AT"] = str(at)
            env["FAULT_ERRNO"] = str(error)
            if count:
                env["FAULT_COUNT"] = count
        return env

    def start(self, args, fault=None, **more):
        with open(self.log, "ab") as log:
            return subprocess.Popen([os.path.join(BIN, args[0])] + args[1:],
                                    env=self.env(fault), stdin=subprocess.DEVNULL,
                                    stdout=log, stderr=log, **more)

    def log_text(self):
        try:
            with open(self.log, "rb") as f:
                return f.read().decode("latin-1")
        except FileNotFoundError:
            return ""

    def connect(self, name, kind, process, deadline_s=60.0):
        """A socket to run/NAME, or None once process has ended."""
        path = os.path.join(self.path, "run", name)
        end = time.monotonic() + deadline_s
        while time.monotonic() < end:
            sock = socket.socket(socket.AF_UNIX, kind)
            sock.settimeout(60)
            try:
                sock.connect(path)
                return sock
            except OSError:
                sock.close()
                if process.poll() is not None:
                    return None
                time.sleep(0.002)
        return None


def submit(home, process, sender, recipients, body):
    """Returns the ID that the daemon acknowledged, or None."""
    sock = home.connect("submit.sock", socket.SOCK_STREAM, process)
    if sock is None:
        return None
    parts = [netstring(b"M" + body[i:i + 16384]) for i in range(0, len(body), 16384)]
    parts.append(netstring(b"F" + sender))
    parts += [netstring(b"T" + r) for r in recipients]
    parts.append(netstring(b"."))
    try:
        sock.sendall(b"".join(parts))
        reply = b""
        while not re.fullmatch(rb"\d+:.*,", reply, re.S):
            got = sock.recv(4096)
            if not got:
                return None
            reply += got
    except OSError:
        return None
    finally:
        sock.close()
    verdict = reply.split(b":", 1)[1][:-1]
    return int(verdict[1:]) if verdict[:1] == b"K" else None


class Control:
    """The part of qmail-send that talks to qmail-queued."""

    def __init__(self, home, process):
        self.sock = home.connect("control.sock", socket.SOCK_SEQPACKET, process)
        self.sent = self.acknowledged = self.settled = 0
        self.dead = self.sock is None
        if not self.dead:
            self._send(b"S")
            self.wait(lambda fields: fields[0] == b"H")

    def _send(self, *fields):
        if self.dead:
            return
        try:
            self.sock.send(b"".join(netstring(f) for f in fields))
        except OSError:
            self.dead = True

    def request(self, *fields):
        self._send(*fields)
        self.sent += 1

    def wait(self, wanted):
        while not self.dead:
            try:
                packet = self.sock.recv(131072)
            except OSError:
                packet = b""
            if not packet:
                self.dead = True
                return
            fields = []
            while packet:
                size, packet = packet.split(b":", 1)
                fields.append(packet[:int(size)])
                packet = packet[int(size) + 1:]
            if fields[0] == b"A":
                self.acknowledged = int(fields[1])
            if wanted(fields):
                return

    def settle(self):
        """Waits until every request is durable, or the daemon is gone. A barrier makes
        that soon; every fourth time the commit comes by itself, 0.2 s later."""
        self.settled += 1
        if self.settled % 4:
            self._send(b"B", b"%d" % self.settled)
        while not self.dead and self.acknowledged < self.sent:
            self.wait(lambda fields: fields[0] == b"A")

    def close(self):
        if self.sock is not None:
            self.sock.close()


def read_queue(home):
    """{id: (sender, [recipients], [states], body, failures)}; raises on anything that is not whole."""
    found = {}
    queue = os.path.join(home.path, "queue")
    for part in sorted(os.listdir(os.path.join(queue, "env"))):
        for name in os.listdir(os.path.join(queue, "env", part)):
            ident = int(name)
            assert int(part) == ident % SPLIT, "env/%s/%s is in the wrong place" % (part, name)
            with open(os.path.join(queue, "env", part, name), "rb") as f:
                env = f.read()
            with open(os.path.join(queue, "mess", part, name), "rb") as f:
                mess = f.read()
            found[ident] = check_message(ident, env, mess) + tuple(read_states(queue, part, name, env))
    for part in os.listdir(os.path.join(queue, "mess")):
        for name in os.listdir(os.path.join(queue, "mess", part)):
            assert int(name) in found, "mess/%s/%s has no envelope" % (part, name)
    return found


def check_message(ident, env, mess):
    cut = env.rindex(b"C", 0, len(env))
    assert env.endswith(b"\0") and len(env) - cut == 10, "env %d does not end as it should" % ident
    assert env[cut + 1:-1] == b"%08x" % crc32c(env[:cut]), "env %d: bad checksum" % ident
    fields = env[:cut].split(b"\0")[:-1]
    values = {f[:1]: f[1:] for f in fields if f[:1] != b"T"}
    assert values[b"s"] == b"%d" % len(mess), "mess %d: bad size" % ident
    assert values[b"c"] == b"%08x" % crc32c(mess), "mess %d: bad checksum" % ident
    received, body = mess.split(b"\n", 1)
    assert received.startswith(b"Received: (qmail "), "mess %d: no Received line" % ident
    return values[b"F"], [f[1:] for f in fields if f[:1] == b"T"], body


def read_states(queue, part, name, env):
    states, failures = b"", b""
    try:
        with open(os.path.join(queue, "done", part, name), "rb") as f:
            states = f.read()
    except FileNotFoundError:
        pass
    try:
        with open(os.path.join(queue, "bounce", part, name), "rb") as f:
            failures = f.read()
    except FileNotFoundError:
        pass
    return [chr(b) if b in b"DF" else "T" for b in states], parse_failures(int(name), failures)


def parse_failures(ident, data):
    entries = []
    while data:
        assert len(data) >= 16, "bounce %d: torn head" % ident
        crc, index, size = (int.from_bytes(data[i:i + 4], "little") for i in (0, 4, 8))
        assert len(data) >= 16 + size, "bounce %d: torn text" % ident
        assert crc == crc32c(data[4:16 + size], ident & 0xFFFFFFFF), "bounce %d: bad checksum" % ident
        entries.append((index, data[16:16 + size]))
        data = data[16 + size:]
    return entries


def stop(process):
    """Ends a process that this test started, and reports how it ended."""
    end = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < end:
        # more than once: the fault may hit what the handler of the first writes
        process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(1)
    if process.poll() is None:
        process.kill()
        process.wait(60)
    return process.returncode


def body_of(token, size=300):
    """A recognisable message with odd bytes."""
    head = b"Subject: %s\n\n.\n..x\nFrom y\n\xff\x80\r\n" % token
    return head + (token + b"\n") * (max(0, size - len(head)) // (len(token) + 1))


STRIDE = int(os.environ.get("CRASH_STRIDE", "5"))


def every(factor):
    """The step of a sweep: factor times CRASH_STRIDE; with CRASH_STRIDE=1 each call is hit."""
    return 1 if STRIDE == 1 else int(factor * STRIDE)


part = (0, 1)  # of a sweep that is divided (sharing.py): its number, and how many there are


def sweep_points(count, stride):
    """Which calls to hit: all of them, or each stride-th; of these the current part."""
    return range(1, count + 1, stride)[part[0]::part[1]]


# what may happen to a call: the class of calls, and FAULT_ERRNO of fault.c
FAULTS = {name: ("io", number) for name, number in ERRNOS.items()}
FAULTS.update({"no memory": ("mem", ERRNOS["ENOMEM"]), "one byte": ("io", -1),
               "SIGKILL": ("io", KILL)})


def count_of(count_file):
    """How many calls the longest of the processes made that ended by themselves."""
    with open(count_file) as f:
        return max(int(line) for line in f)


def sweep_calls(tmp_path, program, name, run, factor=1):
    """Calls run(fault), which tells what went wrong, for one call of program after the other."""
    kind, error = FAULTS[name]
    count_file = str(tmp_path / "count")
    wrong = run((program, kind, 0, 1, count_file))
    assert not wrong, wrong
    count = count_of(count_file)
    assert count >= 2  # each at least looks for its descriptors and starts another program
    stride = every(factor)
    points = list(range(1 + crc32c((program + name).encode()) % stride, count + 1, stride))
    points = points[part[0]::part[1]]
    if name == "one byte":
        points.append(-1)  # all of them at once
    failures = []
    for at in points:
        for line in run((program, kind, at, error, None)):
            failures.append("%s, call %d with %s: %s" % (program, at, name, line))
    print("%d calls counted, %d of them hit" % (count, len(points)))
    complain(failures)


def complain(failures):
    for line in failures[:20]:
        print("not ok - " + line, file=sys.stderr)
    assert not failures, "%d of the states were not recovered: %s" % (len(failures), failures[0])
