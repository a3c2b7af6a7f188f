"""How well a cortex is registered to its first day, over many drawn mice, and how often another mouse passes.

    .venv/bin/python benchmarks/register.py [CASES] [SIDE]

Each case: moved by up to 1 mm, turned by up to 15 degrees, scaled 0.9 to 1.1, with noise, other slanting light, and a
bubble over 20 % of the picture.
"""

import sys
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from support.vessels import registered


def main() -> None:
    """Measure and print."""
    cases, side = (int(text) for text in (sys.argv[1:] + ["200", "256"][len(sys.argv) - 1 :]))
    same, other, took_s = [], [], []
    for seed in range(cases):
        random = np.random.default_rng(seed)
        began_s = time.perf_counter()
        same.append(registered(random, seed, side=side))
        took_s.append(time.perf_counter() - began_s)
        other.append(registered(random, seed, seed + 100000, side=side))
    errors = np.array([error for _, error in same])
    known = np.array([found.is_known for found, _ in same])
    leads, others = (np.array([f.agreement - f.aside for f, _ in each]) for each in (same, other))
    said = np.array([found.error_mm for found, _ in same])

    def percent(which: np.ndarray) -> str:
        return f"{100 * which.mean():.1f} %"

    is_good = errors < 0.05
    print(f"{cases} cases of {side} px; {np.median(took_s):.2f} s each at the median, drawing included")
    for name, values in (("error at the worst site", errors), ("error as said", said)):
        print(
            f"{name}, mm: median {np.median(values):.3f}, p95 {np.percentile(values, 95):.3f}, max {values.max():.3f}"
        )
    print(f"known and below 0.05 mm: {percent(known & is_good)}; known and not: {percent(known & ~is_good)}")
    print(f"lead of the same mouse: least {leads.min():.3f}; of another one: most {others.max():.3f}")
    print(f"another mouse accepted: {100 * np.mean([found.is_known for found, _ in other]):.1f} %")


if __name__ == "__main__":
    main()
