"""qmail-newmrh and qmail-newmvrt: a list becomes a database, and is obeyed."""

import smtplib

import lib
import pytest

LIST = "# ours\nOne.Example \t\n\n.Below.Example\ntwo.example\ntwo.example\nlast.example"
CDB = lib.cdb_bytes([(b"one.example", b""), (b".below.example", b""),
                     (b"two.example", b""), (b"two.example", b""),
                     (b"last.example", b"")])


@pytest.fixture(params=[("qmail-newmrh", "morercpthosts"),
                        ("qmail-newmvrt", "morevalidrcptto")],
                ids=lambda p: p[0])
def one(request, home):
    """A home, the program and its list."""
    home.program, home.list = request.param
    home.path = lambda end: home.home / "control" / (home.list + end)
    return home


def compile_list(one):
    return one.run(one.program)


def test_the_database_byte_for_byte(one):
    one.write_control(one.list, LIST)
    done = compile_list(one)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    made = one.path(".cdb")
    assert made.read_bytes() == CDB
    assert made.stat().st_mode & 0o7777 == 0o644
    assert not one.path(".tmp").exists()


def test_an_empty_list(one):
    one.write_control(one.list, "")
    assert compile_list(one).returncode == 0
    assert one.path(".cdb").read_bytes() == lib.cdb_bytes([])


def test_it_replaces_the_old_one_and_what_a_crash_left(one):
    one.write_control(one.list + ".cdb", "old")
    one.write_control(one.list + ".tmp", "half")
    one.write_control(one.list, LIST)
    assert compile_list(one).returncode == 0
    assert one.path(".cdb").read_bytes() == CDB


def test_a_missing_list(one):
    one.write_control(one.list + ".cdb", "old")
    done = compile_list(one)
    assert done.returncode == 111 and f"control/{one.list}".encode() in done.stderr
    assert one.path(".cdb").read_bytes() == b"old"


def test_it_cannot_write(one):
    one.write_control(one.list, LIST)
    one.path(".tmp").mkdir()
    assert compile_list(one).returncode == 111
    assert not one.path(".cdb").exists()


def test_usage(one):
    assert one.run(one.program, "x").returncode == 100


def test_the_receiver_obeys_it(instance):
    instance.write_control("morercpthosts", LIST)
    assert instance.run("qmail-newmrh").returncode == 0
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
