"""qmail-remote -w: jobs over a socket, one connection for many messages."""

import pytest

import lib
from lib import DROP
from remote_home import Home, RawServer
from remote_worker import Worker

IP = "127.0.0.1"
TAKEN = ("K", f"{IP} accepted message.\nRemote host said: 250 taken\n")


@pytest.fixture
def home(tmp_path):
    return Home(tmp_path)


@pytest.fixture
def worker(home):
    made = []

    def make():
        made.append(Worker(home))
        return made[-1]

    yield make
    for one in made:
        one.__exit__()


def verbs(commands):
    return [line.split(b" ")[0].decode() for line in commands]


def test_many_jobs_one_connection(home, sink, worker):
    server = sink()
    home.route(server)
    one = worker()
    for number in range(20):
        body = b"Subject: %d\n\n.%d" % (number, number)
        assert one.deliver(message=body) == [TAKEN]
    got = server.wait(20)
    assert [t.message for t in got] == [
        b"Subject: %d\n\n.%d\n" % (n, n) for n in range(20)]
    assert one.end() == (0, b"", b"")
    lib.wait_until(lambda: server.commands[0][-1:] == [b"QUIT"])
    assert server.connections == 1
    assert verbs(server.commands[0]) == \
        ["EHLO"] + ["MAIL", "RCPT", "DATA"] * 20 + ["QUIT"]


def test_nothing_to_do(home, worker):
    assert worker().end() == (0, b"", b"")


@pytest.mark.parametrize("pipelining", [True, False])
def test_results_of_each_recipient(home, sink, worker, pipelining):
    def answer(argument):
        return {b"h": "550 no", b"s": "450 later", b"r": "250 ok"}[
            argument.partition(b"<")[2][:1]]

    replies = {"RCPT": answer}
    if not pipelining:
        replies["EHLO"] = "250 plain"
    home.route(sink(replies))
    refused = f"{IP} does not like recipient.\nRemote host said: "
    assert worker().deliver("r1@d", "h1@d", "s1@d", "bad\n@d") == [
        TAKEN, ("D", refused + "550 no\n"), ("Z", refused + "450 later\n"),
        ("D", "Sorry, the address has a line end in it. (#5.1.3)\n")]


@pytest.mark.parametrize("pipelining", [True, False])
@pytest.mark.parametrize("step, letter", [("MAIL", "D"), ("RCPT", "D"),
                                          ("DATA", "D"), ("body", "D")])
def test_a_failure_keeps_the_connection(home, sink, worker, step, letter, pipelining):
    replies = {step: ["550 no", "250 ok" if step != "DATA" else "354 go"]}
    if step in ("MAIL", "RCPT") and pipelining:
        # what a server says to the rest of a failed envelope
        replies["DATA"] = ["503 no", "354 go"]
        replies["RCPT"] = ["550 no", "250 ok"]
    if not pipelining:
        replies["EHLO"] = "250 plain"
    server = sink(replies)
    home.route(server)
    one = worker()
    (first,) = one.deliver()
    assert first[0] == letter and "550 no" in first[1]
    (second,) = one.deliver()
    assert second[0] == "K"
    assert server.connections == 1
    wants_rset = step != "body"
    assert ("RSET" in verbs(server.commands[0])) == wants_rset


def test_a_refused_rset_means_a_new_connection(home, sink, worker):
    server = sink({"MAIL": ["550 no", "250 ok"], "RSET": "500 what",
                   "EHLO": "250 plain"})
    home.route(server)
    one = worker()
    assert one.deliver()[0][0] == "D"
    assert one.deliver() == [TAKEN]
    assert server.connections == 2


def test_a_connection_that_was_closed_meanwhile(home, worker):
    """The server hangs up after each message, without a word or with 421."""
    def handle(client, number):
        with client.makefile("rb") as stream:
            client.sendall(b"220 x\r\n")
            for reply in (b"250 x", b"250 ok", b"250 ok", b"354 go"):
                stream.readline()
                client.sendall(reply + b"\r\n")
            while stream.readline() not in (b".\r\n", b""):
                pass
            client.sendall(b"250 taken\r\n")
            if number % 2:
                client.sendall(b"421 too idle\r\n")

    server = RawServer(handle)
    try:
        home.route(server)
        one = worker()
        for _ in range(6):
            assert one.deliver() == [TAKEN]
        assert server.connections == 6
    finally:
        server.close()


def test_death_before_mail_is_answered_is_tried_again(home, sink, worker):
    """The server takes MAIL of the second message and hangs up."""
    server = sink({"MAIL": ["250 ok", DROP, "250 ok"]})
    home.route(server)
    one = worker()
    assert one.deliver() == [TAKEN]
    assert one.deliver() == [TAKEN]
    assert server.connections == 2
    assert len(server.wait(2)) == 2


def test_421_to_mail_is_tried_again(home, sink, worker):
    server = sink({"MAIL": ["250 ok", "421 enough", "250 ok"]})
    home.route(server)
    one = worker()
    assert one.deliver() == [TAKEN]
    assert one.deliver() == [TAKEN]
    assert server.connections == 2


def test_death_later_is_not(home, sink, worker):
    server = sink({"body": ["250 taken", DROP, "250 taken"]})
    home.route(server)
    one = worker()
    assert one.deliver() == [TAKEN]
    ((letter, text),) = one.deliver()
    assert letter == "Z" and "Possible duplicate! (#4.4.2)" in text
    assert one.deliver() == [TAKEN]


def test_another_host_gets_another_connection(home, sink, worker):
    here, there = sink(), sink()
    home.control("smtproutes", f"d.example:127.0.0.1:{here.port}\n"
                 f"e.example:127.0.0.1:{there.port}")
    one = worker()
    for host in ("d.example", "D.example", "e.example"):
        assert one.deliver(host=host) == [TAKEN]
    assert (here.connections, there.connections) == (1, 1)
    assert (len(here.wait(2)), len(there.wait(1))) == (2, 1)


def test_a_change_of_control_counts_for_the_next_job(home, sink, worker):
    first, second = sink(), sink()
    home.route(first)
    one = worker()
    assert one.deliver() == [TAKEN]
    home.route(second)
    assert one.deliver() == [TAKEN]
    lib.wait_until(lambda: first.commands[0][-1:] == [b"QUIT"])
    home.control("helohost", "new.example")
    assert one.deliver() == one.deliver() == [TAKEN]
    assert (first.connections, second.connections) == (1, 2)
    assert second.commands[1][0] == b"EHLO new.example"
    (home.path / "control/smtproutes").unlink()
    (home.path / "control/smtproutes").mkdir()
    ((letter, text),) = one.deliver()
    assert letter == "Z" and text.endswith("(#4.3.0)\n")
    (home.path / "control/smtproutes").rmdir()
    home.route(first)
    assert one.deliver() == [TAKEN]
    assert first.connections == 2
    assert one.end()[0] == 0


def test_settings_that_cannot_be_read(home, worker):
    (home.path / "control/me").unlink()
    one = worker()
    for _ in range(2):
        got = one.deliver("a@d", "b@d")
        assert [g[0] for g in got] == ["Z", "Z"]
        assert got[0][1].endswith("(#4.3.0)\n")
    assert one.end()[0] == 0


def test_a_job_without_a_message(home, sink, worker):
    home.route(sink())
    one = worker()
    ((letter, text),) = one.deliver(with_fd=False)
    assert letter == "Z" and text.endswith("(#4.3.0)\n")
    assert one.deliver() == [TAKEN]


@pytest.mark.parametrize("garbage", [b"x", b"1:R,", b"1:J,1:1,1:1,1:h,1:s,",
                                     b"1:J,1:1,1:1,1:h,1:s,5:r,"])
def test_garbage_ends_the_worker(worker, garbage):
    one = worker()
    one.sock.send(garbage)
    assert one.sock.recv(1000) == b""
    status, out, err = one.end()
    assert (status, out) == (111, b"") and b"no job" in err


def test_the_largest_job(home, sink, worker):
    server = sink()
    home.route(server)
    to = [f"{'x' * 990}{n}@d" for n in range(100)]
    assert worker().deliver(*to) == [TAKEN] * 100
    assert server.wait()[0].recipients == to
