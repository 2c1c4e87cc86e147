"""The examples of doc/*.md are run.

A fenced block marked ```sh is a script: it runs with sh -eu in the home of an
instance, with bin/ in the PATH, as the instance's user. One marked ```sh joe
runs in users/joe, as the user joe would run it. Blocks with another mark, such
as ```text or ```sh root, are not run here.

Comments of their own line are steps that a reader does not see:

    <!-- start -->        starts the daemons, qmail-queued and qmail-start
    <!-- services -->     starts svscan over service/, with ports that are free
    <!-- remote -->       starts a server of SMTP, to which every route of
                          control/smtproutes leads from now on, or a new one
                          for all domains
    <!-- classic -->      makes queue.classic, a queue of qmail with a message
                          for joe
    <!-- do: COMMAND -->  a command of the shell that must succeed
    <!-- expect: COMMAND -->
                          one that must succeed some time (mail takes its time):
                          it is tried again until it does

Steps belong to the block before them: they are left out where that is not run.
A section is what stands under one heading; each has an instance of its own.
The commands have HELP in front and find in the environment SOURCES (a directory
with the doc/ of the sources), LOG (the log of qmail-send), REMOTE (address:port
of the remote server) and REMOTELOG (what it was given).
"""

import re
import shutil
import subprocess

import lib
from classic_queue import ClassicQueue

FENCE = re.compile(r"^```(.*)$")
COMMENT = re.compile(r"^<!-- (start|services|remote|classic|do|expect)(?:: (.*))? -->$")
HELP = r"""
# send RECIPIENT [SENDER]: a message through the queue
send() {
	printf 'Subject: hello\n\nhello\n' | qmail-inject -f "${2-out@far.example}" "$1"
}
# smtp SENDER RECIPIENT [HELO]: the replies of qmail-smtpd to such a message
smtp() {
	printf '%s\r\n' "EHLO ${3-far.example}" "MAIL FROM:<$1>" "RCPT TO:<$2>" DATA \
		'Subject: hello' '' hello . QUIT | TCPREMOTEIP=192.0.2.9 qmail-smtpd
}
# rcpt SENDER RECIPIENT [HELO]: its reply to that recipient
rcpt() {
	printf '%s\r\n' "EHLO ${3-far.example}" "MAIL FROM:<$1>" "RCPT TO:<$2>" QUIT |
		TCPREMOTEIP=192.0.2.9 qmail-smtpd | sed -n 7p
}
# has USER PATTERN: there is such a message
has() {
	grep -rqse "$2" "users/$1/Maildir/new"
}
"""


class Section:
    def __init__(self, title):
        self.title = title
        self.steps = []  # ("sh", script), ("sh joe", script), ("expect", command) ...

    def __repr__(self):
        return self.title

    def has(self, *marks):
        return any(kind in marks for kind, _ in self.steps)


def sections(name, *marks):
    """The sections of doc/NAME that have something to run: blocks with one of
    these marks."""
    marks = marks or ("sh", "sh joe")
    found, block, mark, is_ours = [Section("")], None, "", True
    for line in (lib.REPO / "doc" / name).read_text().splitlines():
        fence, comment = FENCE.match(line), COMMENT.match(line)
        if block is not None:
            if not fence:
                block.append(line)
                continue
            if mark.startswith("sh"):
                is_ours = mark in marks
            if mark in marks:
                found[-1].steps.append((mark, "\n".join(block) + "\n"))
            block = None
        elif fence:
            block, mark = [], fence[1].strip()
        elif line.startswith("#"):
            found.append(Section(line.lstrip("# ")))
            is_ours = True
        elif comment and is_ours:
            found[-1].steps.append((comment[1], comment[2] or ""))
        else:
            assert comment or not line.startswith("<!--"), f"{name}: what is {line}"
    assert block is None, f"{name}: a block has no end"
    return [s for s in found if s.has(*marks)]


def faq_home(make_instance):
    """The host of doc/FAQ.md and its two users."""
    home = make_instance("mail.example.org", start=False)
    for user in ("ann", "joe"):
        home.add_user(user)
    return home


class Runner:
    """A home that is made but not started, and what a section wants of it. start
    is how its daemons are started."""

    def __init__(self, home, start=None):
        self.home = home
        self.start = start or home.start
        self.sink = None
        self.has_services = False
        self.vars = {
            "SOURCES": home.base / "sources", "LOG": home.logs / "send.log",
            "REMOTELOG": home.base / "remote.log",
            "PATH": home.env()["PATH"].replace(str(home.bin), f"{home.home}/bin")
            + ":/usr/sbin:/sbin"}

    def shell(self, script, at="", **env):
        if "SOURCES" in script and not self.vars["SOURCES"].exists():
            shutil.copytree(lib.REPO / "doc", self.vars["SOURCES"] / "doc")
        self.write_remote_log()
        return self.home.run(
            "/bin/sh", "-euc", HELP + script, cwd=str(self.home.home / at),
            env={**self.vars, **env}, stderr=subprocess.STDOUT)

    def must(self, script, at="", **env):
        done = self.shell(script, at, **env)
        assert done.returncode == 0, f"{script}\n{done.stdout.decode()}"

    def expect(self, script):
        last = []

        def succeeds():
            last[:] = [self.shell(script)]
            return last[0].returncode == 0
        try:
            lib.wait_until(succeeds, timeout=2 * lib.TIMEOUT_S, what=script)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{last[0].stdout.decode()}") from None

    def run(self, section):
        try:
            for kind, text in section.steps:
                self.step(kind, text)
        finally:
            self.end()

    def step(self, kind, text):
        if kind == "start":
            self.start()
        elif kind == "services":
            self.start_services()
        elif kind == "remote":
            self.start_remote()
        elif kind == "classic":
            queue = ClassicQueue(self.home.home / "queue.classic",
                                 owner=lambda path, role: lib.give(path))
            queue.old(b"Subject: old\n\nold\n", "out@far.example",
                      local=[f"Tjoe@{self.home.host}"])
        elif kind == "expect":
            self.expect(text)
        elif " " in kind and (self.home.home / "users" / kind.split()[1]).is_dir():
            user = kind.split()[1]
            self.must(text, f"users/{user}", USER=user,
                      HOME=self.home.home / "users" / user)
        else:
            self.must(text)

    # -- the services of the home, under svscan --

    def start_services(self):
        ports = []

        def with_port(match):
            ports.append(lib.low_port())
            return f"{match[1]} {ports[-1]} "
        for run in (self.home.home / "service").glob("*/run"):
            text = run.read_text()
            text = re.sub(r"(?m)^(    .*127\.0\.0\.1) \d+ ", with_port, text)
            self.home.write(run.relative_to(self.home.home), text, 0o755)
        self.has_services = True
        self.home.spawn("svscan", "svscan", self.home.home / "service")
        self.vars["LOG"] = self.home.home / "log/send/current"
        self.expect("for s in service/* service/*/log; do svok $s; done")
        self.expect("grep -qs 'status: local' log/send/current; qmail-qstat")
        for port in ports:
            lib.wait_connection(port).close()

    def end(self):
        if self.has_services:
            self.home.daemons["svscan"].end()
            self.shell("svc -dx service/* service/*/log")
        if self.sink:
            self.sink.close()

    # -- a server elsewhere --

    def start_remote(self):
        self.sink = lib.SmtpSink()
        address = f"127.0.0.1:{self.sink.port}"
        self.vars["REMOTE"] = address
        path = self.home.home / "control/smtproutes"
        old = path.read_text() if path.exists() else ":here"
        self.home.write_control("smtproutes", "".join(
            f"{line.partition(':')[0]}:{address}\n" for line in old.splitlines()))

    def write_remote_log(self):
        if self.sink:
            self.vars["REMOTELOG"].write_text("".join(
                f"HELO {t.helo.decode()}\nFROM <{t.sender}>\n"
                + "".join(f"TO <{r}>\n" for r in t.recipients)
                + t.message.decode() for t in list(self.sink.transactions)))
            self.vars["REMOTELOG"].chmod(0o644)


def run_section(home, section, start=None):
    """Runs a section in a home that is made but not started."""
    assert section.has("expect"), f"no effect of {section.title!r} is checked"
    Runner(home, start).run(section)
