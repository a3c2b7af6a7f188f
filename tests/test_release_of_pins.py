"""`--check` says what becomes of an open valve when guard and script die together."""

import pytest

from rig.preflight import FAIL, PASS, WARN, Preflight, judge_release, keeps_levels


@pytest.mark.parametrize(("text", "keeps"), [("Y\n", True), ("1\n", True), ("N\n", False), (None, None)])
def test_what_the_kernel_says(tmp_path, text, keeps):
    if text is not None:
        folder = tmp_path / "pinctrl_bcm2835" / "parameters"
        folder.mkdir(parents=True)
        (folder / "persist_gpio_outputs").write_text(text)
    assert keeps_levels(tmp_path) is keeps


@pytest.mark.parametrize(
    ("keeps", "verdict", "fragment"),
    [
        (True, WARN, "the valve stays open if guard and script die together"),
        (False, PASS, "strict_gpiod is in force"),
        (None, WARN, "does not say"),
    ],
)
def test_what_the_check_says(keeps, verdict, fragment):
    flight = Preflight()
    judge_release(flight, keeps)
    (finding,) = flight.findings
    assert finding.verdict == verdict != FAIL
    assert fragment in finding.found
