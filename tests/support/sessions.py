"""Sessions of every kind, recorded once for all tests of a file."""

import h5py
import pytest

from support.places import SCRIPT, SHORT, SHORT_PAWS, SPEED_SCRIPT, TWO_ROI_SCRIPT
from support.runner import Runner, finished

KINDS = {
    "1roi": (SCRIPT, SHORT | {"adaptive_threshold": "1", "audio": "0.5"}),
    "2roi": (TWO_ROI_SCRIPT, SHORT | {"roi_operation": "M1_L-BC_R*2"}),
    "clmf": (SPEED_SCRIPT, SHORT_PAWS | {"video_file": "", "pose": "simulated"}),
}


def say_it_is_real(folder):
    """Let a session say that no device of it was simulated."""
    with h5py.File(folder / "image_stream.hdf5", "a") as file:
        file.attrs["simulated"] = "no"


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """Run a session of an experiment, once; return its folder.  Tests that change files work on a copy."""
    known = {}

    def run(kind, *arguments, **settings):
        key = (kind, *arguments, *settings.items())
        if key not in known:
            script, shared = KINDS[kind]
            runner = Runner(tmp_path_factory.mktemp(kind))
            finished(runner(*arguments, script=script, settings=shared | settings))
            known[key] = runner.session().folder
        return known[key]

    return run
