"""A qmail-lspawn or qmail-rspawn of its own, with the test in the place of
qmail-send: packets of src/net/job.h on a SOCK_SEQPACKET pair.

The home has fake workers, Python scripts that speak the worker protocol and
write down what they see in `seen`, a line of JSON for each event.
"""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import lib

TIMEOUT_S = lib.TIMEOUT_S

COMMON = r'''
import array, json, os, signal, socket, sys, time

def take(packet):
    found = []
    while packet:
        size, colon, rest = packet.partition(b":")
        found.append(rest[:int(size)])
        assert rest[int(size):int(size) + 1] == b","
        packet = rest[int(size) + 1:]
    return found

def pack(*fields):
    fields = [f if isinstance(f, bytes) else str(f).encode() for f in fields]
    return b"".join(b"%d:%s," % (len(f), f) for f in fields)

def note(**what):
    what["pid"] = os.getpid()
    line = json.dumps(what) + "\n"
    fd = os.open("seen", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    os.write(fd, line.encode())
    os.close(fd)

def open_fds():
    found = []
    for n in range(3, 256):
        try:
            os.fstat(n)
        except OSError:
            continue
        found.append(n)
    return found
'''

WORKER = "#!" + sys.executable + "\n" + COMMON + r'''
note(event="start", argv=sys.argv, fds=open_fds(),
     pipe=signal.getsignal(signal.SIGPIPE) == signal.SIG_DFL, uid=os.getuid())
sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET, fileno=0)
while True:
    packet, fds, flags, peer = socket.recv_fds(sock, 131072, 1)
    if not packet:
        note(event="end")
        sys.exit(0)
    job = take(packet)
    message = os.pread(fds[0], 1000000, 0).decode("latin1")
    os.close(fds[0])
    note(event="job", job=[f.decode("latin1") for f in job], message=message)
    number = job[1]
    if job[0] == b"J":
        recipients = job[5:]
    else:
        recipients = [job[4] + b"@" + job[7]]
    for index, recipient in enumerate(recipients):
        what = recipient.split(b"@")[0].split(b"-")
        if what[0] == b"crash":
            os.kill(os.getpid(), signal.SIGKILL)
        elif what[0] == b"exit":
            sys.exit(int(what[1]))
        elif what[0] == b"garbage":
            sock.send(b"12:nonsense")
            time.sleep(600)
        elif what[0] == b"twice":
            sock.send(pack("R", number, index, "K", "once"))
            sock.send(pack("R", number, index, "D", "again"))
            time.sleep(600)
        elif what[0] == b"wrong":
            sock.send(pack("R", int(number) + 1, index, "K", ""))
            time.sleep(600)
        elif what[0] == b"fd":
            socket.send_fds(sock, [pack("R", number, index, "K", "")], [1])
            time.sleep(600)
        elif what[0] == b"wait":
            while not os.path.exists("go"):
                time.sleep(0.005)
            sock.send(pack("R", number, index, "K", "waited\n"))
        elif what[0] == b"big":
            sock.send(pack("R", number, index, "Z", b"x" * 10000))
        elif what[0] == b"no":
            sock.send(pack("R", number, index, "D", "no\n"))
        else:
            sock.send(pack("R", number, index, "K", b"ok " + recipient + b"\n"))
'''

CLASSIC = "#!" + sys.executable + "\n" + COMMON + r'''
message = sys.stdin.buffer.read().decode("latin1")
note(event="run", argv=sys.argv[1:], message=message, fds=open_fds(),
     same=os.fstat(1) == os.fstat(2))
'''


def take(packet):
    found = []
    while packet:
        size, _, rest = packet.partition(b":")
        found.append(rest[:int(size)])
        assert rest[int(size):int(size) + 1] == b","
        packet = rest[int(size) + 1:]
    return found


def pack(*fields):
    fields = [f if isinstance(f, bytes) else str(f).encode() for f in fields]
    return b"".join(b"%d:%s," % (len(f), f) for f in fields)


class Spawn:
    def __init__(self, program, *arguments):
        self.program, self.arguments = program, arguments
        self.home = lib.work_dir()
        self.env = {}
        for name in ("bin", "control", "run", "users", "alias"):
            (self.home / name).mkdir()
            lib.give(self.home / name)
        self.message = self.home / "message"
        self.message.write_bytes(b"Subject: x\n\nbody\n")
        self.process = self.sock = None

    def script(self, name, text):
        """A program in bin/; replaced in one step."""
        path = self.home / "bin" / name
        path.with_suffix(".new").write_text(text)
        path.with_suffix(".new").chmod(0o755)
        path.with_suffix(".new").rename(path)
        return path

    def real(self, name):
        shutil.copy2(lib.bin_dir() / name, self.home / "bin" / name)
        (self.home / "bin" / name).chmod(0o755)

    def control(self, name, text):
        (self.home / "control" / name).write_text(text)

    def start(self):
        self.sock, theirs = socket.socketpair(
            socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 262144)
        self.sock.settimeout(TIMEOUT_S)
        env = {"PATH": os.environ["PATH"], "QMAILHOME": str(self.home)}
        env.update(self.env)
        with open(self.home / "log", "ab") as log:
            self.process = subprocess.Popen(
                [lib.bin_dir() / self.program, *self.arguments],
                stdin=theirs, stdout=log, stderr=log, env=env,
                cwd="/", **lib.as_user())
        theirs.close()
        hello = take(self.sock.recv(131072))
        assert hello[0] == b"H"
        self.limit, self.recipients = int(hello[1]), int(hello[2])
        return self

    def job(self, number, host, *recipients, sender="s@x.example", fd=None,
            ident=7):
        own = os.open(self.message, os.O_RDONLY) if fd is None else fd
        socket.send_fds(
            self.sock, [pack("J", number, ident, host, sender, *recipients)],
            [own])
        os.close(own)

    def result(self):
        """(number, index, letter, text)"""
        try:
            packet = self.sock.recv(131072)
        except TimeoutError:
            raise AssertionError(f"no result; it has seen {self.seen()[-10:]} "
                                 f"and said:\n{self.log()[-1500:]}") from None
        kind, number, index, letter, text = take(packet)
        assert kind == b"R"
        return int(number), int(index), letter.decode(), text.decode("latin1")

    def results(self, count):
        return sorted(self.result() for _ in range(count))

    def seen(self, event=None):
        path = self.home / "seen"
        text = path.read_text() if path.exists() else ""
        lines = [json.loads(l) for l in text.splitlines(keepends=True)
                 if l.endswith("\n")]
        return [l for l in lines if event is None or l["event"] == event]

    def go(self):
        """Lets all wait- jobs come to their end."""
        (self.home / "go").touch()

    def log(self):
        return (self.home / "log").read_text()

    def children(self):
        """Pids of the living children."""
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                stat = Path("/proc", pid, "stat").read_text()
            except OSError:
                continue
            fields = stat.rpartition(")")[2].split()
            if int(fields[1]) == self.process.pid and fields[0] not in "ZX":
                found.append(int(pid))
        return found

    def finish(self):
        """Ends descriptor 0 and returns the exit code."""
        self.sock.close()
        return self.process.wait(TIMEOUT_S)

    def remove(self):
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if self.sock is not None:
            self.sock.close()
        lib.wait_until(lambda: not lib.processes_of(self.home),
                       what="the workers to end") \
            if not self.stop_left() else None
        shutil.rmtree(self.home, ignore_errors=True)

    def stop_left(self):
        left = lib.processes_of(self.home)
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        return left
