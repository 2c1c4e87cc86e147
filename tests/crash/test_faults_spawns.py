"""Every system call of the programs that deliver in turn fails, or is their last.

The test has the place of qmail-send: it gives jobs to a qmail-lspawn or qmail-rspawn, and repeats what was
deferred, and all when the spawn had to be started again. What is reported as delivered is there, whole; no
fault makes a failure for good; and the spawn goes on, or ends and works after its next start.
"""
import os
import socket
import subprocess
import sys

import pytest

from crashlib import BIN, FAULTS, TOP, Home, body_of, netstring, sweep_calls

os.environ["CQMAIL_BIN"] = BIN
sys.path.insert(0, os.path.join(TOP, "tests/system"))
import lib  # noqa: E402
from dns_server import DnsServer  # noqa: E402
from remote_home import RawServer  # noqa: E402
from test_qmail_remote_qmtp import read_netstring, split  # noqa: E402

ATTEMPTS = 4


class Spawn(Home):
    """A home with a spawn; subclasses say what there is to deliver."""

    program = arguments = None

    def __init__(self, path):
        super().__init__(path)
        self.process = self.sock = None
        self.number = 0
        self.reported = {}  # what was said to be delivered: (host, recipient): [bodies]

    def open(self, fault):
        """Starts it; False if it does not come up."""
        self.close()
        self.sock, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.sock.settimeout(60)
        env = {**self.env(fault), **self.more}
        if fault and fault[2] > 0:  # one of its processes is hit, and no later one
            self.write("once", "")
            env["FAULT_ONCE"] = os.path.join(self.path, "once")
        with theirs, open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [os.path.join(BIN, self.program), *self.arguments], env=env, stdin=theirs,
                stdout=log, stderr=log, start_new_session=True)
        return self.take() is not None

    def close(self):
        """Lets it end, with all its workers."""
        if self.process is not None:
            self.sock.close()
            self.process.wait(60)
            lib.wait_until(lambda: not lib.processes_of(self.path), what="the end of all workers")
            self.process = None

    def take(self):
        """The fields of the next packet, or None at the end."""
        try:
            packet = self.sock.recv(131072)
        except ConnectionError:
            packet = b""
        except TimeoutError:
            self.wrong.append("it says nothing: " + self.log_text()[-300:])
            self.process.kill()
            packet = b""
        return split(packet) if packet else None

    def deliver(self, host, recipients):
        """{recipient: letter} of one job; what has no answer is missing."""
        self.number += 1
        body = body_of(b"job%d" % self.number, 3000).replace(b"\r", b"")
        path = os.path.join(self.path, "message")
        with open(path, "wb") as f:
            f.write(body)
        letters = {}
        with open(path, "rb") as f:
            os.unlink(path)
            fields = [b"J", b"%d" % self.number, b"7", host, b"s@x.example", *recipients]
            try:
                socket.send_fds(self.sock, [b"".join(map(netstring, fields))], [f.fileno()])
            except OSError:
                return letters
        while len(letters) < len(recipients):
            result = self.take()
            if result is None:
                break
            assert result[:2] == [b"R", fields[1]], result
            letters[recipients[int(result[2])]] = result[3]
            if result[3] == b"K":
                self.reported.setdefault((host, recipients[int(result[2])]), []).append(body)
            elif result[3] == b"D":
                self.wrong.append("failed for good: %r" % result[4])
            self.said = result[4]
        return letters

    def run(self, fault):
        """All jobs, until each is delivered; the fault ends with the first spawn."""
        self.wrong, self.reported = [], {}
        up = self.open(fault)
        restarts = 0
        for host, recipients, works in self.jobs:
            left = recipients
            for _ in range(ATTEMPTS):
                if not up:
                    restarts += 1
                    if restarts > 1:
                        return ["it does not start again: " + self.log_text()[-500:]]
                    up = self.open(None)
                letters = self.deliver(host, left)
                up = len(letters) == len(left)
                left = [r for r in left if letters.get(r) != b"K"]
                if not left or not works:
                    break
                if fault[3] == -1:
                    self.wrong.append("one byte at a time is no failure: %r" % letters)
            if left and works:
                self.wrong.append("never delivered: %r: %r" % (left, self.said))
        self.close()
        return self.wrong + self.check()


class Local(Spawn):
    program, arguments = "qmail-lspawn", ["./Maildir/"]
    more = {}
    jobs = [(b"", [b"joe@in.example"], True), (b"", [b"anybody@in.example"], True),
            (b"", [b"joe-prog@in.example"], True), (b"", [b"joe@in.example"], True)]

    def __init__(self, path):
        super().__init__(path)
        self.maildirs = {b"joe@in.example": "joe", b"anybody@in.example": "alias"}
        for home in self.maildirs.values():
            for sub in ("", "/tmp", "/new", "/cur"):
                os.makedirs(os.path.join(self.path, home, "Maildir" + sub), 0o700)
        os.chmod(os.path.join(self.path, "joe"), 0o755)
        self.write("alias/.qmail-default", "./Maildir/\n")
        self.write("joe/.qmail-prog", "|cat >>program\n")
        who = "%d:%d:%s/joe" % (os.getuid(), os.getgid(), self.path)
        with open(os.path.join(self.path, "users/cdb"), "wb") as f:
            f.write(lib.users_cdb_bytes("=joe:joe:%s:::\n+joe-:joe:%s:-::\n.\n" % (who, who)))

    def check(self):
        wrong = []
        for recipient, home in self.maildirs.items():
            new = os.path.join(self.path, home, "Maildir/new")
            there = []
            for name in os.listdir(new):
                with open(os.path.join(new, name), "rb") as f:
                    there.append(f.read().partition(b"Subject: ")[2])
                os.unlink(os.path.join(new, name))
            want = [body.partition(b"Subject: ")[2] for body in self.reported.get((b"", recipient), [])]
            if not set(want) <= set(there):
                wrong.append("%r was told to be delivered and is not" % recipient)
            if any(not text.endswith(text.partition(b"\n")[0] + b"\n") for text in there):
                wrong.append("a maildir shows a part of a message")
        with open(os.path.join(self.path, "joe/program"), "a+b") as f:
            f.seek(0)
            seen = f.read()
            f.truncate(0)
        if any(body not in seen for body in self.reported.get((b"", b"joe-prog@in.example"), [])):
            wrong.append("a program did not get its message")
        return wrong


class Remote(Spawn):
    program, arguments = "qmail-rspawn", []
    jobs = [(b"smtp.example", [b"a@smtp.example", b"b@smtp.example"], True),
            (b"qmtp.example", [b"a@qmtp.example", b"b@qmtp.example"], True),
            (b"mx.example", [b"a@mx.example"], False),  # nobody is at home there
            (b"smtp.example", [b"c@smtp.example"], True),
            (b"qmtp.example", [b"c@qmtp.example"], True)]

    def __init__(self, path):
        super().__init__(path)
        self.sink = lib.SmtpSink()
        self.got = []
        self.qmtp = RawServer(self.serve)
        # an exchanger that nobody can be connected to: no address of a host
        self.dns = DnsServer({"mx.example MX": ["10 host.example"],
                              "host.example A": ["224.0.0.1"]})
        self.more = {"DNSCACHEIP": self.dns.address}
        self.write("control/smtproutes", "smtp.example:127.0.0.1:%d\n" % self.sink.port)
        self.write("control/qmtproutes", "qmtp.example:127.0.0.1:%d\n" % self.qmtp.port)

    def serve(self, client, _):
        with client.makefile("rb") as stream:
            while True:
                body, sender = read_netstring(stream), read_netstring(stream)
                recipients = split(read_netstring(stream))
                for recipient in recipients:
                    self.got.append((recipient, body[1:]))
                client.sendall(netstring(b"Kok") * len(recipients))

    def check(self):
        taken = [(r.encode(), t.message) for t in self.sink.transactions for r in t.recipients] + self.got
        wrong = []
        for (host, recipient), bodies in self.reported.items():
            for body in bodies:
                if (recipient, body) not in taken:
                    wrong.append("%r was told to be delivered and is not" % recipient)
        for recipient, text in taken:
            if not text.endswith(text.partition(b"\n")[0].partition(b" ")[2] + b"\n"):
                wrong.append("%r got a part of a message" % recipient)
        del self.sink.transactions[:], self.got[:]
        return wrong

    def close_servers(self):
        for server in (self.sink, self.qmtp, self.dns):
            server.close()


@pytest.mark.parametrize("name", sorted(FAULTS))
@pytest.mark.parametrize("program", ["qmail-lspawn", "qmail-getpw", "qmail-local"])
def test_each_call_of_a_local_delivery(tmp_path, program, name):
    spawn = Local(tmp_path / "home")
    try:
        sweep_calls(tmp_path, program, name, spawn.run, 4)
    finally:
        spawn.close()


@pytest.mark.parametrize("name", sorted(FAULTS))
@pytest.mark.parametrize("program", ["qmail-rspawn", "qmail-remote"])
def test_each_call_of_a_remote_delivery(tmp_path, program, name):
    spawn = Remote(tmp_path / "home")
    try:
        # a library may keep a lock when it has no memory: each of the few is tried
        sweep_calls(tmp_path, program, name, spawn.run, 0.2 if name == "no memory" else 4)
    finally:
        spawn.close()
        spawn.close_servers()
