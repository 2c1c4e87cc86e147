"""control/supplementarygroups: which groups a delivery has."""

import grp
import os
import subprocess

import pytest

import lib
from conftest import USER, sh

GROUP = "cqtextra"


@pytest.fixture
def in_a_group():
    """The user is in one more group."""
    sh("groupdel", GROUP, check=False)
    sh("groupadd", "-U", USER, GROUP)
    yield grp.getgrnam(GROUP).gr_gid
    sh("groupdel", GROUP)


def set_groups(running, wanted):
    path = running.home / "control/supplementarygroups"
    path.unlink(missing_ok=True)
    if wanted is not None:
        path.write_text(wanted)
    running.daemons["send"].end()
    with open(running.logs / "send.log", "ab") as out:
        running.daemons["send"].process = subprocess.Popen(
            [*running.prefix, str(running.home / "service/send/run")],
            stdin=subprocess.DEVNULL, stdout=out, stderr=out,
            start_new_session=True, cwd="/", env={"PATH": os.environ["PATH"]})


def groups_of_a_delivery(running, name):
    """What id says in a program of the user's .qmail-groups."""
    rule = running.it.user_home / ".qmail-groups"
    rule.write_text(f"|id -G > {name}.part && mv {name}.part {name}\n")
    os.chown(rule, running.user.pw_uid, running.user.pw_gid)
    rule.chmod(0o600)
    sent = running.run("sendmail", f"{USER}-groups@root.example", input=b"\n")
    assert sent.returncode == 0, sent.stderr
    path = running.it.user_home / name
    lib.wait_until(path.exists, what="the delivery")
    text = path.read_text()
    path.unlink()
    return set(map(int, text.split()))


def test_groups(running, in_a_group):
    own = running.user.pw_gid
    try:
        for wanted, want in ((None, {own}), ("0\n", {own}),
                             ("1\n", {own, in_a_group})):
            set_groups(running, wanted)
            assert groups_of_a_delivery(running, f"got{wanted and wanted[0]}") == want
    finally:
        set_groups(running, None)


def test_groups_of_users_cdb(running, in_a_group):
    """Known by its name there too; one without an account has no more."""
    who, home = running.user, running.it.user_home
    rules = "".join(f"+{local}-:{user}:{who.pw_uid}:{who.pw_gid}:{home}:-::\n"
                    for local, user in ((USER, USER), ("virtual", "no-account")))
    cdb = running.home / "users/cdb"
    old = cdb.read_bytes() if cdb.exists() else None
    cdb.write_bytes(lib.users_cdb_bytes(rules + ".\n"))
    try:
        set_groups(running, "1\n")
        assert groups_of_a_delivery(running, "named") == {who.pw_gid, in_a_group}
        rule = home / ".qmail-groups"
        rule.write_text("|id -G > other.part && mv other.part other\n")
        assert running.run("sendmail", "virtual-groups@root.example",
                           input=b"\n").returncode == 0
        path = home / "other"
        lib.wait_until(path.exists, what="the delivery")
        assert set(map(int, path.read_text().split())) == {who.pw_gid}
    finally:
        cdb.unlink()
        if old is not None:
            cdb.write_bytes(old)
        set_groups(running, None)
