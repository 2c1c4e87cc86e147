"""qmail-inject: options, environment, control files, envelope, exit codes."""

import re

import pytest

from test_qmail_inject_rewriting import DATE, inject  # noqa: F401

MESSAGE = b"To: t@x.y\nCc: c@x.y\nBcc: b@x.y\n\n"


def shown_sender(shown):
    return re.match(rb"Return-Path: <(.*)>\n", shown).group(1)


def field(shown, name):
    found = re.findall(rb"^" + name + rb": (.*(?:\n[ \t].*)*)\n", shown, re.M)
    assert len(found) == 1, (name, shown)
    return found[0]


# ---- options ------------------------------------------------------------------

RECIPIENTS = [
    ([], ["t@x.y", "c@x.y", "b@x.y"]),
    (["a@x.y"], ["a@x.y"]),
    (["-A"], ["t@x.y", "c@x.y", "b@x.y"]),
    (["-A", "a@x.y", "d@x.y"], ["a@x.y", "d@x.y"]),
    (["-a"], []),
    (["-a", "a@x.y"], ["a@x.y"]),
    (["-h", "a@x.y"], ["t@x.y", "c@x.y", "b@x.y"]),
    (["-H", "a@x.y"], ["a@x.y", "t@x.y", "c@x.y", "b@x.y"]),
    (["-H", "-a", "a@x.y"], ["a@x.y"]),
    (["-H"], ["t@x.y", "c@x.y", "b@x.y"]),
    (["a@x.y", "a@x.y"], ["a@x.y", "a@x.y"]),
    (["--", "-n"], ["-n@dh.dd.example"]),
    (["a@x.y", "-h"], ["a@x.y", "-h@dh.dd.example"]),
    (["-nN", "a@x.y"], ["a@x.y"]),
]


@pytest.mark.parametrize("args, want", RECIPIENTS,
                         ids=[" ".join(row[0]) or "none" for row in RECIPIENTS])
def test_recipients(inject, args, want):  # noqa: F811
    assert inject.queue(MESSAGE, *args)[1] == [w.encode() for w in want]


@pytest.mark.parametrize("arg, want", [
    ("joe", "joe@dh.dd.example"),
    ("x y@z", "x y@z.dd.example"),
    ("<x@y.z>", "<x@y.z>"),
    ('"a"@b.c', '"a"@b.c'),
    ("x@y.z,q@r.s", "x@y.z,q@r.s"),
    ("@r:x@y.z", "@r:x@y.z"),
    ("", ""),
    ("joe@h+", "joe@h.pd.example"),
    ("joe@[1.2.3.4]", "joe@[1.2.3.4]"),
])
def test_arguments_are_plain_addresses(inject, arg, want):  # noqa: F811
    assert inject.queue(b"\n", arg)[1] == [want.encode()]


@pytest.mark.parametrize("args", [["-x"], ["-f"], ["-nz"]])
def test_wrong_usage(inject, args):  # noqa: F811
    done = inject.run(b"\n", *args)
    assert done.returncode == 100
    assert done.stderr.startswith(b"qmail-inject: fatal: usage: qmail-inject ")


def test_no_recipient_is_no_error(inject):  # noqa: F811
    assert inject.queue(b"Subject: x\n\n")[1] == []


@pytest.mark.parametrize("sender, want, shown", [
    ("snd", b"snd@dh.dd.example", None),
    ("s@h+", b"s@h.pd.example", None),
    ("x-@host-@[]", b"x-@host-@[]", b'"x-@host-"@[]'),
    ("a b@c", b"a b@c.dd.example", b'"a b"@c.dd.example'),
    ("", b"", None),
    ("<>", b"", None),
])
def test_sender_option(inject, sender, want, shown):  # noqa: F811
    env = {"QMAILINJECT": "rm", "QMAILSUSER": "other"}
    message = b"Return-Path: <rp@x.y>\n\n"
    assert inject.queue(message, "-f", sender, env=env)[0] == want
    out = inject.show(message, "-f", sender, env=env)
    assert shown_sender(out) == (shown or want)


# ---- who it is from -------------------------------------------------------------

AUTHORS = [
    ({"QMAILUSER": "a b"}, '"a b"@dh.dd.example', "a b@dh.dd.example"),
    ({"USER": ""}, '""@dh.dd.example', "@dh.dd.example"),
    ({"MAILNAME": 'M "N', "MAILUSER": "mu", "MAILHOST": "mh"},
     '"M \\"N" <mu@mh.dd.example>', "mu@mh.dd.example"),
    ({"NAME": "The (x)"}, '"The \\(x\\)" <u@dh.dd.example>', None),
    ({"NAME": "N N", "QMAILINJECT": "c"}, "u@dh.dd.example (N N)", None),
    ({"USER": None}, "anonymous@dh.dd.example", "anonymous@dh.dd.example"),
    ({"USER": None, "LOGNAME": "l"}, "l@dh.dd.example", "l@dh.dd.example"),
    ({"LOGNAME": "l"}, "u@dh.dd.example", None),
    ({"MAILUSER": "m"}, "m@dh.dd.example", "m@dh.dd.example"),
    ({"MAILUSER": "m", "QMAILUSER": "q"}, "q@dh.dd.example",
     "q@dh.dd.example"),
    ({"MAILHOST": "m"}, "u@m.dd.example", "u@m.dd.example"),
    ({"MAILHOST": "m", "QMAILHOST": "h+"}, "u@h.pd.example",
     "u@h.pd.example"),
    ({"NAME": "n", "MAILNAME": "m"}, '"m" <u@dh.dd.example>', None),
    ({"NAME": "n", "MAILNAME": "m", "QMAILNAME": "q"},
     '"q" <u@dh.dd.example>', None),
    ({"QMAILSUSER": "su"}, "u@dh.dd.example", "su@dh.dd.example"),
    ({"QMAILSHOST": "sh"}, "u@dh.dd.example", "u@sh.dd.example"),
    ({"QMAILSUSER": "su", "QMAILHOST": "h.h"}, "u@h.h", "su@h.h"),
    ({"QMAILSHOST": "s+"}, "u@dh.dd.example", "u@s.pd.example"),
    ({"QMAILSUSER": ""}, "u@dh.dd.example", "@dh.dd.example"),
    ({"QMAILSHOST": "", "MAILHOST": "m"}, "u@m.dd.example", "u@dh.dd.example"),
    ({"QMAILUSER": "", "MAILUSER": "m"}, '""@dh.dd.example', "@dh.dd.example"),
    ({"QMAILNAME": "", "MAILNAME": "m"}, "u@dh.dd.example", None),
    ({"MAILNAME": "", "NAME": "n"}, "u@dh.dd.example", None),
    ({"QMAILINJECT": "r"}, "u@dh.dd.example", "u-@dh.dd.example-@[]"),
    ({"QMAILDEFAULTHOST": "e.e"}, "u@e.e", "u@e.e"),
    ({"QMAILDEFAULTDOMAIN": "e"}, "u@dh.e", "u@dh.e"),
    ({"QMAILDEFAULTHOST": "h+", "QMAILPLUSDOMAIN": "p"}, "u@h.p", "u@h.p"),
    ({"NAME": "a\nBcc: evil@x.y"}, '"a Bcc: evil@x.y" <u@dh.dd.example>',
     None),
    ({"QMAILUSER": "a\nb"}, '"a b"@dh.dd.example', "a\nb@dh.dd.example"),
]


@pytest.mark.parametrize(
    "env, want, sender", AUTHORS,
    ids=[" ".join(f"{k}={v}" for k, v in row[0].items()) for row in AUTHORS])
def test_default_author_and_sender(inject, env, want, sender):  # noqa: F811
    assert field(inject.show(env=env), b"From") == want.encode()
    got = inject.queue(env=env)[0]
    assert got == (sender or "u@dh.dd.example").encode()


def test_verp_of_the_message(inject):  # noqa: F811
    assert re.fullmatch(rb"u-\d{9,}\.\d+@dh\.dd\.example",
                        inject.queue(env={"QMAILINJECT": "m"})[0])
    assert re.fullmatch(rb"u-\d{9,}\.\d+-@dh\.dd\.example-@\[\]",
                        inject.queue(env={"QMAILINJECT": "rm"})[0])


@pytest.mark.parametrize("fields, letters, want", [
    ("Return-Path: <rp@h>", "", "rp@h.dd.example"),
    ("Return-Path: <rp@h>", "r", "rp@h.dd.example-@[]"),
    ("Return-Path: <rp@h>", "m", "rp@h.dd.example"),
    ("Return-Path: <rp@h>", "s", "u@dh.dd.example"),
    ("Return-Path: a@b.c\nReturn-Path: d@e.f", "", "a@b.c"),
    ("Return-Path: a@b.c, d@e.f", "", "d@e.f"),
    ("Return-Path: <>", "", ""),
    ("Return-Path: <>", "r", ""),
])
def test_return_path(inject, fields, letters, want):  # noqa: F811
    sender, _, message = inject.queue(
        fields.encode() + b"\n\n", env={"QMAILINJECT": letters})
    assert sender == want.encode()
    assert b"Return-Path" not in message


@pytest.mark.parametrize("letters, gone", [
    ("f", [b"From"]), ("i", [b"Message-ID"]),
    ("xfzi", [b"From", b"Message-ID"]), ("", []), ("q", [])])
def test_letters_that_drop_fields(inject, letters, gone):  # noqa: F811
    shown = inject.show(b"From: a@old.example\nMessage-ID: <old>\n\n",
                        env={"QMAILINJECT": letters})
    assert (field(shown, b"From") == b"a@old.example") == (b"From" not in gone)
    assert (field(shown, b"Message-ID") == b"<old>") == (
        b"Message-ID" not in gone)


# ---- what is added ---------------------------------------------------------------

def test_fields_are_added_in_order_before_the_others(inject):  # noqa: F811
    lists = inject.path / "lists"
    lists.write_text("l@x.y\n")
    assert re.fullmatch(
        rb"Return-Path: <u@dh\.dd\.example>\n"
        rb"Date: " + DATE + rb"\n"
        rb"Message-ID: <\d{14}\.\d+\.qmail@id\.example>\n"
        rb"From: u@dh\.dd\.example\n"
        rb"Mail-Followup-To: l@x\.y\n"
        rb"Subject: x\nTo: l@x\.y\n\n",
        inject.show(b"Subject: x\nTo: l@x.y\n\n",
                    env={"QMAILMFTFILE": str(lists)}))


def test_resent_twins(inject):  # noqa: F811
    assert re.fullmatch(
        rb"Return-Path: <u@dh\.dd\.example>\n"
        rb"Resent-Date: " + DATE + rb"\n"
        rb"Resent-Message-ID: <\d{14}\.\d+\.qmail@id\.example>\n"
        rb"Resent-From: u@dh\.dd\.example\n"
        rb"Resent-Cc: recipient list not shown: ;\n"
        rb"X: y\n\n", inject.show(b"Resent-Bcc: r@x.y\nX: y\n\n"))


@pytest.mark.parametrize("name", [
    "Resent-Sender", "Resent-From", "Resent-Reply-To", "Resent-To",
    "Resent-Cc", "Resent-Bcc", "Resent-Date", "Resent-Message-ID"])
def test_resent_recipients_replace_the_others(inject, name):  # noqa: F811
    value = "r@x.y" if name in ("Resent-To", "Resent-Cc", "Resent-Bcc") else ""
    message = f"To: t@x.y\n{name}: {value}\nApparently-To: a@x.y\n\n".encode()
    assert inject.queue(message)[1] == ([value.encode()] if value else [])


@pytest.mark.parametrize("message, present", [
    (b"Date:\n", b"Date"), (b"Message-ID:\n", b"Message-ID"),
    (b"From:\n", b"From"), (b"To:\n", b"Cc"), (b"Cc:\n", b"Cc"),
    (b"dATE : x\n", b"Date")])
def test_an_empty_field_is_present(inject, message, present):  # noqa: F811
    shown = inject.show(message)
    added = len(re.findall(rb"^" + present + rb"\s*:", shown, re.M | re.I))
    assert added == (0 if message.startswith(b"To") else 1)


def test_bcc_and_apparently_to_do_not_count_as_shown(inject):  # noqa: F811
    shown = inject.show(b"Bcc: a@b.c\nApparently-To: d@e.f\n\n")
    assert field(shown, b"Cc") == b"recipient list not shown: ;"


def test_order_and_duplicates_of_recipients(inject):  # noqa: F811
    message = (b"Cc: a@x.y, b@x.y\nApparently-To: c@x.y\nBcc: d@x.y\n"
               b"To: e@x.y, a@x.y\n\n")
    assert inject.queue(message)[1] == [
        b"b@x.y", b"a@x.y", b"c@x.y", b"d@x.y", b"a@x.y", b"e@x.y"]


# ---- Mail-Followup-To ------------------------------------------------------------

@pytest.mark.parametrize("lists, message, want", [
    ("l@x.y", "To: a@x.y, l@x.y\nCc: c, \"q q\"@x.y",
     "c@dh.dd.example,\n  \"q q\"@x.y,\n  a@x.y,\n  l@x.y"),
    ("# c\n\nother@x.y\nL@X.Y  ", "Cc: l@x.y", "l@x.y"),
    ("l@x.y", "To: a@x.y", None),
    ("l@x.y", "Bcc: l@x.y", None),
    ("l@x.y", "Apparently-To: l@x.y", None),
    ("l@x.y", "Apparently-To: b@x.y\nTo: l@x.y\nBcc: c@x.y", "l@x.y"),
    ("l@x.y", "Resent-To: l@x.y\nTo: l@x.y", None),
    ("l@x.y", "To: l@x.y\nMail-Followup-To: me@x.y", "me@x.y"),
    ("", "To: l@x.y", None),
    ("l@dh.dd.example", "To: Some List <l>", "l@dh.dd.example"),
])
def test_mail_followup_to(inject, lists, message, want):  # noqa: F811
    (inject.path / "lists").write_text(lists)
    shown = inject.show(message.encode() + b"\n\n",
                        env={"QMAILMFTFILE": "lists"}, cwd=inject.path)
    if want is None:
        assert b"Mail-Followup-To" not in shown
    else:
        assert field(shown, b"Mail-Followup-To") == want.encode()


# ---- control files ----------------------------------------------------------------

def test_control_defaults(inject):  # noqa: F811
    control = inject.home / "control"
    for path in control.iterdir():
        path.unlink()
    shown = inject.show(b"To: a, b@c+\n\n")
    assert field(shown, b"From") == b"u@defaulthost.defaultdomain"
    assert field(shown, b"To") == (
        b"a@defaulthost.defaultdomain, b@c.plusdomain")
    assert field(shown, b"Message-ID").endswith(b".qmail@idhost>")
    inject.control(me="me.example")
    shown = inject.show(b"To: a, b@c+, d@e\n\n")
    assert field(shown, b"From") == b"u@me.example"
    assert field(shown, b"To") == (
        b"a@me.example, b@c.me.example, d@e.me.example")
    assert field(shown, b"Message-ID").endswith(b".qmail@me.example>")


def test_idhost_from_the_environment(inject):  # noqa: F811
    shown = inject.show(env={"QMAILIDHOST": "other.example"})
    assert field(shown, b"Message-ID").endswith(b".qmail@other.example>")


def test_control_that_cannot_be_read_is_temporary(inject):  # noqa: F811
    (inject.home / "control/plusdomain").unlink()
    (inject.home / "control/plusdomain").mkdir()
    done = inject.run(b"\n")
    assert done.returncode == 111
    assert done.stderr.startswith(b"qmail-inject: fatal: unable to read ")


def test_home_that_is_not_there_is_temporary(inject):  # noqa: F811
    assert inject.run(b"\n", env={"QMAILHOME": "/nonexistent"}).returncode == 111


def test_input_that_cannot_be_read_is_temporary(inject):  # noqa: F811
    import subprocess
    from test_qmail_inject_rewriting import BIN
    with open(inject.path / "write-only", "wb") as closed:
        done = subprocess.run(
            [BIN / "qmail-inject"], stdin=closed, capture_output=True,
            env={"QMAILHOME": str(inject.home),
                 "QMAILQUEUE": str(inject.path / "queue")}, timeout=60)
    assert done.returncode == 111
    assert done.stderr.startswith(
        b"qmail-inject: fatal: unable to read message: ")


def test_output_that_is_full_is_temporary(inject):  # noqa: F811
    import subprocess
    from test_qmail_inject_rewriting import BIN
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [BIN / "qmail-inject", "-n"], input=b"\n", stdout=full,
            stderr=subprocess.PIPE, timeout=60,
            env={"QMAILHOME": str(inject.home)})
    assert done.returncode == 111
    assert done.stderr.startswith(
        b"qmail-inject: fatal: unable to write message: ")


# ---- the queue's verdict -------------------------------------------------------------

@pytest.mark.parametrize("code, exit_code, text", [
    (11, 100, "envelope address too long for qq (#5.1.3)"),
    (31, 100, "mail server permanently rejected message (#5.3.0)"),
    (23, 100, "qq permanent problem (#5.3.0)"),
    (51, 111, "qq out of memory (#4.3.0)"),
    (53, 111, "qq write error or disk full (#4.3.0)"),
    (54, 111, "qq read error (#4.3.0)"),
    (71, 111, "mail server temporarily rejected message (#4.3.0)"),
    (81, 111, "qq internal bug (#4.3.0)"),
    (1, 111, "qq temporary problem (#4.3.0)"),
])
def test_refusals(inject, code, exit_code, text):  # noqa: F811
    inject.set_queue(code)
    done = inject.run(b"To: a@b.c\n\n")
    assert done.returncode == exit_code
    assert done.stderr == f"qmail-inject: fatal: {text}\n".encode()


@pytest.mark.parametrize("text, exit_code", [
    (b"Dspam, go away", 100), (b"Zcome back later", 111),
    (b"D" + b"x" * 254, 100), (b"Dn\xc3\xb6", 100)])
def test_refusal_in_the_queue_programs_own_words(  # noqa: F811
        inject, text, exit_code):
    inject.set_queue(82, text)
    done = inject.run(b"To: a@b.c\n\n")
    assert done.returncode == exit_code
    assert done.stderr == b"qmail-inject: fatal: " + text[1:] + b"\n"


def test_queue_program_that_is_not_there(inject):  # noqa: F811
    done = inject.run(b"To: a@b.c\n\n", env={"QMAILQUEUE": "/nonexistent"})
    assert done.returncode == 111
    assert done.stderr == b"qmail-inject: fatal: unable to exec qq (#4.3.0)\n"


def test_caller_that_ignores_its_children(inject):  # noqa: F811
    # the exit code of the queue program must not get lost, or a message that
    # was queued would be sent again
    import signal
    import subprocess
    from test_qmail_inject_rewriting import BIN
    env = {"PATH": "/usr/bin:/bin", "QMAILHOME": str(inject.home),
           "QMAILQUEUE": str(inject.path / "queue"), "USER": "u"}
    done = subprocess.run(
        [BIN / "qmail-inject", "a@b.c"], input=b"\n", env=env, timeout=60,
        capture_output=True, restore_signals=False,
        preexec_fn=lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN))
    assert (done.returncode, done.stderr) == (0, b"")


def test_words_that_come_between_two_looks(inject):  # noqa: F811
    # the wait for the program is delayed, so that its words and its end both
    # fall between the look at the pipe and the look at the process
    import shutil
    import subprocess
    from test_qmail_inject_rewriting import BIN
    if shutil.which("strace") is None:
        pytest.skip("strace is missing")
    script = inject.path / "queue"
    script.write_text("#!/bin/sh\ncat >/dev/null\ncat <&1 >/dev/null\n"
                      "sleep 0.5\nprintf Dspam >&6\nexit 82\n")
    env = {"PATH": "/usr/bin:/bin", "QMAILHOME": str(inject.home),
           "QMAILQUEUE": str(script), "USER": "u"}
    done = subprocess.run(
        ["strace", "-o", inject.path / "trace", "-e", "trace=wait4", "-e",
         "inject=wait4:delay_enter=1000000", BIN / "qmail-inject", "a@b.c"],
        input=b"\n", env=env, timeout=60, capture_output=True)
    if b"ptrace" in done.stderr:
        pytest.skip("strace may not trace here")
    assert (done.returncode, done.stderr) == (
        100, b"qmail-inject: fatal: spam\n")


def test_text_of_the_queue_program_is_masked(inject):  # noqa: F811
    inject.set_queue(82, b"Da\x1b[2J\nb")
    done = inject.run(b"To: a@b.c\n\n")
    assert done.stderr == b"qmail-inject: fatal: a [2J b\n"


@pytest.mark.parametrize("last, exit_code, text", [
    ("exit 31", 100, b"mail server permanently rejected message (#5.3.0)"),
    ("kill -9 $$", 111, b"qq crashed (#4.3.0)"),
])
def test_queue_program_that_reads_nothing(  # noqa: F811
        inject, last, exit_code, text):
    (inject.path / "queue").write_text(f"#!/bin/sh\n{last}\n")
    done = inject.run(b"To: a@b.c\n\n" + b"line\n" * 1000000)
    assert (done.returncode, done.stderr) == (
        exit_code, b"qmail-inject: fatal: " + text + b"\n")
