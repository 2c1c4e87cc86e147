"""The examples of doc/*.md are run.

A fenced block marked ```sh is a script: it runs with sh -eu in the home of an
instance, with bin/ in the PATH, as the instance's user. A comment
`<!-- expect: COMMAND -->` behind it is a command of the shell that must succeed
within some seconds afterwards (mail takes its time); it is tried again until it
does. `<!-- start -->` stands before blocks that need the running daemons. Blocks
with another mark, such as ```text or ```sh root, are not run here.

A section is what stands under one heading; each has an instance of its own.
"""

import re
import subprocess

import lib

FENCE = re.compile(r"^```(.*)$")
COMMENT = re.compile(r"^<!-- (start|expect: (.*)) -->$")


class Section:
    def __init__(self, title):
        self.title = title
        self.steps = []  # ("sh", script), ("expect", command), ("start", "")

    def __repr__(self):
        return self.title


def sections(name, mark="sh"):
    """The sections of doc/NAME that have something to run."""
    found, block, is_ours = [Section("")], None, False
    for line in (lib.REPO / "doc" / name).read_text().splitlines():
        fence, comment = FENCE.match(line), COMMENT.match(line)
        if block is not None:
            if not fence:
                block.append(line)
                continue
            if is_ours:
                found[-1].steps.append(("sh", "\n".join(block) + "\n"))
            block = None
        elif fence:
            block, is_ours = [], fence[1].strip() == mark
        elif line.startswith("#"):
            found.append(Section(line.lstrip("# ")))
        elif comment and comment[1] == "start":
            found[-1].steps.append(("start", ""))
        elif comment:
            assert found[-1].steps, f"{name}: nothing is expected of: {line}"
            found[-1].steps.append(("expect", comment[2]))
    assert block is None, f"{name}: a block has no end"
    return [s for s in found if any(kind == "sh" for kind, _ in s.steps)]


def shell(home, script, **env):
    return home.run("/bin/sh", "-euc", script, cwd=str(home.home), env={
        "PATH": f"{home.home}/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", **env},
        stderr=subprocess.STDOUT)


def run_section(home, section, **env):
    """Runs a section in a home that is made but not started."""
    checked = False
    for kind, text in section.steps:
        if kind == "start":
            home.start()
        elif kind == "sh":
            done = shell(home, text, **env)
            assert done.returncode == 0, f"{text}\n{done.stdout.decode()}"
        else:
            checked = True
            lib.wait_until(lambda: shell(home, text, **env).returncode == 0,
                           timeout=20, what=text)
    assert checked, f"no effect of {section.title!r} is checked"
