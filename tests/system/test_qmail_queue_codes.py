"""qmail-queue: its interface and its exit codes; and programs in its place."""

import os
import socket
import stat
import subprocess
import tempfile
import threading
import time

import pytest

from lib import TIMEOUT_S, as_user, wait_until
from queue_lab import Message, ids, read_verdict


def envelope(sender=b"s@x", recipients=(b"r@y",)):
    return b"F" + sender + b"\0" + b"".join(b"T" + r + b"\0" for r in recipients) + b"\0"


def test_a_message_is_queued(home):
    home.start_queued()
    ended = home.queue_raw(b"Subject: x\n\nbody\xff\0\n", envelope(b"s@x", [b"a@b", b"", b"c"]))
    assert (ended.returncode, ended.stderr) == (0, b"")
    (ident,) = ids(home)
    m = Message(home, ident)
    assert m.body == b"Subject: x\n\nbody\xff\0\n"
    assert (m.sender, m.recipients) == (b"s@x", [b"a@b", b"", b"c"])
    # the number is that of the process, which is all its caller knows
    assert m.values["p"] != b"%d" % ident
    assert m.received.startswith(b"Received: (qmail %s invoked by uid %d); " %
                                 (m.values["p"], home.user.pw_uid))


EXIT_CODES = [
    ("the null sender", b"x", b"F\0Tr\0\0", 0),
    ("no recipient", b"x", b"Fs\0\0", 0),
    ("bytes behind the end", b"x", b"Fs\0Tr\0\0garbage", 0),
    ("an empty message", b"", b"Fs\0Tr\0\0", 0),
    ("no envelope", b"x", b"", 54),
    ("an envelope cut in the sender", b"x", b"Fs", 54),
    ("an envelope cut before the end", b"x", b"Fs\0Tr\0", 54),
    ("a wrong letter", b"x", b"Xs\0Tr\0\0", 91),
    ("two senders", b"x", b"Fs\0Fs\0\0", 91),
    ("1002 bytes of recipient", b"x", b"Fs\0T" + b"r" * 1002 + b"\0\0", 0),
    ("1003 bytes of recipient", b"x", b"Fs\0T" + b"r" * 1003 + b"\0\0", 11),
    ("1003 bytes of sender", b"x", b"F" + b"r" * 1003 + b"\0\0", 11),
    ("a wrong letter after a large message", b"x" * 300000, b"Fs\0Z", 91),
]


@pytest.mark.parametrize("what, message, envelope_bytes, want", EXIT_CODES,
                         ids=[row[0] for row in EXIT_CODES])
def test_exit_codes(home, what, message, envelope_bytes, want):
    home.start_queued()
    ended = home.queue_raw(message, envelope_bytes)
    assert (ended.returncode, ended.stdout, ended.stderr) == (want, None, b""), what
    assert len(ids(home)) == (want == 0)


def test_closed_descriptors(home):
    home.start_queued()
    for fd in (0, 1):
        with tempfile.TemporaryFile() as file:
            ended = subprocess.run(
                [str(home.bin / "qmail-queue")], stdin=file, stdout=file, env=home.env(),
                preexec_fn=lambda: os.close(fd), **as_user())
        assert ended.returncode == 54
    assert ids(home) == set()


def test_ten_thousand_recipients(home):
    home.start_queued()
    many = [b"r%d@example.org" % i for i in range(10000)]
    assert home.queue_raw(b"x\n", envelope(b"s", many)).returncode == 0
    (ident,) = ids(home)
    assert Message(home, ident).recipients == many


def test_no_home(home):
    ended = home.queue_raw(b"x", envelope(), env={"QMAILHOME": "/nonexistent"})
    assert ended.returncode == 61


def test_no_daemon(home):
    """It is waited for, but not for ever."""
    before = time.monotonic()
    assert home.queue_raw(b"x", envelope()).returncode == 66
    assert time.monotonic() - before > 8


def test_a_restart_is_not_noticed(home):
    home.start_queued()  # the first start takes longer: it makes the journal

    def during_a_restart():
        home.daemons["queued"].end()
        codes, begun = [], time.monotonic()
        waiting = threading.Thread(
            target=lambda: codes.append(home.queue_raw(b"x\n", envelope()).returncode))
        waiting.start()
        waiting.join(0.5)
        home.start_queued()
        took_s = time.monotonic() - begun
        waiting.join()
        # it waits ten seconds, and this machine may have needed them
        assert codes == [0] or took_s > 5
        return codes == [0]

    wait_until(during_a_restart)
    assert len(ids(home)) == 1


class FakeDaemon:
    """Listens on submit.sock and does with each client as it is told."""

    def __init__(self, home, *plans):
        path = str(home.home / "run/submit.sock")
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        os.chmod(path, 0o666)
        self.listener.listen()
        self.plans = plans
        self.seen = []
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        for plan in self.plans:
            client = self.listener.accept()[0]
            data = b""
            while plan != "close" and not data.endswith(b"1:.,"):
                got = client.recv(65536)
                if not got:
                    break
                data += got
            self.seen.append(data)
            if isinstance(plan, bytes):
                client.sendall(plan)
            client.close()
        self.listener.close()


@pytest.mark.parametrize("reply, want", [
    (b"2:K7,", 0), (b"3:E11,", 11), (b"3:E51,", 51), (b"3:E53,", 53), (b"", 53),
    (b"2:E0,", 81), (b"4:E999,", 81), (b"1:K,", 81), (b"garbage", 81), (b"3:Z11,", 81),
    (b"2:Kx,", 81),
])
def test_what_the_daemon_says(home, reply, want):
    daemon = FakeDaemon(home, reply)
    assert home.queue_raw(b"x\n", envelope()).returncode == want
    daemon.thread.join()
    number, _, rest = daemon.seen[0].partition(b",")
    assert number.split(b":P")[1].isdigit()
    assert rest == b"3:Mx\n,4:Fs@x,4:Tr@y,1:.,"


def test_a_message_that_was_heard_is_not_sent_twice(home):
    """The daemon may have it: only the caller can decide to try again."""
    daemon = FakeDaemon(home, b"")
    assert home.queue_raw(b"x\n", envelope()).returncode == 53
    daemon.thread.join()
    assert len(daemon.seen) == 1


def test_large_messages_come_in_pieces(home):
    daemon = FakeDaemon(home, b"2:K7,")
    assert home.queue_raw(b"0123456789" * 20000, envelope()).returncode == 0
    daemon.thread.join()
    data, body = daemon.seen[0], b""
    while data:
        size, _, rest = data.partition(b":")
        piece = rest[:int(size)]
        assert len(piece) <= 65537 and rest[int(size):int(size) + 1] == b","
        if piece[:1] == b"M":
            body += piece[1:]
        data = rest[int(size) + 1:]
    assert body == b"0123456789" * 20000


def test_the_signal_to_end_queues_nothing(home):
    home.start_queued()
    read_end, write_end = os.pipe()
    process = subprocess.Popen([str(home.bin / "qmail-queue")], stdin=read_end,
                               stdout=read_end, env=home.env(), **as_user())
    os.close(read_end)
    os.write(write_end, b"x" * 60000)
    process.terminate()
    assert process.wait(TIMEOUT_S) == -15
    os.close(write_end)
    assert ids(home) == set()


# ---- programs in its place ---------------------------------------------------

def script(home, text):
    path = home.base / "instead"
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(0o755)
    return str(path)


def inject(home, program):
    return home.run("qmail-inject", "-a", "-f", "s@x.example", "r@y.example", input=b"Subject: x\n\nb\n",
                    env={"QMAILQUEUE": program})


CODES = [
    (0, 0, ""),
    (11, 100, "envelope address too long for qq (#5.1.3)"),
    (115, 100, "envelope address too long for qq (#5.1.3)"),
    (31, 100, "mail server permanently rejected message (#5.3.0)"),
    (12, 100, "qq permanent problem (#5.3.0)"),
    (32, 100, "qq permanent problem (#5.3.0)"),
    (33, 100, "qq permanent problem (#5.3.0)"),
    (34, 100, "qq permanent problem (#5.3.0)"),
    (40, 100, "qq permanent problem (#5.3.0)"),
    (41, 111, "qq temporary problem (#4.3.0)"),
    (51, 111, "qq out of memory (#4.3.0)"),
    (52, 111, "qq timeout (#4.3.0)"),
    (53, 111, "qq write error or disk full (#4.3.0)"),
    (54, 111, "qq read error (#4.3.0)"),
    (55, 111, "qq unable to read configuration (#4.3.0)"),
    (56, 111, "qq trouble making network connection (#4.3.0)"),
    (61, 111, "qq trouble in home directory (#4.3.0)"),
    (62, 111, "qq trouble creating files in queue (#4.3.0)"),
    (63, 111, "qq trouble creating files in queue (#4.3.0)"),
    (64, 111, "qq trouble creating files in queue (#4.3.0)"),
    (65, 111, "qq trouble creating files in queue (#4.3.0)"),
    (66, 111, "qq trouble creating files in queue (#4.3.0)"),
    (71, 111, "mail server temporarily rejected message (#4.3.0)"),
    (72, 111, "connection to mail server timed out (#4.4.1)"),
    (73, 111, "connection to mail server rejected (#4.4.1)"),
    (74, 111, "communication with mail server failed (#4.4.2)"),
    (81, 111, "qq internal bug (#4.3.0)"),
    (91, 111, "qq internal bug (#4.3.0)"),
    (58, 111, "qq temporary problem (#4.3.0)"),
    (59, 111, "qq temporary problem (#4.3.0)"),
    (70, 111, "qq temporary problem (#4.3.0)"),
    (120, 111, "unable to exec qq (#4.3.0)"),
    (122, 111, "qq temporary problem (#4.3.0)"),
    (123, 111, "qq temporary problem (#4.3.0)"),
    (1, 111, "qq temporary problem (#4.3.0)"),
    (100, 111, "qq temporary problem (#4.3.0)"),
    (111, 111, "qq temporary problem (#4.3.0)"),
]


@pytest.mark.parametrize("code, want, text", CODES, ids=[row[0] for row in CODES])
def test_codes_of_another_program(home, code, want, text):
    ended = inject(home, script(home, "cat >/dev/null; cat <&1 >/dev/null; exit %d\n" % code))
    assert ended.returncode == want
    assert ended.stderr.decode() == ("qmail-inject: fatal: %s\n" % text if text else "")


WORDS = [
    ("Dno spam please (#5.7.1)", 100, "no spam please (#5.7.1)"),
    ("Zlater", 111, "later"),
    ("?odd", 111, "odd"),
    ("two\\nlines\\r\\n", 111, "wo lines"),
    ("D" + "x" * 300, 100, "x" * 254),
    ("", 111, "qq temporary problem (#4.3.0)"),
    ("D", 111, "qq temporary problem (#4.3.0)"),
    ("DX", 111, "qq temporary problem (#4.3.0)"),
]


@pytest.mark.parametrize("fd", [4, 6])
@pytest.mark.parametrize("code", [82, 88])
@pytest.mark.parametrize("words, want, text", WORDS,
                         ids=[row[0][:20] or "none" for row in WORDS])
def test_custom_words(home, fd, code, words, want, text):
    ended = inject(home, script(
        home, "cat >/dev/null; cat <&1 >/dev/null; printf '%s' >&%d; exit %d\n" % (words, fd, code)))
    assert ended.stderr.decode() == "qmail-inject: fatal: %s\n" % text
    assert ended.returncode == want


def test_a_program_that_crashes(home):
    ended = inject(home, script(home, "kill -9 $$\n"))
    assert ended.stderr == b"qmail-inject: fatal: qq crashed (#4.3.0)\n"
    assert ended.returncode == 111


def test_a_program_that_is_not_there(home):
    ended = inject(home, "/nonexistent/program")
    assert ended.stderr == b"qmail-inject: fatal: unable to exec qq (#4.3.0)\n"
    assert ended.returncode == 111


def test_what_the_program_gets(home):
    out = home.base / "out"
    out.mkdir()
    out.chmod(0o777)
    path = script(home, "cat >%s/message; cat <&1 >%s/envelope; echo \"$0 $#\" >%s/args; "
                  "pwd >%s/where; ls /proc/self/fd >%s/fds\n" % ((out,) * 5))
    assert inject(home, path).returncode == 0
    assert (out / "message").read_bytes().endswith(b"\n\nb\n")
    assert (out / "envelope").read_bytes() == b"Fs@x.example\0Tr@y.example\0\0"
    assert (out / "args").read_text() == "%s 0\n" % path
    assert (out / "where").read_text() == "%s\n" % home.home
    assert set((out / "fds").read_text().split()) <= set("0 1 2 3 4 6".split()) | {"5"}
    assert stat.S_ISREG((out / "message").stat().st_mode)


def test_a_program_that_succeeds_without_reading_everything(home):
    """A success that cannot be meant: part of the message was never read."""
    ended = home.run("qmail-inject", "-a", "-f", "s@x.example", "r@y.example",
                     input=b"Subject: x\n\n" + b"b\n" * 300000,
                     env={"QMAILQUEUE": script(home, "exit 0\n")})
    assert ended.stderr == b"qmail-inject: fatal: qq read error (#4.3.0)\n"
    assert ended.returncode == 111


def test_something_left_behind_does_not_hold_us_up(home):
    go = home.base / "go"
    stays = f"while test -d {home.base} && ! test -e {go}; do sleep 0.1; done"
    ended = inject(home, script(
        home, f"cat >/dev/null; cat <&1 >/dev/null; env -i sh -c '{stays}' "
        "</dev/null >/dev/null 2>&1 & exit 0\n"))
    assert ended.returncode == 0  # while it is still there
    go.touch()


def test_it_ignores_qmailqueue_itself(home):
    home.start_queued()
    ended = home.queue_raw(b"x\n", envelope(), env={"QMAILQUEUE": "/nonexistent"})
    assert ended.returncode == 0
    assert len(ids(home)) == 1


def test_the_verdict_of_a_whole_conversation(home):
    home.start_queued()
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(str(home.home / "run/submit.sock"))
        sock.sendall(b"3:Mx\n,2:Fs,2:Tr,1:.,")
        assert read_verdict(sock)[:1] == b"K"
        assert sock.recv(1) == b""
    wait_until(lambda: ids(home), what="the message")
