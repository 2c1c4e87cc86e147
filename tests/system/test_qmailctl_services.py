"""qmailctl over services that svscan runs, as make demo has them."""

import os
import signal
import subprocess

import framing
import lib
import pytest


class Site:
    """An instance made by qmail-conf with all servers, and its svscan."""

    def __init__(self):
        self.base = lib.work_dir()
        self.home = self.base / "i"
        self.ports = {p: lib.low_port() for p in
                      ("smtp", "pop3", "submission", "qmtp", "qmqp")}
        options = [w for p, n in self.ports.items() for w in (f"--{p}-port", str(n))]
        self.run(lib.bin_dir() / "qmail-conf", "instance", self.home, "--host",
                 "x.example", *options, check=True)
        routes = self.home / "control/smtproutes"
        routes.write_text(":127.0.0.1:1\n")  # nobody listens: no DNS, no mail out
        lib.give(routes)
        self.env = {**os.environ, "QMAILHOME": str(self.home)}
        self.scan = None

    def run(self, *command, check=False, **more):
        done = subprocess.run(
            [str(c) for c in command], cwd="/", text=True, capture_output=True,
            timeout=2 * lib.TIMEOUT_S, **more, **lib.as_user())
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done

    def ctl(self, *words, env=None):
        return self.run(lib.bin_dir() / "qmailctl", *words,
                        env={**self.env, **(env or {})})

    def done(self, *words):
        """What qmailctl prints; it must exit 0."""
        done = self.ctl(*words)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def svscan(self):
        self.scan = subprocess.Popen(
            ["svscan", "service"], cwd=self.home, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **lib.as_user())
        lib.wait_until(lambda: all(
            subprocess.run(["svok", str(s)], check=False).returncode == 0
            for s in self.services()), what="supervise of all services")

    def services(self):
        made = list((self.home / "service").iterdir())
        return made + [p / "log" for p in made]

    def end(self):
        if self.scan:
            self.scan.send_signal(signal.SIGTERM)
            self.scan.wait()
        self.run("svc", "-dx", *self.services())
        lib.wait_until(lambda: not lib.processes_of(self.home), what="the end")
        subprocess.run(["rm", "-rf", str(self.base)], check=True)

    def states(self):
        """{service: first word of its state}"""
        lines = self.ctl("status").stdout.splitlines()
        return {w[0]: w[1].rstrip(",") for w in (x.split() for x in lines)
                if len(w) > 1 and (self.home / "service" / w[0]).is_dir()}


@pytest.fixture(scope="module")
def site():
    one = Site()
    try:
        one.svscan()
        yield one
    finally:
        one.end()


ALL = ["queue", "send", "smtpd", "pop3d", "submission", "qmtpd", "qmqpd"]


def test_stop_ends_all_and_start_brings_all_back(site):
    said = site.done("start").splitlines()
    assert [x.partition(":")[0] for x in said[:2]] == ["queue", "send"]
    assert set(site.states().values()) == {"up"}
    assert len(site.states()) == 7
    said = site.done("stop").splitlines()
    assert [x.partition(":")[0] for x in said[-2:]] == ["send", "queue"]
    assert set(site.states().values()) == {"down"}
    # a qmail-clean may end after the one that it works for
    lib.wait_until(lambda: not [n for n in lib.processes_of(site.home).values()
                                if n.startswith("qmail-")], what="their end")
    status = site.ctl("status")
    assert status.returncode == 1
    site.done("start")
    assert set(site.states().values()) == {"up"}
    lib.wait_until(lambda: site.ctl("status").returncode == 0, what="all up")


def test_one_service_is_stopped_alone(site):
    site.done("start")
    site.done("stop", "smtpd")
    states = site.states()
    assert states.pop("smtpd") == "down"
    assert set(states.values()) == {"up"}
    assert site.done("start", "smtpd").startswith("smtpd: up (pid ")


def test_restart_gives_new_processes(site):
    site.done("start")
    before = site.done("status").splitlines()
    site.done("restart", "send", "queue")
    after = site.done("status").splitlines()
    pids = [[x.split()[3] for x in lines[:3]] for lines in (before, after)]
    assert pids[0][0] != pids[1][0] and pids[0][1] != pids[1][1]


def test_a_service_with_down_starts_only_by_name(site):
    down = site.home / "service/qmtpd/down"
    site.done("start")
    site.done("stop", "qmtpd")
    down.touch()
    try:
        assert f"qmtpd: stays down, since there is {down}" in site.done("start")
        assert site.states()["qmtpd"] == "down"
        assert site.ctl("status").returncode == 0
        site.done("start", "qmtpd")
        assert "qmtpd: up" in site.done("restart"), "it was up"
    finally:
        down.unlink()
    site.done("start")


def test_cdb_compiles_what_is_newer(site):
    assert "tcp.smtp.cdb" in site.done("cdb")
    for name in ("smtp", "submission", "pop3", "qmtp", "qmqp"):
        assert (site.home / f"control/tcp.{name}.cdb").stat().st_mode & 0o777 == 0o644
    assert "tcprules" not in site.done("cdb"), "nothing is newer"
    assign = site.home / "users/assign"
    os.utime(site.home / "users/cdb", ns=(10**18, 10**18))
    (site.home / "control/morercpthosts").write_text("more.example\n")
    said = site.done("cdb")
    assert "qmail-newu" in said and "qmail-newmrh" in said
    assert (site.home / "users/cdb").read_bytes() == lib.users_cdb_bytes(assign.read_text())
    (site.home / "control/tcp.pop3").write_text(":perhaps\n")
    assert site.ctl("cdb").returncode == 111
    (site.home / "control/tcp.pop3").write_text(":allow\n")
    site.done("cdb")


def qmtp(port):
    """The answer to a message by QMTP to a domain that is not ours."""
    return lib.answer(port, framing.qmtp(
        b"Subject: x\n\nx\n", "a@b.example", ["z@elsewhere.example"]), b",")


def test_the_rules_decide_who_may_relay(site):
    site.done("start")
    for name in ("smtp", "submission", "qmtp", "qmqp"):
        (site.home / f"control/tcp.{name}").write_text(
            '127.:allow,RELAYCLIENT=""\n:deny\n')
    site.done("cdb")
    assert lib.answer(site.ports["submission"]).startswith(b"220 x.example")
    assert b":Kok" in qmtp(site.ports["qmtp"])
    for name in ("smtp", "submission", "qmtp", "qmqp"):
        (site.home / f"control/tcp.{name}").write_text("127.:allow\n")
    site.done("cdb")
    assert b":D" in qmtp(site.ports["qmtp"])
    for name in ("submission", "qmqp"):
        (site.home / f"control/tcp.{name}").write_text(":deny\n")
        site.done("cdb")
        assert lib.answer(site.ports[name]) == b""
        (site.home / f"control/tcp.{name}.cdb").unlink()
        assert lib.answer(site.ports[name]) == b"", "without rules nobody may"
    (site.home / "control/tcp.smtp.cdb").unlink()
    assert lib.answer(site.ports["smtp"]).startswith(b"220 "), "without rules all may"


def test_queue_flush_and_reload_reach_qmail_send(site):
    site.done("start")
    site.done("cdb")
    assert "messages in queue: " in site.done("queue")
    (site.home / "alias/.qmail-wait").write_text("|exit 111\n")
    sent = site.run(site.home / "bin/sendmail", "wait@x.example", input="\nx\n",
                    env=site.env)
    assert sent.returncode == 0, sent.stderr
    assert "wait@x.example" in site.done("queue")
    log = site.home / "log/send/current"
    lib.wait_until(lambda: log.exists() and "deferral: " in log.read_text(),
                   what="a deferral")
    (site.home / "control/locals").write_text("x.example\ny.example\n")
    site.done("reload")
    (site.home / "alias/.qmail-wait").write_text("#\n")

    def delivered():
        site.done("flush")  # again: it may still be under way
        return "wait@x.example" not in site.done("queue")
    lib.wait_until(delivered, what="the delivery")
    new = site.home / "users/test/Maildir/new"

    def arrived():
        """One that came before qmail-send had reloaded would go elsewhere."""
        sent = site.run(site.home / "bin/sendmail", "test@y.example", input="\nx\n",
                        env=site.env)
        assert sent.returncode == 0, sent.stderr
        return any(b"test@y.example" in p.read_bytes() for p in new.iterdir())
    lib.wait_until(arrived, what="mail for the new name")


def test_pause_holds_a_channel_and_cont_lets_go(site):
    site.done("start")
    new = site.home / "users/test/Maildir/new"
    site.done("pause", "local")
    site.done("restart", "send")
    before = set(new.iterdir())
    sent = site.run(site.home / "bin/sendmail", "test@x.example", input="\nx\n",
                    env=site.env)
    assert sent.returncode == 0, sent.stderr
    assert "test@x.example" in site.done("queue")
    assert set(new.iterdir()) == before
    site.done("pause", "local")  # twice is once
    site.done("cont")  # remote was not held
    lib.wait_until(lambda: set(new.iterdir()) - before, what="the delivery")


def test_log_shows_local_time(site):
    site.done("start")
    current = site.home / "log/send/current"
    lib.wait_until(lambda: current.exists() and current.read_bytes(), what="a log")
    lines = site.done("log", "-n", "1").splitlines()
    assert len(lines) == 1 and lines[0][:2] == "20" and lines[0][10] == " "
    follow = subprocess.Popen(
        [str(lib.bin_dir() / "qmailctl"), "log", "-f", "-n", "1", "smtpd"],
        env=site.env, stdout=subprocess.PIPE, start_new_session=True, **lib.as_user())
    try:
        assert follow.stdout.readline().startswith(b"20")
        lib.answer(site.ports["smtp"])
        lib.wait_until(lambda: b"pid" in follow.stdout.readline(), what="a new line")
    finally:
        os.killpg(follow.pid, signal.SIGTERM)
        follow.wait()
        follow.stdout.close()


def test_services_may_have_the_names_of_other_qmails(site):
    other = site.home / "supervise"
    other.mkdir(exist_ok=True)
    lib.give(other)
    for name in ("send", "smtpd"):
        if not (other / f"qmail-{name}").exists():
            (other / f"qmail-{name}").symlink_to(site.home / "service" / name)
    site.done("start")
    said = site.ctl("status", env={"QMAILSERVICES": str(other)}).stdout.splitlines()
    assert [x.split()[:2] for x in said[:2]] == [["send", "up"], ["smtpd", "up"]]


WRONG = {
    "no command": ([], 100, "qmailctl start"),
    "an unknown command": (["begin"], 100, "there is no command begin"),
    "an unknown service": (["start", "imapd"], 100, "there is no service imapd"),
    "a path for a service": (["stop", "../send"], 100, "not the name of a service"),
    "an unknown channel": (["pause", "smtp"], 100, "must be local or remote"),
    "too many channels": (["cont", "local", "remote"], 100, "one channel"),
    "an argument that has no meaning": (["status", "x"], 100, "no arguments"),
    "seconds that are no number": (["stop", "-w", "x"], 100, "wants seconds"),
    "lines that are no number": (["log", "-n", "-1"], 100, "wants a number"),
    "an unknown option": (["stop", "-q"], 100, "-q"),
    "two logs": (["log", "send", "smtpd"], 100, "one service"),
}


@pytest.mark.parametrize("what", WRONG)
def test_wrong_usage_changes_nothing(site, what):
    words, code, text = WRONG[what]
    done = site.ctl(*words)
    assert done.returncode == code, done.stdout + done.stderr
    assert text in done.stderr


def test_help_names_every_command(site):
    said = site.done("help")
    for word in ("start stop restart status reload cdb queue flush pause cont log "
                 "help doqueue stat").split():
        assert word in said


def test_a_home_without_services_or_svscan_says_what_to_do(tmp_path):
    done = subprocess.run([lib.bin_dir() / "qmailctl", "start"], text=True,
                          capture_output=True, env={**os.environ, "QMAILHOME": str(tmp_path)})
    assert done.returncode == 111 and "run qmail-conf" in done.stderr
    (tmp_path / "service/send").mkdir(parents=True)
    (tmp_path / "service/send/run").touch()
    done = subprocess.run([lib.bin_dir() / "qmailctl", "start"], text=True,
                          capture_output=True, env={**os.environ, "QMAILHOME": str(tmp_path)})
    assert done.returncode == 111 and "svscan" in done.stderr


def test_stop_x_ends_supervise_too():
    one = Site()
    try:
        one.svscan()
        lib.wait_until(lambda: one.ctl("start").returncode == 0, what="the start")
        one.scan.send_signal(signal.SIGTERM)
        one.scan.wait()
        one.scan = None
        one.done("stop", "-x")
        lib.wait_until(lambda: not lib.processes_of(one.home), what="the end of all")
        assert "down, no supervise runs" in one.ctl("status").stdout
    finally:
        one.end()
