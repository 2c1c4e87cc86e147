"""What of doc/interfaces/40-start.md only root can see."""

import os
import subprocess

import lib
from conftest import NAMES


def test_the_logger_runs_as_qmaill(installation, tmp_path):
    """A logger that says who it is; the queue need not be there."""
    import grp
    logger = installation.prefix / "logger"
    logger.write_text("#!/bin/sh\nid -u; id -g; id -G; cat >/dev/null\n")
    logger.chmod(0o755)
    with open(tmp_path / "out", "wb") as out:
        process = subprocess.Popen(
            [installation.bin / "qmail-start", "./Mailbox", str(logger)], stdout=out,
            stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL, cwd="/",
            env={"QMAILHOME": str(installation.home), "PATH": os.environ["PATH"]})
    try:
        lib.wait_until(lambda: (tmp_path / "out").read_text().count("\n") == 3,
                       what="the logger to speak")
    finally:
        process.terminate()
        process.wait(lib.TIMEOUT_S)
    gid = grp.getgrnam(NAMES["nofiles"]).gr_gid
    assert (tmp_path / "out").read_text().split("\n") == [
        str(installation.uid("qmaill")), str(gid), str(gid), ""]
