"""The spawns with the workers that they were made for."""

import lib
import pytest
import spawnlib


@pytest.fixture
def local():
    one = spawnlib.Spawn("qmail-lspawn", "./Maildir/")
    one.real("qmail-local")
    one.real("qmail-getpw")
    one.control("localidle", "600\n")
    yield one
    one.remove()


@pytest.fixture
def remote(sink):
    one = spawnlib.Spawn("qmail-rspawn")
    one.real("qmail-remote")
    one.control("remoteidle", "600\n")
    one.control("me", "me.example\n")
    one.sink = sink()
    one.control("smtproutes", f":127.0.0.1:{one.sink.port}\n")
    yield one
    one.remove()


def make_maildir(path):
    for part in (path, path / "new", path / "cur", path / "tmp"):
        part.mkdir(mode=0o700)
        lib.give(part)


def test_one_qmail_local_delivers_many(local):
    make_maildir(local.home / "alias" / "Maildir")
    (local.home / "alias" / ".qmail-default").write_text("./Maildir/\n")
    local.start()
    for number in range(20):
        local.job(number, "", f"user{number}@d.example")
        number, index, letter, text = local.result()
        assert (letter, text) == ("K", "did 1+0+0\n")
    found = sorted((local.home / "alias" / "Maildir" / "new").iterdir())
    assert len(found) == 20
    assert {p.read_bytes().splitlines()[1] for p in found} == {
        b"Delivered-To: user%d@d.example" % n for n in range(20)}
    assert all(p.read_bytes().endswith(b"\nSubject: x\n\nbody\n")
               for p in found)
    assert len(local.children()) == 2  # it, and qmail-getpw


def test_qmail_local_fails_and_goes_on(local):
    (local.home / "alias" / ".qmail-bad").write_text("|echo no; exit 100\n")
    (local.home / "alias" / ".qmail-later").write_text("|echo soon; exit 1\n")
    local.start()
    local.job(1, "", "bad@d")
    assert local.result() == (1, 0, "D", "no\n")
    local.job(2, "", "later@d")
    assert local.result() == (2, 0, "Z", "soon\n")
    local.job(3, "", "nobody-at-all@d")
    number, index, letter, text = local.result()
    assert letter == "D" and "5.1.1" in text


def test_one_qmail_remote_sends_many_over_one_connection(remote):
    remote.start()
    for number in range(5):
        remote.job(number, "h.example", "a@h.example", "b@h.example")
        got = remote.results(2)
        assert [g[:3] for g in got] == [(number, 0, "K"), (number, 1, "K")]
    assert len(remote.children()) == 1
    assert remote.finish() == 0
