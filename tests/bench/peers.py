"""The mail servers, each behind the same few methods.

A peer is made for one measurement, with an empty queue and an empty Maildir,
and removed afterwards. `routes` says where mail for other domains goes:
{domain: (address, port)}. What is not set here is as the package has it.
"""

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cell
import measure

REPO = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPO / "tests/system"))
import lib  # noqa: E402

HOST = "bench.example"
START_S = 60
SESSIONS_MAX = 400


class Peer:
    """What all have in common; `name`, `note`, `manager` are in the classes."""

    manager = ""        # matches the processes that keep the schedule
    delimiter = "-"     # between a user's name and what he may add to it
    accept_sessions = 20  # sessions that connect for each message
    note = ""

    def __init__(self, bench, routes=None):
        self.bench = bench
        self.load_group = bench.load_group
        self.routes = routes or {}
        self.port = measure.free_port()
        self.cell = None
        self.group = measure.Group(self.name)
        try:
            self.make()
        except BaseException:
            self.remove()
            raise

    # -- the place --

    def make_cell(self, **more):
        base = Path(tempfile.mkdtemp(prefix=self.name + "-", dir=self.bench.work))
        base.chmod(0o755)
        self.cell = cell.Cell(base, self.bench.load, **more)
        self.group.add(self.cell.first)
        self.maildir = self.cell.home / "Maildir"
        self.clean_maildir()

    def clean_maildir(self):
        """A new one: a directory that was big once stays slow. The old one is
        kept: its files, removed, would slow down whoever makes new ones."""
        if self.maildir.exists():
            self.maildir.rename(f"{self.maildir}.{time.monotonic_ns()}")
        owner = self.maildir.parent.stat()
        for path in (self.maildir, *(self.maildir / d for d in ("tmp", "new", "cur"))):
            path.mkdir(mode=0o700)
            os.chown(path, owner.st_uid, owner.st_gid)

    def inside(self, argv, stdin=subprocess.DEVNULL, **more):
        """Starts a command in the cell and in the peer's group."""
        return subprocess.Popen(
            ["sh", "-c", 'echo $$ >"$0" && exec "$@"',
             str(self.group.path / "cgroup.procs") if self.group.path else os.devnull,
             *self.cell.command(argv)], stdin=stdin, start_new_session=True, **more)

    def remove(self):
        if self.cell:
            self.cell.end()
        self.group.remove()

    # -- looking --

    def pids(self):
        return [p for p in self.group.pids() if measure.name_of(p) not in measure.WRAPPERS]

    def signal_to(self, name, sig):
        """To every process of that name; some may be ending already."""
        for pid in self.pids():
            if measure.name_of(pid) == name:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, sig)

    def manager_pids(self):
        return [p for p in self.pids() if re.search(self.manager, measure.command_of(p))]

    def cpu_s(self):
        if self.group.path:
            return self.group.cpu_s()
        return measure.ticks_cpu_s(self.pids())

    def delivered(self):
        return len(os.listdir(self.maildir / "new"))

    def recipient(self, number=None):
        more = "" if number is None else f"{self.delimiter}{number}"
        return f"{cell.USER}{more}@{HOST}"

    def answers(self):
        try:
            with socket.create_connection(("127.0.0.1", self.port), 2) as s:
                s.settimeout(2)
                return s.recv(3) == b"220"
        except OSError:
            return False

    def wait_up(self):
        measure.wait_until(self.answers, START_S, f"{self.name} to answer")

    def as_writer(self, argv):
        """Runs it as an ordinary user of the machine; returns the process."""
        who = str(cell.WRITER_ID)
        return self.inside(["setpriv", "--reuid", who, "--regid", who,
                            "--clear-groups", *map(str, argv)],
                           stdout=subprocess.DEVNULL)

    sendmail = "/usr/sbin/sendmail"


class Cqmail(Peer):
    """Installed with its accounts in a cell; without root, an instance."""

    name = "cqmail"
    note = "syncs before its 250; local concurrency 20"
    manager = r"^qmail-send "

    def make(self):
        self.daemons = []
        self.instance = None
        if self.bench.rootless:
            self._make_instance()
        else:
            self._make_installed()
        self._configure()

    def _make_instance(self):
        self.instance = lib.Instance(HOST)
        self.home = self.instance.home
        self.instance.add_user(cell.USER)
        self.instance.dotqmail("default", "./Maildir/\n", cell.USER)
        self.maildir = self.instance.user_home(cell.USER) / "Maildir"
        self.sendmail = str(self.instance.bin / "sendmail")

    def _make_installed(self):
        names = (REPO / "conf-users").read_text().split()[:10]
        users = [n for n in names[:8] if n != "root"]
        ids = {n: 64100 + i for i, n in enumerate(names[:8] + names[8:])}
        homes = {names[0]: "/var/qmail/alias"}
        self.make_cell(
            accounts=[(n, ids[n], homes.get(n, "/var/qmail")) for n in users],
            groups=[(n, ids[n]) for n in names[8:10]])
        self._set_groups(names, users)
        self.cell.run("sh", "-c", f"cd {REPO} && sh tools/install {self.bench.bin}")
        self.home = self.cell.base / "var/qmail"
        self.cell.run("/var/qmail/bin/qmail-conf", "system", "--host", HOST,
                      "--smtp-port", self.port, "--pop3-port", measure.free_port())
        self.sendmail = "/var/qmail/bin/sendmail"
        (self.cell.home / ".qmail-default").write_text("./Maildir/\n")
        os.chown(self.cell.home / ".qmail-default", cell.USER_ID, cell.USER_ID)

    def _set_groups(self, names, users):
        """qmailq and qmails are in the group that may read the queue."""
        passwd = self.cell.base / "etc/passwd"
        gids = dict(self.cell.groups)
        lines = []
        for line in passwd.read_text().splitlines():
            fields = line.split(":")
            if fields[0] in users:
                group = names[8] if fields[0] in (names[5], names[7]) else names[9]
                fields[3] = str(gids[group])
            lines.append(":".join(fields))
        passwd.write_text("\n".join(lines) + "\n")

    def _configure(self):
        control = {
            "me": HOST, "locals": HOST, "defaultdelivery": "./Maildir/",
            "concurrencylocal": "20",  # as Postfix's
            "concurrencyincoming": str(SESSIONS_MAX), "maxrcpt": "0",
            "rcpthosts": "\n".join([HOST, *self.routes]),
            "smtproutes": "\n".join(f"{d}:{a}:{p}" for d, (a, p) in self.routes.items()),
        }
        for name, text in control.items():
            path = self.home / "control" / name
            path.write_text(text + "\n")
            lib.give(path) if self.instance else None

    def start(self, pop3=False):
        if self.instance:
            self.instance.start()
            self.port = self.instance.smtpd(limit=SESSIONS_MAX)
            if pop3:
                self.pop3_port = self.instance.pop3_port
            for pid in self.instance.processes():
                self.group.add(pid)
            return
        self.daemons = [self._service(n) for n in
                        ("queue", "send", "smtpd", *(["pop3d"] if pop3 else []))]
        self.wait_up()
        measure.wait_until(lambda: b"status: local" in self._log("send"), START_S,
                           "qmail-send")

    def _log(self, name):
        path = self.cell.base / f"var/log/{name}.log"
        return path.read_bytes() if path.exists() else b""

    def _service(self, name):
        path = self.cell.base / f"var/log/{name}.log"
        path.unlink(missing_ok=True)
        with open(path, "ab") as log:
            return self.inside([f"/var/qmail/service/{name}/run"], stdout=log, stderr=log)

    def stop(self):
        if self.instance:
            self.instance.stop()
            return
        for name in ("tcpserver", "qmail-start", "qmail-queued"):
            self.signal_to(name, signal.SIGTERM)
        for daemon in self.daemons:
            daemon.wait(START_S)
        self.daemons = []
        # a qmail-clean that is still at work keeps the next qmail-queued out,
        # which supervise would then start again
        measure.wait_until(lambda: not self.pids(), START_S, "the last qmail-clean")

    def pids(self):
        if self.instance:
            return list(self.instance.processes())
        return super().pids()

    def flush(self):
        self.signal_to("qmail-start", signal.SIGALRM)

    def as_writer(self, argv):
        if not self.instance:
            return super().as_writer(argv)
        process = subprocess.Popen([str(a) for a in argv], env=self.instance.env(),
                                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                   start_new_session=True, cwd="/", **lib.as_user())
        self.group.add(process.pid)
        return process

    def set_password(self, password_hash):
        path = self.home / "users/passwd"
        who = "::" if self.instance else f"{cell.USER_ID}:{cell.USER_ID}:/var/home/bench"
        path.write_text(f"{cell.USER}:{password_hash}:{who}\n")
        path.chmod(0o600)
        if self.instance:
            lib.give(path)
        else:
            service = self.home / "service/pop3d/run"
            self.pop3_port = int(re.search(r"(?m)\b(\d{4,5})\b(?=[^\n]*\n?[^\n]*qmail-popup)",
                                           service.read_text())[1])

    def remove(self):
        for daemon in self.daemons:
            if daemon.poll() is None:
                daemon.kill()
                daemon.wait()
        if self.instance:
            self.instance.stop()
            self.instance.remove()
        super().remove()


class Postfix(Peer):
    name = "postfix"
    note = "syncs before its 250; local concurrency 20"
    manager = r"^qmgr "

    MAIN = """\
compatibility_level = 3.6
queue_directory = /var/spool/postfix
data_directory = /var/lib/postfix
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
shlib_directory = /usr/lib/postfix
mail_owner = postfix
setgid_group = postdrop
myhostname = {host}
mydestination = {host}
myorigin = {host}
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
alias_maps =
alias_database =
local_recipient_maps =
home_mailbox = Maildir/
recipient_delimiter = -
local_destination_concurrency_limit = 20
smtpd_recipient_limit = 200000
smtpd_recipient_overshoot_limit = 200000
smtpd_client_connection_count_limit = 0
smtpd_peername_lookup = no
smtp_host_lookup = native
message_size_limit = 0
mailbox_size_limit = 0
biff = no
transport_maps = inline:{{ {routes} }}
"""
    MASTER = """\
{port} inet n - n - {sessions} smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
local unix - n n - - local
virtual unix - n n - - virtual
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""

    def make(self):
        package = self.bench.package("postfix")
        self.make_cell(package=package, accounts=[("postfix", 64200, "/var/spool/postfix")],
                       groups=[("postdrop", 64201)],
                       setgid={"postdrop": "postdrop", "postqueue": "postdrop"})
        etc = self.cell.base / "etc/postfix"
        shutil.copytree(package / "etc/postfix", etc)
        routes = ", ".join(f"{{ {d} = smtp:[{a}]:{p} }}"
                           for d, (a, p) in self.routes.items())
        (etc / "main.cf").write_text(self.MAIN.format(
            host=HOST, routes=routes or "{ nowhere.example = discard: }"))
        (etc / "master.cf").write_text(self.MASTER.format(
            port=f"127.0.0.1:{self.port}", sessions=SESSIONS_MAX))
        for name, owner in (("var/spool/postfix", 0), ("var/lib/postfix", 64200)):
            path = self.cell.base / name
            path.mkdir()
            os.chown(path, owner, owner)

    def start(self):
        with self.inside(["postfix", "start"], stdout=subprocess.DEVNULL,
                         stderr=subprocess.PIPE) as started:
            trouble = started.stderr.read()
        if started.returncode != 0:
            raise RuntimeError(f"postfix does not start: {trouble}")
        self.wait_up()

    def stop(self):
        self.cell.run("postfix", "stop")

    def flush(self):
        self.cell.run("postqueue", "-f")


class Opensmtpd(Peer):
    name = "opensmtpd"
    note = "does not sync"
    manager = r"smtpd: (scheduler|queue)"
    delimiter = "+"
    accept_sessions = 4  # it listens with a backlog of 5

    def make(self):
        self.make_cell(package=self.bench.package("opensmtpd"),
                       accounts=[("opensmtpd", 64300, "/var/lib/opensmtpd/empty"),
                                 ("opensmtpq", 64301, "/var/lib/opensmtpd/empty")],
                       setgid={"smtpctl": "opensmtpq"})
        (self.cell.base / "var/lib/opensmtpd/empty").mkdir(parents=True)
        lines = [f"listen on 127.0.0.1 port {self.port}",
                 "smtp limit max-mails 1000000", "smtp limit max-rcpt 1000000",
                 'action "here" maildir']
        for i, (address, port) in enumerate(self.routes.values()):
            lines.append(f'action "to{i}" relay host smtp://{address}:{port}')
        lines.append(f'match from any for domain "{HOST}" action "here"')
        for i, domain in enumerate(self.routes):
            lines.append(f'match from any for domain "{domain}" action "to{i}"')
        (self.cell.base / "etc/smtpd.conf").write_text("\n".join(lines) + "\n")
        (self.cell.base / "etc/smtpd.conf").chmod(0o644)

    def start(self):
        self.daemon = self.inside(["smtpd", "-F"], stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL)
        self.wait_up()

    def stop(self):
        self.signal_to("smtpd", signal.SIGTERM)
        self.daemon.wait(START_S)

    def flush(self):
        self.cell.run("smtpctl", "schedule", "all")


class Dovecot(Peer):
    """For the work pop3 only."""

    name = "dovecot"
    note = "POP3 only"

    def make(self):
        self.make_cell(package=self.bench.package("dovecot"),
                       accounts=[("dovecot", 64400, "/"), ("dovenull", 64401, "/")])
        self.pop3_port = self.port
        (self.cell.base / "var/lib/dovecot").mkdir()
        etc = self.cell.base / "etc/dovecot"
        etc.mkdir()
        (etc / "dovecot.conf").write_text(f"""\
protocols = pop3
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
log_path = /var/log/dovecot.log
mail_location = maildir:~/Maildir
passdb {{
  driver = passwd-file
  args = scheme=CRYPT /etc/dovecot/users
}}
userdb {{
  driver = passwd-file
  args = /etc/dovecot/users
}}
service pop3-login {{
  process_limit = 200
  inet_listener pop3 {{
    port = {self.pop3_port}
  }}
  inet_listener pop3s {{
    port = 0
  }}
}}
mail_max_userip_connections = 200
""")

    def set_password(self, password_hash):
        (self.cell.base / "etc/dovecot/users").write_text(
            f"{cell.USER}:{password_hash}:{cell.USER_ID}:{cell.USER_ID}::/var/home/bench::\n")

    def start(self, pop3=True):
        self.daemon = self.inside(["dovecot", "-F"])
        measure.wait_until(self._is_up, START_S, "dovecot to answer")

    def _is_up(self):
        try:
            with socket.create_connection(("127.0.0.1", self.pop3_port), 2) as s:
                s.settimeout(5)
                return s.recv(3) == b"+OK"
        except OSError:
            return False


PEERS = {p.name: p for p in (Cqmail, Postfix, Opensmtpd)}
