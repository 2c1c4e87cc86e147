"""Every system call of splogger in turn fails, or is its last.

Who writes to it is never held up: it takes all that it is given, or ends at once. (What reaches syslog
is in tests/system.)
"""
import os
import subprocess

import pytest

from crashlib import BIN, FAULTS, Home, sweep_calls

TEXT = b"".join(b"alert: line %d\n" % i for i in range(3000)) + b"the last"


@pytest.mark.parametrize("name", sorted(FAULTS))
def test_each_call(tmp_path, name):
    home = Home(tmp_path / "home")

    def run(fault):
        with open(home.log, "ab") as log:
            process = subprocess.Popen([os.path.join(BIN, "splogger"), "test"], env=home.env(fault),
                                       stdin=subprocess.PIPE, stdout=log, stderr=log)
            taken = True
            try:
                process.stdin.write(TEXT)
            except BrokenPipeError:
                taken = False
            try:
                process.stdin.close()
            except BrokenPipeError:
                pass
            code = process.wait(60)
        if code not in (0, 111) and code >= 0:
            return ["exit %d" % code]
        return ["it did not take everything"] if code == 0 and not taken else []

    sweep_calls(tmp_path, "splogger", name, run)
