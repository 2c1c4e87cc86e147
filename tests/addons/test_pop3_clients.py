"""fetchmail and mpop reading from qmail-pop3d; checkpw and checkapoppw behind qmail-popup."""

import hashlib
import mailbox
import os
import poplib
import re
import signal
import subprocess

import addonlib
import lib
import pytest

ODD = {
    "dots": b".\n..\n.x\n...\n\n.\n",
    "dot at the end": b"x\n.",
    "From lines": b"From me\n>From you\n",
    "eight bits": bytes(range(128, 256)) + b"\n",
    "nothing": b"",
    "only newlines": b"\n\n\n\n",
    "a long line": b"y" * 900 + b"\n",
    "a field in the body": b"Subject: no\n\nTo: x\n",
}
MANY = 120


def fill(home, bodies, user="test"):
    """Puts messages into the Maildir, as of some seconds ago; {number: message}."""
    new = home.user_home(user) / "Maildir/new"
    made = {}
    for number, body in enumerate(bodies):
        text = (b"From: a@x.example\nTo: test@%s\nSubject: number %d\nMessage-ID: <%d@x.example>"
                b"\nDate: Mon, 02 Nov 2026 10:00:00 +0000\n\n%s"
                % (lib.HOST.encode(), number, number, body))
        path = new / f"1700000{number:03}.1.x"
        path.write_bytes(text)
        os.utime(path, (1700000000 + number,) * 2)
        lib.give(path)
        made[number] = text
    return made


def number_of(text):
    return int(re.search(rb"(?m)^Subject: number (\d+)", text).group(1))


def with_newline(text):
    """A line in POP3 ends with CRLF: there is no last line without one."""
    return text if text.endswith(b"\n") else text + b"\n"


def wait_left(home, count):
    """Waits until so many messages are left: a client may end before the server has
    done what QUIT means."""
    at = home.user_home() / "Maildir"
    lib.wait_until(lambda: len(os.listdir(at / "new")) + len(os.listdir(at / "cur")) == count,
                   what=f"{count} messages that are left")


class Mpop:
    """mpop, which keeps the UIDLs that it has seen in a file."""

    def __init__(self, home):
        self.home, self.place = home, addonlib.write_tree(home, "mpop")
        for part in ("new", "cur", "tmp"):
            addonlib.write_tree(home, f"mpop/{part}")

    def fetch(self, keep):
        home = self.home
        return addonlib.run(home, [
            addonlib.program("mpop", "usr/bin/mpop"), "--host=127.0.0.1",
            f"--port={home.pop3_port}", "--user=test", "--auth=user", "--tls=off",
            f"--passwordeval=echo {home.password()}", f"--keep={'on' if keep else 'off'}",
            f"--delivery=maildir,{self.place}", f"--uidls-file={home.base}/uidls",
            "--received-header=off"])

    def messages(self):
        return [p.read_bytes() for p in (self.place / "new").iterdir()]


class Fetchmail:
    """fetchmail, which remembers UIDLs too and hands messages to a program."""

    def __init__(self, home):
        self.home, self.place = home, addonlib.write_tree(home, "fetched")

    def fetch(self, keep):
        home = self.home
        rc = home.base / "fetchmailrc"
        rc.write_text(
            f"poll 127.0.0.1 protocol pop3 port {home.pop3_port} uidl no dns\n"
            f' user "test" there password "{home.password()}" sslproto "" no rewrite\n'
            f' {"keep" if keep else "no keep"}\n'
            f' mda "cat >{self.place}/$$"\n')
        rc.chmod(0o600)
        lib.give(rc)
        done = addonlib.run(home, [
            addonlib.program("fetchmail", "usr/bin/fetchmail"), "-f", rc, "-i",
            home.base / "fetchids", "--nosyslog", "--pidfile", home.base / "fetch.pid"],
            env={"FETCHMAILHOME": home.base})
        # 1: there was nothing
        done.returncode = 0 if done.returncode == 1 else done.returncode
        return done

    def messages(self):
        """Without the Received line that it puts in front."""
        return [addonlib.payload(p) for p in self.place.iterdir()]


@pytest.fixture(params=[Mpop, Fetchmail])
def client(request, home):
    return request.param(home)


def test_fetches_every_byte_and_deletes(client):
    made = fill(client.home, ODD.values())
    addonlib.expect_ok(client.fetch(keep=False))
    got = {number_of(m): m for m in client.messages()}
    assert sorted(got) == sorted(made) and len(client.messages()) == len(made)
    for number, what in enumerate(ODD):
        assert got[number] == with_newline(made[number]), what
    wait_left(client.home, 0)


def test_keeps_and_knows_by_uidl_what_it_has(client):
    made = fill(client.home, ODD.values())
    addonlib.expect_ok(client.fetch(keep=True))
    addonlib.expect_ok(client.fetch(keep=True))
    assert sorted(number_of(m) for m in client.messages()) == sorted(made)
    wait_left(client.home, len(made))
    # a new one among them is fetched alone
    (client.home.user_home() / "Maildir/new/1600000000.1.x").write_bytes(
        b"Subject: number 99\n\nnew\n")
    os.utime(client.home.user_home() / "Maildir/new/1600000000.1.x", (1600000000,) * 2)
    lib.give(client.home.user_home() / "Maildir/new/1600000000.1.x")
    addonlib.expect_ok(client.fetch(keep=True))
    assert sorted(number_of(m) for m in client.messages()) == sorted([*made, 99])


def test_fetches_many(client):
    bodies = [b"line %d\n.\n" % n * (n % 50) for n in range(MANY)]
    made = fill(client.home, bodies)
    addonlib.expect_ok(client.fetch(keep=False))
    got = {number_of(m): m for m in client.messages()}
    assert got == made
    wait_left(client.home, 0)


def test_a_wrong_password_is_refused(client):
    fill(client.home, [b"x\n"])
    password = client.home.password()
    client.home.pop3_port  # the server reads users/passwd at each login
    (client.home.home / "users/test.password").write_text(password + "x")
    done = client.fetch(keep=False)
    assert done.returncode != 0
    assert client.messages() == []
    wait_left(client.home, 1)


def test_fetchmail_hands_on_to_our_smtpd(instance):
    """From one mailbox by POP3 into another by SMTP, as fetchmail does by default."""
    instance.add_user("ann")
    made = fill(instance, ODD.values())
    rc = instance.base / "fetchmailrc"
    rc.write_text(
        f"poll 127.0.0.1 protocol pop3 port {instance.pop3_port} no dns\n"
        f' user "test" there password "{instance.password()}" is "ann" here\n'
        f' sslproto "" no rewrite smtphost 127.0.0.1/{instance.smtp_port}'
        f" smtpname ann@{lib.HOST}\n")
    rc.chmod(0o600)
    lib.give(rc)
    addonlib.expect_ok(addonlib.run(
        instance, [addonlib.program("fetchmail", "usr/bin/fetchmail"), "-f", rc],
        env={"FETCHMAILHOME": instance.base}))
    paths = instance.wait_maildir("ann", len(made))
    got = {number_of(p.read_bytes()): addonlib.payload(p) for p in paths}
    assert got == {n: with_newline(m) for n, m in made.items()}
    wait_left(instance, 0)


def test_mpop_writes_an_mbox_that_python_reads(home):
    made = fill(home, [b"From a\n\n", b"x\n"])
    box = home.base / "mbox"
    addonlib.expect_ok(addonlib.run(home, [
        addonlib.program("mpop", "usr/bin/mpop"), "--host=127.0.0.1",
        f"--port={home.pop3_port}", "--user=test", "--auth=user", "--tls=off",
        f"--passwordeval=echo {home.password()}", f"--delivery=mbox,{box}",
        f"--uidls-file={home.base}/uidls", "--received-header=off"]))
    assert len(mailbox.mbox(box, create=False)) == len(made)


# ---- checkpw and checkapoppw -----------------------------------------------------------

@pytest.fixture
def server(home):
    """A function that serves POP3 with a checkpassword program, as root and with a
    passwd of its own, in which joe has the uid of the tests' user."""
    if os.getuid() != 0:
        pytest.skip("checkpw sets the groups of the user: it needs root")
    at = home.user_home()
    password = home.write("users/test/Maildir/.password", "se cret\n", mode=0o600)
    assert password.exists()
    passwd = home.base / "passwd"
    passwd.write_text(f"root:x:0:0::/:/bin/sh\n"
                      f"joe:x:{home.user.pw_uid}:{home.user.pw_gid}::{at}:/bin/sh\n")
    passwd.chmod(0o644)
    started = []

    def start(program):
        checker = addonlib.program("checkpw", f"usr/bin/{program}")
        process = subprocess.Popen(
            ["unshare", "-m", "sh", "-c", 'mount --bind "$0" /etc/passwd && exec "$@"',
             passwd, "tcpserver", "-1HRl0", "127.0.0.1", "0", home.bin / "qmail-popup",
             home.host, checker, home.bin / "qmail-pop3d", "Maildir"],
            env=home.env(), stdout=subprocess.PIPE, stdin=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, cwd="/", start_new_session=True)
        started.append(process)
        return int(process.stdout.readline())

    yield start
    for process in started:
        process.send_signal(signal.SIGTERM)
        process.wait(lib.TIMEOUT_S)
        process.stdout.close()


def test_checkpw_opens_the_mailbox_as_the_user(home, server):
    fill(home, [b"hello\n"])
    pop = poplib.POP3("127.0.0.1", server("checkpw"), timeout=lib.TIMEOUT_S)
    pop.user("joe")
    pop.pass_("se cret")
    assert pop.stat()[0] == 1
    assert b"\n".join(pop.retr(1)[1]).endswith(b"\n\nhello")
    pop.quit()
    (path,) = (home.user_home() / "Maildir/cur").iterdir()
    assert path.stat().st_uid == home.user.pw_uid


@pytest.mark.parametrize("user, password", [
    ("joe", "secret"), ("joe", ""), ("root", "se cret"), ("nobody-there", "se cret")])
def test_checkpw_refuses(home, server, user, password):
    pop = poplib.POP3("127.0.0.1", server("checkpw"), timeout=lib.TIMEOUT_S)
    pop.user(user)
    with pytest.raises(poplib.error_proto, match="-ERR"):
        pop.pass_(password or "x")
    pop.close()


def test_checkapoppw_takes_the_digest_of_our_timestamp(home, server):
    fill(home, [b"hello\n"])
    port = server("checkapoppw")
    pop = poplib.POP3("127.0.0.1", port, timeout=lib.TIMEOUT_S)
    assert re.search(rb"<\d+\.\d+@" + lib.HOST.encode() + rb">", pop.getwelcome())
    pop.apop("joe", "se cret")
    assert pop.stat()[0] == 1
    pop.quit()
    pop = poplib.POP3("127.0.0.1", port, timeout=lib.TIMEOUT_S)
    with pytest.raises(poplib.error_proto, match="-ERR"):
        pop.apop("joe", "other")
    pop.close()


def test_checkapoppw_wants_the_timestamp_of_this_session(home, server):
    """A digest that was heard on the wire is of no use in the next session."""
    port = server("checkapoppw")
    first = poplib.POP3("127.0.0.1", port, timeout=lib.TIMEOUT_S)
    stamp = re.search(rb"<.*>", first.getwelcome()).group(0)
    first.close()
    again = poplib.POP3("127.0.0.1", port, timeout=lib.TIMEOUT_S)
    digest = hashlib.md5(stamp + b"se cret").hexdigest()
    with pytest.raises(poplib.error_proto, match="-ERR"):
        again._shortcmd(f"APOP joe {digest}")
    again.close()


def test_fetchmail_logs_in_by_apop(home, server):
    made = fill(home, [b"x\n"])
    place = addonlib.write_tree(home, "fetched")
    rc = home.base / "fetchmailrc"
    rc.write_text(f"poll 127.0.0.1 protocol apop port {server('checkapoppw')} no dns\n"
                  ' user "joe" there password "se cret" sslproto "" no rewrite\n'
                  f' mda "cat >{place}/$$"\n')
    rc.chmod(0o600)
    lib.give(rc)
    addonlib.expect_ok(addonlib.run(
        home, [addonlib.program("fetchmail", "usr/bin/fetchmail"), "-f", rc],
        env={"FETCHMAILHOME": home.base}))
    (path,) = place.iterdir()
    assert addonlib.payload(path) == made[0]
    wait_left(home, 0)
