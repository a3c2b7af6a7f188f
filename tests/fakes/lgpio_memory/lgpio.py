"""An lgpio whose chip is in memory: the real rpi-lgpio runs on it, on any computer.

Put its folder on PYTHONPATH.  LGPIO_LOG names a file to which every change of a level is appended:
'MONOTONIC_SECONDS GPIO LEVEL'.  LGPIO_FAIL_GPIO names a GPIO whose writes fail once it has gone high.
"""

import os
import time

SET_ACTIVE_LOW, SET_PULL_UP, SET_PULL_DOWN, SET_PULL_NONE = 4, 32, 64, 128
SET_BIAS_PULL_UP, SET_BIAS_PULL_DOWN, SET_BIAS_DISABLE = 32, 64, 128
RISING_EDGE, FALLING_EDGE, BOTH_EDGES = 1, 2, 3
GPIO_BUSY = -89
BAD_WRITE = -78
OK = 0
INPUT, OUTPUT = 0x100, 0x202  # the bits of gpio_get_mode that say who holds the line, and how
GPIOS = 54

levels: dict[int, int] = {}
modes: dict[int, int] = {}


class error(Exception):
    """As lgpio raises it."""


def error_text(code):
    return f"lgpio error {code}"


def _log(gpio, level):
    path = os.environ.get("LGPIO_LOG")
    if path:
        with open(path, "a", encoding="ascii") as file:
            file.write(f"{time.monotonic():.6f} {gpio} {int(level)}\n")


def gpiochip_open(number):
    return 1


def gpiochip_close(handle):
    return OK


def gpio_get_chip_info(handle):
    return OK, GPIOS, "memory", "memory"


def gpio_get_mode(handle, gpio):
    return modes.get(gpio, 0)


def gpio_claim_output(handle, gpio, level=0, flags=0):
    modes[gpio] = OUTPUT
    levels[gpio] = level
    _log(gpio, level)
    return OK


def gpio_claim_input(handle, gpio, flags=0):
    modes[gpio] = INPUT
    levels.setdefault(gpio, 0)
    return OK


def gpio_claim_alert(handle, gpio, edges, flags=0, notify=None):
    return OK


def gpio_free(handle, gpio):
    modes.pop(gpio, None)
    return OK


def gpio_write(handle, gpio, level):
    if os.environ.get("LGPIO_FAIL_GPIO") == str(gpio) and level == 0 and levels[gpio] == 1:
        return BAD_WRITE
    levels[gpio] = level
    _log(gpio, level)
    return OK


def gpio_read(handle, gpio):
    path = os.environ.get("LGPIO_INPUTS")  # a file with the GPIOs that are high
    if path and os.path.exists(path):
        with open(path, encoding="ascii") as file:
            return int(str(gpio) in file.read().split())
    return levels.get(gpio, 0)


def gpio_set_debounce_micros(handle, gpio, micros):
    return OK


def callback(handle, gpio, edge, function=None):
    return None


def tx_pwm(*arguments):
    return OK
