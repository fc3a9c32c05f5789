"""Criteria: what a step's output must be like, as expressions that a manifest holds and a scan evaluates.

The language is a small part of Python's: comparisons of aggregates, `and`, `or`, `not`, arithmetic; nothing else.

    share(complete) > 0.95
    minimum(score) >= 1 and maximum(score) <= 10
    share(score is None) < 0.05
"""

import ast
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, reduce
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import ibis.expr.types as ir

Kind = Literal["number", "truth", "text", "time", "other"]
Build = Callable[["ir.Table"], Any]

AGGREGATES = ("share", "rows", "minimum", "maximum", "mean", "total", "distinct")
"""The functions: share or number of rows for which a condition holds, and the usual ones. Columns stand in them."""

_KINDS: Mapping[str, Kind] = {
    "float64": "number", "int64": "number", "boolean": "truth", "string": "text", "date": "time", "timestamp": "time",
}  # fmt: skip
_COMPARED: Mapping[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt, ast.GtE: operator.ge,
    ast.Eq: operator.eq, ast.NotEq: operator.ne,
}  # fmt: skip
_CALCULATED: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
}  # fmt: skip
DEEPEST = 40
"""Levels of an expression at most."""


class CriterionError(ValueError):
    """An expression that is no criterion of a table; `cause` and `fix` say what is wrong and how to mend it."""

    def __init__(self, text: str, cause: str, fix: str) -> None:
        super().__init__(f"`{text}`: {cause}; {fix}")
        self.cause, self.fix = f"`{text}`: {cause}", fix


@dataclass(frozen=True)
class _Part:
    """A part of an expression: what kind of value it is, per row or of the whole table, and how to build it."""

    kind: Kind
    shape: Literal["constant", "whole", "rows"]
    of: Build


@dataclass(frozen=True)
class Criterion:
    """An expression over the columns of one table. To make one is to check it, for which no engine is needed."""

    text: str
    columns: Mapping[str, str]
    """Names and types of the table's columns."""

    def __post_init__(self) -> None:
        if (self._part.kind, self._part.shape) != ("truth", "whole"):
            raise CriterionError(
                self.text,
                "it is no yes or no about the whole table",
                "compare an aggregate, as in share(complete) > 0.95",
            )

    def of(self, table: "ir.Table") -> "ir.BooleanScalar":
        """Whether a table meets it; null where nothing is known, as of a table without rows."""
        verdict: ir.BooleanScalar = self._part.of(table)
        return verdict

    @cached_property
    def _part(self) -> _Part:
        try:
            tree = ast.parse(self.text.strip(), mode="eval")
        except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
            raise CriterionError(self.text, "it is no expression", "write it like share(complete) > 0.95") from error
        return _Reader(self.text, self.columns).read(tree.body, DEEPEST)


@dataclass(frozen=True)
class _Reader:
    """Reads a tree from its leaves up, checking that what stands together fits together."""

    text: str
    columns: Mapping[str, str]

    def read(self, node: ast.expr, depth: int) -> _Part:
        if depth == 0:
            raise self._error("it is nested too deeply", "split it into several criteria")
        match node:
            case ast.BoolOp(op=op, values=values):
                return self._joined(isinstance(op, ast.And), [self._truth(value, depth) for value in values])
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                part = self._truth(operand, depth)
                return _Part("truth", part.shape, lambda table: ~part.of(table))
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                part = self._number(operand, depth)
                return _Part("number", part.shape, lambda table: -part.of(table))
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _CALCULATED:
                one, other = self._number(left, depth), self._number(right, depth)
                return self._together(_CALCULATED[type(op)], one, other, "number")
            case ast.Compare():
                return self._compared(node, depth)
            case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]) if name in AGGREGATES:
                return self._aggregate(name, [self.read(each, depth - 1) for each in arguments])
            case ast.Name(id=name) if name in self.columns:
                return _Part(_KINDS.get(self.columns[name], "other"), "rows", lambda table: table[name])
            case ast.Name(id=name):
                raise self._error(f"there is no column {name}", f"use one of {', '.join(self.columns)}")
            case ast.Constant(value=bool() | int() | float() | str() as value):
                return _Part(_kind_of(value), "constant", lambda _: value)
        raise self._error(
            f"{ast.unparse(node)[:60]} can't be used", f"compare one of {', '.join(AGGREGATES)} of a column"
        )

    def _joined(self, all_of: bool, parts: list[_Part]) -> _Part:
        join = operator.and_ if all_of else operator.or_
        return reduce(lambda one, other: self._together(join, one, other, "truth"), parts)

    def _compared(self, node: ast.Compare, depth: int) -> _Part:
        sides = [node.left, *node.comparators]
        return self._joined(
            True,
            [self._comparison(left, op, right, depth) for left, op, right in zip(sides, node.ops, sides[1:])],  # noqa: B905 - one operator fewer than sides
        )

    def _comparison(self, left: ast.expr, op: ast.cmpop, right: ast.expr, depth: int) -> _Part:
        one = self.read(left, depth - 1)
        if isinstance(op, (ast.Is, ast.IsNot)) and isinstance(right, ast.Constant) and right.value is None:
            if one.shape == "constant":
                raise self._error(f"{ast.unparse(left)} is never None", "ask it of a column")
            missing = isinstance(op, ast.Is)
            return _Part("truth", one.shape, lambda t: one.of(t).isnull() if missing else one.of(t).notnull())
        if type(op) not in _COMPARED:
            raise self._error("it compares in another way than <, <=, >, >=, ==, != and `is None`", "use one of these")
        other = self.read(right, depth - 1)
        ordered = not isinstance(op, (ast.Eq, ast.NotEq))
        if one.kind != other.kind or one.kind == "other" or (ordered and one.kind == "truth"):
            raise self._error(f"{ast.unparse(left)} and {ast.unparse(right)} can't be compared",
                              "compare numbers with numbers and text with text")  # fmt: skip
        return self._together(_COMPARED[type(op)], one, other, "truth")

    def _together(self, combine: Callable[[Any, Any], Any], one: _Part, other: _Part, kind: Kind) -> _Part:
        shapes = {one.shape, other.shape} - {"constant"}
        if not shapes:
            raise self._error("it says something about constants only", "compare an aggregate of a column")
        if len(shapes) > 1:
            raise self._error("it mixes rows with the whole table", "compare aggregates with aggregates or constants")
        return _Part(kind, shapes.pop(), lambda table: combine(one.of(table), other.of(table)))

    def _truth(self, node: ast.expr, depth: int) -> _Part:
        return self._wanted(node, depth, "truth", "neither true nor false")

    def _number(self, node: ast.expr, depth: int) -> _Part:
        return self._wanted(node, depth, "number", "no number")

    def _wanted(self, node: ast.expr, depth: int, kind: Kind, told: str) -> _Part:
        part = self.read(node, depth - 1)
        if part.kind != kind or (part.shape == "constant" and kind == "truth"):
            raise self._error(f"{ast.unparse(node)} is {told}", "compare it with something")
        return part

    def _aggregate(self, name: str, arguments: list[_Part]) -> _Part:
        if name == "rows" and not arguments:
            return _Part("number", "whole", lambda table: table.count())
        if len(arguments) != 1 or arguments[0].shape != "rows":
            raise self._error(f"{name} takes one column or condition", f"write {name}(score)")
        (part,) = arguments
        if name in ("share", "rows"):
            if part.kind != "truth":
                raise self._error(f"{name} takes a condition", f"write {name}(score >= 4)")
            return _Part("number", "whole", lambda table: _counted(name, part.of(table)))
        allowed = {"mean": ("number",), "total": ("number",), "distinct": ("number", "truth", "text", "time")}
        if part.kind not in allowed.get(name, ("number", "text", "time")):
            raise self._error(f"{name} can't be taken of it", "take it of a column of numbers")
        kind: Kind = "number" if name == "distinct" else part.kind
        return _Part(kind, "whole", lambda table: _taken(name, part.of(table)))

    def _error(self, cause: str, fix: str) -> CriterionError:
        return CriterionError(self.text, cause, fix)


def _kind_of(value: Any) -> Kind:
    return "truth" if isinstance(value, bool) else "text" if isinstance(value, str) else "number"


def _counted(name: str, condition: Any) -> Any:
    holds = condition.fill_null(False).cast("int64")
    return holds.mean() if name == "share" else holds.sum()


def _taken(name: str, column: Any) -> Any:
    methods = {"minimum": "min", "maximum": "max", "mean": "mean", "total": "sum", "distinct": "nunique"}
    return getattr(column, methods[name])()
