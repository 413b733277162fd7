"""
Keyed digests: what stands for a value that is not kept.

A bare hash of a short value is reversed by trying all values; a keyed one is not, without the key.

Source: RFC 2104 (HMAC), FIPS 180-4 (SHA-256).
"""

from __future__ import annotations

import hmac

Key = tuple[str, bytes]
"""A key's id and its secret."""


def keyed_digest(key: Key, data: bytes) -> str:
    """Digest *data*: ``hmac-sha256:<key id>:<64 hex digits>``."""
    return f"hmac-sha256:{key[0]}:{hmac.digest(key[1], data, 'sha256').hex()}"
