"""Mail on an installation with accounts: to a real user, to alias, back."""

import os
import shutil
import stat

from conftest import USER
import lib


def new_mail(running, before, holds=b""):
    """Waits for messages that came since, with these bytes; their paths."""
    new = running.it.user_home / "Maildir/new"
    return lib.wait_until(
        lambda: [p for p in set(new.iterdir()) - before if holds in p.read_bytes()],
        what=f"mail for {USER}")


def inbox(running):
    return set((running.it.user_home / "Maildir/new").iterdir())


def test_smtp_to_a_real_user(running):
    before = inbox(running)
    reply = running.send_smtp(b"Subject: one\n\nfirst\n", to=[USER])
    (path,) = new_mail(running, before, b"Subject: one")
    st = path.stat()
    assert (st.st_uid, st.st_gid) == (running.user.pw_uid, running.user.pw_gid)
    assert stat.S_IMODE(st.st_mode) == 0o600
    text = path.read_bytes()
    assert text.startswith(b"Return-Path: <sender@elsewhere.example>\n"
                           b"Delivered-To: " + USER.encode() + b"@root.example\n")
    assert b"invoked from network);" in text, "qmaild's uid is known by the kernel"
    assert text.endswith(b"Subject: one\n\nfirst\n")
    assert reply.split()[-1].isdigit()


def test_sendmail_by_the_user_shows_his_uid(running):
    before = inbox(running)
    sent = running.sendmail(USER, input=b"Subject: two\n\nsecond\n")
    assert sent.returncode == 0, sent.stderr
    (path,) = new_mail(running, before, b"Subject: two")
    nobody = lib.ordinary_user().pw_uid
    assert b"invoked by uid %d);" % nobody in path.read_bytes()


def test_mail_of_a_process_that_cannot_gain_rights(running):
    before = inbox(running)
    sent = running.run(shutil.which("setpriv"), "--no-new-privs", running.bin / "sendmail",
                       USER, input=b"Subject: no new rights\n\n")
    assert sent.returncode == 0, sent.stderr
    (path,) = new_mail(running, before, b"Subject: no new rights")
    assert b"invoked by uid %d);" % lib.ordinary_user().pw_uid in path.read_bytes()


def test_mail_of_no_user_goes_to_alias(running):
    rule = running.home / "alias/.qmail-postmaster"
    rule.write_text(f"&{USER}\n")
    os.chmod(rule, 0o644)
    before = inbox(running)
    running.send_smtp(b"Subject: three\n\n", to=["postmaster"])
    (path,) = new_mail(running, before, b"Subject: three")
    assert b"invoked by alias);" in path.read_bytes()


def test_a_bounce_comes_back(running):
    before = inbox(running)
    running.send_smtp(b"Subject: four\n\n", sender=f"{USER}@root.example",
                      to=["no-such-user"])
    (path,) = new_mail(running, before, b"Subject: four")
    text = path.read_bytes()
    assert b"invoked for bounce);" in text
    assert b"<no-such-user@root.example>:" in text


def test_mail_is_never_delivered_as_root(running):
    """root's mail belongs to alias, which has no rule for it: it fails."""
    before = inbox(running)
    running.send_smtp(b"Subject: five\n\n", sender=f"{USER}@root.example",
                      to=["root"])
    new_mail(running, before, b"<root@root.example>:")


def test_a_user_is_refused_whose_home_is_open_to_others(running):
    home = running.it.user_home
    home.chmod(0o702)
    try:
        running.send_smtp(b"Subject: six\n\n", to=[USER])
        running.wait_log(r"delivery \d+: deferral: .*4\.7\.0", "send")
    finally:
        home.chmod(0o700)
    before = inbox(running)
    running.flush(lambda: inbox(running) - before)
    new_mail(running, before, b"Subject: six")
