"""Programs that hand their mail to `sendmail`: s-nail, mutt, git send-email, and the way
cron calls it. Each test looks at the envelope and the message that reach the queue."""

import quopri
import re
import shutil
import subprocess

import addonlib
import lib
import pytest

ME = f"test@{lib.HOST}".encode()


@pytest.fixture
def queue(home):
    """A home whose qmail-queued runs, and a catcher in front of the queue. The caller's
    name is test."""
    home.start_queued()
    home.catcher = addonlib.QueueCatcher(home)
    home.extra_env.update(QMAILQUEUE=home.catcher.program, USER="test", LOGNAME="test",
                          EMAIL="")
    home.extra_env.pop("EMAIL")
    return home


def one(home):
    """The one message that was queued; it is in the queue as it was handed over."""
    sender, recipients, message = home.catcher.one()
    (number,) = home.queue_ids()
    (path,) = (home.home / "queue/mess").glob(f"*/{number}")
    assert path.read_bytes().endswith(message)
    return sender, recipients, message


# ---- s-nail ---------------------------------------------------------------------------

def s_nail(home, *args, input=b"hello\n.\nFrom here\n"):
    return addonlib.run(home, [
        addonlib.program("s-nail", "usr/bin/s-nail"), "-:/", "-Sv15-compat",
        f"-Smta=file://{home.bin}/sendmail", *args], input=input)


def test_s_nail_sends_to_all_of_to_cc_and_bcc(queue):
    addonlib.expect_ok(s_nail(
        queue, "-Sdot=no", "-s", "a subject", "-c", "carol@x.example", "-b", "bea@x.example",
        "ann@x.example", "local"))
    sender, recipients, message = one(queue)
    # it goes by the passwd database, not by $USER
    assert sender == f"{queue.user.pw_name}@{lib.HOST}".encode()
    assert sorted(recipients) == [b"ann@x.example", b"bea@x.example", b"carol@x.example",
                                  b"local@" + lib.HOST.encode()]
    assert addonlib.header(message, "Subject") == [b"a subject"]
    assert b"bea@" not in message
    assert addonlib.header(message, "Cc") == [b"carol@x.example"]
    assert len(addonlib.header(message, "From")) == 1
    assert len(addonlib.header(message, "Date")) == 1
    assert len(addonlib.header(message, "Message-ID")) == 1
    body = message.partition(b"\n\n")[2]  # which it encodes for the sake of From
    assert quopri.decodestring(body) == b"hello\n.\nFrom here\n"


def test_s_nail_sets_the_envelope_sender(queue):
    addonlib.expect_ok(s_nail(queue, "-r", "other@y.example", "-s", "x", "ann@x.example"))
    sender, recipients, message = one(queue)
    assert (sender, recipients) == (b"other@y.example", [b"ann@x.example"])
    assert addonlib.header(message, "From") == [b"other@y.example"]


def test_s_nail_reads_addresses_from_a_message(queue):
    addonlib.expect_ok(s_nail(
        queue, "-t", input=b"To: ann@x.example, b@y.example\nSubject: by t\n\nbody\n"))
    sender, recipients, message = one(queue)
    assert sorted(recipients) == [b"ann@x.example", b"b@y.example"]
    assert addonlib.header(message, "Subject") == [b"by t"]


def test_s_nail_hears_of_a_full_queue(queue):
    queue.extra_env["QMAILQUEUE"] = "/bin/false"
    done = s_nail(queue, "-s", "x", "-Ssendwait", "ann@x.example")
    assert done.returncode != 0
    assert queue.queue_ids() == []


# ---- mutt ------------------------------------------------------------------------------

def mutt(home, *args, input=b"hello\n.\nFrom here\n", settings=()):
    rc = home.base / "muttrc"
    rc.write_text("".join(f"set {s}\n" for s in (
        f'sendmail="{home.bin}/sendmail -oem -oi"', f"hostname={lib.HOST}", "copy=no",
        "sendmail_wait=0", *settings)))
    return addonlib.run(home, [addonlib.program("mutt", "usr/bin/mutt"), "-n", "-F", rc, *args],
                        input=input, env={"TERM": "dumb"})


def test_mutt_sends_in_batch(queue):
    addonlib.expect_ok(mutt(queue, "-s", "a subject", "-c", "carol@x.example", "-b",
                            "bea@x.example", "--", "ann@x.example", "local"))
    sender, recipients, message = one(queue)
    assert sender == ME
    assert sorted(recipients) == [b"ann@x.example", b"bea@x.example", b"carol@x.example",
                                  b"local@" + lib.HOST.encode()]
    assert b"bea@" not in message
    assert addonlib.header(message, "Subject") == [b"a subject"]
    for name in ("From", "Date", "Message-ID", "To", "Cc"):
        assert len(addonlib.header(message, name)) == 1, name
    assert message.endswith(b"\n\nhello\n.\nFrom here\n")


@pytest.mark.parametrize("settings, sender", [
    (["from=other@y.example", "use_envelope_from=yes"], b"other@y.example"),
    (["from=other@y.example", "envelope_from_address=bounces@z.example",
      "use_envelope_from=yes"], b"bounces@z.example"),
    (["dsn_notify=failure,delay", "dsn_return=hdrs"], ME),
])
def test_mutt_gives_options_to_sendmail(queue, settings, sender):
    addonlib.expect_ok(mutt(queue, "-s", "x", "--", "ann@x.example", settings=settings))
    assert one(queue)[:2] == (sender, [b"ann@x.example"])


def test_mutt_says_that_8bit_may_pass(queue):
    addonlib.expect_ok(mutt(
        queue, "-s", "x", "--", "ann@x.example", input="gr\u00fc\u00dfe\n".encode(),
        settings=["use_8bitmime=yes", "allow_8bit=yes", 'charset="utf-8"',
                  'send_charset="utf-8"']))
    _, recipients, message = one(queue)
    assert recipients == [b"ann@x.example"]
    assert message.endswith("\n\ngr\u00fc\u00dfe\n".encode())


# ---- git send-email ---------------------------------------------------------------------

def git_environment():
    """git as it is installed, or else as it was unpacked with git-email."""
    env = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null"}
    if not shutil.which("git"):
        addonlib.program("git", "usr/bin/git")
        env.update(PATH=f"/usr/bin:/bin:{addonlib.ROOT}/usr/bin",
                   GIT_EXEC_PATH=addonlib.ROOT / "usr/lib/git-core")
    return env


def git(home, *args, cwd):
    return addonlib.expect_ok(addonlib.run(
        home, ["/usr/bin/env", "git", "-c", "user.name=Joe Doe", "-c", "user.email=joe@d.example",
               *args], cwd=cwd, env=git_environment()))


@pytest.fixture
def patches(queue):
    """Two patches, as git format-patch writes them."""
    tree = addonlib.write_tree(queue, "tree")
    git(queue, "init", "-q", ".", cwd=tree)
    for number in (1, 2):
        (tree / "file").write_text(f".\nFrom {number}\n")
        lib.give(tree / "file")
        git(queue, "add", "file", cwd=tree)
        git(queue, "commit", "-q", "-m", f"change {number}", cwd=tree)
    git(queue, "format-patch", "-q", "--root", "-o", str(queue.base / "patches"), cwd=tree)
    return queue, sorted((queue.base / "patches").iterdir())


def test_git_send_email_queues_each_patch(patches):
    home, files = patches
    addonlib.expect_ok(addonlib.run(home, [
        "/usr/bin/perl", addonlib.program("git-email", "usr/lib/git-core/git-send-email"),
        "--sendmail-cmd", f"{home.bin}/sendmail", "--from", "Joe Doe <joe@d.example>",
        "--to", "List <list@x.example>", "--cc", "c@y.example", "--bcc", "b@z.example",
        "--envelope-sender", "bounces@d.example", "--suppress-cc=all", "--confirm=never",
        "--no-validate", *files], cwd=home.base / "tree",
        env={**git_environment(),
             **{f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER")
                for what, value in (("NAME", "Joe Doe"), ("EMAIL", "joe@d.example"))}}))
    caught = lib.wait_until(lambda: len(home.catcher.all()) == 2 and home.catcher.all(),
                            what="two messages")
    for (sender, recipients, message), path in zip(caught, files):
        assert sender == b"bounces@d.example"
        assert sorted(recipients) == [b"b@z.example", b"c@y.example", b"list@x.example"]
        assert addonlib.header(message, "From") == [b"Joe Doe <joe@d.example>"]
        assert b"b@z.example" not in message
        patch = path.read_bytes()
        assert message.endswith(patch[patch.index(b"\n\n"):])
        assert addonlib.header(message, "Subject") == addonlib.header(patch, "Subject")
    first, second = (m for _, _, m in caught)
    assert addonlib.header(second, "In-Reply-To") == addonlib.header(first, "Message-ID")


# ---- cron and other callers ---------------------------------------------------------------

CRON = (b"From: root (Cron Daemon)\nTo: root\nSubject: Cron <root@box> run-parts\n"
        b"MIME-Version: 1.0\nContent-Type: text/plain; charset=UTF-8\n"
        b"X-Cron-Env: <SHELL=/bin/sh>\n\nout\n.\nmore \xff\n")


@pytest.mark.parametrize("arguments, recipients", [
    # Debian's cron, cronie, and Vixie's of old
    (["-i", "-FCronDaemon", "-B8BITMIME", "-oem", "root"], [b"root"]),
    (["-FCronDaemon", "-i", "-odi", "-oem", "-oi", "-t", "-f", "root"], [b"root"]),
    (["-FCronDaemon", "-odi", "-oem", "-oi", "root"], [b"root"]),
    # at, with the name of the recipient alone; smartd's and mdadm's mail; PHP's mail()
    (["-i", "-oem", "-oi", "test"], [b"test"]),
    (["-t"], [b"root"]),
    (["-t", "-i"], [b"root"]),
])
def test_callers_like_cron(queue, arguments, recipients):
    addonlib.expect_ok(queue.sendmail(*arguments, input=CRON))
    sender, got, message = one(queue)
    host = b"@" + lib.HOST.encode()
    assert got == [r + host for r in recipients]
    assert sender == (b"root" + host if "root" in arguments and "-f" in arguments else ME)
    assert addonlib.header(message, "Subject") == [b"Cron <root@box> run-parts"]
    assert addonlib.header(message, "From") == [b"root@%s (Cron Daemon)" % lib.HOST.encode()]
    assert message.endswith(b"\n\nout\n.\nmore \xff\n")


def test_a_lone_dot_does_not_end_the_message_without_i(queue):
    """Sendmail's own would stop there; qmail's never does."""
    addonlib.expect_ok(queue.sendmail("root", input=b"Subject: x\n\na\n.\nb\n"))
    assert one(queue)[2].endswith(b"\n\na\n.\nb\n")


def test_python_smtplib_over_sendmail_bs(queue):
    """A mail program that talks SMTP to `sendmail -bs`, as Alpine does."""
    process = subprocess.Popen(
        [str(queue.bin / "sendmail"), "-bs", "-odb", "-oem"], stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, env=queue.env(), cwd="/", **lib.as_user())
    out, _ = process.communicate(
        b"EHLO localhost\r\nMAIL FROM:<joe@d.example>\r\nRCPT TO:<ann@%s>\r\n"
        b"DATA\r\nSubject: bs\r\n\r\n..dot\r\n.\r\nQUIT\r\n" % lib.HOST.encode(), lib.TIMEOUT_S)
    assert re.findall(rb"(?m)^(\d\d\d) ", out) == [
        b"220", b"250", b"250", b"250", b"354", b"250", b"221"], out
    sender, recipients, message = one(queue)
    assert (sender, recipients) == (b"joe@d.example", [b"ann@" + lib.HOST.encode()])
    assert message.endswith(b"Subject: bs\n\n.dot\n")
