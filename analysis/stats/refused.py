"""What a statistic says where it has no value: nothing is made up, and the reason stands in its place."""

from collections.abc import Callable, Mapping
from typing import Any


class Refused(Exception):  # noqa: N818 - it is not an error
    """A statistic has no value for these numbers; the text says why."""


def fields_of(kind: Any, compute: Callable[..., Any], *arguments: Any, **how: Any) -> Mapping[str, Any]:
    """Return the fields of a result and `reason`, None; where it is refused, all fields are None and `reason` says why.

    Parameters
    ----------
    kind : type of NamedTuple
        What `compute` returns.
    """
    try:
        return {**compute(*arguments, **how)._asdict(), "reason": None}
    except Refused as reason:
        return {**dict.fromkeys(kind._fields), "reason": str(reason)}
