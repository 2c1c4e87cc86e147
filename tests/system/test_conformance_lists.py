"""The queue from outside, mailing lists and run scripts, as doc/interfaces/74-queue.md
and its neighbours state them."""

import re
import subprocess

import lib


def run_script(home, service, *stubs):
    """What the stubs print in the place of the programs that the script runs."""
    bin_dir = home.base / "stubs"
    bin_dir.mkdir(exist_ok=True)
    for name in stubs:
        (bin_dir / name).write_text('#!/bin/sh\nfor a; do printf "<%s>" "$a"; done\n'
                                    'printf "%s" "$INHERITED"\n')
        (bin_dir / name).chmod(0o755)
    text = (home.home / "service" / service / "run").read_text()
    script = home.base / "script"
    script.write_text(re.sub(r"(?m)^PATH=", f"PATH={bin_dir}:", text, count=1))
    done = subprocess.run(["sh", str(script)], stdout=subprocess.PIPE, text=True,
                          env={"PATH": "/usr/bin:/bin", "INHERITED": "from the caller"},
                          timeout=lib.TIMEOUT_S, check=True)
    return done.stdout


def test_run_scripts_read_their_control_files(home):
    home.write_control("defaultdelivery", "./Mailbox\n|a program\n")
    assert run_script(home, "send", "qmail-start") == "<./Mailbox\n|a program>"
    home.remove_control("defaultdelivery")
    assert run_script(home, "send", "qmail-start") == "<./Mailbox>"
    home.write_control("concurrencyincoming", "17\n")
    assert "<-c><17>" in run_script(home, "smtpd", "tcpserver")
    home.remove_control("concurrencyincoming")
    assert "<-c><40>" in run_script(home, "smtpd", "tcpserver")
    for service in ("smtpd", "pop3d"):
        assert "<-b><128>" in run_script(home, service, "tcpserver")


def test_numbers_grow_over_a_restart(instance):
    seen = []
    for restarted in ("queued", "send", None):
        instance.queue(b"Subject: x\n\n", "s@x.example", [f"test@{instance.host}"])
        instance.wait_log(r"^end msg", count=len(seen) + 1)
        seen.append(int(instance.wait_log(r"end msg (\d+)").group(1)))
        if restarted:
            instance.restart(restarted)
    assert seen == sorted(set(seen))


def test_a_copied_queue_is_delivered(home):
    home.start_queued()
    for n in range(5):
        assert home.queue(b"Subject: %d\n\n" % n + b"x" * n * 100000, "s@x.example",
                          [f"test@{home.host}"]).returncode == 0
    home.daemons["queued"].end()
    at = home.home
    subprocess.run(["cp", "-a", at / "queue", at / "copy"], check=True)
    subprocess.run(["rm", "-rf", at / "queue"], check=True)
    (at / "copy").rename(at / "queue")
    home.start()
    subjects = {re.search(rb"Subject: (\d)\n\n(x*)", p.read_bytes()).groups()
                for p in home.wait_maildir("test", 5)}
    assert subjects == {(b"%d" % n, b"x" * n * 100000) for n in range(5)}


# ---- a mailing list ----------------------------------------------------------------

NOTE = ('|printf "%%s\\n" "%s" "$SENDER" "$LOCAL" "$HOST" "${DEFAULT-unset}" "$EXT" '
        '"$NEWSENDER" "$DTLINE" "$RPLINE" >seen-%s.new; cat >>seen-%s.new; '
        'mv seen-%s.new seen-%s\n')
POST = ("|printf 'Ftest-list-return-@HOST-@[]\\0Ttest-a@HOST\\0Ttest-none@HOST\\0\\0' >env; "
        "exec qmail-queue 1<env\n")


def test_a_list_as_ezmlm_runs_it(instance):
    """A list of two subscribers, one of whom does not exist."""
    host, at = instance.host, instance.user_home()

    def seen(name):
        path = at / f"seen-{name}"
        lib.wait_until(path.exists, what=f"{path} after:\n{instance.log('send')}")
        text = path.read_text().split("\n")
        path.unlink()
        return text

    for name in ("default", "owner", "return-default", "accept-default", "reject-default"):
        note = NOTE % ((name,) + (name,) * 4)
        instance.dotqmail("list-" + name, note)
    instance.dotqmail("list", POST.replace("HOST", host))
    instance.dotqmail("a", "./Maildir/\n")

    for ext, name, default in [("subscribe-joe=x.example", "default", "subscribe-joe=x.example"),
                               ("owner", "owner", "unset"),
                               ("accept-17.abc", "accept-default", "17.abc"),
                               ("reject-17.abc", "reject-default", "17.abc")]:
        instance.queue(b"Subject: x\n\n", "joe@x.example", [f"test-list-{ext}@{host}"])
        got = seen(name)
        assert got[:6] == [name, "joe@x.example", f"test-list-{ext}", host, default,
                           f"list-{ext}"]
        assert got[7:11] == [f"Delivered-To: test-list-{ext}@{host}", "",
                             "Return-Path: <joe@x.example>", ""]

    instance.queue(b"Subject: to all\n\n", "joe@x.example", [f"test-list@{host}"])
    (path,) = instance.wait_maildir()
    assert path.read_bytes().startswith(
        f"Return-Path: <test-list-return-test-a={host}@{host}>\n".encode())
    got = seen("return-default")
    assert got[1:5] == ["", "test-list-return-", host, ""]
    body = "\n".join(got[11:]).partition("\n\n")[2]
    assert body.startswith("Hi. This is the qmail-send program at ")
    (failed,) = [p for p in body.split("\n\n") if p.startswith("<")]
    assert failed.startswith(f"<test-none@{host}>:\n")
    assert f"\nReturn-Path: <test-list-return-@{host}>\n" in body


def test_the_manual_calls_the_queue_private():
    page = (lib.REPO / "man/qmail.7").read_text()
    assert re.search(r"(?m)^\.It Pa queue/\n[^\n]*private", page)
    text = (lib.REPO / "doc/ARCHITECTURE.md").read_text()
    assert "The inside of `queue/` and the sockets between cqmail's own daemons are private." \
        in text
