"""qmail-remote and the name system: what it asks, and what it concludes.

Deliveries that succeed go through a relay whose name is looked up; those by
MX succeed in test_qmail_remote_mx.py, since here every reachable address is
this machine's own."""

import pytest

from dns_server import DnsServer
from remote_home import Home, RawServer, script

NO_CONNECTION = "ZSorry, I wasn't able to establish an SMTP connection. (#4.4.1)\n"
GOOD = (b"220 x\r\n", b"250 x\r\n", b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n",
        b"BODY250 taken\r\n", b"")


@pytest.fixture
def home(tmp_path):
    return Home(tmp_path)


@pytest.fixture
def dns(home):
    made = []

    def make(zone, host="127.0.0.1"):
        made.append(DnsServer(zone, host))
        home.env["DNSCACHEIP"] = made[-1].address
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def servers():
    """servers({"127.0.0.2": handler, ...}): one port at several addresses."""
    made = []

    def make(handlers):
        for _ in range(50):
            tried, port = [], 0
            try:
                for host, handler in handlers.items():
                    tried.append(RawServer(handler, host, port))
                    port = tried[0].port
                made.extend(tried)
                return tried
            except OSError:
                for one in tried:
                    one.close()
        raise AssertionError("no port is free at all addresses")

    yield make
    for one in made:
        one.close()


MANY = [f"{n % 60000} mx{n}.some-long-name.example" for n in range(1200)]

CONCLUSIONS = [
    ("no such host", {}, "D", "#5.1.2"),
    ("a name without MX and address", {"d.example CNAME": []}, "D", "#5.1.2"),
    ("an alias to nowhere", {"d.example CNAME": ["x.example"]}, "D", "#5.1.2"),
    ("exchangers that do not exist", {"d.example MX": ["1 a.example"]}, "D", "#5.4.4"),
    ("an exchanger that is no host name",
     {"d.example MX": ["1 a b.example"]}, "D", "#5.4.4"),
    ("no mail here", {"d.example MX": ["0 ."]}, "D", "#5.1.10"),
    ("the best exchanger is me",
     {"d.example MX": ["1 a.example"], "a.example A": ["127.0.0.1"]}, "D", "#5.4.6"),
    ("it is 0.0.0.0",
     {"d.example MX": ["1 a.example"], "a.example A": ["0.0.0.0"]}, "D", "#5.4.6"),
    ("it is ::1",
     {"d.example MX": ["1 a.example"], "a.example AAAA": ["::1"]}, "D", "#5.4.6"),
    ("the host itself is me", {"d.example A": ["127.0.0.3"]}, "D", "#5.4.6"),
    ("by way of an alias",
     {"d.example CNAME": ["e.example"], "e.example MX": ["1 a.example"],
      "a.example CNAME": ["b.example"], "b.example A": ["127.0.0.1"]}, "D", "#5.4.6"),
    ("an answer of many kilobytes", {"d.example MX": MANY, "mx0.some-long-name.example A":
                                     ["127.0.0.1"]}, "D", "#5.4.6"),
    ("the server fails at MX",
     {"d.example MX": "SERVFAIL", "d.example A": ["127.0.0.1"]}, "Z", "#4.1.2"),
    ("it refuses",
     {"d.example MX": "REFUSED", "d.example A": ["127.0.0.1"]}, "Z", "#4.1.2"),
    ("it talks nonsense",
     {"d.example MX": "GARBAGE", "d.example A": ["127.0.0.1"]}, "Z", "#4.1.2"),
    ("it fails at the exchanger's address",
     {"d.example MX": ["1 a.example"], "a.example A": "SERVFAIL"}, "Z", "#4.1.2"),
    ("it fails at the host's address", {"d.example A": "SERVFAIL"}, "Z", "#4.1.2"),
    ("it fails at the first, the second is me",
     {"d.example MX": ["1 a.example", "2 b.example"], "a.example A": "SERVFAIL",
      "b.example A": ["127.0.0.1"]}, "Z", "#4.1.2"),
]


@pytest.mark.parametrize("what, zone, letter, code", CONCLUSIONS,
                         ids=[c[0] for c in CONCLUSIONS])
def test_conclusions(home, dns, what, zone, letter, code):
    server = dns(zone)
    (got,) = home.send()
    assert got.startswith(letter) and got.endswith(f"({code})\n"), (what, got)
    assert {kind for _, kind in server.asked()} <= {"MX", "A", "AAAA"}


def test_large_answers_come_over_tcp(home, dns):
    server = dns({"d.example MX": MANY})
    (got,) = home.send()
    assert got.endswith("(#5.4.4)\n")
    assert [q for q in server.queries if q[1] == "MX"] == [
        ("d.example", "MX", "udp"), ("d.example", "MX", "tcp")]
    assert len(server.queries) < 200  # not all of its 1200 exchangers


@pytest.mark.parametrize("host", ["", ".", "a..b", "a b.example", "x" * 64 + ".example",
                                  "a" * 300, "d\xe4.example", "a\n.example", "[1.2.3]"])
def test_names_that_cannot_exist_are_not_asked_for(home, dns, host):
    server = dns({})
    (got,) = home.run(host, "s@x", "r@x")
    assert got.startswith("DSorry, I couldn't find any host named ")
    assert got.endswith("(#5.1.2)\n") and got.count("\n") == 1
    assert server.queries == []


@pytest.mark.parametrize("host", ["127.0.0.1", "[127.0.0.1]", "[IPv6:::1]", "0.0.0.0",
                                  "[::]", "::1"])
def test_literals_of_this_machine(home, dns, host):
    server = dns({})
    (got,) = home.run(host, "s@x", "r@x")
    assert got.startswith("D") and got.endswith("(#5.4.6)\n")
    assert server.queries == []


def test_no_resolver(home):
    home.env["DNSCACHEIP"] = "127.0.0.1:1"  # nobody listens there
    (got,) = home.send()
    assert got.startswith("Z") and got.endswith("(#4.1.2)\n")


def test_a_resolver_that_says_nothing(home, dns):
    home.env["RES_OPTIONS"] = "timeout:1 attempts:1"
    dns({"d.example MX": "SILENT"})
    (got,) = home.send()
    assert got.startswith("Z") and got.endswith("(#4.1.2)\n")


def test_a_resolver_at_an_ipv6_address(home, dns):
    try:
        server = dns({"d.example MX": MANY}, "::1")
    except OSError:
        pytest.skip("no IPv6 here")
    (got,) = home.send()
    assert got.endswith("(#5.4.4)\n")
    assert server.queries[1] == ("d.example", "MX", "tcp")


def test_a_relay_by_name(home, dns, servers):
    (server,) = servers({"127.0.0.1": script(*GOOD)})
    home.control("smtproutes", f":relay.example:{server.port}")
    asked = dns({"relay.example A": ["127.0.0.1"], "relay.example MX": ["1 x.example"]})
    assert home.send()[-1].startswith("K127.0.0.1 accepted message.\n")
    assert asked.asked() == {("relay.example", "A"), ("relay.example", "AAAA")}


def test_a_relay_that_does_not_exist(home, dns):
    home.control("smtproutes", ":relay.example")
    dns({})
    (got,) = home.send()
    assert "relay.example" in got and got.endswith("(#5.1.2)\n")


def close_at_once(client, _):
    client.close()


NEXT = [
    ("greeting 4xx", script(b"421 later\r\n", b"")),
    ("greeting 5xx", script(b"554 never\r\n", b"")),
    ("hangs up at once", close_at_once),
    ("hangs up at EHLO", script(b"220 x\r\n", b"")),
    ("refuses EHLO and HELO", script(b"220 x\r\n", b"502 x\r\n", b"550 x\r\n", b"")),
    ("EHLO 421", script(b"220 x\r\n", b"421 x\r\n", b"")),
    ("hangs up at MAIL", script(b"220 x\r\n", b"250 x\r\n", b"")),
    ("MAIL 421", script(b"220 x\r\n", b"250 x\r\n", b"421 x\r\n")),
    ("two replies at once", script(b"220 x\r\n", b"250 x\r\n250 y\r\n", b"")),
]


@pytest.mark.parametrize("what, bad", NEXT, ids=[n[0] for n in NEXT])
def test_the_next_address(home, dns, servers, what, bad):
    first, second, third = servers({"127.0.0.1": bad, "127.0.0.2": bad,
                                    "127.0.0.3": script(*GOOD)})
    home.control("smtproutes", f":relay.example:{first.port}")
    dns({"relay.example A": ["127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4"]})
    assert home.send() == [
        "r", "K127.0.0.3 accepted message.\nRemote host said: 250 taken\n"], what
    assert [s.connections for s in (first, second, third)] == [1, 1, 1]


LAST_WORD = [
    ("MAIL 4xx", (b"450 later\r\n",), "ZConnected to 127.0.0.1 but sender was rejected.\n"),
    ("MAIL 5xx", (b"550 no\r\n",), "DConnected to 127.0.0.1 but sender was rejected.\n"),
    ("RCPT 4xx", (b"250 ok\r\n", b"450 later\r\n"), "DGiving up on 127.0.0.1.\n"),
    ("dies at RCPT", (b"250 ok\r\n", b""),
     "ZConnected to 127.0.0.1 but connection died. (#4.4.2)\n"),
]


@pytest.mark.parametrize("what, replies, want", LAST_WORD, ids=[w[0] for w in LAST_WORD])
def test_the_first_that_answers_mail_has_the_last_word(
        home, dns, servers, what, replies, want):
    first, second = servers({"127.0.0.1": script(b"220 x\r\n", b"250 x\r\n", *replies),
                             "127.0.0.2": script(*GOOD)})
    home.control("smtproutes", f":relay.example:{first.port}")
    dns({"relay.example A": ["127.0.0.1", "127.0.0.2"]})
    assert home.send()[-1].startswith(want), what
    assert second.connections == 0


def test_all_greetings_bad(home, dns, servers):
    bad = script(b"421 later\r\n", b"")
    first, _ = servers({"127.0.0.1": bad, "127.0.0.2": bad})
    home.control("smtproutes", f":relay.example:{first.port}")
    dns({"relay.example A": ["127.0.0.1", "127.0.0.2", "127.0.0.3"]})
    assert home.send() == [
        "ZConnected to 127.0.0.2 but greeting failed.\nRemote host said: 421 later\n"]


def test_a_bounded_number_of_addresses(home, dns, servers):
    hosts = [f"127.0.1.{n}" for n in range(1, 61)]
    made = servers(dict.fromkeys(hosts, script(b"421 later\r\n", b"")))
    home.control("smtproutes", f":relay.example:{made[0].port}")
    dns({"relay.example A": hosts})
    (got,) = home.send()
    assert got.startswith("ZConnected to 127.0.1.")
    assert 1 <= sum(s.connections for s in made) <= 20


def test_ipv6_and_ipv4_of_a_relay(home, dns, servers):
    try:
        six, four = servers({"::1": script(b"421 later\r\n", b""),
                             "127.0.0.1": script(*GOOD)})
    except AssertionError:
        pytest.skip("no IPv6 here")
    home.control("smtproutes", f":relay.example:{six.port}")
    dns({"relay.example A": ["127.0.0.1"], "relay.example AAAA": ["::1"]})
    assert home.send()[-1].startswith("K127.0.0.1 accepted message.\n")
    assert (six.connections, four.connections) == (1, 1)  # IPv6 first


def test_nobody_at_any_address(home, dns):
    home.control("smtproutes", ":relay.example:1")
    dns({"relay.example A": ["127.0.0.1", "127.0.0.2"], "relay.example AAAA": ["::1"]})
    assert home.send() == [NO_CONNECTION]
