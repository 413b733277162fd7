"""
Keyed digests and pseudonyms: values that can be compared without being kept.

Source: ARCHITECTURE.md, D8; RFC 2104 (HMAC). A bare hash of a five-digit record number is reversed in 0.03 s.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Sequence
from typing import Final

from otel_tool_audit.errors import SettingsError
from otel_tool_audit.keys.digest import Key, keyed_digest

_PSEUDONYM: Final = re.compile(r"psn:[^:\s]{1,64}:[0-9a-f]{32}")


class Keyring:
    """The keys of one deployment, the current one first."""

    def __init__(self, keys: Sequence[Key] = (), tenant: str = "") -> None:
        """
        Hold the keys.

        Args:
            keys: Key ids and secrets; empty: digests are None and pseudonyms an error.
            tenant: Whose values these are: the same value of two tenants has two pseudonyms.
        """
        self._keys = tuple(keys)
        self._tenant = tenant

    @property
    def has_key(self) -> bool:
        """Whether there is a key."""
        return bool(self._keys)

    def digest(self, data: bytes) -> str | None:
        """Digest *data* with the current key: ``hmac-sha256:<key id>:<hex>``; None where there is no key."""
        return keyed_digest(self._keys[0], data) if self._keys else None

    def pseudonym(self, value: str, kind: str) -> str:
        """
        Make the pseudonym of a value: ``psn:<key id>:<32 hex digits>``.

        Args:
            value: What must not be stored.
            kind: What it is (``subject``, ``email``, …), not what some tool calls it, or one patient becomes two.

        Raises:
            SettingsError: There is no key.
        """
        if not self._keys:
            message = "a pseudonym needs a key: set OTEL_TOOL_AUDIT_PSEUDONYM_KEY (`openssl rand -hex 32`), or use a state directory"
            raise SettingsError(message)
        return self._under(self._keys[0], value, kind)

    def candidates(self, value: str, kind: str) -> tuple[str, ...]:
        """Make the pseudonyms of a value under all keys there are, so that a reader finds what an older key wrote."""
        return tuple(self._under(key, value, kind) for key in self._keys)

    def _under(self, key: Key, value: str, kind: str) -> str:
        # each part with its length: no two different inputs run together into one
        parts = [part.encode("utf-8", "surrogatepass") for part in (key[0], self._tenant, kind, value)]
        data = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
        return f"psn:{key[0]}:{hmac.digest(key[1], data, 'sha256').hex()[:32]}"


def is_pseudonym(text: str) -> bool:
    """Tell whether *text* is a pseudonym already."""
    return _PSEUDONYM.fullmatch(text) is not None
