"""
What an export is: ``manifest.json`` beside its files, by which a reviewer checks what he was given.

The manifest vouches for the files; the trail vouches for the manifest: its chain ``trail`` holds the manifest's SHA-256, where whoever
exported could write there.

Source: FORMAT.md, section 4 (``trail.exported``).
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from otel_tool_audit.errors import TrailCorrupt, UnsupportedFormat
from otel_tool_audit.export.files import File
from otel_tool_audit.format.nesting import read_json
from otel_tool_audit.review.verify.findings import Verification

NAME: Final = "manifest.json"
VERSION: Final = 1
_LARGEST: Final = 16 << 20
LEVELS: Final = 16
"""How deep a manifest, and the note of an export under way, may be nested."""

_FINDINGS: Final = 100


@dataclass(frozen=True, slots=True)
class Manifest:
    """What was exported, from where, for whom, and how the trail stood."""

    tool: str
    """Name and version of what wrote it."""
    made: str
    """When, UTC."""
    who: Mapping[str, Any]
    """Who exported: the account, the host, and the name he gave."""
    reason: str | None
    """Why, as he said."""
    trail_id: str
    """Of which trail, 32 hex digits."""
    path: str
    """Where it lay."""
    filters: Mapping[str, Any]
    """What was asked for; a subject as it is stored."""
    format: str
    """The name of one of :data:`~otel_tool_audit.export.formats.FORMATS`."""
    count: int
    """Calls in all files."""
    first_timestamp: str | None
    """When the first of them started, UTC."""
    last_timestamp: str | None
    """When the last of them started, UTC."""
    files: Sequence[File]
    """The files, in order."""
    verdict: Mapping[str, Any]
    """What verifying the trail gave when the export began."""
    heads: Mapping[str, Any]
    """Of each chain then: ``count`` (the next seq) and ``hash`` of its last record."""
    missing: Sequence[str]
    """What could not be read, or told; empty when nothing is."""
    recorded: str | None
    """Address of the record that says that this export began, or None."""
    not_recorded: str | None
    """Why there is none."""

    def dump(self) -> bytes:
        """Write it as its file holds it."""
        fields = asdict(self) | {"files": [file._asdict() for file in self.files]}
        return json.dumps({"manifest": VERSION, **fields}, ensure_ascii=False, indent=2, default=str).encode("utf-8", "backslashreplace") + b"\n"


def verdict_of(found: Verification) -> tuple[dict[str, Any], dict[str, Any]]:
    """
    Give what a manifest says of a verification: the verdict, and the heads.

    Args:
        found: What ``verify`` found.
    """
    verdict = {
        "integrity": found.integrity, "completeness": found.completeness, "records": found.records,
        "findings": [f"{finding.where}: {finding.message} [{finding.check}]" for finding in found.findings[:_FINDINGS]],
        "findings_in_all": len(found.findings), "doubts": found.doubts, "gaps": found.gaps,
    }  # fmt: skip
    return verdict, {name: {"count": chain["count"], "hash": chain["hash"]} for name, chain in sorted(found.chains.items())}


def load(folder: str) -> tuple[Manifest, bytes]:
    """
    Read the manifest of an export.

    Args:
        folder: The export's directory.

    Returns:
        The manifest, and its bytes.

    Raises:
        TrailCorrupt: There is none, or it cannot be read as one.
        UnsupportedFormat: A newer version wrote it.
    """
    path = os.path.join(folder, NAME)
    try:
        with open(path, "rb") as file:
            data = file.read(_LARGEST)
        fields = read_json(data, most=LEVELS, loads=json.loads)
        version = fields.pop("manifest")
        if isinstance(version, int) and version > VERSION:
            raise UnsupportedFormat(f"{path} is of version {version}; this version reads up to {VERSION}: use a newer otel-tool-audit")
        fields["files"] = [File(str(f["name"]), int(f["rows"]), int(f["bytes"]), str(f["sha256"])) for f in fields["files"]]
        return Manifest(**fields), data
    except FileNotFoundError as error:
        raise TrailCorrupt(f"{folder} holds no {NAME}; an export that was interrupted goes on when its command is given again") from error
    except OSError as error:
        raise TrailCorrupt(f"{path} cannot be read ({error.strerror})") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise TrailCorrupt(f"{path} is no manifest of an export ({type(error).__name__}: {error})") from error
