"""Attacks that need a certain kind of code: the sources and programs have none."""

import re
import subprocess

import lib
import pytest

SOURCES = sorted((lib.REPO / "src").rglob("*.[ch]"))
# What runs a shell, because a user or an administrator wrote the command.
RUN_A_SHELL = {"local/program_deliver.c", "accept/smtp_plugins.c"}
LIBC = re.compile(r"^(linux-vdso|/lib[^ ]*/ld-|lib(c|resolv|crypt|m|asan|ubsan|gcc_s|"
                  r"pthread|dl|rt|stdc\+\+)\.)")


def code():
    """(path below src/, its text without comments)."""
    for path in SOURCES:
        text = re.sub(r"/\*.*?\*/", "", path.read_text(), flags=re.S)
        yield str(path.relative_to(lib.REPO / "src")), text


def test_errno_comes_from_its_header():
    """A declaration of our own would be another variable."""
    assert SOURCES
    for path, text in code():
        assert not re.search(r"extern\s+int\s+errno", text), path
        if re.search(r"\berrno\b", text):
            assert "#include <errno.h>" in text, path


def test_handlers_do_nothing_but_note_or_end():
    """Signals are handled in one place, by a byte into a pipe; qmail-queue
    ends at once."""
    users = {path for path, text in code() if re.search(r"\bsigaction\(", text)}
    assert users == {"base/sig.c", "inject/queue_interface.c"}
    for path, text in code():
        assert not re.search(r"\bsignal\(", text), path
        for name in re.findall(r"(?:sa_handler = |set_handler\(\w+, )(\w+)", text):
            body = re.search(rf"^{name}\(int.*?\)\n\{{(.*?)^\}}", text, re.M | re.S)
            if body:  # not a parameter
                calls = set(re.findall(r"\b(\w+)\(", body[1])) - {"if"}
                assert calls <= {"write", "_exit"}, (path, calls)


def test_a_shell_runs_only_what_its_owner_wrote():
    for path, text in code():
        assert not re.search(r"\b(system|popen|wordexp)\(", text), path
        if not path.startswith("admin/") and re.search(r'"(/bin/)?sh"', text):
            assert path in RUN_A_SHELL | {"pop3/qmail-checkpass.c"}, path


@pytest.mark.parametrize("program", ["qmail-smtpd", "qmail-qmtpd", "qmail-qmqpd",
                                     "qmail-queued", "qmail-send", "qmail-local",
                                     "qmail-lspawn", "qmail-remote", "qmail-popup",
                                     "qmail-pop3d"])
def test_no_foreign_library_reads_mail(program):
    """Nothing but libc is in the address space."""
    assert (lib.bin_dir() / program).exists()
    done = subprocess.run(["ldd", lib.bin_dir() / program], capture_output=True, text=True)
    if done.returncode != 0 or "statically linked" in done.stdout:
        return  # nothing at all
    wrong = [line.strip() for line in done.stdout.splitlines()
             if not LIBC.match(line.strip())]
    assert not wrong
