"""Every system call of a one-shot qmail-local in turn fails, or is its last.

Success means that the message is there, whole, and durable calls were made;
failure is temporary; a Maildir never shows a part of a message.
"""
import os
import subprocess

import pytest

from crashlib import BIN, ERRNOS, KILL, Home, body_of, complain, sweep_points

QUEUE = """#!/bin/sh
cat >"$STORE/message.part" || exit 53
cat <&1 >"$STORE/envelope.part" || exit 53
mv "$STORE/message.part" "$STORE/message" && mv "$STORE/envelope.part" "$STORE/envelope"
"""
DELIVERED = b"Return-Path: <s@x.example>\nDelivered-To: joe@h.example\n"


class Mailbox(Home):
    def __init__(self, path, instruction):
        super().__init__(path)
        self.user = os.path.join(self.path, "joe")
        os.mkdir(self.user, 0o755)
        for sub in ("", "/tmp", "/new", "/cur"):
            os.mkdir(self.user + "/Maildir" + sub, 0o700)
        self.write("joe/.qmail", instruction)
        self.write("store", QUEUE)
        os.chmod(os.path.join(self.path, "store"), 0o755)

    def deliver(self, message, fault):
        env = self.env(fault)
        env["QMAILQUEUE"] = os.path.join(self.path, "store")
        env["STORE"] = self.path
        with open(os.path.join(self.path, "message.in"), "wb") as f:
            f.write(message)
        with open(os.path.join(self.path, "message.in"), "rb") as f:
            done = subprocess.run(
                [os.path.join(BIN, "qmail-local"), "--", "joe", self.user, "joe", "", "",
                 "h.example", "s@x.example", "./Mailbox"],
                stdin=f, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=env, timeout=300)
        return done.returncode, done.stdout

    def read(self, name):
        try:
            with open(os.path.join(self.path, name), "rb") as f:
                return f.read()
        except FileNotFoundError:
            return None


def check_maildir(box, message, code):
    new = os.listdir(box.user + "/Maildir/new")
    whole = [box.read("joe/Maildir/new/" + name) == DELIVERED + message for name in new]
    if not all(whole) or len(new) > 1:
        return "a Maildir shows %d files, whole: %s" % (len(new), whole)
    if code == 0 and len(new) != 1:
        return "success without a message"
    return None


def check_mbox(box, message, code):
    mbox = box.read("joe/Mailbox") or b""
    if code == 0 and not (mbox.startswith(b"From s@x.example ") and mbox.endswith(b"\n\n") and
                          message.split(b"\n", 1)[0] in mbox):
        return "success without a message"
    if code == 111 and mbox not in (b"",) and not mbox.endswith(b"\n\n"):
        return "an mbox was left with a part of a message"
    return None


def check_forward(box, message, code):
    if code == 0 and (box.read("message") is None or not box.read("message").endswith(message) or
                      box.read("envelope") != b"Fs@x.example\0Tfwd@y.example\0\0"):
        return "success without a forward"
    return None


CASES = {"maildir": ("./Maildir/\n", check_maildir),
         "mbox": ("./Mailbox\n", check_mbox),
         "forward": ("&fwd@y.example\n", check_forward)}


def sweep(tmp_path, case, kind, name, error, stride):
    instruction, check = CASES[case]
    message = body_of(b"whole", 9000)
    box = Mailbox(tmp_path / "count", instruction)
    count_file = os.path.join(box.path, "count")
    code, output = box.deliver(message, ("qmail-local", kind, 0, 1, count_file))
    assert code == 0, output
    with open(count_file) as f:
        count = max(int(line) for line in f)
    assert count > 5
    failures = []
    for at in sweep_points(count, stride):
        box = Mailbox(tmp_path / ("at-%d" % at), instruction)
        code, output = box.deliver(message, ("qmail-local", kind, at, error, None))
        wrong = check(box, message, code)
        if code not in (0, 111) and code >= 0:
            wrong = "exit %d: a failed system call is temporary: %r" % (code, output)
        if wrong:
            failures.append("%s, call %d with %s: %s" % (case, at, name, wrong))
    print("%d calls counted" % count)
    complain(failures)


@pytest.mark.parametrize("case", sorted(CASES))
@pytest.mark.parametrize("name", ["ENOSPC", "EIO", "EMFILE", "ENOMEM"])
def test_each_call_fails(tmp_path, case, name):
    sweep(tmp_path, case, "mem" if name == "ENOMEM" else "io", name, ERRNOS[name], 1)


@pytest.mark.parametrize("case", sorted(CASES))
def test_each_call_is_the_last(tmp_path, case):
    sweep(tmp_path, case, "io", "SIGKILL", KILL, 1)
