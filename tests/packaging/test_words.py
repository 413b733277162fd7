"""One word, one meaning: no two classes share a name, and words that the glossary replaced do not come back."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "otel_tool_audit"
CLASSES = frozenset({
    "Asking", "Below", "Claims", "Desk", "Facts", "Held", "Hunt", "HuntDesk", "Joined", "Layout", "Ledger", "Mark", "Refused", "Said", "Seal", "Seen", "Stale",
    "Standing", "Tail", "Told", "Unclear", "Withheld", "_Way",
})  # fmt: skip
FUNCTIONS = frozenset({
    "add_below", "each", "here", "lay_out", "lives", "look_at", "make_heads", "news", "offer", "once", "pass_over", "portions", "stretches",
})  # fmt: skip
"""Of functions, methods and variables of modules; ``settle`` is a method of walks, which end so, and ``learned`` a plain word."""

CONSTANTS = frozenset({"ENDING"})
MODULES = frozenset({"adopt", "asking", "claims", "condition", "held", "hunt", "in_front", "standing", "tails", "withheld"})
PUBLIC = frozenset({"tell", "lost", "every"})
"""Names of the public interface, which stay: ``Trail.tell``, ``Trail.lost``, ``every=``."""


def definitions() -> list[tuple[str, str, str]]:
    """List what the package defines: kind, name, place."""
    found = []
    for path in PACKAGE.rglob("*.py"):
        place = str(path.relative_to(PACKAGE))
        found.append(("module", path.stem, place))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                found.append(("class", node.name, place))
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                found.append(("function", node.name, place))
            elif isinstance(node, ast.Assign | ast.AnnAssign):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                found += [("name", target.id, place) for target in targets if isinstance(target, ast.Name) and target.id.isupper()]
    return found


def test_no_two_classes_share_a_name() -> None:
    """Whoever reads a name knows which class is meant, in whichever room."""
    places = defaultdict(list)
    for kind, name, place in definitions():
        if kind == "class":
            places[name].append(place)
    assert {} == {name: found for name, found in places.items() if len(found) > 1}


def test_words_that_were_replaced_are_gone() -> None:
    """Nothing is defined by a word that the field has another one for."""
    old = {"class": CLASSES, "function": FUNCTIONS, "name": CONSTANTS, "module": MODULES}
    assert [] == [(kind, name, place) for kind, name, place in definitions() if name in old[kind]]


def test_public_words_stay() -> None:
    """They are part of what applications call."""
    defined = {name for _, name, _ in definitions()}
    arguments = {
        argument.arg
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef)
        for argument in (*node.args.args, *node.args.kwonlyargs)
    }
    assert defined | arguments >= PUBLIC
