"""qmail-smtpd under tcpserver with real clients."""

import shutil
import smtplib
import socket
import subprocess

import lib
import pytest
from servers import Queue


@pytest.fixture
def queue(home):
    return Queue(home)


@pytest.fixture
def port(home, queue):
    home.write_control("rcpthosts", "here.example\n")
    yield home.smtpd(env={"QMAILQUEUE": queue.program})
    home.stop()


def stored(message):
    return message.partition(b"; ")[2].partition(b"\n")[2]


def test_smtplib(port, queue):
    body = b"Subject: x\n\n" + bytes(range(128, 256)) + b"\n.\n" * 1000
    with smtplib.SMTP("127.0.0.1", port, "client.example", timeout=60) as client:
        client.ehlo()
        assert set(client.esmtp_features) == {"pipelining", "size", "8bitmime"}
        refused = client.sendmail("s@x.example", ["a@here.example", "b@no.example"],
                                  body.replace(b"\n", b"\r\n"),
                                  ["BODY=8BITMIME"])
    assert list(refused) == ["b@no.example"]
    assert refused["b@no.example"][0] == 553
    sender, recipients, message = queue.message
    assert (sender, recipients) == (b"s@x.example", [b"a@here.example"])
    assert stored(message) == body
    assert message.startswith(
        b"Received: from unknown (HELO client.example) (127.0.0.1)\n")


def test_swaks(port, queue):
    if shutil.which("swaks") is None:
        pytest.skip("swaks is not installed")
    done = subprocess.run(
        ["swaks", "--server", f"127.0.0.1:{port}", "--from", "s@x.example",
         "--to", "a@here.example,b@here.example", "--pipeline", "--ehlo", "c"],
        capture_output=True, timeout=lib.TIMEOUT_S, text=True)
    assert done.returncode == 0, done.stdout
    assert queue.message[1] == [b"a@here.example", b"b@here.example"]


def test_smtp_source(port, queue):
    """Ten sessions at a time, several messages each."""
    source = shutil.which("smtp-source", path="/usr/sbin:/usr/bin")
    if source is None:
        pytest.skip("smtp-source of postfix is not installed")
    done = subprocess.run(
        [source, "-c", "-s", "10", "-m", "50", "-d", "-l", "5000",
         "-f", "s@x.example", "-t", "a@here.example", f"127.0.0.1:{port}"],
        capture_output=True, timeout=lib.TIMEOUT_S, text=True)
    assert done.returncode == 0, done.stderr
    assert len(queue.messages) == 50


@pytest.mark.parametrize("vector", [b"bare\n", b"\r.\r", b"\r\n.\r.\r\n"])
def test_refusal_survives_the_close(port, queue, vector):
    """The client is still sending when the connection is closed: over TCP a
    reset would take the reply with it."""
    with socket.create_connection(("127.0.0.1", port), lib.TIMEOUT_S) as client:
        client.sendall(b"MAIL FROM:<>\r\nRCPT TO:<a@here.example>\r\nDATA\r\n"
                       b"S: x\r\n\r\n" + vector + b"x" * 300000)
        client.shutdown(socket.SHUT_WR)
        seen = b""
        while more := client.recv(65536):
            seen += more
    assert b"\r\n354 go ahead\r\n451 " in seen
    assert queue.messages == []
