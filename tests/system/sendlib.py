"""qmail-send with the test in the place of its neighbours.

A Sender has a home with a queue made by hand. The test speaks for both spawns
(packets of src/net/job.h), a thread speaks for qmail-queued (control.sock),
and QMAILQUEUE is a program that keeps what bounces would be queued.
"""

import array
import os
import select
import shutil
import signal
import socket
import threading
import time
from pathlib import Path

import lib

TIMEOUT_S = lib.TIMEOUT_S


def make_crc_table():
    table = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
        table.append(crc)
    return table


CRC_TABLE = make_crc_table()


def crc32c(data, crc=0):
    crc ^= 0xFFFFFFFF
    for byte in data:
        crc = CRC_TABLE[(crc ^ byte) & 255] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


def pack(*fields):
    fields = [f if isinstance(f, bytes) else str(f).encode() for f in fields]
    return b"".join(b"%d:%s," % (len(f), f) for f in fields)


def take(packet):
    found = []
    while packet:
        size, _, rest = packet.partition(b":")
        size = int(size)
        found.append(rest[:size])
        assert rest[size:size + 1] == b","
        packet = rest[size + 1:]
    return found


def one_by_one(fields):
    """The requests in a packet: some may share one."""
    while fields:
        size = {b"R": 2, b"B": 2, b"D": 3, b"F": 4}[fields[0]]
        yield fields[:size]
        fields = fields[size:]


class FakeQueued(threading.Thread):
    """The other end of run/control.sock: keeps the queue's files as the
    requests say, and writes down every request."""

    def __init__(self, home):
        super().__init__(daemon=True)
        self.home = home
        self.lock = threading.Lock()
        self.limit = 1
        self.requests = []
        self.answer = True       # acknowledge what is asked
        self.refuse = False      # another qmail-send is there
        self.current = None      # the connection that is served
        self.peer = None         # the same, once it is subscribed
        self.stopping = False
        self.listener = None
        self.listen()
        self.start()

    def listen(self):
        run = os.open(self.home / "run", os.O_RDONLY)
        path = f"/proc/self/fd/{run}/control.sock"
        if os.path.lexists(path):
            os.unlink(path)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        listener.bind(path)
        os.chmod(path, 0o666)
        listener.listen(5)
        os.close(run)
        self.listener = listener

    def path(self, kind, ident):
        path = self.home / "queue" / kind / str(ident % 32) / str(ident)
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def envelope(self, ident):
        fields = self.path("env", ident).read_bytes().split(b"\0")
        return [f[1:] for f in fields if f[:1] == b"T"]

    def apply(self, fields):
        kind, ident = fields[0], int(fields[1])
        if kind in (b"D", b"F"):
            count = len(self.envelope(ident))
            path = self.path("done", ident)
            done = bytearray(path.read_bytes() if path.exists()
                             else b"T" * count)
            done[int(fields[2])] = kind[0]
            path.write_bytes(done)
        if kind == b"F":
            entry = b"".join(n.to_bytes(4, "little") for n in
                             (int(fields[2]), len(fields[3]), 0)) + fields[3]
            crc = crc32c(entry, ident & 0xFFFFFFFF)
            with open(self.path("bounce", ident), "ab") as f:
                f.write(crc.to_bytes(4, "little") + entry)
        if kind == b"R":
            for name in ("env", "mess", "done", "bounce"):
                self.path(name, ident).unlink(missing_ok=True)

    def serve(self, peer):
        count = 0
        while True:
            if not select.select([peer], [], [], 0.05)[0]:
                if self.stopping or self.current is not peer:
                    return
                continue
            packet = peer.recv(1 << 18)
            if not packet:
                return
            fields = take(packet)
            with self.lock:
                if fields[0] == b"S":
                    if self.refuse:
                        peer.send(pack("X"))
                        return
                    peer.send(pack("H", self.limit))
                    self.peer = peer  # a notice before it would be nonsense
                    continue
                for request in one_by_one(fields):
                    self.requests.append(request)
                    if not self.answer:
                        continue
                    if request[0] == b"B":
                        peer.send(pack("B", request[1]))
                        continue
                    self.apply(request)
                    count += 1
                    peer.send(pack("A", count))

    def run(self):
        while not self.stopping:
            listener = self.listener
            if listener is None:
                time.sleep(0.01)
                continue
            try:
                if not select.select([listener], [], [], 0.05)[0]:
                    continue
                peer, _ = listener.accept()
            except (OSError, ValueError):
                continue
            self.current = peer
            try:
                self.serve(peer)
            except OSError:
                pass
            self.current = self.peer = None
            peer.close()

    def go_away(self):
        """As if it were killed: no socket, no connection."""
        # the name first: nobody may be let in by a socket that is about to end
        (self.home / "run" / "control.sock").unlink()
        listener, self.listener = self.listener, None
        listener.close()
        self.current = self.peer = None

    def notice(self, *fields):
        self.peer.send(pack(*fields))


class Job:
    def __init__(self, packet, message):
        fields = take(packet)
        assert fields[0] == b"J"
        self.number, self.id = int(fields[1]), int(fields[2])
        self.host, self.sender = fields[3], fields[4]
        self.recipients = fields[5:]
        self.message = message


class Spawn:
    def __init__(self, sock, log):
        self.sock, self.log = sock, log
        self.sock.setblocking(True)

    def hello(self, limit=120, recipients=100):
        self.sock.send(pack("H", limit, recipients))

    def job(self, timeout=None):
        """The next job with its message, which must come; with a timeout,
        None if none comes in that time."""
        if not select.select([self.sock], [], [],
                             TIMEOUT_S if timeout is None else timeout)[0]:
            assert timeout is not None, f"no job came: {self.log()[-30:]}"
            return None
        packet, control, _, _ = self.sock.recvmsg(1 << 18, 64)
        assert packet, "qmail-send has closed the socket"
        (level, kind, data), = control
        assert (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS)
        fds = array.array("i")
        fds.frombytes(data[:4])
        with os.fdopen(fds[0], "rb") as f:
            return Job(packet, f.read())

    def result(self, job, letter="K", text="ok\n", index=0):
        self.sock.send(pack("R", job.number, index, letter, text))


class Sender:
    def __init__(self):
        self.home = Path(lib.work_dir())
        for name in ("control", "queue", "run", "bounced"):
            (self.home / name).mkdir(parents=True)
        for kind in ("env", "mess", "done", "bounce"):
            for split in range(32):
                (self.home / "queue" / kind / str(split)).mkdir(parents=True)
        self.control("me", "me.example")
        self.control("locals", "local.example")
        script = self.home / "keep"
        script.write_text(
            "#!/bin/sh\n[ -e refuse ] && exit 53\n"
            "cat >bounced/$$.mess && cat <&1 >bounced/$$.env.new &&\n"
            "mv bounced/$$.env.new bounced/$$.env\n")
        script.chmod(0o755)
        self.queued = FakeQueued(self.home)
        self.pid = None
        self.next_id = 1

    # ---- the queue ----

    def control(self, name, text):
        (self.home / "control" / name).write_text(text + "\n")

    def put(self, recipients, sender="s@x.example", message=b"Subject: x\n\nbody\n",
            age=0, qp=None):
        """A message in the queue; returns its id. No notice is sent."""
        ident = self.next_id
        self.next_id += 1
        born = int(time.time()) - age
        head = [b"v1", b"u%d" % 7, b"p%d" % (qp or ident), b"t%d" % born,
                b"s%d" % len(message), b"c%08x" % crc32c(message),
                b"F" + sender.encode()]
        head += [b"T" + r.encode() for r in recipients]
        env = b"\0".join(head) + b"\0"
        env += b"C%08x\0" % crc32c(env)
        self.queued.path("mess", ident).write_bytes(message)
        self.queued.path("env", ident).write_bytes(env)
        with self.queued.lock:
            self.queued.limit = self.next_id
        return ident

    def post(self, *args, **more):
        """A message in the queue, and the notice of it."""
        ident = self.put(*args, **more)
        lib.wait_until(lambda: self.queued.peer, what="the subscription")
        env = self.queued.path("env", ident).read_bytes()
        self.queued.notice("N", ident, env if len(env) <= 1000 else b"")
        return ident

    def requests(self, ident):
        with self.queued.lock:
            return [r for r in self.queued.requests if int(r[1]) == ident]

    def wait_retired(self, ident):
        """All requests of the message, once it is retired."""
        def retired():
            found = self.requests(ident)
            return found if found and found[-1][0] == b"R" else None
        return lib.wait_until(retired, what=f"the end of {ident}")

    # ---- the process ----

    def start(self, hello=True, limits=(120, 120), held=()):
        """held: signals that came before it could listen, held back as
        qmail-start does."""
        local, local_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        remote, remote_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        lifeline_end, self.lifeline = os.pipe()
        log = os.open(self.home / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        env = {"PATH": os.environ["PATH"], "QMAILHOME": str(self.home),
               "QMAILQUEUE": str(self.home / "keep")}
        program = str(Path(lib.bin_dir()) / "qmail-send")
        plugs = [log, local_end.fileno(), log, remote_end.fileno(), lifeline_end]
        self.pid = os.fork()
        if self.pid == 0:
            try:
                high = [os.dup(fd) for fd in plugs]
                high = [fd if fd > 9 else os.dup2(fd, 100 + i)
                        for i, fd in enumerate(high)]
                for to, fd in enumerate(high):
                    os.dup2(fd, to, inheritable=True)
                os.closerange(5, 4096)
                signal.pthread_sigmask(signal.SIG_BLOCK, held)
                for number in held:
                    os.kill(os.getpid(), number)
                os.execve(program, ["qmail-send"], env)
            finally:
                os._exit(99)
        for sock in (local_end, remote_end):
            sock.close()
        os.close(lifeline_end)
        os.close(log)
        self.local, self.remote = Spawn(local, self.log), Spawn(remote, self.log)
        if hello:
            self.local.hello(limits[0])
            self.remote.hello(limits[1])
            self.wait_log("status: local 0/")
            lib.wait_until(lambda: self.queued.peer or not self.queued.answer,
                           what="the subscription")
        return self

    def kill(self, sig=signal.SIGTERM):
        os.kill(self.pid, sig)

    def wait_exit(self):
        """The exit code, or minus the signal."""
        def ended():
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            return (status,) if pid else None
        status = lib.wait_until(
            ended, what=lambda: f"the end of qmail-send: {self.log()[-30:]}")[0]
        self.pid = None
        return os.waitstatus_to_exitcode(status)

    def log(self):
        """The lines that are whole: a reader may see a part of the last one."""
        return (self.home / "log").read_text().rpartition("\n")[0].splitlines()

    def wait_log(self, start, count=1):
        """The first line that starts so, when there are count of them."""
        def found():
            lines = [one for one in self.log() if one.startswith(start)]
            return lines[0] if len(lines) >= count else None
        return lib.wait_until(found, what=lambda: f"{start!r} in {self.log()[-30:]}")

    def nudge(self, found):
        """ALRM until found() is true, which may take some turns: a signal may
        come before qmail-send knows what waits."""
        def again():
            self.kill(signal.SIGALRM)
            return found()
        return lib.wait_until(again, what=lambda: f"work after ALRM: {self.log()[-30:]}")

    def wait_reload(self, post, host):
        """After HUP: posts until mail for host, now local, comes as such. Each
        job is answered, so that none keeps a slot."""
        def local_now():
            post([f"probe@{host}"])
            job = self.local.job(timeout=0.1)
            if job is None:
                return False
            self.local.result(job)
            return job.recipients == [f"probe@{host}".encode()]
        lib.wait_until(local_now, what=lambda: f"{host} to be local: {self.log()[-30:]}")

    def bounces(self, count=1):
        """(message, envelope) of what was queued."""
        def found():
            paths = sorted((self.home / "bounced").glob("*.env"))
            return (paths,) if len(paths) >= count else None
        return [(p.with_suffix(".mess").read_bytes(), p.read_bytes())
                for p in lib.wait_until(
                    found, what=lambda: f"a bounce: {self.log()[-30:]}")[0]]

    def close(self):
        self.queued.stopping = True
        if self.pid is not None:
            self.kill(signal.SIGKILL)
            self.wait_exit()
        self.local.sock.close()
        self.remote.sock.close()
        shutil.rmtree(self.home, ignore_errors=True)
