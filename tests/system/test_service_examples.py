"""doc/systemd and doc/sysvinit: they name what exists, and they work."""

import os
import re
import shlex
import shutil
import subprocess

import lib
import pytest
import unitlib

UNITS = [p.name for p in unitlib.units()]
SERVICES = [n for n in UNITS if n.endswith(".service") and n != "qmail-svscan.service"]


def options_shown(page):
    """The one-letter options of a page of ours."""
    text = (lib.REPO / "man" / page).read_text()
    return set("".join(re.findall(r"\bFl ([A-Za-z]+)\b", text)))


@pytest.mark.parametrize("name", UNITS)
def test_every_program_of_a_unit_exists(name):
    unit = unitlib.Unit(unitlib.FOLDER / name)
    for command in unit.commands():
        for word in shlex.split(command.replace("$$(", " ").replace(")", " ")):
            for part in re.findall(r"(?:/var/qmail/bin/)?(qmail[\w-]+)(?=$| )", word):
                if part == "qmailctl" or part.startswith("qmail-"):
                    assert (lib.bin_dir() / part).exists(), part
            if word.startswith("/var/qmail/bin/"):
                assert (lib.bin_dir() / word.rpartition("/")[2]).exists()
            elif word.startswith("/"):
                assert word.startswith("/var/qmail") or os.access(word, os.X_OK), word
    if name.endswith(".service"):
        assert len(unit.get("Service", "ExecStart")) == 1
        assert unit.one("NoNewPrivileges") == "yes"
        assert unit.one("Restart") == "always"
        assert unit.get("Unit", "StartLimitIntervalSec") == ["0"]


def test_the_options_of_qmailctl_are_known():
    unit = unitlib.Unit(unitlib.FOLDER / "qmail-svscan.service")
    used = re.findall(r" -(\w)", " ".join(unit.commands()))
    assert used == ["w"] and set(used) <= options_shown("qmailctl.8")


@pytest.mark.parametrize("name", SERVICES)
def test_a_server_has_the_port_and_rules_of_qmail_conf(name):
    """What a unit starts is what the run script of the same service starts."""
    unit = unitlib.Unit(unitlib.FOLDER / name)
    if "tcpserver" not in unit.one("ExecStart"):
        return
    source = (lib.REPO / "src/admin/services.c").read_text()
    service = name.removeprefix("qmail-").removesuffix(".service")
    row = re.search(rf'\{{"{service}", "(\w+)", (\d+), (\w+), (\w+),', source)
    protocol, port, is_root, needs_rules = row.groups()
    shell = unit.argv()[2]
    assert f" -x control/tcp.{protocol}.cdb " in shell
    assert (" -X " in shell) == (needs_rules == "false")
    assert (" -u " in shell) == (is_root == "false")
    assert f" 0 {port} qmail-" in shell


def test_systemd_finds_nothing_wrong(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    (home / "bin").symlink_to(lib.bin_dir())
    for path in unitlib.units():
        text = path.read_text().replace(unitlib.HOME, str(home))
        (tmp_path / path.name).write_text(text)
    if shutil.which("systemd-analyze"):
        done = subprocess.run(
            ["systemd-analyze", "verify", "--man=no", *sorted(UNITS)], cwd=tmp_path,
            text=True, capture_output=True, timeout=lib.TIMEOUT_S)
        ours = [x for x in (done.stdout + done.stderr).splitlines() if "qmail" in x]
        assert (done.returncode, ours) == (0, [])
    for path in unitlib.units():  # what holds without it
        unit = unitlib.Unit(path)
        assert unit.get("Unit", "Description") and unit.get("Install", "WantedBy")
        assert {s for s, _, _ in unit.settings} <= {"Unit", "Service", "Install"}
        once = [(s, k) for s, k, _ in unit.settings
                if k not in ("Environment", "Documentation")]
        assert len(once) == len(set(once)), "a setting twice"


def test_the_table_of_units_is_complete():
    text = (unitlib.FOLDER / "README.md").read_text()
    for name in UNITS:
        assert f"`{name.partition('.')[0]}`" in text or name in text


# ---- the init script ---------------------------------------------------------

@pytest.fixture
def init():
    """The script of doc/sysvinit over an instance, and that it is stopped."""
    base = lib.work_dir()
    home = base / "i"
    subprocess.run(
        [lib.bin_dir() / "qmail-conf", "instance", home, "--host", "x.example",
         "--smtp-port", str(lib.low_port()), "--pop3-port", str(lib.low_port())],
        check=True, stdout=subprocess.DEVNULL, **lib.as_user())
    script = base / "qmail"
    shutil.copy(lib.REPO / "doc/sysvinit/qmail", script)
    lib.give(script)

    def run(*words):
        return subprocess.run(
            [script, *words], text=True, capture_output=True, cwd="/",
            timeout=3 * lib.TIMEOUT_S, **lib.as_user(),
            env={"PATH": os.environ["PATH"], "QMAILHOME": str(home),
                 "PIDFILE": str(base / "pid")})
    run.home, run.pidfile = home, base / "pid"
    yield run
    run("stop")
    lib.wait_until(lambda: not lib.processes_of(home), what="the end")
    shutil.rmtree(base)


def test_the_init_script_starts_and_stops(init):
    assert init("status").returncode == 3
    done = init("start")
    assert (done.returncode, done.stdout) == (0, "qmail started\n"), done.stderr
    assert init("start").stdout == "qmail runs already\n"
    shown = init("status")
    assert shown.returncode == 0
    assert re.search(r"^smtpd +up ", shown.stdout, re.M)
    old = init.pidfile.read_text()
    done = init("restart")
    assert done.stdout == "qmail stopped\nqmail started\n", done.stderr
    assert init.pidfile.read_text() != old
    for word in ("reload", "force-reload"):
        assert init(word).returncode == 0
    done = init("stop")
    assert (done.returncode, done.stdout) == (0, "qmail stopped\n"), done.stderr
    lib.wait_until(lambda: not lib.processes_of(init.home), what="the end of all")
    assert init("stop").returncode == 0, "twice is harmless"


def test_the_init_script_knows_its_words(init):
    assert init().returncode == 2
    assert init("begin").returncode == 2
    init.pidfile.write_text("1\n")  # somebody else's number
    lib.give(init.pidfile)
    assert init("status").returncode == 1


def test_the_init_script_has_a_header_for_update_rc():
    text = (lib.REPO / "doc/sysvinit/qmail").read_text()
    block = re.search(r"### BEGIN INIT INFO\n((?:# .*\n)+)### END INIT INFO\n", text)[1]
    keys = re.findall(r"(?m)^# ([\w-]+): +\S", block)
    for key in ("Provides", "Required-Start", "Required-Stop", "Default-Start",
                "Default-Stop", "Short-Description"):
        assert keys.count(key) == 1
    for word in ("start)", "stop)", "restart)", "force-reload)", "status)"):
        assert word in text
