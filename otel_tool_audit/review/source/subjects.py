"""
Finding a subject that is stored as a pseudonym: whoever asks with the raw value and has a key, finds it.

Source: ARCHITECTURE.md, D8.
"""

from __future__ import annotations

from otel_tool_audit.keys.digest import pseudonym_key
from otel_tool_audit.review.source.state import StateView
from otel_tool_audit.settings import Settings


def stored_forms(subject: str, state: StateView) -> frozenset[str]:
    """
    List what a subject may look like in records: under every key, for every tenant that writers named.

    Args:
        subject: In clear, or as a pseudonym.
        state: The state directory, for its keys; a key in the environment counts, too.
    """
    from otel_tool_audit.keys.pseudonyms import Keyring  # noqa: PLC0415 - most readers never ask for a subject

    settings = Settings.resolve()
    keys = state.keys()
    if settings.pseudonym_key:
        keys = (pseudonym_key(settings.pseudonym_key), *keys)
    tenants = {"", settings.tenant, *state.tenants()}
    return frozenset({subject, *(form for tenant in tenants for form in Keyring(keys, tenant).candidates(subject, "subject"))})
