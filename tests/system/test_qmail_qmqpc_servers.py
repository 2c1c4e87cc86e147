"""qmail-qmqpc: what it sends, its exit codes, and which server it asks;
Postfix's qmqp-sink and qmail-qmqpd as servers."""

import contextlib
import os
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time

import pytest
import lib
from framing import ns, qmqp
from servers import Queue

MESSAGE = b"Subject: x\n\nb\n"
ENVELOPE = b"Fs@x\0Ta@h\0Tb@h\0\0"
WHOLE = b"36:14:Subject: x\n\nb\n,3:s@x,3:a@h,3:b@h,,"
K = ns("Kok 1795373134 qp 9217")
RESET = object()  # an answer: close at once, with a reset


class Server:
    """Takes one netstring a connection, then answers and closes."""

    def __init__(self, answer=K, after=None, host="127.0.0.1", hold=False):
        self.answer, self.after, self.hold = answer, after, hold
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.listener = socket.socket(family)
        self.listener.bind((host, 0))
        self.listener.listen(20)
        self.port = self.listener.getsockname()[1]
        name = f"[{host}]" if ":" in host else host
        self.line = f"{name}:{self.port}"
        self.got, self.held, self.clients = [], [], []
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        with contextlib.suppress(OSError):
            while True:
                peer, address = self.listener.accept()
                self.clients.append(address[0])
                with contextlib.suppress(OSError):
                    self._serve(peer)

    def _serve(self, peer):
        peer.settimeout(lib.TIMEOUT_S)
        data = b""
        self.got.append(data)
        want = self.after
        while want is None or len(data) < want:
            more = peer.recv(65536)
            if not more:
                break
            data += more
            self.got[-1] = data
            head, colon, rest = data.partition(b":")
            if want is None and colon:
                want = len(head) + 1 + int(head) + 1
        if self.answer is RESET:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                            struct.pack("ii", 1, 0))
        else:
            for piece in ([self.answer] if isinstance(self.answer, bytes)
                          else self.answer):
                peer.sendall(piece)
        if self.hold:
            self.held.append(peer)
        else:
            peer.close()

    def close(self):
        self.listener.close()
        for peer in self.held:
            peer.close()


@pytest.fixture
def server():
    made = []

    def make(*args, **named):
        made.append(Server(*args, **named))
        return made[-1]

    yield make
    for one in made:
        one.close()


def run(home, message=MESSAGE, envelope=ENVELOPE, servers=None, **more):
    """qmail-qmqpc to its end; servers replaces control/qmqpservers."""
    if servers is not None:
        home.write_control("qmqpservers", "".join(s + "\n" for s in servers))
    env = more.pop("env", {})
    with tempfile.TemporaryFile() as body, tempfile.TemporaryFile() as head:
        for file, content in ((body, message), (head, envelope)):
            file.write(content)
            file.seek(0)
        done = subprocess.run(
            [str(home.bin / "qmail-qmqpc")], stdin=body, stdout=head,
            stderr=subprocess.PIPE, env=home.env(**env), cwd="/",
            timeout=2 * lib.TIMEOUT_S, **{**lib.as_user(), **more})
        assert done.stderr == b"" or "san" in str(home.bin)
        return done.returncode


def closed_port():
    return f"127.0.0.1:{lib.closed_port()}"


# ---- what is sent -----------------------------------------------------------------

def test_bytes_of_a_message(home, server):
    one = server()
    assert run(home, servers=[one.line]) == 0
    assert one.got == [WHOLE]


@pytest.mark.parametrize("message, sender, recipients", [
    (b"", "", []), (b"x", "", ["a@h"]), (bytes(range(256)) * 4, "s", [""]),
    (b"x" * 3000000, "s@x", ["a@h"]), (b"x\n", "s" * 999, ["r" * 999] * 9),
    (b"x\n", "s@x", ["%d@h" % n for n in range(20000)])])
def test_messages_and_envelopes(home, server, message, sender, recipients):
    one = server()
    envelope = (b"F" + sender.encode() + b"\0" +
                b"".join(b"T" + r.encode() + b"\0" for r in recipients) + b"\0")
    assert run(home, message, envelope, [one.line]) == 0
    assert one.got == [qmqp(message, sender, recipients)]


def test_message_and_envelope_through_pipes(home, server):
    one = server()
    home.write_control("qmqpservers", one.line)
    message, envelope = os.pipe(), os.pipe()
    process = subprocess.Popen(
        [str(home.bin / "qmail-qmqpc")], stdin=message[0], stdout=envelope[0],
        env=home.env(), cwd="/", **lib.as_user())
    os.close(message[0])
    os.close(envelope[0])
    for fd, data in ((message[1], MESSAGE), (envelope[1], ENVELOPE)):
        for byte in data:
            os.write(fd, bytes([byte]))
        os.close(fd)
    assert process.wait(lib.TIMEOUT_S) == 0
    assert one.got == [WHOLE]


# ---- answers ----------------------------------------------------------------------

@pytest.mark.parametrize("answer, code", [
    (K, 0), (ns("Dno"), 31), (ns("Zlater"), 71), (b"K", 0), (b"D", 31),
    (b"no length Z", 71), (b"xxKD", 0), (ns("k"), 74), (ns(""), 74),
    (b"1:", 74), (b"x" * 200000, 74), (b"x" * 9000 + b"K", 0),
    ([b"5", b":", b"D", b"abcd,"], 31)])
def test_answers(home, server, answer, code):
    first, second = server(answer), server()
    assert run(home, servers=[first.line, second.line]) == code
    assert first.got == [WHOLE]
    assert second.got == []  # an answer is final, whatever it is


def test_answer_before_the_message_was_read(home, server):
    one = server(ns("Dtoo big"), after=1, hold=True)
    assert run(home, b"x" * 100, servers=[one.line]) == 31


def test_refusal_by_a_server_that_reads_no_further(home, server):
    first, second = server(ns("Dtoo big"), after=1, hold=True), server()
    home.write_control("timeoutqmqpc", "5")  # it may take a while to answer
    assert run(home, b"x" * 50000000, servers=[first.line, second.line]) == 31
    assert second.got == []


def test_early_yes_is_not_believed(home, server):
    one = server(K, after=1, hold=True)
    home.write_control("timeoutqmqpc", "5")
    second = server()
    assert run(home, b"x" * 50000000, servers=[one.line, second.line]) == 74
    assert second.got == []


# ---- which server -------------------------------------------------------------------

def test_order_is_kept(home, server):
    first, second = server(), server()
    for _ in range(5):
        assert run(home, servers=[first.line, second.line]) == 0
    assert (len(first.got), len(second.got)) == (5, 0)


def test_rotation_asks_all(home, server):
    made = [server() for _ in range(3)]
    home.write_control("qmqprotate", "1\n")
    for _ in range(300):  # each run leaves one out by chance at most
        assert run(home, servers=[one.line for one in made]) == 0
        if all(one.got for one in made):
            break
    assert all(one.got for one in made)


@pytest.mark.parametrize("place", range(3))
def test_rotation_goes_round(home, server, place):
    """Whoever is asked first: the one that answers is found."""
    one = server()
    servers = [closed_port(), closed_port(), "no server"]
    servers.insert(place, one.line)
    home.write_control("qmqprotate", "1\n")
    for number in range(1, 9):
        assert run(home, servers=servers) == 0
        assert one.got == [WHOLE] * number


@pytest.mark.parametrize("text", ["0\n", "", "x\n"])
def test_no_rotation(home, server, text):
    first, second = server(), server()
    home.write_control("qmqprotate", text)
    for _ in range(8):
        assert run(home, servers=[first.line, second.line]) == 0
    assert (len(first.got), len(second.got)) == (8, 0)


def test_own_address(home, server):
    one = server()
    home.write_control("outgoingip", "# ours\n127.0.0.5\n")
    assert run(home, servers=[one.line]) == 0
    assert one.clients == ["127.0.0.5"]
    home.write_control("outgoingip", "localhost\n")
    assert run(home) == 55


@pytest.mark.parametrize("bad", [b"", RESET])
@pytest.mark.parametrize("after", [None, 1])
def test_silent_server_is_followed_by_the_next(home, server, bad, after):
    first, second = server(bad, after=after), server()
    message = b"x" * 2000000
    assert run(home, message, servers=[first.line, second.line]) == 0
    assert len(first.got) == 1
    assert second.got == [qmqp(message, "s@x", ["a@h", "b@h"])]


def test_refused_connection_is_followed_by_the_next(home, server):
    one = server()
    assert run(home, servers=[closed_port(), one.line]) == 0
    assert one.got == [WHOLE]


def test_hanging_server_is_followed_by_the_next(home, server):
    home.write_control("timeoutqmqpc", "5")  # for the second, too
    first, second = server(b"", hold=True), server()
    assert run(home, servers=[first.line, second.line]) == 0
    assert second.got == [WHOLE]


@pytest.mark.parametrize("last, code", [(b"", 74), (RESET, 74), (b"x", 74)])
def test_last_server_breaks(home, server, last, code):
    assert run(home, servers=[closed_port(), server(last).line]) == code


def test_last_server_refuses_the_connection(home, server):
    assert run(home, servers=[closed_port()]) == 73
    assert run(home, servers=[server(b"").line, closed_port()]) == 73


def test_last_server_hangs(home, server):
    home.write_control("timeoutqmqpc", "0")  # which means 1
    start = time.monotonic()
    assert run(home, servers=[server(b"", hold=True).line]) == 74
    assert time.monotonic() - start >= 1


def test_connection_takes_too_long(home):
    """A full backlog drops what asks for a connection."""
    home.write_control("timeoutqmqpc", "1")
    with socket.socket() as full, contextlib.ExitStack() as stack:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(8):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
        assert run(home, servers=[f"127.0.0.1:{full.getsockname()[1]}"]) == 72


def has_ipv6():
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET6) as s:
        s.bind(("::1", 0))
        return True
    return False


@pytest.mark.skipif(not has_ipv6(), reason="there is no ::1")
def test_ipv6(home, server):
    one = server(host="::1")
    assert run(home, servers=[one.line]) == 0
    assert one.got == [WHOLE]


def test_lines_that_name_no_server_are_skipped(home, server):
    one = server()
    assert run(home, servers=[
        "# first", "localhost", "one.example:628", "127.0.0", "[::1",
        "127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1:x", ":628",
        one.line + "  the good one"]) == 0
    assert one.got == [WHOLE]


# ---- its other exit codes -------------------------------------------------------------

@pytest.mark.parametrize("servers", [
    None, [], ["#127.0.0.1"], ["localhost", "x.example"]])
def test_no_usable_server(home, servers):
    assert run(home, servers=servers) == 55


@pytest.mark.parametrize("name", ["qmqpservers", "timeoutqmqpc", "qmqprotate",
                                  "outgoingip"])
def test_unreadable_control(home, name):
    home.write_control("qmqpservers", closed_port())
    home.remove_control(name)
    (home.home / "control" / name).mkdir()
    assert run(home) == 55


@pytest.mark.parametrize("envelope, code", [
    (b"", 91), (b"Fs@x", 91), (b"Fs@x\0", 91), (b"Fs@x\0Ta@h\0", 91),
    (b"Ta@h\0\0", 91), (b"Fs@x\0Xa@h\0\0", 91), (b"\0", 91),
    (b"F" + b"s" * 1003 + b"\0\0", 11), (b"F\0T" + b"r" * 1003 + b"\0\0", 11),
    (b"F\0T" + b"r" * 1002 + b"\0\0", 0), (b"F\0\0Xmore", 0)])
def test_envelopes(home, server, envelope, code):
    one = server()
    assert run(home, envelope=envelope, servers=[one.line]) == code
    assert len(one.got) == (code == 0)


def test_closed_stderr(home, server):
    one = server()
    assert run(home, servers=[one.line], preexec_fn=lambda: os.close(2)) == 0
    assert one.got == [WHOLE]


@pytest.mark.parametrize("closed", [0, 1])
def test_closed_descriptors(home, server, closed):
    one = server()
    assert run(home, servers=[one.line],
               preexec_fn=lambda: os.close(closed)) == 54
    assert one.got == []


def test_message_that_cannot_be_read(home, server):
    home.write_control("qmqpservers", server().line)
    where = os.open("/", os.O_RDONLY)
    with tempfile.TemporaryFile() as envelope:
        done = subprocess.run([str(home.bin / "qmail-qmqpc")], stdin=where,
                              stdout=envelope, env=home.env(), cwd="/",
                              timeout=lib.TIMEOUT_S, **lib.as_user())
    os.close(where)
    assert done.returncode == 54


def test_missing_home(home):
    assert run(home, env={"QMAILHOME": "/nonexistent"}) == 61


def test_no_memory(home, server):
    if "san" in str(home.bin):
        pytest.skip("the sanitizers need more")
    import resource

    def little():
        resource.setrlimit(resource.RLIMIT_AS, (16 << 20, 16 << 20))
    assert run(home, b"x" * (20 << 20), servers=[server().line],
               preexec_fn=little) == 51


def test_message_that_no_server_would_take(home, server):
    """200000000 bytes are the longest netstring of a QMQP server."""
    one = server()
    home.write_control("qmqpservers", one.line)
    with tempfile.TemporaryFile() as body, tempfile.TemporaryFile() as head:
        body.truncate(200000000)
        head.write(ENVELOPE)
        head.seek(0)
        done = subprocess.run([str(home.bin / "qmail-qmqpc")], stdin=body,
                              stdout=head, env=home.env(), cwd="/",
                              timeout=2 * lib.TIMEOUT_S, **lib.as_user())
    assert done.returncode == 31
    assert one.got == []


def test_the_clock_ends_it(home, server):
    one = server(b"", hold=True)
    home.write_control("qmqpservers", one.line)
    with tempfile.TemporaryFile() as envelope:
        envelope.write(ENVELOPE)
        envelope.seek(0)
        process = subprocess.Popen(
            [str(home.bin / "qmail-qmqpc")], stdin=subprocess.DEVNULL,
            stdout=envelope, env=home.env(), cwd="/", **lib.as_user())
        lib.wait_until(lambda: one.got)
        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGALRM):
            process.send_signal(number)
        assert process.wait(lib.TIMEOUT_S) == 52


# ---- independent servers ----------------------------------------------------------------

@pytest.mark.skipif(not shutil.which("qmqp-sink", path="/usr/sbin"),
                    reason="Debian's postfix is not installed")
def test_postfix_qmqp_sink(home):
    port = lib.low_port()
    sink = home.spawn("sink", "/usr/sbin/qmqp-sink", "-4", "-c",
                      f"127.0.0.1:{port}", "100")
    lib.wait_connection(port).close()
    for size in (0, 10, 100000, 3000000):
        assert run(home, b"x" * size, servers=[f"127.0.0.1:{port}"]) == 0
    assert sink.is_running()


def test_through_qmail_inject_into_another_queue(make_instance):
    """A host without a queue: its qmail-inject uses qmail-qmqpc."""
    hub, leaf = make_instance("hub.example"), make_instance("leaf.example", False)
    port = hub.serve(hub.bin / "qmail-qmqpd", name="qmqpd")
    leaf.write_control("qmqpservers", f"127.0.0.1:{port}\n")
    done = leaf.inject("-fs@leaf.example", "test@hub.example",
                       input=b"Subject: far\n\nbody\n",
                       env={"QMAILQUEUE": "bin/qmail-qmqpc"})
    assert done.returncode == 0, done.stderr
    (path,) = hub.wait_maildir("test", 1)
    text = path.read_bytes()
    assert b"with QMQP; " in text and text.endswith(b"\n\nbody\n")
    assert not (leaf.home / "run/submit.sock").exists()


@pytest.mark.parametrize("status, text, code, words", [
    (31, None, 100, b"mail server permanently rejected message (#5.3.0)"),
    (53, None, 111, b"mail server temporarily rejected message (#4.3.0)")])
def test_refusals_reach_the_user(home, make_instance, status, text, code, words):
    queue = Queue(home)
    queue.end_with(status, text)
    port = home.serve(home.bin / "qmail-qmqpd", name="qmqpd",
                      env={"QMAILQUEUE": queue.program})
    home.write_control("qmqpservers", f"127.0.0.1:{port}\n")
    done = home.inject("test@hub.example", env={"QMAILQUEUE": "bin/qmail-qmqpc"})
    assert done.returncode == code
    assert words in done.stderr
