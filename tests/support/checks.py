"""A session of CLNF held against the protocol, from nothing but its files: the oracle of the other tests."""

import numpy as np

import helper as clh
from rig.protocol.roi_operation import RoiOperation
from rig.protocol.tones import get_bins, tone_index

COLUMNS = ["frame", "time", "roi_dff", "freq", "rew_threshold", "reward", "trial", "audio", "lick"]
ARTEFACTS = ["global_dff", "movement_px", "veto"]
LOGGED = [*COLUMNS, "M1_L_green", "M1_L_blue", *ARTEFACTS]
"""Of a session of the one-ROI script with the ROI of config.ini."""


def direct_dff(images, box, n):
    """ΔF/F of every frame by the direct formula, from only the stored frames."""
    x, y, w, h = box
    crops = images[:, y : y + h, x : x + w].astype(float)
    values = np.zeros(len(crops))
    for i in range(1, len(crops)):
        f0 = crops[max(0, i - n) : i].mean(axis=0)
        dff = np.divide(crops[i] - f0, f0, out=np.zeros_like(f0), where=f0 != 0)
        values[i] = (dff[..., 1] - dff[..., 0]).mean()
    return values


def check_protocol(session):
    """Check every row of a normal session of one ROI against the protocol; return the rows of outcomes, and rewards."""
    cfg, columns = session.settings, session.columns
    box = [int(v) for v in cfg[cfg["roi"].lower()].split(",")]
    rate, delay = float(cfg["framerate"]), round(float(cfg["reward_delay"]) * float(cfg["framerate"]))
    dff, threshold = columns["roi_dff"], columns["rew_threshold"]
    reward, trial, freq = columns["reward"], columns["trial"], columns["freq"]
    n_history = round(float(cfg["dff_history"]) * rate)
    np.testing.assert_allclose(dff, direct_dff(session.images[:], box, n_history), rtol=0, atol=1e-12)

    freqs = clh.get_freqs(int(cfg["n_tones"]))
    playing = (trial > 0) & (reward == 0)
    for i in np.flatnonzero(playing):
        assert freq[i] == round(freqs[tone_index(dff[i], get_bins(threshold[i], int(cfg["n_tones"])))])
        assert not (i >= delay and dff[i - delay] > threshold[i]), "a crossing ends the trial"
    assert (freq[~playing] == 0).all()
    np.testing.assert_array_equal(columns["audio"], freq > 0)

    for i in np.flatnonzero(reward == 1):
        assert dff[i - delay] > threshold[i], "every reward is a crossing reward_delay earlier"
    outcomes = np.flatnonzero(reward)
    assert trial[outcomes].tolist() == list(range(1, int(cfg["total_trials"]) + 1))
    rests = {1: float(cfg["success_rest_dur"]), -1: float(cfg["fail_rest_dur"])}
    starts = [int(np.flatnonzero(trial == n)[0]) for n in trial[outcomes]]
    assert starts[0] == round(float(cfg["initial_rest_dur"]) * rate)
    for outcome, start in zip(outcomes, [*starts[1:], len(trial)], strict=True):
        assert start - outcome == round(rests[reward[outcome]] * rate), "the rest after the outcome, the last one too"
        if reward[outcome] == -1:
            begun = starts[trial[outcome] - 1]
            assert outcome - begun == round(float(cfg["max_trial_dur"]) * rate)
    return outcomes, reward


def check_rois(session):
    """Check every ROI's column, and the value of the rule, against the stored frames; return the rule."""
    cfg, found = session.settings, session.columns
    rule = RoiOperation(cfg["roi_operation"])
    colours = [f"{name}_{colour}" for name in rule.names for colour in ("green", "blue")]
    assert list(found) == COLUMNS + [f"{name}_dff" for name in rule.names] + colours + ARTEFACTS
    images, n = session.images[:], round(float(cfg["dff_history"]) * float(cfg["framerate"]))
    columns = {}
    for name in rule.names:
        box = [int(v) for v in cfg[name.lower()].split(",")]
        columns[name] = direct_dff(images, box, n)
        np.testing.assert_allclose(found[f"{name}_dff"], columns[name], rtol=0, atol=1e-12)
    # The rule on the logged ΔF/F: exactly what was decided on.  On values computed anew a % would turn a difference in
    # the last digit into a jump.
    logged = [rule({name: found[f"{name}_dff"][i] for name in rule.names}) for i in range(len(images))]
    np.testing.assert_array_equal(found["roi_dff"], logged)
    threshold, reward = found["rew_threshold"], found["reward"]
    delay = round(float(cfg["reward_delay"]) * float(cfg["framerate"]))
    for i in np.flatnonzero(reward == 1):
        assert logged[i - delay] > threshold[i], "rewards only on crossings"
    return rule
