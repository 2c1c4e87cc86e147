"""qmail-remote: which own address it leaves from (control/outgoingip), and which
addresses are its own (control/moreipme, control/notipme)."""

import pytest

import lib
import remote_lab
from remote_home import Home

ONE, TWO, OWN = "10.9.0.1", "10.9.0.2", "10.8.0.1"
ZONE = {"d.example MX": ["10 a.example", "20 b.example"],
        "a.example A": [ONE], "b.example A": [TWO]}


@pytest.fixture
def lab(tmp_path):
    _, why = remote_lab.command()
    if why:
        pytest.skip(why)

    def run(own=(OWN + "/32",), zone=None, servers=None, **control):
        got = remote_lab.run({
            "home": str(tmp_path), "program": str(lib.bin_dir() / "qmail-remote"),
            "zone": zone or ZONE, "servers": servers or {ONE: "good", TWO: "good"},
            "own": own, "control": control})
        return got["records"], got["clients"]
    return run


def taken(ip):
    return ["r", f"K{ip} accepted message.\nRemote host said: 250 taken\n"]


@pytest.mark.parametrize("text", [OWN, f"[{OWN}]", f"::\n{OWN}\n192.0.2.1", f"# x\n{OWN} "])
def test_the_address_that_it_leaves_from(lab, text):
    records, clients = lab(outgoingip=text)
    assert (records, clients[ONE]) == (taken(ONE), [OWN])


@pytest.mark.parametrize("text", ["", "0.0.0.0", "::", "2001:db8::1"])
def test_none_for_this_kind(lab, text):
    records, clients = lab(outgoingip=text)
    assert records == taken(ONE) and clients[ONE] != [OWN]


def test_by_qmtp_too(lab):
    records, clients = lab(
        outgoingip=OWN, servers={f"{ONE} 209": "qmtp"},
        zone={"d.example MX": ["12801 a.example"], "a.example A": [ONE]})
    assert records[0] == "r" and clients[f"{ONE} 209"] == [OWN]


def test_an_address_that_is_not_ours(lab):
    """It is no reason to leave from another one."""
    records, clients = lab(outgoingip="192.0.2.77")
    assert records == [
        "ZSorry, I wasn't able to establish an SMTP connection. (#4.4.1)\n"]
    assert clients == {ONE: [], TWO: []}


@pytest.mark.parametrize("text", [ONE, "10.9.0.0/255.255.255.254\n", "10.9.0.0/31"])
def test_moreipme_makes_a_best_exchanger_ours(lab, text):
    (record,), clients = lab(moreipme=text)
    assert record.startswith("D") and record.endswith("(#5.4.6)\n")
    assert clients == {ONE: [], TWO: []}


def test_moreipme_keeps_what_is_better(lab):
    records, clients = lab(moreipme=TWO, servers={TWO: "good"})
    assert records[0].startswith("Z") and clients == {TWO: []}
    assert lab(moreipme=TWO)[0] == taken(ONE)


@pytest.mark.parametrize("control", [
    {"notipme": ONE}, {"notipme": "10.9.0.0/16"},
    {"notipme": ONE, "moreipme": "10.0.0.0/8"}])
def test_notipme_wins(lab, control):
    assert lab(own=[ONE + "/32"], **control)[0] == taken(ONE)


def test_without_notipme_it_is_ours(lab):
    assert lab(own=[ONE + "/32"])[0][0].startswith("D")


@pytest.mark.parametrize("name", ["outgoingip", "moreipme", "notipme"])
@pytest.mark.parametrize("text", ["localhost", "1.2.3", "1.2.3.4/33", "1.2.3.4/x", None])
def test_a_file_that_makes_no_sense(tmp_path, name, text):
    home = Home(tmp_path)
    if text is None:
        (tmp_path / "control" / name).mkdir()
    else:
        home.control(name, text)
    assert home.send() == [
        f"ZUnable to read or understand control/{name}. (#4.3.0)\n"]
