"""The tools for .qmail files: the statements that no other test holds."""

import shutil

import pytest

import lib
from test_qmail_local_tools import MESSAGE, box, run  # noqa: F401

CALLERS = {"preline": [], "condredirect": ["a@b"], "bouncesaying": ["no"],
           "except": []}


@pytest.mark.parametrize("program", CALLERS)
def test_program_that_is_busy(box, program):  # noqa: F811
    """A program that somebody is writing cannot be run now."""
    busy = box.path / "busy"
    shutil.copy("/bin/true", busy)
    with open(busy, "r+b"):
        assert run(box, program, *CALLERS[program], busy)[0] == 111
    assert box.queued() is None


@pytest.mark.parametrize("program", CALLERS)
def test_program_that_is_killed(box, program):  # noqa: F811
    killed = run(box, program, *CALLERS[program], "sh", "-c", "kill -9 $$")
    assert killed[0] == 111
    assert box.queued() is None


@pytest.mark.parametrize("options, head", [
    (["-frd", "-F"], b"uf\n"), (["-frd", "-R"], b"rp\n"), (["-frdD"], b"dt\n"),
    (["-frdFRD"], b"uf\nrp\ndt\n"), (["-F", "-f"], b"rp\ndt\n")])
def test_preline_capitals(box, options, head):  # noqa: F811
    assert run(box, "preline", *options, "cat") == (0, head + MESSAGE, b"")


@pytest.mark.parametrize("code", [1, 99, 100])
def test_silence(box, code):  # noqa: F811
    assert run(box, "condredirect", "a@b", "sh", "-c", f"exit {code}") == (0, b"", b"")


def test_programs_that_are_not_here():
    installed = {line.split()[0].rpartition("/")[2] for line in
                 (lib.REPO / "etc/privileges").read_text().splitlines()
                 if line.startswith("bin/")}
    assert {"preline", "maildir2mbox", "newaliases"} <= installed
    assert not installed & {
        "elq", "pinq", "qail", "qsmhook", "dot-forward", "fastforward",
        "setforward", "printforward", "setmaillist", "newinclude"}
