"""qmail-smtpd: badhelo, badrcptto, validrcptto and their kin."""

import lib
import pytest
from servers import Conversation, Queue

GO = "250 ok"
HELO = "550 sorry, your HELO name is in my badhelo list (#5.7.1)"
SENDER = "553 sorry, your envelope sender is in my badmailfrom list (#5.7.1)"
NULL = "553 sorry, I take no mail without a sender (#5.7.1)"
RCPT = "553 sorry, that recipient is in my badrcptto list (#5.7.1)"
TEST = "553 sorry, I do not relay by addresses like that (#5.7.1)"
NOBODY = "550 sorry, no mailbox here by that name (#5.1.1)"
HOSTS = "553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)"


@pytest.fixture
def smtpd(home):
    home.write_control("rcpthosts", "in.example\n")
    queue = Queue(home)
    open_ones = []

    def start(**env):
        one = Conversation(home, "qmail-smtpd",
                           env={"QMAILQUEUE": queue.program, **env})
        open_ones.append(one)
        assert one.line().startswith("220 ")
        return one

    yield start
    for one in open_ones:
        one.__exit__()


def ask(one, recipient="a@in.example", sender="s@x.example", helo="h.example"):
    """What is said to RCPT after everything before it was taken."""
    if helo is not None:
        assert one.ask(f"HELO {helo}".strip()).startswith("250 ")
    assert one.ask(f"MAIL FROM:<{sender}>") == GO
    return one.ask(f"RCPT TO:<{recipient}>")


# (what, {file: text}, environment, what the client says, the answer to RCPT)
ROWS = [
    ("no file", {}, {}, {}, GO),
    ("badhelo", {"badhelo": "^h\\.ex"}, {}, {}, HELO),
    ("badhelo, another name", {"badhelo": "^h\\.ex"}, {}, {"helo": "xh.example"}, GO),
    ("badhelo, case", {"badhelo": "H.EXAMPLE"}, {}, {}, HELO),
    ("badhelo, no HELO", {"badhelo": "!^good$"}, {}, {"helo": None}, GO),
    ("badhelo, empty name", {"badhelo": "^$"}, {}, {"helo": ""}, HELO),
    ("badhelo, negated", {"badhelo": "!^good$"}, {}, {}, HELO),
    ("badhelo binds relay clients", {"badhelo": "h"}, {"RELAYCLIENT": ""}, {}, HELO),
    ("NOBADHELO", {"badhelo": "h", "badhelonorelay": "h"}, {"NOBADHELO": ""}, {}, GO),
    ("badhelonorelay", {"badhelonorelay": "h"}, {}, {}, HELO),
    ("badhelonorelay, relay", {"badhelonorelay": "h"}, {"RELAYCLIENT": ""}, {}, GO),
    ("badmailfrom", {"badmailfrom": "@x.example"}, {}, {}, SENDER),
    ("badmailfrom is no expression", {"badmailfrom": "x.example"}, {}, {}, GO),
    ("badmailfromnorelay", {"badmailfromnorelay": "^s@"}, {}, {}, SENDER),
    ("badmailfromnorelay, relay", {"badmailfromnorelay": "^s@"},
     {"RELAYCLIENT": ""}, {}, GO),
    ("badmailfromnorelay, null sender", {"badmailfromnorelay": "^$"}, {},
     {"sender": ""}, SENDER),
    ("rejectnullsenders", {"rejectnullsenders": "1"}, {}, {"sender": ""}, NULL),
    ("rejectnullsenders 0", {"rejectnullsenders": "0"}, {}, {"sender": ""}, GO),
    ("rejectnullsenders, a sender", {"rejectnullsenders": "1"}, {}, {}, GO),
    ("badrcptto", {"badrcptto": "# x\n^A@"}, {}, {}, RCPT),
    ("badrcptto, plain with a plus", {"badrcptto": "a+b@in.example"}, {},
     {"recipient": "A+b@in.example"}, RCPT),
    ("badrcptto, another", {"badrcptto": "b@in.example"}, {}, {}, GO),
    ("badrcptto binds relay clients", {"badrcptto": "^a@"}, {"RELAYCLIENT": ""}, {}, RCPT),
    ("badrcpttonorelay", {"badrcpttonorelay": "^a@"}, {}, {}, RCPT),
    ("badrcpttonorelay, relay", {"badrcpttonorelay": "^a@"}, {"RELAYCLIENT": ""}, {}, GO),
    ("rcpthosts comes first", {"badrcptto": "a"}, {}, {"recipient": "a@out.example"}, HOSTS),
    ("rejectrelaytest, %", {"rejectrelaytest": "1"}, {}, {"recipient": "a%b@in.example"}, TEST),
    ("rejectrelaytest, !", {"rejectrelaytest": "1"}, {}, {"recipient": "a!b@in.example"}, TEST),
    ("rejectrelaytest, @", {"rejectrelaytest": "1"}, {}, {"recipient": "a@b@in.example"}, TEST),
    ("rejectrelaytest, plain", {"rejectrelaytest": "1"}, {}, {}, GO),
    ("rejectrelaytest, relay", {"rejectrelaytest": "1"}, {"RELAYCLIENT": ""},
     {"recipient": "a%b@in.example"}, GO),
    ("validrcptto", {"validrcptto": "A@in.example"}, {}, {}, GO),
    ("validrcptto, a host", {"validrcptto": "@in.example"}, {}, {}, GO),
    ("validrcptto, another", {"validrcptto": "b@in.example"}, {}, {}, NOBODY),
    ("validrcptto, empty", {"validrcptto": ""}, {}, {}, NOBODY),
    ("validrcptto, relay", {"validrcptto": ""}, {"RELAYCLIENT": ""}, {}, GO),
    ("VALIDRCPTTO", {"validrcptto": "", "mine": "a@in.example"},
     {"VALIDRCPTTO": "control/mine"}, {}, GO),
]


@pytest.mark.parametrize("files, env, said, want", [r[1:] for r in ROWS],
                         ids=[r[0] for r in ROWS])
def test_answer(home, smtpd, files, env, said, want):
    for name, text in files.items():
        home.write_control(name, text)
    assert ask(smtpd(**env), **said) == want


def test_morevalidrcptto(home, smtpd):
    """The database alone is enough, and MOREVALIDRCPTTO_CDB names another."""
    home.write_control("morevalidrcptto", "A@in.example\n")
    assert ask(smtpd(), "b@in.example") == GO  # not compiled yet
    assert home.run("qmail-newmvrt").returncode == 0
    assert ask(smtpd(), "a@IN.example") == GO
    one = smtpd()
    assert ask(one, "b@in.example") == NOBODY
    one.rest()
    assert "why=validrcptto" in one.log()
    home.write_control("other.cdb", lib.cdb_bytes([(b"@in.example", b"")]))
    assert ask(smtpd(MOREVALIDRCPTTO_CDB="control/other.cdb"), "b@in.example") == GO


def test_brtlimit(home, smtpd):
    """The client is sent away after so many refusals in a conversation."""
    home.write_control("brtlimit", "3\n")
    home.write_control("badrcptto", "^bad")
    one = smtpd()
    assert ask(one, "bad@in.example") == RCPT
    assert one.ask("RCPT TO:<a@out.example>") == HOSTS
    assert one.ask("RCPT TO:<good@in.example>") == GO
    assert ask(one, "good@in.example") == GO
    assert one.ask("RCPT TO:<bad@in.example>") == RCPT
    assert one.line() == "421 too many bad recipients (#4.7.1)"
    assert one.end() == 1


@pytest.mark.parametrize("value, limit", [("1", 1), ("0", 0), ("x", 0)])
def test_brtlimit_of_the_environment(home, smtpd, value, limit):
    home.write_control("brtlimit", "2\n")
    one = smtpd(BRTLIMIT=value)
    for n in range(1, 6):
        assert ask(one, "a@out.example") == HOSTS
        if n == limit:
            assert one.line() == "421 too many bad recipients (#4.7.1)"
            return
    assert limit == 0


def test_disable_maxrcpt(home, smtpd):
    home.write_control("maxrcpt", "1\n")
    one = smtpd(DISABLE_MAXRCPT="")
    assert ask(one) == one.ask("RCPT TO:<a@in.example>") == GO
    one = smtpd()
    assert ask(one) == GO
    assert one.ask("RCPT TO:<a@in.example>").startswith("452 ")


def test_a_file_that_makes_no_sense(home):
    """Nothing is taken until it is mended; file and line are named."""
    home.write_control("badrcptto", "fine\n(open\n")
    one = Conversation(home, "qmail-smtpd")
    assert one.line() == "421 unable to read controls (#4.3.0)"
    one.rest()
    assert "control/badrcptto: line 2: " in one.log()
    one.__exit__()
