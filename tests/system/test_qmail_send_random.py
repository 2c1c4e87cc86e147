"""qmail-send under random results, flushes and changes of its tables: each
recipient gets exactly one final result, and never two attempts at a time."""

import random
import select
import signal

import pytest

import lib
from sendlib import Sender, pack

HOSTS = 8
MESSAGES = 60


@pytest.fixture
def sender():
    made = Sender()
    made.control("concurrencyhost", "2")
    made.control("concurrencyremote", "6")
    made.control("concurrencylocal", "3")
    made.start()
    yield made
    made.close()


def answer_at_random(sender, dice, final, running):
    """Takes jobs, and ends some of those that run."""
    spawns = {s.sock: s for s in (sender.local, sender.remote)}
    for sock in select.select(list(spawns), [], [], 0.01)[0]:
        job = spawns[sock].job()
        for index, recipient in enumerate(job.recipients):
            name = recipient.split(b"@")[0]
            key = (job.id, name)
            assert key not in final, f"{key} was over already"
            assert key not in running, f"{key} is being tried already"
            running[key] = (spawns[sock], job, index)
    for key in [k for k in running if dice.random() < 0.5]:
        spawn, job, index = running.pop(key)
        letter = dice.choice("KKKZZD")
        spawn.sock.send(pack("R", job.number, index, letter, "x\n"))
        if letter != "Z":
            final[key] = letter


@pytest.mark.parametrize("seed", [1, 2])
def test_each_recipient_has_one_final_result(sender, seed):
    dice = random.Random(seed)
    wanted, final, running = set(), {}, {}
    for _ in range(MESSAGES):
        names = [f"r{n}@h{dice.randrange(HOSTS)}.example"
                 for n in range(dice.randrange(1, 7))]
        ident = sender.post(names)
        wanted |= {(ident, n.split("@")[0].encode()) for n in names}

    def turn():
        answer_at_random(sender, dice, final, running)
        if dice.random() < 0.05:
            local = dice.sample(range(HOSTS), 2)
            sender.control("locals", "\n".join(f"h{n}.example" for n in local))
            sender.kill(signal.SIGHUP)
        if dice.random() < 0.2:
            sender.kill(signal.SIGALRM)
        return len(final) == len(wanted)

    lib.wait_until(turn, timeout=120, what="all results")
    assert set(final) == wanted
    sender.wait_log("end msg", MESSAGES)
    failed = {ident for (ident, _), letter in final.items() if letter == "D"}
    assert len(sender.bounces(len(failed))) == len(failed)
    sender.kill()
    assert sender.wait_exit() == 0
