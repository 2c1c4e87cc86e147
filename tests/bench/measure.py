"""What is measured, and how: waiting, CPU time, memory, latency."""

import contextlib
import mmap
import os
import re
import signal
import smtplib
import socket
import statistics
import struct
import subprocess
import time
from pathlib import Path

TICK_S = 1 / os.sysconf("SC_CLK_TCK")
# Our own processes in a peer's cgroup: they only wait there.
WRAPPERS = {"nsenter", "unshare", "load", "sh", "sleep"}


class Late(Exception):
    """A work did not end before its deadline."""


def wait_until(condition, limit_s, what, pause_s=0.01):
    """Polls; returns the monotonic time at which condition() became true."""
    end = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() > end:
            raise Late(f"waited {limit_s} s for {what}")
        time.sleep(pause_s)
    return time.monotonic()


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Group:
    """A cgroup (version 2) that counts the CPU time of a peer with all its
    children, or None of it where no cgroup can be made."""

    def __init__(self, name):
        self.path = None
        for root in ("/sys/fs/cgroup", "/sys/fs/cgroup/unified"):
            path = Path(root) / f"cqmail-bench-{os.getpid()}-{name}"
            if (Path(root) / "cgroup.procs").exists() and os.access(root, os.W_OK):
                with contextlib.suppress(OSError):
                    path.mkdir()
                    self.path = path
                    return

    def add(self, pid):
        if self.path:
            with contextlib.suppress(OSError):
                (self.path / "cgroup.procs").write_text(str(pid))

    def pids(self):
        if not self.path:
            return []
        return [int(p) for p in (self.path / "cgroup.procs").read_text().split()]

    def cpu_s(self):
        """Seconds; None without a cgroup."""
        if not self.path:
            return None
        found = re.search(r"usage_usec (\d+)", (self.path / "cpu.stat").read_text())
        return int(found[1]) / 1e6

    def remove(self):
        if not self.path:
            return
        for _ in range(100):
            with contextlib.suppress(OSError):
                self.path.rmdir()
                return
            for pid in self.pids():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.02)


def name_of(pid):
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text().strip()
    return ""


def command_of(pid):
    """The name, or what a process calls itself in its arguments."""
    with contextlib.suppress(OSError):
        words = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ")
        return name_of(pid) + " " + words.decode("latin-1")
    return ""


def ticks_cpu_s(pids):
    """CPU time of processes and of the children that they have reaped."""
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            total += sum(int(f) for f in fields[11:15])
    return total * TICK_S


def pss_kib(pids):
    """Proportional set size: shared pages count as a share."""
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            text = Path(f"/proc/{pid}/smaps_rollup").read_text()
            total += int(re.search(r"(?m)^Pss:\s+(\d+)", text)[1])
    return total


def busy_s():
    """CPU seconds of the whole machine that were not idle."""
    first = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    user, nice, system, _, _, irq, softirq, *_ = map(int, first)
    return (user + nice + system + irq + softirq) * TICK_S


class Meter:
    """From its making to stop(): time, CPU of the peer, and what share of the
    machine others had meanwhile."""

    def __init__(self, peer):
        self.peer = peer
        self.cpu, self.load, self.busy = self._read()
        self.start = time.monotonic()

    def _read(self):
        return self.peer.cpu_s(), self.peer.load_group.cpu_s(), busy_s()

    def stop(self, messages):
        took = time.monotonic() - self.start
        cpu, load, busy = (b - a if a is not None else None for a, b in
                           zip((self.cpu, self.load, self.busy), self._read()))
        result = {"cpu_ms": round(cpu * 1000 / messages, 3)}
        if load is not None and self.peer.group.path:
            others = max(0.0, busy - cpu - load)
            result["disturbed"] = round(others / (took * os.cpu_count()), 3)
        return result


class Sink:
    """The host that mail is relayed to; its counters are in shared memory."""

    FIELDS = ("connections", "messages", "recipients", "open", "open_max",
              "pending")

    def __init__(self, load, directory, port=0, delay_ms=0, address="127.0.0.1"):
        self.file = Path(directory) / f"sink.{port}.{time.monotonic_ns()}"
        self.process = subprocess.Popen(
            [str(load), "sink", str(self.file), address, str(port), str(delay_ms)],
            stdout=subprocess.PIPE, text=True, start_new_session=True)
        line = self.process.stdout.readline().split()
        if len(line) != 2:
            self.process.wait()
            raise RuntimeError(f"the sink cannot listen on port {port}")
        self.port = int(line[1])
        self.place = (address, self.port)
        with open(self.file, "rb") as f:
            self.counters = mmap.mmap(f.fileno(), 8 * len(Sink.FIELDS), prot=mmap.PROT_READ)

    def __getattr__(self, name):
        if name not in Sink.FIELDS:
            raise AttributeError(name)
        return struct.unpack_from("<Q", self.counters, 8 * Sink.FIELDS.index(name))[0]

    def close(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.counters.close()
        self.file.unlink(missing_ok=True)


def held_port():
    """A socket whose port refuses connections as long as it is held."""
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(("127.0.0.1", 0))
    return s


def smtp(port, limit_s=60):
    """A session behind its EHLO."""
    client = smtplib.SMTP("127.0.0.1", port, "client.example", timeout=limit_s)
    client.ehlo()
    return client


def answer_of(stream, code):
    """All lines of a reply that must begin with code."""
    lines = [stream.readline()]
    while lines[-1][3:4] == b"-":
        lines.append(stream.readline())
    if not lines[-1].startswith(code):
        raise RuntimeError(f"the server says {lines[-1]!r}")
    return lines


def send_list(port, sender, recipients, size_bytes, limit_s):
    """One message with many recipients, 200 of them on the way at a time if the
    server allows that."""
    with socket.create_connection(("127.0.0.1", port), limit_s) as s, \
            s.makefile("rb") as stream:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        answer_of(stream, b"220")
        s.sendall(b"EHLO client.example\r\n")
        pipelines = any(b"PIPELINING" in x for x in answer_of(stream, b"250"))
        s.sendall(f"MAIL FROM:<{sender}>\r\n".encode())
        answer_of(stream, b"250")
        ahead = 200 if pipelines else 1
        for at in range(0, len(recipients), ahead):
            some = recipients[at:at + ahead]
            s.sendall("".join(f"RCPT TO:<{r}>\r\n" for r in some).encode())
            for _ in some:
                answer_of(stream, b"250")
        s.sendall(b"DATA\r\n")
        answer_of(stream, b"354")
        s.sendall(b"Subject: list\r\n\r\n" +
                  (b"x" * 62 + b"\r\n") * (size_bytes // 64) + b".\r\n")
        answer_of(stream, b"250")
        s.sendall(b"QUIT\r\n")
        answer_of(stream, b"221")


def probe_ms(peer, limit_s=60):
    """From connecting to the file in the Maildir, for one local message."""
    before = peer.delivered()
    start = time.monotonic()
    client = smtp(peer.port, limit_s)
    with contextlib.closing(client):
        client.sendmail("probe@elsewhere.example", [peer.recipient()],
                        b"Subject: probe\r\n\r\nprobe\r\n")
        end = wait_until(lambda: peer.delivered() > before, limit_s,
                         "the probe", 0.0005)
    return (end - start) * 1000


def probes(peer, count=30, limit_s=60):
    """Median and worst of count probes, a tenth of a second apart."""
    took = []
    for _ in range(count):
        took.append(probe_ms(peer, limit_s))
        time.sleep(0.1)
    return {"median_ms": round(statistics.median(took), 2),
            "worst_ms": round(max(took), 1)}


def wait_quiet(peer, limit_s):
    """Until the peer uses hardly any CPU for three seconds running."""
    end, quiet = time.monotonic() + limit_s, 0
    while quiet < 3 and time.monotonic() < end:
        before = peer.cpu_s()
        time.sleep(1)
        quiet = quiet + 1 if peer.cpu_s() - before < 0.1 else 0
