"""The pointer and the keyboard in front of a real window."""

import ctypes
import os
import subprocess

from support.waiting import wait_until

SCALE = 4  # 128 px are shown as 512


class ClientMessage(ctypes.Structure):
    """XClientMessageEvent, padded to the size of an XEvent."""

    _fields_ = (
        ("type", ctypes.c_int),
        ("serial", ctypes.c_ulong),
        ("send_event", ctypes.c_int),
        ("display", ctypes.c_void_p),
        ("window", ctypes.c_ulong),
        ("message_type", ctypes.c_ulong),
        ("format", ctypes.c_int),
        ("data", ctypes.c_long * 5),
        ("padding", ctypes.c_long * 12),
    )


class Hand:
    """The pointer and the keyboard on the screen."""

    def __init__(self, display, process, scale=SCALE):
        self.scale = scale
        self.env = os.environ | {"DISPLAY": display}
        self.window = ""
        wait_until(lambda: self._find(process))

    def _find(self, process):
        assert process.poll() is None, process.stdout.read()
        found = self.do("search", "--name", "Closed loop")
        self.window = found.split()[0] if found.strip() else ""
        return bool(self.window)

    def do(self, *words):
        return subprocess.run(["xdotool", *map(str, words)], env=self.env, capture_output=True, text=True).stdout

    def move(self, x, y):
        """Move to a pixel of the image."""
        self.do("mousemove", "--window", self.window, round(x * self.scale), round(y * self.scale))

    def drag(self, start, stop):
        self.move(*start)
        self.do("sleep", 0.15, "mousedown", 1, "sleep", 0.15)
        self.move((start[0] + stop[0]) / 2, (start[1] + stop[1]) / 2)
        self.do("sleep", 0.15)
        self.move(*stop)
        self.do("sleep", 0.15, "mouseup", 1, "sleep", 0.15)

    def close_window(self):
        """Send what a window manager sends when its close button is pressed."""
        x11 = ctypes.CDLL("libX11.so.6")
        x11.XOpenDisplay.restype = ctypes.c_void_p
        display = ctypes.c_void_p(x11.XOpenDisplay(self.env["DISPLAY"].encode()))
        x11.XInternAtom.restype = ctypes.c_ulong
        protocols, delete = (x11.XInternAtom(display, name, 0) for name in (b"WM_PROTOCOLS", b"WM_DELETE_WINDOW"))
        client_message = 33
        event = ClientMessage(client_message, 0, 1, None, int(self.window), protocols, 32, (delete, 0, 0, 0, 0))
        x11.XSendEvent(display, ctypes.c_ulong(int(self.window)), 0, 0, ctypes.byref(event))
        x11.XCloseDisplay(display)

    def press(self, key):
        self.do("key", "--window", self.window, key)


def changed_lines(before, after):
    """Return the lines of a text that it did not have before."""
    return [line for line in after.splitlines() if line not in before.splitlines()]
