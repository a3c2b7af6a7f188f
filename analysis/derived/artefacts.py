"""Which rewards were earned by something that is not brain."""

import numpy as np

from analysis.evidence import Evidence, Missing
from rig.protocol.artefacts import BITS
from rig.protocol.session_types import RULES


def bits_of_rewards(evidence: Evidence) -> np.ndarray:
    """Return the bits of the frame on which the signal of each reward crossed, reward_delay before; (n_rewards,) int.

    Raises
    ------
    Missing
        There is no reward, rewards do not follow the signal, or artefacts were not logged.
    """
    if evidence.settings is not None and not RULES[evidence.settings.session_type].water:
        raise Missing(f"rewards do not follow the signal ({evidence.settings.session_type.name})")
    if "veto" not in evidence.session.columns:
        raise Missing("artefacts were not logged (no column veto)")
    bits: np.ndarray = evidence.session.columns["veto"][evidence.earning_rows]
    return bits


def in_words(bits: np.ndarray) -> str:
    """Return how often each artefact is among these, as in ' (2 light, 1 paw)'; nothing where none is."""
    counts = {name: int(np.count_nonzero(bits & bit)) for name, bit in BITS.items()}
    found = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
    return f" ({found})" if found else ""
