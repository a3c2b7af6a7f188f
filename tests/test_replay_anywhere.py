"""A replay gives the same rows on any processor: between frame and decision nothing depends on how a library adds.

Other processors are played by telling OpenBLAS and numpy to use the code that they have for them.
"""

import platform

import numpy as np
import pytest

from support.places import SHORT, TWO_ROI_SCRIPT
from support.runner import Runner, finished, without_time

# A `%` and a `/` turn a difference in the last digit into a jump.
RULE = SHORT | {"roi_operation": "M1_L%0.02+BC_R/BC_L", "total_trials": "3", "reward_threshold": "0.05", "lick": "none"}
NOT_OF_A_FRAME = {"rig.protocol.registration", "rig.protocol.resampling"}
"""Places, which are stored with the session as numbers, and intervals, which are only said."""
CORES = ("Prescott", "Haswell", "SkylakeX")
"""Of x86.  Without AVX-512 a program that calls BLAS as SkylakeX is ended: this also shows that nothing calls it."""


def core(name):
    """Let OpenBLAS use the code for this processor."""
    is_x86 = platform.machine() in ("x86_64", "AMD64")
    skip = pytest.mark.skipif(not is_x86, reason=f"{name} is a core of x86, this is {platform.machine()}")
    return pytest.param({"OPENBLAS_CORETYPE": name}, marks=skip, id=name)


def without(features):
    """Numpy without the vector code for some features of this processor."""
    return pytest.param({"NPY_DISABLE_CPU_FEATURES": ",".join(features)}, id=f"numpy without {' '.join(features)}")


def vector_features():
    """Return the features for which this numpy has vector code of its own, and which this processor has."""
    return np.show_config(mode="dicts")["SIMD Extensions"].get("found", [])


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """A session as this machine records it."""
    run = Runner(tmp_path_factory.mktemp("recorded"))
    finished(run(script=TWO_ROI_SCRIPT, settings=RULE))
    return run.session()


@pytest.mark.parametrize(
    "env",
    [
        *map(core, CORES),
        without(vector_features()),
        *(without([f]) for f in vector_features()[-1:]),
    ],
)
def test_all_rows_are_equal(run, recorded, env):
    replay = {"vid_source": "VideoStream", "vid_root": str(recorded.folder), "lick": "none"}
    config = ["--config", str(recorded.folder / "config.ini")]
    finished(run(*config, script=TWO_ROI_SCRIPT, settings=replay, mouse="replay", seed=None, env=env))
    assert without_time(run.session("replay")) == without_time(recorded)


def test_nothing_between_frame_and_decision_uses_blas():
    """The rooms of the signal path have no product of matrices."""
    import ast

    from support.floors import SOURCES, module_of, parse

    for path in SOURCES:
        if module_of(path).startswith("rig.protocol") and module_of(path) not in NOT_OF_A_FRAME:
            for node in ast.walk(parse(path)):
                assert not isinstance(getattr(node, "op", None), ast.MatMult), path
                name = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
                assert name.rpartition(".")[2] not in {"dot", "matmul", "einsum", "inner", "vdot", "tensordot"}, path
