"""qmail-inject: the statements that no other test holds."""

import re

import pytest

from test_qmail_inject_interface import field
from test_qmail_inject_rewriting import DATE, inject, strip_added  # noqa: F401


def test_empty_host(inject):  # noqa: F811
    """A variable that is set counts, even if it is empty."""
    sender = inject.queue(b"\n", env={"QMAILHOST": "", "MAILHOST": "m"})[0]
    assert sender == b"u@dh.dd.example"


def test_all_that_can_be_missing(inject):  # noqa: F811
    assert re.fullmatch(
        rb"Return-Path: <u@dh\.dd\.example>\n"
        rb"Date: " + DATE + rb"\n"
        rb"Message-ID: <\d{14}\.\d+\.qmail@id\.example>\n"
        rb"From: u@dh\.dd\.example\n"
        rb"Cc: recipient list not shown: ;\n", inject.show())


@pytest.mark.parametrize("field, want", [
    ("To: a]b@x.y", r'To: "a\]b"@x.y'),
    ("To: a)b@x.y", r'To: "a\)b"@x.y'),
    (r"To: a\\b@x.y", r'To: "a\\b"@x.y'),
    ("To: a\x7fb@x.y", 'To: "a\x7fb"@x.y'),
    ("To: a\x01b@x.y", 'To: "a\x01b"@x.y'),
    ("To: \xc3\xb6 <a@x.y>", 'To: "\xc3\xb6" <a@x.y>'),
])
def test_words_become_quoted_strings(inject, field, want):  # noqa: F811
    shown = strip_added(inject.show(field.encode("latin-1") + b"\n"))
    assert shown == want.encode("latin-1") + b"\n"


@pytest.mark.parametrize("field, want", [
    (r'To: "a\"[]()\\b"@x.y', r'To: "a\"\[\]\(\)\\b"@x.y'),
    (r'To: a@x.y (b"[]\(\)\\c)', r'To: a@x.y (b\"\[\]\(\)\\c)'),
    ('To: "a\\\rb"@x.y', 'To: "a\\\rb"@x.y'),
])
def test_escapes(inject, field, want):  # noqa: F811
    assert strip_added(inject.show(field.encode() + b"\n")) == want.encode() + b"\n"


def test_full_name_is_quoted_with_its_letters(inject):  # noqa: F811
    shown = inject.show(env={"NAME": "plain"})
    assert field(shown, b"From") == b'"plain" <u@dh.dd.example>'
