"""qmail-pop3d: replies, sizes, what QUIT does, a Maildir that changes."""

import os
import time

import lib
import pytest
from servers import Conversation

MESSAGES = [b"a\nb\n\n", b"S: a\n\n.dot\nl2\nl3\n", b"x\n\ny\nz\n..", b""]
# what RETR sends between "+OK " and the final dot
TEXTS = [b"a\r\nb\r\n\r\n", b"S: a\r\n\r\n..dot\r\nl2\r\nl3\r\n",
         b"x\r\n\r\ny\r\nz\r\n...\r\n", b""]
SIZES = [8, 22, 15, 0]


class Maildir:
    def __init__(self, home):
        self.path = home.base / "Maildir"
        self.path.mkdir()
        lib.give(self.path)
        for name in ("tmp", "new", "cur"):
            (self.path / name).mkdir()
            lib.give(self.path / name)

    def add(self, name, content, age_s=1000, sub="new"):
        path = self.path / sub / name
        path.write_bytes(content)
        lib.give(path)
        then = time.time() - age_s
        os.utime(path, (then, then))
        return path

    def names(self):
        return sorted(f"{s}/{p.name}" for s in ("new", "cur")
                      for p in (self.path / s).iterdir())


@pytest.fixture
def maildir(home):
    return Maildir(home)


@pytest.fixture
def four(maildir):
    for i, content in enumerate(MESSAGES):
        maildir.add(f"{1000 + i}.M{i}.host", content, 1000 - i)
    return maildir


@pytest.fixture
def pop3d(home, maildir):
    """A factory of conversations; the greeting has been read."""
    open_ones = []

    def start(*args, **more):
        one = Conversation(home, "qmail-pop3d", *(args or [maildir.path]), **more)
        open_ones.append(one)
        return one

    def greeted():
        one = start()
        assert one.line() == "+OK "
        return one

    greeted.raw = start
    yield greeted
    for one in open_ones:
        one.__exit__()


def multi(one, command):
    """The lines up to the dot."""
    assert one.ask(command) == "+OK "
    found = []
    while (line := one.line()) != ".":
        found.append(line)
    return found


def body(one, command):
    """The bytes between the reply and the final dot."""
    lines = multi(one, command)
    return b"".join(line.encode("latin-1") + b"\r\n" for line in lines)


def test_replies(four, pop3d):
    one = pop3d()
    for command, reply in [
            ("NOOP", "+OK "), ("STAT", f"+OK 4 {sum(SIZES)}"), ("LAST", "+OK 0"),
            ("list 2", f"+OK 2 {SIZES[1]}"), ("UIDL 1", "+OK 1 1000.M0.host"),
            ("LIST x", "-ERR syntax error"), ("RETR", "-ERR syntax error"),
            ("DELE ", "-ERR syntax error"), ("TOP", "-ERR syntax error"),
            ("RETR 0", "-ERR messages are counted from 1"),
            ("DELE 5", "-ERR not that many messages"),
            ("TOP 99999999999999999999999 1", "-ERR not that many messages"),
            ("DELE 2", "+OK "), ("DELE 2", "-ERR already deleted"),
            ("RETR 2", "-ERR already deleted"),
            ("LIST 2", "-ERR already deleted"),
            ("UIDL 2", "-ERR already deleted"),
            ("STAT", f"+OK 3 {sum(SIZES) - SIZES[1]}"), ("LAST", "+OK 2"),
            ("DELE 1", "+OK "), ("LAST", "+OK 2"),
            ("RSET", "+OK "), ("LAST", "+OK 0"),
            ("STAT", f"+OK 4 {sum(SIZES)}"), ("RETR2", "-ERR unimplemented"),
            ("", "-ERR unimplemented"), ("USER x", "-ERR unimplemented"),
            ("AUTH", "-ERR unimplemented")]:
        assert one.ask(command) == reply, command
    assert multi(one, "LIST") == [f"{i + 1} {s}" for i, s in enumerate(SIZES)]
    assert one.ask("DELE 3") == "+OK "
    assert multi(one, "UIDL") == [f"{i + 1} {1000 + i}.M{i}.host"
                                  for i in (0, 1, 3)]
    assert multi(one, "LIST") == [f"{i + 1} {SIZES[i]}" for i in (0, 1, 3)]
    assert multi(one, "CAPA") == ["TOP", "USER", "UIDL", "PIPELINING"]


def test_retr_sends_what_list_says(four, pop3d):
    one = pop3d()
    for i, text in enumerate(TEXTS):
        assert body(one, f"RETR {i + 1}") == text
        undotted = b"".join(line[1:] if line.startswith(b".") else line
                            for line in text.splitlines(True))
        assert len(undotted) == SIZES[i]


@pytest.mark.parametrize("command, text", [
    ("TOP 2 0", b"S: a\r\n\r\n"), ("TOP 2 1", b"S: a\r\n\r\n..dot\r\n"),
    ("TOP 2 2", b"S: a\r\n\r\n..dot\r\nl2\r\n"), ("TOP 2 99", TEXTS[1]),
    ("TOP 2", TEXTS[1]), ("RETR 2 0", b"S: a\r\n\r\n"),
    ("TOP 3 3", TEXTS[2]), ("TOP 3 2", b"x\r\n\r\ny\r\nz\r\n"),
    ("TOP 4 1", b""), ("TOP 1 0", b"a\r\nb\r\n\r\n"),
])
def test_top(four, pop3d, command, text):
    assert body(pop3d(), command) == text


def test_large_message_with_dots_everywhere(maildir, pop3d):
    message = b"".join(b"." * (i % 5) + b"x" * (i % 977) + b"\n"
                       for i in range(20000))
    maildir.add("1", message)
    one = pop3d()
    got = body(one, "RETR 1")
    assert one.ask("LIST 1") == f"+OK 1 {len(message) + 20000}"
    undotted = b"".join(line[1:] if line.startswith(b".") else line
                        for line in got.splitlines(True))
    assert undotted.replace(b"\r\n", b"\n") == message


def test_pipelining(four, pop3d):
    one = pop3d()
    one.send("STAT\r\nRETR 1\r\nDELE 1\r\nQUIT\r\n")
    assert one.rest() == (f"+OK 4 {sum(SIZES)}\r\n".encode() + b"+OK \r\n" +
                          TEXTS[0] + b".\r\n+OK \r\n+OK \r\n")
    assert one.end() == 0


def test_quit_moves_and_deletes(four, pop3d):
    four.add("seen:2,S", b"x\n", 2000, "cur")
    four.add("odd:2,S", b"x\n", 3000, "new")
    one = pop3d()
    assert multi(one, "UIDL")[:2] == ["1 odd", "2 seen"]
    before = four.names()
    assert one.ask("DELE 3") == "+OK "
    assert one.ask("DELE 4") == "+OK "
    assert four.names() == before  # nothing happens before QUIT
    assert one.ask("QUIT") == "+OK "
    assert one.end() == 0
    assert four.names() == ["cur/1002.M2.host:2,", "cur/1003.M3.host:2,",
                            "cur/odd:2,S", "cur/seen:2,S"]


def test_loss_of_the_connection_changes_nothing(four, pop3d):
    before = four.names()
    one = pop3d()
    assert one.ask("DELE 1") == "+OK "
    one.send("QUIT")  # no line end
    assert one.end() == 0
    assert four.names() == before


def test_which_files_are_messages(maildir, pop3d):
    maildir.add("2", b"2\n", 200)
    maildir.add("1", b"1\n", 300, "cur")
    maildir.add("3", b"3\n", 100)
    maildir.add("3a", b"3a\n", 100)
    maildir.add(".hidden", b"x\n")
    maildir.add("future", b"x\n", -100000)
    (maildir.path / "new" / "directory").mkdir()
    (maildir.path / "new" / "link").symlink_to("/etc/passwd")
    os.mkfifo(maildir.path / "new" / "fifo")
    for path in (maildir.path / "new").iterdir():
        lib.give(path)
    uids = [line.split()[1] for line in multi(pop3d(), "UIDL")]
    assert uids == ["1", "2", "3", "3a"]


def test_message_of_this_very_second(maildir, pop3d):
    for name in ("b", "a", "c"):
        path = maildir.path / "new" / name
        path.write_bytes(b"x\n")
        lib.give(path)
        before = path.stat().st_mtime_ns
        lib.wait_until(lambda: tick(maildir) > before, what="the file clock")
    uids = [line.split()[1] for line in multi(pop3d(), "UIDL")]
    assert uids == ["b", "a", "c"]


def tick(maildir):
    """The time that a file written now would get."""
    path = maildir.path / "clock"
    path.write_bytes(b"x")
    return path.stat().st_mtime_ns


def test_uid_is_safe_to_print(maildir, pop3d):
    maildir.add("a b\r\n.\r\n+OK\xff:2,", b"x\n")
    assert multi(pop3d(), "UIDL") == ["1 a_b__.__+OK__"]


def test_waste_in_tmp_is_removed(maildir, pop3d):
    maildir.add("old", b"x", 37 * 3600, "tmp")
    maildir.add("young", b"x", 35 * 3600, "tmp")
    pop3d()
    assert os.listdir(maildir.path / "tmp") == ["young"]


def test_files_that_change_meanwhile(four, pop3d):
    one = pop3d()
    (four.path / "new" / "1000.M0.host").unlink()
    secret = four.path / "secret"
    secret.write_text("secret\n")
    second = four.path / "new" / "1001.M1.host"
    second.unlink()
    second.symlink_to(secret)
    assert one.ask("RETR 1") == "-ERR unable to open that message"
    assert one.ask("RETR 2") == "-ERR unable to open that message"
    assert one.ask("LIST 1") == "+OK 1 0"
    assert one.ask("STAT") == f"+OK 4 {SIZES[2] + SIZES[3]}"
    (four.path / "new" / "1003.M3.host").unlink()
    for number in (1, 3, 4):
        assert one.ask(f"DELE {number}") == "+OK "
    assert one.ask("QUIT") == "-ERR unable to unlink all deleted messages"
    assert one.lines(2) == ["-ERR unable to unlink all deleted messages", "+OK "]
    assert one.end() == 0
    assert four.names() == ["cur/1001.M1.host:2,"]


def test_ten_thousand_messages(maildir, pop3d):
    then = time.time() - 1000
    for i in range(10000):
        path = maildir.path / "cur" / f"{i:05}.x:2,S"
        path.write_bytes(b"S: x\n\n" + b"y\n" * (i % 10))
        lib.give(path)
        os.utime(path, (then, then))
    one = pop3d()
    listed = multi(one, "LIST")
    assert listed == [f"{i + 1} {8 + 3 * (i % 10)}" for i in range(10000)]
    assert one.ask("STAT") == f"+OK 10000 {10000 * 8 + 3 * 45 * 1000}"
    assert multi(one, "UIDL")[9999] == "10000 09999.x"


def test_no_maildir(pop3d, home):
    for args in ([home.base / "nothing"], ["a", "b"]):
        one = pop3d.raw(*args)
        assert one.line() == "-ERR this user has no $HOME/Maildir"
        assert one.end() == 0


def test_maildir_without_cur(pop3d, maildir):
    (maildir.path / "cur").rmdir()
    one = pop3d.raw()
    assert one.line() == "-ERR unable to scan $HOME/Maildir"
    assert one.end() == 0


def test_long_lines(four, pop3d):
    one = pop3d()
    assert one.ask("NOOP " + "x" * 505) == "+OK "  # 512 bytes with CR LF
    assert one.ask("NOOP " + "x" * 506) == "-ERR line too long"
    assert one.ask("NOOP") == "+OK "
    one.send("x" * 20000)
    assert one.end() == 0


def test_root_is_refused(pop3d):
    if os.getuid() != 0:
        pytest.skip("only root can try this")
    one = pop3d.raw(user=0, group=0)
    assert one.rest() == b""
    assert one.process.wait(lib.TIMEOUT_S) == 1
    assert "root" in one.log()
