"""tcp-env: what the server that inetd starts is told about its client."""

import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time

import lib
import pytest
from dns_server import DnsServer

SHOW = [sys.executable, "-c",
        "import os,sys; sys.stdout.buffer.write(b'\\0'.join("
        "k + b'=' + v for k, v in os.environb.items()))"]


@pytest.fixture
def dns():
    made = []

    def make(zone):
        made.append(DnsServer(zone))
        return made[-1]
    yield make
    for one in made:
        one.close()


class Connection:
    """A TCP connection over loopback; server is what inetd hands on."""

    def __init__(self, host="127.0.0.1", client_host=None):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family) as listener:
            listener.bind((host, 0))
            listener.listen(1)
            self.client = socket.socket(family)
            if client_host:
                self.client.bind((client_host, 0))
            self.client.connect(listener.getsockname())
            self.server, _ = listener.accept()

    def close(self):
        self.client.close()
        self.server.close()


@pytest.fixture
def connection():
    made = Connection()
    yield made
    made.close()


def tcp_env(server, *args, env=None, program=None, stdin=None, timeout=lib.TIMEOUT_S,
            **more):
    """Runs tcp-env; (exit code, variables of the program, stderr)."""
    env = {"PATH": os.environ["PATH"], "DNSCACHEIP": "127.0.0.1:1", **(env or {})}
    done = subprocess.run(
        [str(lib.bin_dir() / "tcp-env"), *args, *(program or SHOW)],
        stdin=server if stdin is None else stdin, capture_output=True, env=env,
        timeout=timeout, **more)
    variables = dict(v.split("=", 1) for v in done.stdout.decode("latin-1").split("\0")
                     if "=" in v)
    return done.returncode, variables, done.stderr


def test_addresses_and_names(connection, dns):
    names = dns({"1.0.0.127.in-addr.arpa PTR": ["Some.Host.EXAMPLE"]})
    code, got, _ = tcp_env(connection.server, "-R", env={
        "DNSCACHEIP": names.address, "TCPREMOTEINFO": "stale", "KEPT": "1"})
    assert code == 0
    remote, local = connection.client.getsockname(), connection.client.getpeername()
    assert {k: v for k, v in got.items() if "TCP" in k or k in ("PROTO", "KEPT")} == {
        "PROTO": "TCP", "TCPLOCALIP": "127.0.0.1", "TCPLOCALPORT": str(local[1]),
        "TCPREMOTEIP": "127.0.0.1", "TCPREMOTEPORT": str(remote[1]),
        "TCPLOCALHOST": "some.host.example", "TCPREMOTEHOST": "some.host.example",
        "KEPT": "1"}
    assert names.asked() == {("1.0.0.127.in-addr.arpa", "PTR")}


def test_the_two_ends_are_not_mixed_up(dns):
    connection = Connection("127.0.0.1", "127.0.0.77")
    names = dns({"1.0.0.127.in-addr.arpa PTR": ["server.example"],
                 "77.0.0.127.in-addr.arpa PTR": ["client.example"]})
    _, got, _ = tcp_env(connection.server, "-R", env={"DNSCACHEIP": names.address})
    connection.close()
    assert got["TCPREMOTEIP"] == "127.0.0.77" and got["TCPLOCALIP"] == "127.0.0.1"
    assert got["TCPREMOTEHOST"] == "client.example"
    assert got["TCPLOCALHOST"] == "server.example"


def test_no_name_unsets_the_variable(connection, dns):
    names = dns({})
    code, got, _ = tcp_env(connection.server, "-R", env={
        "DNSCACHEIP": names.address, "TCPREMOTEHOST": "stale", "TCPLOCALHOST": "stale"})
    assert code == 0
    assert "TCPREMOTEHOST" not in got and "TCPLOCALHOST" not in got


@pytest.mark.parametrize("answer", ["SERVFAIL", "GARBAGE"])
def test_a_dns_failure_has_a_name(connection, dns, answer):
    names = dns({"1.0.0.127.in-addr.arpa PTR": answer})
    code, got, _ = tcp_env(connection.server, "-R", env={"DNSCACHEIP": names.address})
    assert code == 0 and got["TCPREMOTEHOST"] == "softdnserror"
    assert got["TCPLOCALHOST"] == "softdnserror"


def test_a_name_that_no_host_has(connection, dns):
    names = dns({"1.0.0.127.in-addr.arpa PTR": ["$(reboot) x", "good.example"]})
    _, got, _ = tcp_env(connection.server, "-R", env={"DNSCACHEIP": names.address})
    assert got["TCPREMOTEHOST"] == "good.example"


def test_an_alias_of_a_small_network(connection, dns):
    names = dns({"1.0.0.127.in-addr.arpa CNAME": ["1.0/25.0.0.127.in-addr.arpa"],
                 "1.0/25.0.0.127.in-addr.arpa PTR": ["small.example"]})
    _, got, _ = tcp_env(connection.server, "-R", env={"DNSCACHEIP": names.address})
    assert got["TCPREMOTEHOST"] == "small.example"


def test_ipv6(dns):
    try:
        connection = Connection("::1")
    except OSError:
        pytest.skip("no IPv6 here")
    names = dns({"1." + "0." * 31 + "ip6.arpa PTR": ["six.example"]})
    code, got, _ = tcp_env(connection.server, "-R", env={"DNSCACHEIP": names.address})
    port = str(connection.client.getsockname()[1])
    connection.close()
    assert code == 0 and got["PROTO"] == "TCP6"
    for start in ("TCP", "TCP6"):
        assert got[f"{start}REMOTEIP"] == got[f"{start}LOCALIP"] == "::1"
        assert got[f"{start}REMOTEPORT"] == port
        assert got[f"{start}REMOTEHOST"] == "six.example"


@pytest.mark.parametrize("protocol", ["TCP", "TCP6"])
def test_what_tcpserver_said_stays(protocol):
    code, got, _ = tcp_env(subprocess.DEVNULL, env={
        "PROTO": protocol, "TCPREMOTEIP": "192.0.2.1"})
    assert code == 0 and got["PROTO"] == protocol
    assert got["TCPREMOTEIP"] == "192.0.2.1" and "TCPLOCALIP" not in got


def test_another_protocol_is_replaced(connection, dns):
    code, got, _ = tcp_env(connection.server, "-R", env={
        "PROTO": "UNIX", "DNSCACHEIP": dns({}).address})
    assert code == 0 and got["PROTO"] == "TCP"


def test_the_program_gets_its_arguments_and_the_connection(connection):
    code, _, _ = tcp_env(
        connection.server, env={"PROTO": "TCP"},
        program=["sh", "-c", 'printf %s "$1-$0" >&0; exit 7', "-R", "-t"])
    assert code == 7
    assert connection.client.recv(100) == b"-t--R"


def test_the_program_gets_sigpipe_at_its_default(connection, dns):
    code, _, _ = tcp_env(
        connection.server, "-R", env={"DNSCACHEIP": dns({}).address},
        program=["sh", "-c", "kill -PIPE $$; exit 7"])
    assert code == -signal.SIGPIPE


def test_trouble(connection, tmp_path):
    assert tcp_env(subprocess.DEVNULL)[0] == 111  # no connection at all
    pair = socket.socketpair()
    assert tcp_env(pair[0])[0] == 111  # one of another kind
    for sock in pair:
        sock.close()
    with socket.socket() as alone:
        alone.bind(("127.0.0.1", 0))
        assert tcp_env(alone)[0] == 111  # one without a client
    for program in ("/nonexistent", "no-such-program-here", str(tmp_path)):
        assert tcp_env(connection.server, env={"PROTO": "TCP"}, program=[program])[0] == 111


@pytest.mark.parametrize("args", [[], ["-R"], ["-x", "true"], ["-t"], ["-t", "x", "true"]])
def test_usage(args):
    done = subprocess.run([str(lib.bin_dir() / "tcp-env"), *args],
                          stdin=subprocess.DEVNULL, capture_output=True)
    assert done.returncode == 111 and b"usage: tcp-env" in done.stderr


# ---- ident ---------------------------------------------------------------------

class IdentServer:
    """Port 113 of an address of its own. reply: bytes with %d %d for the two
    ports, or None for silence."""

    def __init__(self, reply):
        self.reply, self.questions = reply, []
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.host = "127.%d.%d.%d" % tuple(random.randint(1, 254) for _ in range(3))
        self.listener.bind((self.host, 113))
        self.listener.listen(4)
        self.held = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        try:
            while True:
                client, peer = self.listener.accept()
                self.held.append(client)
                question = client.makefile("rb").readline()
                self.questions.append((peer[0], question))
                if self.reply is not None:
                    ports = tuple(int(p) for p in question.split(b","))
                    client.sendall(self.reply % ports if b"%d" in self.reply else self.reply)
                    client.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for client in self.held:
            client.close()


needs_port = pytest.mark.skipif(os.getuid() != 0, reason="port 113 needs root")


def ask_ident(reply, dns, *args):
    server = IdentServer(reply)
    connection = Connection("127.0.0.1", server.host)
    started = time.monotonic()
    code, got, _ = tcp_env(connection.server, *args, env={
        "DNSCACHEIP": dns({}).address, "TCPREMOTEINFO": "stale"})
    remote, local = connection.client.getsockname(), connection.client.getpeername()
    if reply is None:  # it may read the question only now
        lib.wait_until(lambda: server.questions, what="the question")
    connection.close()
    server.close()
    assert code == 0
    return got.get("TCPREMOTEINFO"), server.questions, remote[1], local[1], \
        time.monotonic() - started


@needs_port
def test_ident(dns):
    info, questions, remote, local, _ = ask_ident(b"%d , %d : USERID : UNIX : joe\r\n", dns)
    assert info == "joe"
    # from the address that the client connected to
    assert questions == [("127.0.0.1", b"%d , %d\r\n" % (remote, local))]


@needs_port
@pytest.mark.parametrize("reply", [
    b"%d , %d : ERROR : NO-USER\r\n", b"1 , 2 : USERID : UNIX : joe\r\n", b"", b"x" * 5000,
    b"\0\xff\r\n"])
def test_ident_without_a_user(dns, reply):
    assert ask_ident(reply, dns, "-r")[0] is None


@needs_port
def test_ident_is_not_asked_with_R(dns):
    info, questions, *_ = ask_ident(b"%d , %d : USERID : UNIX : joe\r\n", dns, "-R")
    assert info is None and questions == []


@needs_port
def test_the_last_of_r_and_R_counts(dns):
    reply = b"%d , %d : USERID : UNIX : joe\r\n"
    assert ask_ident(reply, dns, "-Rr")[0] == "joe"
    assert ask_ident(reply, dns, "-r", "-R")[:2] == (None, [])


@needs_port
def test_a_silent_ident_server_is_not_waited_for_longer_than_told(dns):
    info, questions, _, _, took = ask_ident(None, dns, "-t", "3")
    assert info is None and len(questions) == 1
    assert took >= 3


@needs_port
def test_what_a_shell_would_obey_or_a_terminal(dns):
    info, *_ = ask_ident(b"%d,%d:USERID:UNIX:() { :;}; a\x1b\xe4\r\n", dns)
    assert info == "?????:????a??"


def test_nobody_answers_ident(connection, dns):
    """Port 113 of 127.0.0.1 is closed, or not for us: no variable."""
    code, got, _ = tcp_env(connection.server, "-t", "1", env={
        "DNSCACHEIP": dns({}).address, "TCPREMOTEINFO": "stale"})
    assert code == 0 and got.get("TCPREMOTEINFO") != "stale"
