"""
Objects that describe a secret and hold none: JSON Schema, OpenAPI, models' fields, the configuration of authentication.

Source: JSON Schema 2020-12, "Validation" and "Meta-Data" vocabularies; OpenAPI 3.1, sections 4.8.24 (Schema) and 4.8.27 (Security Scheme).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from otel_tool_audit.redaction.keys import word_set

_SAYS: Final = word_set(
    "type $ref $schema $id $defs $comment definitions anyOf oneOf allOf not if then else format title description properties"
    " patternProperties additionalProperties required items prefixItems minItems maxItems uniqueItems minLength maxLength min_length"
    " max_length pattern nullable readOnly writeOnly read_only write_only deprecated minimum maximum multipleOf contentEncoding in"
    " name scheme bearerFormat flows flow clientCredentials authorizationCode implicit authorizationUrl tokenUrl refreshUrl scopes"
    " scope loc msg enabled disabled ttl expires expiry expires_in expiresIn expiration max_age maxAge min_age secure httpOnly"
    " http_only sameSite same_site path paths domain algorithm algorithms alg provider providers backend method methods mode policy"
    " rotation rotate rotation_days length min max uri url endpoint issuer audience strategy source engine version region location"
    " env env_var envFrom from secretKeyRef valueFrom configMapKeyRef secretName secret_name header headers prefix timeout retries"
    " retry cache driver store storage class kind label labels placeholder hint help visible hidden validate validation rules message"
    " messages autocomplete widget component order index width multiline optional allow_empty allowEmpty minLetters minDigits"
    " min_digits require_digits requireDigits requireUppercase require_uppercase requireSymbols require_symbols history lifetime"
    " leeway refresh auto_refresh autoRefresh count limit unit sensitive mandatory group groups role roles permissions display_name"
    " displayName annotations metadata docs example_count status state created_at createdAt updated_at updatedAt expires_at expiresAt"
    " last_used lastUsed rotated_at model_type field_type dtype constraints unique primary foreign nullable_ default_factory exclude"
    " repr init alias serialization_alias validation_alias discriminator frozen kw_only strict interval jitter backoff"
)
"""Keys of objects that describe; what stands under them is judged by its own name and look."""

_HOLDS: Final = word_set("default example examples const enum value defaultValue default_value fallback input")
"""Keys in such an object whose values may be a secret all the same."""

_KEY_IN_TEXT: Final = re.compile(
    r"[\"']([A-Za-z$_][\w$-]{0,40})\\{0,7}[\"']\s{0,4}:(\s{0,4}(?:[Nn]one|null|[Tt]rue|[Ff]alse|\"\"|''|\[\]|\{\})(?=\s{0,4}(?:[,}\]]|$)))?"
)


def describes(text: str) -> bool:
    """Tell whether the inside of an object or list, in text, has keys, and only such as describe."""
    keys = _KEY_IN_TEXT.findall(text)
    return bool(keys) and all(key in _SAYS or (nothing and key in _HOLDS) for key, nothing in keys)


def is_description(value: object) -> bool:
    """Tell whether an object under a secret's name describes it, at least in part: then it keeps its shape, and its leaves are judged."""
    if not isinstance(value, Mapping):
        return False
    return any(key in _SAYS or key in _HOLDS for key in value if type(key) is str) or (bool(value) and all(map(_is_switch, value.values())))


def holds_value(key: object) -> bool:
    """Tell whether what stands under a key of a describing object is judged as the secret itself."""
    return key not in _SAYS


def _is_switch(value: Any) -> bool:  # noqa: ANN401
    return value is None or isinstance(value, bool) or (isinstance(value, Mapping | list | tuple | str) and not value)
