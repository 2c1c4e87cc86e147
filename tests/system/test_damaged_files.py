"""Files that are not as they should be: each is named in a log, and nothing else is harmed.

A message whose files are damaged is not delivered in part or altered; others are, before and after a
restart. (What recovery does with files that the journal knows: test_qmail_queued_recovers.py; orders:
test_qtool_orders.py.)
"""

import os

import pytest

import lib
from queue_lab import submit

VICTIM = b"Subject: victim\n\nprecious\n"
OTHER = b"Subject: other\n\nfine\n"


def replace_by_directory(path):
    path.unlink(missing_ok=True)
    path.mkdir()
    lib.give(path)


def replace_by_link(path):
    copy = path.parents[2] / "copy"
    path.rename(copy)
    path.symlink_to(copy)


def rewrite(change):
    def do(path):
        content = change(path.read_bytes() if path.exists() else b"")
        path.unlink(missing_ok=True)
        path.write_bytes(content)
        lib.give(path)
        path.chmod(0o640)
    return do


DAMAGE = {
    "mess": {"cut": rewrite(lambda old: old[:-3]), "empty": rewrite(lambda old: b""),
             "longer": rewrite(lambda old: old + b"more\n"), "gone": os.unlink,
             "a directory": replace_by_directory, "a link": replace_by_link},
    "env": {"cut": rewrite(lambda old: old[:-1]), "empty": rewrite(lambda old: b""),
            "altered": rewrite(lambda old: old.replace(b"Ttest", b"Tpest")),
            "doubled": rewrite(lambda old: old + old), "a directory": replace_by_directory,
            "a link": replace_by_link},
    "done": {"a directory": replace_by_directory, "a link": lambda path: path.symlink_to("/x")},
}
CASES = [(kind, how) for kind, hows in DAMAGE.items() for how in hows]


def texts(instance):
    return [path.read_bytes() for path in instance.maildir()]


def put(instance, message):
    """A message in the queue; its id."""
    host = instance.host.encode()
    return submit(instance, message, b"s@elsewhere.example", [b"test@" + host, b"test-b@" + host])


def wait_for(instance, message, count):
    lib.wait_until(lambda: sum(t.endswith(message) for t in texts(instance)) >= count,
                   what="the messages that nothing has happened to")


@pytest.mark.parametrize("restart", [False, True], ids=["at rest", "before a start"])
@pytest.mark.parametrize("kind, how", CASES)
def test_a_message(home, kind, how, restart):
    home.dotqmail("b", "./Maildir/\n")
    home.start_queued()
    victim, other = put(home, VICTIM), put(home, OTHER)
    home.restart("queued")  # the journal knows them no more
    path = home.home / f"queue/{kind}/{victim % 32}/{victim}"
    DAMAGE[kind][how](path)
    if restart:
        home.restart("queued")
    home.start_send()
    wait_for(home, OTHER, 2)
    if kind == "mess" and how == "gone" and restart:  # what is left of it is set aside
        home.wait_log(rf"queue/env/{victim % 32}/{victim} is damaged; moved", "queued")
    else:
        home.wait_log(rf"warning: .*{kind}/{victim % 32}/{victim}", "send")
    new = put(home, OTHER)
    wait_for(home, OTHER, 4)
    lib.wait_until(lambda: not {other, new} & set(home.queue_ids()), what="their end")
    assert all(text.endswith((VICTIM, OTHER)) for text in texts(home))
    assert not any(text.endswith(VICTIM) for text in texts(home)) or kind == "done"


def test_names_that_are_none_of_ours(home):
    """In each directory of the queue, before a start."""
    home.start_queued()
    home.daemons["queued"].end()
    for kind in ("mess", "env", "done", "bounce"):
        for name in ("notes", "07", "18446744073709551616", "-1"):
            rewrite(lambda old: b"x")(home.home / f"queue/{kind}/5/{name}")
        rewrite(lambda old: b"x")(home.home / f"queue/{kind}/notes")
        rewrite(lambda old: b"x")(home.home / f"queue/{kind}/3/5")  # belongs into 5
    rewrite(lambda old: b"x")(home.home / "queue/journal/notes")
    rewrite(lambda old: b"x")(home.home / "queue/notes")
    home.start()
    home.send_smtp(OTHER)
    home.wait_maildir(count=1)
    home.check_running("queued")
    home.check_running("send")


@pytest.mark.parametrize("how", ["empty", "cut", "garbage", "a directory"])
def test_users_cdb(home, how):
    """Mail waits, and nobody's bounces."""
    cdb = home.home / "users/cdb"
    whole = cdb.read_bytes()
    home.start()
    {"empty": rewrite(lambda old: b""), "cut": rewrite(lambda old: old[:2000]),
     "garbage": rewrite(lambda old: b"\xff" * len(old)),
     "a directory": replace_by_directory}[how](cdb)
    home.send_smtp(VICTIM)
    home.wait_log(r"deferral: .*users/cdb")
    if cdb.is_dir():
        cdb.rmdir()
    home.write("users/cdb", whole)
    home.send_smtp(OTHER)
    wait_for(home, OTHER, 1)
    home.restart("send")
    home.flush(lambda: any(text.endswith(VICTIM) for text in texts(home)))
    assert len(texts(home)) == 2


@pytest.mark.parametrize("content", [b"", b"short", b"\xff" * 1024, os.urandom(4096)],
                         ids=["empty", "short", "ones", "longer"])
def test_tcpto(home, content):
    """It only spares attempts: what makes no sense there is no reason to wait."""
    sink = lib.SmtpSink()
    try:
        home.route_to(sink)
        home.start()
        home.write("run/tcpto", content)
        assert home.queue(OTHER, "s@elsewhere.example", ["r@far.example"]).returncode == 0
        assert sink.wait(1)[0].message.endswith(OTHER)
        home.wait_empty()
    finally:
        sink.close()


@pytest.mark.parametrize("name", ["locals", "virtualdomains", "percenthack", "queuelifetime"])
def test_a_control_file_that_cannot_be_read(home, name):
    """It is named, nothing is decided without it, and with it all goes on."""
    path = home.home / "control" / name
    old = path.read_bytes() if path.exists() else None
    home.start_queued()
    replace_by_directory(path)
    ended = home.run("qmail-start", "./Maildir/")
    home.send_smtp(OTHER)
    assert f"warning: unable to read control/{name}\n" in ended.stdout.decode()
    assert ended.returncode == 111
    assert home.queue_ids() and not texts(home)
    path.rmdir()
    if old is not None:
        home.write(f"control/{name}", old)
    home.start_send()
    wait_for(home, OTHER, 1)
