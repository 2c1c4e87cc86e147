"""The way of a message to local mailboxes, and back as a bounce."""

import os
import re
import shutil
import subprocess

import lib
import pytest

ODD_BODIES = {
    "eight bits": bytes(range(1, 10)) + bytes(range(11, 13)) + bytes(range(14, 256)) + b"\n",
    "a line of 100 kB": b"x" * 100_000 + b"\nend\n",
    "dots": b".\n..\n.x\n\n.\n",
    "From lines": b"From me\n>From you\n",
    "no header at all": b"\n\n\n",
    "many short lines": b"a\n" * 50_000,
}


def payload(path):
    """What stands in a Maildir file behind the lines that the way added."""
    text = path.read_bytes()
    while True:
        line, _, rest = text.partition(b"\n")
        if not re.match(rb"(Return-Path|Delivered-To|Received): |  by ", line):
            return text
        text = rest


def open_mailbox(instance, count=1):
    """A POP3 session that shows count messages: one that arrived in this very
    second is not shown yet."""
    def look():
        pop = instance.pop3()
        if pop.stat()[0] == count:
            return pop
        pop.quit()
        return None
    return lib.wait_until(look, what=f"{count} messages by POP3")


@pytest.mark.parametrize("what", sorted(ODD_BODIES))
def test_smtp_to_maildir_keeps_every_byte(instance, what):
    message = b"Subject: odd\n\n" + ODD_BODIES[what]
    instance.send_smtp(message)
    (path,) = instance.wait_maildir()
    assert payload(path) == message


def test_queue_keeps_a_message_without_final_newline(instance):
    message = b"Subject: x\n\nno end"
    done = instance.queue(message, "s@x.example", [f"test@{instance.host}"])
    assert done.returncode == 0, done.stderr
    (path,) = instance.wait_maildir()
    assert payload(path) == message


def test_queue_keeps_nul_and_cr(instance):
    message = b"Subject: x\n\na\0b\rc\r\n\0"
    assert instance.queue(message, "s@x.example", [f"test@{instance.host}"]).returncode == 0
    (path,) = instance.wait_maildir()
    assert payload(path) == message


def test_twenty_megabytes_both_ways_in(instance):
    line = os.urandom(36).hex().encode() + b"\n"
    message = b"Subject: big\n\n" + line * (20 * 1024 * 1024 // len(line))
    instance.send_smtp(message)
    assert instance.queue(message, "s@x.example", [f"test@{instance.host}"]).returncode == 0
    for path in instance.wait_maildir("test", 2):
        assert payload(path) == message
    pop = open_mailbox(instance, 2)
    lines = pop.retr(1)[1]
    assert len(lines) > message.count(b"\n")
    pop.quit()


def test_reply_log_and_received_line_name_the_same_number(instance):
    reply = instance.send_smtp()
    number = re.fullmatch(r"ok (\d+) qp (\d+)", reply).group(2)
    (path,) = instance.wait_maildir()
    match = instance.wait_log(r"info msg (\d+): bytes (\d+) from <sender@elsewhere\.example> "
                              r"qp (\d+) uid (\d+)")
    assert match.group(1) == match.group(3) == number
    assert f"Received: (qmail {number} invoked ".encode() in path.read_bytes()


def test_sendmail_to_maildir_and_pop3(instance):
    done = instance.sendmail("-t", "-f", "me@here.example",
                             input=f"To: test@{instance.host}\nSubject: by hand\n\nhello\n".encode())
    assert done.returncode == 0, done.stderr
    instance.wait_maildir()
    pop = open_mailbox(instance)
    lines = pop.retr(1)[1]
    assert b"Subject: by hand" in lines and lines[-1] == b"hello"
    assert b"Return-Path: <me@here.example>" in lines
    assert pop.list(1).split()[2] == str(sum(len(x) + 2 for x in lines)).encode()
    pop.dele(1)
    pop.quit()
    assert instance.maildir() == []


@pytest.mark.skipif(not shutil.which("swaks"), reason="swaks is not installed")
def test_swaks_and_curl(instance, tmp_path):
    sent = subprocess.run(
        ["swaks", "--silent", "2", "--server", f"127.0.0.1:{instance.smtp_port}",
         "--from", "s@x.example", "--to", f"test@{instance.host}", "--body", "by swaks"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
    assert sent.returncode == 0, sent.stdout
    letter = tmp_path / "letter"
    letter.write_bytes(b"Subject: by curl\r\n\r\nhello\r\n")
    sent = subprocess.run(
        ["curl", "--silent", "--show-error", f"smtp://127.0.0.1:{instance.smtp_port}/me.example",
         "--mail-from", "s@x.example", "--mail-rcpt", f"test@{instance.host}",
         "--upload-file", str(letter)],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
    assert sent.returncode == 0, sent.stdout
    instance.wait_maildir("test", 2)
    pop = open_mailbox(instance, 2)
    texts = [b"\n".join(pop.retr(i)[1]) for i in (1, 2)]
    pop.quit()
    assert any(b"\n\nby swaks" in t for t in texts)
    assert any(t.endswith(b"Subject: by curl\n\nhello") for t in texts)


def test_log_lines_of_one_delivery(instance):
    instance.send_smtp()
    instance.wait_maildir()
    instance.wait_log(r"end msg (\d+)$")
    number = instance.wait_log(r"end msg (\d+)$").group(1)
    lines = [re.sub(r"^@[0-9a-f]{24} ", "", x) for x in instance.log("send").splitlines()]
    start = lines.index(f"new msg {number}")
    size = len(instance.maildir()[0].read_bytes()) - len(
        f"Return-Path: <sender@elsewhere.example>\nDelivered-To: test@{instance.host}\n")
    uid = instance.user.pw_uid
    assert lines[start:] == [
        f"new msg {number}",
        f"info msg {number}: bytes {size} from <sender@elsewhere.example> qp {number} uid {uid}",
        f"starting delivery 1: msg {number} to local test@{instance.host}",
        "status: local 1/10 remote 0/20",
        "delivery 1: success: did_1+0+0/",
        "status: local 0/10 remote 0/20",
        f"end msg {number}"]


# ---- .qmail -------------------------------------------------------------------

def test_each_line_type(instance):
    instance.dotqmail("all", "# comment\n./Maildir/\n./mbox\n|cat >program\n&test-other@"
                      + instance.host + "\n")
    instance.dotqmail("other", "./Maildir/\n")
    instance.send_smtp(b"Subject: each\n\nbody\n", to="test-all")
    first, second = instance.wait_maildir("test", 2)
    at = instance.user_home()
    assert b"\n\nbody\n" in (at / "mbox").read_bytes()
    assert (at / "program").read_bytes().endswith(b"Subject: each\n\nbody\n")
    instance.wait_log(r"success: did_2\+1\+1/qp_\d+/")
    instance.wait_empty()


def test_default_and_virtual_domain(instance):
    instance.dotqmail("v-default", "|echo \"$EXT $DEFAULT $LOCAL $HOST $RECIPIENT\" >seen\n")
    instance.write_control("virtualdomains", "virtual.example:test-v\n")
    instance.signal_send(lib.signal.SIGHUP)
    instance.write_control("rcpthosts", f"{instance.host}\nvirtual.example\n")
    instance.send_smtp(to="Some.One@virtual.example")
    instance.wait_log(r"delivery \d+: success")
    assert (instance.user_home() / "seen").read_text() == (
        "v-Some.One Some.One test-v-Some.One virtual.example test-v-Some.One@virtual.example\n")


@pytest.mark.parametrize("code,word", [(0, "success"), (99, "success"), (100, "failure"),
                                       (64, "failure"), (111, "deferral"), (75, "deferral"),
                                       (1, "deferral"), (127, "deferral")])
def test_exit_codes_of_programs(instance, code, word):
    instance.dotqmail("code", f"|echo said; exit {code}\n./Maildir/\n")
    instance.send_smtp(to="test-code")
    instance.wait_log(rf"delivery 1: {word}: said/")
    if code == 0:
        instance.wait_maildir()
    else:
        assert instance.maildir() == []


def test_owner_becomes_the_sender_of_forwards(instance):
    instance.dotqmail("list", f"test-box@{instance.host}\n")
    instance.dotqmail("list-owner", "./owner/\n")
    instance.dotqmail("box", "./Maildir/\n")
    instance.send_smtp(to="test-list")
    (path,) = instance.wait_maildir()
    assert path.read_bytes().startswith(f"Return-Path: <test-list-owner@{instance.host}>\n".encode())


def test_verp_expands_for_each_recipient(instance):
    instance.dotqmail("a", "./Maildir/\n")
    instance.dotqmail("b", "./Maildir/\n")
    host = instance.host
    instance.queue(b"Subject: v\n\n", f"list-@{host}-@[]", [f"test-a@{host}", f"test-b@{host}"])
    found = sorted(p.read_bytes().split(b"\n")[0] for p in instance.wait_maildir("test", 2))
    assert found == [f"Return-Path: <list-test-{x}={host}@{host}>".encode() for x in "ab"]


def test_loop_ends_in_a_bounce(instance):
    host = instance.host
    instance.dotqmail("loop", f"test-loop2@{host}\n")
    instance.dotqmail("loop2", f"test-loop@{host}\n")
    instance.send_smtp(sender=f"test@{host}", to="test-loop")
    (path,) = instance.wait_maildir()
    assert b"(#5.4.6)" in path.read_bytes()


def test_writable_home_defers(instance):
    instance.dotqmail("x", "./Maildir/\n")
    instance.user_home().chmod(0o777)
    instance.send_smtp(to="test-x")
    instance.wait_log(r"delivery 1: deferral: .*\(#4\.7\.0\)/")


# ---- bounces --------------------------------------------------------------------

def test_bounce_goes_to_the_sender_with_the_whole_message(instance):
    host = instance.host
    instance.dotqmail("fail", "|echo line one; echo; echo; echo more; exit 100\n")
    message = b"Subject: lost\n\nthe body\n"
    instance.send_smtp(message, sender=f"test@{host}", to=["test-fail", "test-none"])
    (path,) = instance.wait_maildir()
    text = path.read_bytes()
    head, body = text.split(b"\n\n", 1)
    fields = [line.split(b":")[0] for line in head.split(b"\n") if not line.startswith(b" ")]
    assert fields == [b"Return-Path", b"Delivered-To", b"Received", b"Date", b"From", b"To",
                      b"Subject"]
    assert b"Return-Path: <>\n" in text
    assert f"From: MAILER-DAEMON@{host}\nTo: test@{host}\nSubject: failure notice".encode() in head
    assert body.startswith(f"Hi. This is the qmail-send program at {host}.\n".encode())
    paragraphs = body.split(b"\n\n")
    assert sorted(paragraphs[1:3]) == sorted([
        f"<test-fail@{host}>:\nline one\n//more".encode(),
        f"<test-none@{host}>:\nSorry, no mailbox here by that name. (#5.1.1)".encode()])
    assert paragraphs[3] == b"--- Below this line is a copy of the message."
    copy = body.split(b"--- Below this line is a copy of the message.\n\n", 1)[1]
    assert copy.startswith(f"Return-Path: <test@{host}>\nReceived: ".encode())
    assert copy.endswith(message)
    bounce = instance.wait_log(r"bounce msg (\d+) qp (\d+)")
    assert instance.wait_log(rf"info msg {bounce.group(2)}: bytes \d+ from <> qp {bounce.group(2)} ")
    instance.wait_empty()


def test_double_bounce_goes_to_the_postmaster(instance):
    instance.send_smtp(b"Subject: d\n\n", sender=f"test-gone@{instance.host}", to="test-none")
    (path,) = instance.wait_maildir()
    text = path.read_bytes()
    assert b"Return-Path: <#@[]>\n" in text
    assert b"Hi. This is the qmail-send program at" in text
    assert b"test-none@" in text and b"test-gone@" in text


def test_triple_bounce_is_discarded(instance):
    instance.write_control("doublebounceto", "test-nobody-either\n")
    instance.restart("send")
    instance.send_smtp(b"Subject: t\n\n", sender=f"test-gone@{instance.host}", to="test-none")
    instance.wait_log(r"triple bounce: discarding bounce/\d+")
    instance.wait_empty()


def test_deferral_then_success(instance):
    marker = instance.user_home() / "ready"
    instance.dotqmail("wait", "|test -e ready || { echo not yet; exit 111; }\n./Maildir/\n")
    instance.send_smtp(to="test-wait")
    instance.wait_log(r"deferral: not_yet/")
    marker.touch()
    instance.flush(instance.maildir)
    instance.wait_empty()


def test_too_long_in_the_queue_becomes_a_bounce(instance):
    instance.write_control("queuelifetime", "1\n")
    instance.restart("send")
    instance.dotqmail("wait", "|echo never; exit 111\n")
    instance.send_smtp(sender=f"test@{instance.host}", to="test-wait")
    instance.wait_log(r"deferral: never/")
    instance.flush(instance.maildir)
    assert b"never\n" in instance.maildir()[0].read_bytes()
    instance.wait_empty()


def test_null_recipients_are_accepted_and_end(instance):
    assert instance.queue(b"Subject: none\n\n", "s@x.example", []).returncode == 0
    instance.wait_log(r"end msg \d+")
    instance.wait_empty()


def test_a_killed_qmail_send_does_not_wait_for_slow_deliveries(instance):
    home = instance.user_home()
    instance.dotqmail("slow", "|touch started; until test -e go; do sleep 0.1; done\n")
    instance.send_smtp(to="test-slow")
    lib.wait_until(lambda: (home / "started").exists(), what="the slow program")
    instance.kill("qmail-send")
    assert instance.daemons["send"].process.wait(60) == 111
    instance.start_send()
    instance.send_smtp()
    instance.wait_maildir()
    (home / "go").touch()
    instance.wait_empty()
