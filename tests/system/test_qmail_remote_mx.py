"""qmail-remote finds the exchangers of a domain, in a network of its own."""

import pytest

import lib
import remote_lab


@pytest.fixture(scope="module", autouse=True)
def _needs_namespace():
    argv, why = remote_lab.command()
    if argv is None:
        pytest.skip(why)


@pytest.fixture
def lab(tmp_path):
    def run(zone, servers, **more):
        return remote_lab.run({
            "home": str(tmp_path), "program": str(lib.bin_dir() / "qmail-remote"),
            "zone": zone, "servers": servers, **more})
    return run


def taken(ip):
    return ["r", f"K{ip} accepted message.\nRemote host said: 250 taken\n"]


ONE, TWO, THREE = "10.9.0.1", "10.9.0.2", "10.9.0.3"
ALL_GOOD = {ONE: "good", TWO: "good", THREE: "good"}
THREE_MX = {"d.example MX": ["30 c.example", "10 a.example", "20 b.example"],
            "a.example A": [ONE], "b.example A": [TWO], "c.example A": [THREE]}


def test_the_lowest_preference_at_port_25(lab):
    got = lab(THREE_MX, ALL_GOOD)
    assert got["records"] == taken(ONE)
    assert got["connections"] == {ONE: 1, TWO: 0, THREE: 0}
    assert {q[1] for q in got["queries"]} == {"MX", "A", "AAAA"}


def test_the_next_one_when_nobody_listens(lab):
    assert lab(THREE_MX, {THREE: "good"})["records"] == taken(THREE)


@pytest.mark.parametrize("greeting", ["421 later", "554 never", "hello"])
def test_the_next_one_after_a_bad_greeting(lab, greeting):
    got = lab(THREE_MX, {**ALL_GOOD, ONE: greeting})
    assert got["records"] == taken(TWO)
    assert got["connections"] == {ONE: 1, TWO: 1, THREE: 0}


def test_none_left(lab):
    got = lab(THREE_MX, {THREE: "421 later"})
    assert got["records"] == [
        f"ZConnected to {THREE} but greeting failed.\nRemote host said: 421 later\n"]
    assert lab(THREE_MX, {})["records"] == [
        "ZSorry, I wasn't able to establish an SMTP connection. (#4.4.1)\n"]


def test_without_mx_the_address(lab):
    assert lab({"d.example A": [TWO]}, ALL_GOOD)["records"] == taken(TWO)


@pytest.mark.parametrize("host", [ONE, f"[{ONE}]"])
def test_an_address_literal(lab, host):
    got = lab({}, ALL_GOOD, host=host)
    assert got["records"] == taken(ONE) and got["queries"] == []


def test_aliases(lab):
    zone = {"d.example CNAME": ["e.example"], "e.example MX": ["1 a.example"],
            "a.example CNAME": ["b.example"], "b.example A": [TWO]}
    assert lab(zone, ALL_GOOD)["records"] == taken(TWO)


def test_an_answer_of_64_kilobytes(lab):
    """The best of three thousand exchangers is somewhere in the middle."""
    many = [f"{1000 + n} m{n}.e" for n in range(2600)]
    zone = {"d.example MX": [*many[:1500], "5 a.example", *many[1500:]],
            "a.example A": [THREE]}
    got = lab(zone, ALL_GOOD)
    assert got["records"] == taken(THREE)
    assert ["d.example", "MX", "tcp"] in got["queries"]


def test_mail_for_a_better_one_than_me(lab):
    zone = {"d.example MX": ["10 a.example", "20 me.example", "20 b.example",
                             "30 c.example"],
            "a.example A": [ONE], "me.example A": ["10.8.0.1"],
            "b.example A": [TWO], "c.example A": [THREE]}
    got = lab(zone, {TWO: "good", THREE: "good"}, own=["10.8.0.1/32"])
    assert got["records"] == [
        "ZSorry, I wasn't able to establish an SMTP connection. (#4.4.1)\n"]
    assert got["connections"] == {TWO: 0, THREE: 0}
    got = lab(zone, ALL_GOOD, own=["10.8.0.1/32"])
    assert got["records"] == taken(ONE)


def test_mail_that_would_come_back_to_me(lab):
    zone = {"d.example MX": ["10 me.example", "20 b.example"],
            "me.example A": ["10.8.0.1"], "b.example A": [TWO]}
    (got,) = lab(zone, ALL_GOOD, own=["10.8.0.1/32"])["records"]
    assert got.startswith("D") and got.endswith("(#5.4.6)\n")
    assert lab(zone, ALL_GOOD)["records"] == taken(TWO)  # it is not me there


def test_a_null_mx_beside_an_address(lab):
    zone = {"d.example MX": ["0 ."], "d.example A": [ONE]}
    got = lab(zone, ALL_GOOD)
    assert got["records"][0].endswith("(#5.1.10)\n")
    assert got["connections"] == {ONE: 0, TWO: 0, THREE: 0}


def test_a_failing_exchanger_does_not_hold_up_the_others(lab):
    zone = {**THREE_MX, "a.example A": "SERVFAIL"}
    assert lab(zone, ALL_GOOD)["records"] == taken(TWO)


def test_ipv6_first(lab):
    zone = {"d.example MX": ["1 a.example"], "a.example A": [ONE],
            "a.example AAAA": ["fd09::1", "fd09::2"]}
    servers = {ONE: "good", "fd09::1": "421 later", "fd09::2": "good"}
    try:
        got = lab(zone, servers, ipv6=True)
    except AssertionError as failure:
        if "IPv6" in str(failure) or "RTNETLINK" in str(failure):
            pytest.skip("no IPv6 here")
        raise
    # the first of each kind in turn
    assert got["records"] == taken(ONE)
    assert got["connections"] == {ONE: 1, "fd09::1": 1, "fd09::2": 0}
    got = lab(zone, {**servers, "fd09::1": "good"}, ipv6=True)
    assert got["records"] == taken("fd09::1")


def test_ipv6_without_a_route_comes_last(lab):
    zone = {"d.example MX": ["1 a.example"], "a.example A": [ONE],
            "a.example AAAA": ["fd09::1"]}
    got = lab(zone, {ONE: "good"})
    assert got["records"] == taken(ONE)
