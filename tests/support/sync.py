"""What another machine would have seen of the lines for it."""

import numpy as np

from support.pins import read_edges

DRIFT = 50e-6
MAY_BE_CUT_OFF = 3  # pulses at the end, where the loop has just caught up


def edges_of_pin(log, gpio):
    """Return when the chip in memory saw a pin rise and fall, (n,) and (m,), s."""
    seen = [(at_s, level) for at_s, each, level in read_edges(log) if each == gpio]
    levels = [0, *(level for _, level in seen)]
    changes = [edge for edge, before in zip(seen, levels, strict=False) if edge[1] != before]
    return tuple(np.array([at_s for at_s, level in changes if level == wanted]) for wanted in (1, 0))


def assert_frames_are_marked(session, line, edges):
    """See that each frame of a session has its pulse, after it was acted on, as the pin saw it."""
    pulses = session.sync[session.sync["line"] == line.encode()]
    n, frames = len(pulses), session.frames
    assert pulses["value"].tolist() == frames["number"][:n].tolist()
    assert len(frames) - n <= MAY_BE_CUT_OFF
    assert (pulses["rose_s"] > frames["output_s"][:n]).all(), "act first"
    for stored_s, seen_s in zip((pulses["rose_s"], pulses["fell_s"]), edges, strict=True):
        assert len(stored_s) == len(seen_s)
        assert np.median(np.abs(stored_s - seen_s)) < 1e-3


def seen_by_another_clock(edges_s):
    """Return edges by a clock that is 50 ppm slow, with noise, some missing and a few too many; and the true map."""
    dice, began_s = np.random.default_rng(0), edges_s[0] - 12.3

    def to_other(times_s):
        return (times_s - began_s) * (1 - DRIFT)

    there_s = to_other(edges_s) + dice.normal(0, 2e-5, len(edges_s))
    there_s = there_s[dice.random(len(there_s)) > 0.03]
    return np.sort(np.concatenate([there_s, dice.uniform(0, there_s[-1] + 5, 5)])), to_other
