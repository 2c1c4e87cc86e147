"""qmail-smtpd: every reply to a command, limits, timeouts, controls."""

import socket

import lib
import pytest
from servers import Conversation, Queue

GREETING = "mx.example says hello"
NOT_ALLOWED = ("553 sorry, that domain isn't in my list of allowed rcpthosts "
               "(#5.7.1)")
BAD_SENDER = ("553 sorry, your envelope sender is in my badmailfrom list "
              "(#5.7.1)")
TOO_BIG = ("552 sorry, that message size exceeds my databytes limit (#5.3.4)")


@pytest.fixture
def smtpd(home):
    """A factory of conversations; the greeting has been read."""
    home.write_control("smtpgreeting", GREETING + "\n")
    home.write_control("rcpthosts", "here.example\n.sub.example\n")
    queue = Queue(home)
    open_ones = []

    def start(greeted=True, first=b"", **env):
        one = Conversation(home, "qmail-smtpd", first=first,
                           env={"QMAILQUEUE": queue.program, **env})
        open_ones.append(one)
        one.home, one.queue = home, queue
        if greeted:
            assert one.line() == f"220 {GREETING} ESMTP"
        return one

    yield start
    for one in open_ones:
        one.__exit__()


# (what, [(line, reply), ...]); a line may be bytes, a reply a list
ROWS = [
    ("helo", [("HELO x", f"250 {GREETING}")]),
    ("helo without an argument", [("HELO", f"250 {GREETING}")]),
    ("any case", [("hElO x", f"250 {GREETING}")]),
    ("ehlo", [("EHLO x", [f"250-{GREETING}", "250-PIPELINING", "250-SIZE 0",
                          "250 8BITMIME"])]),
    ("no helo is needed", [("MAIL FROM:<a@b>", "250 ok")]),
    ("noop", [("NOOP", "250 ok"), ("NOOP x y", "250 ok")]),
    ("rset", [("RSET", "250 flushed")]),
    ("unknown", [("EXPN x", "502 unimplemented (#5.5.1)"),
                 ("AUTH PLAIN", "502 unimplemented (#5.5.1)"),
                 ("STARTTLS", "502 unimplemented (#5.5.1)"),
                 ("", "502 unimplemented (#5.5.1)"),
                 ("BDAT 5 LAST", "502 unimplemented (#5.5.1)")]),
    ("a bare LF ends a command", [(b"NOOP\n", "250 ok")]),
    ("MAIL first", [("RCPT TO:<a@here.example>", "503 MAIL first (#5.5.1)"),
                    ("DATA", "503 MAIL first (#5.5.1)")]),
    ("RCPT first", [("MAIL FROM:<>", "250 ok"),
                    ("DATA", "503 RCPT first (#5.5.1)")]),
    ("a refused RCPT is none", [
        ("MAIL FROM:<>", "250 ok"), ("RCPT TO:<a@there.example>", NOT_ALLOWED),
        ("DATA", "503 RCPT first (#5.5.1)")]),
    ("rcpthosts", [
        ("MAIL FROM:<>", "250 ok"),
        ("RCPT TO:<a@here.example>", "250 ok"),
        ("RCPT TO:<a@HERE.Example>", "250 ok"),
        ("RCPT TO:<a@x.here.example>", NOT_ALLOWED),
        ("RCPT TO:<a@x.sub.example>", "250 ok"),
        ("RCPT TO:<a@y.X.Sub.example>", "250 ok"),
        ("RCPT TO:<a@sub.example>", NOT_ALLOWED),
        ("RCPT TO:<a@here.example@there.example>", NOT_ALLOWED),
        ("RCPT TO:<a@there.example@here.example>", "250 ok"),
        ("RCPT TO:<a@>", NOT_ALLOWED),
        ("RCPT TO:<postmaster>", "250 ok"),
        ("RCPT TO:<>", "250 ok"),
        ("RCPT", "250 ok")]),
    ("MAIL with nothing is the null sender", [("MAIL", "250 ok")]),
    ("a second MAIL replaces the first", [
        ("MAIL FROM:<a@b>", "250 ok"), ("RCPT TO:<a@here.example>", "250 ok"),
        ("MAIL FROM:<c@d>", "250 ok"), ("DATA", "503 RCPT first (#5.5.1)")]),
    ("RSET forgets MAIL", [
        ("MAIL FROM:<a@b>", "250 ok"), ("RSET", "250 flushed"),
        ("RCPT TO:<a@here.example>", "503 MAIL first (#5.5.1)")]),
    ("HELO forgets MAIL", [
        ("MAIL FROM:<a@b>", "250 ok"), ("HELO x", f"250 {GREETING}"),
        ("RCPT TO:<a@here.example>", "503 MAIL first (#5.5.1)")]),
    ("addresses of 899 and 900 bytes", [
        (f"MAIL FROM:<{'x' * 895}@b.c>", "250 ok"),
        (f"MAIL FROM:<{'x' * 896}@b.c>", "555 syntax error (#5.5.4)"),
        (f"RCPT TO:<{'x' * 886}@here.example>", "250 ok"),
        (f"RCPT TO:<{'x' * 887}@here.example>", "555 syntax error (#5.5.4)")]),
    ("a NUL must not end an address early", [
        (b"MAIL FROM:<a@b\0Tx@y>\r\n", "555 syntax error (#5.5.4)"),
        ("MAIL FROM:<a@b>", "250 ok"),
        (b"RCPT TO:<victim@there.example\0Tx@here.example>\r\n",
         "555 syntax error (#5.5.4)"),
        ("DATA", "503 RCPT first (#5.5.1)")]),
    ("nor may a CR be in one", [
        (b"MAIL FROM:<a@b\rc>\r\n", "555 syntax error (#5.5.4)")]),
    ("a tab does not end the verb", [("HELO\tx", "502 unimplemented (#5.5.1)")]),
    ("VRFY tells nothing", [("VRFY root", 252)]),
    ("HELP", [("HELP", 214)]),
]


@pytest.mark.parametrize("what, turns", ROWS, ids=[r[0] for r in ROWS])
def test_reply(smtpd, what, turns):
    one = smtpd()
    for line, reply in turns:
        got = one.ask(line)
        if isinstance(reply, list):
            got = [got, *one.lines(len(reply) - 1)]
        if isinstance(reply, int):
            got, reply = got[:4], f"{reply} "
        assert got == reply, (line, got)
    assert one.ask("QUIT") == f"221 {GREETING}"
    assert one.end() == 0


def test_ehlo_tells_the_limit(smtpd):
    one = smtpd(DATABYTES="1000")
    one.send("EHLO x\r\n")
    assert one.lines(4)[2] == "250-SIZE 1000"
    assert one.ask("MAIL FROM:<a@b> SIZE=1000 BODY=8BITMIME") == "250 ok"
    assert one.ask("MAIL FROM:<a@b> BODY=8BITMIME size=1001") == TOO_BIG
    assert one.ask("RCPT TO:<a@here.example>") == "503 MAIL first (#5.5.1)"
    assert one.ask("MAIL FROM:<a@b> FOO=BAR") == "250 ok"
    assert one.ask("RCPT TO:<a@here.example> NOTIFY=NEVER") == "250 ok"


def test_badmailfrom_answers_at_rcpt(smtpd):
    home = smtpd().home
    home.write_control("badmailfrom", "# none\nBad@spam.example\n@evil.example\n")
    one = smtpd()
    for sender, reply in [("bad@SPAM.example", BAD_SENDER),
                          ("good@spam.example", "250 ok"),
                          ("any@Evil.example", BAD_SENDER),
                          ("any@x.evil.example", "250 ok"),
                          ("@evil.example@ok.example", "250 ok"), ("", "250 ok")]:
        assert one.ask(f"MAIL FROM:<{sender}>") == "250 ok"
        assert one.ask("RCPT TO:<a@here.example>") == reply, sender
    assert "why=badmailfrom" in end_of(one)


def end_of(one):
    one.rest()
    return one.log()


def test_recipients_are_capped(smtpd):
    home = smtpd().home
    home.write_control("maxrcpt", "3\n")
    one = smtpd()
    for _ in range(2):
        assert one.ask("MAIL FROM:<>") == "250 ok"
        for _ in range(3):
            assert one.ask("RCPT TO:<a@here.example>") == "250 ok"
        assert one.ask("RCPT TO:<a@there.example>") == NOT_ALLOWED
        assert one.ask("RCPT TO:<a@here.example>")[:4] == "452 "
    assert one.ask("DATA") == "354 go ahead"
    assert one.ask(b".\r\n").startswith("250 ok ")
    assert len(one.queue.message[1]) == 3


def test_a_thousand_recipients_without_the_file(smtpd):
    one = smtpd()
    one.send("MAIL FROM:<>\r\n" + "RCPT TO:<a@here.example>\r\n" * 1001)
    replies = one.lines(1002)
    assert set(replies[:1001]) == {"250 ok"}
    assert replies[1001][:4] == "452 "


def test_zero_lifts_the_cap(smtpd):
    home = smtpd().home
    home.write_control("maxrcpt", "0\n")
    one = smtpd()
    one.send("MAIL FROM:<>\r\n" + "RCPT TO:<a@here.example>\r\n" * 2000)
    assert set(one.lines(2001)) == {"250 ok"}


def test_long_lines(smtpd):
    one = smtpd()
    assert one.ask("NOOP " + "x" * 4089) == "250 ok"  # 4096 bytes with CR LF
    assert one.ask("NOOP " + "x" * 4090) == "500 line too long (#5.5.2)"
    assert one.ask("NOOP") == "250 ok"
    one.send(b"x" * 60000 + b"\r\nQUIT\r\n")
    assert one.line() == "500 line too long (#5.5.2)"
    assert one.line() == f"221 {GREETING}"


def test_endless_line_is_cut_off(smtpd):
    one = smtpd()
    one.send(b"x" * 75000)
    assert one.line()[:4] == "421 "
    assert one.end() == 1


@pytest.mark.parametrize("verb", ["GET", "HEAD", "post", "PUT", "OPTIONS", "CONNECT"])
def test_browsers_are_sent_away(smtpd, verb):
    """A web page must not make a browser, whom we may trust, send mail."""
    one = smtpd(RELAYCLIENT="")
    one.send(f"{verb} / HTTP/1.1\r\nHost: x:25\r\nContent-Type: text/plain\r\n\r\n"
             "MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\nx\r\n.\r\n")
    assert one.line() == "421 this is no web server (#4.7.0)"
    assert one.end() == 1
    assert one.queue.messages == []


def test_unknown_commands_are_counted(smtpd):
    one = smtpd()
    one.send("X\r\n" * 10 + "NOOP\r\n" + "X\r\n" * 11 + "NOOP\r\n")
    replies = one.lines(22)
    assert replies.count("502 unimplemented (#5.5.1)") == 20
    assert replies[21] == "421 too many unknown commands (#4.7.0)"
    assert one.end() == 1


def test_pipelined_commands_are_answered_together(smtpd):
    one = smtpd()
    one.send("EHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<x@here.example>\r\n"
             "RCPT TO:<y@there.example>\r\nDATA\r\n")
    assert one.lines(8)[4:] == ["250 ok", "250 ok", NOT_ALLOWED, "354 go ahead"]
    one.send("S: x\r\n\r\nb\r\n.\r\nMAIL FROM:<c@d>\r\nRCPT TO:<z@here.example>"
             "\r\nDATA\r\n")
    assert one.line().startswith("250 ok ")
    assert one.lines(3) == ["250 ok", "250 ok", "354 go ahead"]
    one.send("second\r\n.\r\nQUIT\r\n")
    assert one.line().startswith("250 ok ")
    assert one.line() == f"221 {GREETING}"
    assert one.end() == 0
    assert {m[0] for m in one.queue.messages} == {b"a@b", b"c@d"}


def test_what_follows_data_is_the_message(smtpd):
    """Commands sent behind DATA before the 354 are data, not commands."""
    one = smtpd()
    one.send("MAIL FROM:<a@b>\r\nRCPT TO:<x@here.example>\r\nDATA\r\n"
             "MAIL FROM:<evil@b>\r\nRCPT TO:<y@here.example>\r\nDATA\r\n"
             "x\r\n.\r\nQUIT\r\n")
    one.rest()
    sender, recipients, message = one.queue.message
    assert (sender, recipients) == (b"a@b", [b"x@here.example"])
    assert message.endswith(
        b"MAIL FROM:<evil@b>\nRCPT TO:<y@here.example>\nDATA\nx\n")


def test_end_without_quit_is_1(smtpd):
    one = smtpd()
    one.send("NOOP\r\nQUIT")  # the last line is not complete
    assert one.rest() == b"250 ok\r\n"
    assert one.end() == 1


def test_idle_too_long(smtpd):
    smtpd().home.write_control("timeoutsmtpd", "1\n")
    one = smtpd()
    assert one.line() == "451 timeout (#4.4.2)"
    assert one.end() == 1


def test_idle_too_long_in_data(smtpd):
    smtpd().home.write_control("timeoutsmtpd", "0\n")  # counts as 1
    one = smtpd(first=b"MAIL FROM:<>\r\nRCPT TO:<a@here.example>\r\nDATA\r\nx\r\n")
    assert one.lines(4)[3] == "451 timeout (#4.4.2)"
    assert one.end() == 1
    assert one.queue.messages == []


def test_reader_that_stops_reading(smtpd):
    smtpd().home.write_control("timeoutsmtpd", "1\n")
    one = smtpd()
    one.socket.settimeout(0.2)
    with pytest.raises((socket.timeout, BrokenPipeError, ConnectionResetError)):
        while True:
            one.send("HELP\r\n" * 1000)
    assert one.process.wait(lib.TIMEOUT_S) == 1


def test_empty_greeting(home):
    home.write_control("smtpgreeting", "")
    with Conversation(home, "qmail-smtpd") as one:
        assert one.line() == "220  ESMTP"


def test_greeting_is_me_by_default(home):
    home.remove_control("smtpgreeting")
    with Conversation(home, "qmail-smtpd") as one:
        assert one.line() == f"220 {home.host} ESMTP"


def test_no_greeting_at_all(home):
    home.remove_control("me")
    home.remove_control("smtpgreeting")
    with Conversation(home, "qmail-smtpd") as one:
        assert one.line() == "421 unable to read controls (#4.3.0)"
        assert one.end() == 1


@pytest.mark.parametrize("name", ["badmailfrom", "databytes", "rcpthosts",
                                  "timeoutsmtpd", "maxrcpt", "smtpgreeting"])
def test_unreadable_control(home, name):
    home.remove_control(name)
    (home.home / "control" / name).mkdir()
    with Conversation(home, "qmail-smtpd") as one:
        assert one.line() == "421 unable to read controls (#4.3.0)"
        assert one.end() == 1


def test_no_home(home):
    with Conversation(home, "qmail-smtpd",
                      env={"QMAILHOME": "/nonexistent"}) as one:
        assert one.line() == "421 unable to read controls (#4.3.0)"
        assert one.end() == 1
