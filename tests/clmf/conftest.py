"""What the tests of CLMF share."""

import pytest

from support.runner import SpeedRunner


@pytest.fixture
def run(tmp_path):
    """Run the CLMF script as a user does."""
    return SpeedRunner(tmp_path)
