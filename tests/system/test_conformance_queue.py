"""qmail-queue as its callers see it: order of reading, signals, the number in
the Received line; and how its callers let go of a program in its place."""

import array
import fcntl
import os
import re
import shutil
import signal
import subprocess
import termios

import lib
import pytest
from queue_lab import Message, ids
from servers import Conversation, Queue

IGNORED = ("HUP", "INT", "QUIT", "PIPE", "VTALRM", "PROF", "XCPU", "XFSZ")


class Started:
    """A qmail-queue that waits for its message and its envelope."""

    def __init__(self, home, *args, program=(), before=None, drop=True):
        message, self.message = os.pipe()
        envelope, self.envelope = os.pipe()
        self.envelope_read = os.dup(envelope)
        self.process = subprocess.Popen(
            [*program, home.bin / "qmail-queue", *args], stdin=message,
            stdout=envelope, stderr=subprocess.PIPE, env=home.env(),
            preexec_fn=before, **(lib.as_user() if drop else {}))
        os.close(message)
        os.close(envelope)

    def unread(self, fd):
        count = array.array("i", [0])
        fcntl.ioctl(fd, termios.FIONREAD, count)
        return count[0]

    def wait_read(self):
        """A byte of the message was read: so it is at work."""
        os.write(self.message, b"x")
        lib.wait_until(lambda: self.unread(self.message) == 0)

    def end(self, envelope=b"Fs\0Tr\0\0"):
        for fd, data in ((self.message, b"\n"), (self.envelope, envelope)):
            os.write(fd, data)
            os.close(fd)
        os.close(self.envelope_read)
        assert self.process.communicate(timeout=lib.TIMEOUT_S)[1] == b""
        return self.process.returncode


def masks_of(pid):
    """{name: bits} of the signal masks in /proc."""
    status = open(f"/proc/{pid}/status").read()
    return {k: int(v, 16) for k, v in re.findall(r"Sig(\w+):\s*([0-9a-f]+)", status)}


@pytest.fixture
def queue(home):
    home.start_queued()
    return lambda *args, **more: Started(home, *args, **more)


def test_arguments_are_not_looked_at(home, queue):
    assert queue("-x", "other").end() == 0
    assert len(ids(home)) == 1


def test_the_message_is_read_before_the_envelope(home, queue):
    one = queue()
    os.write(one.envelope, b"Fs\0Tr\0\0")
    one.wait_read()
    assert one.unread(one.envelope_read) == 7
    assert one.process.poll() is None
    assert one.end(b"") == 0
    assert len(ids(home)) == 1


def test_a_sender_of_1002_bytes(home, queue):
    assert queue().end(b"F" + b"s" * 1002 + b"\0\0") == 0
    (ident,) = ids(home)
    assert Message(home, ident).sender == b"s" * 1002


def test_the_number_is_that_of_the_process(home, queue):
    one = queue()
    assert one.end() == 0
    (ident,) = ids(home)
    assert Message(home, ident).received.startswith(
        b"Received: (qmail %d invoked by uid %d); " % (
            one.process.pid, home.user.pw_uid))


def test_signals(home, queue):
    one = queue(before=lambda: signal.pthread_sigmask(
        signal.SIG_BLOCK, signal.valid_signals()))
    one.wait_read()
    masks = masks_of(one.process.pid)
    for name in IGNORED:
        number = getattr(signal, "SIG" + name)
        assert masks["Ign"] >> (number - 1) & 1, name
    assert not masks["Ign"] >> (signal.SIGTERM - 1) & 1
    assert masks["Blk"] == 0
    for name in IGNORED:
        one.process.send_signal(getattr(signal, "SIG" + name))
    assert one.end() == 0


def test_it_ends_after_a_day(home, queue):
    trace = home.base / "trace"
    one = queue(program=[shutil.which("strace"), "-f", "-o", trace, "-e",
                         "trace=alarm,setitimer"], drop=False)
    one.wait_read()
    assert re.search(r"alarm\(86400\)|it_value=\{tv_sec=86400,", trace.read_text())
    assert one.end() == 0
    one = queue()
    one.wait_read()
    one.process.send_signal(signal.SIGALRM)
    assert one.process.wait(lib.TIMEOUT_S) == 52
    assert len(ids(home)) == 1


@pytest.mark.parametrize("body, whole", [
    (b"1234567890\r\n.\r\n", True),
    (b"x" * 2000 + b"\r\n.\r\n", False),  # more than databytes
    (b"Received: x\r\n" * 100 + b".\r\n", False),  # a loop, and too large
    (b"123\r\n", False),  # and the client goes
])
def test_how_a_caller_lets_go(home, body, whole):
    home.write_control("databytes", "1000\n")
    queue = Queue(home)
    with Conversation(home, "qmail-smtpd", env={
            "QMAILQUEUE": queue.program, "RELAYCLIENT": ""}) as one:
        one.send(b"MAIL FROM:<s@x>\r\nRCPT TO:<r@y>\r\nDATA\r\n" + body)
        one.rest()
        one.process.wait(lib.TIMEOUT_S)
    lib.wait_until(lambda: len(list(queue.dir.glob("*.env")))
                   == len(list(queue.dir.glob("*.mess"))))
    ends = [path.read_bytes()[-2:] for path in queue.dir.glob("*.env")]
    assert [end == b"\0\0" for end in ends] in ([[True]] if whole else [[], [False]])
