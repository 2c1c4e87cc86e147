"""qmail-smtpd: what it stores, what it refuses, what it says about it."""

import re
import time

import pytest
from servers import Conversation, Queue

DATE = rb"\d{1,2} [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d -0000"
BARE_LF = "451 See https://cr.yp.to/docs/smtplf.html."
START = "MAIL FROM:<s@x>\r\nRCPT TO:<r@here.example>\r\nDATA\r\n"


@pytest.fixture
def smtpd(home):
    """A factory of conversations in which DATA was just answered."""
    home.write_control("rcpthosts", "here.example\n")
    queue = Queue(home)
    open_ones = []

    def start(data=True, **env):
        one = Conversation(home, "qmail-smtpd",
                           env={"QMAILQUEUE": queue.program, **env})
        open_ones.append(one)
        one.home, one.queue = home, queue
        assert one.line() == f"220 {home.host} ESMTP"
        if data:
            one.send(START)
            assert one.lines(3) == ["250 ok", "250 ok", "354 go ahead"]
        return one

    yield start
    for one in open_ones:
        one.__exit__()


def stored(one):
    """The message behind the Received line."""
    head, _, rest = one.queue.message[2].partition(b"; ")
    assert head.count(b"\n") == 1
    return rest.partition(b"\n")[2]


def wire(message):
    """As a correct client sends it, final dot included."""
    lines = message.split(b"\n")
    assert lines.pop() == b""
    return b"".join((b"." if line.startswith(b".") else b"") + line + b"\r\n"
                    for line in lines) + b".\r\n"


MESSAGES = {
    "ordinary": b"Subject: x\n\nbody\n",
    "empty": b"",
    "no header": b"\nbody\n",
    "dots": b".\n..\n...\n.a\na.\n\n.\n",
    "eight bits": bytes(b for b in range(256) if b not in (10, 13)) + b"\n",
    "long line": b"x" * 100000 + b"\n",
    "many empty lines": b"\n" * 20000,
    "dots around a buffer": (b"." * 50 + b"\n") * 3000,
    "five megabytes": (bytes(range(32, 127)) + b"\n") * 55000,
}


@pytest.mark.parametrize("name", MESSAGES)
def test_message_is_stored_as_it_was_sent(smtpd, name):
    one = smtpd()
    before = int(time.time())
    reply = one.ask(wire(MESSAGES[name]))
    match = re.fullmatch(r"250 ok (\d+) qp (\d+)", reply)
    assert match, reply
    assert before <= int(match[1]) <= int(time.time())
    assert stored(one) == MESSAGES[name]
    assert one.queue.message[:2] == (b"s@x", [b"r@here.example"])
    # what is next needs a new MAIL
    assert one.ask("DATA") == "503 MAIL first (#5.5.1)"
    assert one.ask("RCPT TO:<r@here.example>") == "503 MAIL first (#5.5.1)"
    assert one.ask("QUIT")[:4] == "221 "
    assert one.end() == 0
    assert f"result=accept code=250 qp={match[2]}" in one.log()


def test_message_in_pieces(smtpd):
    """However the bytes arrive, the message is the same."""
    one = smtpd()
    message = b"S: x\n\n.\n..\nxx\n"
    for byte in wire(message):
        one.send(bytes([byte]))
    assert one.line().startswith("250 ok ")
    assert stored(one) == message


# ---- smuggling ----------------------------------------------------------------

LF, CR = "451 See https://cr.yp.to/docs/smtplf.html.", "451 Bare CR"
SMUGGLED = [
    (b"a\n", LF), (b"a\n.\n", LF), (b"a\n.\r\n", LF), (b"a\r\n.\n", LF),
    (b"\n", LF), (b"a\r\n\n", LF), (b".\n", LF),
    (b"a\r.\r", CR), (b"a\r.\n", CR), (b"a\r.\r\n", CR), (b"a\r\n.\rx", CR),
    (b"a\r\n.\r.\r\n", CR), (b"a\r\r\n", CR), (b"a\rb\r\n", CR), (b"\rx", CR),
    (b"a\r\0\n", CR),
]
BEHIND = b"MAIL FROM:<evil@x>\r\nRCPT TO:<r@here.example>\r\nDATA\r\nx\r\n.\r\n"


@pytest.mark.parametrize("vector, reply", SMUGGLED)
def test_smuggling_is_refused(smtpd, vector, reply):
    one = smtpd()
    one.send(b"S: x\r\n\r\n" + vector + BEHIND)
    got = one.line()
    assert got.startswith(reply), got
    assert one.end() == 1  # nothing more is said
    assert one.queue.messages == []
    assert "code=451 why=bare-" in one.log()


@pytest.mark.parametrize("vector, reply", SMUGGLED[:10:3])
@pytest.mark.parametrize("lead", [32766, 32767, 32768, 32769])
def test_smuggling_across_buffers(smtpd, vector, reply, lead):
    one = smtpd()
    one.send(b"x" * (lead - 2) + b"\r\n" + vector + BEHIND)
    assert one.line().startswith(reply)
    assert one.end() == 1
    assert one.queue.messages == []


def test_reply_arrives_although_the_client_goes_on_sending(smtpd):
    """Closing a socket with unread bytes would destroy the reply."""
    one = smtpd()
    one.send(b"bare\n" + b"x" * 200000)
    assert one.line() == BARE_LF


def test_end_of_connection_in_data(smtpd):
    for part in (b"", b"a\r\n", b"a\r\n.", b"a\r\n.\r"):
        one = smtpd()
        one.send(part)
        assert one.end() == 1
        assert one.queue.messages == []


# ---- loops, sizes, the queue's refusals -------------------------------------------

LOOP = "554 too many hops, this message is looping (#5.4.6)"
TOO_BIG = ("552 sorry, that message size exceeds my databytes limit (#5.3.4)")


def test_hops(smtpd):
    hop = b"Received: x\r\ndelivered-TO: y\r\n"
    one = smtpd()
    assert one.ask(hop * 50 + b"\r\nx\r\n.\r\n") == LOOP
    one.send(START)
    one.lines(3)
    assert one.ask(hop * 49 + b"RECEIVED\r\n\r\n" + hop * 9 + b".\r\n"
                   ).startswith("250 ok ")
    assert len(one.queue.messages) == 1


def test_databytes_counts_what_is_stored(smtpd):
    one = smtpd(DATABYTES="10")
    assert one.ask(b"..2345678\r\n\r\n.\r\n").startswith("250 ok ")  # 10 bytes
    one.send(START)
    one.lines(3)
    assert one.ask(b"..23456789\r\n\r\n.\r\n") == TOO_BIG
    assert one.ask("NOOP") == "250 ok"  # all of it was read
    assert len(one.queue.messages) == 1


def test_databytes_file_and_environment(smtpd):
    smtpd().home.write_control("databytes", "5 bytes\n")
    assert smtpd().ask(b"123456\r\n.\r\n") == TOO_BIG
    for value in ("0", "x", ""):
        assert smtpd(DATABYTES=value).ask(
            b"123456\r\n.\r\n").startswith("250 ok ")


def test_endless_message_is_read_to_its_end(smtpd):
    one = smtpd(DATABYTES="10")
    assert one.ask(b"x" * 500000 + b"\r\n.\r\n") == TOO_BIG


def test_loop_is_told_before_size_and_both_before_the_queue(smtpd):
    one = smtpd(DATABYTES="10")
    one.queue.end_with(53)
    assert one.ask(b"Received: x\r\n" * 100 + b"\r\n.\r\n") == LOOP
    one = smtpd(DATABYTES="100000")
    assert one.ask(b"Received: x\r\n" * 100 + b"\r\n" + b"x" * 200000 +
                   b"\r\n.\r\n") == LOOP
    one = smtpd(DATABYTES="10")
    assert one.ask(b"x" * 20 + b"\r\n.\r\n") == TOO_BIG


@pytest.mark.parametrize("status, text, reply", [
    (11, None, "554 envelope address too long for qq (#5.1.3)"),
    (31, None, "554 mail server permanently rejected message (#5.3.0)"),
    (51, None, "451 qq out of memory (#4.3.0)"),
    (53, None, "451 qq write error or disk full (#4.3.0)"),
    (54, None, "451 qq read error (#4.3.0)"),
    (71, None, "451 mail server temporarily rejected message (#4.3.0)"),
    (81, None, "451 qq internal bug (#4.3.0)"),
    (99, None, "451 qq temporary problem (#4.3.0)"),
    (82, b"Dno such thing (#5.7.0)", "554 no such thing (#5.7.0)"),
    (82, b"Zlater", "451 later"),
    (82, b"Dtwo\r\n250 lines\xff", "554 two  250 lines?"),
])
def test_queue_refuses(smtpd, status, text, reply):
    one = smtpd()
    one.queue.end_with(status, text)
    assert one.ask(b"x\r\n.\r\n") == reply
    assert one.ask("NOOP") == "250 ok"
    one.rest()
    assert f"code={reply[:3]} why=" in one.log()


def test_queue_program_that_is_missing(smtpd):
    one = smtpd(data=False, QMAILQUEUE="/nonexistent")
    one.send(START)
    replies = one.lines(3)
    reply = replies[2] if replies[2][:3] != "354" else one.ask(b"x\r\n.\r\n")
    assert reply.startswith("451 "), reply


# ---- the Received line ----------------------------------------------------------------

RECEIVED = [
    ("nobody said anything", None, {},
     b"Received: from unknown (unknown)\n  by unknown with SMTP; "),
    ("HELO", "HELO mail.example",
     {"TCPREMOTEIP": "192.0.2.7", "TCPREMOTEHOST": "host.example",
      "TCPREMOTEINFO": "in_fo x", "TCPLOCALHOST": "mx.example",
      "TCPLOCALIP": "192.0.2.1"},
     b"Received: from host.example (HELO mail.example) (in?fo?x@192.0.2.7)\n"
     b"  by mx.example with SMTP; "),
    ("EHLO with the host's name", "EHLO Host.Example",
     {"TCPREMOTEIP": "192.0.2.7", "TCPREMOTEHOST": "host.example",
      "TCPLOCALIP": "192.0.2.1"},
     b"Received: from host.example (192.0.2.7)\n  by 192.0.2.1 with SMTP; "),
    ("HELO without an argument", "HELO", {"TCPREMOTEIP": "192.0.2.7"},
     b"Received: from unknown (HELO ) (192.0.2.7)\n  by unknown with SMTP; "),
    ("IPv6", "EHLO x", {"PROTO": "TCP6", "TCP6REMOTEIP": "2001:db8::7",
                        "TCP6LOCALIP": "2001:db8::1"},
     b"Received: from unknown (HELO x) (2001:db8::7)\n"
     b"  by 2001:db8::1 with SMTP; "),
    ("unsafe bytes", "EHLO a_b(c)\xff\t;", {},
     b"Received: from unknown (HELO a?b?c????) (unknown)\n"
     b"  by unknown with SMTP; "),
]


@pytest.mark.parametrize("what, helo, env, want", RECEIVED,
                         ids=[r[0] for r in RECEIVED])
def test_received(smtpd, what, helo, env, want):
    one = smtpd(data=False, **env)
    if helo:
        one.send(helo.encode("latin-1") + b"\r\n")
        while one.line()[3] == "-":
            pass
    one.send(START)
    one.lines(3)
    assert one.ask(b"x\r\n.\r\n").startswith("250 ok ")
    message = one.queue.message[2]
    assert re.fullmatch(re.escape(want) + DATE + rb"\nx\n", message), message


# ---- the log ---------------------------------------------------------------------------

def test_log_line_is_one_line(smtpd):
    one = smtpd(data=False, TCPREMOTEIP="192.0.2.7")
    one.send(b"EHLO x y%z\r\nMAIL FROM:<a b@\xff>\r\n"
             b"RCPT TO:<\"c d\"@there.example>\r\nQUIT\r\n")
    one.rest()
    assert re.fullmatch(
        r"qmail-smtpd: pid=\d+ ip=192\.0\.2\.7 helo=x_y_z from=a_b@_ "
        r"to=c_d@there\.example result=reject code=553 why=rcpthosts\n",
        one.log())


def test_log_line_is_bounded(smtpd):
    one = smtpd(data=False)
    long = "x" * 800
    one.send(f"EHLO {'y' * 4000}\r\nMAIL FROM:<{long}>\r\nRCPT TO:<{long}@z>\r\n")
    one.rest()
    (line,) = one.log().splitlines()
    assert len(line) < 1024
    assert line.endswith("result=reject code=553 why=rcpthosts")
