import contextlib
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rig.protocol.roi_operation import RoiOperation

VALUES = {"A": 0.3, "B": -0.1, "C": 0.02, "M1_L": 0.05, "BC_L": 0.01, "BC_R": 0.04}


@pytest.mark.parametrize(
    ("text", "names", "value", "why"),
    [
        ("BC_L-BC_R", ["BC_L", "BC_R"], 0.01 - 0.04, "the documented case"),
        ("BC_L + BC_R", ["BC_L", "BC_R"], 0.01 + 0.04, "blanks do not matter"),
        ("M1_L*2-(BC_L+BC_R)/2", ["M1_L", "BC_L", "BC_R"], 0.05 * 2 - (0.01 + 0.04) / 2, "three ROIs"),
        ("A", ["A"], 0.3, "one ROI"),
        ("A-A", ["A"], 0.0, "one ROI twice"),
        ("-A+1.5", ["A"], 1.2, "signs and numbers"),
        ("A-B*C", ["A", "B", "C"], 0.3 + 0.1 * 0.02, "* before -"),
        ("A-B-C", ["A", "B", "C"], 0.3 + 0.1 - 0.02, "from the left"),
        ("A%0.25", ["A"], 0.3 % 0.25, "remainder"),
        ("A/(B-B)", ["A", "B"], 0.0, "a division by 0 gives 0"),
        ("C+A/(B-B)", ["C", "A", "B"], 0.02, "the division gives 0, not the rule"),
        ("A%0", ["A"], 0.0, "so does a remainder"),
    ],
)
def test_value(text, names, value, why):
    rule = RoiOperation(text)
    assert rule.names == names
    assert rule(VALUES) == pytest.approx(value, abs=1e-15), why


def test_divisions_by_zero_are_counted():
    rule = RoiOperation("A/B+C%B")
    rule({"A": 1, "B": 1, "C": 1})
    assert rule.divisions_by_zero == 0
    rule({"A": 1, "B": 0, "C": 1})
    assert rule.divisions_by_zero == 2
    assert rule({"A": 1, "B": 5e-324, "C": 0}) == 0.0, "not finite either"


@pytest.mark.parametrize(
    ("text", "fragment"),
    [
        ("BC_L-len(BC_R)", "'len(BC_R)' at character 6 is not allowed; allowed are names of ROIs, numbers"),
        ("A.avgDff", "'A.avgDff' at character 1"),
        ("A-(B<C)", "'B < C' at character 4"),
        ("A**2", "'A ** 2' at character 1"),
        ("A//B", "'A // B' at character 1"),
        ("A-True", "'True' at character 3"),
        ("A-'B'", "at character 3"),
        ("A-1e999", "at character 3"),
        ("A if B else C", "at character 1"),
        ("[A][0]", "at character 1"),
        ("(lambda: A)()", "at character 1"),
        ("A and B", "at character 1"),
        ("~A", "'~A' at character 1"),
        ("A:=B", "cannot be read at character 2"),
        ("A-", "cannot be read at its end"),
        ("(A", "cannot be read at character 1"),
        ("A B", "cannot be read at character"),
        ("A;B", "cannot be read at character 2"),
        ("", "cannot be read at its end"),
        ("1+2", "it names no ROI"),
        ("A" + "+A" * 300, "nests deeper than 200 levels"),
        ("(" * 500 + "A" + ")" * 500, "cannot be read"),
        ("\0", "cannot be read"),
    ],
)
def test_everything_else_is_refused_at_its_place(text, fragment):
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the text is checked below
        RoiOperation(text)
    assert fragment in str(caught.value)


expressions = st.recursive(
    st.sampled_from(["A", "B", "C", "0", "1", "0.5"]),
    lambda inner: st.builds("({}{}{})".format, inner, st.sampled_from("+-*/%"), inner) | inner.map("-{}".format),
    max_leaves=12,
)


@given(expressions, st.lists(st.sampled_from([0.0, 0.25, -1.0, 1e-300, 3.0]), min_size=3, max_size=3))
def test_agrees_with_python_where_python_has_a_finite_value(text, values):
    rule = RoiOperation(f"A*0+{text}")
    named = dict(zip("ABC", values, strict=True))
    value = rule(named)
    assert math.isfinite(value)
    if rule.divisions_by_zero == 0:
        assert value == eval(f"A*0+{text}", {"__builtins__": {}}, named)  # noqa: S307 - the very thing we do without


@given(st.text("AB()+-*/%.,0123456789<>=[]'\"lambda :_e", max_size=30))
def test_any_text_is_a_finite_rule_or_refused(text):
    with contextlib.suppress(ValueError):
        rule = RoiOperation(text)
        assert math.isfinite(rule(dict.fromkeys(rule.names, 0.1)))
