"""qmail-lspawn: whose mail it is, workers by account, QMAILLOCAL."""

import os
import sys

import lib
import pytest
import spawnlib
from lib import wait_until
from spawnlib import CLASSIC, WORKER

GETPW = "#!" + sys.executable + "\n"


def me():
    return lib.ordinary_user()


@pytest.fixture
def spawn():
    one = spawnlib.Spawn("qmail-lspawn", "./Mailbox")
    one.script("qmail-local", WORKER)
    one.real("qmail-getpw")
    one.control("localidle", "600\n")
    yield one
    one.remove()


def assign(spawn, *lines):
    """Compiles users/assign by qmail-newu."""
    import subprocess
    (spawn.home / "users" / "assign").write_text("".join(
        line.replace("ME", f"{me().pw_uid}:{me().pw_gid}") + "\n"
        for line in lines) + ".\n")
    subprocess.run([lib.bin_dir() / "qmail-newu"], check=True,
                   env={"QMAILHOME": str(spawn.home)}, **lib.as_user())


def fields(spawn):
    """user homedir local dash ext domain sender defaultdelivery"""
    return spawn.seen("job")[-1]["job"][2:]


def test_one_recipient_a_job(spawn):
    spawn.start()
    assert spawn.recipients == 1
    assert 1 <= spawn.limit <= 1000


def test_a_rule_of_users_cdb_decides(spawn):
    assign(spawn, "=joe:joe:ME:/home/joe:::", "+joe-:joe:ME:/home/joe:-::",
           "+joe-l-:joe:ME:/home/joe:-:pre-:", "+:other:ME:/o:-::")
    spawn.start()
    spawn.job(1, "", "JOE@Dom.example", sender="a@b")
    assert spawn.result() == (1, 0, "K", "ok JOE@Dom.example\n")
    assert fields(spawn) == ["joe", "/home/joe", "JOE", "", "", "Dom.example",
                             "a@b", "./Mailbox"]
    for local, want in [
            ("joe-X.Y", ["joe", "/home/joe", "joe-X.Y", "-", "X.Y"]),
            ("joe-L-Foo", ["joe", "/home/joe", "joe-L-Foo", "-", "pre-Foo"]),
            ("a@b", ["other", "/o", "a@b", "-", "a@b"])]:
        spawn.job(2, "", local + "@d")
        assert spawn.result()[2] == "K"
        assert fields(spawn)[:5] == want
    # all are one account: one worker
    assert len(spawn.seen("start")) == 1


def test_users_cdb_is_opened_anew(spawn):
    assign(spawn, "=joe:joe:ME:/home/joe:::")
    spawn.start()
    spawn.job(1, "", "joe@d")
    assert spawn.result()[2] == "K"
    assign(spawn, "=joe:joe:ME:/moved/joe:::")
    spawn.job(2, "", "joe@d")
    assert spawn.result()[2] == "K"
    assert fields(spawn)[1] == "/moved/joe"


def test_a_damaged_users_cdb_defers(spawn):
    spawn.start()
    for content in (b"", b"x" * 3000, bytes(2048)):
        (spawn.home / "users" / "cdb").write_bytes(content)
        spawn.job(1, "", "joe@d")
        number, index, letter, text = spawn.result()
        assert (letter, text) == ("Z", "Unable to read users/cdb. (#4.3.0)\n")


def test_the_worker_is_clean(spawn):
    spawn.start()
    spawn.job(1, "", "joe@d")
    assert spawn.result()[2] == "K"
    (start,) = spawn.seen("start")
    assert start["fds"] == []
    assert start["argv"][1:] == ["-w"]
    assert start["uid"] == me().pw_uid


def test_without_a_rule_the_alias_user_of_a_home_alone_gets_it(spawn):
    spawn.start()
    for local in ("nobody-knows-this", "root", "root-x", "-", "-x"):
        spawn.job(1, "", local + "@d")
        assert spawn.result()[2] == "K"
        assert fields(spawn)[0] == me().pw_name
        assert fields(spawn)[1:5] == [str(spawn.home / "alias"), local, "-",
                                      local]
    # one qmail-getpw for all of them
    assert len(spawn.children()) == 2


def test_mail_to_root_is_refused(spawn):
    assign(spawn, "=joe:joe:0:0:/home/joe:::")
    spawn.script("qmail-getpw", CLASSIC_GETPW % (
        "sys.exit(100)", "root:0:0:/root:-:x:"))
    spawn.start()
    for local in ("joe", "by-getpw"):
        spawn.job(1, "", local + "@d")
        assert spawn.result() == (
            1, 0, "Z", "Not allowed to deliver mail as root. (#4.7.0)\n")
    assert spawn.seen() == []
    assert (spawn.home / "asked").read_text() == "by-getpw\n"


def test_another_account_is_a_deferral_without_root(spawn):
    assign(spawn, "=joe:joe:54321:54321:/home/joe:::")
    spawn.start()
    spawn.job(1, "", "joe@d")
    number, index, letter, text = spawn.result()
    assert letter == "Z" and "does not run as root" in text
    assert spawn.seen() == []


def test_throws_away_what_has_no_local_part(spawn):
    spawn.start()
    spawn.job(1, "", "@d")
    assert spawn.result() == (1, 0, "K", "")
    assert spawn.seen() == []


@pytest.mark.parametrize("recipient", [
    b"joe", b"jo\0e@d", b"j" * 5000 + b"@d", b"joe@" + b"d" * 9000])
def test_what_is_no_address_fails(spawn, recipient):
    spawn.start()
    spawn.job(1, "", recipient)
    number, index, letter, text = spawn.result()
    assert letter == "D" and "5.1.3" in text


@pytest.mark.parametrize("what, text", [
    ("crash", "qmail-local crashed.\n"),
    ("exit-118", "Trouble with the system or its accounts. (#4.3.0)\n"),
    ("exit-120", "Unable to run qmail-local just now. (#4.3.0)\n"),
    ("exit-0", "qmail-local ended without a report. (#4.3.0)\n"),
    ("exit-100", "qmail-local ended without a report. (#4.3.0)\n"),
])
def test_a_worker_that_ends_is_a_deferral(spawn, what, text):
    spawn.start()
    spawn.job(1, "", what + "@d")
    assert spawn.result() == (1, 0, "Z", text)


def test_a_missing_qmail_local_is_a_deferral(spawn):
    (spawn.home / "bin" / "qmail-local").unlink()
    spawn.start()
    spawn.job(1, "", "joe@d")
    assert spawn.result()[2] == "Z"


def test_long_reports_are_cut(spawn):
    spawn.start()
    spawn.job(1, "", "big@d")
    number, index, letter, text = spawn.result()
    assert letter == "Z" and text.startswith("x" * 3000 + "\n")
    assert "too long" in text and len(text) < 3100


def test_many_at_once(spawn):
    spawn.start()
    count = min(spawn.limit, 40)
    for number in range(count):
        spawn.job(number, "", f"wait-{number}@d")
    wait_until(lambda: len(spawn.seen("job")) == count)
    spawn.go()
    assert spawn.results(count) == [(n, 0, "K", "waited\n")
                                    for n in range(count)]
    assert len(spawn.seen("start")) == count


def test_running_jobs_end_before_it_does(spawn):
    import socket
    spawn.start()
    spawn.job(1, "", "wait@d")
    wait_until(lambda: spawn.seen("job"))
    spawn.sock.shutdown(socket.SHUT_WR)
    spawn.go()
    assert spawn.result() == (1, 0, "K", "waited\n")
    assert spawn.process.wait(60) == 0


# ---- a site's own qmail-getpw --------------------------------------------------

def entry(ext=""):
    return "%s:%d:%d:/site:-:%s:" % (me().pw_name, me().pw_uid, me().pw_gid,
                                     ext)


CLASSIC_GETPW = GETPW + r'''
import os, sys
if len(sys.argv) != 2:
    %s
with open("asked", "a") as f:
    f.write(sys.argv[1] + "\n")
if sys.argv[1].startswith("exit-"):
    sys.exit(int(sys.argv[1][5:]))
if sys.argv[1] == "crash":
    os.kill(os.getpid(), 9)
if sys.argv[1] == "nonsense":
    print("what?")
    sys.exit(0)
sys.stdout.write("%s".replace(":", "\0"))
'''


@pytest.mark.parametrize("without", [
    "sys.exit(100)", "sys.exit(0)", "sys.exit(1)",
    "print('usage: what', flush=True); sys.stdin.read()",
    "os.kill(os.getpid(), 9)",
])
def test_a_classic_getpw_is_run_for_each_recipient(spawn, without):
    spawn.script("qmail-getpw", CLASSIC_GETPW % (without, entry("e")))
    spawn.start()
    for number in range(10):
        spawn.job(number, "", f"joe{number}@d")
    assert [r[2] for r in spawn.results(10)] == ["K"] * 10
    assert fields(spawn)[1] == "/site" and fields(spawn)[4] == "e"
    asked = (spawn.home / "asked").read_text().split()
    assert sorted(asked) == [f"joe{n}" for n in range(10)]
    assert "for each recipient" in spawn.log()


@pytest.mark.parametrize("local, letter", [
    ("exit-100", "D"), ("exit-111", "Z"), ("exit-115", "Z"), ("exit-7", "Z"),
    ("crash", "Z"), ("nonsense", "Z")])
def test_a_classic_getpw_fails(spawn, local, letter):
    spawn.script("qmail-getpw", CLASSIC_GETPW % ("sys.exit(100)", entry()))
    spawn.start()
    spawn.job(1, "", local + "@d")
    assert spawn.result()[2] == letter
    spawn.job(2, "", "joe@d")
    assert spawn.result()[2] == "K"


KEPT_GETPW = GETPW + r'''
import os, sys
def answer(text):
    for part in (local, text):
        sys.stdout.write("%%d:%%s," %% (len(part), part))
    sys.stdout.flush()
if len(sys.argv) > 1:
    sys.stdout.write("%s".replace(":", "\0"))
    sys.exit(0)
while True:
    size = ""
    while not size.endswith(":"):
        byte = sys.stdin.read(1)
        if not byte:
            sys.exit(0)
        size += byte
    local = sys.stdin.read(int(size[:-1]) + 1)[:-1]
    if local == "die":
        os.kill(os.getpid(), 9)
    elif local.startswith("code-"):
        answer("E" + local[5:])
    elif local == "nonsense":
        sys.stdout.write("hello")
        sys.stdout.flush()
    elif local == "twice":
        answer("E111")
        answer("E111")
    elif local == "late":
        local = "joe"  # an answer to a question that nobody asked
        answer("E100")
    elif local == "empty":
        answer("")
    elif local == "short":
        answer("Kjoe")
    else:
        answer("K" + "%s".replace(":", "\0"))
'''


def test_a_getpw_that_is_kept_may_crash_and_come_back(spawn):
    spawn.script("qmail-getpw", KEPT_GETPW % (entry("run"), entry("kept")))
    spawn.start()
    for local, letter, ext in [
            ("joe", "K", "kept"), ("die", "K", "run"), ("joe", "K", "kept"),
            ("nonsense", "K", "run"), ("joe", "K", "kept"),
            ("empty", "K", "run"), ("joe", "K", "kept"),
            ("twice", "Z", None), ("joe", "K", None),
            ("late", "K", "run"), ("joe", "K", "kept"),
            ("code-0", "K", "run"), ("code-100", "D", None),
            ("code-116", "Z", None), ("code-999", "K", "run"),
            ("short", "Z", None), ("joe", "K", "kept")]:
        spawn.job(1, "", local + "@d")
        assert spawn.result()[2] == letter, local
        if ext:
            assert fields(spawn)[4] == ext, local


def test_a_missing_getpw_is_a_deferral(spawn):
    (spawn.home / "bin" / "qmail-getpw").unlink()
    spawn.start()
    for number in range(3):
        spawn.job(number, "", "joe@d")
        assert spawn.result() == (number, 0, "Z",
                                  "Unable to run qmail-getpw. (#4.3.0)\n")
    spawn.real("qmail-getpw")
    spawn.job(4, "", "joe@d")
    assert spawn.result()[2] == "K"


# ---- QMAILLOCAL -----------------------------------------------------------------

@pytest.fixture
def classic(spawn):
    spawn.script("their-local", CLASSIC + r'''
what = sys.argv[4]
if what.startswith("exit-"):
    os.write(1, b"out ")
    os.write(2, b"err\n\0hidden")
    sys.exit(int(what[5:]))
if what == "crash":
    os.kill(os.getpid(), signal.SIGKILL)
if what == "long":
    sys.stdout.write("y" * 5000)
if what == "stays":
    if os.fork() == 0:
        while not os.path.exists("go"):
            time.sleep(0.01)
''')
    spawn.env = {"QMAILLOCAL": "their-local",
                 "PATH": f"{spawn.home}/bin:{os.environ['PATH']}"}
    assign(spawn, "+:joe:ME:/home/joe:-::")
    return spawn.start()


def test_their_program_gets_the_arguments_of_qmail_local(classic):
    classic.job(1, "", "a-b@d.example", sender="")
    assert classic.result() == (1, 0, "K", "")
    (run,) = classic.seen("run")
    assert run["argv"] == ["--", "joe", "/home/joe", "a-b", "-", "a-b",
                           "d.example", "", "./Mailbox"]
    assert run["message"] == "Subject: x\n\nbody\n"
    assert run["fds"] == [] and run["same"]


@pytest.mark.parametrize("local, letter, text", [
    ("exit-0", "K", "out err\n"),
    ("exit-100", "D", "out err\n"),
    ("exit-111", "Z", "out err\n"),
    ("exit-71", "Z", "out err\n"),
    ("exit-74", "Z", "out err\n"),
    ("exit-75", "Z", "out err\n"),
    ("exit-1", "D", "out err\n"),
    ("exit-99", "D", "out err\n"),
    ("exit-113", "Z", "Not allowed to deliver mail as root. (#4.7.0)\n"),
    ("exit-126", "D", "Unable to run qmail-local. (#5.3.0)\n"),
    ("crash", "Z", "qmail-local crashed.\n"),
    ("stays", "K", ""),
])
def test_their_program_ends(classic, local, letter, text):
    classic.job(1, "", local + "@d")
    assert classic.result() == (1, 0, letter, text)
    classic.go()


def test_their_long_report_is_cut(classic):
    classic.job(1, "", "long@d")
    number, index, letter, text = classic.result()
    assert letter == "K" and len(text) <= 3100 and text.startswith("y" * 2000)
    assert "long" in text


# ---- qmail-getpw by hand ----------------------------------------------------------

def getpw(spawn, *arguments, stdin=b""):
    import subprocess
    done = subprocess.run(
        [lib.bin_dir() / "qmail-getpw", *arguments], input=stdin,
        capture_output=True, env={"QMAILHOME": str(spawn.home)},
        **lib.as_user())
    return done.returncode, done.stdout


def owns_its_home():
    try:
        return os.stat(me().pw_dir).st_uid == me().pw_uid
    except OSError:
        return False


def test_getpw_prints_the_entry(spawn):
    start = f"{me().pw_name}\0{me().pw_uid}\0{me().pw_gid}\0"
    alias = start + f"{spawn.home}/alias\0-\0%s\0"
    for local in ("", "Some-Body", "root", "x" * 100, "daemon-x"):
        assert getpw(spawn, local) == (0, (alias % local).encode())
    if owns_its_home():
        user = start + f"{me().pw_dir}\0"
        name = me().pw_name
        assert getpw(spawn, name.upper()) == (0, (user + "\0\0").encode())
        assert getpw(spawn, name + "-A-b") == (
            0, (user + "-\0A-b\0").encode())
        assert getpw(spawn, name + "-") == (0, (user + "-\0\0").encode())
    assert getpw(spawn, "a", "b")[0] == 100


def test_getpw_answers_until_its_input_ends(spawn):
    code, out = getpw(spawn, stdin=spawnlib.pack("some-one", "", "two"))
    assert code == 0
    answers = spawnlib.take(out)
    assert answers[::2] == [b"some-one", b"", b"two"]
    assert answers[1] == b"K" + getpw(spawn, "some-one")[1]
    assert getpw(spawn, stdin=b"nonsense")[0] == 100
    assert getpw(spawn, stdin=b"5:ab")[0] == 111
