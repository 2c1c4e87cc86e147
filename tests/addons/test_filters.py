"""Delivery programs in .qmail lines: procmail, maildrop and its tools, safecat."""

import mailbox
import time

import addonlib
import lib
import pytest

BODY = b"Subject: [list] hello\nTo: test\n\nFrom the start\n>From quoted\n.dots\n\n"
PLAIN = b"Subject: plain\n\nplain\n"


def make_maildir(home, name, user="test"):
    for part in ("", "new", "cur", "tmp"):
        path = home.user_home(user) / name / part
        path.mkdir()
        lib.give(path)
    return home.user_home(user) / name


def wait_done(instance, count=1):
    """Waits until count deliveries were tried; the last result's text."""
    pattern = r"^delivery \d+: (success|failure|deferral): (.*)$"
    found = instance.wait_log(pattern, count=count)
    return found.group(1), found.group(2)


def files(path):
    return sorted(path.iterdir()) if path.exists() else []


# ---- procmail -----------------------------------------------------------------------

@pytest.fixture
def procmail(instance):
    """preline in front, as qmail's documents tell it; the recipes of a test."""
    program = addonlib.program("procmail", "usr/bin/procmail")

    def write(recipes):
        at = instance.user_home()
        instance.write("users/test/.procmailrc", (
            f"MAILDIR={at}\nDEFAULT={at}/Mailbox\nLOCKSLEEP=1\nLOGFILE={at}/procmail.log\n" + recipes))
        instance.dotqmail("", f"|{instance.bin}/preline {program} -t {at}/.procmailrc\n")
        return instance
    return write


def test_procmail_delivers_into_an_mbox_and_a_maildir(procmail):
    instance = procmail(":0:\n* ^Subject: plain\nplain.mbox\n\n:0\n* ^Subject:.*list\nList/\n")
    at = make_maildir(instance, "List")
    instance.send_smtp(BODY)
    instance.send_smtp(PLAIN)
    wait_done(instance, 2)
    (path,) = files(at / "new")
    text = path.read_bytes()
    assert text.startswith(b"Return-Path: <sender@elsewhere.example>\nDelivered-To: test@")
    assert addonlib.payload(text) == BODY
    (mail,) = mailbox.mbox(instance.user_home() / "plain.mbox", create=False)
    assert mail.get_from().startswith("sender@elsewhere.example ")
    assert mail.get_payload() == "plain\n"


@pytest.mark.parametrize("code, result", [
    (0, "success"), (99, "success"), (75, "deferral"), (111, "deferral"),
    (100, "failure"), (77, "failure"),
])
def test_procmail_exit_codes_decide_the_delivery(procmail, code, result):
    """EX_TEMPFAIL (75) and EX_NOPERM (77) mean to qmail-local what they say."""
    instance = procmail(f"EXITCODE={code}\n:0\n/dev/null\n")
    instance.send_smtp(PLAIN)
    assert wait_done(instance)[0] == result


def test_procmail_forwards_by_our_sendmail(procmail):
    instance = procmail("")
    instance.add_user("ann")
    # it empties the environment; w: the exit code of sendmail counts
    procmail(f"QMAILHOME={instance.home}\nSENDMAIL={instance.bin}/sendmail\n"
             f":0 w\n! ann@{lib.HOST}\n")
    instance.send_smtp(BODY)
    (path,) = instance.wait_maildir("ann")
    text = path.read_bytes()
    assert text.partition(b"\n\n")[2] == BODY.partition(b"\n\n")[2]
    assert addonlib.header(path, "Subject") == [b"[list] hello"]


def test_procmail_waits_for_our_lock_of_the_mbox(procmail):
    """Both write into one mbox at once: no message is torn."""
    instance = procmail(":0:\nMailbox\n")
    at = instance.user_home()
    line = (at / ".qmail").read_text()
    instance.dotqmail("", line + "./Mailbox\n")
    for number in range(12):
        instance.send_smtp(b"Subject: %d\n\n%s" % (number, b"From x\n" * 2000))
    instance.wait_empty(5 * lib.TIMEOUT_S)
    box = list(mailbox.mbox(at / "Mailbox", create=False))
    assert sorted(int(m["subject"]) for m in box) == sorted([*range(12), *range(12)])
    assert {m.get_payload().rstrip("\n") for m in box} == {(">From x\n" * 2000).rstrip("\n")}


def test_formail_splits_an_mbox_of_ours(instance):
    """The mbox that qmail-local wrote, read by formail -s and by `from`-like eyes."""
    instance.dotqmail("", "./Mailbox\n")
    bodies = [b"From a\n\nFrom b\n", b"x\n\n\n", b">From c\nno end"]
    for number, body in enumerate(bodies):
        done = instance.queue(b"Subject: n%d\n\n%s" % (number, body), "s@x.example",
                              [f"test@{lib.HOST}"])
        assert done.returncode == 0
        wait_done(instance, number + 1)
    box = (instance.user_home() / "Mailbox").read_bytes()
    out = addonlib.expect_ok(addonlib.run(
        instance, [addonlib.program("procmail", "usr/bin/formail"), "-s", "/bin/sh", "-c",
                   "cat; echo =====END"], input=box))
    got = out.split(b"=====END\n")
    assert got.pop() == b""
    assert len(got) == 3
    for number, (text, body) in enumerate(zip(got, bodies)):
        assert addonlib.header(text, "Subject") == [b"n%d" % number]
        want = body.replace(b"From", b">From", -1)
        assert text.partition(b"\n\n")[2].rstrip(b"\n") == want.rstrip(b"\n")


# ---- maildrop -------------------------------------------------------------------------

@pytest.fixture
def maildrop(instance):
    """maildrop takes the message as qmail-local gives it: no preline. SHELL: the
    account of the tests has none in the passwd database."""
    program = addonlib.program("maildrop", "usr/bin/maildrop")

    def write(rules):
        path = instance.write("users/test/.mailfilter", "SHELL=/bin/sh\n" + rules, mode=0o600)
        instance.dotqmail("", f'|{program} -f "$SENDER" {path}\n')
        return instance
    return write


def test_maildrop_sorts_into_maildirs(maildrop):
    instance = maildrop("if (/^Subject:.*list.*/)\n{\n  to List/\n}\nto Maildir/\n")
    at = make_maildir(instance, "List")
    instance.send_smtp(BODY)
    instance.send_smtp(PLAIN)
    wait_done(instance, 2)
    (path,) = files(at / "new")
    assert addonlib.payload(path) == BODY
    (path,) = files(instance.user_home() / "Maildir/new")
    assert addonlib.payload(path) == PLAIN


def test_maildrop_writes_an_mbox_with_the_sender(maildrop):
    instance = maildrop("to Mailbox\n")
    instance.send_smtp(BODY)
    wait_done(instance)
    (mail,) = mailbox.mbox(instance.user_home() / "Mailbox", create=False)
    assert mail.get_from().startswith("sender@elsewhere.example ")
    assert mail["subject"] == "[list] hello"
    assert mail.get_payload().startswith(">From the start\n")


def test_maildrop_xfilter_changes_the_message(maildrop):
    instance = maildrop("xfilter \"sed '1i X-Seen: yes'\"\nto Maildir/\n")
    instance.send_smtp(BODY)
    (path,) = instance.wait_maildir()
    assert addonlib.header(path, "X-Seen") == [b"yes"]
    assert path.read_bytes().partition(b"\n\n")[2] == BODY.partition(b"\n\n")[2]


@pytest.mark.parametrize("code, result, rest", [
    (0, "success", 1), (99, "success", 0), (100, "failure", 0), (111, "deferral", 0),
    (75, "deferral", 0),
])
def test_maildrop_exitcode_decides_the_delivery(maildrop, code, result, rest):
    """99: done, the lines below it are skipped."""
    instance = maildrop(f"EXITCODE={code}\nexit\n")
    path = instance.user_home() / ".qmail"
    instance.dotqmail("", path.read_text() + "./Maildir/\n")
    instance.send_smtp(PLAIN)
    assert wait_done(instance)[0] == result
    assert len(instance.maildir()) == rest


def test_maildrop_without_its_filter_file_defers(maildrop):
    instance = maildrop("")
    (instance.user_home() / ".mailfilter").unlink()
    instance.send_smtp(PLAIN)
    assert wait_done(instance)[0] == "deferral"


def test_maildrop_sees_the_variables_of_qmail_local(maildrop):
    instance = maildrop("".join(f"import {x}\n" for x in ("SENDER", "EXT", "HOST", "LOCAL"))
                        + '`echo "$SENDER $EXT $HOST $LOCAL" >seen`\nto Maildir/\n')
    at = instance.user_home()
    instance.dotqmail("box", (at / ".qmail").read_text())
    instance.send_smtp(PLAIN, to=["test-box"])
    instance.wait_maildir()
    assert (at / "seen").read_text() == (
        f"sender@elsewhere.example box {lib.HOST} test-box\n")


# ---- safecat --------------------------------------------------------------------------

def test_safecat_writes_a_maildir_that_pop3_reads(instance):
    program = addonlib.program("safecat", "usr/bin/safecat")
    instance.dotqmail("", f"|{program} ./Maildir/tmp ./Maildir/new\n")
    instance.send_smtp(PLAIN)
    (path,) = instance.wait_maildir()
    wait_done(instance)
    # a program's input is the message alone
    assert addonlib.payload(path) == PLAIN
    assert instance.log().count("success: " + path.name) == 1

    def shown():
        pop = instance.pop3()
        count = pop.stat()[0]
        return pop if count else pop.quit() and None
    pop = lib.wait_until(shown, what="the message by POP3")
    assert b"\n".join(pop.retr(1)[1]).endswith(b"Subject: plain\n\nplain")
    pop.dele(1)
    pop.quit()
    assert instance.maildir() == []


def test_safecat_fills_a_maildir_beside_qmail_local(instance):
    program = addonlib.program("safecat", "usr/bin/safecat")
    instance.dotqmail("", f"|{program} ./Maildir/tmp ./Maildir/new\n./Maildir/\n")
    start = time.time()
    for number in range(10):
        instance.send_smtp(b"Subject: %d\n\n" % number)
    instance.wait_empty()
    found = [addonlib.header(p, "Subject")[0] for p in instance.maildir()]
    assert sorted(found) == sorted(b"%d" % n for n in [*range(10), *range(10)])
    assert all(p.stat().st_mtime >= start - 2 for p in instance.maildir())
