"""doc/FAQ.md: its answers do what they say."""

import shutil

import documents
import lib
import pytest

SECTIONS = documents.sections("FAQ.md")


@pytest.mark.parametrize("section", SECTIONS, ids=[s.title for s in SECTIONS])
def test_answer(make_instance, section):
    documents.run_section(documents.faq_home(make_instance), section)


# A name server on port 53 of a network of its own, and a client of rblsmtpd there.
LISTED = """
import subprocess, sys
from dns_server import DnsServer
server = DnsServer({"7.2.0.192.zen.example.net TXT": ["You are listed."]}, port=53)
done = subprocess.run(sys.argv[1:], input=b"MAIL FROM:<a>\\r\\nRCPT TO:<b>\\r\\nQUIT\\r\\n")
server.close()
"""


@pytest.mark.parametrize("ip, want", [
    ("192.0.2.7", b"451 You are listed."), ("192.0.2.8", b"220 test.example ESMTP")])
def test_rblsmtpd_asks_the_list(home, ip, want):
    shutil.copy(lib.REPO / "tests/system/dns_server.py", home.base)
    done = home.run(
        "/usr/bin/unshare", "-rn", "sh", "-c", 'ip link set lo up && exec "$@"', "sh",
        "/usr/bin/python3", "-B", "-c", LISTED, "rblsmtpd", "-r", "zen.example.net",
        home.bin / "qmail-smtpd", cwd=home.base,
        env={"DNSCACHEIP": "127.0.0.1", "TCPREMOTEIP": ip})
    assert want in done.stdout, (done.stdout, done.stderr)
