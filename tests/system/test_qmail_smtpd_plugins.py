"""qmail-smtpd: programs that have a say in the conversation."""

import pytest
from servers import Conversation, Queue

GREETING = "220 "
TROUBLE = "451 a check of this server could not be made (#4.3.0)"
HOSTS = "553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)"
BAD = "553 sorry, your envelope sender is in my badmailfrom list (#5.7.1)"


@pytest.fixture
def smtpd(home):
    home.write_control("rcpthosts", "in.example\n")
    queue = Queue(home)
    open_ones = []

    def start(plugins, first=GREETING, **env):
        home.write_control("smtpplugins", plugins)
        one = Conversation(home, "qmail-smtpd",
                           env={"QMAILQUEUE": queue.program, **env})
        open_ones.append(one)
        one.queue = queue
        line = one.line()
        assert line.startswith(first) if first else line is None
        return one

    yield start
    for one in open_ones:
        one.__exit__()


def talk(one, *, helo="h.example", sender="s@x.example", to=("a@in.example",),
         data=True):
    """The replies to each command."""
    said = {"helo": one.ask(f"HELO {helo}"),
            "mail": one.ask(f"MAIL FROM:<{sender}>"),
            "rcpt": [one.ask(f"RCPT TO:<{r}>") for r in to]}
    said["data"] = one.ask("DATA")
    if said["data"].startswith("354 ") and data:
        said["end"] = one.ask(b"Subject: x\r\n\r\nbody\r\n.\r\n")
    return said


# (what, the file, {the stage: the reply}); stages that are not named say yes
REPLIES = [
    ("an empty file", "", {}),
    ("plugins that say nothing", "[mail]\n:true\n[rcpt]\n:exit 1\n", {}),
    ("E at helo", "[helo]\n:echo E550 no\n", {"helo": "550 no"}),
    ("E at mail", "[mail]\n:echo E550 no\n",
     {"mail": "550 no", "rcpt": "503 MAIL first (#5.5.1)",
      "data": "503 MAIL first (#5.5.1)"}),
    ("E at rcpt", "[rcpt]\n:echo E450 later\n",
     {"rcpt": "450 later", "data": "503 RCPT first (#5.5.1)"}),
    ("E at pass", "[pass]\n:echo E450 later\n",
     {"rcpt": "450 later", "data": "503 RCPT first (#5.5.1)"}),
    ("E at data", "[data]\n:echo E550 no data\n", {"data": "550 no data"}),
    ("the first that refuses ends it",
     "[mail]\n:echo E550 one\n:echo E550 two\n",
     {"mail": "550 one", "rcpt": "503 MAIL first (#5.5.1)",
      "data": "503 MAIL first (#5.5.1)"}),
    ("N stops the others", "[data]\n:echo N\n:echo E550 two\n", {}),
    ("A stops all", "[helo]\n:echo A\n[mail]\n:echo E550 no\n", {}),
    ("nonsense", "[data]\n:echo hello\n", {"data": TROUBLE}),
    ("a program that is not there", "[data]\n/no/such/program\n", {"data": TROUBLE}),
    ("a command that is not there", "[data]\n:/no/such/program\n", {"data": TROUBLE}),
    ("a program that crashes", "[data]\n:kill -SEGV $$\n", {"data": TROUBLE}),
    ("too much output", "[data]\n:yes P250-x | head -c 200000\n", {"data": TROUBLE}),
    ("LM", "[helo]\n:echo LM550 no\n",
     {"mail": "550 no", "rcpt": "503 MAIL first (#5.5.1)",
      "data": "503 MAIL first (#5.5.1)"}),
    ("LR", "[mail]\n:echo LR550 no\n",
     {"rcpt": "550 no", "data": "503 RCPT first (#5.5.1)"}),
    ("LD", "[connection]\n:echo LD550 no\n", {"data": "550 no"}),
    ("sections without regard to case", "[DATA]\n:echo E550 no\n", {"data": "550 no"}),
    ("CR LF ends a line too", "[data]\n:printf 'E550 no\\r\\n'\n", {"data": "550 no"}),
    ("unprintable bytes of a reply", "[data]\n:printf 'E550 a\\tb'\n", {"data": "550 a?b"}),
    ("[auth] has no effect", "[auth]\n:echo E550 no\n", {}),
]


@pytest.mark.parametrize("plugins, want", [r[1:] for r in REPLIES],
                         ids=[r[0] for r in REPLIES])
def test_reply(smtpd, plugins, want):
    said = talk(smtpd(plugins))
    yes = {"helo": "250 ", "mail": "250 ok", "rcpt": "250 ok", "data": "354 go ahead"}
    for stage, reply in yes.items():
        got = said[stage][0] if stage == "rcpt" else said[stage]
        if stage in want:
            assert got == want[stage], stage
        else:
            assert got.startswith(reply), stage
    assert ("end" in said) == ("data" not in want)


def test_refused_at_the_connection(smtpd):
    one = smtpd("[connection]\n:echo E554 go away\n", first="554 go away")
    assert one.end() == 1


def test_reply_and_close(smtpd):
    one = smtpd("[mail]\n:echo R421 bye\n")
    assert one.ask("MAIL FROM:<>") == "421 bye"
    assert one.end() == 1


def test_close_without_a_word(smtpd):
    assert smtpd("[connection]\n:echo D\n", first=None).end() == 1


def test_reply_and_go_on(smtpd):
    one = smtpd("[helo]\n:echo P250-hello; echo P250-there\n")
    assert one.ask("HELO x") == "250-hello"
    assert one.line() == "250-there"
    assert one.line().startswith("250 ")


def test_what_plugins_are_told(home, smtpd):
    names = ("SMTPHELOHOST SMTPMAILFROM SMTPRCPTTO SMTPRCPTHOSTSOK SMTPRCPTCOUNT "
             "SMTPRCPTCOUNTALL").split()
    show = "printf 'P250-'; for n in %s; do eval v=\\${$n-unset}; printf '%%s;' \"$v\"; done; echo; pwd | sed s/^/P250-/; cat | wc -c | sed s/^/P250-/" % " ".join(names)
    one = smtpd(f"[helo]\n:{show}\n[mail]\n:{show}\n[rcpt]\n:{show}\n[data]\n:{show}\n")

    def told(command):
        one.send(command + "\r\n")
        first, where, size, reply = one.lines(4)
        assert where == f"250-{home.home}"
        assert size == "250-0"
        return first[4:], reply[:3]

    assert told("HELO $(h)") == ("$(h);unset;unset;unset;0;0;", "250")
    assert told("MAIL FROM:<`s`@x>") == ("$(h);`s`@x;unset;unset;0;0;", "250")
    assert told("RCPT TO:<a@out.example>") == (
        "$(h);`s`@x;a@out.example;unset;0;1;", "553")
    assert told("RCPT TO:<a@in.example>") == (
        "$(h);`s`@x;a@in.example;1;0;2;", "250")
    assert told("RCPT TO:<b>") == ("$(h);`s`@x;b;1;1;3;", "250")
    assert told("DATA") == ("$(h);`s`@x;unset;unset;2;3;", "354")


def test_words_of_the_client_are_no_functions(home, smtpd):
    """A shell once ran what followed one in a variable."""
    one = smtpd("[helo]\n:printf 'P250-%s;\\n' \"$SMTPHELOHOST\"\n"
                "[rcpt]\n:printf 'P250-%s;%s;\\n' \"$SMTPMAILFROM\" \"$SMTPRCPTTO\"\n")
    one.send("HELO () { :;}; touch hit\r\nMAIL FROM:<() { :;}@x>\r\n"
             "RCPT TO:< () { x@in.example>\r\n")
    assert [line for line in one.lines(5) if "{" in line] == [
        "250- () { :;}; touch hit;", "250- () { :;}@x;  () { x@in.example;"]


def test_addresses_are_replaced_and_fields_added(smtpd):
    one = smtpd("[mail]\n:echo Cnew@y.example\n[rcpt]\n:echo Cb@in.example\n"
                "[pass]\n:echo HX-Passed: $SMTPRCPTTO\n")
    said = talk(one, to=["a@out.example"])
    assert said["end"].startswith("250 ok ")
    sender, recipients, message = one.queue.message
    assert (sender, recipients) == (b"new@y.example", [b"b@in.example"])
    lines = message.split(b"\n")
    assert lines[0].startswith(b"Received: from ")
    assert lines[2:] == [b"X-Passed: b@in.example", b"Subject: x", b"", b"body", b""]


def test_a_field_belongs_to_one_message(smtpd):
    one = smtpd("[rcpt]\n:echo HX-To: $SMTPRCPTTO\n")
    for name in ("a", "b"):
        talk(one, to=[f"{name}@in.example"])
    got = [[line for line in m.split(b"\n") if line.startswith(b"X-To")]
           for _, _, m in one.queue.messages]
    assert sorted(got) == [[b"X-To: a@in.example"], [b"X-To: b@in.example"]]


@pytest.mark.parametrize("address", ["a" * 900 + "@in.example", "a\\rb@in.example"])
def test_an_address_that_cannot_be(smtpd, address):
    one = smtpd(f"[rcpt]\n:printf 'C{address}'\n")
    assert talk(one)["rcpt"] == [TROUBLE]


def test_the_checks_are_skipped(home, smtpd):
    home.write_control("badmailfrom", "@x.example\n")
    rcpt = "[rcpt]\n:[ $SMTPRCPTTO = a@out.example ] && echo O\n"
    one = smtpd(rcpt)
    assert talk(one, to=["a@out.example", "a@in.example"])["rcpt"] == ["250 ok", BAD]
    one = smtpd("[mail]\n:echo O\n" + rcpt)
    assert talk(one, to=["a@out.example", "b@out.example", "a@in.example"])["rcpt"] == [
        "250 ok", HOSTS, "250 ok"]


def test_variables_take_effect(smtpd):
    one = smtpd("[helo]\n:echo SRELAYCLIENT=@relay; echo SDATABYTES=3\n"
                "[rcpt]\n:[ $SMTPRCPTTO = last@out.example ] && echo URELAYCLIENT\n")
    said = talk(one, to=["a@out.example", "last@out.example"])
    assert said["rcpt"] == ["250 ok", HOSTS]
    assert said["end"].startswith("552 ")


@pytest.mark.parametrize("text, word", [
    ("true\n", "cannot be a plugin here"), ("[nothing]\n", "is no section")])
def test_a_file_that_makes_no_sense(home, smtpd, text, word):
    one = smtpd(text, first="421 unable to read controls (#4.3.0)")
    one.rest()
    assert f"control/smtpplugins: {text.strip()} {word}" in one.log()


def test_another_file(home, smtpd):
    home.write_control("mine", "[helo]\n:echo E550 mine\n")
    one = smtpd("[helo]\n:echo E550 usual\n", SPPCONFFILE="control/mine")
    assert one.ask("HELO x") == "550 mine"
    one.rest()
    assert "why=plugin" in one.log()
