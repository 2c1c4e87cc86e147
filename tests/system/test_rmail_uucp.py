"""rmail: the sender from the From_ lines, bang paths, exit codes."""

import json
import os
import subprocess
import sys

import pytest

import lib

DATE = "Sun Nov 22 18:46:21 2026"
STORE = """#!%s
import json, os, sys
read = sys.stdin.buffer.read()
open(%r, "w").write(json.dumps([sys.argv[1:], read.decode("latin-1")]))
if os.environ.get("CODE") == "kill":
    os.kill(os.getpid(), 9)
sys.exit(int(os.environ.get("CODE", "0")))
"""


class Home:
    def __init__(self, path):
        self.path = path
        self.stored = path / "stored"
        (path / "bin").mkdir()
        script = path / "bin/sendmail"
        script.write_text(STORE % (sys.executable, str(self.stored)))
        script.chmod(0o755)

    def run(self, *args, input="To: x\n\nbody\n", code=0):
        done = subprocess.run(
            [lib.bin_dir() / "rmail", *args], input=input.encode("latin-1"),
            env={**os.environ, "QMAILHOME": str(self.path), "CODE": str(code)},
            capture_output=True, timeout=lib.TIMEOUT_S, cwd=self.path)
        return done.returncode, done.stderr

    def took(self):
        return json.loads(self.stored.read_text())


@pytest.fixture
def home(tmp_path):
    return Home(tmp_path)


@pytest.mark.parametrize("lines, sender", [
    (f"From joe {DATE} remote from gate\n", "joe@gate"),
    (f"From uucp {DATE} remote from a\n>From joe {DATE} remote from b\n", "b!joe@a"),
    (f"From joe {DATE}\n", "joe"),
    (f"From joe@x.org {DATE} remote from gate\n", "joe@x.org"),
    (f"From b!joe {DATE} remote from a\n", "b!joe@a"),
    (f"From -oX {DATE}\n", "-oX"),
    (f"From MAILER-DAEMON {DATE} remote from gate\n", ""),
    (f"From <> {DATE} remote from gate\n", ""),
])
def test_sender(home, lines, sender):
    text = "To: x\n\nFrom here on\n"
    assert home.run("joe", input=lines + text) == (0, b"")
    assert home.took() == [["-f", sender, "--", "joe"], text]


def test_no_from_line(home):
    assert home.run("joe") == (0, b"")
    assert home.took() == [["--", "joe"], "To: x\n\nbody\n"]


def test_recipients(home):
    assert home.run("joe", "a!b", "a!b!c", "d@e", "a!d@e", "x y", "-f") == (0, b"")
    assert home.took()[0] == ["--", "joe", "b@a", "b!c@a", "d@e", "a!d@e", "x y", "-f"]


def test_a_recipient_like_an_option(home):
    code, err = home.run("-fx", "joe")
    assert code == 100 and err.startswith(b"rmail: usage: ")
    assert home.run("--", "-fx") == (0, b"")
    assert home.took()[0] == ["--", "-fx"]


@pytest.mark.parametrize("args", [[], ["--"]])
def test_usage(home, args):
    assert home.run(*args)[0] == 100
    assert not home.stored.exists()


def test_big_message_whole(home):
    text = "To: x\n\n" + "0123456789\n" * 200_000
    assert home.run("joe", input=f"From joe {DATE}\n" + text) == (0, b"")
    assert home.took()[1] == text


@pytest.mark.parametrize("lines", [
    "From \nTo: x\n", "From a\0b\nTo: x\n", "From " + "x" * 2000 + "\n",
    "From a b remote from c\n" * 5000])
def test_wrong_lines_are_refused(home, lines):
    code, err = home.run("joe", input=lines)
    assert code == 100 and err.startswith(b"rmail: the ") and err.count(b"\n") == 1
    assert not home.stored.exists()


@pytest.mark.parametrize("code, want", [
    (0, 0), (100, 100), (111, 111),
    (64, 100), (65, 100), (67, 100), (68, 100), (77, 100),
    (1, 111), (66, 111), (69, 111), (70, 111), (71, 111), (72, 111), (73, 111),
    (74, 111), (75, 111), (76, 111), (78, 111), (127, 111), ("kill", 111)])
def test_exit_codes(home, code, want):
    assert home.run("joe", code=code)[0] == want


def test_no_sendmail_is_temporary(home):
    (home.path / "bin/sendmail").unlink()
    code, err = home.run("joe")
    assert code == 111 and err.startswith(b"rmail: cannot run ")


def test_through_the_queue(instance):
    text = f"From joe {DATE} remote from gate.example\nSubject: x\n\nbody\n"
    done = subprocess.run(
        [lib.bin_dir() / "rmail", "test.example!test"], input=text.encode(),
        env=instance.env(), capture_output=True, timeout=lib.TIMEOUT_S,
        **lib.as_user())
    assert (done.returncode, done.stderr) == (0, b"")
    (path,) = instance.wait_maildir("test", 1)
    text = path.read_bytes()
    assert text.startswith(b"Return-Path: <joe@gate.example>\n")
    assert b"\nFrom: joe@gate.example\n" in text
