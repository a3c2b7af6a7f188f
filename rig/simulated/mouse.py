"""The cortex of a simulated mouse: it is active by itself, hears the tone, and learns what brings water.

Each site has calcium transients at random.  While a tone is on, the sites that the mouse has come to
connect with water are active more often, and a rising pitch keeps them up for longer.  A reward strengthens the
sites that were active just before it (a three-factor rule, as in Frémaux & Gerstner, Front. Neural Circuits
2016), so that the mouse learns whatever rule the experiment rewards.
"""

import math

import numpy as np

REST_RATE_HZ = 0.05  # transients per site
TAUGHT_RATE_HZ = 0.4  # more at most, while a tone is on
DECAY_S, RISE_S = 0.7, 0.12  # like those of GCaMP6s at the frame rates of such rigs
ELIGIBLE_S = 2.0
LEARNING_RATE = 0.2
NOISE_DFF = 0.004


class SimMouse:
    """Activity of cortical sites, frame by frame.

    Parameters
    ----------
    n_sites : int
    frame_period_s : float
    seed : int

    Attributes
    ----------
    activity : array (n_sites,) float
        ΔF/F of each site.
    skill : array (n_sites,) float
        0 to 1, what the mouse has learned.
    """

    def __init__(self, n_sites: int, frame_period_s: float, seed: int) -> None:
        self._random = np.random.default_rng(seed)
        self._dt_s = frame_period_s
        self._drive = np.zeros(n_sites)
        self._slow = np.zeros(n_sites)
        self._eligible = np.zeros(n_sites)
        self.activity = np.zeros(n_sites)
        self.skill = np.zeros(n_sites)

    def live(self, heard_hz: float, rewards: int) -> np.ndarray:
        """Let one frame pass; return the activity (n_sites,).

        Parameters
        ----------
        heard_hz : float
            Tone since the last frame, 0 for silence.
        rewards : int
            Rewards since the last frame.
        """
        dt = self._dt_s
        if rewards:
            credit = self._eligible / max(self._eligible.sum(), 1e-9)
            self.skill += LEARNING_RATE * rewards * credit * (1 - self.skill)
        pitch = 0.0 if heard_hz <= 0 else 0.3 + 0.7 * min(1.0, math.log2(max(1.0, heard_hz / 1000)) / 4)
        rate = REST_RATE_HZ + TAUGHT_RATE_HZ * self.skill * (heard_hz > 0)
        begins = self._random.random(rate.shape) < rate * dt
        strength = 0.09 + 0.05 * self._random.standard_exponential(rate.shape)
        decay = DECAY_S * (1 + self.skill * pitch)
        self._drive = self._drive * np.exp(-dt / decay) + begins * strength
        self._slow += (self._drive - self._slow) * (1 - math.exp(-dt / RISE_S))
        self._eligible += (np.clip(self._slow, 0, None) - self._eligible) * (1 - math.exp(-dt / ELIGIBLE_S))
        self.activity = self._slow + NOISE_DFF * self._random.standard_normal(rate.shape)
        return self.activity
