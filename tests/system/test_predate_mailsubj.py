"""predate, datemail and mailsubj. The programs of the home are scripts that
store their arguments and what they read."""

import calendar
import json
import os
import re
import subprocess
import sys
import time

import pytest

import lib

STORE = """#!%s
import json, os, sys
read = sys.stdin.buffer.read()
open(%r, "w").write(json.dumps([sys.argv, read.decode("latin-1")]))
sys.exit(int(os.environ.get("CODE", "0")))
"""


class Home:
    def __init__(self, path):
        self.path = path
        self.stored = path / "stored"
        (path / "bin").mkdir()
        for name in ("sendmail", "qmail-inject", "other"):
            script = path / "bin" / name
            script.write_text(STORE % (sys.executable, str(self.stored)))
            script.chmod(0o755)

    def run(self, program, *args, input=b"To: x\n\nbody\n", env=None, **more):
        full = {k: v for k, v in os.environ.items() if k != "TZ"}
        full.update(QMAILHOME=str(self.path), **(env or {}))
        done = subprocess.run([lib.bin_dir() / program, *args], input=input,
                              env=full, capture_output=True,
                              timeout=lib.TIMEOUT_S, cwd=self.path, **more)
        return done.returncode, done.stdout, done.stderr

    def took(self):
        """(arguments, input) of the program that ran."""
        return json.loads(self.stored.read_text())


@pytest.fixture
def home(tmp_path):
    return Home(tmp_path)


def check_date(line, zone):
    found = re.fullmatch(
        r"Date: ([1-9]|[123]\d) (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov"
        r"|Dec) (\d{4}) (\d\d):(\d\d):(\d\d) ([-+]\d{4})", line)
    assert found, line
    assert found.group(7) == zone
    when = calendar.timegm(time.strptime(line[6:-6], "%d %b %Y %H:%M:%S"))
    offset = (int(zone[1:3]) * 60 + int(zone[3:])) * 60
    when += offset if zone[0] == "-" else -offset
    assert abs(when - time.time()) < lib.TIMEOUT_S


# ---- predate --------------------------------------------------------------------

@pytest.mark.parametrize("tz, zone", [
    ("UTC0", "+0000"), ("XXX-5:30", "+0530"), ("XXX3:30", "-0330")])
def test_predate(home, tz, zone):
    code, out, err = home.run("predate", str(home.path / "bin/other"), "a b",
                              "-c", env={"TZ": tz})
    assert (code, out, err) == (0, b"", b"")
    args, read = home.took()
    assert args[1:] == ["a b", "-c"]
    date, rest = read.split("\n", 1)
    assert rest == "To: x\n\nbody\n"
    check_date(date, zone)


def test_predate_exits_as_its_program(home):
    for code in (0, 1, 99, 100, 111, 255):
        assert home.run("predate", "sh", "-c", f"exit {code}")[0] == code


def test_predate_finds_its_program_in_path(home):
    path = f"{home.path}/bin:{os.environ['PATH']}"
    assert home.run("predate", "other", env={"PATH": path, "CODE": "7"})[0] == 7


def test_predate_big_message_whole(home):
    body = os.urandom(3_000_000)
    assert home.run("predate", str(home.path / "bin/other"), input=body)[0] == 0
    assert home.took()[1].split("\n", 1)[1].encode("latin-1") == body


def test_predate_program_that_reads_nothing(home):
    assert home.run("predate", "true", input=b"x" * 3_000_000)[0] == 0


def test_predate_usage(home):
    code, out, err = home.run("predate")
    assert code == 100 and err.startswith(b"predate: usage: predate ")


@pytest.mark.parametrize("args", [
    ["/nonexistent/program"], ["no-such-program"], ["/"],
    ["sh", "-c", "kill -9 $$"]])
def test_predate_trouble_is_temporary(home, args):
    code, _, err = home.run("predate", *args)
    assert code == 111 and err.startswith(b"predate: ")


@pytest.mark.parametrize("program", ["predate", "datemail", "mailsubj"])
def test_unreadable_input_sends_nothing(home, program):
    args = {"predate": [str(home.path / "bin/other")], "datemail": [],
            "mailsubj": ["s", "r"]}[program]
    directory = os.open(home.path, os.O_RDONLY)
    done = subprocess.run(
        [lib.bin_dir() / program, *args], stdin=directory, capture_output=True,
        env={**os.environ, "QMAILHOME": str(home.path)}, timeout=lib.TIMEOUT_S)
    os.close(directory)
    assert done.returncode == 111
    assert not home.stored.exists()


# ---- datemail ---------------------------------------------------------------------

def test_datemail(home):
    code, out, err = home.run("datemail", "-t", "-f", "a@b",
                              env={"TZ": "XXX-1", "CODE": "17"})
    assert (code, out, err) == (17, b"", b"")
    args, read = home.took()
    assert args[1:] == ["-t", "-f", "a@b"]
    date, rest = read.split("\n", 1)
    check_date(date, "+0100")
    assert rest == "To: x\n\nbody\n"


def test_datemail_without_sendmail(home):
    (home.path / "bin/sendmail").unlink()
    code, _, err = home.run("datemail", "-t")
    assert code == 111 and err.startswith(b"datemail: cannot run ")


# ---- mailsubj ---------------------------------------------------------------------

@pytest.mark.parametrize("args, want", [
    (["the subject", "joe"], "Subject: the subject\nTo: joe\n\n"),
    (["", "joe", "a@b", "c d"], "Subject: \nTo: joe a@b c d\n\n"),
    (["x\nBcc: y", "joe\r\nCc: z"], "Subject: x Bcc: y\nTo: joe  Cc: z\n\n"),
])
def test_mailsubj(home, args, want):
    code, out, err = home.run("mailsubj", *args, input=b"From x\nbody",
                              env={"CODE": "3"})
    assert (code, out, err) == (3, b"", b"")
    argv, read = home.took()
    assert argv[1:] == []
    assert read == want + "From x\nbody"


@pytest.mark.parametrize("args", [[], ["subject"]])
def test_mailsubj_usage(home, args):
    code, _, err = home.run("mailsubj", *args)
    assert code == 100 and err.startswith(b"mailsubj: usage: ")
    assert not home.stored.exists()


def test_mailsubj_reaches_the_queue(instance):
    done = subprocess.run(
        [lib.bin_dir() / "mailsubj", "hello you", "test"], input=b"the body\n",
        env=instance.env(), capture_output=True, timeout=lib.TIMEOUT_S,
        **lib.as_user())
    assert (done.returncode, done.stderr) == (0, b"")
    (path,) = instance.wait_maildir("test", 1)
    text = path.read_bytes()
    assert b"\nSubject: hello you\nTo: test@test.example\n\nthe body\n" in text
