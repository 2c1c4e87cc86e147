"""qmail-smtpd: whose address literals it takes for its own."""

ROWS = [
    ("a stranger's", {}, "198.51.100.7", 553),
    ("the loopback address", {}, "127.0.0.1", 250),
    ("one of moreipme", {"moreipme": "198.51.100.0/24\n"}, "198.51.100.7", 250),
    ("an IPv6 one", {"moreipme": "2001:db8::/32\n"}, "IPv6:2001:db8::7", 250),
    ("but notipme wins", {"moreipme": "198.51.100.0/24\n",
                          "notipme": "198.51.100.7\n"}, "198.51.100.7", 553),
    ("over interfaces too", {"notipme": "127.0.0.0/255.0.0.0\n"}, "127.0.0.1", 553),
    ("a line that makes no sense", {"moreipme": "me\n"}, "198.51.100.7", 421),
]


def test_rows(instance):
    for what, control, literal, want in ROWS:
        for name, text in control.items():
            instance.write_control(name, text)
        client = instance.smtp()
        client.ehlo()
        client.mail("s@x.example")
        code, _ = client.docmd("RCPT", f"TO:<test@[{literal}]>")
        assert code == want, what
        client.close()
        for name in control:
            instance.remove_control(name)
