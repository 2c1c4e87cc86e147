"""What the load tests share: an eye on the daemons of an instance, an honest
client who wants to be served whatever happens, and attackers that go on until
they are told to stop.

LOAD_SCALE multiplies how much the attackers do (default 1, in `make soak` 5).
"""

import contextlib
import os
import re
import socket
import threading
from pathlib import Path

import lib
from framing import qmqp, qmtp

SCALE = int(os.environ.get("LOAD_SCALE", "1"))
KIB, MIB = 1 << 10, 1 << 20
SEGMENT_KIB = 17 * KIB  # what a qmail-clean reads for a checkpoint, and itself
DAEMONS = ("qmail-queued", "qmail-clean", "qmail-start", "qmail-send",
           "qmail-lspawn", "qmail-getpw", "qmail-rspawn")


# ---- the daemons ---------------------------------------------------------------------

def number_in(path, pattern):
    return int(re.search(pattern, Path(path).read_text(), re.MULTILINE)[1])


def pss_kib(pid):
    """The memory of a process; of a page that is shared, its share."""
    return number_in(f"/proc/{pid}/smaps_rollup", r"^Pss:\s+(\d+) kB")


def peak_kib(pid):
    return number_in(f"/proc/{pid}/status", r"^VmHWM:\s+(\d+) kB")


def reset_peak(pid):
    """The peak becomes what is in use now (where the kernel lets us)."""
    with contextlib.suppress(OSError):
        Path(f"/proc/{pid}/clear_refs").write_text("5")


class Watch:
    """The long-lived processes of an instance, as they are when nothing is to
    do: those must be there to the end, and may grow by so much at most."""

    def __init__(self, instance):
        self.instance = instance
        lib.wait_until(lambda: not instance.queue_ids(), what="an empty queue")
        self.names = {p: n for p, n in instance.processes().items() if n in DAEMONS}
        for daemon in instance.daemons.values():
            self.names.setdefault(daemon.pid, Path(daemon.argv[0]).name)
        for pid in self.names:
            reset_peak(pid)
        self.pss = {pid: pss_kib(pid) for pid in self.names}
        self.peak = {pid: peak_kib(pid) for pid in self.names}

    def check(self, most_kib):
        """They are all there, and were never larger by more than most_kib; a
        dict may give some programs more: {"qmail-send": 4096, "": 1024}. A
        qmail-clean may hold a segment of the journal."""
        limits = most_kib if isinstance(most_kib, dict) else {"": most_kib}
        limits = {"qmail-clean": SEGMENT_KIB, **limits}
        there = self.instance.processes()
        for pid, name in self.names.items():
            most = limits.get(name, limits[""])
            assert there.get(pid) == name[:15], f"{name} ({pid}) is gone"
            grown = peak_kib(pid) - self.peak[pid]
            assert grown <= most, f"{name} grew by {grown} KiB, more than {most}"
            grown = pss_kib(pid) - self.pss[pid]
            assert grown <= most, f"{name} has {grown} KiB more, more than {most}"


# ---- who must be served ----------------------------------------------------------------

class Honest:
    """Sends by SMTP and sendmail, and reads by POP3, at the ports of an instance."""

    def __init__(self, instance, user="honest"):
        self.instance, self.user, self.sent = instance, user, 0
        instance.add_user(user)
        instance.set_password(user, "a secret")
        self.to = f"{user}@{instance.host}"

    def is_served(self, smtp=None, pop3=True, sendmail=True):
        """Sends a message each way, waits for them, and counts them by POP3."""
        self.instance.send_smtp(b"Subject: by SMTP\n\nx\n", to=[self.to], port=smtp)
        self.sent += 1
        if sendmail:
            done = self.instance.sendmail(self.to)
            assert done.returncode == 0, done.stderr
            self.sent += 1
        self.instance.wait_maildir(self.user, self.sent)
        assert len(self.instance.maildir(self.user)) == self.sent
        if pop3:
            box = self.instance.pop3(self.user, "a secret")
            assert box.stat()[0] == self.sent
            box.close()


# ---- servers, and how one talks to them --------------------------------------------------

def start_servers(instance, limit=100):
    """All four protocols; {"smtp": port, ...}. The POP3 port is the instance's."""
    instance._pop3_port = instance.serve(
        instance.bin / "qmail-popup", instance.host, instance.bin / "qmail-checkpass",
        instance.bin / "qmail-pop3d", "Maildir", name="pop3d", limit=limit)
    return {
        "smtp": instance.smtpd(limit=limit),
        "qmtp": instance.serve(instance.bin / "qmail-qmtpd", limit=limit),
        "qmqp": instance.serve(instance.bin / "qmail-qmqpd", limit=limit),
        "pop3": instance._pop3_port}


def connect(port):
    return socket.create_connection(("127.0.0.1", port), lib.TIMEOUT_S)


def read_to_end(one):
    """All that comes until the other side closes, or resets."""
    text = b""
    with contextlib.suppress(ConnectionError):
        while more := one.recv(1 << 16):
            text += more
    return text


def conversation(protocol, to):
    """All that a whole session says, one message long."""
    body = b"Subject: slow\n\nbody\n"
    if protocol == "qmtp":
        return qmtp(body, "s@x.example", [to])
    if protocol == "qmqp":
        return qmqp(body, "s@x.example", [to])
    if protocol == "pop3":
        return b"USER reader\r\nPASS dripping\r\nSTAT\r\nQUIT\r\n"
    return (f"EHLO x\r\nMAIL FROM:<s@x.example>\r\nRCPT TO:<{to}>\r\nDATA\r\n"
            .encode() + body.replace(b"\n", b"\r\n") + b".\r\nQUIT\r\n")


class Attack:
    """Threads that call what(n), n growing, until the block ends; each has done
    it once, at least, before the block begins."""

    def __init__(self, what, threads=4):
        self.what, self.threads = what, threads
        self.lock, self.stopped = threading.Lock(), threading.Event()
        self.begun = self.done = 0
        self.errors, self.running = [], []

    def _run(self):
        try:
            while not self.stopped.is_set():
                with self.lock:
                    number, self.begun = self.begun, self.begun + 1
                self.what(number)
                with self.lock:
                    self.done += 1
        except Exception as error:  # shown by wait and at the end
            self.errors.append(error)

    def wait(self, count, timeout=300):
        """Until it was done so many times."""
        lib.wait_until(lambda: self.errors or self.done >= count, timeout,
                       f"attack {count}")
        assert not self.errors, self.errors

    def __enter__(self):
        self.running = [threading.Thread(target=self._run, daemon=True)
                        for _ in range(self.threads)]
        for thread in self.running:
            thread.start()
        self.wait(self.threads)
        return self

    def __exit__(self, *problem):
        self.stopped.set()
        for thread in self.running:
            thread.join(lib.TIMEOUT_S)
        if problem[0] is None:
            assert not self.errors, self.errors
            assert not any(t.is_alive() for t in self.running)
