"""The cortical sites that every lab starts with, and that a configuration without `seeds_mm` has."""

STANDARD_SITES_MM = {
    "ALM": (1.5, 2.5), "M1": (1.8603, 0.64181), "M2": (0.87002, 1.4205), "M1FL_1": (2.2, -0.4), "FL": (2.4526, -0.5668),
    "CFL": (1.5, 0.25), "RFL": (1.25, 2.0), "HL": (1.6942, -1.1457), "UN": (2.7979, -0.97112), "BC": (3.4569, -1.727),
    "TR": (1.8644, -2.0204), "RL": (3.1712, -2.849), "A": (2.2932, -2.4962), "AM": (1.6479, -2.696),
    "PM": (1.6217, -3.6247), "V1": (2.5168, -3.7678), "RS": (0.62043, -2.8858), "ANT": (0.0, 3.525),
    "LAMBDA": (0.0, -3.9), "STROKE": (1.5, 0.5),
}  # fmt: skip
"""{name: (ML, AP)}, mm from bregma: lateral, and anterior (behind bregma it is negative)."""
