"""sendmail: its options, and what it becomes. The programs of the home are
scripts that print their arguments and environment."""

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[2]
BIN = Path(os.environ.get("CQMAIL_BIN", REPO / "bin")).resolve()
AUTHOR = ("QMAILUSER", "QMAILHOST", "QMAILNAME", "MAILNAME", "NAME",
          "MAILHOST", "MAILUSER", "USER")


class Sendmail:
    def __init__(self, path):
        self.path = path
        (path / "home/bin").mkdir(parents=True)
        for name in ("qmail-inject", "qmail-smtpd", "qmail-qread"):
            script = path / "home/bin" / name
            script.write_text(
                f"#!{sys.executable}\nimport json, os, sys\n"
                f"print(json.dumps([{name!r}, sys.argv[1:], dict(os.environ),"
                " os.getcwd(), sys.stdin.read()]))\nsys.exit(7)\n")
            script.chmod(0o755)

    def run(self, *args, env=None, name="sendmail"):
        program = BIN / "sendmail"
        if name != "sendmail":
            (self.path / name).symlink_to(program)
            program = self.path / name
        full = {"PATH": "/usr/bin:/bin", "QMAILHOME": str(self.path / "home")}
        if "ASAN_OPTIONS" in os.environ:
            full["ASAN_OPTIONS"] = os.environ["ASAN_OPTIONS"]
        full.update(env or {})
        return subprocess.run([program, *args], input=b"the input", env=full,
                              capture_output=True, timeout=60, cwd=self.path)

    def became(self, *args, env=None, name="sendmail"):
        """(program, arguments, environment) that sendmail turned into."""
        done = self.run(*args, env=env, name=name)
        assert (done.returncode, done.stderr) == (7, b"")
        program, argv, environ, cwd, read = json.loads(done.stdout)
        assert (cwd, read) == (str(self.path), "the input")
        return program, argv, environ


@pytest.fixture
def sendmail(tmp_path):
    return Sendmail(tmp_path)


ARGUMENTS = [
    ([], ["-a", "--"]),
    (["a@b", "c"], ["-a", "--", "a@b", "c"]),
    (["-t"], ["-H", "--"]),
    (["-t", "a"], ["-H", "--", "a"]),
    (["-ti", "-oi", "a"], ["-H", "--", "a"]),
    (["-f", "s@h", "a"], ["-a", "-f", "s@h", "--", "a"]),
    (["-fs@h", "a"], ["-a", "-f", "s@h", "--", "a"]),
    (["-f", "", "a"], ["-a", "-f", "", "--", "a"]),
    (["-f", "<>", "a"], ["-a", "-f", "<>", "--", "a"]),
    (["-r", "s@h", "a"], ["-a", "-f", "s@h", "--", "a"]),
    (["-f", "1@h", "-f", "2@h"], ["-a", "-f", "2@h", "--"]),
    (["-itf", "s@h", "a"], ["-H", "-f", "s@h", "--", "a"]),
    (["-bm", "a"], ["-a", "--", "a"]),
    (["-b", "m", "a"], ["-a", "--", "a"]),
    (["-F", "N N", "a"], ["-a", "--", "a"]),
    (["-i", "-v", "-m", "-x", "a"], ["-a", "--", "a"]),
    (["-e", "q", "-em", "-o", "i", "-oem", "a"], ["-a", "--", "a"]),
    (["-B", "8BITMIME", "-B7BIT", "-p", "x:y", "a"], ["-a", "--", "a"]),
    (["-Eanything", "-Janything", "-E", "-J", "a"], ["-a", "--", "a"]),
    (["-N", "failure,delay", "-Nnever", "-R", "hdrs", "-V", "id", "a"],
     ["-a", "--", "a"]),
    (["-G", "-U", "-n", "-L", "tag", "-O", "Timeout=1", "-OX=y", "a"],
     ["-a", "--", "a"]),
    (["-X", "/dev/null", "-h", "5", "a"], ["-a", "--", "a"]),
    (["-q", "-q15m", "-qp30s", "-Ac", "-Am", "-A", "a"], ["-a", "--", "a"]),
    (["--", "-t"], ["-a", "--", "-t"]),
    (["a", "-t"], ["-a", "--", "a", "-t"]),
    (["-t", "-"], ["-H", "--", "-"]),
]


@pytest.mark.parametrize("args, want", ARGUMENTS,
                         ids=[shlex.join(row[0]) or "none" for row in ARGUMENTS])
def test_arguments(sendmail, args, want):
    program, argv, _ = sendmail.became(*args)
    assert (program, argv) == ("qmail-inject", want)


FULL = {"QMAILUSER": "qu", "QMAILHOST": "qh", "QMAILNAME": "qn",
        "MAILNAME": "mn", "NAME": "n", "MAILHOST": "mh", "MAILUSER": "mu",
        "USER": "u"}


AUTHORS = [
    ([], FULL),
    (["-F", "The Name"], {**FULL, "MAILNAME": "The Name"}),
    (["-f", "s@h.x"], {"QMAILUSER": "s", "QMAILHOST": "h.x",
                       "MAILUSER": "mu", "USER": "u"}),
    (["-f", "a@b@c"], {"QMAILUSER": "a@b", "QMAILHOST": "c",
                       "MAILUSER": "mu", "USER": "u"}),
    (["-f", "s"], {"QMAILUSER": "s", "MAILUSER": "mu", "USER": "u"}),
    (["-f", ""], {"QMAILUSER": "", "MAILUSER": "mu", "USER": "u"}),
    (["-f", "<>"], {"QMAILUSER": "", "MAILUSER": "mu", "USER": "u"}),
    (["-F", "The Name", "-f", "s@h"], {"QMAILUSER": "s", "QMAILHOST": "h",
                                       "MAILUSER": "mu", "USER": "u"}),
    (["-f", "s@h", "-F", "The Name"], {"QMAILUSER": "s", "QMAILHOST": "h",
                                       "MAILUSER": "mu", "USER": "u"}),
]


@pytest.mark.parametrize("args, want", AUTHORS,
                         ids=[shlex.join(row[0]) or "none" for row in AUTHORS])
def test_author(sendmail, args, want):
    _, _, env = sendmail.became(*args, env=FULL)
    assert {k: v for k, v in env.items() if k in AUTHOR} == want


SMTP = {"RELAYCLIENT": "", "DATABYTES": "0", "PROTO": "TCP",
        "TCPLOCALIP": "127.0.0.1", "TCPLOCALHOST": "localhost",
        "TCPREMOTEIP": "127.0.0.1", "TCPREMOTEHOST": "localhost",
        "TCPREMOTEINFO": "sendmail-bs"}


@pytest.mark.parametrize("args", [["-bs"], ["-b", "s"], ["-bs", "-i", "x"]])
def test_smtp_session(sendmail, args):
    program, argv, env = sendmail.became(*args, env={"DATABYTES": "9"})
    assert (program, argv) == ("qmail-smtpd", [])
    assert {k: env.get(k) for k in SMTP} == SMTP


def test_smtp_session_under_a_server_keeps_its_environment(sendmail):
    program, _, env = sendmail.became("-bs", env={"PROTO": "TCP6"})
    assert program == "qmail-smtpd"
    assert {k: env[k] for k in SMTP if k in env} == {"PROTO": "TCP6"}


@pytest.mark.parametrize("args, name", [
    (["-bp"], "sendmail"), ([], "mailq"), (["-v"], "mailq")])
def test_queue_listing(sendmail, args, name):
    assert sendmail.became(*args, name=name)[:2] == ("qmail-qread", [])


@pytest.mark.parametrize("args", [
    ["-q"], ["-q30m"], ["-qRexample.org"], ["-Ac", "-q", "-v"], ["-bm", "-q"]])
def test_queue_run_takes_no_message(sendmail, args):
    done = sendmail.run(*args)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_queue_run_beside_a_message(sendmail):
    assert sendmail.became("-q", "-t")[:2] == ("qmail-inject", ["-H", "--"])


@pytest.mark.parametrize("args, words", [
    (["-bd"], b"-bd: mail comes in through tcpserver"),
    (["-bd", "-q15m"], b"-bd: "),
    (["-bi"], b"-bi: there is no aliases database"),
    (["-bv", "a@b"], b"-bv: addresses are not verified")])
def test_refusals_say_why(sendmail, args, words):
    done = sendmail.run(*args)
    assert (done.returncode, done.stdout) == (100, b"")
    assert done.stderr.startswith(b"sendmail: fatal: " + words)


@pytest.mark.parametrize("args", [
    ["-bd"], ["-bi"], ["-bv", "a"], ["-bt"], ["-bD"], ["-bz"], ["-b"], ["-f"],
    ["-F"], ["-z"], ["-iz"], ["-o"], ["-w", "a"]])
def test_wrong_usage(sendmail, args):
    done = sendmail.run(*args)
    assert done.returncode == 100
    assert done.stdout == b""
    assert done.stderr.startswith(b"sendmail: fatal: ")
    assert done.stderr.count(b"\n") == 1


def test_newaliases_is_refused(sendmail):
    done = sendmail.run(name="newaliases")
    assert done.returncode == 100
    assert b"aliases" in done.stderr


def test_program_that_is_not_there_is_temporary(sendmail):
    (sendmail.path / "home/bin/qmail-inject").unlink()
    done = sendmail.run("a")
    assert done.returncode == 111
    assert done.stderr.startswith(b"sendmail: fatal: unable to run ")


@pytest.mark.parametrize("args, want", [
    (["-f", "", "-n", "x@y.z"], (b"<>", b'""@dh.example')),
    (["-f", "a b@c.d", "-F", "N", "x@y.z"], (b'<"a b"@c.d>', b'"a b"@c.d')),
    (["-F", "N N", "x@y.z"], (b"<u@dh.example>", b'"N N" <u@dh.example>')),
])
def test_with_the_real_qmail_inject(sendmail, args, want):
    """Sender and author as they reach the queue."""
    home = sendmail.path / "home"
    (home / "bin/qmail-inject").unlink()
    shutil.copy(BIN / "qmail-inject", home / "bin")
    (home / "control").mkdir()
    (home / "control/me").write_text("dh.example\n")
    queue = sendmail.path / "queue"
    queue.write_text(f"#!/bin/sh\ncat >{sendmail.path}/message\n"
                     f"cat <&1 >{sendmail.path}/envelope\n")
    queue.chmod(0o755)
    done = sendmail.run(*args, env={"USER": "u", "QMAILQUEUE": str(queue)})
    assert (done.returncode, done.stderr) == (0, b"")
    message = (sendmail.path / "message").read_bytes()
    assert b"\nFrom: " + want[1] + b"\n" in message
    sender = (sendmail.path / "envelope").read_bytes().split(b"\0")[0][1:]
    assert sender == want[0][1:-1].replace(b'"', b"")
