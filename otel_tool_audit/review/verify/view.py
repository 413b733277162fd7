"""What is known of a trail while it is verified: one view, which every check looks at and none reads anew."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

from otel_tool_audit.format.head import Head
from otel_tool_audit.format.names import valid_chain
from otel_tool_audit.record.witnesses import Witnesses
from otel_tool_audit.review.source.chain_end import HeadView
from otel_tool_audit.review.source.directory import Folder
from otel_tool_audit.review.source.location import Relation
from otel_tool_audit.review.source.state import StateView
from otel_tool_audit.review.verify.chain import ChainResult
from otel_tool_audit.review.verify.chain_summary import Event
from otel_tool_audit.review.verify.findings import Findings
from otel_tool_audit.review.verify.identity import Identity


@dataclass
class TrailView:
    """
    A trail while it is verified.

    Attributes:
        root: The trail's directory.
        path: Where it lies.
        found: What the trail is.
        state: The writers' state directory.
        findings: Takes what is found.
        folders: The chains that were there before anything was read.
        heads: The heads, as each chain was read with it.
        witnesses: What others say of each chain, and which chains were created.
        seen_in: The epoch in which an earlier reader saw each chain.
        events: The records of chain ``trail``, with their seqs.
        chains: The chains that were read, by name.
        unread: Chains that are there and that the host did not let be read.
    """

    root: Folder
    path: str
    found: Identity
    state: StateView
    findings: Findings
    folders: list[str] = field(default_factory=list)
    heads: dict[str, Head] = field(default_factory=dict)
    witnesses: Witnesses = field(default_factory=Witnesses)
    seen_in: dict[str, int] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    chains: list[ChainResult] = field(default_factory=list)
    unread: set[str] = field(default_factory=set)

    @property
    def knows(self) -> bool:
        """Whether the state directory's heads speak for the files here."""
        return self.found.relation in {Relation.OWN, Relation.MOVED}

    @cached_property
    def heads_outside(self) -> set[str]:
        """The chains that have a head now."""
        return set(self.state.head_names(self.found.trail_id)) if self.knows else set()

    def head_of(self, name: str) -> Head | None:
        """Read a chain's head; None when none speaks for it."""
        return self.state.head(self.found.trail_id, name) if self.knows and valid_chain(name) else None

    def head_view_of(self, name: str) -> HeadView | None:
        """Read a chain's head and what else decides where it ends; None when no head speaks for it."""
        return self.state.head_view(self.found.trail_id, name) if self.knows and valid_chain(name) else None
