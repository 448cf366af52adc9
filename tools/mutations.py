"""The edits that mutation testing makes: which ones a source has, and how to make one."""

from __future__ import annotations

import ast
import copy
import hashlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

COMPARISONS: Final[dict[type[ast.cmpop], type[ast.cmpop]]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
OPERATORS: Final[dict[type[ast.operator], type[ast.operator]]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.BitXor: ast.BitAnd,
}
Edit = tuple[str, Callable[[ast.AST], ast.AST | None]]


@dataclass(frozen=True, slots=True)
class Mutation:
    """One edit: the `index`-th node of a walk over the tree, and which of its edits."""

    index: int
    edit: int
    line: int
    label: str  # scope, what becomes what, and a number where one scope has the same edit twice; no line numbers

    def apply(self, tree: ast.Module) -> ast.Module:
        """Return the tree with this edit made. `tree` must be a fresh parse of the source that it was found in."""
        target = list(walk(tree))[self.index][0]
        changed = edits(target)[self.edit][1](target)
        if changed is not None:
            Replace(target, changed).visit(tree)
        return ast.fix_missing_locations(tree)

    def digest(self, name: str) -> bytes:
        return hashlib.sha256(name.encode()).digest()


class Replace(ast.NodeTransformer):
    def __init__(self, old: ast.AST, new: ast.AST) -> None:
        self.old, self.new = old, new

    def visit(self, node: ast.AST) -> ast.AST:
        if node is self.old:
            return ast.copy_location(self.new, self.old)
        return self.generic_visit(node)


def mutations(source: str) -> Iterator[Mutation]:
    """Yield every edit of a module's source, in the order of the source."""
    seen: Counter[str] = Counter()
    for index, (node, scope) in enumerate(walk(ast.parse(source))):
        for edit, (what, _) in enumerate(edits(node)):
            label = f"{scope}: {what}"
            seen[label] += 1
            number = f" #{seen[label]}" if seen[label] > 1 else ""
            yield Mutation(index, edit, getattr(node, "lineno", 1), label + number)


def walk(tree: ast.Module) -> Iterator[tuple[ast.AST, str]]:
    """Yield the nodes that an edit may touch, with their scope. What only types or readers see is left out."""

    def inside(node: ast.AST, scope: str) -> Iterator[tuple[ast.AST, str]]:
        for field, value in ast.iter_fields(node):
            if field in {"annotation", "returns", "type_params", "decorator_list", "bases"}:
                continue
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, ast.AST) and not only_for_readers(child):
                    yield child, scope
                    yield from inside(child, scope_of(child, scope))

    yield from inside(tree, "")


def scope_of(node: ast.AST, outer: str) -> str:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return f"{outer}.{node.name}".lstrip(".")
    return outer


def only_for_readers(node: ast.AST) -> bool:
    """Docstrings, imports, type aliases, `if TYPE_CHECKING`, `__slots__`, `__all__`, repr and error texts."""
    match node:
        case ast.Import() | ast.ImportFrom() | ast.JoinedStr() | ast.Expr(value=ast.Constant()):
            return True
        case ast.If(test=ast.Name(id="TYPE_CHECKING")):
            return True
        case ast.Assign(targets=[ast.Name(id="__slots__" | "__all__")]):
            return True
        case ast.Assign(value=ast.Call(func=ast.Name(id="TypeVar"))):
            return True
        case ast.Assign(value=ast.Subscript(value=ast.Name(id="Literal" | "Annotated" | "Union"))):
            return True
        case ast.FunctionDef(name="__repr__" | "__str__"):
            return True
        case _:
            return False


def edits(node: ast.AST) -> list[Edit]:
    """The edits of one node, always in the same order."""
    match node:
        case ast.Constant():
            return edits_of_constant(node)
        case ast.expr():
            return edits_of_expression(node)
        case _:
            return edits_of_statement(node)


def edits_of_constant(node: ast.Constant) -> list[Edit]:
    changed: ast.Constant
    match node.value:
        case bool() as value:
            changed = ast.Constant(not value)
        case int() as number:
            changed = ast.Constant(number + 1)
        case bytes() as data:
            changed = ast.Constant(data + b"?")
        case str() as words if " " not in words:  # a sentence is for readers; a word is a name that something reads
            changed = ast.Constant(words + "?")
        case _:
            return []
    return [(f"{text(node)} becomes {text(changed)}", lambda _: changed)]


def edits_of_expression(node: ast.expr) -> list[Edit]:
    match node:
        case ast.Compare(ops=[operator]) if type(operator) in COMPARISONS:
            compare = COMPARISONS[type(operator)]
            return [(f"{text(node)} becomes {compare.__name__}", lambda n: setattr(n, "ops", [compare()]))]
        case ast.BoolOp(op=ast.And()):
            return [(f"{text(node)} becomes or", lambda n: setattr(n, "op", ast.Or()))]
        case ast.BoolOp(op=ast.Or()):
            return [(f"{text(node)} becomes and", lambda n: setattr(n, "op", ast.And()))]
        case ast.BinOp(op=operation) if type(operation) in OPERATORS:
            operate = OPERATORS[type(operation)]
            return [(f"{text(node)} becomes {operate.__name__}", lambda n: setattr(n, "op", operate()))]
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return [(f"{text(node)} loses not", lambda _: copy.copy(operand))]
        case ast.IfExp(test=test) if not says_how(test):
            return [(f"if {text(test)} is turned", lambda n: setattr(n, "test", ast.UnaryOp(ast.Not(), test)))]
        case _:
            return []


def edits_of_statement(node: ast.AST) -> list[Edit]:
    match node:
        case ast.Return(value=ast.expr() as value) if not (isinstance(value, ast.Constant) and value.value is None):
            return [(f"return {text(value)} becomes None", lambda n: setattr(n, "value", ast.Constant(None)))]
        case ast.Raise() | ast.Expr(value=ast.Call() | ast.Await()) | ast.AugAssign():
            return [(f"{text(node)} is dropped", lambda _: ast.Pass())]
        case ast.If(test=test) if not says_how(test):
            return [(f"if {text(test)} is turned", lambda n: setattr(n, "test", ast.UnaryOp(ast.Not(), test)))]
        case ast.Break():
            return [("break becomes continue", lambda _: ast.Continue())]
        case ast.Continue():
            return [("continue becomes break", lambda _: ast.Break())]
        case _:
            return []


def says_how(test: ast.expr) -> bool:
    """A condition that another edit turns already."""
    return isinstance(test, ast.Compare | ast.BoolOp | ast.UnaryOp)


def text(node: ast.AST) -> str:
    words = " ".join(ast.unparse(node).split())
    return words if len(words) <= 60 else f"{words[:57]}..."
