"""qmail-conf: what it makes, what it keeps, what it refuses."""

import os
import signal
import stat
import subprocess

import lib
import pytest

OPTIONS = ["--host", "x.example", "--smtp-port", "2525", "--pop3-port", "2110"]


@pytest.fixture
def place():
    """A directory of the instances' user, and a way to run qmail-conf."""
    path = lib.work_dir()

    class Place:
        dir = path

        @staticmethod
        def conf(*args, **more):
            return subprocess.run(
                [str(lib.bin_dir() / "qmail-conf"), *map(str, args)], cwd=path,
                capture_output=True, text=True, timeout=lib.TIMEOUT_S,
                **lib.as_user(), **more)

    yield Place
    subprocess.run(["rm", "-rf", str(path)], check=True)


def tree(path):
    """{relative path: (mode, content or target)} of everything below."""
    found = {}
    for p in sorted(path.rglob("*")):
        if p.is_symlink():
            content = os.readlink(p)
        else:
            content = p.read_bytes() if p.is_file() else None
        found[str(p.relative_to(path))] = (p.lstat().st_mode, content)
    return found


def test_an_instance_is_complete(place):
    done = place.conf("instance", "i", *OPTIONS)
    assert (done.returncode, done.stderr) == (0, "")
    home = place.dir / "i"
    assert (home / "control/me").read_text() == "x.example\n"
    assert (home / "control/locals").read_text() == "x.example\n"
    assert (home / "alias/.qmail-postmaster").read_text() == "&test@x.example\n"
    assert os.readlink(home / "bin") == str(lib.bin_dir())
    assert stat.S_IMODE((home / "queue").stat().st_mode) == 0o750
    for name in ("users/passwd", "users/test.password"):
        assert stat.S_IMODE((home / name).stat().st_mode) == 0o600
    uid, gid = lib.ordinary_user().pw_uid, lib.ordinary_user().pw_gid
    assign = (home / "users/assign").read_text()
    assert f"=test:test:{uid}:{gid}:{home}/users/test:::\n" in assign
    # what control/virtualdomains gives to alias-NAME is alias/.qmail-NAME...
    assert f"+alias-:alias:{uid}:{gid}:{home}/alias:-::\n" in assign
    assert (home / "users/cdb").read_bytes() == lib.users_cdb_bytes(assign)
    for service in ("queue", "send", "smtpd", "pop3d"):
        for script in ("run", "log/run"):
            path = home / "service" / service / script
            assert os.access(path, os.X_OK)
            subprocess.run(["sh", "-n", str(path)], check=True)
        assert (home / "log" / service).is_dir()


def test_a_second_run_changes_nothing(place):
    assert place.conf("instance", "i", *OPTIONS).returncode == 0
    before = tree(place.dir)
    done = place.conf("instance", "i", "--host", "y.example", "--smtp-port", "1",
                      "--pop3-port", "2")
    assert done.returncode == 0
    assert tree(place.dir) == before
    assert "made" not in done.stdout
    assert "kept control/me\n" in done.stdout


def test_what_is_missing_is_made_and_what_is_there_is_kept(place):
    assert place.conf("instance", "i", *OPTIONS).returncode == 0
    home = place.dir / "i"
    (home / "control/locals").unlink()
    (home / "users/cdb").unlink()
    (home / "control/me").write_text("mine.example\n")
    password = (home / "users/test.password").read_text()
    done = place.conf("instance", "i", *OPTIONS)
    assert done.returncode == 0
    assert "made control/locals\n" in done.stdout
    assert (home / "control/me").read_text() == "mine.example\n"
    assert (home / "users/test.password").read_text() == password
    assert (home / "users/cdb").exists()


def test_the_password_is_good_for_qmail_checkpass(place):
    assert place.conf("instance", "i", *OPTIONS, "--user", "joe").returncode == 0
    home = place.dir / "i"
    password = (home / "users/joe.password").read_text().strip()
    for word, status in ((password, 0), (password[:-1], 1)):
        read, write = os.pipe()
        os.write(write, b"joe\0" + word.encode() + b"\0x\0")
        os.close(write)
        script = f'exec 3<&{read}; exec "$0" /bin/sh -c "pwd"'
        done = subprocess.run(
            ["bash", "-c", script, str(lib.bin_dir() / "qmail-checkpass")],
            pass_fds=[read], env={**os.environ, "QMAILHOME": str(home)},
            capture_output=True, text=True, timeout=lib.TIMEOUT_S, **lib.as_user())
        os.close(read)
        assert done.returncode == status, done.stderr
        if status == 0:
            assert done.stdout == f"{home}/users/joe\n"


def test_two_instances_have_different_passwords(place):
    words = set()
    for name in "ij":
        assert place.conf("instance", name, *OPTIONS).returncode == 0
        words.add((place.dir / name / "users/test.password").read_text())
    assert len(words) == 2


def test_only_servers_with_a_port_are_made(place):
    assert place.conf("instance", "i", *OPTIONS, "--qmqp-port", "2628").returncode == 0
    home = place.dir / "i"
    made = {p.name for p in (home / "service").iterdir()}
    assert made == {"queue", "send", "smtpd", "pop3d", "qmqpd"}
    assert not list(home.glob("service/*/down"))
    assert {p.name for p in home.glob("control/tcp.*")} == {
        "tcp.smtp", "tcp.pop3", "tcp.qmqp"}
    assert (home / "control/tcp.qmqp").read_text().endswith("\n:deny\n")
    run = (home / "service/qmqpd/run").read_text()
    assert "    -x control/tcp.qmqp.cdb \\\n    127.0.0.1 2628 \\\n" in run


def test_run_scripts_pass_no_variables_on(place):
    assert place.conf("instance", "i", *OPTIONS).returncode == 0
    for run in (place.dir / "i").glob("service/*/run"):
        assert 'exec env - QMAILHOME="$QMAILHOME" PATH="$PATH" ' in run.read_text()


def test_edited_rules_and_a_new_server_live_together(place):
    assert place.conf("instance", "i", *OPTIONS).returncode == 0
    rules = place.dir / "i/control/tcp.smtp"
    rules.write_text(":deny\n")
    done = place.conf("instance", "i", *OPTIONS, "--qmtp-port", "2209")
    assert rules.read_text() == ":deny\n"
    assert "kept control/tcp.smtp\n" in done.stdout
    assert "made service/qmtpd/run\n" in done.stdout


WRONG = {
    "no arguments": [],
    "an unknown command": ["instances", "i", *OPTIONS],
    "no directory": ["instance", *OPTIONS],
    "no host": ["instance", "i", *OPTIONS[2:]],
    "no ports": ["instance", "i", *OPTIONS[:2]],
    "an option without its value": ["instance", "i", *OPTIONS, "--user"],
    "an unknown option": ["instance", "i", *OPTIONS, "--colour", "red"],
    "an empty host": ["instance", "i", "--host", "", *OPTIONS[2:]],
    "a host with a space": ["instance", "i", "--host", "a b", *OPTIONS[2:]],
    "a host that ends with a dot": ["instance", "i", "--host", "a.", *OPTIONS[2:]],
    "a port that is no number": ["instance", "i", *OPTIONS, "--smtp-port", "smtp"],
    "port 0": ["instance", "i", *OPTIONS, "--smtp-port", "0"],
    "a port that is too big": ["instance", "i", *OPTIONS, "--pop3-port", "65536"],
    "equal ports": ["instance", "i", *OPTIONS, "--pop3-port", "2525"],
    "equal ports of others": ["instance", "i", *OPTIONS, "--qmqp-port", "2525"],
    "services of an instance": ["instance", "i", *OPTIONS, "-s", "smtpd"],
    "an unknown service": ["system", "-s", "smtpd,imapd"],
    "no service between commas": ["system", "--services", "smtpd,,pop3d"],
    "the user alias": ["instance", "i", *OPTIONS, "--user", "alias"],
    "a user with a colon": ["instance", "i", *OPTIONS, "--user", "a:b"],
}


@pytest.mark.parametrize("what", WRONG)
def test_wrong_usage_makes_nothing(place, what):
    done = place.conf(*WRONG[what])
    assert done.returncode == 100
    assert done.stderr.startswith("qmail-conf: ") and done.stderr.count("\n") == 1
    assert list(place.dir.iterdir()) == []


def test_a_colon_in_the_path_is_refused(place):
    done = place.conf("instance", "a:b", *OPTIONS)
    assert done.returncode == 100 and "colon" in done.stderr


def test_a_file_in_the_way_is_named(place):
    (place.dir / "i").write_text("")
    done = place.conf("instance", "i", *OPTIONS)
    assert done.returncode == 100
    assert done.stderr == "qmail-conf: i is there and no directory\n"


def test_a_directory_that_cannot_be_made_is_temporary(place):
    done = place.conf("instance", "no/such/place", *OPTIONS)
    assert done.returncode == 111
    assert "cannot create no/such/place" in done.stderr


def test_the_services_work_under_svscan(place):
    """Everything as make demo has it, with the scripts as they are made."""
    smtp, pop3 = lib.low_port(), lib.low_port()
    done = place.conf("instance", "i", "--host", "x.example", "--smtp-port", smtp,
                      "--pop3-port", pop3)
    assert done.returncode == 0, done.stderr
    home = place.dir / "i"
    scan = subprocess.Popen(
        ["svscan", "service"], cwd=home, stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **lib.as_user())
    services = [str(p) for p in (home / "service").iterdir()]
    services += [p + "/log" for p in services]
    try:
        for port in (smtp, pop3):
            lib.wait_until(lambda p=port: connects(p), what=f"port {port}")
        client = lib.smtplib.SMTP("127.0.0.1", smtp, timeout=lib.TIMEOUT_S)
        with client:
            client.sendmail("a@b.example", ["test@x.example"], "Subject: s\n\nb\n")
        new = home / "users/test/Maildir/new"
        lib.wait_until(lambda: list(new.iterdir()), what="the message")
        log = home / "log/send/current"
        lib.wait_until(lambda: log.exists() and b"end msg" in log.read_bytes(),
                       what="the log")
    finally:
        scan.send_signal(signal.SIGTERM)
        scan.wait()
        subprocess.run(["svc", "-dx", *services], check=False, **lib.as_user())
        lib.wait_until(
            lambda: all(subprocess.run(["svok", s], check=False).returncode
                        for s in services), what="the end of all services")
    lib.wait_until(lambda: not lib.processes_of(home), what="the end of all")


def connects(port):
    try:
        lib.socket.create_connection(("127.0.0.1", port), 5).close()
        return True
    except OSError:
        return False
