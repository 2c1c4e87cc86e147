"""make demo and make demo-stop: the script behind them."""

import os
import socket
import subprocess

import lib
import pytest


@pytest.fixture
def demo():
    base = lib.work_dir()
    env = {**os.environ, "BIN": str(lib.bin_dir()), "DEMO_DIR": str(base / "demo"),
           "DEMO_SMTP_PORT": str(lib.low_port()),
           "DEMO_POP3_PORT": str(lib.low_port()),
           "DEMO_USER": lib.ordinary_user().pw_name}

    def run(what, **more):
        return subprocess.run(["bash", str(lib.REPO / "tools/demo"), what],
                              env={**env, **more}, capture_output=True, text=True,
                              timeout=300, cwd=lib.REPO)

    run.env, run.dir = env, base / "demo"
    yield run
    run("stop")
    subprocess.run(["rm", "-rf", str(base)], check=True)


def test_both_messages_come_through_and_all_of_it_twice(demo):
    for _ in range(2):
        done = demo("start")
        assert done.returncode == 0, done.stdout + done.stderr
        assert "Both messages came through" in done.stdout
        assert done.stdout.count("   message ") == 2
    mail = list((demo.dir / "users/test/Maildir").glob("[nc][eu][wr]/*"))
    assert len(mail) == 4
    for _ in range(2):
        done = demo("stop")
        assert done.returncode == 0, done.stdout + done.stderr
        lib.wait_until(lambda: not lib.processes_of(demo.dir), what="the end of all")
    assert demo("start").returncode == 0, "it can be started again"


def test_a_busy_port_is_a_clear_error(demo):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = demo("start", DEMO_SMTP_PORT=str(port))
        assert done.returncode == 1
        assert f"port {port} of 127.0.0.1 is in use" in done.stderr
    assert not lib.processes_of(demo.dir)


def test_other_ports_for_an_existing_demo_are_a_clear_error(demo):
    assert demo("start").returncode == 0
    assert demo("stop").returncode == 0
    done = demo("start", DEMO_SMTP_PORT=str(lib.low_port()))
    assert done.returncode == 1 and "was made for the ports" in done.stderr


def test_stopping_what_was_never_started_is_harmless(demo):
    done = demo("stop")
    assert done.returncode == 0
    assert "There is no demo" in done.stdout


@pytest.mark.skipif(os.getuid() != 0, reason="a directory of root")
def test_a_directory_that_the_user_cannot_reach_is_a_clear_error(demo):
    closed = demo.dir.parent / "closed"
    closed.mkdir(mode=0o700)
    done = demo("start", DEMO_DIR=str(closed / "demo"))
    assert done.returncode == 1
    assert "cannot get to" in done.stderr and "DEMO_DIR" in done.stderr
