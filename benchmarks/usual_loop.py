"""The reference: a loop as such rigs are usually written.

A thread keeps the newest frame.  The loop takes it, works, and sleeps the rest of the period; it knows nothing of
frames that came in between, and what it takes may be nearly a period old.
"""

import argparse
import json
import threading
import time

import numpy as np


class NewestFrame:
    """A camera whose thread overwrites what nobody has taken."""

    def __init__(self, framerate: float) -> None:
        self._framerate = framerate
        self._images = np.random.default_rng(0).integers(60, 200, (8, 256, 256, 3), np.uint8)
        self.newest: tuple[int, float, np.ndarray] | None = None
        threading.Thread(target=self._capture, daemon=True).start()

    def _capture(self) -> None:
        began_s, n = time.monotonic(), 0
        while True:
            time.sleep(max(0.0, began_s + n / self._framerate - time.monotonic()))
            self.newest = (n, time.monotonic(), self._images[n % 8].copy())
            n += 1


def main() -> None:
    """Run the loop for a while, and print its latencies, losses and doublets as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--framerate", type=float, default=15)
    parser.add_argument("--seconds", type=float, default=20)
    args = parser.parse_args()
    camera = NewestFrame(args.framerate)
    while camera.newest is None:
        time.sleep(0.001)
    history: list[np.ndarray] = []
    numbers, latencies_ms = [], []
    end_s = time.monotonic() + args.seconds
    while time.monotonic() < end_s:
        began_s = time.monotonic()
        number, captured_s, image = camera.newest
        crop = image[110:118, 70:78].astype(float)
        if history:
            baseline = np.mean(history, axis=0)
            _signal = float(((crop - baseline) / baseline).mean())
        history = [*history[-89:], crop]
        latencies_ms.append((time.monotonic() - captured_s) * 1e3)
        numbers.append(number)
        time.sleep(max(0.0, 1 / args.framerate - (time.monotonic() - began_s)))
    steps = np.diff(numbers)
    median, p99 = np.percentile(latencies_ms, [50, 99])
    lost, doubled = int((steps[steps > 1] - 1).sum()), int((steps == 0).sum())
    print(json.dumps({"median_ms": median, "p99_ms": p99, "lost": lost, "doubled": doubled}))


if __name__ == "__main__":
    main()
