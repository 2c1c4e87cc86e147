"""qmail-inject: what it makes of headers, as -n prints them and as they reach
the queue. Needs no daemon: QMAILQUEUE is a script that keeps what it is given."""

import os
import re
import subprocess
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[2]
BIN = Path(os.environ.get("CQMAIL_BIN", REPO / "bin")).resolve()

DATE = rb"\d{1,2} [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d -0000"


class Inject:
    """A home with control files, and a queue that remembers."""

    def __init__(self, path):
        self.path = path
        self.home = path / "home"
        (self.home / "control").mkdir(parents=True)
        self.control(defaultdomain="dd.example", defaulthost="dh",
                     plusdomain="pd.example", idhost="id.example")
        self.set_queue()

    def control(self, **files):
        for name, text in files.items():
            (self.home / "control" / name).write_text(text + "\n")

    def set_queue(self, code=0, text=b""):
        """What the queue program exits with, and says on descriptor 6."""
        script = self.path / "queue"
        (self.path / "text").write_bytes(text)
        script.write_text(
            "#!/bin/sh\n"
            f"cat >{self.path}/message\n"
            f"cat <&1 >{self.path}/envelope\n"
            f"[ -s {self.path}/text ] && cat {self.path}/text >&6\n"
            f"exit {code}\n")
        script.chmod(0o755)

    def run(self, message=b"", *args, env=None, cwd=None):
        full = {"PATH": "/usr/bin:/bin", "QMAILHOME": str(self.home),
                "QMAILQUEUE": str(self.path / "queue"), "USER": "u"}
        if "ASAN_OPTIONS" in os.environ:
            full["ASAN_OPTIONS"] = os.environ["ASAN_OPTIONS"]
        for name, value in (env or {}).items():
            full.pop(name, None)
            if value is not None:
                full[name] = value
        for name in ("message", "envelope"):
            (self.path / name).unlink(missing_ok=True)
        return subprocess.run(
            [BIN / "qmail-inject", *args], input=message, env=full,
            capture_output=True, timeout=60, cwd=cwd or self.path)

    def show(self, message=b"", *args, env=None, cwd=None):
        """What -n prints."""
        done = self.run(message, "-n", *args, env=env, cwd=cwd)
        assert (done.returncode, done.stderr) == (0, b"")
        assert not (self.path / "message").exists()
        return done.stdout

    def queue(self, message=b"", *args, env=None, cwd=None):
        """(sender, recipients, message) as they reached the queue."""
        done = self.run(message, *args, env=env, cwd=cwd)
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
        envelope = (self.path / "envelope").read_bytes()
        assert envelope.endswith(b"\0\0")
        sender, *recipients = envelope[:-2].split(b"\0")
        assert sender[:1] == b"F"
        assert all(r[:1] == b"T" for r in recipients)
        return (sender[1:], [r[1:] for r in recipients],
                (self.path / "message").read_bytes())


@pytest.fixture
def inject(tmp_path):
    return Inject(tmp_path)


# in, out (None: unchanged), recipients or None for "those of out"
ROWS = [
    ("To: joe", "To: joe@dh.dd.example", ["joe@dh.dd.example"]),
    ("To: joe@host", "To: joe@host.dd.example", ["joe@host.dd.example"]),
    ("To: joe@host.dom", None, ["joe@host.dom"]),
    ("To: joe@host+", "To: joe@host.pd.example", ["joe@host.pd.example"]),
    ("To: joe@a.b+", "To: joe@a.b.pd.example", ["joe@a.b.pd.example"]),
    ("To: joe@+", "To: joe@.pd.example", ["joe@.pd.example"]),
    ("To: joe+", "To: joe+@dh.dd.example", ["joe+@dh.dd.example"]),
    ("To: joe+ext", "To: joe+ext@dh.dd.example", ["joe+ext@dh.dd.example"]),
    ("To: joe@host.", "To: joe@host.dd.example", ["joe@host.dd.example"]),
    ("To: joe@host.dom.", "To: joe@host.dom", ["joe@host.dom"]),
    ("To: joe@", "To: joe@dh.dd.example", ["joe@dh.dd.example"]),
    ("To: joe.", "To: joe@dh.dd.example", ["joe@dh.dd.example"]),
    ("To: first.last", "To: first.last@dh.dd.example",
     ["first.last@dh.dd.example"]),
    ("To: @", "To:", [""]),
    ("To: .", "To:", [""]),
    ("To: @r1", "To:", [""]),
    ("To: <@r1:joe@h>", "To: <joe@h.dd.example>", ["joe@h.dd.example"]),
    ("To: @r1,@r2:joe@host", None, ["joe@host.dd.example"]),
    ("To: joe@[1.2.3.4]", None, ["joe@[1.2.3.4]"]),
    ("To: joe@[]", None, ["joe@[]"]),
    ("To: x-@host-@[]", None, ["x-@host-@[]"]),
    ("To: [1.2.3.4]", "To: [1.2.3.4]@dh.dd.example",
     ["[1.2.3.4]@dh.dd.example"]),
    ("To: a@b@c", "To: a@b@c.dd.example", ["a@b@c.dd.example"]),
    ("To: JOE@Host", "To: JOE@Host.dd.example", ["JOE@Host.dd.example"]),
    ("To: joe @ host . dom", "To: joe@host.dom", ["joe@host.dom"]),
    ("To: a%b@c", "To: a%b@c.dd.example", ["a%b@c.dd.example"]),
    ("To: a!b", "To: a!b@dh.dd.example", ["a!b@dh.dd.example"]),
    ("To: joe, mary", "To: joe@dh.dd.example, mary@dh.dd.example",
     ["mary@dh.dd.example", "joe@dh.dd.example"]),
    ("To: joe blow", "To: joe@dh.dd.example, blow@dh.dd.example",
     ["blow@dh.dd.example", "joe@dh.dd.example"]),
    ("To: joe@x mary@y", "To: joe@x.dd.example, mary@y.dd.example",
     ["mary@y.dd.example", "joe@x.dd.example"]),
    ("To: joe@x, ,mary@y", "To: joe@x.dd.example, , mary@y.dd.example",
     ["mary@y.dd.example", "joe@x.dd.example"]),
    ("To: joe@x,", "To: joe@x.dd.example,", ["joe@x.dd.example"]),
    ('To: "joe blow"@h.d', None, ["joe blow@h.d"]),
    (r"To: joe\ blow@x.y", 'To: "joe blow"@x.y', ["joe blow@x.y"]),
    (r'To: "a\"b"@x.y', None, ['a"b@x.y']),
    ("To: joe..blow@x.y", None, ["joe..blow@x.y"]),
    ("To: .joe@x.y", None, [".joe@x.y"]),
    ("To: Joe Blow <joe>", "To: Joe Blow <joe@dh.dd.example>",
     ["joe@dh.dd.example"]),
    ('To: "Joe Q. Blow" <joe@x.y>', None, ["joe@x.y"]),
    ("To: Joe Q. Blow <joe@x.y>", "To: Joe Q.Blow <joe@x.y>", ["joe@x.y"]),
    ("To: joe@x.y (Joe (nested) Blow)", "To: joe@x.y (Joe nested Blow)",
     ["joe@x.y"]),
    (r'To: (c) "q x"@z.w, j@[1\]2]', r'To: "q x"@z.w (c), j@[1\]2]',
     ["j@[1]2]", "q x@z.w"]),
    ("To: a (c) @ b.c", "To: a@b.c (c)", ["a@b.c"]),
    ("To: (x) J <a@b.c> (y)", "To: (x) J <a@b.c>(y)", ["a@b.c"]),
    ("To: joe@x.y <mary@z.w>", None, ["mary@z.w"]),
    ("To: <joe@x> <mary@y>", "To: <joe@x.dd.example> <mary@y.dd.example>",
     ["mary@y.dd.example", "joe@x.dd.example"]),
    ("To: <>", None, [""]),
    ("To: Joe <>", None, [""]),
    ("To: group: joe, mary@x;",
     "To: group: joe@dh.dd.example, mary@x.dd.example;",
     ["mary@x.dd.example", "joe@dh.dd.example"]),
    ("To: group:;", "To: group: ;", []),
    ("To: a@x.y; b@x.y; c@d", None, ["c@d.dd.example", "b@x.y"]),
    ("To: a: b@x.y, c@d.e", None, ["c@d.e", "b@x.y"]),
    ("To: joe@x.y (unbalanced", None, []),
    ('To: "unbalanced joe', None, []),
    ("To: a@[1.2", None, []),
    ("To: joe@x.y odd)", r'To: joe@x.y, "odd\)"@dh.dd.example',
     ["odd)@dh.dd.example", "joe@x.y"]),
    ("To: jörg@x.y", 'To: "jörg"@x.y', ["jörg@x.y"]),
    ("To: Jörg M <j@x.y>", 'To: "Jörg" M <j@x.y>', ["j@x.y"]),
    ("To: =?utf-8?q?J=C3=B6?= <j@x.y>", None, ["j@x.y"]),
    ("To: a@b.c,\n\td@e.f", "To: a@b.c, d@e.f", ["d@e.f", "a@b.c"]),
    ("to:a@b.c", "to: a@b.c", ["a@b.c"]),
    ("To : a@b.c", "To: a@b.c", ["a@b.c"]),
]


def strip_added(shown):
    """Without the Return-Path and the fields that are always added first."""
    return re.sub(
        rb"\A(Return-Path: [^\n]*\n)?Date: " + DATE + rb"\n"
        rb"Message-ID: <\d{14}\.\d+\.qmail@id\.example>\n"
        rb"From: u@dh\.dd\.example\n", b"", shown)


@pytest.mark.parametrize("field, want, recipients", ROWS,
                         ids=[row[0] for row in ROWS])
def test_table(inject, field, want, recipients):
    want = ((field if want is None else want) + "\n\nbody\n").encode()
    message = field.encode() + b"\n\nbody\n"
    assert strip_added(inject.show(message)) == want
    sender, got, queued = inject.queue(message)
    assert sender == b"u@dh.dd.example"
    assert got == [r.encode() for r in recipients]
    assert strip_added(queued) == want


@pytest.mark.parametrize("first, second, folded", [
    (30, 34, False),   # 78 columns
    (30, 35, True),    # 79
    (100, 1, True),
])
def test_lines_are_folded_after_commas(inject, first, second, folded):
    a, b = "a" * first + "@x.y", "b" * second + "@x.y"
    between = "\n  " if folded else " "
    assert strip_added(inject.show(f"To: {a},{b}\n".encode())) == (
        f"To: {a},{between}{b}\n".encode())


def test_long_addresses_have_a_line_each(inject):
    names = [letter * 40 + "@x.y" for letter in "abc"]
    assert strip_added(inject.show(f"To: {' '.join(names)}\n".encode())) == (
        "To: " + ",\n  ".join(names) + "\n").encode()


@pytest.mark.parametrize("name", [
    "To", "Cc", "Apparently-To", "Sender", "From", "Reply-To",
    "Return-Receipt-To", "Errors-To", "Resent-Sender", "Resent-From",
    "Resent-Reply-To", "Resent-To", "Resent-Cc", "rEPLY-tO"])
def test_fields_that_are_rewritten(inject, name):
    shown = inject.show(f"{name}: a (x) b\n".encode())
    assert f"\n{name}: a@dh.dd.example, b@dh.dd.example (x)\n".encode() in shown


@pytest.mark.parametrize("field", [
    "Mail-Followup-To: a,\n\tb", "Mail-Reply-To : a b", "Subject: a ,b",
    "X-To: a b", "Delivered-To:a", "Received:  from x\n   by y", "Date: x\r"])
def test_other_fields_pass_unchanged(inject, field):
    shown = inject.show(f"To: x@y.z\n{field}\nX: y\n".encode())
    assert f"\nTo: x@y.z\n{field}\nX: y\n".encode() in shown


@pytest.mark.parametrize("field", [
    "Bcc: a", "Resent-Bcc: a", "Return-Path: <a>", "Content-Length: 5",
    "bcc:a,\n\tb", "CONTENT-LENGTH : x"])
def test_fields_that_are_removed(inject, field):
    shown = inject.show(f"X-1: a\n{field}\nX-2: b\n\n".encode())
    assert shown.endswith(b"\nX-1: a\nX-2: b\n\n")


@pytest.mark.parametrize("field", [
    "From: (bad", "Return-Path: (bad", "Sender: g: a@b", "Reply-To: <a",
    'Errors-To: "x', "Return-Receipt-To: [", "Resent-Sender: (bad",
    "Resent-From: (bad", "Resent-Reply-To: (bad"])
def test_sender_field_that_cannot_be_parsed(inject, field):
    done = inject.run(f"To: a@b.c\n{field}\n\nbody\n".encode())
    assert done.returncode == 100
    assert done.stderr == (b"qmail-inject: fatal: unable to parse this line:\n"
                           + field.encode() + b"\n")
    assert not (inject.path / "message").exists()


@pytest.mark.parametrize("name", [
    "To", "Cc", "Bcc", "Apparently-To", "Resent-To", "Resent-Cc", "Resent-Bcc"])
def test_recipient_field_that_cannot_be_parsed(inject, name):
    field = f"{name} :  a ;b@x.y; c@x.y\n".encode()
    _, recipients, message = inject.queue(field + b"X: y\n\n")
    assert recipients == [b"c@x.y", b"b@x.y"]
    is_kept = b"\n" + field in message
    assert is_kept == (not name.endswith("Bcc"))
    assert is_kept or name.encode() not in message


def test_control_bytes_do_not_reach_the_terminal(inject):
    done = inject.run(b"From: (\x1b[2J\x07\x7f\n")
    assert done.returncode == 100
    assert done.stderr.endswith(b"From: (?[2J??\n")


HEADERS = [
    # what ends a header, and how it then goes on
    (b"Subject: s\nnot a field\nX: y\n",
     b"Subject: s\n\nnot a field\nX: y\n"),
    (b"Subject: s\n\nbody\n", b"Subject: s\n\nbody\n"),
    (b"Subject: s\n\n", b"Subject: s\n\n"),
    (b"Subject: s\n", b"Subject: s\n"),
    (b"Subject: s", b"Subject: s\n"),
    (b"Subject: s\n more", b"Subject: s\n more\n"),
    (b"Subject: s\n\nno end", b"Subject: s\n\nno end\n"),
    (b"Subject: s\n\nnul \0 and \xff\r\n\rx", b"Subject: s\n\nnul \0 and \xff\r\n\rx\n"),
    (b" starts with a space\nX: y\n", b"\n starts with a space\nX: y\n"),
    (b"\tstarts with a tab\n", b"\n\tstarts with a tab\n"),
    (b"\nX: y\n", b"\nX: y\n"),
    (b"X: y\n\r\nX: z\n", b"X: y\n\n\r\nX: z\n"),
    (b": no name\n", b"\n: no name\n"),
    (b"two words: no name\n", b"\ntwo words: no name\n"),
    (b"na\xefme: 8 bits\n", b"\nna\xefme: 8 bits\n"),
    (b"na\x7fme: DEL\n", b"\nna\x7fme: DEL\n"),
    (b"!first~: v\n~last!: v\n", b"!first~: v\n~last!: v\n"),
    (b"Name \t : v\n", b"Name \t : v\n"),
    (b">From joe Mon\nX: y\n", b"\n>From joe Mon\nX: y\n"),
    (b"From joe Mon\nX: y\n\n", b"MBOX-Line: From joe Mon\nX: y\n\n"),
    (b"X: y\nFrom : joe\n\n", b"X: y\nMBOX-Line: From : joe\n\n"),
    (b"X: y\n\nFrom joe\n", b"X: y\n\nFrom joe\n"),
    (b"X: y\n \n z\n\n", b"X: y\n \n z\n\n"),
    (b"X: y\r\nY: z\r\n", b"X: y\r\nY: z\r\n"),
    (b"", b""),
]


@pytest.mark.parametrize("message, want", HEADERS,
                         ids=[row[0].decode("latin-1") or "none" for row in HEADERS])
def test_header_reader(inject, message, want):
    shown = strip_added(inject.show(message))
    assert shown == b"Cc: recipient list not shown: ;\n" + want
    assert strip_added(inject.queue(message)[2]) == shown


def test_cr_is_white_space_in_rewritten_fields(inject):
    assert strip_added(inject.show(b"To: a@b.c\r\nX: y\r\n\r\nbody\n")) == (
        b"To: a@b.c\nX: y\r\n\n\r\nbody\n")


def test_large_body_passes_byte_for_byte(inject):
    body = bytes(range(256)) * 40000 + b"\n"
    assert inject.queue(b"To: a@b.c\n\n" + body)[2].endswith(
        b"To: a@b.c\n\n" + body)


def test_long_line_without_a_colon_is_a_body(inject):
    body = b" " + b"x" * (17 << 20) + b"\n"
    assert inject.queue(body)[2].endswith(b"\n\n" + body)


@pytest.mark.parametrize("message", [
    b"X: " + b"y" * (17 << 20) + b"\n",
    (b"X: " + b"y" * 1020 + b"\n") * (17 << 10),
], ids=["line", "fields"])
def test_header_too_large(inject, message):
    done = inject.run(message)
    assert done.returncode == 100
    assert done.stderr == b"qmail-inject: fatal: header too large\n"
    assert not (inject.path / "message").exists()


def test_many_recipients_in_order(inject):
    names = [f"r{i}@x.example" for i in range(20000)]
    sender, got, _ = inject.queue(f"To: {','.join(names)}\n\n".encode())
    assert got == [n.encode() for n in reversed(names)]


def test_nul_cannot_forge_a_recipient(inject):
    done = inject.run(b'To: "a\0Tevil@x.example"@b.c\n\n')
    assert done.returncode == 100
    assert b"NUL" in done.stderr
    assert not (inject.path / "message").exists()


@pytest.mark.parametrize("to", [
    rb'"a\%b"@x.y' % b"\n", rb'a\%bBcc: evil@x.y' % b"\n", rb'x\%b' % b"\n"])
def test_escaped_line_end_starts_no_field(inject, to):
    """In a header the LF ends the field: what follows is another line."""
    shown = inject.show(b"To: " + to + b"\n y@z.w\n\n")
    for line in shown.split(b"\n\n")[0].split(b"\n")[1:]:
        assert re.match(rb"[\x21-\x39\x3b-\x7e]+:|[ \t]", line) or not line
