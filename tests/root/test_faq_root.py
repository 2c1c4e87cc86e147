"""doc/FAQ.md: the answers that want root."""

import os
import subprocess

import documents
import lib
import pytest
from conftest import USER

SECTIONS = documents.sections("FAQ.md", "sh root")


class RootHome:
    """The installation, as documents.Runner wants a home; its commands run as
    root."""

    def __init__(self, installation):
        self.base, self.home, self.bin = (
            installation.prefix, installation.home, installation.bin)
        self.logs = installation.prefix / "log"

    def start(self):
        raise AssertionError("no answer for root needs the daemons")

    def env(self):
        return {"PATH": f"{self.bin}:{os.environ['PATH']}", "LC_ALL": "C",
                "QMAILHOME": str(self.home), "USER": USER}

    def run(self, program, *arguments, cwd, env, stderr):
        return subprocess.run([program, *arguments], cwd=cwd, env={**self.env(), **env},
                              stdout=subprocess.PIPE, stderr=stderr, timeout=lib.TIMEOUT_S)


@pytest.mark.parametrize("section", SECTIONS, ids=[s.title for s in SECTIONS])
def test_answer(installation, section):
    users = installation.home / "users"
    before = set(users.iterdir())
    try:
        documents.run_section(RootHome(installation), section)
    finally:
        for path in set(users.iterdir()) - before:
            path.unlink()
