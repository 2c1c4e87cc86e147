"""doc/COMPATIBILITY.md names tests that exist, and every package that is unpacked."""

import fnmatch
import re

import lib

TEXT = (lib.REPO / "doc/COMPATIBILITY.md").read_text()


def test_each_test_of_the_table_exists():
    there = {name for path in (lib.REPO / "tests").glob("*/test_*.py")
             for name in re.findall(r"(?m)^def (test_\w+)", path.read_text())}
    named = re.findall(r"`(test_[\w*]+)`", TEXT)
    assert len(named) > 30
    assert [n for n in named if not fnmatch.filter(there, n)] == []


def test_each_test_with_an_add_on_is_in_the_table():
    here = {name for path in (lib.REPO / "tests/addons").glob("test_*.py")
            if path.name != "test_table.py"
            for name in re.findall(r"(?m)^def (test_\w+)", path.read_text())}
    named = re.findall(r"`(test_[\w*]+)`", TEXT)
    assert [n for n in sorted(here) if not any(fnmatch.fnmatch(n, x) for x in named)] == []


def test_each_package_is_in_the_table():
    script = (lib.REPO / "tools/addons").read_text()
    packages = " ".join(re.findall(r"(?s)(?:beside|instead)='(.*?)'", script)).split()
    other = {"git-email": "git send-email", "dovecot-imapd": "Dovecot (IMAP)"}
    assert [p for p in packages if f"| {other.get(p, p)}" not in TEXT] == []
