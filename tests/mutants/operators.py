"""cosmic-ray's operators by name, and three of ours that it does not have."""

from collections.abc import Iterator
from typing import Any

from cosmic_ray.operators.operator import Operator
from cosmic_ray.operators.provider import OperatorProvider
from parso.python.tree import Keyword, PythonNode

_THEIRS = OperatorProvider()
Position = tuple[tuple[int, int], tuple[int, int]]


class InToNotIn(Operator):  # type: ignore[misc]
    """`a in b` becomes `a not in b`; the `in` of a loop stays."""

    def mutation_positions(self, node: Any) -> Iterator[Position]:
        if isinstance(node, Keyword) and node.value == "in" and node.parent.type == "comparison":
            yield node.start_pos, node.end_pos

    def mutate(self, node: Any, index: int) -> Any:
        return Keyword("not in", node.start_pos, node.prefix)

    @classmethod
    def examples(cls) -> tuple[()]:
        return ()


class NotInToIn(Operator):  # type: ignore[misc]
    """`a not in b` becomes `a in b`."""

    def mutation_positions(self, node: Any) -> Iterator[Position]:
        if node.type == "comp_op" and [leaf.value for leaf in node.children] == ["not", "in"]:
            yield node.start_pos, node.end_pos

    def mutate(self, node: Any, index: int) -> Any:
        return Keyword("in", node.start_pos, node.get_first_leaf().prefix)

    @classmethod
    def examples(cls) -> tuple[()]:
        return ()


class DropCall(Operator):  # type: ignore[misc]
    """A call whose result nobody takes becomes `pass`."""

    def mutation_positions(self, node: Any) -> Iterator[Position]:
        if node.type == "simple_stmt" and _is_call(node.children[0]):
            yield node.children[0].start_pos, node.children[0].end_pos

    def mutate(self, node: Any, index: int) -> Any:
        call = node.children[0]
        node.children[0] = Keyword("pass", call.start_pos, call.get_first_leaf().prefix)
        return node

    @classmethod
    def examples(cls) -> tuple[()]:
        return ()


def _is_call(node: Any) -> bool:
    if node.type not in ("atom_expr", "power") or not isinstance(node, PythonNode):
        return False
    last = node.children[-1]
    return bool(last.type == "trailer" and last.children[0].value == "(")


_OURS: dict[str, type[Operator]] = {
    "ReplaceComparisonOperator_In_NotIn": InToNotIn,
    "ReplaceComparisonOperator_NotIn_In": NotInToIn,
    "DropCall": DropCall,
}


def operator(name: str) -> Operator:
    """The operator of this name; KeyError where neither cosmic-ray nor we have one."""
    return _OURS[name]() if name in _OURS else _THEIRS[name]()
