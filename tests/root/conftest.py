"""An installation with real accounts, for the tests that need root.

It lies under a temporary prefix and uses accounts of its own (conf-users in
this directory), which are made first and removed at the end; so nothing of
the machine's own mail system is touched.
"""

import contextlib
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
REPO = HERE.parents[1]
sys.path.insert(0, str(REPO / "tests/system"))
import lib  # noqa: E402

ROLES = ("alias qmaild qmaill root qmailp qmailq qmailr qmails qmail "
         "nofiles").split()
NAMES = dict(zip(ROLES, (HERE / "conf-users").read_text().split()[:10]))
USER = "cqtuser"  # an ordinary user who gets mail


def pytest_collection_modifyitems(items):
    if os.getuid() != 0:
        for item in items:
            item.add_marker(pytest.mark.skip(reason="needs root"))


def sh(*command, check=True, **more):
    """Runs a command in the source tree; its output shows if it fails."""
    done = subprocess.run([str(c) for c in command], cwd=REPO, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **more)
    assert not check or done.returncode == 0, f"{command}:\n{done.stdout}"
    return done


def make(*arguments, **more):
    return sh("make", "BUILD=build/root", "BIN=build/root/bin",
              "CONF_USERS=tests/root/conf-users", *arguments, **more)


class Installation:
    """The installed home and what can be done with it."""

    def __init__(self):
        self.prefix = Path(tempfile.mkdtemp(prefix="cqmail-root-"))
        self.prefix.chmod(0o755)
        self.home = self.prefix / "var/qmail"
        self.bin = self.home / "bin"

    def make(self, *arguments, **more):
        return make(f"DESTDIR={self.prefix}", *arguments, **more)

    def uid(self, role):
        return pwd.getpwnam(NAMES.get(role, role)).pw_uid

    def as_account(self, user, group, code, *arguments):
        """Runs python code as that uid and gid, without other groups; returns
        its standard output. arguments become sys.argv[1:]."""
        import grp
        done = subprocess.run(
            ["/usr/bin/python3", "-c", code, *map(str, arguments)],
            user=self.uid(user), group=grp.getgrnam(NAMES.get(group, group)).gr_gid,
            extra_groups=[], cwd="/", text=True, capture_output=True,
            timeout=lib.TIMEOUT_S)
        assert done.returncode == 0, done.stderr
        return done.stdout


def remove_accounts():
    names = [NAMES[r] for r in ROLES if r not in ("root", "qmail", "nofiles")]
    for name in [*names, USER]:
        sh("userdel", name, check=False)
    for name in (NAMES["qmail"], NAMES["nofiles"], USER):
        sh("groupdel", name, check=False)


@pytest.fixture(scope="session")
def installation():
    """Accounts, build, make install, qmail-conf system, and one user."""
    remove_accounts()  # of a run that was cut off
    it = Installation()
    try:
        make("users")
        make("-j2", "all")
        it.make("install")
        sh("usermod", "-d", it.home / "alias", NAMES["alias"])
        user_home = it.prefix / "home"
        sh("useradd", "-M", "-d", user_home, "-s", "/bin/sh", USER)
        who = pwd.getpwnam(USER)
        for path in (user_home, *(user_home / d for d in (
                "Maildir", "Maildir/tmp", "Maildir/new", "Maildir/cur"))):
            path.mkdir(mode=0o700)
            os.chown(path, who.pw_uid, who.pw_gid)
        (it.home / "control/defaultdelivery").write_text("./Maildir/\n")
        it.user_home = user_home
        it.ports = {p: lib.low_port() for p in
                    ("smtp", "submission", "pop3", "qmtp", "qmqp")}
        it.smtp_port, it.pop3_port = it.ports["smtp"], it.ports["pop3"]
        it.conf = sh(it.bin / "qmail-conf", "system", "--host", "root.example",
                     *(w for p, n in it.ports.items() for w in (f"--{p}-port", n)),
                     env={**os.environ, "QMAILHOME": str(it.home)})
        yield it
    finally:
        shutil.rmtree(it.prefix, ignore_errors=True)
        remove_accounts()


class Running(lib.Instance):
    """The installation at work, each service by its run script, as root."""

    def __init__(self, installation, prefix):
        self.it, self.prefix = installation, prefix
        self.host = "root.example"
        self.base, self.home = installation.prefix, installation.home
        self.logs = installation.prefix / "log"
        self.logs.mkdir(exist_ok=True)
        self.bin = installation.bin
        self.user = pwd.getpwnam(USER)
        self.daemons, self.extra_env = {}, {}
        self._servers = 0
        self._smtp_port, self._pop3_port = installation.smtp_port, installation.pop3_port

    def start(self):
        for name in ("queue", "send", "smtpd", "pop3d"):
            with open(self.logs / f"{name}.log", "ab") as out:
                process = subprocess.Popen(
                    [*self.prefix, str(self.home / "service" / name / "run")],
                    stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                    start_new_session=True, cwd="/",
                    env={"PATH": os.environ["PATH"]})
            daemon = object.__new__(lib.Daemon)
            daemon.process, daemon.log = process, self.logs / f"{name}.log"
            self.daemons[{"queue": "queued"}.get(name, name)] = daemon
            if name == "queue":
                self.wait_submit()
        self.wait_log("status: local", "send")
        for port in (self.it.smtp_port, self.it.pop3_port):
            lib.wait_until(lambda p=port: self.greets(p), what=f"port {port}")
        return self

    @staticmethod
    def greets(port):
        import socket
        with contextlib.suppress(OSError):
            with socket.create_connection(("127.0.0.1", port), 5) as s:
                return s.recv(100)
        return None


@pytest.fixture(scope="module", params=["plain", "no-new-privs"])
def running(installation, request):
    """The installation running; once as it is, once unable to gain rights."""
    prefix = [] if request.param == "plain" else ["setpriv", "--no-new-privs"]
    it = Running(installation, prefix)
    try:
        it.start()
        yield it
    finally:
        left = it.stop()
        if request.session.testsfailed:
            for name, text in it.all_logs().items():
                print(f"--- log of {name}\n{text[-6000:]}")
        shutil.rmtree(it.logs, ignore_errors=True)
    assert not left, f"still running after the stop: {left}"
