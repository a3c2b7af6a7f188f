"""Lines by which recordings of other machines are aligned: a pulse for every frame, and barcodes.

They are a part of the guard, and import next to nothing.  Nothing here waits: each edge has a time at which it is due,
and the guard carries out what it is told before it drives edges that are due.

A barcode is a start pulse (high, then low, START_S each) and BITS bits of BIT_S each, the lowest bit first, high for 1;
then the line stays low until the next one.
"""

import math
import os
import time
from collections import deque
from collections.abc import Callable

BITS, START_S, BIT_S, EVERY_S = 32, 0.02, 0.03, 5.0
FIRST_BIT_S = 2 * START_S
LENGTH_S = FIRST_BIT_S + BITS * BIT_S


class Wire:
    """A pin whose pulses are reported when they have ended.

    Parameters
    ----------
    write : callable
        Drives the pin at this level.
    report : callable
        Is told the value of a pulse, and when it rose and fell (monotonic clock, s).
    """

    def __init__(self, write: Callable[[int], None], report: Callable[[int, float, float], None]) -> None:
        self._write, self._report = write, report
        self._value, self._rose_s = 0, 0.0
        self.is_high = False

    def rise(self, value: int) -> None:
        """Drive the pin high, for a frame or a barcode."""
        self._write(1)
        self._value, self._rose_s, self.is_high = value, time.monotonic(), True

    def fall(self) -> None:
        """Drive the pin low; harmless when repeated."""
        if self.is_high:
            self._write(0)
            self.is_high = False
            self._report(self._value, self._rose_s, time.monotonic())


class FrameLine:
    """A pulse for every frame.  When the loop catches up, pulses wait for each other, so that none is swallowed.

    Parameters
    ----------
    wire : Wire
    pulse_s : float
        Length of a pulse, and the least time between two.
    """

    def __init__(self, wire: Wire, pulse_s: float) -> None:
        self._wire, self._pulse_s = wire, pulse_s
        self._waiting: deque[int] = deque()
        self._next_s = 0.0

    def mark(self, number: int) -> None:
        """Give a frame its pulse, now if the line is free."""
        self._waiting.append(number)
        self.drive_due(time.monotonic())

    def drive_due(self, now_s: float) -> None:
        """Drive the edge that is due."""
        if self.due_s() > now_s:
            return
        if self._wire.is_high:
            self._wire.fall()
        else:
            self._wire.rise(self._waiting.popleft())
        self._next_s = now_s + self._pulse_s

    def due_s(self) -> float:
        """Return when an edge is due, infinity if none is."""
        return self._next_s if self._wire.is_high or self._waiting else math.inf

    def cancel(self) -> None:
        """Take the line low, and forget what waits."""
        self._waiting.clear()
        self._wire.fall()


class Barcodes:
    """A random barcode every EVERY_S seconds.

    Parameters
    ----------
    wire : Wire
    """

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._edges: deque[tuple[float, int]] = deque()
        self._value, self._began_s = 0, 0.0

    def begin(self, now_s: float) -> None:
        """Send barcodes from now on; harmless when repeated."""
        if not self._edges:
            self._plan(now_s)

    def drive_due(self, now_s: float) -> None:
        """Drive the edges that are due."""
        while self.due_s() <= now_s:
            _, level = self._edges.popleft()
            if level:
                self._wire.rise(self._value)
            else:
                self._wire.fall()
            if not self._edges:
                self._plan(max(now_s, self._began_s + EVERY_S))

    def due_s(self) -> float:
        """Return when an edge is due, infinity if none is."""
        return self._edges[0][0] if self._edges else math.inf

    def cancel(self) -> None:
        """Take the line low, and send no more barcodes."""
        self._edges.clear()
        self._wire.fall()

    def _plan(self, began_s: float) -> None:
        """Plan the edges of a barcode."""
        self._value, self._began_s = int.from_bytes(os.urandom(BITS // 8), "little"), began_s
        self._edges.extend((began_s + offset_s, level) for offset_s, level in edges_of(self._value))


def edges_of(value: int) -> list[tuple[float, int]]:
    """Return the edges of a barcode: [(s after its beginning, level)]."""
    levels = [(0.0, 1), (START_S, 0)]
    levels += [(FIRST_BIT_S + BIT_S * bit, value >> bit & 1) for bit in range(BITS)] + [(LENGTH_S, 0)]
    before = [(0.0, 0), *levels]
    return [edge for edge, (_, was) in zip(levels, before, strict=False) if edge[1] != was]
