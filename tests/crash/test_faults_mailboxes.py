"""Every system call of maildir2mbox and mbox2maildir in turn fails, or is its last.

Whatever happens, each message is in one of both places, whole, and running the
program again moves what is left. Success leaves no second copy.
"""
import os
import subprocess

import pytest

from crashlib import BIN, ERRNOS, KILL, Home, body_of, complain, sweep_points

MESSAGES = [body_of(b"one", 3000), body_of(b"two", 90000), body_of(b"three", 10)]


def quoted(message):
    return b"\n".join(b">" + line if line.lstrip(b">").startswith(b"From ") else line
                      for line in message.split(b"\n"))


class Boxes(Home):
    def __init__(self, path, program):
        super().__init__(path)
        self.program = program
        self.maildir = os.path.join(self.path, "Maildir")
        self.mail = os.path.join(self.path, "Mailbox")
        for sub in ("", "/tmp", "/new", "/cur"):
            os.mkdir(self.maildir + sub)
        if program == "mbox2maildir":
            with open(self.mail, "wb") as f:
                for message in MESSAGES:
                    f.write(b"From x\n" + quoted(message) + b"\n")
        else:
            for number, message in enumerate(MESSAGES):
                with open(self.maildir + "/new/%d" % number, "wb") as f:
                    f.write(message)

    def run(self, fault=None):
        env = self.env(fault)
        env.update(MAILDIR=self.maildir, MAIL=self.mail, MAILTMP=self.mail + ".tmp")
        return subprocess.run([os.path.join(BIN, self.program)], env=env, timeout=300,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def shown(self):
        return [open(self.maildir + "/new/" + name, "rb").read()
                for name in os.listdir(self.maildir + "/new")]

    def mbox(self):
        if not os.path.exists(self.mail):
            return b""
        with open(self.mail, "rb") as f:
            return f.read()

    def check(self, with_copies):
        """What is wrong, or None."""
        shown, mbox = self.shown(), self.mbox()
        for message in MESSAGES:
            count = shown.count(message) + mbox.count(b"\n" + quoted(message) + b"\n")
            if count == 0:
                return "a message is lost"
            if count > 1 and not with_copies:
                return "a message is there %d times" % count
        if any(message not in MESSAGES for message in shown):
            return "the maildir shows a part of a message"
        if mbox and not mbox.endswith(b"\n\n"):
            return "the mbox ends with a part of a message"
        return None

    def is_moved(self):
        return not self.shown() if self.program == "maildir2mbox" else not self.mbox()


def sweep(tmp_path, program, kind, name, error):
    box = Boxes(tmp_path / "count", program)
    count_file = os.path.join(box.path, "count")
    done = box.run((program, kind, 0, 1, count_file))
    assert done.returncode == 0, done.stdout
    assert box.is_moved() and box.check(False) is None
    with open(count_file) as f:
        count = max(int(line) for line in f)
    assert count > 5
    failures = []
    for at in sweep_points(count, 1):
        box = Boxes(tmp_path / ("at-%d" % at), program)
        code = box.run((program, kind, at, error, None)).returncode
        wrong = box.check(with_copies=code != 0)
        if code not in (0, 111) and code >= 0:
            wrong = "exit %d: a failed system call is temporary" % code
        if code == 0 and not box.is_moved():
            wrong = "success, but messages are left"
        if not wrong and box.run().returncode != 0:
            wrong = "it does not work again"
        if not wrong and not box.is_moved():
            wrong = "the second run leaves messages"
        wrong = wrong or box.check(with_copies=code != 0)
        if wrong:
            failures.append("%s, call %d with %s: %s" % (program, at, name, wrong))
    complain(failures)


@pytest.mark.parametrize("program", ["maildir2mbox", "mbox2maildir"])
@pytest.mark.parametrize("name", ["ENOSPC", "EIO", "EMFILE", "ENOMEM"])
def test_each_call_fails(tmp_path, program, name):
    sweep(tmp_path, program, "mem" if name == "ENOMEM" else "io", name, ERRNOS[name])


@pytest.mark.parametrize("program", ["maildir2mbox", "mbox2maildir"])
def test_each_call_is_the_last(tmp_path, program):
    sweep(tmp_path, program, "io", "SIGKILL", KILL)
