"""qmail-popup and qmail-checkpass: the way to a Maildir by POP3."""

import os
import poplib
import re
import shutil
import signal
import socket
import subprocess

import lib
import pytest
from servers import Conversation

SHOW = r"""#!/bin/sh
# prints what came on descriptor 3, NUL as '~', then talks
tr '\0' '~' <&3; echo; pwd; echo "$USER $HOME $SHELL"
"""


@pytest.fixture
def popup(home):
    """A factory of conversations with qmail-popup; the banner was read."""
    open_ones = []

    def start(*subprogram, env=None):
        one = Conversation(home, "qmail-popup", "pop.example",
                           *(subprogram or ["/bin/false"]), env=env)
        open_ones.append(one)
        banner = one.line()
        match = re.fullmatch(r"\+OK (<(\d+)\.\d+@pop\.example>)", banner)
        assert match and int(match[2]) == one.process.pid, banner
        one.banner = match[1]
        return one

    yield start
    for one in open_ones:
        one.__exit__()


@pytest.fixture
def script(home):
    def make(text, name="script"):
        path = home.base / name
        path.write_text(text)
        path.chmod(0o755)
        return path
    return make


# ---- qmail-popup ------------------------------------------------------------------

def test_replies(popup):
    one = popup()
    for command, reply in [
            ("NOOP", "+OK "), ("STAT", "-ERR authorization first"),
            ("AUTH", "-ERR authorization first"),
            ("AUTH LOGIN", "-ERR authorization first"),
            ("AUTH PLAIN AA=", "-ERR syntax error"),
            ("", "-ERR authorization first"),
            ("PASS x", "-ERR USER first"), ("USER", "-ERR syntax error"),
            ("user joe", "+OK "), ("PASS", "-ERR syntax error"),
            ("APOP joe", "-ERR syntax error"), ("USER jim", "+OK "),
            ("USER " + "x" * 600, "-ERR line too long")]:
        assert one.ask(command) == reply, command
    assert one.ask("CAPA") == "+OK "
    assert one.lines(6) == ["TOP", "USER", "UIDL", "PIPELINING", "SASL PLAIN",
                            "."]
    assert one.ask("AUTH PLAIN") == "+ "
    assert one.ask("*") == "-ERR syntax error"
    assert one.ask("PASS x") == "-ERR USER first"
    assert one.ask(b"USER joe\0x\r\n") == "-ERR syntax error"
    assert one.ask("QUIT") == "+OK "
    assert one.end() == 1


@pytest.mark.parametrize("login, want", [
    ("USER joe\r\nPASS  a b \r\n", "joe~a b ~{banner}~"),
    ("USER x\r\nUSER joe\r\nPASS y\r\n", "joe~y~{banner}~"),
    ("APOP joe 0123 45\r\n", "joe~0123 45~{banner}~"),
    ("auth plain AGpvZQBzZWNyZXQ=\r\n", "joe~secret~{banner}~"),
    ("AUTH PLAIN\r\nAGpvZQBzZWNyZXQ=\r\n", "joe~secret~{banner}~"),
])
def test_secret_on_descriptor_3(popup, script, login, want):
    one = popup(script(SHOW))
    one.send(login)
    seen = one.rest().decode()
    assert want.format(banner=one.banner) + "\n" in seen
    assert "-ERR" not in seen
    assert one.end() == 1


@pytest.mark.parametrize("program, reply", [
    ("#!/bin/sh\nexit 1\n", "-ERR authorization failed"),
    ("#!/bin/sh\nexit 2\n", "-ERR authorization failed"),
    ("#!/bin/sh\nexit 111\n", "-ERR authorization failed"),
    ("#!/bin/sh\nkill -9 $$\n", "-ERR aack, child crashed"),
])
def test_subprogram_fails(popup, script, program, reply):
    one = popup(script(program), env={"TCPREMOTEIP": "192.0.2.7"})
    one.send("USER joe\r\nPASS x\r\nUSER joe\r\n")
    assert one.lines(2) == ["+OK ", reply]
    assert one.end() == 1
    assert re.fullmatch(r"qmail-popup: pid=\d+ ip=192\.0\.2\.7 user=joe "
                        r"result=reject (status|signal)=\d+\n", one.log())


def test_name_cannot_forge_the_log(popup, script):
    one = popup(script("#!/bin/sh\nexit 1\n"))
    one.send(b"USER x result=accept\x1b%\r\nPASS x\r\n")
    one.rest()
    assert " user=x_result=accept__ result=reject status=1\n" in one.log()


def test_ignored_sigchld(home, script):
    """Inherited from a shell, it must not matter."""
    one = Conversation(home, "qmail-popup", "pop.example",
                       script("#!/bin/sh\nexit 1\n"), restore_signals=False,
                       preexec_fn=ignore_children)
    with one:
        one.send("USER joe\r\nPASS x\r\n")
        assert one.lines(3)[2] == "-ERR authorization failed"
        assert one.end() == 1


def ignore_children():
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)


def test_subprogram_is_not_there(popup):
    one = popup("no-such-program")
    one.send("USER joe\r\nPASS x\r\n")
    assert one.lines(2) == ["+OK ", "-ERR authorization failed"]
    assert one.end() == 1


@pytest.mark.parametrize("length", [512, 513, 800])
def test_secret_that_is_too_long(popup, script, length):
    one = popup(script("#!/bin/sh\nwc -c <&3\n"))
    left = length - len("u" * 300 + one.banner + "\0\0\0")
    one.send("USER " + "u" * 300 + "\r\nPASS " + "p" * left + "\r\n")
    assert one.line() == "+OK "
    assert one.rest() == (b"512\n" if length == 512
                          else b"-ERR authorization failed\r\n")
    assert one.process.wait(lib.TIMEOUT_S) == 1


def test_lines_of_512_and_513_bytes(popup):
    one = popup()
    assert one.ask("USER " + "x" * 505) == "+OK "  # with CR LF
    assert one.ask("USER " + "x" * 506) == "-ERR line too long"


def test_what_follows_pass_is_for_the_subprogram(popup, script):
    one = popup(script("#!/bin/sh\nexec cat\n"))
    one.send("USER joe\r\nPASS x\r\nfollows\r\n")
    assert one.lines(2) == ["+OK ", "follows"]
    assert one.end() == 1


def test_subprogram_has_no_other_descriptors(popup, script):
    one = popup(script("#!/bin/sh\nls /proc/self/fd | tr '\\n' ' '; echo\n"))
    one.send("USER joe\r\nPASS x\r\n")
    # 4 is the directory that ls reads
    assert one.rest() == b"+OK \r\n0 1 2 3 4 \n"


def test_usage(home):
    for args in ([], ["pop.example"]):
        with Conversation(home, "qmail-popup", *args) as one:
            assert one.line() == "-ERR usage: popup hostname subprogram"
            assert one.end() == 1


def test_endless_commands(popup):
    one = popup()
    one.send("NOOP\r\n" * 1000)
    assert one.rest().count(b"+OK") == 100
    assert one.process.wait(lib.TIMEOUT_S) == 1


@pytest.mark.parametrize("extra, ends", [(8192, False), (8193, True)])
def test_endless_line(popup, extra, ends):
    """What is too long by a little is skipped; the client is sent away when it
    goes on."""
    one = popup()
    one.send(b"x" * (512 + extra - 2) + b"\r\nQUIT\r\n")
    assert one.rest() == (b"" if ends else b"-ERR line too long\r\n+OK \r\n")
    assert one.process.wait(lib.TIMEOUT_S) == 1


# ---- qmail-checkpass ----------------------------------------------------------------

ON_3 = ("import os, sys; fd = int(sys.argv[1]); os.dup2(fd, 3)\n"
        "if fd != 3: os.close(fd)\n"
        "os.execv(sys.argv[2], sys.argv[2:])")


def checkpass(home, secret, *program, **more):
    """Runs it with secret on descriptor 3."""
    ours, theirs = os.pipe()
    os.write(theirs, secret)
    os.close(theirs)
    try:
        return subprocess.run(
            ["/usr/bin/python3", "-c", ON_3, str(ours),
             str(home.bin / "qmail-checkpass"), *map(str, program)],
            pass_fds=(ours,), capture_output=True, timeout=lib.TIMEOUT_S,
            env=home.env(), cwd="/", **{**lib.as_user(), **more})
    finally:
        os.close(ours)


def make_hash(home, password):
    done = home.run("qmail-checkpass", "-c", input=password.encode() + b"\n")
    assert done.returncode == 0, done.stderr
    return done.stdout.decode().strip()


@pytest.fixture
def passwd(home):
    """Writes users/passwd."""
    (home.home / "users" / "test").mkdir(exist_ok=True)

    def write(*lines, mode=0o600):
        home.write("users/passwd", "".join(line + "\n" for line in lines), mode)
    return write


def test_hash_is_sha512_with_a_salt_of_its_own(home):
    one, two = make_hash(home, "secret"), make_hash(home, "secret")
    assert re.fullmatch(r"\$6\$[./0-9A-Za-z]{16}\$[./0-9A-Za-z]{86}", one)
    assert one != two
    for bad in (b"", b"\n", b"x" * 600, b"a\0b\n"):
        done = home.run("qmail-checkpass", "-c", input=bad)
        assert (done.returncode, done.stdout) == (100, b"")


def test_right_password(home, passwd, script):
    passwd("# comment", "", "other:x", f"test:{make_hash(home, 'se:cret')}:::")
    done = checkpass(home, b"test\0se:cret\0<banner>\0", script(SHOW))
    assert done.returncode == 0, done.stderr
    at = home.home / "users/test"
    assert done.stdout.decode().splitlines()[1:] == [
        str(at), f"test {at} /bin/sh"]
    assert done.stdout.startswith(b"\n")  # descriptor 3 is closed


def test_uid_gid_home(home, passwd, script):
    uid, gid = home.user.pw_uid, home.user.pw_gid
    passwd(f"test:{make_hash(home, 'x')}:{uid}:{gid}:{home.base}")
    done = checkpass(home, b"test\0x\0\0", "/bin/sh", "-c", "id -u; id -g; pwd")
    assert done.stdout.decode().split() == [str(uid), str(gid), str(home.base)]


def test_home_of_a_relative_path_is_absolute(home, passwd):
    passwd(f"test:{make_hash(home, 'x')}:::users/test")
    done = checkpass(home, b"test\0x\0\0", "/bin/sh", "-c", 'pwd; echo "$HOME"')
    at = str(home.home / "users/test")
    assert done.stdout.decode().split() == [at, at]


@pytest.mark.parametrize("secret", [
    b"test\0wrong\0\0", b"test\0\0\0", b"nobody\0x\0\0", b"\0x\0\0", b"Test\0x\0\0",
    b"locked\0x\0\0", b"star\0*0\0\0", b"empty\0\0\0", b"#\0x\0\0",
    b"setting\0x\0\0", b"test \0x\0\0"])
def test_wrong(home, passwd, secret):
    hashed = make_hash(home, "x")
    passwd(f"test:{hashed}:::", f"locked:!{hashed}:::", "star:*0:::",
           "empty::::", "setting:" + hashed[:20] + ":::", f"#:{hashed}:::")
    done = checkpass(home, secret, "/bin/echo", "in")
    assert (done.returncode, done.stdout, done.stderr) == (1, b"", b"")


@pytest.mark.parametrize("secret", [b"", b"test", b"test\0x", b"a\0" + b"x" * 511])
def test_misuse(home, passwd, secret):
    passwd("test:x")
    assert checkpass(home, secret, "/bin/echo", "in").returncode == 2


def test_misuse_without_program_or_descriptor(home):
    assert checkpass(home, b"test\0x\0\0").returncode == 2
    done = home.run("qmail-checkpass", "/bin/true")
    assert done.returncode == 2


@pytest.mark.parametrize("line", [
    "test:{hash}:0:{gid}:/", "test:{hash}:{uid}:0:/", "test:{hash}:x:y:/",
    "test:{hash}:{uid}::/", "test:{hash}:-1:{gid}:/",
    "test:{hash}:4294967295:{gid}:/", "test:{hash}:{uid}:{gid}:/nonexistent"])
def test_line_that_cannot_be_used(home, passwd, line):
    passwd(line.format(hash=make_hash(home, "x"), uid=home.user.pw_uid,
                       gid=home.user.pw_gid))
    done = checkpass(home, b"test\0x\0\0", "/bin/echo", "in")
    assert (done.returncode, done.stdout) == (111, b"")
    assert done.stderr.startswith(b"qmail-checkpass: ")


def test_other_uid_without_root(home, passwd):
    passwd(f"test:{make_hash(home, 'x')}:{home.user.pw_uid + 1}:77:/")
    done = checkpass(home, b"test\0x\0\0", "/bin/echo", "in")
    assert (done.returncode, done.stdout) == (111, b"")


@pytest.mark.parametrize("mode", [0o604, 0o602, 0o620, 0o601])
def test_file_that_others_can_read(home, passwd, mode):
    passwd(f"test:{make_hash(home, 'x')}:::", mode=mode)
    done = checkpass(home, b"test\0x\0\0", "/bin/echo", "in")
    assert (done.returncode, done.stdout) == (111, b"")
    assert b"open to others" in done.stderr


def test_no_file_and_no_program(home, passwd):
    done = checkpass(home, b"test\0x\0\0", "/bin/echo", "in")
    if not (home.home / "users/passwd").exists():
        assert done.returncode == 111
    passwd(f"test:{make_hash(home, 'x')}:::")
    assert checkpass(home, b"test\0x\0\0", "/nonexistent").returncode == 111


def test_root_becomes_the_user_for_good(home, passwd):
    if os.getuid() != 0:
        pytest.skip("only root can try this")
    passwd(f"test:{make_hash(home, 'x')}:12345:23456:/", f"r:{make_hash(home, 'x')}:::")
    done = checkpass(home, b"test\0x\0\0", "/bin/cat", "/proc/self/status",
                     user=0, group=0, extra_groups=[0, 1])
    assert b"Uid:\t12345\t12345\t12345\t12345\n" in done.stdout
    assert b"Gid:\t23456\t23456\t23456\t23456\n" in done.stdout
    assert re.search(rb"^Groups:\t23456 *$", done.stdout, re.M)
    done = checkpass(home, b"r\0x\0\0", "/bin/echo", "in", user=0, group=0)
    assert (done.returncode, done.stdout) == (111, b"")


# ---- all three together ---------------------------------------------------------------

@pytest.fixture
def port(home, passwd):
    """A POP3 server over a Maildir with two messages."""
    at = home.user_home() / "Maildir"
    for name, text in [("1", b"Subject: one\n\n.dot\n"), ("2", b"Subject: two\n\n")]:
        path = at / "new" / name
        path.write_bytes(text)
        lib.give(path)
        os.utime(path, (1000 + int(name), 1000 + int(name)))
    passwd(f"test:{make_hash(home, 'secret')}:::")
    port = home.serve(home.bin / "qmail-popup", "pop.example",
                      home.bin / "qmail-checkpass",
                      home.bin / "qmail-pop3d", "Maildir")
    yield port
    home.stop()


def test_poplib(home, port):
    client = poplib.POP3("127.0.0.1", port, timeout=lib.TIMEOUT_S)
    assert client.capa() == {"TOP": [], "USER": [], "UIDL": [], "PIPELINING": [],
                             "SASL": ["PLAIN"]}
    with pytest.raises(poplib.error_proto, match="USER first"):
        client.pass_("x")
    client.user("test")
    client.pass_("secret")
    assert client.stat() == (2, 38)
    assert client.list()[1] == [b"1 22", b"2 16"]
    assert client.retr(1) == (b"+OK ", [b"Subject: one", b"", b".dot"], 22)
    assert client.top(2, 0)[1] == [b"Subject: two", b""]
    assert client.uidl()[1] == [b"1 1", b"2 2"]
    client.dele(1)
    client.quit()
    at = home.user_home() / "Maildir"
    lib.wait_until(lambda: os.listdir(at / "cur") == ["2:2,"], what="QUIT")
    assert os.listdir(at / "new") == []


def test_wrong_password_by_poplib(port):
    client = poplib.POP3("127.0.0.1", port, timeout=lib.TIMEOUT_S)
    client.user("test")
    with pytest.raises(poplib.error_proto, match="authorization failed"):
        client.pass_("wrong")
    client.close()


def test_curl(port):
    """curl takes AUTH PLAIN, else APOP, since the banner has a time stamp."""
    curl = shutil.which("curl")
    if curl is None:
        pytest.skip("curl is not installed")
    for path, want in [("", b"1 22\r\n2 16\r\n"),
                       ("1", b"Subject: one\r\n\r\n.dot\r\n")]:
        done = subprocess.run(
            [curl, "-sS", "--max-time", "60", "--user", "test:secret",
             f"pop3://127.0.0.1:{port}/{path}"],
            capture_output=True, timeout=lib.TIMEOUT_S)
        assert done.stdout == want, done.stderr


APOP = r"""#!/usr/bin/python3
import hashlib, os, sys
user, digest, banner = os.read(3, 512).split(b"\0")[:3]
if digest.decode() != hashlib.md5(banner + b"secret").hexdigest():
    sys.exit(1)
os.execv(sys.argv[1], sys.argv[1:])
"""


def test_apop(home, port, script):
    """With a subprogram that knows the password in clear text."""
    port = home.serve(home.bin / "qmail-popup", "pop.example", script(APOP),
                      home.bin / "qmail-pop3d", home.user_home() / "Maildir")
    client = poplib.POP3("127.0.0.1", port, timeout=lib.TIMEOUT_S)
    client.apop("test", "secret")
    assert client.stat() == (2, 38)
    client.quit()


def test_pipelined_login(home, port):
    with socket.create_connection(("127.0.0.1", port), lib.TIMEOUT_S) as s:
        s.sendall(b"USER test\r\nPASS secret\r\nSTAT\r\nLIST 1\r\nQUIT\r\n")
        seen = b""
        while more := s.recv(4096):
            seen += more
    banner, rest = seen.split(b"\r\n", 1)
    assert rest == b"+OK \r\n+OK \r\n+OK 2 38\r\n+OK 1 22\r\n+OK \r\n"
