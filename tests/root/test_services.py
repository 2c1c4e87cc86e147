"""qmail-conf system under svscan, as root: what runs, as whom, for whom; and
the units of doc/systemd with the rights that they leave."""

import contextlib
import os
import pwd
import re
import shutil
import signal
import subprocess
from pathlib import Path

import framing
import lib
import pytest
import unitlib
from conftest import NAMES, USER, sh

DOWN = ["submission", "pop3d", "qmtpd", "qmqpd"]
ALL = ["queue", "send", "smtpd", *DOWN]


def give_password(it):
    """The user's password for POP3 is "secret"."""
    made = subprocess.run([it.bin / "qmail-checkpass", "-c"], input=b"secret",
                          capture_output=True, check=True)
    passwd = it.home / "users/passwd"
    who = pwd.getpwnam(USER)
    passwd.write_text(f"{USER}:{made.stdout.decode().strip()}:{who.pw_uid}:{who.pw_gid}:"
                      f"{it.user_home}\n")
    passwd.chmod(0o600)


def inbox(it):
    return set((it.user_home / "Maildir/new").iterdir())


def wait_mail(it, before, text):
    lib.wait_until(lambda: [p for p in inbox(it) - before if text in p.read_bytes()],
                   what="the message")


def command_of(pid):
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    return ""


def pop3(port):
    """Logs in; the answer to STAT."""
    client = lib.poplib.POP3("127.0.0.1", port, timeout=lib.TIMEOUT_S)
    client.user(USER)
    client.pass_("secret")
    found = client.stat()
    client.quit()
    return found


def test_only_smtpd_is_up_unless_others_are_asked_for(installation, tmp_path):
    for name in ALL:
        assert (installation.home / f"service/{name}/down").exists() == (name in DOWN)
    (tmp_path / "control").mkdir()
    sh(installation.bin / "qmail-conf", "system", "--host", "x.example", "-s",
       "pop3d,qmtpd", env={"QMAILHOME": str(tmp_path)})
    made = {p.parent.name for p in tmp_path.glob("service/*/down")}
    assert made == {"smtpd", "submission", "qmqpd"}
    (tmp_path / "service/smtpd/down").unlink()
    (tmp_path / "control/tcp.smtp").write_text(":deny\n")
    done = sh(installation.bin / "qmail-conf", "system", "-s", "none",
              env={"QMAILHOME": str(tmp_path)})
    assert not re.search(r"^made", done.stdout, re.M)
    assert not (tmp_path / "service/smtpd/down").exists()
    assert (tmp_path / "control/tcp.smtp").read_text() == ":deny\n"


class Scan:
    """svscan over the services of the installation."""

    def __init__(self, it):
        self.it = it
        self.place = it.prefix / "scan"
        self.place.mkdir()
        for name in ALL:
            (self.place / f"qmail-{name}").symlink_to(it.home / "service" / name)
        self.process = subprocess.Popen(
            ["svscan", str(self.place)], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/",
            start_new_session=True, env={"PATH": os.environ["PATH"]})
        lib.wait_until(lambda: all(
            sh("svok", d, check=False).returncode == 0 for d in self.supervised()),
            what="supervise of all services")

    def supervised(self):
        return [p for name in ALL for p in (self.it.home / "service" / name,
                                            self.it.home / "service" / name / "log")]

    def ctl(self, *words):
        return subprocess.run(
            [self.it.bin / "qmailctl", *words], text=True, capture_output=True, cwd="/",
            timeout=2 * lib.TIMEOUT_S,
            env={"PATH": os.environ["PATH"], "QMAILHOME": str(self.it.home)})

    def done(self, *words):
        done = self.ctl(*words)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def states(self):
        """{service: state}"""
        lines = [x.split(None, 1) for x in self.ctl("status").stdout.splitlines()]
        return {x[0]: x[1] for x in lines if x and x[0] in ALL}

    def end(self):
        if self.process:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait()
            self.process = None
        shutil.rmtree(self.place, ignore_errors=True)
        stopped = self.ctl("stop", "-x")
        sh("svc", "-dx", *self.supervised(), check=False)
        lib.wait_until(lambda: all(sh("svok", d, check=False).returncode != 0
                                   for d in self.supervised()), what="the end of supervise")
        for path in self.supervised():  # they must not meet the next svscan
            shutil.rmtree(path / "supervise", ignore_errors=True)
        return stopped


@pytest.fixture(scope="module")
def scan(installation):
    give_password(installation)
    one = Scan(installation)
    try:
        yield one
    finally:
        one.end()
        with contextlib.suppress(AssertionError):
            lib.wait_until(lambda: not lib.processes_of(installation.home))
        left = lib.processes_of(installation.home)
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    assert not left


def test_every_service_comes_up_and_serves(scan):
    it = scan.it
    said = scan.done("start")
    assert "pop3d: stays down" in said
    assert {n: s.split()[0].rstrip(",") for n, s in scan.states().items()} == {
        n: "down" if n in DOWN else "up" for n in ALL}
    assert scan.ctl("status").returncode == 0, "as it should be"
    (it.home / "control/tcp.qmqp").write_text("127.:allow\n:deny\n")
    scan.done("cdb")
    scan.done("start", *DOWN)
    assert {s.split()[0] for s in scan.states().values()} == {"up"}
    before = inbox(it)
    for name in ("smtp", "submission"):
        lib.wait_until(lambda n=name: serves(it.ports[n]), what=name)
        client = lib.smtplib.SMTP("127.0.0.1", it.ports[name], timeout=lib.TIMEOUT_S)
        with client:
            client.sendmail("a@b.example", [f"{USER}@root.example"],
                            f"Subject: by {name}\n\nx\n")
        wait_mail(it, before, f"Subject: by {name}\n".encode())
    for name, make in (("qmtp", framing.qmtp), ("qmqp", framing.qmqp)):
        lib.wait_until(lambda n=name: is_open(it.ports[n]), what=name)
        said = lib.answer(it.ports[name], make(
            f"Subject: by {name}\n\nx\n".encode(), "a@b.example",
            [f"{USER}@root.example"]), b",")
        assert b":K" in said, said
        wait_mail(it, before, f"Subject: by {name}\n".encode())
    lib.wait_until(lambda: serves(it.ports["pop3"]), what="pop3")
    # what came in this very second is not shown yet
    lib.wait_until(lambda: pop3(it.ports["pop3"])[0] >= 4, what="four messages by POP3")


def serves(port):
    with contextlib.suppress(OSError):
        return lib.answer(port)
    return b""


def is_open(port):
    with contextlib.suppress(OSError):
        lib.socket.create_connection(("127.0.0.1", port), 5).close()
        return True
    return False


def test_each_service_has_its_account(scan):
    scan.done("start", *ALL)
    who = {NAMES[r]: pwd.getpwnam(NAMES[r]).pw_uid
           for r in ("qmaild", "qmaill", "qmailq", "qmails", "qmailr")}
    want = {"queue": who[NAMES["qmailq"]], "send": 0, "pop3d": 0,
            **dict.fromkeys(("smtpd", "submission", "qmtpd", "qmqpd"),
                            who[NAMES["qmaild"]])}
    for name, uid in want.items():
        pid = re.search(r"pid (\d+)", scan.states()[name])[1]
        lib.wait_until(lambda p=pid, u=uid: os.stat(f"/proc/{p}").st_uid == u,
                       what=f"{name} as {uid}")
        # its shell may not have become it yet
        lib.wait_until(lambda p=pid: names_of_environment(p) <= {
            b"PATH", b"QMAILHOME", b"PROTO"}, what=f"the environment of {name}")
        log = scan.it.home / "log" / name
        assert log.stat().st_uid == who[NAMES["qmaill"]]
        lib.wait_until((log / "current").exists, what=f"a log of {name}")
        assert (log / "current").stat().st_uid == who[NAMES["qmaill"]]
        assert command_of(pid)


def names_of_environment(pid):
    environ = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    return {x.partition(b"=")[0] for x in environ if x}


def test_restart_and_stop(scan):
    scan.done("start")
    old = scan.states()["send"].split()[2]
    scan.done("restart", "send")
    assert scan.states()["send"].split()[2] != old
    lib.wait_until(lambda: scan.done("log", "-n", "1")[:2] == "20", what="a line of the log")
    scan.done("stop")
    assert {s.split()[0].rstrip(",") for s in scan.states().values()} == {"down"}
    # a qmail-clean may end after the one that it works for
    lib.wait_until(lambda: not [c for c in map(command_of, lib.processes_of(scan.it.home))
                                if "qmail-" in c], what="their end")
    assert scan.ctl("status").returncode == 1


# ---- the units -----------------------------------------------------------------

def start_unit(it, name, log):
    """ExecStart of a unit, with its account, capabilities and environment."""
    unit = unitlib.Unit(unitlib.FOLDER / f"qmail-{name}.service", it.home)
    argv = [w.replace("id -u qmaild", f"id -u {NAMES['qmaild']}")
             .replace("id -g qmaild", f"id -g {NAMES['qmaild']}") for w in unit.argv()]
    for protocol, number in (("smtp", 25), ("pop3", 110)):
        argv = [w.replace(f" 0 {number} ", f" 127.0.0.1 {it.ports[protocol]} ")
                for w in argv]
    caps = unit.one("CapabilityBoundingSet").lower().split()
    prefix = ["setpriv", "--no-new-privs", "--bounding-set",
              ",".join(["-all", *("+" + c.removeprefix("cap_") for c in caps)])]
    if unit.get("Service", "User"):
        prefix += ["--reuid", NAMES[unit.one("User")], "--regid",
                   NAMES[unit.one("Group")], "--clear-groups", "--inh-caps", "-all"]
    with open(log / f"{name}.log", "ab") as out:
        return subprocess.Popen(
            [*prefix, *argv], cwd=unit.one("WorkingDirectory"), stdout=out, stderr=out,
            stdin=subprocess.DEVNULL, env=unit.environment(), umask=0o022,
            start_new_session=True)


def test_the_units_leave_each_program_what_it_needs(installation, tmp_path):
    it = installation
    give_password(it)
    started = {}
    try:
        for name in ("queued", "send", "smtpd", "pop3d"):
            started[name] = start_unit(it, name, tmp_path)
        for name in ("smtp", "pop3"):
            lib.wait_until(lambda n=name: serves(it.ports[n]), what=name)
        before = inbox(it)
        client = lib.smtplib.SMTP("127.0.0.1", it.ports["smtp"], timeout=lib.TIMEOUT_S)
        with client:
            client.sendmail("a@b.example", [f"{USER}@root.example"],
                            "Subject: by units\n\nx\n")
        wait_mail(it, before, b"Subject: by units\n")
        lib.wait_until(lambda: pop3(it.ports["pop3"])[0] >= 1, what="it by POP3")
        for name, process in started.items():
            assert process.poll() is None, (tmp_path / f"{name}.log").read_text()
    finally:
        for name in ("pop3d", "smtpd", "send", "queued"):
            if name in started:
                started[name].send_signal(signal.SIGTERM)
                started[name].wait(lib.TIMEOUT_S)
    lib.wait_until(lambda: not lib.processes_of(it.home), what="the end of all")
