"""What a rule does, as one hash: its query, everything of ours that the query calls or reads, and its facts."""

from __future__ import annotations

import ast
import hashlib
import inspect
import textwrap
from collections.abc import Callable, Mapping
from functools import cache
from types import CodeType, FunctionType
from typing import Any

from detectors.base import Rule
from detectors.facts import Fact, Facts, facts


def fingerprint(rule: Rule) -> str:
    """Changes with the code, its constants and its facts; not with comments, docstrings or layout."""
    parts: list[str] = [repr((rule.severity, rule.needs, rule.catalogues, rule.valid_from, rule.valid_to))]
    _walk(rule.query, parts, set())
    parts += [f"{name}={fact.periods}" for name, fact in sorted(facts(rule.id).items())]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _walk(function: Callable[..., Any], parts: list[str], seen: set[int]) -> None:
    function = inspect.unwrap(function)
    if not isinstance(function, FunctionType) or id(function) in seen:
        return
    seen.add(id(function))
    parts.append(_shape(function))
    for cell in function.__closure__ or ():
        _value(cell.cell_contents, parts, seen)
    for name in sorted(_names(function.__code__)):
        if name in function.__globals__:
            _value(function.__globals__[name], parts, seen, name)


def _value(value: Any, parts: list[str], seen: set[int], name: str = "") -> None:
    if callable(value) and getattr(value, "__module__", "").split(".")[0] in {"detectors", "data", "features"}:
        _walk(value, parts, seen)
    elif isinstance(value, Facts | Fact):
        return  # the rule's own facts are hashed apart; those of other rules are theirs
    elif isinstance(value, str | int | float | tuple | None):
        parts.append(f"{name}={value!r}")
    elif isinstance(value, set | frozenset):
        parts.append(f"{name}={sorted(map(repr, value))}")
    elif isinstance(value, Mapping):
        parts.append(f"{name}={sorted((repr(k), repr(v)) for k, v in value.items())}")


def _names(code: CodeType) -> set[str]:
    found = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            found |= _names(constant)
    return found


@cache
def _shape(function: FunctionType) -> str:
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            node.decorator_list = []
            node.returns = None
            if node.body and isinstance(node.body[0], ast.Expr) and isinstance(node.body[0].value, ast.Constant):
                node.body = node.body[1:] or [ast.Pass()]
    return ast.dump(tree)
