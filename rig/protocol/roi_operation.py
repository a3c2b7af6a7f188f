"""The rule on several ROIs, `roi_operation`: an arithmetic expression such as M1_L*2-(BC_L+BC_R)/2.

It is parsed by Python's own parser and computed here, step by step; nothing else that Python can do is allowed.
"""

import ast
import math
import operator
from collections.abc import Callable, Mapping

Operation = Callable[[float, float], float]
OPERATORS: dict[type[ast.operator], Operation] = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul}
DIVISIONS: dict[type[ast.operator], Operation] = {ast.Div: operator.truediv, ast.Mod: operator.mod}
SIGNS: dict[type[ast.unaryop], Callable[[float], float]] = {ast.UAdd: operator.pos, ast.USub: operator.neg}
ALLOWED = "allowed are names of ROIs, numbers, + - * / % and parentheses"
LARGEST = 1e100
DEEPEST = 200  # terms and parentheses


class RoiOperation:
    """A rule over ROIs.

    Parameters
    ----------
    text : str
        The expression.

    Attributes
    ----------
    names : list of str
        The ROIs in the order of their first appearance.
    divisions_by_zero : int
        How often something was divided by 0, or by so little that the result is not finite; it gives 0.

    Raises
    ------
    ValueError
        With a sentence that points at the place.
    """

    def __init__(self, text: str) -> None:
        self.names: list[str] = []
        self.divisions_by_zero = 0
        try:
            tree = ast.parse(text.strip(), mode="eval")
        except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
            at = getattr(error, "offset", None) or 0
            place = f"at character {at}" if 0 < at <= len(text) else "at its end"
            raise ValueError(f"it cannot be read {place}; {ALLOWED}") from None
        self._check(tree.body, 0)
        if not self.names:
            raise ValueError(f"it names no ROI; {ALLOWED}")
        self._tree = tree.body

    def __call__(self, values: Mapping[str, float]) -> float:
        """Return the value of the rule.

        Parameters
        ----------
        values : mapping
            {name: ΔF/F} of each ROI.

        Returns
        -------
        float
            Always finite.
        """
        return self._finite(self._value(self._tree, values))

    def _check(self, node: ast.expr, depth: int) -> None:
        """Let names, numbers and the operators pass; note the names."""
        if depth > DEEPEST:
            raise ValueError(f"it nests deeper than {DEEPEST} levels at character {node.col_offset + 1}; simplify it")
        if isinstance(node, ast.BinOp) and type(node.op) in OPERATORS | DIVISIONS:
            self._check(node.left, depth + 1)
            self._check(node.right, depth + 1)
        elif isinstance(node, ast.UnaryOp) and type(node.op) in SIGNS:
            self._check(node.operand, depth + 1)
        elif isinstance(node, ast.Name):
            if node.id not in self.names:
                self.names.append(node.id)
        elif not (isinstance(node, ast.Constant) and is_finite_number(node.value)):
            place = f"'{ast.unparse(node)}' at character {node.col_offset + 1}"
            raise ValueError(f"{place} is not allowed; {ALLOWED}")

    def _value(self, node: ast.expr, values: Mapping[str, float]) -> float:
        if isinstance(node, ast.BinOp):
            left, right = self._value(node.left, values), self._value(node.right, values)
            if type(node.op) in OPERATORS:
                return OPERATORS[type(node.op)](left, right)
            return self._finite(DIVISIONS[type(node.op)](left, right) if right else math.inf)
        if isinstance(node, ast.UnaryOp):
            return SIGNS[type(node.op)](self._value(node.operand, values))
        if isinstance(node, ast.Name):
            return values[node.id]
        assert isinstance(node, ast.Constant)
        return float(node.value)  # type: ignore[arg-type]  # `_check` let only numbers pass

    def _finite(self, value: float) -> float:
        """Return the value, or 0 and count where it is not finite."""
        if math.isfinite(value):
            return value
        self.divisions_by_zero += 1
        return 0.0


def is_finite_number(value: object) -> bool:
    """Return whether a constant of the rule can be computed with."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < LARGEST
