"""The programs that look at the system, as root and as an ordinary user."""

import os
import struct
import subprocess
import time

import lib
import pytest
from conftest import NAMES, USER, sh


def as_root(installation, program):
    return subprocess.run(
        [installation.bin / program], capture_output=True, text=True, cwd="/",
        env={"PATH": os.environ["PATH"], "QMAILHOME": str(installation.home)},
        timeout=lib.TIMEOUT_S)


CODE = """
import os, subprocess, sys
done = subprocess.run([sys.argv[1]], env={"QMAILHOME": sys.argv[2]},
                      capture_output=True, text=True)
print(done.returncode, done.stdout + done.stderr)
"""


def as_account(installation, program, user, group):
    return installation.as_account(
        user, group, CODE, installation.bin / program, installation.home)


def test_tcpok_forgets_as_qmailr(installation):
    table = installation.home / "run/tcpto"
    table.write_bytes(struct.pack("<4sB3xI4x", b"\x0a\0\0\1", 2, int(time.time()))
                      .ljust(1024, b"\0"))
    before = table.stat()
    assert "10.0.0.1 timed out" in as_root(installation, "qmail-tcpto").stdout
    done = as_root(installation, "qmail-tcpok")
    assert (done.returncode, done.stderr) == (0, "")
    assert table.read_bytes() == bytes(1024)
    after = table.stat()
    assert (after.st_uid, after.st_gid, after.st_mode) == (
        before.st_uid, before.st_gid, before.st_mode)
    assert after.st_uid == installation.uid("qmailr")


def test_only_qmailr_and_root_may_forget(installation):
    assert as_account(installation, "qmail-tcpok", USER, USER).startswith("111 ")


@pytest.mark.parametrize("program", ["qmail-qread", "qmail-qstat"])
def test_the_queue_is_for_root_and_the_group_qmail(installation, program):
    done = as_root(installation, program)
    assert (done.returncode, done.stderr) == (0, "")
    assert as_account(installation, program, USER, "qmail").startswith("0 ")
    refused = as_account(installation, program, USER, USER)
    assert refused.startswith("111 ") and "Permission denied" in refused


def test_showctl_names_the_accounts(installation):
    text = as_root(installation, "qmail-showctl").stdout
    ids = ", ".join(str(installation.uid(n)) for n in (
        "alias", "qmaild", "qmaill", "root", "qmailp", "qmailq", "qmailr", "qmails"))
    assert f"\nuser ids: {ids}.\n" in text
    groups = ", ".join(sh("getent", "group", NAMES[n]).stdout.split(":")[2]
                       for n in ("nofiles", "qmail"))
    assert f"\ngroup ids: {groups}.\n" in text
    assert as_account(installation, "qmail-showctl", USER, USER) == f"0 {text}\n"


def test_newmrh_belongs_to_root(installation):
    (installation.home / "control/morercpthosts").write_text("more.example\n")
    assert as_account(installation, "qmail-newmrh", USER, USER).startswith("111 ")
    assert as_root(installation, "qmail-newmrh").returncode == 0
    made = installation.home / "control/morercpthosts.cdb"
    assert made.stat().st_mode & 0o7777 == 0o644
    (installation.home / "control/morercpthosts").unlink()
    made.unlink()
