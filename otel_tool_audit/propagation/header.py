"""
Attribution between processes: one header, signed with a key that both sides share.

    tool-audit-attribution: 1.<key id>.<payload, base64url>.<HMAC-SHA-256, base64url>

The payload is a JSON object: fields of ``attribution()``, ``metadata``, and ``iat`` and ``exp`` (seconds since the Unix
epoch). Without a key, key id and signature are empty, and the receiver keeps the values as ``claimed``, as it does when
the signature is wrong or its time is over.

Source: ARCHITECTURE.md, R9; RFC 2104 (HMAC); RFC 4648, section 5 (base64url).
"""

from __future__ import annotations

import base64
import binascii
import hmac
import time
from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Any, Final

import orjson
from opentelemetry import context as otel
from opentelemetry import propagate
from opentelemetry.context.context import Context
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.propagators.textmap import CarrierT, Getter, Setter, TextMapPropagator, default_getter, default_setter

from otel_tool_audit.errors import SettingsError
from otel_tool_audit.format.nesting import read_json
from otel_tool_audit.propagation.context import FIELDS, KEY, Attribution, checked, current, current_context

HEADER: Final = "tool-audit-attribution"
LIFETIME: Final = 300
"""Seconds for which a header holds: longer than a request takes, too short to be worth stealing."""

CLOCK_SKEW: Final = 60
"""Seconds by which the sender's clock may be ahead."""

LONGEST: Final = 8192
"""Bytes of a header that are looked at: the usual limit of servers for one field."""

_VERSION: Final = "1"
_PARTS: Final = 4


class AttributionHeader(TextMapPropagator):
    """Writes and reads the header; a propagator of OpenTelemetry, and useful by hand."""

    def __init__(self, keys: Sequence[str] = (), *, unsigned: bool = True, clock: Callable[[], float] = time.time) -> None:
        """
        Prepare the keys.

        Args:
            keys: Shared secrets; the first signs, all verify.
            unsigned: Whether the header is written without a key, too. The global propagator does not: it would tell every server
                that this process asks something who its users are, and nobody could rely on it.
            clock: Seconds since the Unix epoch.
        """
        self._writes = unsigned or bool(keys)
        self._keys = {_key_id(key.encode()): key.encode() for key in keys}
        self._clock = clock

    @property
    def fields(self) -> set[str]:
        """The header's name, as propagators tell it."""
        return {HEADER}

    def inject(self, carrier: CarrierT, context: Context | None = None, setter: Setter[CarrierT] = default_setter) -> None:
        """
        Write the current attribution into the headers of an outgoing request.

        Args:
            carrier: The headers.
            context: Take the attribution from there instead of the current context.
            setter: How a header is set.
        """
        known = current(current_context(context))
        if self._writes and (known.values or known.metadata):
            setter.set(carrier, HEADER, self.encode(known))

    def extract(self, carrier: CarrierT, context: Context | None = None, getter: Getter[CarrierT] = default_getter) -> Context:
        """
        Read the header of an incoming request; never raises.

        Args:
            carrier: The headers.
            context: The context to add to; else the current one.
            getter: How a header is read.

        Returns:
            A context in which the attribution holds, or in which it stands as ``claimed``.
        """
        found = getter.get(carrier, HEADER)
        if context is None:
            context = otel.get_current()
        if not found:
            return context
        # a header that came twice is two stories, of which none can be believed
        joined = ",".join(found)
        return otel.set_value(KEY, self.decode(joined, current(context)), context)

    def encode(self, known: Attribution) -> str:
        """Write an attribution as the header's value."""
        now = int(self._clock())
        payload = {name: known.values[name] for name in FIELDS if name in known.values}
        payload.update(metadata=dict(known.metadata), iat=now, exp=now + LIFETIME)
        body = _base64(orjson.dumps(payload, default=str, option=orjson.OPT_NON_STR_KEYS))
        for key_id, key in self._keys.items():
            signed = f"{_VERSION}.{key_id}.{body}"
            return f"{signed}.{_base64(_signature(key, signed))}"
        return f"{_VERSION}..{body}."

    def decode(self, header: str, known: Attribution) -> Attribution:
        """
        Read the header's value.

        Args:
            header: The value as received.
            known: What holds already; it is kept where the header says nothing.
        """
        payload, reason = self._opened(header)
        if reason is None:
            try:
                values = checked({name: payload.get(name) for name in FIELDS})
            except SettingsError:
                reason = "invalid"
            else:
                metadata = payload.get("metadata")
                return known.joined(values, metadata if isinstance(metadata, dict) else {})
        said = {name: value for name, value in payload.items() if name not in ("iat", "exp") and value not in (None, {})}
        return known.joined({}, {}, {"header": {"reason": reason, **said}})

    def _opened(self, header: str) -> tuple[dict[str, Any], str | None]:
        """Take a header apart: what it says, and why that is only claimed (None: it is signed and holds)."""
        parts = header.split(".") if len(header) <= LONGEST else []
        payload = _payload(parts[2]) if len(parts) == _PARTS and parts[0] == _VERSION else None
        if payload is None:
            return {}, "malformed"
        key = self._keys.get(parts[1])
        if not parts[3]:
            return payload, "unsigned"
        if key is None:
            return payload, "unknown key"
        expected = _base64(_signature(key, ".".join(parts[:3])))
        if not hmac.compare_digest(expected.encode(), parts[3].encode(errors="replace")):
            return payload, "bad signature"
        issued, expires, now = payload.get("iat"), payload.get("exp"), self._clock()
        if not isinstance(issued, int) or not isinstance(expires, int) or not issued - CLOCK_SKEW <= now <= expires:
            return payload, "expired"
        return payload, None


def keys_in(setting: str | None) -> tuple[str, ...]:
    """Read the keys of a setting, which are separated by commas."""
    return tuple(key.strip() for key in (setting or "").split(",") if key.strip())


def join_global(keys: Sequence[str]) -> Callable[[], None]:
    """
    Have the process' propagator carry the header, too: then whatever writes requests by it hands the attribution on, MCP's SDK included.

    Args:
        keys: Shared secrets; without one nothing is written, and what is received is only claimed.

    Returns:
        What undoes it, unless another library has put its own propagator in place meanwhile.
    """
    before = propagate.get_global_textmap()
    joined = CompositePropagator([before, AttributionHeader(keys, unsigned=False)])
    propagate.set_global_textmap(joined)

    def leave() -> None:
        if propagate.get_global_textmap() is joined:
            propagate.set_global_textmap(before)

    return leave


def _payload(text: str) -> dict[str, Any] | None:
    try:
        value = read_json(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (ValueError, binascii.Error):
        return None
    return value if isinstance(value, dict) else None


def _signature(key: bytes, signed: str) -> bytes:
    # the header's name is part of what is signed: a signature made for something else with this key is none here
    return hmac.new(key, f"{HEADER}\n{signed}".encode(), sha256).digest()


def _key_id(key: bytes) -> str:
    return hmac.new(key, f"{HEADER} key id".encode(), sha256).hexdigest()[:8]


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
