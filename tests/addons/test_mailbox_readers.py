"""What qmail-local writes, read by others while it writes: Dovecot's IMAP, mutt, and
python's mailbox module."""

import contextlib
import fcntl
import imaplib
import mailbox
import os
import pty
import random
import re
import select
import struct
import subprocess
import termios
import threading
import time

import addonlib
import lib
import pytest

COUNT = 40


# ---- Dovecot ---------------------------------------------------------------------------

class Imap(imaplib.IMAP4_stream):
    """Dovecot's imap on a pipe, as the user of the instance; logged in already."""

    def __init__(self, home):
        conf = home.base / "dovecot.conf"
        conf.write_text("".join(f"{name} = {value}\n" for name, value in {
            "base_dir": home.base / "dovecot", "log_path": home.base / "dovecot.log",
            "mail_location": f"maildir:{home.user_home()}/Maildir", "ssl": "no",
            "first_valid_uid": 1, "import_environment": "LD_LIBRARY_PATH USER HOME",
            "libexec_dir": addonlib.program("dovecot-core", "usr/lib/dovecot"),
            "mail_plugin_dir": addonlib.program("dovecot-core", "usr/lib/dovecot/modules"),
        }.items()))
        self.home = home
        super().__init__([addonlib.program("dovecot-core", "usr/bin/doveconf"), "-c", str(conf),
                          "-m", "imap", "-e",
                          addonlib.program("dovecot-imapd", "usr/lib/dovecot/imap")])

    def open(self, host=None, port=None, timeout=None):
        self.host = self.port = self.sock = None
        self.process = subprocess.Popen(
            self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, env=self.home.env(), cwd="/", **lib.as_user())
        self.writefile, self.readfile = self.process.stdin, self.process.stdout

    def ask(self, verb, *args):
        kind, data = getattr(self, verb)(*args)
        assert kind == "OK", (verb, args, data)
        return data

    def messages(self, since=1):
        """{uid: (subject, flags)} of all from a UID on."""
        found = {}
        for part in self.ask("uid", "fetch", f"{since}:*", "(FLAGS BODY.PEEK[])"):
            if isinstance(part, tuple):
                uid = int(re.search(rb"UID (\d+)", part[0]).group(1))
                flags = re.search(rb"FLAGS \((.*?)\)", part[0]).group(1).split()
                if uid >= since:
                    text = part[1].replace(b"\r\n", b"\n")
                    found[uid] = (addonlib.header(text, "Subject")[0],
                                  set(flags) - {b"\\Recent"}, text)
        return found


@pytest.fixture
def imap(instance):
    made = []

    def connect():
        made.append(Imap(instance))
        made[-1].ask("select", "INBOX")
        return made[-1]
    yield connect
    for one in made:
        with contextlib.suppress(Exception):
            one.logout()
        one.process.stdin.close()
        one.process.wait(lib.TIMEOUT_S)


def deliver(instance, numbers):
    with contextlib.closing(instance.smtp()) as client:
        client.ehlo()
        for number in numbers:
            client.sendmail("s@x.example", [f"test@{lib.HOST}"],
                            b"Subject: n%d\r\n\r\nbody %d\r\n..\r\n" % (number, number))


def test_dovecot_reads_while_mail_is_delivered(instance, imap):
    """Two sessions watch; each message is seen once by each, under one UID, whole; flags
    that one sets stay."""
    first, second = imap(), imap()
    sender = threading.Thread(target=deliver, args=(instance, range(COUNT)))
    sender.start()
    seen = {first: {}, second: {}}

    def look():
        for one in (first, second):
            one.ask("noop")
            new = one.messages(max(seen[one], default=0) + 1)
            seen[one].update(new)
            if one is first and new:
                for uid in new:
                    one.ask("uid", "store", str(uid), "+FLAGS",
                            "(\\Seen \\Flagged)" if uid % 3 == 0 else "(\\Seen)")
        return all(len(x) >= COUNT for x in seen.values())
    lib.wait_until(look, timeout=5 * lib.TIMEOUT_S, what="all messages by IMAP")
    sender.join()
    instance.wait_empty()
    for one in (first, second):
        assert sorted(s for s, _, _ in seen[one].values()) == sorted(
            b"n%d" % n for n in range(COUNT))
        for subject, _, text in seen[one].values():
            assert text.endswith(b"\n\nbody %s\n..\n" % subject[1:])
            assert text.startswith(b"Return-Path: <s@x.example>\n")
    assert {u: s for u, (s, _, _) in seen[first].items()} == {
        u: s for u, (s, _, _) in seen[second].items()}
    # a third session sees the flags, and so do the names in cur
    for uid, (subject, flags, _) in imap().messages().items():
        assert flags == ({b"\\Seen", b"\\Flagged"} if uid % 3 == 0 else {b"\\Seen"})
    names = os.listdir(instance.user_home() / "Maildir/cur")
    assert len(names) == COUNT
    assert all(re.search(r":2,F?S$", n) for n in names), names


def test_dovecot_and_pop3d_share_a_maildir(instance, imap):
    """Flags survive a POP3 session that reads and deletes; what it deletes is gone for
    IMAP, and the other way round."""
    deliver(instance, range(6))
    instance.wait_maildir("test", 6)
    one = imap()
    uids = {s: u for u, (s, _, _) in one.messages().items()}
    one.ask("uid", "store", str(uids[b"n0"]), "+FLAGS", "(\\Answered)")
    one.ask("uid", "store", str(uids[b"n1"]), "+FLAGS", "(\\Seen \\Deleted)")
    one.ask("expunge")

    def pop_of(count):
        pop = instance.pop3()
        return pop if pop.stat()[0] == count else pop.quit() and None
    pop = lib.wait_until(lambda: pop_of(5), what="five messages by POP3")
    texts = {n: b"\n".join(pop.retr(n)[1]) for n in range(1, 6)}
    by_subject = {addonlib.header(t + b"\n", "Subject")[0]: n for n, t in texts.items()}
    assert sorted(by_subject) == [b"n0", b"n2", b"n3", b"n4", b"n5"]
    pop.dele(by_subject[b"n3"])
    pop.quit()
    one.ask("noop")
    left = {s: f for s, f, _ in imap().messages().values()}
    assert sorted(left) == [b"n0", b"n2", b"n4", b"n5"]
    assert left[b"n0"] == {b"\\Answered"}
    assert {s: u for u, (s, _, _) in one.messages().items()} == {
        s: uids[s] for s in left}


# ---- mutt --------------------------------------------------------------------------------

def mutt(home, box, keys, settings=()):
    """Runs mutt on a terminal of its own: it opens box, types keys and ends."""
    rc = home.base / "muttrc"
    rc.write_text("".join(f"set {s}\n" for s in (
        "mail_check=0", "delete=yes", "quit=yes", "mark_old=no", "wait_key=no",
        f'folder="{home.base}"', 'record=""',  # else it asks for a directory first
        f'dotlock_program="{addonlib.program("mutt", "usr/bin/mutt_dotlock")}"',
        *settings)) + f"push \"{keys}\"\n")
    rc.chmod(0o644)
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    process = subprocess.Popen(
        [addonlib.program("mutt", "usr/bin/mutt"), "-n", "-F", str(rc), "-f", str(box)],
        stdin=theirs, stdout=theirs, stderr=theirs, env=home.env(TERM="vt100"), cwd=home.base,
        start_new_session=True, **lib.as_user())
    os.close(theirs)
    shown, deadline = b"", time.monotonic() + 5 * lib.TIMEOUT_S
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            if select.select([ours], [], [], 0.3)[0]:
                shown += os.read(ours, 65536)
            else:
                os.write(ours, b"q")  # new mail made it forget what was pushed
    os.close(ours)
    if process.poll() is None:
        process.kill()
    assert process.wait() == 0, shown[-2000:]
    return shown


def test_mutt_reads_and_deletes_in_a_maildir(instance):
    deliver(instance, range(5))
    instance.wait_maildir("test", 5)
    box = instance.user_home() / "Maildir"
    mutt(instance, box, "<delete-pattern>~s n2<enter><tag-pattern>~s n4<enter>"
         "<tag-prefix><set-flag>!<sync-mailbox><quit>")
    left = {addonlib.header(p, "Subject")[0]: p.name for p in mailfiles(box)}
    assert sorted(left) == [b"n0", b"n1", b"n3", b"n4"]
    assert left[b"n4"].partition(":2,")[2] == "F"
    pop = lib.wait_until(lambda: has(instance, 4), what="four messages by POP3")
    assert pop.stat()[0] == 4
    pop.quit()


def has(instance, count):
    pop = instance.pop3()
    return pop if pop.stat()[0] == count else pop.quit() and None


def mailfiles(box):
    return [p for part in ("new", "cur") for p in (box / part).iterdir()]


def test_mutt_empties_an_mbox_while_mail_is_delivered(instance):
    """It rewrites the file again and again under its locks: each message is moved to
    the other mbox exactly once."""
    instance.dotqmail("", "./Mailbox\n")
    box, saved = instance.user_home() / "Mailbox", instance.base / "saved"
    deliver(instance, [0])
    lib.wait_until(box.exists, what="the mbox")
    sender = threading.Thread(target=deliver, args=(instance, range(1, COUNT)))
    sender.start()
    again = True
    while again:
        again = sender.is_alive() or instance.queue_ids()
        if box.stat().st_size:
            mutt(instance, box, f"<tag-pattern>~A<enter><tag-prefix><save-message>{saved}<enter>"
                 "<sync-mailbox><quit>", ["confirmappend=no", "confirmcreate=no"])
    sender.join()
    rest = [m for b in (box, saved) if b.exists() for m in mailbox.mbox(b, create=False)]
    assert sorted(m["subject"] for m in rest) == sorted(f"n{n}" for n in range(COUNT))
    assert all(m.get_payload().startswith(f"body {m['subject'][1:]}\n") for m in rest)


# ---- python's mailbox module -----------------------------------------------------------------

def random_bodies(seed, count):
    lines = [b"", b"From x", b">From y", b">>From z", b"From", b" From x", b".", b"\xe4\xff",
             b"Subject: no", b"x" * 300]
    chosen = random.Random(seed)
    for _ in range(count):
        yield b"".join(chosen.choice(lines) + b"\n" for _ in range(chosen.randrange(12)))


def queue_all(instance, bodies):
    for number, body in enumerate(bodies):
        done = instance.queue(b"Subject: n%d\n\n%s" % (number, body), "s@x.example",
                              [f"test@{lib.HOST}"])
        assert done.returncode == 0, done.stderr
    instance.wait_empty()


def test_python_reads_our_mbox(instance):
    instance.dotqmail("", "./Mailbox\n")
    bodies = list(random_bodies(1, 30))
    queue_all(instance, bodies)
    box = mailbox.mbox(instance.user_home() / "Mailbox", create=False)
    got = {}
    for key in box.keys():
        text = box.get_bytes(key)
        body = text.partition(b"\n\n")[2]
        got[int(addonlib.header(text, "Subject")[0][1:])] = re.sub(
            rb"(?m)^>(>*From )", rb"\1", body)
        assert box[key].get_from().startswith("s@x.example ")
    assert got == dict(enumerate(bodies))


def test_python_reads_our_maildir(instance):
    bodies = list(random_bodies(2, 30))
    queue_all(instance, bodies)
    box = mailbox.Maildir(instance.user_home() / "Maildir", create=False)
    got = {}
    for key in box.keys():
        text = box.get_bytes(key)
        got[int(addonlib.header(text, "Subject")[0][1:])] = text.partition(b"\n\n")[2]
        assert box[key].get_subdir() == "new"
    assert got == dict(enumerate(bodies))
