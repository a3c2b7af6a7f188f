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


def without_columns(folder, *names):
    """Take columns out of the log of a session, as those of before them have it."""
    path = folder / "VideoTimestamp.txt"
    rows = [line.split("\t") for line in path.read_text().splitlines()]
    kept = [i for i, name in enumerate(rows[0]) if name not in names]
    path.write_text("".join("\t".join(row[i] for i in kept) + "\n" for row in rows))
