"""The promises to the animal, a few trials of each; `make torture` runs many."""

from support import promises_animal as promises
from support.pins import needs_lgpio


def kept(result, least):
    assert result.failures == []
    assert result.trials >= least
    print(result.promise, result.trials, result.worst)


@needs_lgpio
def test_stopped_guard_holds_no_valve():
    kept(promises.stopped_guard_holds_no_valve(4), 4)


@needs_lgpio
def test_stopped_loop_is_dark_and_silent():
    kept(promises.stopped_loop_is_dark_and_silent(2), 2)


def test_old_frames_give_no_water():
    kept(promises.old_frames_give_no_water(5, a_session=5), 5)


def test_spoiled_ledger_resets_no_cap():
    kept(promises.spoiled_ledger_resets_no_cap(20), 20)
