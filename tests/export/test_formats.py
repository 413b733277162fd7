"""The registry of formats: one more is one more value, and every format gives back the calls that it was given."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from made_calls import Printed

from otel_tool_audit.errors import SettingsError
from otel_tool_audit.export import files as files_module
from otel_tool_audit.export import formats
from otel_tool_audit.export.files import Stored
from otel_tool_audit.export.formats import FORMATS, ExportFormat
from otel_tool_audit.review.reader import UnauditedReader

Command = Callable[..., Printed]


def encode(calls: Sequence[Mapping[str, Any]]) -> bytes:
    return b"".join(f"{call['chain']}\t{json.dumps(call)}\n".encode() for call in calls)


def decode(path: str) -> Iterator[Stored]:
    lines = Path(path).read_text(encoding="utf-8").splitlines()
    assert "# calls" == lines[0]
    for line in lines[1:]:
        fields = json.loads(line.partition("\t")[2])
        yield Stored(fields, fields["seq"], fields["records"])


MADE_UP = ExportFormat("tabbed", encode, decode, lambda call: json.loads(json.dumps(call)), header=b"# calls\n")


@pytest.fixture
def tabbed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formats, "FORMATS", (*FORMATS, MADE_UP))


@pytest.mark.usefixtures("tabbed")
def test_a_format_that_is_added_can_be_exported_and_checked(command: Command, trail: Path, tmp_path: Path) -> None:
    """The command writes it and checks it against its manifest and its trail; a row that says something else is found."""
    out = tmp_path / "out"
    assert 0 == command("export", trail, "--format", "tabbed", "-o", out).code
    assert ["calls.tabbed", "manifest.json"] == sorted(path.name for path in out.iterdir())
    checked = command("export", trail, "--check", out)
    assert (0, True) == (checked.code, "40 calls, as the manifest counts" in checked.out)
    told = (out / "calls.tabbed").read_bytes()
    (out / "calls.tabbed").write_bytes(told.replace(b"patient-3", b"patient-4", 1) if b"patient-3" in told else told.replace(b"psn:", b"PSN:", 1))
    assert 1 == command("export", trail, "--check", out).code


@pytest.mark.usefixtures("tabbed")
def test_calls_are_given_in_a_format_that_is_added(command: Command, trail: Path, tmp_path: Path) -> None:
    """A result for other programs can have it, too: by its name, or by the file's."""
    expected = b"# calls\n" + b"".join(encode([call]) for call in UnauditedReader(trail).calls())
    for arguments in (["--format", "tabbed", "-o", tmp_path / "one"], ["-o", tmp_path / "two.tabbed"]):
        assert 0 == command("calls", trail, *arguments).code
        assert expected == Path(arguments[-1]).read_bytes()


@pytest.mark.usefixtures("tabbed")
def test_an_interrupted_export_of_a_format_that_is_added_goes_on(
    command: Command, trail: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What stood at the last mark stays, and the whole is the same file."""
    assert 0 == command("export", trail, "--format", "tabbed", "-o", tmp_path / "whole").code
    monkeypatch.setattr("otel_tool_audit.export.run._BATCH", 7)
    monkeypatch.setattr(files_module, "_GROUP", 7)
    given = iter(range(2))

    def cut(calls: Sequence[Mapping[str, Any]]) -> bytes:
        if next(given, None) is None:
            raise OSError(28, "No space left on device")
        return encode(calls)

    broken = ExportFormat("tabbed", cut, decode, MADE_UP.row, header=MADE_UP.header)
    with monkeypatch.context() as patched:
        patched.setattr(formats, "FORMATS", (*FORMATS, broken))
        assert 2 == command("export", trail, "--format", "tabbed", "-o", tmp_path / "cut", "--until", "2100").code
    assert 14 == json.loads((tmp_path / "cut" / "unfinished.json").read_bytes())["count"]
    assert 0 == command("export", trail, "--format", "tabbed", "-o", tmp_path / "cut", "--until", "2100").code
    assert (tmp_path / "whole" / "calls.tabbed").read_bytes() == (tmp_path / "cut" / "calls.tabbed").read_bytes()


@pytest.mark.parametrize("name", formats.names())
def test_every_format_gives_back_what_it_was_given(trail: Path, tmp_path: Path, name: str) -> None:
    """A file's rows, read back, are what the format says that it reads of each call."""
    if name == "parquet":
        pytest.importorskip("pyarrow")
    found = list(UnauditedReader(trail).calls())
    path = tmp_path / f"calls.{name}"
    path.write_bytes(b"".join(formats.pieces(name, found)))
    rows = list(formats.named(name).decode(str(path)))
    assert [dict(formats.named(name).row(call)) for call in found] == [dict(row.fields) for row in rows]
    assert [(call["seq"], list(call["records"])) for call in found] == [(row.seq, row.records) for row in rows]


def test_a_format_that_does_not_exist_is_named(trail: Path, tmp_path: Path) -> None:
    """Whoever names another one is told which there are, from Python as on the command line."""
    with pytest.raises(SettingsError, match="there is no format 'orc': use jsonl, csv or parquet"):
        formats.named("orc")


def test_a_manifest_of_an_unknown_format_is_checked_as_far_as_can_be(command: Command, trail: Path, tmp_path: Path) -> None:
    """The files are still held against their digests; that the rows could not be read is said."""
    out = tmp_path / "out"
    assert 0 == command("export", trail, "-o", out).code
    manifest = json.loads((out / "manifest.json").read_bytes())
    (out / "manifest.json").write_text(json.dumps({**manifest, "format": "orc"}))
    checked = command("export", "--check", out)
    assert 0 == checked.code
    assert "✓ 1 file, each with its SHA-256" in checked.out
    assert "what the rows say: they cannot be read as orc (there is no format 'orc': use jsonl, csv or parquet)" in checked.out
