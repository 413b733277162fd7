"""A trail is opened once for a use case, and what changed meanwhile is seen all the same."""

from __future__ import annotations

import contextlib
import importlib
import os
import pkgutil
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from made_calls import Printed, call, record

import otel_tool_audit as audit
from otel_tool_audit.access.journal import Journal
from otel_tool_audit.review.reader import UnauditedReader
from otel_tool_audit.review.source.opened import OpenedTrail
from otel_tool_audit.review.verify.verifier import verify
from otel_tool_audit.trail.trail import Trail

Command = Callable[..., Printed]


@pytest.fixture
def opens(monkeypatch: pytest.MonkeyPatch) -> Iterator[Counter[str]]:
    """Count what is opened, by its name; what the journal's writer opens for itself is left out."""
    counted: Counter[str] = Counter()
    really, append, writing = os.open, Journal._append, []

    def opening(path: Any, *arguments: Any, **more: Any) -> int:
        if not writing:
            counted[os.path.basename(os.fspath(path))] += 1
        return really(path, *arguments, **more)

    def appending(*arguments: Any) -> str:
        writing.append(True)
        try:
            return append(*arguments)
        finally:
            writing.pop()

    monkeypatch.setattr(os, "open", opening)
    monkeypatch.setattr(Journal, "_append", appending)
    return counted


@pytest.mark.parametrize(
    "arguments",
    [
        ["report", "access", "--subject", "patient-1"], ["calls", "--subject", "patient-1"], ["calls"], ["stats", "--subject", "patient-1"],
        ["timeline", "conv_1"], ["show", "healthcare/1"], ["tail"], ["export", "--subject", "patient-1", "-o", "{out}"], ["verify"], ["doctor"],
    ],
)  # fmt: skip
def test_a_use_case_opens_the_trail_once(command: Command, clinic: Path, tmp_path: Path, opens: Counter[str], arguments: list[str]) -> None:
    """One opening of the directory, of ``trail.json`` and of ``places``, however many rooms take part in the answer."""
    verb = arguments[: 2 if arguments[0] == "report" else 1]
    assert 0 == command(*verb, clinic, *(part.format(out=tmp_path / "out") for part in arguments[len(verb) :])).code
    assert (1, 1, 1) == (opens["trail.json"], opens["places"], opens[clinic.name])


def test_python_opens_it_as_often(clinic: Path, opens: Counter[str]) -> None:
    """Also a reader that is asked more than once: nothing is read again that did not change."""
    with audit.TrailReader(clinic) as asked:
        asked.access_report("patient-1")
        list(asked.calls(subject="patient-2"))
        asked.status("patient-2")
    assert (1, 1) == (opens["trail.json"], opens["places"])


# --- what changed meanwhile


def test_a_changed_document_is_seen_by_a_reader_that_is_open(clinic: Path) -> None:
    """``trail.json`` is read again when it is another file, or was changed; a verdict never rests on what it once was."""
    with UnauditedReader(clinic) as asked:
        assert "intact" == asked.verdict().integrity
        document = clinic / "trail.json"
        kept = document.read_bytes()
        document.write_bytes(kept.replace(b'"created"', b'"CREATED"'))
        assert "broken" == asked.verdict().integrity
        document.write_bytes(kept)
        assert "intact" == asked.verdict().integrity
        document.unlink()
        assert "broken" == asked.verdict().integrity
        assert 4 == len(list(asked.calls()))


def test_places_are_seen_as_writers_leave_them(clinic: Path, tmp_path: Path) -> None:
    """A trail that the same state came to know after the reader was opened is known to it, and a damaged file is a finding."""
    with OpenedTrail(clinic) as opened:
        assert 1 == len(opened.state.places())
        with Trail.open(tmp_path / "other", durability="os"):
            pass
        assert 2 == len(opened.state.places())
        (Path(opened.state.path) / "places").write_bytes(b"[")
        with UnauditedReader(clinic) as asked:
            assert "broken" == asked.verdict().integrity


def test_a_verdict_is_of_what_the_path_leads_to(clinic: Path) -> None:
    """Another trail that was put in the place is found, though the reader still has the first one open."""
    with UnauditedReader(clinic) as asked:
        clinic.rename(clinic.with_name("aside"))
        with Trail.open(clinic.with_name("forged"), state=clinic.with_name("forger"), durability="os") as forged:
            record(forged, call(1))
        shutil.move(clinic.with_name("forged"), clinic)
        assert "broken" == asked.verdict().integrity == verify(clinic).integrity
        assert 4 == len(list(asked.calls()))


def test_a_copy_becomes_the_trail_when_the_trail_is_gone(clinic: Path) -> None:
    """What lies at the old place decides between copy and move, each time that it changed."""
    copy = clinic.with_name("copy")
    shutil.copytree(clinic, copy)
    with OpenedTrail(copy) as opened:
        trail_id = opened.document.trail_id
        assert opened.head_view(trail_id, "general") is None
        shutil.rmtree(clinic)
        assert opened.head_view(trail_id, "general") is not None


def test_heads_are_never_kept(clinic: Path) -> None:
    """Each look at a head is as fresh as its question."""
    with OpenedTrail(clinic) as opened, Trail.open(clinic, durability="os") as trail:
        before = opened.head_view(opened.document.trail_id, "general")
        record(trail, call(9))
        after = opened.head_view(opened.document.trail_id, "general")
    assert before is not None
    assert after is not None
    assert 2 == after.head.written.lines - before.head.written.lines


# --- one class, one room


def test_no_class_is_cut_in_files_by_inheritance() -> None:
    """What reads is put together of parts: a base class of another module is a kind that there are several of, or an error."""
    from otel_tool_audit import access, review  # noqa: PLC0415 - modules to walk through

    kinds: set[type] = set()
    for package in (review, access):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            with contextlib.suppress(ImportError):  # of an extra that is not installed
                kinds |= {kind for kind in vars(importlib.import_module(found.name)).values() if isinstance(kind, type)}
    ours = {kind for kind in kinds if kind.__module__.startswith("otel_tool_audit.") and not issubclass(kind, Exception)}
    derived = [(kind, base) for kind in ours for base in kind.__bases__ if base in ours and base.__module__ != kind.__module__]
    several = Counter(base for _, base in derived)
    assert [] == [(kind.__qualname__, base.__qualname__) for kind, base in derived if several[base] == 1]
    assert {UnauditedReader, audit.TrailReader} <= ours
