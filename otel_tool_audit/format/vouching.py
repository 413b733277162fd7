"""
Vouching for lines: a line's salt is a keyed digest of the line, so that only who has the key can add one. Pure.

Source: FORMAT.md, section 2 ("salt"); RFC 2104 (HMAC); FIPS 180-4 (SHA-256).
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Final

KEY_BYTES: Final = 32
"""Length of a vouching key."""

KEY_ID_BYTES: Final = 8
"""Length of its id."""

NO_SALT: Final = "0" * 32
"""What stands in the place of a salt until the line's place in its chain is known, and while it is computed."""

_LABEL: Final = b"otel-tool-audit vouching key id\x00"
_SALT: Final = b',"salt":"'
_BLOCK: Final = 64
_ZEROS: Final = NO_SALT.encode()


def parse_key(data: bytes) -> bytes:
    """
    Read a file that holds a vouching key.

    Raises:
        ValueError: It holds none.

    Source: FORMAT.md, section 1 (``vouching-key``).
    """
    key = bytes.fromhex(data.removesuffix(b"\n").decode("ascii"))
    if len(key) != KEY_BYTES:
        message = f"{len(key)} bytes instead of {KEY_BYTES}"
        raise ValueError(message)
    return key


class Voucher:
    """
    A vouching key, ready for use.

    Attributes:
        id: The key's id, 8 bytes.
    """

    def __init__(self, key: bytes) -> None:
        """
        Take a key.

        Args:
            key: 32 bytes.
        """
        self.id = hashlib.sha256(_LABEL + key).digest()[:KEY_ID_BYTES]
        # hmac.new() would hash both padded keys again for every line, which is half of what a short line costs
        padded = key.ljust(_BLOCK, b"\x00")
        self._inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in padded))
        self._outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in padded))

    def vouch(self, body: bytes) -> bytes:
        """
        Put the salt in its place.

        Args:
            body: A record's body with :data:`NO_SALT` in the place of its salt.
        """
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(body)
        outer.update(inner.digest())
        at = body.index(_SALT) + len(_SALT)
        return b"%b%b%b" % (body[:at], outer.hexdigest()[:32].encode(), body[at + 32 :])

    def vouches_for(self, body: bytes) -> bool:
        """Tell whether a body's salt is the one that this key makes for it."""
        at = body.find(_SALT) + len(_SALT)
        if at < len(_SALT) or len(body) < at + 32:
            return False
        return hmac.compare_digest(self.vouch(body[:at] + _ZEROS + body[at + 32 :]), body)
