"""qmail-smtpd: whose mail it takes, and how it reads addresses."""

import pytest
import lib
from servers import Conversation, Queue

NOT_ALLOWED = ("553 sorry, that domain isn't in my list of allowed rcpthosts "
               "(#5.7.1)")
NOTE = ("qmail-smtpd: no control/rcpthosts: taking mail for locals and "
        "virtualdomains only")


@pytest.fixture
def smtpd(home):
    queue = Queue(home)
    open_ones = []

    def start(**env):
        one = Conversation(home, "qmail-smtpd",
                           env={"QMAILQUEUE": queue.program, **env})
        open_ones.append(one)
        one.queue = queue
        assert one.line().startswith("220 ")
        return one

    yield start
    for one in open_ones:
        one.__exit__()


def answers(one, recipients):
    """{recipient: taken?}"""
    found = {}
    assert one.ask("MAIL FROM:<>") == "250 ok"
    for recipient in recipients:
        reply = one.ask(f"RCPT TO:<{recipient}>")
        assert reply in ("250 ok", NOT_ALLOWED), reply
        found[recipient] = reply == "250 ok"
    return found


def check(one, want):
    assert answers(one, want) == want


# ---- rcpthosts ------------------------------------------------------------------

def test_empty_rcpthosts_allows_nothing(home, smtpd):
    home.write_control("rcpthosts", "")
    one = smtpd()
    check(one, {f"a@{home.host}": False, "a@b": False, "postmaster": True})
    one.rest()
    assert NOTE not in one.log()


def test_rcpthosts_lines(home, smtpd):
    home.write_control("rcpthosts", "# comment\nOne.Example  \t\n\n.two.example\n"
                                    "three.example")
    check(smtpd(), {"a@one.example": True, "a@ONE.EXAMPLE": True,
                    "a@x.one.example": False, "a@two.example": False,
                    "a@x.y.two.example": True, "a@three.example": True,
                    "a@comment": False, "a@# comment": False,
                    "a@xone.example": False})


def test_morercpthosts(home, smtpd):
    home.write_control("rcpthosts", "one.example\n")
    home.write_control("morercpthosts.cdb", lib.cdb_bytes(
        [(b"four.example", b""), (b".five.example", b"")]))
    check(smtpd(), {"a@one.example": True, "a@Four.Example": True,
                    "a@x.four.example": False, "a@x.FIVE.example": True,
                    "a@five.example": False, "a@six.example": False})


def test_damaged_morercpthosts(home, smtpd):
    home.write_control("rcpthosts", "one.example\n")
    home.write_control("morercpthosts.cdb", b"short")
    one = smtpd()
    check(one, {"a@one.example": True})
    assert one.ask("RCPT TO:<a@four.example>") == (
        "421 unable to read controls (#4.3.0)")
    assert one.end() == 1


def test_without_rcpthosts_no_open_relay(home, smtpd):
    home.remove_control("rcpthosts")
    home.write_control("morercpthosts.cdb", lib.cdb_bytes([(b"four.example", b"")]))
    home.write_control("locals", "local.example\n.not-a-suffix.example\n")
    home.write_control(
        "virtualdomains", "Virtual.Example:v\n.below.example:v\n"
        "one@person.example:v\nno.below.example:\nlocal.example:\n"
        "no@virtual.example:\n:catchall\n")
    one = smtpd()
    check(one, {
        "a@local.example": True, "a@LOCAL.example": True,
        "a@x.not-a-suffix.example": False, "a@virtual.example": True,
        "no@virtual.example": False, "a@x.virtual.example": False,
        "a@x.y.below.example": True, "a@below.example": False,
        "a@no.below.example": False, "One@Person.example": True,
        "two@person.example": False, "a@four.example": False,
        "a@anything.example": False, f"a@{home.host}": False,
        "a": True})
    one.rest()
    assert one.log().splitlines()[0] == NOTE
    assert one.log().count(NOTE) == 1


def test_without_rcpthosts_and_locals_me_counts(home, smtpd):
    home.remove_control("rcpthosts")
    home.remove_control("locals")
    check(smtpd(), {f"a@{home.host}": True, "a@other.example": False})


def test_relay_client(home, smtpd):
    home.remove_control("rcpthosts")
    one = smtpd(RELAYCLIENT="")
    check(one, {"a@anything.example": True})
    one.rest()
    assert NOTE not in one.log()
    one = smtpd(RELAYCLIENT="@relay.example")
    check(one, {"a@b": True, "c": True})
    one.send("DATA\r\nx\r\n.\r\n")
    assert one.lines(2)[1].startswith("250 ok ")
    assert one.queue.message[1] == [b"a@b@relay.example", b"c@relay.example"]


# ---- addresses --------------------------------------------------------------------

# (what follows RCPT, the recipient that is queued)
ADDRESSES = [
    ("TO:<a@b.example>", "a@b.example"),
    ("to:<a@b.example> NOTIFY=NEVER", "a@b.example"),
    ("<a@b.example>", "a@b.example"),
    ("anything <a@b.example>", "a@b.example"),
    ("TO:<a@b.example", "a@b.example"),
    ("TO:a@b.example", "a@b.example"),
    ("TO:   a@b.example X=Y", "a@b.example"),
    ("TO:<@x,@y:a@b.example>", "a@b.example"),
    ("TO:<@x:y:a@b.example>", "y:a@b.example"),
    ('TO:<"a b"@c.example>', "a b@c.example"),
    ('TO:<"a>b"@c.example> X', "a>b@c.example"),
    (r"TO:<a\>b@c.example>", "a>b@c.example"),
    (r'TO:<"a\"b\\c"@c.example>', 'a"b\\c@c.example'),
    ("TO:< a@b.example >", " a@b.example "),
    ("TO:<A@B.example>", "A@B.example"),
    ("TO:<a%b@c.example>", "a%b@c.example"),
    ("TO:<;rm -rf $(x)`y`|z@c.example>", ";rm -rf $(x)`y`|z@c.example"),
    ("TO:<a@[127.0.0.1]>", "a@lit.example"),
    ("TO:<a@[IPv6:::1]>", "a@lit.example"),
    ("TO:<a@[192.0.2.123]>", "a@[192.0.2.123]"),
    ("TO:<a@[IPv6:2001:db8::7]>", "a@[IPv6:2001:db8::7]"),
    ("TO:<a@[127.0.0.1]x>", "a@[127.0.0.1]x"),
    ("TO:<a@[]>", "a@[]"),
    ("TO:<a@127.0.0.1>", "a@127.0.0.1"),
    ("TO:<a@[127.0.0.1]@b.example>", "a@[127.0.0.1]@b.example"),
    ("TO:<>", ""),
    ("", ""),
    ("a@b.example", ""),
]


def has_ipv6():
    with open("/proc/net/if_inet6") as lines:
        return any(line.startswith("0" * 31 + "1") for line in lines)


@pytest.mark.parametrize("argument, want", ADDRESSES,
                         ids=[a[0] or "nothing" for a in ADDRESSES])
def test_address(home, smtpd, argument, want):
    if ":::1" in argument and not has_ipv6():
        pytest.skip("no IPv6 loopback address on this machine")
    home.write_control("localiphost", "lit.example\n")
    one = smtpd(RELAYCLIENT="")
    sender = argument.replace("TO:", "FROM:").replace("to:", "from:")
    assert one.ask(f"MAIL {sender}") == "250 ok"
    assert one.ask(f"RCPT {argument}") == "250 ok"
    assert one.ask("DATA") == "354 go ahead"
    assert one.ask(b"x\r\n.\r\n").startswith("250 ok ")
    assert one.queue.message[:2] == (want.encode(), [want.encode()])


def test_literal_becomes_me(home, smtpd):
    home.remove_control("localiphost")
    one = smtpd()
    check(one, {"a@[127.0.0.1]": True, "a@[192.0.2.123]": False})
    one.send("DATA\r\nx\r\n.\r\n")
    one.lines(2)
    assert one.queue.message[1] == [f"a@{home.host}".encode()]
