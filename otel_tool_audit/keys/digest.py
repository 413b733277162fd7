"""
Keyed digests: what stands for a value that is not kept.

A bare hash of a short value is reversed by trying all values; a keyed one is not, without the key.

Source: RFC 2104 (HMAC), FIPS 180-4 (SHA-256).
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Final

Key = tuple[str, bytes]
"""A key's id and its secret."""

_LABEL: Final = b"otel-tool-audit pseudonym key id\x00"


def pseudonym_key(secret: str) -> Key:
    """
    Make a key of a secret.

    Its id is a digest of the secret under a fixed label: the same secret has the same id on every host, and a secret of full strength is not given away by it.

    Args:
        secret: As it was given, or as the state directory has it.
    """
    data = secret.encode()
    return hashlib.sha256(_LABEL + data).hexdigest()[:16], data


def keyed_digest(key: Key, data: bytes) -> str:
    """Digest *data*: ``hmac-sha256:<key id>:<64 hex digits>``."""
    return f"hmac-sha256:{key[0]}:{hmac.digest(key[1], data, 'sha256').hex()}"
