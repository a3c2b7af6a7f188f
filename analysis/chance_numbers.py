"""What pages say about chance: a big number, and a table with the intervals."""

from analysis.derived.chance import chance_of
from analysis.evidence import Evidence, Missing
from analysis.page import Cell, Table
from rig.protocol.chance import REST_CROSSINGS, TRIAL_CROSSINGS, Against, Chance, against_chance, rate_interval

COLUMNS = ("", "crossings", "minutes that count", "per minute", "95 % interval")
UNKNOWN = against_chance(Chance().blocks)


def against_chance_in(evidence: Evidence) -> Against:
    """Return how trials compare with chance; a session without trials is one of which nothing is known."""
    try:
        return against_chance(chance_of(evidence).blocks)
    except Missing:
        return UNKNOWN


def chance_number(found: Against) -> list[tuple[str, str]]:
    """Return the big number with its words; nothing where it is not known."""
    ratio, interval = numbers_of(found)
    return [(f"{ratio} x chance", f"95 %: {interval}")] if ratio else []


def numbers_of(found: Against) -> tuple[str, str]:
    """Return the ratio and its interval as text; '' where they are not known, '≥ 1.4' where nothing was crossed."""
    if found.ratio != found.ratio:
        return "", ""
    if found.ratio == float("inf"):
        return f"≥ {found.low:.1f}", f"{found.low:.2f} or more"
    upper = "or more" if found.high == float("inf") else f"to {found.high:.2f}"
    return f"{found.ratio:.1f}", f"{found.low:.2f} {upper}"


def chance_tables(evidence: Evidence) -> list[Table]:
    """Return the table with crossings, time, rates and their intervals; nothing for a session without trials."""
    try:
        blocks = chance_of(evidence).blocks
    except Missing:
        return []
    rows = []
    for name, crossings in (("trials", TRIAL_CROSSINGS), ("rests, which are chance", REST_CROSSINGS)):
        counted, seconds = blocks[:, crossings : crossings + 2].sum(axis=0)
        low, high = rate_interval(blocks, crossings)
        rate = [f"{counted / seconds * 60:.2f}", f"{low:.2f} to {high:.2f}"] if seconds else ["", ""]
        rows.append([name, f"{counted:.0f}", f"{seconds / 60:.1f}", *rate])
    rows.append(["trials / rests", "", "", *numbers_of(against_chance(blocks))])
    return [Table("Chance", COLUMNS, [[Cell(text) for text in row] for row in rows])]
