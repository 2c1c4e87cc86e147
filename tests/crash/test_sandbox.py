"""What each program can still do once it is in its sandbox (src/base/sandbox.h).

probe.c is preloaded into the programs of a whole instance that takes and delivers
mail meanwhile. From inside each of them, right behind the call that closes the
sandbox, it tries to open, make and remove files elsewhere, to start programs, to
connect, to signal others and more, and writes down what came of it.

What Landlock alone refuses is asked for only where the kernel has it: the report
says which version there is.
"""
import contextlib
import ctypes
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import time

import pytest

from crashlib import BIN, TOP

os.environ["CQMAIL_BIN"] = BIN
sys.path.insert(0, os.path.join(TOP, "tests/system"))
import lib  # noqa: E402

PROBE = os.path.join(TOP, "build/dynamic/probe.so")
SIZE = 64 * 1024
FILES = {"write", "create", "truncate", "rename", "link", "unlink", "mkdir"}
ALL = FILES | {"read", "chmod", "fork", "exec", "kill", "owner", "look", "trace",
               "connect", "local", "clone", "uring", "terminal"}
REFUSED = {"EPERM", "EACCES", "ENOSYS", "EXDEV"}  # EXDEV: Landlock, of rename and link
# What a program may: of ALL, what must work; of the rest, what Landlock alone
# refuses, by its version, and what depends on the machine.
WRITER = (set(), {name: 2 for name in FILES | {"read"}}, {"chmod"})
PROGRAMS = {
    "qmail-smtpd": ({"local"}, {"read": 1}, set()),
    "qmail-qmtpd": ({"local"}, {"read": 1}, set()),
    "qmail-qmqpd": ({"local"}, {}, set()),
    "qmail-inject": ({"local"}, {}, set()),
    "qmail-queue": ({"local"}, {}, set()),
    "qmail-qmqpc": ({"local", "connect"}, {}, set()),
    "splogger": ({"local"}, {}, set()),
    "qmail-pop3d": WRITER,
    "qmail-queued": WRITER,
    "qmail-clean": WRITER,
    "qmail-send": ({"local"}, {"read": 1}, set()),
    "qmail-rspawn": (FILES | {"read", "fork", "exec", "connect", "local"},
                     {"kill": 6}, {"chmod"}),
    "qmail-remote": ({"connect", "local"}, {name: 2 for name in FILES | {"read"}}, {"chmod"}),
    "qmail-getpw": ({"read", "connect", "local"}, {}, set()),
}


def landlock():
    """The version that the kernel has, or 0."""
    return max(0, ctypes.CDLL(None, use_errno=True).syscall(444, None, 0, 1))


def has_filter():
    """Has the kernel seccomp filters, and have we one for this machine?"""
    status = pathlib.Path("/proc/self/status").read_text()
    return "Seccomp:" in status and os.uname().machine in ("x86_64", "aarch64")


class Probed:
    """An instance whose programs all have the probe inside."""

    def __init__(self):
        self.instance = lib.Instance()
        base = self.instance.base
        self.results = base / "results"
        self.results.write_bytes(bytes(SIZE))
        self.place = base / "place"
        self.place.mkdir()
        for program in PROGRAMS:
            (self.place / program).mkdir()
            for name in ("victim", "secret", "spare"):
                (self.place / program / name).write_text("kept\n")
        self.local = socket.socket(socket.AF_UNIX)
        self.local.bind(str(self.place / "socket"))
        self.local.listen(100)
        self.host = socket.create_server(("127.0.0.1", 0), backlog=100)
        self.bystander = subprocess.Popen(["sleep", "3600"])
        shutil.copy(PROBE, base / "probe.so")
        self.instance.extra_env = {
            "LD_PRELOAD": str(base / "probe.so"), "PROBE_RESULTS": str(self.results),
            "PROBE_PLACE": str(self.place), "PROBE_PORT": str(self.host.getsockname()[1]),
            "PROBE_PROCESS": str(self.bystander.pid)}

    def outcomes(self, program):
        """[{attempt: outcome}], one of each process of program."""
        text = self.results.read_bytes()[8:].decode()
        return [dict(word.split("=") for word in words.split())
                for name, words in re.findall(r"^(\S+)((?: \w+=\w+)+) end$", text, re.M)
                if name == program]

    def wait_outcomes(self, program, count=1):
        lib.wait_until(lambda: len(self.outcomes(program)) >= count,
                       what=f"{count} outcomes of {program}")
        return self.outcomes(program)

    def close(self):
        left = self.instance.stop()
        self.bystander.kill()
        self.bystander.wait()
        self.local.close()
        self.host.close()
        self.instance.remove()
        assert not left


@pytest.fixture
def probed():
    with contextlib.closing(Probed()) as one:
        yield one


def check(probed, program, count=1):
    """Each process of program can do what it must, and nothing else."""
    must, by_landlock, any_way = PROGRAMS[program]
    found = probed.wait_outcomes(program, count)
    for outcome in found:
        assert set(outcome) == ALL
        for name, result in outcome.items():
            if name in any_way:
                continue
            if name in must:
                assert result not in REFUSED, f"{program} cannot {name}: {result}"
            elif landlock() >= by_landlock[name] if name in by_landlock else has_filter():
                assert result in REFUSED, f"{program} can {name}: {result}"
    if landlock() >= 2 and has_filter() and not FILES & must:
        place = probed.place / program
        assert (place / "victim").read_text() == "kept\n"
        assert sorted(p.name for p in place.iterdir()) == ["secret", "spare", "victim"]


def test_all_attempts_succeed_outside_of_a_sandbox(probed):
    """Else the other tests would show nothing."""
    done = probed.instance.run("qmail-inject", "-n", env={"PROBE_FREE": "qmail-inject"})
    assert done.returncode == 0
    free = probed.outcomes("qmail-inject")[0]
    assert {n for n in ALL - {"clone", "uring", "terminal", "look", "trace"}
            if free[n] != "done"} == set()


def test_a_program_that_runs_others_has_no_sandbox(probed):
    """What QMAILQUEUE and plugins name may be setuid, and write what it likes."""
    mail = probed.instance
    mail.start_queued()
    program = mail.base / "queue"
    program.write_text("#!/bin/sh\n>\"$PROBE_PLACE/written\"\n"
                       "grep -E '^(NoNewPrivs|Seccomp):' /proc/self/status "
                       f">{mail.base}/status\nexec {mail.bin}/qmail-queue\n")
    program.chmod(0o755)
    env = {"QMAILQUEUE": str(program)}
    done = mail.inject(f"test@{mail.host}", env=env)
    assert done.returncode == 0, done.stderr
    assert probed.outcomes("qmail-inject") == []
    assert (mail.base / "status").read_text().split()[:2] == ["NoNewPrivs:", "0"]
    assert (probed.place / "written").exists()
    mail.send_smtp(port=mail.smtpd(env=env))
    assert probed.outcomes("qmail-smtpd") == []
    mail.write("plugin", "#!/bin/sh\n>\"$PROBE_PLACE/asked\"\n", 0o755)
    mail.write_control("smtpplugins", f"[connection]\n{mail.home}/plugin\n")
    mail.send_smtp()
    assert (probed.place / "asked").exists()
    assert probed.outcomes("qmail-smtpd") == []


def test_daemons_and_what_they_start(probed):
    """All that takes part when mail comes by SMTP and leaves by it, is delivered, bounces,
    and is read."""
    mail = probed.instance
    sink = lib.SmtpSink()
    try:
        mail.route_to(sink)
        mail.start()
        mail.send_smtp(to=["test"])
        mail.wait_maildir()
        done = mail.inject("-f", f"test@{mail.host}", "someone@far.example",
                           f"nobody-here@{mail.host}")
        assert done.returncode == 0, done.stderr
        sink.wait()
        mail.wait_maildir(count=2)  # the bounce
        with contextlib.closing(mail.pop3()) as client:
            numbers = [int(line.split()[0]) for line in client.list()[1]]
            assert len(numbers) == 2
            for number in numbers:
                client.retr(number)
                client.dele(number)
            client.quit()
        lib.wait_until(lambda: not mail.maildir(), what="an empty Maildir")
        mail.wait_empty()
    finally:
        sink.close()
    for program, count in {"qmail-smtpd": 1, "qmail-inject": 1, "qmail-queued": 1, "qmail-clean": 4,
                           "qmail-send": 5, "qmail-rspawn": 1, "qmail-remote": 1,
                           "qmail-pop3d": 1}.items():
        check(probed, program, count)


def test_getpw_behind_lspawn(probed):
    mail = probed.instance
    (mail.home / "users/cdb").unlink()
    mail.write("users/assign", "")
    mail.start()
    mail.inject("-f", "", f"somebody@{mail.host}")
    check(probed, "qmail-getpw")


def test_queueing_programs(probed):
    mail = probed.instance
    mail.start_queued()
    done = mail.queue(b"Subject: x\n\nx\n", "", [f"test@{mail.host}"])
    assert done.returncode == 0
    check(probed, "qmail-queue")
    port = mail.serve(mail.bin / "qmail-qmqpd")
    mail.write_control("qmqpservers", f"127.0.0.1:{port}\n")
    with open(mail.base / "message", "w+b") as message, \
            open(mail.base / "envelope", "w+b") as envelope:
        message.write(b"Subject: y\n\ny\n")
        envelope.write(b"Fs@test.example\0Ttest@test.example\0\0")
        message.seek(0)
        envelope.seek(0)
        done = subprocess.run([str(mail.bin / "qmail-qmqpc")], stdin=message,
                              stdout=envelope, env=mail.env(), timeout=60)
    assert done.returncode == 0
    check(probed, "qmail-qmqpc")
    check(probed, "qmail-qmqpd")
    port = mail.serve(mail.bin / "qmail-qmtpd")
    body = b"\nSubject: z\n\nz\n"
    one = b"17:test@test.example,"
    packet = b"%d:%s,%d:%s,%d:%s," % (len(body), body, 0, b"", len(one), one)
    assert b"K" in lib.answer(port, packet, end=b",")
    check(probed, "qmail-qmtpd")


def test_splogger(probed):
    done = probed.instance.run("splogger", "test", input=b"a line\n")
    assert done.returncode == 0
    check(probed, "splogger")


def test_status_of_the_daemons(probed):
    """As the kernel shows it, of a running instance without a probe."""
    mail = probed.instance
    mail.extra_env = {}
    mail.start()
    smtpd = mail.smtp()  # a session that stays
    pop3 = mail.pop3()
    want = {"qmail-queued": 1, "qmail-clean": 4, "qmail-send": 5, "qmail-rspawn": 1,
            "qmail-smtpd": 1, "qmail-pop3d": 1}
    found = {name: mail.pids(name) for name in want}
    for name, count in want.items():
        assert len(found[name]) == count, name
        for pid in found[name]:
            def has(line, pid=pid):
                return line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
            lib.wait_until(lambda: has("NoNewPrivs:\t1"), what=f"no_new_privs of {name}")
            if has_filter():
                lib.wait_until(lambda: has("Seccomp:\t2"), what=f"a filter of {name}")
    (lspawn,) = mail.pids("qmail-lspawn")
    status = pathlib.Path(f"/proc/{lspawn}/status").read_text()
    assert "NoNewPrivs:\t0" in status  # users' programs inherit it
    smtpd.close()
    pop3.close()
    print(f"Landlock {landlock()}, filter {has_filter()}")


@pytest.mark.parametrize("what", ["file", "directory"])
def test_links_in_control_are_followed(probed, what):
    """A control file that is a link out of control/ is read again after a change."""
    mail = probed.instance
    elsewhere = mail.base / "elsewhere"
    elsewhere.mkdir()
    sink = lib.SmtpSink()
    try:
        (elsewhere / "routes").write_text(f":127.0.0.1:{sink.port}\n")
        (mail.home / "control/smtproutes").symlink_to(elsewhere / "routes")
        mail.write_control("remoteidle", "30\n")
        if what == "directory":  # all of it elsewhere
            shutil.move(mail.home / "control", elsewhere / "control")
            (mail.home / "control").symlink_to(elsewhere / "control")
        mail.start()
        assert mail.inject("a@far.example").returncode == 0
        sink.wait(1)
        future = time.time() + 10
        os.utime(elsewhere / "routes", (future, future))
        assert mail.inject("b@far.example").returncode == 0
        sink.wait(2)
        mail.wait_empty()
    finally:
        sink.close()
