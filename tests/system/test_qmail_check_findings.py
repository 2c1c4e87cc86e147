"""qmail-check: nothing on a clean instance, one finding for each trap."""

import os
import re
import socket
import time

import lib
import pytest
from dns_server import DnsServer


def check(home, *args, code=None, **env):
    """The findings as (place and words, so, do)."""
    done = home.run("qmail-check", *args, env=env)
    text = done.stdout.decode("latin-1")
    assert re.fullmatch(r"(\S.*\n    so: .+\n    do: .+\n)*", text), text
    lines = text.splitlines()
    found = list(zip(lines[0::3], lines[1::3], lines[2::3]))
    if code is None:
        code = 1 if found else 0
    assert done.returncode == code, done.stderr
    return [f[0] for f in found]


DOWN = "run/submit.sock: qmail-queued is not running"


def only(home, *args):
    """The one finding besides that a home that was never started has."""
    found = check(home, *args)
    assert DOWN in found
    found.remove(DOWN)
    assert len(found) == 1, found
    return found[0]


def none(home, *args):
    assert check(home, *args) == [DOWN]


def test_a_clean_instance_has_no_finding(instance):
    assert instance.inject("test@" + instance.host).returncode == 0
    instance.wait_maildir("test", 1)
    assert check(instance) == []
    assert check(instance, "-u", "test") == []


def test_messages_that_wait_are_no_finding(home):
    home.start_queued()
    for _ in range(5):
        assert home.inject("a@far.example", "b@far.example").returncode == 0
    assert check(home) == []


def test_a_home_that_was_not_started(home):
    assert check(home) == [DOWN]


@pytest.mark.parametrize("args", [["-x"], ["word"], ["-u"]])
def test_wrong_usage(home, args):
    done = home.run("qmail-check", *args)
    assert done.returncode == 100 and b"usage: " in done.stderr


CONTROL = {  # what: (file, content, what the finding starts with)
    "a CR at a line's end": (
        "locals", "test.example\r\n", "control/locals:1: the line ends with a CR"),
    "a number that is none": (
        "timeoutsmtpd", "ten\n", "control/timeoutsmtpd:1: there is no number"),
    "a number with a unit": (
        "databytes", "10M\n", "control/databytes:1: 10M is more than a number"),
    "a channel that is held": (
        "concurrencyremote", "0\n", "control/concurrencyremote:1: the number is 0"),
    "an empty value": (
        "helohost", "\n", "control/helohost: the first line is empty"),
    "an empty list": (
        "locals", "# none\n", "control/locals: there is no entry"),
    "a second line": (
        "bouncefrom", "a\nb\n", "control/bouncefrom:2: a second line"),
    "a short name": ("me", "host\n", "control/me:1: host is not the full name"),
    "a map line without colon": (
        "smtproutes", "# x\na.example relay\n",
        "control/smtproutes:2: a.example relay has no colon"),
    "a port that is none": (
        "smtproutes", ":relay.example:x\n",
        "control/smtproutes:1: relay.example:x is no relay"),
    "a sender that fits nobody": (
        "badmailfrom", "spam.example\n",
        "control/badmailfrom:1: spam.example is neither"),
    "a suffix where names are whole": (
        "percenthack", ".example\n", "control/percenthack:1: .example starts"),
    "a domain in both": (
        "virtualdomains", "x.example:test\nTEST.example:test\n",
        "control/virtualdomains:2: TEST.example is in locals too"),
    "a user that nobody knows": (
        "virtualdomains", "x.example:test\ny.example:nobodyknows\n",
        "control/virtualdomains:2: nobody is known as nobodyknows"),
    "morercpthosts that was never compiled": (
        "morercpthosts", "x.example\n",
        "control/morercpthosts.cdb: it is missing"),
}


@pytest.mark.parametrize("what", CONTROL)
def test_control(home, what):
    name, content, want = CONTROL[what]
    home.write_control(name, content)
    assert only(home).startswith(want)


GOOD = {
    "badmailfrom": "@Spam.example\na@b.example\n",
    "me": "Test.Example",
    "smtproutes": ".x.example:[127.0.0.1]:25\nY.example:\n:relay.example\n",
    "virtualdomains": "# c\nx.example:test\ny.example:\nu@z.example:test-z\n",
    "doublebounceto": "",
    "rcpthosts": "test.example\n.example\n",
    "qmqpservers": "127.0.0.1\n127.0.0.1:628\n[::1]:628\n",
    "concurrencylocal": "5 \n",
}


@pytest.mark.parametrize("name", GOOD)
def test_what_is_no_finding(home, name):
    home.write_control(name, GOOD[name])
    none(home)


def test_an_alias_serves_a_virtual_domain(home):
    home.write_control("virtualdomains", "x.example:some.one\n")
    assert "nobody is known" in only(home)
    home.dotqmail("some:one-default", "&test\n", user="alias")
    none(home)


@pytest.mark.parametrize("name", ["me", "rcpthosts"])
def test_a_missing_control_file(home, name):
    home.remove_control(name)
    assert only(home) == f"control/{name}: it is missing"


def test_a_control_file_that_others_may_write(home):
    (home.home / "control/me").chmod(0o666)
    assert only(home) == "control/me: mode 0666 lets others write"


def age(path, seconds):
    when = time.time() - seconds
    os.utime(path, (when, when))


def test_an_expression_that_is_none(home):
    home.write_control("badhelo", "# mine\n(open\n")
    assert only(home).startswith("control/badhelo:2: (open: ")


def test_morercpthosts_is_compared_with_its_cdb(home):
    source = home.write_control("morercpthosts", "A.example\n.b.example\n")
    age(source, 100)
    assert home.run("qmail-newmrh").returncode == 0
    none(home)
    age(source, -100)
    assert only(home) == "control/morercpthosts.cdb: it is older than morercpthosts"
    age(home.write_control("morercpthosts", "a.example\nc.example\n"), 100)
    assert only(home) == "control/morercpthosts:2: c.example is not in the cdb"
    age(home.write_control("morercpthosts", "a.example\n"), 100)
    assert only(home).startswith("control/morercpthosts.cdb: it has other entries")
    source.unlink()
    assert only(home).startswith("control/morercpthosts.cdb: its source")


def test_rules_must_not_be_newer_than_their_cdb(home):
    rules = home.home / "control/tcp.smtp"
    none(home)  # they are not compiled yet, which is a choice
    home.write_control("tcp.smtp.cdb", lib.cdb_bytes([(b"", b"")]))
    age(rules, 100)
    none(home)
    age(rules, -100)
    assert only(home) == "control/tcp.smtp.cdb: it is older than tcp.smtp"


def test_users_assign_is_compared_with_its_cdb(home):
    source, made = home.home / "users/assign", home.home / "users/cdb"
    good = source.read_text()
    age(source, 100)
    none(home)
    age(source, -100)
    assert only(home) == "users/cdb: it is older than users/assign"
    uid, gid = home.user.pw_uid, home.user.pw_gid
    line = f"=new:new:{uid}:{gid}:{home.user_home()}:::\n"
    for text, want in {
            line + good: "users/assign:1: =new is not so in users/cdb",
            good.replace("=test:test", "=test:best"):
                "users/assign:1: =test is not so in users/cdb",
            good.split("\n", 1)[1]: "users/cdb: it has other rules",
            good[:-2]: "users/assign: the line with a dot is missing",
            good.replace("=test:test:", "=test:", 1):
                "users/assign:1: "}.items():
        age(home.write("users/assign", text), 100)
        assert only(home).startswith(want), text
    home.write("users/assign", good)
    made.unlink()
    assert only(home) == "users/cdb: it is missing"


@pytest.mark.parametrize("fields, want", {
    "0:0:/": "users/assign:1: the uid is that of root",
    "1x:1:/": "users/assign:1: uid or gid is not a number",
    "1:1:x": "users/assign:1: x is not an absolute path",
    "1:1:/nonexistent/home": "/nonexistent/home: it is missing",
}.items())
def test_an_odd_rule(home, fields, want):
    text = (home.home / "users/assign").read_text()
    home.write_assign(f"=odd:odd:{fields}:::\n" + text)
    assert want in check(home)


@pytest.mark.parametrize("mode, want", [
    (0o777, "mode 0777: everybody may write there"),
    (0o1755, "mode 1755: it is sticky")])
@pytest.mark.parametrize("user", ["test", "alias"])
def test_a_home_that_defers_mail(home, user, mode, want):
    path = home.user_home(user)
    path.chmod(mode)
    name = "alias" if user == "alias" else str(path)
    assert f"{name}: {want}" in check(home)


def test_dot_qmail_files_that_defer_mail(home):
    path = home.dotqmail("x", "&y\n", mode=0o666)
    assert only(home) == f"{path}: mode 0666: everybody may write it"
    assert only(home, "-u", "test") == f"{path}: mode 0666: everybody may write it"
    path.chmod(0o200)
    assert "may not read it" in only(home)


def test_other_users_are_left_out_with_u(home):
    home.add_user("other")
    home.dotqmail("x", "&y\n", user="other", mode=0o666)
    none(home, "-u", "test")
    assert "/other/" in only(home, "-u", "other")
    assert home.run("qmail-check", "-u", "no-such-user").returncode == 100


def test_a_maildir_that_cannot_take_mail(home):
    at = home.user_home() / "Maildir/tmp"
    at.chmod(0o500)
    assert only(home).startswith(f"{at}: owner ")
    at.rmdir()
    assert only(home) == f"{at}: it is missing"
    home.dotqmail("", "&else@far.example\n")  # nobody needs the Maildir now
    none(home)


def test_directories_of_an_instance(home):
    (home.home / "run").chmod(0o777)
    assert only(home) == "run: mode 0777: everybody may write there"
    (home.home / "run").rmdir()
    assert "run: it is missing" in check(home)


def test_a_queue_that_others_may_read(home):
    (home.home / "queue").chmod(0o755)
    assert only(home) == "queue: mode 0755 lets others in"


def test_a_setuid_program(home, tmp_path):
    link = home.home / "bin"
    programs = home.base / "programs"
    programs.mkdir()
    for program in home.bin.iterdir():
        if not program.is_dir():
            (programs / program.name).symlink_to(program)
    mine = programs / "qmail-queue"
    mine.unlink()
    mine.write_bytes(b"")
    lib.give(mine)
    mine.chmod(0o4711)
    link.unlink()
    link.symlink_to(programs)
    assert only(home) == "bin/qmail-queue: mode 4711: it has a setuid or setgid bit"
    mine.unlink()
    assert only(home) == "bin/qmail-queue: it is missing"


# ---- the queue ----------------------------------------------------------------

@pytest.fixture
def queued(home):
    """A queue with a message for two; qmail-queued runs, qmail-send does not."""
    home.start_queued()
    assert home.inject("a@far.example", "b@far.example").returncode == 0
    (home.the_env,) = (home.home / "queue/env").glob("*/*")
    home.part = lambda kind: home.home / "queue" / kind / "/".join(home.the_env.parts[-2:])
    return home


def replace(path, content):
    path.unlink(missing_ok=True)
    path.write_bytes(content)
    lib.give(path)


DAMAGE = {  # what: (kind, content from the old one, words)
    "an envelope with a wrong byte": (
        "env", lambda old: old.replace(b"far", b"fur"), "it is not an envelope"),
    "a message that is cut": ("mess", lambda old: old[:-1], " bytes, not "),
    "too few marks": ("done", lambda old: b"D", "1 marks for 2 recipients"),
    "a mark that is none": (
        "done", lambda old: b"Dx", "recipient 1 has a mark that means nothing"),
    "failures that are none": (
        "bounce", lambda old: b"x" * 9, "the last 9 bytes are no entry"),
}


@pytest.mark.parametrize("what", DAMAGE)
def test_a_damaged_message(queued, what):
    kind, change, words = DAMAGE[what]
    path = queued.part(kind)
    replace(path, change(path.read_bytes() if path.exists() else b""))
    (found,) = check(queued)
    name = path.relative_to(queued.home)
    assert found.startswith(f"{name}: ") and words in found


def test_a_message_without_its_text(queued):
    queued.part("mess").unlink()
    assert check(queued) == [
        f"{queued.part('mess').relative_to(queued.home)}: it is missing"]


def test_files_that_were_set_aside(queued):
    replace(queued.home / "queue/damaged/mess.7", b"x")
    assert check(queued) == ["queue/damaged/mess.7: a damaged file was set aside"]


def test_a_queue_that_cannot_be_read_is_trouble(home):
    (home.home / "queue").chmod(0)
    done = home.run("qmail-check")
    assert done.returncode == 111
    assert b"cannot look at queue: Permission denied" in done.stderr
    (home.home / "queue").chmod(0o750)


def test_qmail_queued_is_not_disturbed(instance):
    before = instance.log("queued")
    for _ in range(3):
        assert check(instance) == []
    assert instance.log("queued") == before
    assert instance.inject("test@" + instance.host).returncode == 0
    instance.wait_maildir("test", 1)


def test_qmail_queued_that_died(instance):
    instance.stop()
    assert DOWN in check(instance)


def test_a_socket_that_nobody_serves(home):
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(str(home.home / "run/submit.sock"))
        lib.give(home.home / "run/submit.sock")
    assert check(home) == [DOWN]


# ---- the DNS --------------------------------------------------------------------

@pytest.fixture
def dns():
    made = []

    def make(zone):
        made.append(DnsServer(zone))
        return made[-1]

    yield make
    for one in made:
        one.close()


def test_names_in_the_dns(home, dns):
    server = dns({f"{lib.HOST} MX": ["0 mx.test.example"],
                  "relay.example A": ["127.0.0.1"],
                  "six.example AAAA": ["::1"]})
    home.write_control("smtproutes", ":relay.example\n"
                       "a.example:gone.example:26\nb.example:[127.0.0.1]\n"
                       "c.example:\nd.example:127.0.0.2\ne.example:six.example\n")
    none(home)
    assert server.queries == []
    assert check(home, "-d", DNSCACHEIP=server.address) == [
        DOWN, "control/smtproutes:2: gone.example has no address in the DNS"]


def test_a_dns_that_does_not_answer(home):
    found = check(home, "-d", DNSCACHEIP="127.0.0.1:1")  # nobody listens there
    assert found == [DOWN, f"control/me:1: no answer about {lib.HOST} from the DNS"]
