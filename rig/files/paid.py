"""Which rows of a session brought water: a success above a cap, or one without water in its arm, did not."""

import numpy as np

from rig.files.reader import Session
from rig.protocol.session_types import RULES
from rig.protocol.trials import SUCCESS


def gives_water(session: Session) -> bool:
    """Return whether water is given in the arm of a session; a session that does not say has no arm without."""
    rules = next((RULES[kind] for kind in RULES if kind.name == session.settings.get("session_type")), None)
    return rules is None or rules.water or bool(rules.free_water)


def paid(session: Session) -> np.ndarray:
    """Return for each row whether a reward was given on it; (n_rows,) bool."""
    won = session.columns.get("reward", np.zeros(len(session), int)) == SUCCESS
    if not gives_water(session):
        return np.zeros(len(won), bool)
    unpaid = [event.frame for event in session.of("water")]  # withheld by a cap, or missed
    rows: np.ndarray = won & ~np.isin(session.columns.get("frame", np.arange(len(won))), unpaid)
    return rows
