"""qmail-remote talks to servers of every temper: the records it prints."""

import fcntl
import os
import socket
import struct
import subprocess
import time

import pytest

import lib
from lib import DROP, HANG
from remote_home import Home, RawServer, script

IP = "127.0.0.1"
DIED = f"ZConnected to {IP} but connection died. (#4.4.2)\n"
DUPLICATE = f"ZConnected to {IP} but connection died. Possible duplicate! (#4.4.2)\n"
TAKEN = f"K{IP} accepted message.\nRemote host said: 250 taken\n"
NO_CONNECTION = "ZSorry, I wasn't able to establish an SMTP connection. (#4.4.1)\n"
PLAIN_EHLO = "250 sink.example"


@pytest.fixture
def home(tmp_path):
    return Home(tmp_path)


@pytest.fixture
def raw():
    made = []

    def make(handler, **more):
        made.append(RawServer(handler, **more))
        return made[-1]

    yield make
    for one in made:
        one.close()


def said(*lines):
    return "Remote host said: " + "".join(line + "\n" for line in lines)


TABLE = [
    # what, replies, records
    ("all is well", {}, ["r", TAKEN]),
    ("greeting 4xx", {"connect": "421-no\r\n421 later"},
     [f"ZConnected to {IP} but greeting failed.\n" + said("421-no", "421 later")]),
    ("greeting 5xx", {"connect": "554 never"},
     [f"ZConnected to {IP} but greeting failed.\n" + said("554 never")]),
    ("greeting 250 is no 220", {"connect": "250 hi"},
     [f"ZConnected to {IP} but greeting failed.\n" + said("250 hi")]),
    ("greeting in another tongue", {"connect": "SSH-2.0-x"},
     [f"ZConnected to {IP} but greeting failed.\n" + said("SSH-2.0-x")]),
    ("EHLO and HELO refused for now", {"EHLO": "500 what", "HELO": "450 no"},
     [f"ZConnected to {IP} but my name was rejected.\n" + said("450 no")]),
    ("EHLO and HELO refused for good", {"EHLO": "500 what", "HELO": "550 no"},
     [f"ZConnected to {IP} but my name was rejected.\n" + said("550 no")]),
    ("EHLO 220 is no 250 and no refusal", {"EHLO": "220 again"},
     [f"ZConnected to {IP} but my name was rejected.\n" + said("220 again")]),
    ("two greetings", {"connect": "220 one\r\n220 two"}, [DIED]),
    ("HELO 220 is no 250", {"EHLO": "500 what", "HELO": "220 ok"},
     [f"ZConnected to {IP} but my name was rejected.\n" + said("220 ok")]),
    ("EHLO refused, HELO taken", {"EHLO": "500 what"}, ["r", TAKEN]),
    ("MAIL 4xx", {"MAIL": "450-no\r\n450 later"},
     [f"ZConnected to {IP} but sender was rejected.\n" + said("450-no", "450 later")]),
    ("MAIL 5xx", {"MAIL": "550 no"},
     [f"DConnected to {IP} but sender was rejected.\n" + said("550 no")]),
    ("MAIL 421", {"MAIL": "421 closing"},
     [f"ZConnected to {IP} but sender was rejected.\n" + said("421 closing")]),
    ("RCPT 4xx", {"RCPT": "450 later", "DATA": "503 none"},
     [f"s{IP} does not like recipient.\n" + said("450 later"),
      f"DGiving up on {IP}.\n"]),
    ("RCPT 5xx", {"RCPT": "550 no", "DATA": "503 none"},
     [f"h{IP} does not like recipient.\n" + said("550 no"),
      f"DGiving up on {IP}.\n"]),
    ("DATA 4xx", {"DATA": "451 later"},
     ["r", f"Z{IP} failed on DATA command.\n" + said("451 later")]),
    ("DATA 5xx", {"DATA": "554 no"},
     ["r", f"D{IP} failed on DATA command.\n" + said("554 no")]),
    ("final dot 4xx", {"body": "451 later"},
     ["r", f"Z{IP} failed after I sent the message.\n" + said("451 later")]),
    ("final dot 5xx", {"body": "554 no"},
     ["r", f"D{IP} failed after I sent the message.\n" + said("554 no")]),
    ("the first line's code counts", {"body": "250-fine\r\n550 taken"},
     ["r", f"K{IP} accepted message.\n" + said("250-fine", "550 taken")]),
    ("lost at the greeting", {"connect": DROP}, [DIED]),
    ("lost at EHLO", {"EHLO": DROP}, [DIED]),
    ("lost at HELO", {"EHLO": "500 what", "HELO": DROP}, [DIED]),
    ("lost at MAIL", {"MAIL": DROP}, [DIED]),
    ("lost at RCPT", {"RCPT": DROP}, [DIED]),
    ("lost at DATA", {"DATA": DROP}, ["r", DIED]),
    ("lost at the final dot", {"body": DROP}, ["r", DUPLICATE]),
    ("nonsense to MAIL", {"MAIL": "ok"}, [DIED]),
    ("nonsense to RCPT", {"RCPT": "25 ok"}, [DIED]),
    ("nonsense to DATA", {"DATA": "go on"}, ["r", DIED]),
    ("nonsense to the final dot", {"body": "taken"}, ["r", DUPLICATE]),
]


def without_pipelining(replies):
    return {"EHLO": PLAIN_EHLO, **replies}


@pytest.mark.parametrize("pipelining", [True, False], ids=["pipelined", "plain"])
@pytest.mark.parametrize("what, replies, want", TABLE, ids=[t[0] for t in TABLE])
def test_record_table(home, sink, what, replies, want, pipelining):
    server = sink(replies if pipelining else without_pipelining(replies))
    home.route(server)
    assert home.send() == want


def test_everything_below_400_is_success(home, raw):
    server = raw(script(b"220 x\r\n", b"250 x\r\n", b"399 ok\r\n", b"354 ok\r\n",
                        b"250 go\r\n", b"BODY354 ok\r\n", b""))
    home.route(server)
    assert home.send() == ["r", f"K{IP} accepted message.\n" + said("354 ok")]


@pytest.mark.parametrize("step", ["connect", "EHLO", "MAIL", "RCPT", "DATA", "body"])
def test_a_server_that_falls_silent(home, sink, step):
    home.control("timeoutremote", "5")  # what comes before may be slow
    server = sink({step: HANG})
    home.route(server)
    got = home.send()
    assert got[-1] == (DUPLICATE if step == "body" else DIED)
    assert got[:-1] == (["r"] if step in ("DATA", "body") else [])


@pytest.mark.parametrize("step", range(3))
def test_a_byte_now_and_then_does_not_stretch_a_reply(home, raw, step):
    replies = [b"220 x\r\n", b"250 x\r\n", b"250 ok\r\n"]

    def drip(client, _):
        with client.makefile("rb") as stream:
            for number in range(step):
                client.sendall(replies[number])
                stream.readline()
            client.sendall(replies[step][:4])
            while not server.ended.wait(0.2):
                client.sendall(b"x")

    home.control("timeoutremote", "2")
    server = raw(drip)
    home.route(server)
    assert home.send(timeout=300) == [DIED]


def test_what_is_said_to_a_server_with_everything(home, sink):
    server = sink()
    home.route(server)
    message = b"Subject: x\n\nna\xefve\n"
    assert home.run("d.example", "s@me.example", "a@d.example", "b@d.example",
                    message=message) == ["r", "r", TAKEN]
    lib.wait_until(lambda: server.commands[0][-1:] == [b"QUIT"])
    size = len(message) + message.count(b"\n")
    assert server.commands == [[
        b"EHLO me.example",
        b"MAIL FROM:<s@me.example> SIZE=%d BODY=8BITMIME" % size,
        b"RCPT TO:<a@d.example>", b"RCPT TO:<b@d.example>", b"DATA", b"QUIT"]]


def test_what_is_offered_and_not_known_is_left_alone(home, sink):
    """A server that tempts us into TLS, or answers as if we had asked for it,
    changes nothing; its TLS cannot fail either."""
    server = sink({"EHLO": "250-x\r\n250-STARTTLS\r\n250-AUTH PLAIN EXTERNAL\r\n"
                           "250-CHUNKING\r\n250-XCLIENT ADDR\r\n250-SMTPUTF8\r\n250 BINARYMIME"})
    home.route(server)
    assert home.send() == ["r", TAKEN]
    lib.wait_until(lambda: server.commands[0][-1:] == [b"QUIT"])
    assert server.commands == [[b"EHLO me.example", b"MAIL FROM:<s@me.example>",
                                b"RCPT TO:<r@d.example>", b"DATA", b"QUIT"]]


def test_what_is_said_to_an_old_server(home, sink):
    server = sink({"EHLO": "502 what"})
    home.route(server)
    home.control("helohost", "helo.example")
    assert home.send(message=b"na\xefve\n") == ["r", TAKEN]
    lib.wait_until(lambda: server.commands[0][-1:] == [b"QUIT"])
    assert server.commands == [[
        b"EHLO helo.example", b"HELO helo.example", b"MAIL FROM:<s@me.example>",
        b"RCPT TO:<r@d.example>", b"DATA", b"QUIT"]]


def test_plain_text_is_not_called_8bit(home, sink):
    server = sink({"EHLO": "250-x\r\n250 8bitmime"})
    home.route(server)
    assert home.send() == ["r", TAKEN]
    assert b"MAIL FROM:<s@me.example>" in server.commands[0]


def test_keywords_count_whole_words_of_later_lines_only(home, sink):
    server = sink({"EHLO": "250-PIPELINING SIZE\r\n250-SIZED 1\r\n250 X-SIZE 1"})
    home.route(server)
    assert home.send() == ["r", TAKEN]
    assert b"MAIL FROM:<s@me.example>" in server.commands[0]


def test_pipelining_sends_the_envelope_in_one_go(home, raw):
    seen = []

    def handle(client, _):
        client.sendall(b"220 x\r\n")
        client.recv(1000)
        client.sendall(b"250-x\r\n250 PIPELINING\r\n")
        text = b""
        while not text.endswith(b"DATA\r\n"):  # nothing is answered before
            text += client.recv(1000)
        seen.append(text)
        client.sendall(b"250 ok\r\n250 ok\r\n550 no\r\n354 go\r\n")
        text = b""
        while not text.endswith(b"\r\n.\r\n"):
            text += client.recv(1000)
        client.sendall(b"250 taken\r\n")
        client.recv(1000)

    server = raw(handle)
    home.route(server)
    assert home.send("a@d.example", "b@d.example") == [
        "r", f"h{IP} does not like recipient.\n" + said("550 no"), TAKEN]
    assert seen == [b"MAIL FROM:<s@me.example>\r\nRCPT TO:<a@d.example>\r\n"
                    b"RCPT TO:<b@d.example>\r\nDATA\r\n"]


def test_without_pipelining_each_command_waits(home, raw):
    """A server that finds anything in its buffer ahead of time complains."""
    early = []

    def handle(client, _):
        for reply in (b"220 x\r\n", b"250 x\r\n", b"250 ok\r\n", b"250 ok\r\n",
                      b"354 go\r\n"):
            client.settimeout(0.2)
            try:
                early.append(client.recv(1000))
                return
            except TimeoutError:
                client.settimeout(30)
            client.sendall(reply)
            if reply.startswith(b"354"):
                break
            client.recv(1000)
        text = b""
        while not text.endswith(b"\r\n.\r\n"):
            text += client.recv(1000)
        client.sendall(b"250 taken\r\n")
        client.recv(1000)

    server = raw(handle)
    home.route(server)
    assert home.send() == ["r", TAKEN]
    assert early == []


def test_no_recipient_accepted_but_354(home, raw):
    """RFC 2920: then a lone dot ends the empty message."""
    seen = []

    def handle(client, _):
        with client.makefile("rb") as stream:
            client.sendall(b"220 x\r\n")
            stream.readline()
            client.sendall(b"250-x\r\n250 PIPELINING\r\n")
            for reply in (b"250 ok\r\n", b"550 no\r\n", b"354 go\r\n"):
                stream.readline()
                client.sendall(reply)
            seen.append(stream.readline())
            client.sendall(b"554 no valid recipients\r\n")
            seen.append(stream.readline())

    server = raw(handle)
    home.route(server)
    assert home.send() == [f"h{IP} does not like recipient.\n" + said("550 no"),
                           f"DGiving up on {IP}.\n"]
    lib.wait_until(lambda: len(seen) == 2)
    assert seen == [b".\r\n", b"QUIT\r\n"]


def test_sender_refused_but_all_else_accepted(home, raw):
    """An empty message must not reach anyone: no dot is sent."""
    seen = []

    def handle(client, _):
        with client.makefile("rb") as stream:
            client.sendall(b"220 x\r\n")
            stream.readline()
            client.sendall(b"250-x\r\n250 PIPELINING\r\n")
            for reply in (b"550 no\r\n", b"250 ok\r\n", b"354 go\r\n"):
                stream.readline()
                client.sendall(reply)
            try:
                seen.append(stream.read())
            except ConnectionResetError:
                seen.append(b"")

    server = raw(handle)
    home.route(server)
    assert home.send() == [
        f"DConnected to {IP} but sender was rejected.\n" + said("550 no")]
    lib.wait_until(lambda: seen)
    assert seen == [b""]


def test_one_reply_too_many_before_the_body_is_no_receipt(home, raw):
    """Were it taken for the answer to the message, the mail would be lost."""
    def handle(client, _):
        with client.makefile("rb") as stream:
            client.sendall(b"220 x\r\n")
            stream.readline()
            client.sendall(b"250-x\r\n250 PIPELINING\r\n")
            for _ in range(3):
                line = stream.readline()
            assert line == b"DATA\r\n"
            client.sendall(b"250 ok\r\n250 ok\r\n354 go\r\n250 who is this for\r\n")
            stream.read()

    server = raw(handle)
    home.route(server)
    assert home.send() == ["r", DIED]


@pytest.mark.parametrize("early, want", [
    (b"250 who is this for\r\n", DIED),
    (b"552 too big\r\n",
     f"D{IP} failed after I sent the message.\n" + said("552 too big")),
    (b"451 no room\r\n",
     f"Z{IP} failed after I sent the message.\n" + said("451 no room")),
])
def test_an_answer_in_the_middle_of_the_body(home, raw, early, want):
    """It cannot be the answer to the final dot, which is then never sent."""
    ends = []

    def handle(client, _):
        with client.makefile("rb") as stream:
            for reply in (b"220 x\r\n", b"250 x\r\n", b"250 ok\r\n",
                          b"250 ok\r\n"):
                client.sendall(reply)
                stream.readline()
            client.sendall(b"354 go\r\n")
            stream.readline()
            client.sendall(early)
            last = b""
            try:
                while more := stream.read1(1 << 16):
                    last = (last + more)[-5:]
            except ConnectionResetError:
                pass  # it left without reading all that we said
            ends.append(last)

    home.route(raw(handle))
    message = b"x" * 99 + b"\n"
    # more than the buffers between the two hold
    assert home.send(message=message * 200000) == ["r", want]
    lib.wait_until(lambda: ends)
    assert ends[0] != b"\r\n.\r\n"


def test_recipients_each_with_their_own_answer(home, sink):
    def answer(argument):
        return {b"h": "550 no", b"s": "450 later", b"r": "250 ok"}[
            argument.partition(b"<")[2][:1]]

    server = sink({"RCPT": answer})
    home.route(server)
    assert home.send("r1@d", "h1@d", "s1@d", "r2@d", "h2@d") == [
        "r", f"h{IP} does not like recipient.\n" + said("550 no"),
        f"s{IP} does not like recipient.\n" + said("450 later"), "r",
        f"h{IP} does not like recipient.\n" + said("550 no"), TAKEN]
    (one,) = server.wait()
    assert one.recipients == ["r1@d", "r2@d"]


def test_a_hundred_recipients(home, sink):
    server = sink()
    home.route(server)
    to = [f"{'x' * 200}{n}@d.example" for n in range(100)]
    assert home.send(*to) == ["r"] * 100 + [TAKEN]
    assert server.wait()[0].recipients == to


@pytest.mark.parametrize("limit, fits", [(1000, True), (999, False), (0, True)])
def test_size_limit(home, sink, limit, fits):
    server = sink({"EHLO": f"250-x\r\n250 SIZE {limit}"})
    home.route(server)
    message = b"x" * 498 + b"\n" + b"y" * 498  # 498 + 2 + 498 + 2 in transit
    got = home.send(message=message)
    if fits:
        assert got == ["r", TAKEN]
        assert b"MAIL FROM:<s@me.example> SIZE=1000" in server.commands[0]
    else:
        assert got == [f"DSorry, the message is larger than {IP} accepts. (#5.3.4)\n"]
        assert not any(c.startswith(b"MAIL") for c in server.commands[0])


def test_a_pipe_has_no_known_size(home, sink):
    server = sink()
    home.route(server)
    assert home.send(pipe=True) == ["r", TAKEN]
    assert b"MAIL FROM:<s@me.example> BODY=8BITMIME" in server.commands[0]


def test_server_text_is_tamed(home, raw):
    server = raw(script(b"220 x\r\n", b"250 x\r\n",
                        b"550-a\0b\rc\r\n550-" + b"y" * 10000 + b"\r\n550 z\r\n"))
    home.route(server)
    (got,) = home.send()
    lines = got.split("\n")
    assert lines[:2] == [f"DConnected to {IP} but sender was rejected.",
                         "Remote host said: 550-a?bc"]
    assert len(lines[2]) == 4095 and set(lines[2][4:]) == {"y"}
    assert lines[3:] == ["550 z", ""]


@pytest.mark.parametrize("step", range(5))
def test_a_reply_of_a_megabyte(home, raw, step):
    replies = [b"220", b"250", b"250", b"250", b"354", b"BODY250"]
    steps = [r + b" ok\r\n" for r in replies]
    code = replies[step][-3:]
    long = replies[step] + b"-" + b"x" * 70 + b"\r\n"
    steps[step] = long + (code + b"-" + b"x" * 70 + b"\r\n") * 13000 + code + b" end\r\n"
    server = raw(script(*steps, b""))
    home.route(server)
    got = home.send()
    assert got[0] == "r" and got[1].startswith(f"K{IP} accepted message.\n")


def test_an_endless_reply_ends(home, raw):
    def handle(client, _):
        client.sendall(b"220-x\r\n")
        while True:
            client.sendall(b"220-more of this\r\n" * 1000)

    server = raw(handle)
    home.route(server)
    (got,) = home.send(timeout=300)
    assert got.startswith(f"ZConnected to {IP} but ")
    assert len(got) < 5200


def test_report_keeps_5000_bytes(home, raw):
    server = raw(script(b"220 x\r\n", b"250 x\r\n",
                        b"550-" + b"y" * 60 + b"\r\n", b""))
    server.handler = lambda client, _: script(
        b"220 x\r\n", b"250 x\r\n",
        (b"550-" + b"y" * 60 + b"\r\n") * 1000 + b"550 z\r\n")(client, 0)
    home.route(server)
    (got,) = home.send()
    text = got.split("Remote host said: ")[1]
    assert len(text) == 5000 and text.endswith("\n")


BODIES = [
    ("empty", b""), ("one byte", b"x"), ("no final newline", b"a\nb"),
    ("dots", b".\n..\n.a\n\n.\n"), ("a dot without its end", b"\n."),
    ("crlf", b"a\r\n.\r\nb\r\n"), ("eight bits", bytes(range(128, 256)) + b"\n"),
    ("a line of 100 kB", b"x" * 100000 + b"\n"),
    ("two megabytes", b"line of text\n.line\n" * 100000),
    ("nul", b"a\0b\n\0\n"),
]


@pytest.mark.parametrize("pipe", [False, True], ids=["file", "pipe"])
@pytest.mark.parametrize("what, body", BODIES, ids=[b[0] for b in BODIES])
def test_bodies_arrive_whole(home, sink, what, body, pipe):
    server = sink()
    home.route(server)
    assert home.send(message=body, pipe=pipe) == ["r", TAKEN]
    want = body.replace(b"\r\n", b"\n")
    if want and not want.endswith(b"\n"):
        want += b"\n"
    assert server.wait()[0].data == want.replace(b"\n", b"\r\n")


@pytest.mark.parametrize("vector", [b"\r.\n", b"\r.\r\n", b"\r\r.\n", b"\n.\r\n",
                                    b"\r\n.\r", b"\n.\n", b"\r.\r"])
def test_no_body_can_end_itself(home, raw, vector):
    """Anywhere in a buffer. The server reads as the laxest one does: CR, LF and
    CRLF all end a line."""
    seen = []

    def handle(client, _):
        with client.makefile("rb") as stream:
            for reply in (b"220 x\r\n", b"250 x\r\n", b"250 ok\r\n", b"250 ok\r\n"):
                client.sendall(reply)
                stream.readline()
            client.sendall(b"354 go\r\n")
            data = bytearray()
            while not data.endswith(b"\r\n.\r\n"):
                data += stream.read1(65536)
            seen.append(bytes(data))
            client.sendall(b"250 taken\r\n")

    server = raw(handle)
    home.route(server)
    body = lib.at_each_offset(vector + b"MAIL FROM:<evil@v>\n")
    assert home.send(message=body) == ["r", TAKEN]
    (data,) = seen
    assert b"\r" not in data.replace(b"\r\n", b"") and \
        b"\n" not in data.replace(b"\r\n", b"")
    assert data.split(b"\r\n").count(b".") == 1


def test_addresses_are_quoted_again(home, sink):
    server = sink()
    home.route(server)
    assert home.run("d.example", "", "a b@d.example", 'q"\\@d.example', "plain",
                    "x@y@d.example") == ["r"] * 4 + [TAKEN]
    assert [c for c in server.commands[0] if b":" in c] == [
        b"MAIL FROM:<> SIZE=20", b'RCPT TO:<"a b"@d.example>',
        b'RCPT TO:<"q\\"\\\\"@d.example>', b"RCPT TO:<plain>",
        b'RCPT TO:<"x@y"@d.example>']
    for sender, said_as in [("a b@d.example", b'<"a b"@d.example>'), ("plain", b"<plain>"),
                            ("x@Y@d.example", b'<"x@Y"@d.example>')]:
        assert home.run("d.example", sender, "r@d.example") == ["r", TAKEN]
        assert server.commands[-1][1].startswith(b"MAIL FROM:" + said_as)


@pytest.mark.parametrize("bad", ["a\nb@d.example", "a\rb@d.example",
                                 "a@d.example\r\nDATA",
                                 "a@d.example> AUTH=<b", "a@<d.example"])
def test_addresses_are_no_commands_or_parameters(home, sink, bad):
    server = sink()
    home.route(server)
    got = home.send("good@d.example", bad, "other@d.example")
    assert got[0] == "r" and got[2:] == ["r", TAKEN]
    assert got[1].startswith("h") and got[1].endswith("(#5.1.3)\n")
    assert [c for c in server.commands[0] if c.startswith(b"RCPT")] == [
        b"RCPT TO:<good@d.example>", b"RCPT TO:<other@d.example>"]
    (only,) = home.run("d.example", bad, "r@d.example")
    assert only.startswith("D") and only.endswith("(#5.1.7)\n")
    got = home.send(bad)
    assert got[0].startswith("h") and got[1].startswith("D")
    assert server.connections == 1


def test_nobody_listens(home):
    home.control("smtproutes", f":127.0.0.1:{lib.closed_port()}")
    assert home.send() == [NO_CONNECTION]


def test_usage_and_settings(home, sink):
    server = sink()
    home.route(server)
    (got,) = home.run("d.example", "s@me.example")
    assert got.startswith("D") and got.endswith("(#5.3.5)\n")
    (got,) = home.run()
    assert got.endswith("(#5.3.5)\n")
    home.control("smtproutes", ":127.0.0.1:0")
    (got,) = home.send()
    assert got.startswith("Z") and got.endswith("(#4.3.0)\n")
    home.route(server)
    home.env["DNSCACHEIP"] = "nonsense"
    (got,) = home.send()
    assert got.startswith("Z") and got.endswith("(#4.3.0)\n")
    home.env["DNSCACHEIP"] = "127.0.0.1"
    (home.path / "control/me").unlink()
    (got,) = home.send()
    assert got.startswith("Z") and got.endswith("(#4.3.0)\n")
    home.control("helohost", "h.example")
    assert home.send() == ["r", TAKEN]
    home.env["QMAILHOME"] = str(home.path / "nowhere")
    (got,) = home.send()
    assert got.startswith("Z") and got.endswith("(#4.3.0)\n")


def test_no_descriptor_0_is_no_empty_message(home, sink):
    server = sink()
    home.route(server)
    done = subprocess.run(["sh", "-c", '"$0" d.example s@x r@x <&-', home.program],
                          env={**os.environ, **home.env}, capture_output=True,
                          check=False, timeout=60)
    assert done.stdout.startswith(b"Z") and done.stdout.endswith(b"(#4.3.0)\n\0")
    assert server.connections == 0


def test_routes_choose_by_domain(home, sink):
    whole, below, rest = sink(), sink(), sink()
    home.control("smtproutes", f"a.example:[127.0.0.1]:{whole.port}\n"
                 f".a.example:127.0.0.1:{below.port}\n:127.0.0.1:{rest.port}")
    for host in ("A.example", "x.a.example", "y.x.a.example", "b.example"):
        assert home.run(host, "s@x", "r@x") == ["r", TAKEN]
    assert [s.connections for s in (whole, below, rest)] == [1, 2, 1]


def test_ipv6_relay(home, sink):
    try:
        server = sink(host="::1")
    except OSError:
        pytest.skip("no IPv6 here")
    home.control("smtproutes", f":[::1]:{server.port}")
    assert home.send() == [
        "r", "K::1 accepted message.\nRemote host said: 250 taken\n"]


# ---- tcpto ------------------------------------------------------------------

def tcpto_record(ip, count, when):
    return socket.inet_aton(ip) + struct.pack("<B3xI4x", count, int(when) & 0xFFFFFFFF)


def write_tcpto(home, *entries):
    table = b"".join(tcpto_record(*entry) for entry in entries)
    (home.path / "run/tcpto").write_bytes(table.ljust(1024, b"\0"))


def read_tcpto(home):
    return (home.path / "run/tcpto").read_bytes()


def test_a_dead_address_is_not_tried(home, sink):
    server = sink()
    home.route(server)
    write_tcpto(home, ("10.0.0.9", 3, time.time()), (IP, 2, time.time()))
    before = read_tcpto(home)
    assert home.send() == [NO_CONNECTION]
    assert server.connections == 0
    assert read_tcpto(home) == before


@pytest.mark.parametrize("count, age_s", [(1, 0), (2, 7000), (10, 7000)])
def test_others_are_and_success_clears_the_count(home, sink, count, age_s):
    server = sink()
    home.route(server)
    when = int(time.time()) - age_s
    write_tcpto(home, (IP, count, when))
    assert home.send() == ["r", TAKEN]
    assert read_tcpto(home)[:16] == tcpto_record(IP, 0, when)


def test_a_refused_connection_clears_the_count(home):
    home.control("smtproutes", f":127.0.0.1:{lib.closed_port()}")
    write_tcpto(home, (IP, 1, 1000))
    assert home.send() == [NO_CONNECTION]
    assert read_tcpto(home)[:16] == tcpto_record(IP, 0, 1000)


@pytest.fixture
def full_port():
    """A port whose queue of connections is full: further ones time out."""
    listener = socket.socket()
    listener.bind((IP, 0))
    listener.listen(0)
    others = []
    for _ in range(8):
        other = socket.socket()
        other.setblocking(False)
        other.connect_ex(listener.getsockname())
        others.append(other)
    yield listener.getsockname()[1]
    for one in [listener, *others]:
        one.close()


def test_a_timeout_is_noted_once(home, full_port):
    home.control("smtproutes", f":127.0.0.1:{full_port}")
    home.control("timeoutconnect", "1")
    write_tcpto(home)
    start = int(time.time())
    assert home.send() == [NO_CONNECTION]
    table = read_tcpto(home)
    when = struct.unpack("<I", table[8:12])[0]
    assert table == tcpto_record(IP, 1, when).ljust(1024, b"\0")
    assert start <= when <= time.time()
    assert home.send() == [NO_CONNECTION]  # within two minutes: the same event
    assert read_tcpto(home) == table
    write_tcpto(home, (IP, 1, time.time() - 121))
    assert home.send() == [NO_CONNECTION]
    assert read_tcpto(home)[4] == 2


@pytest.mark.parametrize("content", [None, b"", b"\x7f\0\0", b"\xff" * 1024])
def test_an_odd_table_does_no_harm(home, sink, content):
    server = sink()
    home.route(server)
    if content is not None:
        (home.path / "run/tcpto").write_bytes(content)
    assert home.send() == ["r", TAKEN]
    assert content is not None or not (home.path / "run/tcpto").exists()


def test_a_table_that_cannot_be_read_does_no_harm(home, sink):
    home.route(sink())
    (home.path / "run/tcpto").unlink(missing_ok=True)
    (home.path / "run/tcpto").mkdir()
    assert home.send() == ["r", TAKEN]


def test_a_table_that_others_hold_is_left_alone(home, sink):
    server = sink()
    home.route(server)
    write_tcpto(home, (IP, 1, 1000))
    before = read_tcpto(home)
    with open(home.path / "run/tcpto", "r+b") as file:
        fcntl.lockf(file, fcntl.LOCK_EX)
        assert home.send() == ["r", TAKEN]
    assert read_tcpto(home) == before
