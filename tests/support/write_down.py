"""Runs a script with a window that is nowhere, and writes down every text that is drawn in its session.

python write_down.py FILE SCRIPT ARGUMENT ...
"""

import runpy
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import rig  # noqa: F401 - before OpenCV

# isort: split
import cv2

from rig.screen import window

ESC, NO_KEY = 27, 255
FILE, SCRIPT = sys.argv[1:3]
texts = dict.fromkeys([])
keys = iter([ESC])


def write(_canvas, text, *_, **__):
    """Keep a text in place of drawing it; those of the preview, before Esc, are not of the session."""
    texts[text] = None


for name in ("namedWindow", "imshow", "setMouseCallback", "destroyAllWindows"):
    setattr(cv2, name, lambda *_: None)
cv2.getWindowProperty = lambda *_: 1.0
cv2.waitKey = lambda _ms: next(keys, NO_KEY)
window.write = window.write_within = write
sys.argv = sys.argv[2:]
try:
    runpy.run_path(SCRIPT, run_name="__main__")
finally:
    Path(FILE).write_text("\n".join(texts), encoding="utf-8")
