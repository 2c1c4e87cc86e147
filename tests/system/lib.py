"""What the system tests stand on: a whole instance in one directory.

An Instance is a home (QMAILHOME) of an ordinary user with the daemons as
child processes of the test. When the tests run as root, the instance belongs
to `nobody`, so that a test as root sees exactly what an ordinary user sees.
Every wait is a poll with a deadline; nothing here sleeps for a fixed time.

    def test_something(instance):            # running
        instance.send_smtp(b"Subject: x\\n\\nbody\\n", to=["test"])
        (path,) = instance.wait_maildir("test", 1)

    def test_other(home):                    # made, not started
        home.write_control("locals", "")
        home.start()
"""

import contextlib
import os
import poplib
import pwd
import re
import secrets
import shutil
import signal
import smtplib
import socket
import struct
import subprocess
import tempfile
import threading
import time
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
HOST = "test.example"
TIMEOUT_S = 180  # the default deadline: generous, since machines are loaded
DROP = object()  # a reply of SmtpSink: close the connection
HANG = object()  # a reply of SmtpSink: say nothing until the peer gives up


# ---- waiting ----------------------------------------------------------------

def wait_until(condition, timeout=TIMEOUT_S, what="the condition"):
    """Polls until condition() is true and returns what it returned. what says
    what was waited for: a text, or a function that tells the state at the end."""
    deadline = time.monotonic() + timeout
    pause = 0.002
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            what = what() if callable(what) else what
            raise AssertionError(f"waited {timeout} s, at load "
                                 f"{os.getloadavg()[0]:.1f}, for {what}")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.05)


_ports = {"next": None, "closed": []}


def low_port():
    """A free TCP port for a server that must be told a number (prefer port 0).
    It is below those that the kernel hands out, so that nobody gets it between
    now and then: not by port 0, nor as the near end of a connection. Each
    worker has its own thousand, and gives none twice."""
    worker = int(re.sub(r"\D", "", os.environ.get("PYTEST_XDIST_WORKER", "")) or 0)
    first = 12000 + worker % 20 * 1000
    if _ports["next"] is None:
        _ports["next"] = secrets.randbelow(1000)
    for _ in range(1000):
        port = first + _ports["next"] % 1000
        _ports["next"] += 1
        with contextlib.suppress(OSError), socket.socket() as s:
            s.bind(("0.0.0.0", port))
            return port
    raise AssertionError(f"no port is free from {first} on")


def closed_port():
    """A port at which connections are refused: it is taken, until this process
    ends, by a socket that does not listen."""
    taken = socket.socket()
    taken.bind(("127.0.0.1", 0))
    _ports["closed"].append(taken)
    return taken.getsockname()[1]


def wait_connection(port):
    """A connection to a server that may be just about to listen."""
    def connect():
        with contextlib.suppress(ConnectionRefusedError):
            return socket.create_connection(("127.0.0.1", port), TIMEOUT_S)
    return wait_until(connect, what=f"a server at port {port}")


def answer(port, text=b"", end=b"\n"):
    """What a server says, up to end, after text; b"" if it drops us."""
    with wait_connection(port) as s:
        s.settimeout(TIMEOUT_S)
        s.sendall(text)
        got = b""
        while not got.endswith(end):
            try:
                piece = s.recv(1000)
            except ConnectionError:
                return b""
            if not piece:
                return got
            got += piece
        return got


# ---- where the programs are, and who runs them --------------------------------

def ordinary_user():
    """The account that instances run as: ourselves, or nobody for root."""
    if os.getuid() != 0:
        return pwd.getpwuid(os.getuid())
    return pwd.getpwnam("nobody")


def as_user(uid=None, gid=None):
    """Arguments for subprocess that run the child as that user."""
    if os.getuid() != 0:
        return {}
    who = ordinary_user()
    return {
        "user": who.pw_uid if uid is None else uid,
        "group": who.pw_gid if gid is None else gid,
        "extra_groups": [],
    }


def is_open_to_all(path):
    """Can any user reach path (every directory above it searchable)?"""
    path = Path(path).resolve()
    return all(p.stat().st_mode & 0o005 == 0o005 for p in [path, *path.parents])


_bin_copy = None


def bin_dir():
    """The programs: CQMAIL_BIN, or bin/ of the source tree. If the user of
    the instances cannot reach it (a checkout under /root), a copy."""
    global _bin_copy
    path = Path(os.environ.get("CQMAIL_BIN", REPO / "bin")).resolve()
    if os.getuid() != 0 or not path.exists() or is_open_to_all(path):
        return path
    if _bin_copy is None:
        _bin_copy = Path(tempfile.mkdtemp(prefix="cqmail-bin-"))
        _bin_copy.chmod(0o755)
        for program in path.iterdir():
            shutil.copy2(program, _bin_copy / program.name)
            (_bin_copy / program.name).chmod(0o755)
    return _bin_copy


def forget_bin_copy():
    if _bin_copy is not None:
        shutil.rmtree(_bin_copy, ignore_errors=True)


def work_dir():
    """A fresh directory that the instances' user owns and all can reach."""
    path = Path(tempfile.mkdtemp(prefix="cqmail-"))
    path.chmod(0o755)
    give(path)
    return path


def give(path, uid=None, gid=None):
    """Hands path to the instances' user (or uid, gid), if we are root."""
    if os.getuid() == 0:
        who = ordinary_user()
        os.chown(path, who.pw_uid if uid is None else uid,
                 who.pw_gid if gid is None else gid, follow_symlinks=False)


def processes_of(home):
    """{pid: command name} of all processes whose QMAILHOME is home."""
    found = {}
    want = b"QMAILHOME=" + os.fsencode(str(home))
    for entry in os.scandir("/proc"):
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            environ = Path(entry.path, "environ").read_bytes().split(b"\0")
            if want not in environ:
                continue
            stat = Path(entry.path, "stat").read_text()
            if stat.rpartition(")")[2].split()[0] in "ZX":
                continue
            name = Path(entry.path, "comm").read_text().strip()
            found[int(entry.name)] = name
    found.pop(os.getpid(), None)
    return found


# ---- cdb, made here independently of the programs -------------------------------

def cdb_bytes(records):
    """A constant database (D. J. Bernstein's cdb) of (key, data) pairs."""
    body, tables = bytearray(2048), [[] for _ in range(256)]
    for key, data in records:
        digest = 5381
        for byte in key:
            digest = ((digest << 5) + digest ^ byte) & 0xFFFFFFFF
        tables[digest & 255].append((digest, len(body)))
        body += struct.pack("<II", len(key), len(data)) + key + data
    for number, entries in enumerate(tables):
        slots = [(0, 0)] * (2 * len(entries))
        for digest, position in entries:
            at = (digest >> 8) % len(slots)
            while slots[at][1]:
                at = (at + 1) % len(slots)
            slots[at] = (digest, position)
        struct.pack_into("<II", body, number * 8, len(body), len(slots))
        for slot in slots:
            body += struct.pack("<II", *slot)
    return bytes(body)


def users_cdb_bytes(assign):
    """users/cdb from the text of users/assign."""
    records, wild = [], b""
    for line in assign.encode().splitlines():
        if line.startswith(b"."):
            break
        name, *fields = line[1:].split(b":")
        key = b"!" + name.lower()
        if line.startswith(b"+"):
            if name and name[-1:].lower() not in wild:
                wild += name[-1:].lower()
        else:
            key += b"\0"
        records.append((key, b"\0".join(fields[:6])))
    records.append((b"", wild))
    return cdb_bytes(records)


# ---- bytes at each place of a buffer --------------------------------------------

OFFSETS = 4096


def at_each_offset(piece):
    """Twice OFFSETS pieces. One half are an odd number of bytes apart and so begin at
    each offset of a buffer of that size; so they do after line ends in them have
    grown, in one half or the other."""
    return piece * OFFSETS + (piece + b"x") * OFFSETS


# ---- an instance ------------------------------------------------------------------

class Daemon:
    """One child process with its log file."""

    def __init__(self, argv, env, log, stdout=None):
        self.argv, self.log = argv, Path(log)
        with open(log, "ab") as out:
            self.process = subprocess.Popen(
                [str(a) for a in argv], env=env, stdin=subprocess.DEVNULL,
                stdout=stdout or out, stderr=out, cwd="/", umask=0o022,
                start_new_session=True, **as_user())

    @property
    def pid(self):
        return self.process.pid

    def is_running(self):
        return self.process.poll() is None

    def end(self, sig=signal.SIGTERM, timeout=TIMEOUT_S):
        """Sends sig, waits, kills at last. Returns the exit status."""
        if self.is_running():
            self.process.send_signal(sig)
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()


class Instance:
    """A home with its daemons. Everything in it belongs to one user."""

    def __init__(self, host=HOST):
        self.host = host
        self.base = work_dir()
        self.home = self.base / "home"
        self.logs = self.base / "log"
        self.logs.mkdir()
        self.bin = bin_dir()
        self.user = ordinary_user()
        self.daemons = {}
        self.extra_env = {}
        self._servers = 0
        self._smtp_port = self._pop3_port = None
        if (self.bin / "qmail-conf").exists():
            self._make_with_qmail_conf()
        else:
            self._make_by_hand()

    # -- making --

    def _make_with_qmail_conf(self):
        made = self.run(
            "qmail-conf", "instance", self.home, "--host", self.host,
            "--smtp-port", "2525", "--pop3-port", "2110")
        assert made.returncode == 0, made.stderr.decode()

    def _make_by_hand(self):
        uid, gid = self.user.pw_uid, self.user.pw_gid
        for name in ("", "control", "queue", "run", "alias", "users",
                     "users/test", "users/test/Maildir",
                     *("users/test/Maildir/" + d for d in ("tmp", "new", "cur"))):
            (self.home / name).mkdir()
            give(self.home / name)
        (self.home / "queue").chmod(0o750)
        (self.home / "bin").symlink_to(self.bin)
        for name, text in {
                "me": self.host, "defaulthost": self.host,
                "locals": self.host, "rcpthosts": self.host,
                "defaultdelivery": "./Maildir/"}.items():
            self.write_control(name, text + "\n")
        self.write_assign(
            f"=test:test:{uid}:{gid}:{self.home}/users/test:::\n"
            f"+test-:test:{uid}:{gid}:{self.home}/users/test:-::\n"
            f"+:alias:{uid}:{gid}:{self.home}/alias:-::\n.\n")
        for name in ("postmaster", "mailer-daemon", "root"):
            self.write(f"alias/.qmail-{name}", f"&test@{self.host}\n")
        self.set_password("test", secrets.token_hex(8))

    def write(self, name, content, mode=0o644):
        """Replaces a file of the home atomically; bytes or text."""
        path = self.home / name
        new = path.with_name(path.name + ".harness")
        new.write_bytes(content if isinstance(content, bytes) else content.encode())
        new.chmod(mode)
        give(new)
        new.rename(path)
        return path

    def write_control(self, name, text):
        return self.write("control/" + name, text)

    def remove_control(self, name):
        with contextlib.suppress(FileNotFoundError):
            (self.home / "control" / name).unlink()

    def write_assign(self, text):
        """users/assign and users/cdb."""
        self.write("users/assign", text)
        self.write("users/cdb", users_cdb_bytes(text))

    def user_home(self, user="test"):
        return self.home / ("alias" if user == "alias" else f"users/{user}")

    def add_user(self, name):
        """One more local user with a Maildir, ahead of the catch-all."""
        at = self.user_home(name)
        for path in (at, *(at / d for d in ("Maildir", "Maildir/tmp",
                                            "Maildir/new", "Maildir/cur"))):
            path.mkdir()
            give(path)
        uid, gid = self.user.pw_uid, self.user.pw_gid
        old = (self.home / "users/assign").read_text()
        self.write_assign(
            f"={name}:{name}:{uid}:{gid}:{at}:::\n"
            f"+{name}-:{name}:{uid}:{gid}:{at}:-::\n" + old)
        return at

    def dotqmail(self, ext, text, user="test", mode=0o600):
        """Writes .qmail (ext "") or .qmail-ext of the user."""
        name = ".qmail" + ("-" + ext if ext else "")
        base = "alias" if user == "alias" else f"users/{user}"
        return self.write(f"{base}/{name}", text, mode)

    def set_password(self, user, password):
        """Gives user that password for POP3 (users/passwd)."""
        done = self.run("qmail-checkpass", "-c", input=password.encode()) \
            if (self.bin / "qmail-checkpass").exists() else None
        (self.home / f"users/{user}.password").write_text(password + "\n")
        if done is None or done.returncode != 0:
            return
        path = self.home / "users/passwd"
        old = path.read_text() if path.exists() else ""
        kept = [x for x in old.splitlines(True) if not x.startswith(user + ":")]
        self.write("users/passwd", "".join(kept) +
                   f"{user}:{done.stdout.decode().strip()}:::\n", 0o600)

    def password(self, user="test"):
        return (self.home / f"users/{user}.password").read_text().strip()

    # -- running programs --

    def env(self, **more):
        env = {"PATH": f"{self.bin}:/usr/local/bin:/usr/bin:/bin",
               "QMAILHOME": str(self.home), "LC_ALL": "C", "TZ": "UTC",
               "USER": self.user.pw_name, "HOME": str(self.base)}
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "TMPDIR"):
            if name in os.environ:
                env[name] = os.environ[name]
        env.update(self.extra_env)
        env.update({k: str(v) for k, v in more.items() if v is not None})
        for name in [k for k, v in more.items() if v is None]:
            env.pop(name, None)
        return env

    def run(self, program, *args, input=b"", env=None, timeout=TIMEOUT_S, **more):
        """Runs bin/program (or a path) to its end as the instance's user.
        env adds variables (None removes one). Returns CompletedProcess with
        bytes. Other descriptors: pass_fds and preexec_fn as in subprocess."""
        path = program if "/" in str(program) else self.bin / program
        return subprocess.run(
            [str(path), *(a if isinstance(a, bytes) else str(a) for a in args)],
            input=input, stdout=more.pop("stdout", subprocess.PIPE),
            stderr=more.pop("stderr", subprocess.PIPE),
            env=self.env(**(env or {})), timeout=timeout,
            cwd=more.pop("cwd", "/"), umask=0o022, **as_user(), **more)

    def inject(self, *args, input=b"Subject: test\n\ntest\n", env=None):
        """qmail-inject; asserts nothing."""
        return self.run("qmail-inject", *args, input=input, env=env)

    def sendmail(self, *args, input=b"Subject: test\n\ntest\n", env=None):
        return self.run("sendmail", *args, input=input, env=env)

    def queue(self, message, sender, recipients, env=None):
        """The bare queue interface: message on fd 0, envelope on fd 1."""
        envelope = b"F" + sender.encode() + b"\0" + b"".join(
            b"T" + r.encode() + b"\0" for r in recipients) + b"\0"
        return self.queue_raw(message, envelope, env)

    def queue_raw(self, message, envelope, env=None):
        """qmail-queue with any bytes; returns the CompletedProcess."""
        with tempfile.TemporaryFile() as body, tempfile.TemporaryFile() as head:
            for file, content in ((body, message), (head, envelope)):
                file.write(content)
                file.seek(0)
            return subprocess.run(
                [str(self.bin / "qmail-queue")], stdin=body, stdout=head,
                stderr=subprocess.PIPE, env=self.env(**(env or {})), cwd="/",
                timeout=TIMEOUT_S, **as_user())

    # -- daemons --

    def start(self):
        """qmail-queued, then qmail-start; returns when both are at work."""
        self.start_queued()
        self.start_send()
        return self

    def start_queued(self, *args, prefix=(), env=None):
        self.spawn("queued", *prefix, self.bin / "qmail-queued", *args, env=env)
        self.wait_submit()

    def wait_submit(self):
        def answers():
            self.check_running("queued")
            with socket.socket(socket.AF_UNIX) as s:
                try:
                    s.connect(str(self.home / "run/submit.sock"))
                    return True
                except OSError:
                    return False
        wait_until(answers, what="run/submit.sock to answer")

    def start_send(self, *args, prefix=(), env=None):
        delivery = (self.home / "control/defaultdelivery").read_text().strip()
        lines = self.log("send").count("status: local")
        self.spawn("send", *prefix, self.bin / "qmail-start",
                   *(args or (delivery,)), env=env)

        def is_up():
            self.check_running("send")
            return self.log("send").count("status: local") > lines
        wait_until(is_up, what="qmail-send's first status line")

    def spawn(self, name, *argv, env=None, stdout=None):
        old = self.daemons.get(name)
        assert old is None or not old.is_running(), f"{name} runs already"
        daemon = Daemon(argv, self.env(**(env or {})),
                        self.logs / f"{name}.log", stdout)
        self.daemons[name] = daemon
        return daemon

    def check_running(self, name):
        daemon = self.daemons[name]
        assert daemon.is_running(), (
            f"{name} ended with {daemon.process.returncode}:\n" + self.log(name))

    def serve(self, *argv, name=None, env=None, options=(), limit=100):
        """A tcpserver on a free port of 127.0.0.1; returns the port."""
        self._servers += 1
        name = name or f"server{self._servers}"
        daemon = self.spawn(
            name, "tcpserver", "-1HRl0", "-c", limit, *options, "127.0.0.1",
            "0", *argv, env=env, stdout=subprocess.PIPE)
        line = daemon.process.stdout.readline()
        assert line.strip().isdigit(), self.log(name)
        return int(line)

    def smtpd(self, env=None, options=(), limit=100):
        """One more qmail-smtpd server; RELAYCLIENT="" in env makes it a relay
        for us. Returns its port."""
        return self.serve(self.bin / "qmail-smtpd", env=env, options=options,
                          limit=limit)

    @property
    def smtp_port(self):
        """The port of the instance's own qmail-smtpd, started when asked."""
        if self._smtp_port is None:
            self._smtp_port = self.serve(self.bin / "qmail-smtpd", name="smtpd")
        return self._smtp_port

    @property
    def pop3_port(self):
        if self._pop3_port is None:
            self._pop3_port = self.serve(
                self.bin / "qmail-popup", self.host, self.bin / "qmail-checkpass",
                self.bin / "qmail-pop3d", "Maildir", name="pop3d")
        return self._pop3_port

    def smtp(self, port=None):
        """A connected smtplib.SMTP."""
        return smtplib.SMTP("127.0.0.1", port or self.smtp_port,
                            "client.example", timeout=TIMEOUT_S)

    def send_smtp(self, message=b"Subject: test\n\ntest\n",
                  sender="sender@elsewhere.example", to=("test",), port=None):
        """Sends by SMTP; message has LF lines. A recipient without @ gets @HOST.
        Returns the reply to the final dot as text."""
        to = [r if "@" in r else f"{r}@{self.host}" for r in
              ([to] if isinstance(to, str) else to)]
        client = self.smtp(port)
        with contextlib.closing(client):
            client.ehlo()
            code, text = client.mail(sender)
            assert code == 250, (code, text)
            for recipient in to:
                code, text = client.rcpt(recipient)
                assert code == 250, (recipient, code, text)
            code, text = client.data(message.replace(b"\n", b"\r\n"))
            assert code == 250, (code, text)
            client.quit()
            return text.decode()

    def pop3(self, user="test", password=None):
        """A logged-in poplib.POP3."""
        client = poplib.POP3("127.0.0.1", self.pop3_port, timeout=TIMEOUT_S)
        client.user(user)
        client.pass_(password or self.password(user))
        return client

    def processes(self):
        """{pid: name} of everything that runs with this home."""
        return processes_of(self.home)

    def pids(self, program):
        """The pids of a program of this instance, e.g. "qmail-send"."""
        return sorted(p for p, n in self.processes().items() if n == program[:15])

    def kill(self, name, sig=signal.SIGKILL):
        """Sends sig to a daemon ("queued", "send" for qmail-start, "smtpd") or
        to every process of a program of this instance ("qmail-send")."""
        if name in self.daemons:
            pids = [self.daemons[name].pid] if self.daemons[name].is_running() else []
        else:
            pids = self.pids(name)
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, sig)
        return pids

    def signal_send(self, sig):
        """A signal to qmail-send itself: it has it when this returns, and sees
        it before whatever comes later. By way of qmail-start it may come after."""
        wait_until(lambda: self.kill("qmail-send", sig), what="a qmail-send")

    def flush(self, until, timeout=2 * TIMEOUT_S, what="the end of the retries"):
        """Has everything tried again until until() is true, and returns that: a
        nudge may come before qmail-send knows what waits, so that one is no more
        than a start."""
        def again():
            found = until()
            if not found:
                self.kill("qmail-send", signal.SIGALRM)
                time.sleep(0.1)  # between two nudges
            return found
        return wait_until(again, timeout, lambda: (
            f"{what}; the log ends with:\n{self.log()[-1500:]}"))

    def flush_empty(self, timeout=5 * TIMEOUT_S):
        """Has everything tried again until the queue is empty."""
        self.flush(lambda: not self.queue_ids(), timeout, "an empty queue")

    def wait_gone(self, name, timeout=TIMEOUT_S):
        """Waits until a daemon, or every process of a program, has ended."""
        if name in self.daemons:
            return self.daemons[name].process.wait(timeout)
        return wait_until(lambda: not self.pids(name), timeout, f"end of {name}")

    def restart(self, name, sig=signal.SIGTERM, **more):
        """Ends "queued" or "send" by sig and starts it again."""
        self.daemons[name].end(sig)
        {"queued": self.start_queued, "send": self.start_send}[name](**more)

    def stop(self, timeout=TIMEOUT_S):
        """Ends everything in good order. Returns {pid: name} of what was still
        there afterwards (and has been killed); a clean stop returns {}."""
        order = [n for n in self.daemons if n not in ("send", "queued")]
        for name in [*order, "send", "queued"]:
            if name in self.daemons:
                self.daemons[name].end(timeout=timeout)
                if self.daemons[name].process.stdout:
                    self.daemons[name].process.stdout.close()
        self.daemons.clear()
        self._smtp_port = self._pop3_port = None
        with contextlib.suppress(AssertionError):
            wait_until(lambda: not self.processes())
        left = self.processes()
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return left

    def remove(self):
        if not os.environ.get("CQMAIL_KEEP"):
            shutil.rmtree(self.base, ignore_errors=True)

    # -- looking --

    def log(self, name="send"):
        """The log text of one daemon ("send", "queued", "smtpd", ...)."""
        path = self.logs / f"{name}.log"
        return path.read_bytes().decode("utf-8", "replace") if path.exists() else ""

    def all_logs(self):
        return {p.stem: self.log(p.stem) for p in sorted(self.logs.glob("*.log"))}

    def wait_log(self, pattern, name="send", count=1, timeout=TIMEOUT_S):
        """Waits until pattern was found count times in whole lines (a reader
        may see a part of the last one); returns the last match."""
        compiled = re.compile(pattern, re.MULTILINE)

        def found():
            matches = list(compiled.finditer(self.log(name).rpartition("\n")[0]))
            return matches[-1] if len(matches) >= count else None
        return wait_until(found, timeout, lambda: (
            f"{pattern!r}, {count} times, in the log of {name}, which ends with:\n"
            + self.log(name)[-1500:]))

    def maildir(self, user="test"):
        """The messages of new/, oldest first, as paths."""
        new = self.user_home(user) / "Maildir/new"
        return sorted(new.iterdir(), key=lambda p: p.stat().st_mtime_ns)

    def wait_maildir(self, user="test", count=1, timeout=TIMEOUT_S):
        """Waits for count messages in the user's Maildir; their paths."""
        new = self.user_home(user) / "Maildir/new"
        wait_until(lambda: len(os.listdir(new)) >= count, timeout, lambda: (
            f"{count} messages for {user}, who has {len(os.listdir(new))}; "
            f"the log ends with:\n{self.log()[-1500:]}"))
        return self.maildir(user)

    def queue_ids(self):
        """The IDs of all messages in queue/mess, as numbers."""
        return sorted(int(p.name) for p in (self.home / "queue/mess").glob("*/*"))

    def wait_empty(self, timeout=TIMEOUT_S):
        """Waits until no message is in the queue."""
        wait_until(lambda: not self.queue_ids(), timeout, lambda: (
            f"an empty queue; it has {self.queue_ids()[:20]}; the log ends with:\n"
            + self.log()[-1500:]))

    def route_to(self, sink, domain=""):
        """Sends mail for domain (default: all) to an SmtpSink."""
        self.write_control("smtproutes", f"{domain}:127.0.0.1:{sink.port}\n")


# ---- a remote SMTP server that does as it is told -----------------------------------

class Transaction:
    """One message as the remote side saw it. data: undotted, CRLF lines."""

    def __init__(self, helo, sender, parameters):
        self.helo, self.sender, self.parameters = helo, sender, parameters
        self.recipients, self.data = [], None

    @property
    def message(self):
        """The message with LF lines."""
        return self.data.replace(b"\r\n", b"\n")


class SmtpSink:
    """A scriptable SMTP server on a free port of 127.0.0.1.

    replies maps "connect", "EHLO", "HELO", "MAIL", "RCPT", "DATA", "body"
    (the final dot), "RSET", "QUIT" to what is answered: a text, DROP or HANG,
    a list of these (used one after the other, the last one for ever), or a
    function of the command's argument that returns one. None: the default.
    """

    DEFAULTS = {
        "connect": "220 sink.example ESMTP", "HELO": "250 sink.example",
        "EHLO": "250-sink.example\r\n250-PIPELINING\r\n250-SIZE 0\r\n250 8BITMIME",
        "MAIL": "250 ok", "RCPT": "250 ok", "DATA": "354 go", "body": "250 taken",
        "RSET": "250 ok", "QUIT": "221 bye", "NOOP": "250 ok",
    }

    def __init__(self, replies=None, host="127.0.0.1"):
        self.replies = dict(replies or {})
        self.transactions = []  # complete ones, answered with 2xx at the dot
        self.refused = []       # those answered otherwise
        self.commands = []      # one list of lines (bytes) a connection
        self.lock = threading.Lock()
        self.ended = threading.Event()
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.listener = socket.socket(family)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind((host, 0))
        self.listener.listen(64)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        self.ended.set()
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def wait(self, count=1, timeout=TIMEOUT_S):
        """Waits for count complete transactions and returns them."""
        wait_until(lambda: len(self.transactions) >= count, timeout,
                   f"{count} transactions at the remote server")
        return list(self.transactions)

    @property
    def connections(self):
        return len(self.commands)

    def _accept(self):
        while not self.ended.is_set():
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _reply_for(self, what, argument):
        with self.lock:
            reply = self.replies.get(what)
            if isinstance(reply, list):
                reply = reply.pop(0) if len(reply) > 1 else reply[0]
        if callable(reply):
            reply = reply(argument)
        return self.DEFAULTS.get(what, "502 unknown") if reply is None else reply

    def _answer(self, client, what, argument=b""):
        """The reply's first digit; False if the session does not go on."""
        return self._say(client, self._reply_for(what, argument))

    def _say(self, client, reply):
        if reply is HANG:
            self.ended.wait(3600)
            return False
        if reply is DROP:
            return False
        client.sendall(reply.encode("latin-1") + b"\r\n")
        return reply[:1]

    def _serve(self, client):
        lines = []
        with self.lock:
            self.commands.append(lines)
        try:
            with client, client.makefile("rb") as stream:
                client.settimeout(300)
                if self._answer(client, "connect"):
                    self._session(client, stream, lines)
        except OSError:
            pass

    def _session(self, client, stream, lines):
        helo, now = b"", None
        while line := stream.readline(1 << 20):
            lines.append(line.rstrip(b"\r\n"))
            verb, _, argument = lines[-1].partition(b" ")
            verb = verb.upper().decode("latin-1")
            digit = self._answer(client, verb, argument)
            if not digit or verb == "QUIT":
                return
            if verb in ("EHLO", "HELO"):
                helo, now = argument, None
            elif verb == "MAIL" and digit == "2":
                path, _, rest = argument.partition(b">")
                now = Transaction(helo, path.partition(b"<")[2].decode("latin-1"),
                                  rest.strip().decode("latin-1"))
            elif verb == "RCPT" and digit == "2" and now:
                path = argument.partition(b"<")[2].rpartition(b">")[0]
                now.recipients.append(path.decode("latin-1"))
            elif verb == "RSET":
                now = None
            elif verb == "DATA" and digit == "3":
                if not self._body(client, stream, now):
                    return
                now = None

    def _body(self, client, stream, now):
        data = bytearray()
        while (line := stream.readline(1 << 26)) != b".\r\n":
            if not line:
                return False
            data += line[1:] if line.startswith(b".") else line
        if now is not None:
            now.data = bytes(data)
        # written down first: who has seen the answer may look here at once
        reply = self._reply_for("body", bytes(data))
        if now is not None:
            good = reply not in (HANG, DROP) and reply[:1] == "2"
            (self.transactions if good else self.refused).append(now)
        return bool(self._say(client, reply))
