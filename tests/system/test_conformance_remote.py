"""qmail-remote, as doc/interfaces/55-remote.md states it."""

import pytest

from lib import HANG, wait_until
from remote_home import RawServer
from test_qmail_remote_dns import dns, home  # noqa: F401, fixtures

IP = "127.0.0.1"
TAKEN = f"K{IP} accepted message.\nRemote host said: 250 taken\n"
PLAIN = "250 sink.example"  # an answer to EHLO that offers nothing


@pytest.mark.parametrize("name", ["me", "helohost", "smtproutes", "timeoutconnect",
                                  "timeoutremote"])
def test_unreadable_controls(home, name):
    path = home.path / "control" / name
    path.unlink(missing_ok=True)
    path.mkdir()
    (got,) = home.send()
    assert got.startswith("Z") and got.endswith("(#4.3.0)\n")


def test_an_empty_relay_means_dns(home, dns, sink):
    server = sink()
    home.control("smtproutes", f"d.example:\n:127.0.0.1:{server.port}")
    asked = dns({})
    (got,) = home.send()
    assert got.endswith("(#5.1.2)\n") and ("d.example", "MX") in asked.asked()
    assert home.run("other.example", "s@x", "r@x") == ["r", TAKEN]


@pytest.mark.parametrize("reply", ["450 later", "550 never"])
def test_no_data_without_a_recipient(home, sink, reply):
    server = sink({"EHLO": PLAIN, "RCPT": reply})
    home.route(server)
    assert len(home.send("a@d.example", "b@d.example")) == 3
    wait_until(lambda: server.commands[0][-1:] == [b"QUIT"])
    assert [c[:4] for c in server.commands[0]] == [b"EHLO", b"MAIL", b"RCPT", b"RCPT",
                                                   b"QUIT"]


def test_quit_is_not_waited_for(home, sink):
    """timeoutremote is 1200 seconds, and the server says nothing."""
    server = sink({"QUIT": HANG})
    home.route(server)
    assert home.send(timeout=300) == ["r", TAKEN]


def test_a_server_that_stops_reading(home):
    """What is written may wait no longer than an answer."""
    def handle(client, _):
        with client.makefile("rb") as stream:
            for reply in (b"220 x\r\n", b"250 x\r\n", b"250 ok\r\n", b"250 ok\r\n"):
                client.sendall(reply)
                stream.readline()
            client.sendall(b"354 go\r\n")
            server.ended.wait(300)

    server = RawServer(handle)
    home.route(server)
    home.control("timeoutremote", "5")  # the server may be slow before that
    try:
        assert home.send(message=b"x" * 99 + b"\n" * 10000000, timeout=300) == [
            "r", f"ZConnected to {IP} but connection died. (#4.4.2)\n"]
    finally:
        server.close()


EVENTS = [
    ("greeting", {"connect": "554 no"}),
    ("EHLO and HELO", {"EHLO": "500 what", "HELO": "550 no"}),
    ("MAIL 4xx", {"MAIL": "450 later"}), ("MAIL 5xx", {"MAIL": "550 no"}),
    ("all RCPT", {"RCPT": "550 no"}),
    ("DATA 4xx", {"DATA": "450 later"}), ("DATA 5xx", {"DATA": "554 no"}),
    ("final dot 4xx", {"body": "450 later"}), ("final dot 5xx", {"body": "554 no"}),
    ("accepted", {}),
]


@pytest.mark.parametrize("what, replies", EVENTS, ids=[e[0] for e in EVENTS])
def test_which_events_end_with_quit(home, sink, what, replies):
    server = sink({"EHLO": PLAIN, **replies})
    home.route(server)
    home.send()
    wait_until(lambda: server.commands[0][-1:] == [b"QUIT"], what=f"QUIT after {what}")


def test_aliases_do_not_change_addresses(home, dns, sink):
    server = sink()
    home.control("smtproutes", f":relay.example:{server.port}")
    dns({"relay.example CNAME": ["real.example"], "real.example A": [IP],
         "d.example CNAME": ["real.example"]})
    assert home.send("r@d.example") == ["r", TAKEN]
    assert b"RCPT TO:<r@d.example>" in server.commands[0]
