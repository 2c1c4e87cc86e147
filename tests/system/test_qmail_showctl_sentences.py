"""qmail-showctl: the configuration in sentences."""

import os
import pwd
import re
import subprocess

import lib
import pytest


def showctl(home, code=0):
    done = home.run("qmail-showctl")
    assert done.returncode == code, done.stderr
    return done.stdout.decode("latin-1"), done.stderr.decode()


def parts(home, code=0):
    """The head, and {name: what is said of it} in order."""
    text, _ = showctl(home, code)
    head, *rest = text.split("\n\n")
    assert rest[-1].endswith("\n")
    rest[-1] = rest[-1][:-1]
    return head, dict(part.split(": ", 1) for part in rest)


def test_the_head(home):
    head, _ = parts(home)
    user = home.user
    assert head.split("\n") == [
        f"qmail home directory: {home.home}.", "user-ext delimiter: -.",
        "paternalism (in decimal): 2.", "silent concurrency limit: 1000.",
        "subdirectory split: 32.",
        "user ids: " + ", ".join([str(user.pw_uid)] * 8) + ".",
        f"group ids: {user.pw_gid}, {user.pw_gid}."]


def test_the_split_is_that_of_the_queue(instance):
    for _ in range(3):
        assert instance.inject("nobody@[127.0.0.9]").returncode == 0
    split = int(re.search(r"subdirectory split: (\d+)", showctl(instance)[0])[1])
    for path in (instance.home / "queue/env").glob("*/*"):
        assert int(path.name) % split == int(path.parent.name)


def test_all_files_of_the_manual_in_alphabetical_order(home):
    page = (lib.REPO / "man/qmail-control.5").read_text()
    documented = re.findall(r"(?m)^\.It Pa (\S+)", page)
    names = [n for n in parts(home)[1] if n in documented]
    assert names == sorted(documented)


def test_every_file_that_exists_here_is_known(home):
    assert "no idea" not in showctl(home)[0]


VALUES = {  # name: (content, what must be said)
    "me": ("a.example  \nrest", "This host is a.example."),
    "bouncefrom": ("b", "Bounces come from the user b."),
    "bouncehost": ("c.example", "Bounces come from the host c.example."),
    "concurrencylocal": ("007x", "At most 7 local deliveries run at a time."),
    "concurrencyremote": ("0", "At most 0 remote deliveries run at a time."),
    "databytes": ("100", "Messages are limited to 100 bytes (0: no limit)."),
    "doublebounceto": ("", "Bounces that bounce are thrown away."),
    "doublebouncerate": ("20", "At most 20 bounces that bounce leave in an hour before several "
                               "share a message (0: any number)."),
    "helohost": ("\x1b[2Jx", "To other hosts this host is ?[2Jx."),
    "smtpgreeting": ("hi there", "SMTP clients are greeted with: 220 hi there."),
    "queuelifetime": ("99999999999999999999", None),
    "timeoutremote": ("none", "(Default.) Another host has 1200 seconds for each answer."),
    "locals": ("# x\nOne.example \n\ntwo.example",
               "\nMail for One.example is delivered here."
               "\nMail for two.example is delivered here."),
    "badmailfrom": ("@spam.example\n", "\nMail by SMTP from @spam.example is refused."),
    "rcpthosts": ("", "Mail by SMTP is taken for recipients without a host only."),
    "smtproutes": (":relay.example\nno colon\nx:y:26\n",
                   "\nRemote mail takes the route :relay.example."
                   "\nRemote mail takes the route x:y:26."),
    "virtualdomains": ("# none\n", "There are no virtual domains."),
    "defaultdelivery": ("./Maildir/\n|cmd\n",
                        "\nUsers without a .qmail file have the line ./Maildir/ in its place."
                        "\nUsers without a .qmail file have the line |cmd in its place."),
    "tcp.smtp.cdb": ("x", "Rules decide which SMTP clients may connect and relay."),
}


@pytest.mark.parametrize("name", VALUES)
def test_what_is_said_of_a_file(home, name):
    content, want = VALUES[name]
    home.write_control(name, content)
    said = parts(home)[1][name]
    if want is None:
        assert re.fullmatch(r"A message is tried for \d+ seconds\.", said)
    else:
        assert said == want


DEFAULTS = {
    "bouncefrom": "Bounces come from the user MAILER-DAEMON.",
    "bouncehost": "Bounces come from the host m.example.",
    "badmailfrom": "No sender is refused for its address.",
    "concurrencylocal": "At most 10 local deliveries run at a time.",
    "concurrencyremote": "At most 20 remote deliveries run at a time.",
    "databytes": "Messages are limited to 0 bytes (0: no limit).",
    "doublebounceto": "Bounces that bounce go to the user postmaster.",
    "locals": "Mail for m.example is delivered here.",
    "queuelifetime": "A message is tried for 604800 seconds.",
    "rcpthosts": "Mail by SMTP is taken for locals and virtualdomains only.",
    "timeoutconnect": "Another host has 60 seconds to take a connection.",
    "timeoutsmtpd": "An SMTP client has 1200 seconds for each command or piece of a message.",
}


def test_defaults(home):
    for path in (home.home / "control").iterdir():
        path.unlink()
    home.write_control("me", "m.example\n")
    said = parts(home)[1]
    for name, text in said.items():
        assert (name == "me") != text.startswith("(Default.) "), name
    for name, text in DEFAULTS.items():
        assert said[name] == "(Default.) " + text


def test_without_me(home):
    for path in (home.home / "control").iterdir():
        path.unlink()
    said = parts(home)[1]
    assert said["me"] == "(Default.) This host has no name: most programs do not run."
    assert said["bouncehost"] == "(Default.) Bounces come from the host bouncehost."
    assert said["helohost"].startswith("(Default.) This host has no name for others")
    assert "does not start" in said["locals"]


def test_unknown_files_come_last_and_hidden_ones_not_at_all(home):
    for name in ("zebra", "aardvark", ".hidden", "me~", "new\nline"):
        home.write_control(name, "x")
    (home.home / "control/rsa.d").mkdir()
    text, _ = showctl(home)
    tail = text[text.index("\nvirtualdomains: "):].split("\n\n")[1:]
    assert "\n\n".join(tail) == "\n\n".join(
        f"{n}: I have no idea what this file does."
        for n in ("aardvark", "me~", "new?line", "rsa.d", "zebra")) + "\n"


def test_freshness_of_morercpthosts(home):
    def said():
        return parts(home)[1]["morercpthosts.cdb"]
    assert said() == "(Default.) It has no effect."
    list_ = home.write_control("morercpthosts", "a.example\n")
    assert "run qmail-newmrh" in said()
    assert home.run("qmail-newmrh").returncode == 0
    os.utime(list_, ns=(10**18, 10**18))
    assert said() == "It is newer than morercpthosts."
    made = home.home / "control/morercpthosts.cdb"
    os.utime(made, ns=(10**18, 10**18 - 1))
    assert said() == "It is older than morercpthosts: run qmail-newmrh."
    list_.unlink()
    assert "is gone" in said()
    home.remove_control("rcpthosts")
    assert said() == "Without rcpthosts it has no effect."


def test_a_file_that_cannot_be_read_is_named_and_the_others_are_shown(home):
    home.remove_control("databytes")
    (home.home / "control/databytes").mkdir()
    text, errors = showctl(home, 111)
    assert errors == "qmail-showctl: cannot read control/databytes: Is a directory\n"
    assert "databytes" not in text and "\nvirtualdomains: " in text


def test_errors(home):
    done = home.run("qmail-showctl", env={"QMAILHOME": "/nonexistent"})
    assert done.returncode == 111 and b"/nonexistent" in done.stderr
    assert home.run("qmail-showctl", "x").returncode == 100
    with open("/dev/full", "wb") as full:
        assert home.run("qmail-showctl", stdout=full).returncode == 111


@pytest.mark.skipif(os.getuid() != 0, reason="needs root")
def test_a_home_of_root_shows_the_accounts(home):
    os.chown(home.home, 0, 0)
    done = subprocess.run([home.bin / "qmail-showctl"], env=home.env(),
                          capture_output=True, text=True, timeout=lib.TIMEOUT_S)
    found = re.search(r"^user ids: (.*)\.$", done.stdout, re.M)[1].split(", ")

    def uid(name):
        try:
            return str(pwd.getpwnam(name).pw_uid)
        except KeyError:
            return "none"
    names = (lib.REPO / "conf-users").read_text().split("\n")[:8]
    assert found == [uid(n) for n in names] and found[3] == "0"
