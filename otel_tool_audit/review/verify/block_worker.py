"""Checking blocks of a segment, here or in helper processes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Final, NamedTuple

from otel_tool_audit.format.names import parse_segment_name
from otel_tool_audit.review.source.directory import pread
from otel_tool_audit.review.source.segments import sha256_of
from otel_tool_audit.review.source.workers import Worker
from otel_tool_audit.review.verify.blocks import Block, check_block
from otel_tool_audit.review.verify.strict import Place

BLOCK: Final = 1 << 20
"""Bytes that are checked in one piece; a block is as much longer as its last line needs."""


class BlockJob(NamedTuple):
    """
    A piece of work.

    Attributes:
        chain: The chain's directory in the trail.
        name: The segment.
        start: First byte.
        stop: The byte after the last.
        deep: Parse every line strictly.
        digest: Hash the bytes instead of checking lines.
    """

    chain: str
    name: str
    start: int
    stop: int
    deep: bool
    digest: bool = False

    def check(self, data: bytes) -> Block | None:
        """
        Check its lines.

        Args:
            data: The bytes from ``start`` on, to the end of a line.

        Returns:
            What :func:`check_block` says.
        """
        if not self.deep:
            return check_block(data)
        _, attempt = parse_segment_name(self.name) or (0, 0)
        return check_block(data, deep=Place(self.chain) if self.start else Place.first(self.chain, attempt))


class BlockWorker(Worker):
    """Checks blocks of lines, or hashes them."""

    job: ClassVar[Callable[..., Any]] = BlockJob

    def do(self, job: Any) -> Any:  # noqa: ANN401 - as Worker.do
        """
        Check one block.

        Args:
            job: A :class:`BlockJob`.

        Returns:
            What :func:`check_block` says, or the SHA-256 in hex.

        Raises:
            UnsafeFileError: The file is not what it was.
            TrailUnreadable: It could not be read.
        """
        descriptor = self._descriptor(job.chain, job.name)
        if not job.digest:
            return job.check(pread(descriptor, job.stop - job.start, job.start))
        return sha256_of(descriptor, job.start, job.stop)
