"""After a power cut at any point: what was accepted is there, whole, with exactly
the recipients that are not done; nothing half is there.

Runs of qmail-queued and qmail-local are recorded, and a model of the disk says
what a cut may leave. CRASH_STATES is about how many states are built in all,
CRASH_SEED chooses them.
"""
import pytest

import plants
import powercut
from crashlib import ERRNOS, complain, every, sweep_points
from powercut import SEED, STATES, Letters, RecordedHome

MORE = STATES // 36000  # of what is not counted in states

# run: share of the states in percent, most choices that are all made
RUNS = {
    "one_message": (5, 2500),
    "two_messages": (10, 2500),
    "small_run": (20, 500),
    "orders_run": (5, 500),
    "wrap_run": (40, 200),
    "restart_run": (25, 500),
}
# A run with many states is recorded and cut several times, with a seed each; those
# where nearly all choices are made would only be repeated.
PARTS = [(name, number) for name, (share, _) in sorted(RUNS.items(), key=lambda r: -r[1][0])
         for number in range(max(1, STATES * share // 10000000) if share > 10 else 1)]
KILLS = ["qmail-queued 4", "qmail-queued @mess", "qmail-queued @done/31",
         "qmail-queued @bounce/31", "qmail-queued @journal/0.new", "qmail-queued @journal/0",
         "qmail-queued @mess/1/1", "qmail-queued @env/1/1", "qmail-clean @journal/1.new",
         "qmail-clean @journal/1"]


def note(record_property, outcome, name):
    record_property("states built", outcome.built)
    record_property("states recovered", outcome.different)
    print(outcome.line(name))


def explore(tmp_path, name, states, options, *more, seed=SEED):
    home, letters = RecordedHome(tmp_path / "home"), Letters()
    getattr(powercut, name)(home, letters, *more)
    return powercut.explore(home, letters, states, options=options, seed=seed)


@pytest.mark.parametrize("name, number", PARTS)
def test_the_queue_after_a_cut(tmp_path, record_property, name, number):
    share, complete = RUNS[name]
    target = STATES * share // 100 // sum(1 for part in PARTS if part[0] == name)
    if number == 0:  # once is enough
        complete *= max(MORE, 1)
    outcome = explore(tmp_path, name, target, ("-x", str(complete), "-n", "30"),
                      seed=str(int(SEED) + 1000 * number))
    note(record_property, outcome, name)
    complain(outcome.wrong)
    assert outcome.different > min(target / 3, 1000)
    assert outcome.second > 100


@pytest.mark.parametrize("kill", KILLS)
def test_the_queue_after_a_kill_and_a_cut(tmp_path, record_property, kill):
    outcome = explore(tmp_path, "killed_start", STATES // 200, ("-x", "20", "-n", "100"), kill)
    note(record_property, outcome, kill)
    complain(outcome.wrong)
    assert outcome.different > 50


def test_the_program_recovers_as_the_model_says(tmp_path):
    home, letters = RecordedHome(tmp_path / "home"), Letters()
    powercut.restart_run(home, letters)
    wrong, count = powercut.compare_with_program(home, str(tmp_path), 12 * max(MORE, 1))
    complain(wrong)
    assert count >= 10


@pytest.mark.parametrize("case", sorted(powercut.CASES))
def test_a_mailbox_after_a_cut(tmp_path, record_property, case):
    outcome = powercut.explore_mailboxes(powercut.deliveries(tmp_path / "home", case), STATES // 40)
    note(record_property, outcome, case)
    complain(outcome.wrong)
    assert outcome.different > 20


@pytest.mark.parametrize("case", sorted(powercut.CASES))
def test_what_a_killed_delivery_left_is_made_durable(tmp_path, record_property, case):
    for at in range(1, 7):
        home = powercut.deliveries(tmp_path / ("at-%d" % at), case, kill=at)
        outcome = powercut.explore_mailboxes(home, STATES // 400)
        note(record_property, outcome, "%s, killed at %d" % (case, at))
        complain(outcome.wrong)


@pytest.mark.parametrize("case", sorted(powercut.CASES))
def test_a_mailbox_after_a_failure_and_a_cut(tmp_path, record_property, case):
    wrong, failed = [], 0
    for at in sweep_points(20, every(0.6)):
        home = powercut.deliveries(tmp_path / ("at-%d" % at), case, None,
                                   ("qmail-local", "io", at, ERRNOS["EIO"], None))
        outcome = powercut.explore_mailboxes(home, STATES // 400)
        note(record_property, outcome, "%s, failed at %d" % (case, at))
        failed += home.codes[1] != 0
        wrong += outcome.wrong
    complain(wrong)
    assert failed > 2


@pytest.mark.parametrize("name", plants.all_plants())
def test_a_planted_bug_is_found(tmp_path, name):
    plant = plants.build(name, str(tmp_path))
    outcome = plants.find(plant, str(tmp_path))
    assert outcome.wrong, "%s is not found: %s" % (name, outcome.line(plant.run))
    print(outcome.wrong[0])
