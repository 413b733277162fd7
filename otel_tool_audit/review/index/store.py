"""
Copies of sealed segments that are quick to ask: Parquet files in a cache directory, one for each segment.

They are never evidence, and can be thrown away at any time. A copy is believed only if the note beside it carries a code (HMAC) under a
key from the state directory, and segment and copy are still the very files that the note names: same inode, size and time of change, which
nobody can set back; else by their SHA-256. Whatever differs is made anew. So who can write the cache can slow an answer down, not change it.

Without a key (a reader who may not write the state, a copy, read-only media without one) there is no index, and the trail is read instead.

Source: ARCHITECTURE.md, "Who can do what".
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import io
import os
import re
import time
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Final, NamedTuple

import orjson

from otel_tool_audit.format.line import whole_blocks
from otel_tool_audit.host.durable import Durability, replace_file
from otel_tool_audit.review.index.columns import INTEGER, NUMBER, TEXT, arrow
from otel_tool_audit.review.index.extract import KINDS, PLACES, ROW, Extraction
from otel_tool_audit.review.source.directory import Folder, Stamp, UnsafeFileError, pread, stamp_of
from otel_tool_audit.review.source.segments import digested, sha256_of
from otel_tool_audit.review.source.workers import Pool, Worker

VERSION: Final = 3
"""Of what a copy holds; another version is made anew."""

_DAY: Final = re.compile(rb'"timestamp":"(\d{4}-\d\d-\d\d)T')
_FIRST: Final = 1024
_WORTH_HELPERS: Final = 16 << 20
"""Bytes of segments from which on helpers pay: what was sealed since the last question is copied sooner than one has started."""
_SETTLED: Final = 0.05
"""Seconds after which a change of a file shows in its time of change, on every file system that we know."""
_GROUP: Final = 4096
Note = dict[str, Any]
"""What is written down beside a copy: see :meth:`IndexWorker.do`; then the copy's stamp, and a code."""
_REPEATING: Final = [name for name in (*ROW, "chain", "segment") if name not in {"call_id", "trace_id", "timestamp", "duration_ms", *PLACES}]


class IndexedSegment(NamedTuple):
    """
    A sealed segment.

    Attributes:
        chain: Its chain.
        name: Its file.
        end: Where its lines end, in bytes.
    """

    chain: str
    name: str
    end: int


class Copy(NamedTuple):
    """
    What is known of a sealed segment.

    Attributes:
        segment: Which.
        path: The Parquet file.
        rows: How many calls it holds.
        loose: Offsets and lengths of the lines that are in no row, in order.
        events: Likewise, of the lines of the trail's own life.
        stamp: Of the Parquet file.
        source: The stamp of the segment.
    """

    segment: IndexedSegment
    path: str
    rows: int
    loose: list[tuple[int, int]]
    events: list[tuple[int, int]]
    stamp: Stamp
    source: Stamp


class _Job(NamedTuple):
    chain: str
    name: str
    end: int
    target: str


class IndexWorker(Worker):
    """Copies segments."""

    job: ClassVar[Callable[..., Any]] = _Job

    def do(self, job: Any) -> dict[str, Any]:  # noqa: ANN401 - as Worker.do
        """
        Copy one segment.

        Returns:
            What its note says, without stamp and code of the copy.

        Raises:
            OSError: The segment changes, or cannot be read or copied.
        """
        with self._root.folder(job.chain) as folder, folder.opened(job.name) as descriptor:
            # of the descriptor, before and after: whatever lies at the name by then, these are the bytes that were read
            before = stamp_of(os.fstat(descriptor))
            found, digest = _extract(descriptor, job.end)
            if stamp_of(os.fstat(descriptor)) != before:
                raise OSError(f"{job.chain}/{job.name} changes while it is read")
        said = {"trail.segment": f"{job.chain}/{job.name}", "trail.segment.sha256": digest, "trail.segment.end": str(job.end)}
        data = to_parquet(found, IndexedSegment(job.chain, job.name, job.end), said)
        replace_file(job.target, [data], Durability.WHOLE)
        loose = sorted((*found.loose, *found.waiting()))
        return {
            "version": VERSION, "chain": job.chain, "name": job.name, "end": job.end, "sha256": digest, "source": before, "rows": len(found),
            "loose": [list(one) for one in loose], "events": [list(one) for one in found.events], "copy_sha256": hashlib.sha256(data).hexdigest(),
        }  # fmt: skip


def _extract(descriptor: int, end: int) -> tuple[Extraction, str]:
    found, digest = Extraction(), hashlib.sha256()
    at = 0
    # lines of any length, whole: where the next one begins is counted by them
    for block in whole_blocks(digested(descriptor, digest), 0, end, longest=end):
        at = found.feed(block.split(b"\n")[:-1], at)
    return found, digest.hexdigest()


def to_table(columns: Sequence[Sequence[Any]], chain: str, segment: str, metadata: dict[str, str] | None = None) -> Any:  # noqa: ANN401 - an Arrow table
    """Give columns of :data:`~otel_tool_audit.review.index.extract.ROW` as an Arrow table, with the ``chain`` and ``segment`` where they stand."""
    pa = arrow()
    types = {TEXT: pa.string(), INTEGER: pa.int64(), NUMBER: pa.float64()}
    fields = [*(pa.field(name, types[kind]) for name, kind in KINDS.items()), pa.field("chain", pa.string()), pa.field("segment", pa.string())]
    schema = pa.schema(fields, metadata=metadata)
    where = [pa.repeat(pa.scalar(text), len(columns[0])) for text in (chain, segment)]
    return pa.table([*(pa.array(column, type=field.type) for column, field in zip(columns, schema, strict=False)), *where], schema=schema)


def to_parquet(found: Extraction, segment: IndexedSegment, metadata: dict[str, str]) -> bytes:
    """
    Give the rows of a segment as a Parquet file.

    A conversation lies in one segment or two, a subject's calls lie in all of them: so rows are sorted by subject, in small groups whose
    smallest and largest subject the file names.
    """
    import pyarrow.parquet as pq  # noqa: PLC0415 - an extra

    rows = to_table(found.columns, segment.chain, segment.name, metadata).sort_by([("subject", "ascending"), ("last_at", "ascending")])
    data = io.BytesIO()
    pq.write_table(rows, data, compression="zstd", row_group_size=_GROUP, use_dictionary=_REPEATING)
    return data.getvalue()


class Index:
    """The copies of one trail's sealed segments."""

    def __init__(self, root: Folder, trail_id: str, directory: str, key: bytes) -> None:
        """
        Use a cache directory.

        Args:
            root: The trail's directory; stays the caller's.
            trail_id: 32 hex digits.
            directory: Where the copies lie; made when it is missing.
            key: Of the notes' codes.

        Raises:
            OSError: The directory cannot be made or used, or others may write to it.
            ValueError: The path has characters that stand for several paths.
        """
        self._root = root
        self._trail_id = trail_id
        self._key = key
        self._folder = os.path.join(os.path.realpath(directory), trail_id)
        if set(self._folder) & set("*?[]{}"):
            raise ValueError(f"the index cannot lie in {directory!r}: such a path stands for many")
        os.makedirs(self._folder, mode=0o700, exist_ok=True)
        found = os.stat(self._folder)
        if found.st_uid != os.geteuid() or found.st_mode & 0o022:
            raise PermissionError(f"the index {self._folder} belongs to another user, or others may write to it; name another one")
        self._known: dict[IndexedSegment, Copy] = {}
        self._days: dict[IndexedSegment, str] = {}

    def copies(self, segments: list[IndexedSegment], jobs: int = 1, progress: Callable[[int, int], None] | None = None) -> list[Copy]:
        """
        Give the copies of sealed segments, in their order; what is missing, stale or not ours is made.

        Args:
            segments: Of all chains.
            jobs: Processes that copy.
            progress: Told of segments copied and to copy.

        Raises:
            OSError: A segment cannot be read, or the cache cannot be written.
            UnsafeFileError: Likewise.
        """
        found = {segment: self._usable(segment) for segment in segments}
        # the same bytes in other files, such as a restored cache: settled with what is made, and looked at again before they are written down
        unsettled = {segment: copy for segment, copy in found.items() if isinstance(copy, dict)}
        missing = [segment for segment, copy in found.items() if copy is None]
        if missing:
            unsettled |= self._make(missing, jobs, progress)
        settled = self._settle(unsettled) if unsettled else {}
        self._known = settled | {segment: copy for segment, copy in found.items() if isinstance(copy, Copy)}
        return [self._known[segment] for segment in segments]

    def unchanged(self, copies: list[Copy]) -> bool:
        """Tell whether copies and segments are still the files that they were, after they were read."""
        return all(self._still(copy) for copy in copies)

    def _usable(self, segment: IndexedSegment) -> Copy | Note | None:
        known = self._known.get(segment)
        if known is not None and self._still(known):
            return known
        return self._from_note(segment)

    def _still(self, copy: Copy) -> bool:
        return _stamp(copy.path) == copy.stamp and self._source(copy.segment) == copy.source

    def _source(self, segment: IndexedSegment) -> Stamp | None:
        with contextlib.suppress(FileNotFoundError, UnsafeFileError), self._root.folder(segment.chain) as folder:
            return folder.stamp(segment.name)
        return None

    def _path(self, segment: IndexedSegment) -> str:
        if segment not in self._days:
            self._days[segment] = self._day(segment)
        return os.path.join(self._folder, f"class={segment.chain}", f"day={self._days[segment]}", segment.name.removesuffix(".jsonl") + ".parquet")

    def _day(self, segment: IndexedSegment) -> str:
        """Tell on which day a segment begins."""
        with self._root.folder(segment.chain) as folder, folder.opened(segment.name) as descriptor:
            found = _DAY.search(pread(descriptor, _FIRST, 0))
        return "unknown" if found is None else found[1].decode()

    def _from_note(self, segment: IndexedSegment) -> Copy | Note | None:
        """Believe the copy that a note of ours vouches for, give the note where its files are others now; None when there is none."""
        path = self._path(segment)
        try:
            note = orjson.loads(_read(path + ".note"))
            code = bytes.fromhex(note.pop("code"))
            if not hmac.compare_digest(code, self._code(note)):
                return None
            if (note["version"], note["chain"], note["name"], note["end"]) != (VERSION, *segment):
                return None
            return self._vouched(segment, path, note)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def _vouched(self, segment: IndexedSegment, path: str, note: Note) -> Copy | Note | None:
        stamp, source = _stamp(path), self._source(segment)
        if stamp is None or source is None:
            return None
        if stamp != note["stamp"] and hashlib.sha256(_read(path)).hexdigest() != note["copy_sha256"]:
            return None
        if source != note["source"] and self._digest(segment) != note["sha256"]:
            return None
        if (stamp, source) != (note["stamp"], note["source"]):
            return {**note, "source": source}
        return _copy(segment, path, note, stamp, source)

    def _digest(self, segment: IndexedSegment) -> str:
        with self._root.folder(segment.chain) as folder, folder.opened(segment.name) as descriptor:
            return sha256_of(descriptor, 0, segment.end)

    def _make(self, segments: list[IndexedSegment], jobs: int, progress: Callable[[int, int], None] | None) -> dict[IndexedSegment, Note]:
        notes: dict[IndexedSegment, Note] = {}
        for folder in {os.path.dirname(self._path(segment)) for segment in segments}:
            for private in (os.path.dirname(folder), folder):
                os.makedirs(private, mode=0o700, exist_ok=True)
        worth = sum(segment.end for segment in segments) >= _WORTH_HELPERS
        with Pool(self._root, min(jobs, len(segments)) if worth else 1, IndexWorker) as pool:
            for number, (job, note) in enumerate(pool.imap(_Job(*segment, self._path(segment)) for segment in segments), 1):
                notes[IndexedSegment(job.chain, job.name, job.end)] = note
                if progress is not None:
                    progress(number, len(segments))
        return notes

    def _settle(self, notes: dict[IndexedSegment, Note]) -> dict[IndexedSegment, Copy]:
        """Write down which files the copies are, once no later change can hide behind the same time of change."""
        time.sleep(_SETTLED)
        found = {}
        for segment, note in notes.items():
            path = self._path(segment)
            before = _stamp(path)
            if before is None or hashlib.sha256(_read(path)).hexdigest() != note["copy_sha256"] or _stamp(path) != before:
                raise OSError(f"{path} was changed while it was made")
            said = {**note, "stamp": before}
            # not synced: this is a cache, and what a crash leaves of it is noticed by its hash
            replace_file(path + ".note", [orjson.dumps({**said, "code": self._code(said).hex()})], Durability.WHOLE)
            found[segment] = _copy(segment, path, note, before, note["source"])
        return found

    def _code(self, note: dict[str, Any]) -> bytes:
        return hmac.digest(self._key, self._trail_id.encode() + orjson.dumps(note, option=orjson.OPT_SORT_KEYS), "sha256")


def _copy(segment: IndexedSegment, path: str, note: dict[str, Any], stamp: Stamp, source: Stamp) -> Copy:
    loose, events = ([(at, size) for at, size in note[name]] for name in ("loose", "events"))
    return Copy(segment, path, note["rows"], loose, events, stamp, source)


def _stamp(path: str) -> Stamp | None:
    try:
        return stamp_of(os.stat(path, follow_symlinks=False))
    except FileNotFoundError:
        return None


def _read(path: str) -> bytes:
    with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb") as file:
        return file.read()
