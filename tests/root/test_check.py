"""qmail-check as root, on an installation with real accounts."""

import os
import subprocess

import lib
import pytest
from conftest import NAMES, USER

DOWN = "run/submit.sock: qmail-queued is not running"


def check(installation, *args):
    done = subprocess.run(
        [installation.bin / "qmail-check", *args], capture_output=True, text=True,
        cwd="/", env={"PATH": os.environ["PATH"], "QMAILHOME": str(installation.home)},
        timeout=lib.TIMEOUT_S)
    found = done.stdout.splitlines()[::3]
    assert done.returncode == (1 if found else 0), done.stderr
    return [line for line in found if line != DOWN]


@pytest.fixture
def complete(installation):
    """With the file that qmail-conf leaves to the administrator."""
    path = installation.home / "control/rcpthosts"
    path.write_text("root.example\n")
    yield installation
    path.unlink()


def test_an_installation_has_no_finding(complete):
    assert check(complete) == []
    assert check(complete, "-u", USER) == []


@pytest.mark.parametrize("path, mode", [
    ("bin/qmail-queue", 0o4711), ("control", 0o775), ("queue", 0o755),
    ("run/tcpto", 0o666), ("man/man8/qmail-check.8", 0o600), (".", 0o700)])
def test_a_mode_that_is_not_of_the_table(complete, path, mode):
    at = complete.home / path
    old = at.stat().st_mode & 0o7777
    at.chmod(mode)
    try:
        assert check(complete) == [f"{path}: its mode is {mode:04o}, not {old:04o}"]
    finally:
        at.chmod(old)


def test_an_owner_that_is_not_of_the_table(complete):
    at = complete.home / "run"
    old = at.stat()
    os.chown(at, 0, 0)
    try:
        assert check(complete) == [
            f"run: its owner is uid 0, not {NAMES['qmailq']}",
            f"run: its group is gid 0, not {NAMES['qmail']}"]
    finally:
        os.chown(at, old.st_uid, old.st_gid)


def test_what_is_missing_or_something_else(complete):
    at, away = complete.home / "bin/predate", complete.home / "bin/predate.away"
    at.rename(away)
    try:
        assert check(complete) == ["bin/predate: it is missing"]
        at.mkdir()
        (found,) = check(complete)
        assert found.startswith("bin/predate: it is something else")
        at.rmdir()
    finally:
        away.rename(at)


def test_a_link_to_elsewhere(complete):
    at = complete.home / "bin/mailq"
    group = at.lstat().st_gid
    at.unlink()
    at.symlink_to("true")
    os.lchown(at, 0, group)
    try:
        assert check(complete) == ["bin/mailq: it does not point to sendmail"]
    finally:
        at.unlink()
        at.symlink_to("sendmail")
        os.lchown(at, 0, group)


def test_a_control_file_that_the_accounts_cannot_read(complete):
    at = complete.home / "control/me"
    at.chmod(0o600)
    try:
        assert check(complete) == ["control/me: mode 0600: not everybody may read it"]
    finally:
        at.chmod(0o644)


def test_a_home_of_the_passwd_database(complete):
    complete.user_home.chmod(0o777)
    try:
        assert check(complete, "-u", USER) == [
            f"{complete.user_home}: mode 0777: everybody may write there"]
        assert check(complete) == []
    finally:
        complete.user_home.chmod(0o700)


def test_a_virtual_domain_of_an_account(complete):
    path = complete.home / "control/virtualdomains"
    path.write_text(f"a.example:{USER}\nb.example:{USER}-b\nc.example:nobody-knows-him\n")
    try:
        (found,) = check(complete)
        assert "nobody-knows-him" in found and ":3:" in found
    finally:
        path.unlink()
