"""qmail-send: the life of a message, from the notice to the end, in the log."""

import os
import re
import signal
import threading

import pytest

import lib
from sendlib import Sender


@pytest.fixture
def make_sender():
    made = []

    def make():
        made.append(Sender())
        return made[-1]

    yield make
    for one in made:
        if getattr(one, "local", None):
            one.close()


@pytest.fixture
def sender(make_sender):
    return make_sender().start()


def test_log_of_a_delivery_is_word_for_word(sender):
    ident = sender.post(["us%er@local.example"], sender="s p@x\u00e9", qp=77)
    job = sender.local.job()
    assert (job.id, job.host, job.sender) == (ident, b"", "s p@x\u00e9".encode())
    assert job.recipients == [b"us%er@local.example"]
    assert job.message == b"Subject: x\n\nbody\n"
    sender.local.result(job, "K", "did 1+0+0\nmore\n")
    sender.wait_log("end msg")
    assert sender.log() == [
        "status: local 0/10 remote 0/20",
        f"new msg {ident}",
        f"info msg {ident}: bytes 17 from <s_p@x__> qp 77 uid 7",
        f"starting delivery 1: msg {ident} to local us_er@local.example",
        "status: local 1/10 remote 0/20",
        "delivery 1: success: did_1+0+0/more/",
        "status: local 0/10 remote 0/20",
        f"end msg {ident}",
    ]
    assert sender.wait_retired(ident) == [[b"R", str(ident).encode()]]


def test_message_without_recipients_ends_at_once(sender):
    ident = sender.post([])
    sender.wait_log("end msg")
    assert [line.split(":")[0] for line in sender.log()[1:]] == [
        f"new msg {ident}", f"info msg {ident}", f"end msg {ident}"]


def test_recipients_of_one_host_share_a_job(sender):
    ident = sender.post(["a@H.example", "b@other.example", "c@h.example"])
    first, second = sender.remote.job(), sender.remote.job()
    assert first.recipients == [b"a@H.example", b"c@h.example"]
    assert (first.host, second.host) == (b"h.example", b"other.example")
    assert second.recipients == [b"b@other.example"]
    sender.remote.result(first, "K", index=1)
    sender.remote.result(first, "K", index=0)
    sender.remote.result(second, "K")
    sender.wait_log("end msg")
    done = sender.wait_retired(ident)
    assert sorted(done[:-1]) == [[b"D", b"1", b"0"], [b"D", b"1", b"1"],
                                 [b"D", b"1", b"2"]]
    assert done[-1][0] == b"R"
    assert [line for line in sender.log() if line.startswith("starting")] == [
        f"starting delivery 1: msg {ident} to remote a@H.example",
        f"starting delivery 2: msg {ident} to remote c@h.example",
        f"starting delivery 3: msg {ident} to remote b@other.example"]


def test_verp_gives_each_recipient_its_own_sender_and_job(sender):
    sender.post(["a@h.example", "b@h.example"], sender="l-@lh.example-@[]")
    jobs = [sender.remote.job(), sender.remote.job()]
    assert [(j.sender, j.recipients) for j in jobs] == [
        (b"l-a=h.example@lh.example", [b"a@h.example"]),
        (b"l-b=h.example@lh.example", [b"b@h.example"])]
    assert " from <l-@lh.example-@[]> " in sender.wait_log("info msg")


def test_deferral_is_tried_again_after_alrm_and_only_what_is_left(sender):
    ident = sender.post(["a@h.example", "b@h.example"])
    job = sender.remote.job()
    sender.remote.result(job, "K", index=0)
    sender.remote.result(job, "Z", "later\n", index=1)
    sender.wait_log("delivery 2: deferral: later/")
    assert sender.remote.job(timeout=0.2) is None
    sender.kill(signal.SIGALRM)
    job = sender.remote.job()
    assert (job.id, job.recipients) == (ident, [b"b@h.example"])
    sender.remote.result(job)
    sender.wait_log("end msg")
    assert sender.bounces(0) == []


def test_failures_make_one_bounce(make_sender):
    sender = make_sender()
    sender.control("virtualdomains", "vd.example:alias-vd")
    sender.start()
    message = b"Received: x\nSubject: y\n\nno newline"
    ident = sender.post(["a@local.example", "b@h.example", "c@vd.example"],
                        sender="s p@x.example", message=message)
    remote = sender.remote.job()
    sender.remote.result(remote, "D", "no such user\n\nhere")
    sender.wait_log("delivery", 1)
    first = sender.local.job()
    second = sender.local.job()
    assert second.recipients == [b"alias-vd-c@vd.example"]
    lib.wait_until(lambda: len(sender.requests(ident)) == 1)
    sender.local.result(first, "K")
    sender.local.result(second, "D", "")
    (text, envelope), = sender.bounces()
    assert envelope == b"F\0Ts p@x.example\0\0"
    date, rest = text.split(b"\n", 1)
    assert re.fullmatch(rb"Date: \d+ \w+ \d{4} \d\d:\d\d:\d\d -0000", date)
    assert rest.startswith(
        b"From: MAILER-DAEMON@me.example\nTo: \"s p\"@x.example\n"
        b"Subject: failure notice\n\n"
        b"Hi. This is the qmail-send program at me.example.\n")
    assert rest.endswith(
        b"\n\n<b@h.example>:\nno such user\n/here\n\n<c@vd.example>:\n\n"
        b"--- Below this line is a copy of the message.\n\n"
        b"Return-Path: <\"s p\"@x.example>\n" + message)
    assert re.fullmatch(rf"bounce msg {ident} qp \d+", sender.wait_log("bounce"))
    sender.wait_log(f"end msg {ident}")
    kinds = [r[0] for r in sender.wait_retired(ident)]
    assert kinds[-2:] == [b"B", b"R"] and kinds.count(b"F") == 2


def test_double_bounce_goes_to_postmaster(sender):
    sender.post(["a@h.example"], sender="", message=b"x\n")
    sender.remote.result(sender.remote.job(), "D", "no\n")
    (text, envelope), = sender.bounces()
    assert envelope == b"F#@[]\0Tpostmaster@me.example\0\0"
    assert b"\nTo: postmaster@me.example\n" in text
    assert text.endswith(
        b"--- Below this line is the original bounce.\n\nReturn-Path: <>\nx\n")


def test_triple_bounce_is_discarded(sender):
    ident = sender.post(["a@h.example"], sender="#@[]")
    sender.remote.result(sender.remote.job(), "D", "no\n")
    sender.wait_log(f"end msg {ident}")
    assert f"triple bounce: discarding bounce/{ident}" in sender.log()
    assert sender.bounces(0) == []


def test_empty_doublebounceto_discards(make_sender):
    sender = make_sender()
    sender.control("doublebounceto", "")
    sender.start()
    ident = sender.post(["a@h.example"], sender="")
    sender.remote.result(sender.remote.job(), "D", "no\n")
    sender.wait_log(f"end msg {ident}")
    assert f"double bounce: discarding bounce/{ident}" in sender.log()
    assert sender.bounces(0) == []


def test_bounce_of_verp_goes_to_its_base(sender):
    sender.post(["a@h.example"], sender="l-@lh.example-@[]")
    sender.remote.result(sender.remote.job(), "D", "no\n")
    (text, envelope), = sender.bounces()
    assert envelope == b"F\0Tl-@lh.example\0\0"
    assert b"\nReturn-Path: <l-@lh.example>\n" in text


def test_bounce_that_is_refused_does_not_end_the_message(sender):
    (sender.home / "refuse").touch()
    ident = sender.post(["a@h.example"])
    sender.remote.result(sender.remote.job(), "D", "no\n")
    sender.wait_log("warning: trouble injecting bounce message")
    assert b"R" not in [r[0] for r in sender.requests(ident)]


def test_too_old_message_fails_instead_of_being_deferred(make_sender):
    sender = make_sender()
    sender.control("queuelifetime", "1000")
    sender.put(["a@h.example"], age=2000)
    sender.start()
    job = sender.nudge(lambda: sender.remote.job(timeout=0.1))
    sender.remote.result(job, "Z", "later\n")
    (text, _), = sender.bounces()
    assert b"<a@h.example>:\nlater\nThis message has been in the queue too long" in text
    assert sender.wait_log("delivery 1: failure: later/This_message")


def test_percenthack_and_envnoathost(make_sender):
    sender = make_sender()
    sender.control("percenthack", "perc.example")
    sender.control("envnoathost", "local.example")
    sender.start()
    sender.post(["x%perc%local.example@perc.example", "nohost"])
    assert sender.local.job().recipients == [b"x%perc@local.example"]
    assert sender.local.job().recipients == [b"nohost@local.example"]


def test_hup_rereads_locals_and_virtualdomains(sender):
    sender.post(["a@new.example"])
    job = sender.remote.job()
    sender.control("locals", "local.example\nnew.example")
    sender.kill(signal.SIGHUP)
    sender.wait_reload(sender.post, "new.example")
    # what was deferred as remote goes to the local channel now
    sender.remote.result(job, "Z", "later\n")
    sender.wait_log("delivery 1: deferral")

    def first_again():
        found = sender.local.job(timeout=0.1)
        if found:
            sender.local.result(found)
        return found and found.recipients == [b"a@new.example"]

    sender.nudge(first_again)


def test_hup_makes_nobody_be_tried_twice_at_a_time(sender):
    """A recipient that is under way remains where it was, though it is local now."""
    ident = sender.post(["a@new.example", "c@local.example"])
    remote, local = sender.remote.job(), sender.local.job()
    sender.local.result(local, "Z", "later\n")
    sender.wait_log("delivery ")
    sender.control("locals", "local.example\nnew.example")
    sender.kill(signal.SIGHUP)
    sender.wait_reload(sender.post, "new.example")
    sender.kill(signal.SIGALRM)
    while job := sender.local.job(timeout=0.3):
        assert job.id != ident, job.recipients
        sender.local.result(job)
    sender.remote.result(remote, "K")

    def again():
        job = sender.local.job(timeout=0.1)
        if job and job.id != ident:
            sender.local.result(job)
        return job and job.id == ident and job

    assert sender.nudge(again).recipients == [b"c@local.example"]


def test_concurrency_holds_jobs_back(make_sender):
    sender = make_sender()
    sender.control("concurrencyremote", "2")
    sender.start()
    for n in range(3):
        sender.post([f"a@h{n}.example"])
    jobs = [sender.remote.job(), sender.remote.job()]
    assert sender.remote.job(timeout=0.2) is None
    sender.wait_log("status: local 0/10 remote 2/2")
    sender.remote.result(jobs[1])
    assert sender.remote.job().recipients == [b"a@h2.example"]


def test_signals_of_before_the_start_count(make_sender):
    """HUP and ALRM that qmail-start held back do what they always do."""
    sender = make_sender()
    old = sender.put(["a@local.example"], age=7 * 3600)
    sender.start(held=(signal.SIGHUP, signal.SIGALRM))
    # without ALRM it would be due many minutes later
    job = sender.local.job()
    assert job.id == old
    sender.local.result(job)
    sender.wait_log("end msg")
    sender.kill(signal.SIGTERM)
    assert sender.wait_exit() == 0


def test_term_of_before_the_start_ends_it(make_sender):
    sender = make_sender()
    sender.start(hello=False, held=(signal.SIGTERM,))
    sender.local.hello()
    sender.remote.hello()
    assert sender.wait_exit() == 0
    assert sender.log()[-1] == "status: exiting"


def test_spawn_limit_cuts_concurrency(make_sender):
    sender = make_sender().start(limits=(3, 5))
    assert sender.log() == ["status: local 0/3 remote 0/5"]


def test_busy_host_does_not_hold_up_others(make_sender):
    sender = make_sender()
    sender.control("concurrencyhost", "2")
    sender.control("concurrencyremote", "4")
    sender.start()
    for n in range(150):
        sender.post([f"a{n}@dead.example"])
    dead = [sender.remote.job(), sender.remote.job()]
    assert {j.host for j in dead} == {b"dead.example"}
    assert sender.remote.job(timeout=0.2) is None
    sender.post(["b@alive.example"])
    job = sender.remote.job()
    assert job.host == b"alive.example"
    sender.remote.result(job)
    # and when the host answers, all of them get their turn, oldest first
    seen = []
    while len(seen) < 150:
        job = dead.pop(0)
        seen.append(job.recipients[0])
        sender.remote.result(job)
        if len(seen) <= 148:
            dead.append(sender.remote.job())
    assert sorted(seen) == sorted(f"a{n}@dead.example".encode() for n in range(150))
    sender.wait_log("end msg", 151)


def test_long_list_takes_turns_with_other_mail(make_sender):
    sender = make_sender()
    sender.control("concurrencylocal", "1")
    sender.start()
    sender.post([f"u{n}@local.example" for n in range(100)])
    first = sender.local.job()
    sender.post(["v@local.example"])
    sender.wait_log("info msg 2")
    order = [first]
    while not any(j.recipients == [b"v@local.example"] for j in order):
        sender.local.result(order[-1])
        order.append(sender.local.job())
    assert len(order) <= 4


def test_mangled_results_end_nothing(sender):
    sender.post(["a@h.example"])
    job = sender.remote.job()
    for garbage in (b"x", b"1:R,", b"1:R,3:999,1:0,1:K,0:,", b"\0" * 1000,
                    b"1:R,99999999999999999999:"):
        sender.remote.sock.send(garbage)
    sender.wait_log("warning: internal error: delivery report out of range", 5)
    sender.remote.result(job, "Q", "what\n")
    sender.wait_log("delivery 1: report mangled, will defer")
    sender.remote.result(job, "K", "too late\n")
    sender.wait_log("warning: internal error", 6)
    assert not any(line.startswith("end msg") for line in sender.log())


def test_unreadable_message_is_a_warning(sender):
    ident = sender.put(["a@h.example"])
    sender.queued.path("mess", ident).unlink()
    sender.queued.notice("N", ident, b"")
    assert sender.wait_log("warning: ") == (
        f"warning: unable to open mess/{ident}/{ident}: No such file or directory; "
        "will try again later")
    other = sender.post(["b@h.example"])
    assert sender.remote.job().id == other


def test_damaged_envelope_is_a_warning(sender):
    ident = sender.put(["a@h.example"])
    path = sender.queued.path("env", ident)
    path.write_bytes(path.read_bytes().replace(b"a@h", b"b@h"))
    sender.queued.notice("N", ident, b"")
    assert re.fullmatch(
        rf"warning: unable to read env/{ident}/{ident}: [A-Z][\w ]+; will try again later",
        sender.wait_log("warning: "))
    other = sender.post(["b@h.example"])
    assert sender.remote.job().id == other


# ---- starting and ending -----------------------------------------------------

def test_scan_at_the_start_is_silent_and_finds_all(make_sender):
    sender = make_sender()
    idents = [sender.put([f"a{n}@h{n}.example"]) for n in range(15)]
    sender.start()
    jobs = [sender.remote.job() for _ in idents]
    assert {j.id for j in jobs} == set(idents)
    assert not any(line.startswith(("new", "info")) for line in sender.log())


def test_scan_ends_what_was_done_before(make_sender):
    sender = make_sender()
    done = sender.put(["a@h.example", "b@h.example"])
    sender.queued.path("done", done).write_bytes(b"DD")
    failed = sender.put(["a@h.example", "b@h.example"])
    sender.queued.apply([b"F", str(failed).encode(), b"1", b"gone\n"])
    sender.queued.apply([b"D", str(failed).encode(), b"0"])
    sender.start()
    sender.wait_log(f"end msg {done}")
    sender.wait_log(f"end msg {failed}")
    (text, _), = sender.bounces()
    assert b"<b@h.example>:\ngone\n" in text
    assert sender.remote.job(timeout=0.1) is None


def test_old_message_waits_for_its_time_after_a_restart(make_sender):
    sender = make_sender()
    sender.put(["a@h.example"], age=500)
    sender.start()
    assert sender.remote.job(timeout=0.3) is None
    job = sender.nudge(lambda: sender.remote.job(timeout=0.2))
    assert job.recipients == [b"a@h.example"]


def test_birth_in_the_future_stalls_nothing(sender):
    sender.post(["a@h.example"], age=-100000)
    sender.remote.result(sender.remote.job(), "Z", "later\n")
    sender.wait_log("delivery 1: deferral")


def test_term_finishes_running_deliveries(sender):
    ident = sender.post(["a@h.example"])
    job = sender.remote.job()
    sender.kill()
    sender.put(["b@h.example"])
    assert sender.remote.job(timeout=0.2) is None
    sender.remote.result(job)
    assert sender.wait_exit() == 0
    assert sender.log()[-3:] == [
        "status: local 0/10 remote 0/20 exitasap",
        f"end msg {ident}", "status: exiting"]
    assert sender.requests(ident)[-1][0] == b"R"


def test_end_of_the_lifeline_is_as_good_as_term(sender):
    os.close(sender.lifeline)
    assert sender.wait_exit() == 0
    assert sender.log()[-1] == "status: exiting"


def test_lost_spawn_ends_with_111(sender):
    sender.post(["a@h.example", "b@local.example"])
    sender.remote.job()
    local = sender.local.job()
    sender.remote.sock.close()
    sender.wait_log("alert: oh no! lost spawn connection! dying...")
    sender.local.result(local)
    assert sender.wait_exit() == 111
    assert any(": success: ok/" in line for line in sender.log())


def test_spawn_without_hello_is_no_fire(make_sender):
    sender = make_sender().start(hello=False)
    sender.local.sock.close()
    assert sender.wait_exit() == 111
    assert sender.log() == ["alert: cannot start: hath the daemon spawn no fire?"]


def test_missing_controls(make_sender):
    sender = make_sender()
    (sender.home / "control" / "locals").unlink()
    (sender.home / "control" / "me").unlink()
    sender.start(hello=False)
    assert sender.wait_exit() == 111
    assert sender.log() == ["warning: unable to read control/locals",
                            "alert: cannot start: unable to read controls"]


# ---- qmail-queued comes and goes -----------------------------------------------

def test_reconnects_and_repeats_what_was_not_acknowledged(sender):
    ident = sender.post(["a@h.example", "b@i.example"])
    first, second = sender.remote.job(), sender.remote.job()
    with sender.queued.lock:
        sender.queued.answer = False
    sender.remote.result(first, "K")
    lib.wait_until(lambda: sender.requests(ident))
    sender.queued.go_away()
    sender.wait_log("warning: no connection to qmail-queued")
    sender.remote.result(second, "K")
    sender.wait_log(f"end msg {ident}")
    missed = sender.put(["c@j.example"])
    with sender.queued.lock:
        sender.queued.requests.clear()
        sender.queued.answer = True
    sender.queued.listen()
    assert sender.remote.job().id == missed
    assert [r[0] for r in sender.wait_retired(ident)] == [b"D", b"D", b"R"]
    assert f"new msg {missed}" in sender.log()
    assert len([line for line in sender.log() if "no connection" in line]) == 1


def test_barrier_is_asked_again_after_a_reconnection(sender):
    ident = sender.post(["a@h.example"])
    with sender.queued.lock:
        sender.queued.answer = False
    sender.remote.result(sender.remote.job(), "D", "no\n")
    lib.wait_until(lambda: [b"B", str(ident).encode()] in sender.requests(ident))
    sender.queued.go_away()
    with sender.queued.lock:
        sender.queued.answer = True
    sender.queued.listen()
    sender.wait_log(f"end msg {ident}")
    assert len(sender.bounces()) == 1


def test_dropped_notices_are_made_up_for_by_a_scan(sender):
    first = sender.post(["a@h.example"])
    dropped = [sender.put([f"b{n}@i{n}.example"]) for n in range(3)]
    last = sender.post(["c@j.example"])
    sender.queued.notice("L", last + 1)
    jobs = {sender.remote.job().id for _ in range(5)}
    assert jobs == {first, last, *dropped}
    for ident in dropped:
        sender.wait_log(f"new msg {ident}")
    assert len([x for x in sender.log() if x.startswith("new msg")]) == 5


def test_what_is_retired_is_not_found_again(sender):
    ident = sender.post(["a@h.example"])
    env = sender.queued.path("env", ident).read_bytes()
    sender.remote.result(sender.remote.job())
    sender.wait_log(f"end msg {ident}")
    lib.wait_until(lambda: not sender.queued.path("env", ident).exists())
    sender.queued.path("env", ident).write_bytes(env)   # not yet unlinked
    other = sender.put(["b@h.example"])
    sender.queued.notice("L", other + 1)
    assert sender.remote.job().id == other
    assert sender.remote.job(timeout=0.2) is None


def test_second_sender_is_refused(make_sender):
    sender = make_sender()
    sender.queued.refuse = True
    sender.start(hello=False)
    sender.local.hello()
    sender.remote.hello()
    assert sender.wait_exit() == 111
    assert sender.log()[-1] == "alert: cannot start: qmail-send is already running"


def test_garbage_from_the_queue_is_a_lost_connection(sender):
    ident = sender.put(["a@h.example"])  # the next connection tells of it
    sender.queued.notice("Y", "1")
    sender.wait_log("warning: no connection to qmail-queued")
    assert sender.remote.job().id == ident


def test_late_acknowledgement_delays_the_next_attempt(sender):
    """What was delivered must be in the files before they are read again."""
    sender.post(["a@h.example", "b@h.example"])
    job = sender.remote.job()
    with sender.queued.lock:
        sender.queued.answer = False
    sender.remote.result(job, "K", index=0)
    sender.remote.result(job, "Z", index=1)
    sender.wait_log("delivery 2: deferral")
    sender.kill(signal.SIGALRM)
    assert sender.remote.job(timeout=1.5) is None
    sender.queued.go_away()
    with sender.queued.lock:
        sender.queued.answer = True
    sender.queued.listen()
    job = sender.nudge(lambda: sender.remote.job(timeout=0.2))
    assert job.recipients == [b"b@h.example"]


# ---- hosts share the slots -----------------------------------------------------

NO_CONNECTION = "Sorry, I wasn't able to establish an SMTP connection. (#4.4.1)\n"


def known(sender, ident):
    sender.wait_log(f"info msg {ident}:")


def test_slow_host_gets_more_as_it_answers_but_leaves_room_for_others(sender):
    for n in range(60):
        last = sender.post([f"a{n}@slow.example"])
    known(sender, last)
    slow = [sender.remote.job() for _ in range(5)]
    assert sender.remote.job(timeout=0.2) is None
    for running in range(6, 16):
        sender.remote.result(slow.pop(0))
        slow += [sender.remote.job(), sender.remote.job()]
        assert len(slow) == running
    sender.remote.result(slow.pop(0))
    slow.append(sender.remote.job())
    assert sender.remote.job(timeout=0.2) is None
    assert {job.host for job in slow} == {b"slow.example"}
    # others come: what is free is theirs, and so is what the slow one gives back
    for n in range(20):
        last = sender.post([f"b@fast{n}.example"])
    known(sender, last)
    fast = [sender.remote.job() for _ in range(5)]
    while len(slow) > 1:
        sender.remote.result(slow.pop(0))
        fast.append(sender.remote.job())
    assert len({job.host for job in fast}) == len(fast) == 19
    assert b"slow.example" not in {job.host for job in fast}
    # and when they are done, it is alone again
    for job in fast:
        sender.remote.result(job)
    rest = {sender.remote.job().host for _ in range(14)}
    assert rest == {b"slow.example", *(b"fast%d.example" % n for n in range(20))
                    } - {job.host for job in fast}


def test_lost_connections_leave_a_host_one_job_at_a_time(sender):
    for n in range(20):
        last = sender.post([f"a{n}@bad.example"])
    known(sender, last)
    jobs = [sender.remote.job() for _ in range(5)]
    for text in ("Connected to 192.0.2.1 but connection died. (#4.4.2)\n", NO_CONNECTION):
        sender.remote.result(jobs.pop(), "Z", text)
    sender.wait_log("delivery 4: deferral")
    for _ in range(2):
        assert sender.remote.job(timeout=0.2) is None
        sender.remote.result(jobs.pop(), "Z", "Connected to 192.0.2.1 but greylisting\n")
    assert sender.remote.job(timeout=0.2) is None
    sender.remote.result(jobs.pop(), "Z", "Connected to 192.0.2.1 but greylisting\n")
    jobs = [sender.remote.job()]
    assert sender.remote.job(timeout=0.2) is None
    sender.remote.result(jobs.pop())
    assert sender.remote.job() and sender.remote.job()


def test_host_that_is_down_is_left_alone_until_told(sender):
    """As an address that times out is, but for much shorter."""
    first = [sender.post([f"a{n}@down.example"]) for n in range(12)]
    known(sender, first[-1])
    for _ in range(10):
        sender.remote.result(sender.remote.job(), "Z", NO_CONNECTION)
    sender.wait_log("delivery 12: deferral: Sorry,_I_wasn't_able_to_establish_an_SMTP_connection."
                    "_(#4.4.1)/It_has_let_many_connections_fail;_I_did_not_try_again_yet./")
    old = sender.post(["b@down.example"], age=8 * 86400)
    known(sender, old)
    assert [b"F", str(old).encode(), b"0", (
        NO_CONNECTION + "It has let many connections fail; I did not try again yet.\n"
        "This message has been in the queue too long; I will not try again. (#4.4.7)\n"
    ).encode()] in sender.wait_retired(old)
    # mail for others is not concerned
    sender.post(["c@up.example"])
    job = sender.remote.job()
    assert job.host == b"up.example"
    sender.remote.result(job)
    assert sender.remote.job(timeout=0.2) is None
    sender.kill(signal.SIGALRM)
    for _ in range(12):
        job = sender.remote.job()
        assert job.host == b"down.example"
        sender.remote.result(job)
    for ident in first:
        sender.wait_retired(ident)


def test_list_at_a_host_that_is_down_does_not_hold_up_others(sender):
    for n in range(10):
        last = sender.post([f"a{n}@down.example"])
    known(sender, last)
    for _ in range(10):
        sender.remote.result(sender.remote.job(), "Z", NO_CONNECTION)
    sender.wait_log("delivery 10: deferral")
    many = sender.post([f"u{n}@down.example" for n in range(2000)])
    sender.post(["l@local.example"])
    sender.local.result(sender.local.job())
    sender.wait_log("delivery 2011:")
    text = "\n".join(sender.log())
    assert len(re.findall(rf"starting delivery \d+: msg {many} ", text)) == 2000
    assert sender.remote.job(timeout=0.2) is None


# ---- all at once ---------------------------------------------------------------

@pytest.mark.parametrize("host", ["old{}.example", "old.example"])
def test_all_that_waits_is_due_at_once_and_new_mail_passes_it(make_sender, host):
    """ALRM wakes more than may be under way at a time. Who comes then is at most one
    job behind, though it goes to the same hosts, however often this is repeated."""
    sender = make_sender()
    sender.control("concurrencyremote", "2")
    old = [sender.put([f"a@{host.format(n)}"], age=5000) for n in range(300)]
    sender.start()
    jobs = [sender.nudge(lambda: sender.remote.job(timeout=0.2)), sender.remote.job()]
    for n in range(3):
        sender.kill(signal.SIGALRM)
        new = sender.post([f"b@{host.format(n)}", "c@local.example"])
        job = sender.local.job()
        assert job.id == new
        sender.local.result(job)
        came = []
        for _ in range(2):
            sender.remote.result(jobs.pop(0))
            jobs.append(sender.remote.job())
            came.append(jobs[-1].id)
        assert new in came
        assert sender.remote.job(timeout=0.1) is None
    while jobs:
        sender.remote.result(jobs.pop(0))
        if job := sender.remote.job(timeout=1):
            jobs.append(job)
    for ident in old:
        sender.wait_retired(ident)
    assert len({line for line in sender.log() if line.startswith("starting")}) == 306


def test_new_mail_leaves_the_rest_one_turn_in_four(make_sender):
    sender = make_sender()
    sender.control("concurrencyremote", "1")
    old = {sender.put([f"a@old{n}.example"], age=5000) for n in range(50)}
    sender.start()
    job = sender.nudge(lambda: sender.remote.job(timeout=0.2))
    for n in range(40):
        last = sender.post([f"b@new{n}.example"])
    known(sender, last)
    came = []
    for _ in range(40):
        sender.remote.result(job)
        job = sender.remote.job()
        came.append(job.id in old)
    assert came.count(True) == 10 and came.index(True) <= 3


def test_a_flood_of_new_mail_keeps_all_places_full(make_sender):
    """However fast it comes in: a place that is free has a job before some hundred
    more messages have been noted."""
    sender = make_sender()
    sender.control("concurrencylocal", "3")
    sender.start()
    flood = threading.Thread(
        target=lambda: [sender.post(["a@local.example"]) for _ in range(3000)])
    flood.start()
    jobs = [sender.local.job() for _ in range(3)]
    for _ in range(500):
        sender.local.result(jobs.pop(0))
        jobs.append(sender.local.job())
    flood.join()
    sender.wait_log("new msg", 3000)
    free = noted = most = 0
    for line in sender.log():
        if line.startswith("status: "):
            free = 3 - int(re.match(r"status: local (\d+)/", line)[1])
            noted = 0
        elif line.startswith("new msg") and free > 0:
            noted += 1
            most = max(most, noted)
    assert most < 300
