"""An instance whose daemons and workers run under valgrind's memcheck."""

import os
import re
import shutil
from pathlib import Path

import lib

DYNAMIC = lib.REPO / "build/dynamic/bin"
NO_SANDBOX = DYNAMIC.parent / "no_sandbox.so"
HEAD_LINES = 8  # of a report; no more, if the process became another program
FAULT = 99  # the exit status of a process with an error
OPTIONS = [
    f"--error-exitcode={FAULT}", "--leak-check=full", "--show-leak-kinds=definite",
    "--errors-for-leak-kinds=definite", "--trace-children=yes",
    f"--suppressions={Path(__file__).with_name('memcheck.supp')}",
    # what others wrote, and who lives for a moment
    "--trace-children-skip=/bin/*,/usr/*,*/forward"]


class Checked(lib.Instance):
    def __init__(self):
        super().__init__()
        assert shutil.which("valgrind"), "valgrind is missing: apt-get install valgrind"
        self.reports = self.base / "memcheck"
        self.reports.mkdir()
        lib.give(self.reports)
        for name in ("concurrencylocal", "concurrencyremote"):
            self.write_control(name, "3\n")
        for name in ("localidle", "remoteidle"):  # a start takes a second here
            self.write_control(name, "60\n")
        self.prefix = ["valgrind", *OPTIONS, f"--log-file={self.reports}/%p"]

    def start(self):
        env = {"LD_PRELOAD": NO_SANDBOX}
        self.start_queued(prefix=self.prefix, env=env)
        self.start_send(prefix=self.prefix, env=env)
        return self


def instance():
    """Of the dynamic programs: memcheck sees only what malloc of libc gives."""
    assert (DYNAMIC / "qmail-conf").exists(), "they are missing: make dynamic"
    before = os.environ.get("CQMAIL_BIN")
    os.environ["CQMAIL_BIN"] = str(DYNAMIC)
    try:
        return Checked()
    finally:
        del os.environ["CQMAIL_BIN"]
        if before is not None:
            os.environ["CQMAIL_BIN"] = before


def faults(one):
    """Ends the instance and reads what memcheck has to say; each program that
    should have run under it must be there."""
    ends = {name: daemon.end(timeout=300) for name, daemon in
            sorted(one.daemons.items(), key=lambda item: item[0] in ("queued", "send"))}
    found = [f"{name} ended with {status}" for name, status in ends.items()
             if name in ("queued", "send") and status != 0]
    lib.wait_until(lambda: not one.processes(), what="the end of all")
    seen = set()
    for path in sorted(one.reports.iterdir()):
        # lines that begin with dashes are valgrind's, about calls it does not know
        text = re.sub(r"(?m)^--\d+-- .*\n", "", path.read_text(errors="replace"))
        errors = re.findall(r"ERROR SUMMARY: (\d+) errors", text)
        if errors and set(errors) == {"0"}:
            seen.add(re.search(r"Command: (?:\S*/)?(\S+)", text)[1])
        elif errors or len(text.split("\n")) > HEAD_LINES:
            found.append(f"{path.name}:\n{text[-6000:]}")
    missing = {"qmail-queued", "qmail-clean", "qmail-start", "qmail-send", "qmail-lspawn",
               "qmail-rspawn", "qmail-local", "qmail-remote"} - seen
    return found + [f"{name} did not run under memcheck" for name in sorted(missing)]
