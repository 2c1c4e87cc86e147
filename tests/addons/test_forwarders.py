"""fastforward and dot-forward in .qmail files: alias tables and .forward."""

import addonlib
import lib
import pytest

FASTFORWARD = "usr/bin/fastforward"
BODY = b"Subject: forwarded\n\nFrom here\n.dots\nsome more\n"


def make_table(home, name, text):
    """A cdb made by the package's own setforward."""
    done = addonlib.run(
        home, [addonlib.program("fastforward", "usr/bin/setforward"), name, name + ".tmp"],
        input=text.encode(), cwd=home.home)
    addonlib.expect_ok(done)
    return home.home / name


@pytest.fixture
def aliases(home):
    """Users ann and bob; every other address goes through a table, and what is not
    in it on to the next line."""
    home.add_user("ann")
    home.add_user("bob")
    home.add_user("own")
    table = make_table(home, "table.cdb", (
        "# a table\n"
        f"both@{lib.HOST}: ann@{lib.HOST}, &bob@{lib.HOST};\n"
        f"list@{lib.HOST}: bob@{lib.HOST};\n"
        f"list@{lib.HOST}: ?own@{lib.HOST};\n"
        f"chain@{lib.HOST}: both@{lib.HOST};\n"
        f"prog@: |cat >{home.base}/piped;\n"
        "@other.example: ann@" + lib.HOST + ";\n"))
    fast = addonlib.program("fastforward", FASTFORWARD)
    home.dotqmail("default", f"|{fast} -p {table}\n./Rest/\n", user="alias")
    home.dotqmail("strict-default", f"|{fast} -d {table}\n", user="alias")
    for part in ("Rest", "Rest/new", "Rest/cur", "Rest/tmp"):
        path = home.user_home("alias") / part
        path.mkdir()
        lib.give(path)
    home.write_control("rcpthosts", lib.HOST + "\nother.example\n")
    home.write_control("virtualdomains", "other.example:alias\n")
    return addonlib.start(home, compiled_home=True)


def test_fastforward_sends_to_each_address_of_an_entry(aliases):
    aliases.send_smtp(BODY, to=["both"])
    for user in ("ann", "bob"):
        (path,) = aliases.wait_maildir(user)
        assert addonlib.payload(path) == BODY
        assert addonlib.header(path, "Return-Path") == [b"<sender@elsewhere.example>"]
        assert addonlib.header(path, "Delivered-To") == [
            f"{user}@{lib.HOST}".encode(), f"both@{lib.HOST}".encode()]
    aliases.wait_empty()


def test_fastforward_follows_an_entry_that_names_another(aliases):
    aliases.send_smtp(BODY, to=["chain"])
    for user in ("ann", "bob"):
        (path,) = aliases.wait_maildir(user)
        assert addonlib.payload(path) == BODY


def test_fastforward_takes_the_owner_as_sender(aliases):
    aliases.send_smtp(BODY, to=["list"])
    (path,) = aliases.wait_maildir("bob")
    assert addonlib.header(path, "Return-Path") == [f"<own@{lib.HOST}>".encode()]


def test_fastforward_runs_a_program_with_the_message(aliases):
    aliases.send_smtp(BODY, to=["prog"])
    aliases.wait_log("success")
    assert addonlib.payload((aliases.base / "piped").read_bytes()) == BODY


def test_fastforward_passes_on_what_it_does_not_know(aliases):
    aliases.send_smtp(BODY, to=["nobody-there"])
    rest = aliases.user_home("alias") / "Rest/new"
    (path,) = lib.wait_until(lambda: list(rest.iterdir()), what="the next line")
    assert addonlib.payload(path) == BODY


def test_fastforward_knows_a_whole_virtual_domain(aliases):
    aliases.dotqmail("default", "|%s -d %s\n" % (
        addonlib.program("fastforward", FASTFORWARD), aliases.home / "table.cdb"), user="alias")
    aliases.send_smtp(BODY, to=["anyone@other.example"])
    (path,) = aliases.wait_maildir("ann")
    assert addonlib.header(path, "Delivered-To")[-1] == b"alias-anyone@other.example"


def test_fastforward_without_p_bounces_the_unknown(aliases):
    aliases.send_smtp(BODY, sender=f"ann@{lib.HOST}", to=["strict-unknown"])
    (path,) = aliases.wait_maildir("ann")
    text = path.read_bytes()
    assert b"Sorry, no mailbox here by that name" in text
    assert b"<strict-unknown@" in text and text.endswith(BODY[-20:])


def test_fastforward_defers_if_it_cannot_queue(aliases):
    """Outside of the daemons' mount namespace it finds no qmail-queue: exit 111,
    so the message stays."""
    fast = addonlib.program("fastforward", FASTFORWARD)
    done = aliases.run(
        "qmail-local", "--", "alias", aliases.user_home("alias"), "both", "-", "both",
        lib.HOST, "s@x.example", f"|{fast} {aliases.home}/table.cdb", input=BODY)
    assert done.returncode == 111, (done.returncode, done.stdout, done.stderr)


def test_newaliases_reads_a_sendmail_table(aliases):
    """The package's newaliases completes names from our control files."""
    aliases.write("aliases", "# sendmail's\npostbox: ann,\n  bob@%s\n" % lib.HOST)
    new = addonlib.program("fastforward", "usr/sbin/qmail-newaliases")
    addonlib.expect_ok(addonlib.run(aliases, [
        *addonlib.with_compiled_home(aliases.home, keep=True), "sh", "-c",
        f"mount -t tmpfs none /etc && cp {aliases.home}/aliases /etc && {new} &&"
        f" cp /etc/aliases.cdb {aliases.home}/table.cdb"]))
    aliases.send_smtp(BODY, to=["postbox"])
    for user in ("ann", "bob"):
        (path,) = aliases.wait_maildir(user)
        assert addonlib.payload(path) == BODY


# ---- dot-forward ------------------------------------------------------------------

@pytest.fixture
def dotted(home):
    """User test, whose default delivery obeys .forward first, as on a machine that
    comes from sendmail."""
    home.add_user("ann")
    home.add_user("bob")
    dot = addonlib.program("dot-forward", "usr/bin/dot-forward")
    home.write_control("defaultdelivery", f"|{dot} .forward\n./Maildir/\n")
    home.forward = home.user_home() / ".forward"
    home.dot = dot
    return addonlib.start(home, f"|{dot} .forward\n./Maildir/", compiled_home=True)


def forward(home, text):
    home.write("users/test/.forward", text)


def test_dot_forward_without_a_file_lets_the_next_line_deliver(dotted):
    dotted.send_smtp(BODY)
    (path,) = dotted.wait_maildir()
    assert addonlib.payload(path) == BODY


def test_dot_forward_sends_on_and_skips_the_rest(dotted):
    forward(dotted, f"# comment\nann@{lib.HOST}, Bob <bob@{lib.HOST}>\n")
    dotted.send_smtp(BODY)
    for user in ("ann", "bob"):
        (path,) = dotted.wait_maildir(user)
        assert addonlib.payload(path) == BODY
        assert addonlib.header(path, "Return-Path") == [b"<sender@elsewhere.example>"]
    dotted.wait_empty()
    assert dotted.maildir() == []


def test_dot_forward_keeps_a_copy_for_the_user_himself(dotted):
    forward(dotted, "\\test, ann\n")
    dotted.send_smtp(BODY)
    for user in ("test", "ann"):
        (path,) = dotted.wait_maildir(user)
        assert addonlib.payload(path) == BODY


def test_dot_forward_runs_a_program(dotted):
    forward(dotted, f'"|cat >{dotted.base}/piped; echo $SENDER >{dotted.base}/sender"\n')
    dotted.send_smtp(BODY)
    dotted.wait_log("success")
    text = (dotted.base / "piped").read_bytes()
    assert text.startswith(b"From sender@elsewhere.example ")
    assert addonlib.payload(text.partition(b"\n")[2]) == BODY
    assert (dotted.base / "sender").read_text() == "sender@elsewhere.example\n"
    assert dotted.maildir() == []


def test_dot_forward_loops_are_found(dotted):
    """ann forwards to test, who forwards to ann."""
    forward(dotted, f"ann@{lib.HOST}\n")
    dotted.write("users/ann/.forward", f"test@{lib.HOST}\n")
    dotted.send_smtp(BODY, sender=f"bob@{lib.HOST}")
    (path,) = dotted.wait_maildir("bob")
    assert b"(#5.4.6)" in path.read_bytes()
