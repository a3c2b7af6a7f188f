"""A stand-in for picamera2: a sensor that looks at given light, and processes it as the tuning says (`support.isp`)."""

import json
import threading
import time
import types

import numpy as np

from support import isp

CONTROLS = (
    "AeEnable", "AwbEnable", "ColourGains", "ExposureTime", "AnalogueGain", "FrameDurationLimits", "NoiseReductionMode",
    "Sharpness", "Saturation", "Contrast", "Brightness",
)  # fmt: skip
SHORTEST_US = 60
UNTIL_NEXT_S = 0.001  # frames come fast; their times are those of the settings


class World:
    """What the tests set and see.

    Attributes
    ----------
    light : array (height, width, 3)
        On the sensor at `usual_us`, BGR, 1 is full scale.
    pedestal : float
        Added to it without light, as a wrong black level does.
    metadata : dict
        What the camera reports otherwise than it is; a function is called with the number of the frame.
    controls, tuning : dict
        What the camera was given.
    """

    def __init__(self, sensor, folder, light, usual_us=60000):
        self.sensor, self.folder, self.light, self.usual_us = sensor, folder, light, usual_us
        self.pedestal, self.metadata, self.controls, self.tuning = 0.0, {}, {}, None

    def stock_tuning(self, name):
        path = self.folder / name
        if not path.is_file():
            raise RuntimeError("Tuning file not found")
        return json.loads(path.read_text())


class Request:
    def __init__(self, image, metadata):
        self._image, self._metadata = image, metadata

    def get_metadata(self):
        return self._metadata

    def make_array(self, _stream):
        return self._image


class Picamera2:
    """What PiCameraStream uses of it; `module_for` gives it a world."""

    world = None

    def __init__(self, tuning=None):
        world = self.world
        world.tuning = world.stock_tuning(f"{world.sensor}.json") if tuning is None else tuning
        self.camera_properties = {"Model": world.sensor}
        has_lens = isp.algorithm(world.tuning, "rpi.af") is not None
        self.camera_controls = dict.fromkeys([*CONTROLS, *(["AfMode", "LensPosition"] if has_lens else [])])
        self.sensor_modes, self.pre_callback = [], None
        self._running = False
        self._thread = threading.Thread(target=self._run, daemon=True)

    @classmethod
    def global_camera_info(cls):
        return [{"Model": cls.world.sensor}]

    @classmethod
    def load_tuning_file(cls, name):
        return cls.world.stock_tuning(name)

    def create_video_configuration(self, main, raw, buffer_count, controls):
        return {"main": main, "controls": controls}

    def configure(self, config):
        self._config = config
        self.world.controls = dict(config["controls"])

    def camera_configuration(self):
        return self._config

    def set_controls(self, controls):
        self.world.controls |= controls

    def start(self):
        self._running = True
        self._thread.start()

    def close(self):
        self._running = False
        if self._thread.is_alive():
            self._thread.join()

    def _run(self):
        began_ns, n = time.monotonic_ns(), 0
        while self._running:
            self.pre_callback(self._shoot(began_ns, n))
            n += 1
            time.sleep(UNTIL_NEXT_S)

    def _shoot(self, began_ns, n):
        world = self.world
        period_us, _ = world.controls["FrameDurationLimits"]
        exposure_us = max(SHORTEST_US, world.controls["ExposureTime"])
        matrix = isp.colour_matrix(world.tuning).ravel()
        metadata = {
            "SensorTimestamp": began_ns + n * period_us * 1000,
            "ExposureTime": exposure_us,
            "AnalogueGain": world.controls["AnalogueGain"],
            "FrameDuration": period_us,
            "ColourGains": world.controls["ColourGains"],
            "ColourCorrectionMatrix": tuple(matrix.tolist()),
            "DigitalGain": 1.0,
        }
        if "LensPosition" in self.camera_controls:
            metadata["LensPosition"] = 1.0
        changes = {key: value(n) if callable(value) else value for key, value in world.metadata.items()}
        light = np.minimum(1.0, world.light * exposure_us / world.usual_us + world.pedestal)
        return Request(isp.picture(world.tuning, light), metadata | changes)


def module_for(world):
    """Return a module to stand in for picamera2, which looks at this world."""
    module = types.ModuleType("picamera2")
    module.Picamera2 = type("Picamera2", (Picamera2,), {"world": world})
    return module
