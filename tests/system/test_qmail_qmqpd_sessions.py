"""qmail-qmqpd: one message, one verdict; Postfix's qmqp-source as a client."""

import re
import shutil
import signal
import subprocess

import pytest
import lib
from framing import ns, qmqp, read_one, split
from servers import Conversation, Queue

ADDRESS = b"51:Dsorry, I can't accept addresses like that (#5.1.3),"
OK = re.compile(rb"Kok [0-9]{10} qp [1-9][0-9]*")
GOOD = qmqp(b"x\n", "s@x", ["a@h"])


@pytest.fixture
def qmqpd(home):
    queue = Queue(home)
    open_ones = []

    def start(**env):
        one = Conversation(home, "qmail-qmqpd",
                           env={"QMAILQUEUE": queue.program, **env})
        open_ones.append(one)
        one.queue = queue
        return one

    yield start
    for one in open_ones:
        one.__exit__()


def stored(message, want):
    first, second, rest = message.split(b"\n", 2)
    assert re.fullmatch(rb"Received: from \S+ \(\S+\)", first)
    assert re.fullmatch(rb"  by \S+ with QMQP; .* -0000", second)
    assert rest == want


# ---- what is taken --------------------------------------------------------------

def test_bytes_of_a_message(qmqpd):
    one = qmqpd()
    one.send(b"36:14:Subject: x\n\nb\n,3:s@x,3:a@h,3:b@h,,")
    assert OK.fullmatch(read_one(one))
    assert one.end() == 0
    sender, recipients, message = one.queue.message
    assert (sender, recipients) == (b"s@x", [b"a@h", b"b@h"])
    stored(message, b"Subject: x\n\nb\n")


def test_a_byte_at_a_time(qmqpd):
    one = qmqpd()
    for byte in qmqp(b"a\nb\r\n", "", ["a@h", ""]):
        one.send(bytes([byte]))
    assert OK.fullmatch(read_one(one))
    sender, recipients, message = one.queue.message
    assert (sender, recipients) == (b"", [b"a@h", b""])
    stored(message, b"a\nb\r\n")


def test_no_recipients(qmqpd):
    one = qmqpd()
    one.send(qmqp(b"x\n", "s@x", []))
    assert OK.fullmatch(read_one(one))
    assert one.queue.message[:2] == (b"s@x", [])


def test_empty_message(qmqpd):
    one = qmqpd()
    one.send(qmqp(b"", "s@x", ["a@h"]))
    assert OK.fullmatch(read_one(one))
    stored(one.queue.message[2], b"")


def test_control_files_and_variables_of_others_do_not_count(home, qmqpd):
    home.write_control("databytes", "1\n")
    home.write_control("rcpthosts", "")
    one = qmqpd(DATABYTES="1", RELAYCLIENT=".relay")
    one.send(qmqp(b"x" * 300000, "s@x", ["a@other.example"]))
    assert OK.fullmatch(read_one(one))
    assert one.queue.message[1] == [b"a@other.example"]


def test_second_message_is_not_read(qmqpd):
    one = qmqpd()
    one.send(GOOD + GOOD)
    (verdict,) = split(one.rest())
    assert OK.fullmatch(verdict)
    assert one.process.wait(lib.TIMEOUT_S) == 0
    assert len(one.queue.messages) == 1


def test_server_closes_after_its_answer(qmqpd):
    one = qmqpd()
    one.send(GOOD)
    assert OK.fullmatch(read_one(one))
    assert read_one(one) is None


def test_trace_line(qmqpd):
    one = qmqpd(PROTO="TCP6", TCP6REMOTEHOST="h.example",
                TCP6REMOTEIP="2001:db8::7", TCP6LOCALIP="2001:db8::1")
    one.send(GOOD)
    assert OK.fullmatch(read_one(one))
    assert one.queue.message[2].startswith(
        b"Received: from h.example (2001:db8::7)\n"
        b"  by 2001:db8::1 with QMQP; ")


# ---- limits ---------------------------------------------------------------------

@pytest.mark.parametrize("sender, recipients", [
    (b"s" * 1000, [b"a@h"]), (b"s\0", [b"a@h"]),
    (b"s@x", [b"a@h", b"r" * 1000]), (b"s@x", [b"r" * 1000, b"a@h"]),
    (b"s@x", [b"a@h\0"]), (b"s@x", [b"\0" * 2000000]),
    (b"s" * 2000000, [b"r" * 1000] * 3)])
def test_bad_addresses(qmqpd, sender, recipients):
    one = qmqpd()
    one.send(qmqp(b"x\n", sender, recipients))
    assert one.rest() == ADDRESS
    assert one.process.wait(lib.TIMEOUT_S) == 0
    assert one.queue.messages == []


def test_longest_addresses(qmqpd):
    one = qmqpd()
    one.send(qmqp(b"x\n", b"s" * 999, [b"r" * 999]))
    assert OK.fullmatch(read_one(one))
    assert one.queue.message[:2] == (b"s" * 999, [b"r" * 999])


def test_too_many_recipients(qmqpd):
    one = qmqpd()
    one.send(qmqp(b"x\n", "s@x", [b"r" * 999] * 34000))
    assert one.rest() == ns("Zsorry, too many recipients (#4.5.3)")
    assert one.queue.messages == []


def test_many_recipients(qmqpd):
    names = [b"%d@h" % n for n in range(50000)]
    one = qmqpd()
    one.send(qmqp(b"x\n", "s@x", names))
    assert OK.fullmatch(read_one(one))
    assert one.queue.message[1] == names


def test_the_clock_ends_it(qmqpd):
    one = qmqpd()
    one.send(GOOD[:-1])
    # the queue's program has been started: so has the message
    lib.wait_until(lambda: list(one.queue.dir.glob("*.mess")))
    one.process.send_signal(signal.SIGALRM)
    assert one.process.wait(lib.TIMEOUT_S) == -signal.SIGALRM
    assert one.queue.messages == []


# ---- what is no QMQP --------------------------------------------------------------

@pytest.mark.parametrize("data, code", [
    (b"x", 100), (b":,", 100), (b"0:,", 100), (b"01:", 100), (b"3:x", 100),
    (b"3:0:,,", 100), (b"3:0:,x", 100), (b"6:0:,0:,x", 100),
    (b"6:0:,0:x", 100), (b"6:9:,0:,,", 100), (b"6:0:,2:,,", 100),
    (b"7:0:,0:,1", 100), (b"9:0:,0:,0:x", 100), (b"9:0:,0:,1:,", 100),
    (b"10:1:x;", 100), (b"3:1:a,", 100),
    (b"EHLO there\r\n", 100),
    (b"200000001:", 111), (b"99999999999999999999:", 111),
    (b"20:200000001:", 111), (b"8" * 1000000, 111),
    (b"", 0), (b"3", 0), (b"3:", 0), (b"199999999:0:,", 0), (GOOD[:-1], 0),
    (b"30:5:ab", 0), (b"6:0:,0:,", 0),
])
def test_malformed(qmqpd, data, code):
    one = qmqpd()
    try:
        one.send(data)
    except ConnectionError:
        pass  # it has gone before the last byte
    assert one.rest() == b""
    assert one.process.wait(lib.TIMEOUT_S) == code
    assert one.queue.messages == []


def test_every_prefix_queues_nothing(home):
    queue = Queue(home)
    for end in range(len(GOOD)):
        with Conversation(home, "qmail-qmqpd",
                          env={"QMAILQUEUE": queue.program}) as one:
            one.send(GOOD[:end])
            assert one.end() == 0
    assert queue.messages == []


# ---- trouble ----------------------------------------------------------------------

@pytest.mark.parametrize("status, text, verdict", [
    (31, None, b"Dmail server permanently rejected message (#5.3.0)"),
    (52, None, b"Zqq timeout (#4.3.0)"),
    (82, b"Dno", b"Dno"), (82, b"later", b"Zater")])
def test_queue_refuses(qmqpd, status, text, verdict):
    one = qmqpd()
    one.queue.end_with(status, text)
    one.send(GOOD)
    assert one.rest() == ns(verdict)


def test_log_lines(qmqpd):
    one = qmqpd(TCPREMOTEIP="192.0.2.7")
    one.send(qmqp(b"abc\n", "s@x", ["a@h", "b@h"]))
    qp = split(one.rest())[0].split()[-1].decode()
    assert one.log() == (
        f"qmail-qmqpd: pid={one.process.pid} ip=192.0.2.7 from=s@x to=a@h "
        f"rcpts=2 size=4 result=accept qp={qp}\n")
    one = qmqpd()
    one.send(qmqp(b"abc\n", "s@x", ["a@h", b"b\0"]))
    one.rest()
    assert "result=reject why=sorry,_I_can't_accept" in one.log()


# ---- an independent client ----------------------------------------------------------

@pytest.mark.skipif(not shutil.which("qmqp-source", path="/usr/sbin"),
                    reason="Debian's postfix is not installed")
def test_postfix_qmqp_source(instance):
    port = instance.serve(instance.bin / "qmail-qmqpd", name="qmqpd")
    done = subprocess.run(
        ["/usr/sbin/qmqp-source", "-4", "-s", "3", "-m", "20", "-l", "3000",
         "-f", "s@x.example", "-t", f"test@{instance.host}",
         f"127.0.0.1:{port}"],
        capture_output=True, timeout=lib.TIMEOUT_S, **lib.as_user())
    assert done.returncode == 0, done.stderr
    for path in instance.wait_maildir("test", 20):
        text = path.read_bytes()
        assert text.count(b"with QMQP; ") == 1
        assert len(text) >= 3000
    instance.wait_log("result=accept", name="qmqpd", count=20)
