"""qmail-newmrh: control/morercpthosts becomes a database, and is obeyed."""

import smtplib

import lib
import pytest

LIST = "# ours\nOne.Example \t\n\n.Below.Example\ntwo.example\ntwo.example\nlast.example"
CDB = lib.cdb_bytes([(b"one.example", b""), (b".below.example", b""),
                     (b"two.example", b""), (b"two.example", b""),
                     (b"last.example", b"")])


def newmrh(home, **more):
    return home.run("qmail-newmrh", **more)


def test_the_database_byte_for_byte(home):
    home.write_control("morercpthosts", LIST)
    done = newmrh(home)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    made = home.home / "control/morercpthosts.cdb"
    assert made.read_bytes() == CDB
    assert made.stat().st_mode & 0o7777 == 0o644
    assert not (home.home / "control/morercpthosts.tmp").exists()


def test_an_empty_list(home):
    home.write_control("morercpthosts", "")
    assert newmrh(home).returncode == 0
    assert (home.home / "control/morercpthosts.cdb").read_bytes() == lib.cdb_bytes([])


def test_it_replaces_the_old_one_and_what_a_crash_left(home):
    home.write_control("morercpthosts.cdb", "old")
    home.write_control("morercpthosts.tmp", "half")
    home.write_control("morercpthosts", LIST)
    assert newmrh(home).returncode == 0
    assert (home.home / "control/morercpthosts.cdb").read_bytes() == CDB


def test_a_missing_list(home):
    home.write_control("morercpthosts.cdb", "old")
    done = newmrh(home)
    assert done.returncode == 111 and b"control/morercpthosts" in done.stderr
    assert (home.home / "control/morercpthosts.cdb").read_bytes() == b"old"


def test_it_cannot_write(home):
    home.write_control("morercpthosts", LIST)
    (home.home / "control/morercpthosts.tmp").mkdir()
    assert newmrh(home).returncode == 111
    assert not (home.home / "control/morercpthosts.cdb").exists()


def test_usage(home):
    assert home.run("qmail-newmrh", "x").returncode == 100


def test_the_receiver_obeys_it(instance):
    instance.write_control("morercpthosts", LIST)
    assert newmrh(instance).returncode == 0
    client = instance.smtp()
    client.ehlo()
    client.mail("s@x.example")
    for domain in ("ONE.example", "x.below.example", "last.example"):
        assert client.rcpt("a@" + domain)[0] == 250
    for domain in ("below.example", "x.one.example", "ours"):
        assert client.rcpt("a@" + domain)[0] == 553
    with pytest.raises(smtplib.SMTPServerDisconnected):
        client.quit()
        client.noop()
