"""One blank too many must not hide a setting in the value before it."""

import pytest

from rig.errors import SettingsError
from rig.settings.ini import hidden_settings
from rig.settings.loading import load
from rig.settings.one_roi import OneRoiSettings
from support.places import SECTION
from support.runner import add_to_section


@pytest.mark.parametrize(
    ("text", "found", "why"),
    [
        ("a = 1\nb = 2\n", [], "two settings"),
        ("a = 1\n b = 2\n", ["line 2: 'b = 2' begins with a blank, so it would be a part of a; remove"], "a blank"),
        ("a = 1\n\tb: 2\n", ["line 2: 'b: 2' begins with a blank, so it would be a part of a; remove"], "a tab"),
        ('seeds_mm = {"M1":\n    {"ML": 1}}\n', [], "JSON goes on in further lines"),
        ("roi_operation = M1_L\n    -M1_R\n", [], "so does a rule"),
        ('seeds_mm = {"M1": 1}\n max_day_ul = 9\n', ["line 2: 'max_day_ul = 9' begins with a blank"], "not a setting"),
        ("a = 1\n  more\n", ["line 2: the value of a goes on here; write it in one line"], "a value of two lines"),
        ("a = 1\n   # a comment\n   ; another\n\nb = 2\n", [], "comments and empty lines"),
    ],
)  # fmt: skip
def test_lines_that_go_on(text, found, why):
    sentences = hidden_settings(text)
    assert len(sentences) == len(found), why
    for sentence, start in zip(sentences, found, strict=True):
        assert sentence.startswith(start)


def test_a_hidden_cap_is_refused_with_its_line(config):
    add_to_section(config, "video_file = a.mp4\n max_day_ul = 1000\n")
    with pytest.raises(SettingsError) as caught:
        load(OneRoiSettings, config, SECTION, {})
    number = config.read_text().splitlines().index(" max_day_ul = 1000") + 1
    assert f"config.ini, line {number}: 'max_day_ul = 1000' begins with a blank" in str(caught.value)


def test_a_value_with_a_line_break_on_the_command_line(config):
    with pytest.raises(SettingsError, match="summary_file: the value has a line break"):
        load(OneRoiSettings, config, SECTION, {"summary_file": "a\nmax_day_ul = 1"})
