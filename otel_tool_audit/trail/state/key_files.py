"""
The keys of pseudonyms and digests: from the environment, else from the state directory.

Source: ARCHITECTURE.md, D8: a bare hash of a short value is reversed in a moment, so every digest is keyed.
"""

from __future__ import annotations

import os
from typing import Final

import orjson

from otel_tool_audit.errors import SettingsError
from otel_tool_audit.keys.digest import Key, pseudonym_key
from otel_tool_audit.settings import MINIMUM_KEY
from otel_tool_audit.trail.state.directory import KEYS, State

_FILE: Final = "pseudonym"
_TENANTS: Final = "tenants"


def given_key(text: str) -> Key:
    """
    Make a key of what OTEL_TOOL_AUDIT_PSEUDONYM_KEY holds.

    Args:
        text: Any text of at least 16 characters, better 32 random bytes in hex.

    Raises:
        SettingsError: It is shorter.
    """
    if len(text) < MINIMUM_KEY:
        message = (
            f"OTEL_TOOL_AUDIT_PSEUDONYM_KEY has {len(text)} characters, at least {MINIMUM_KEY} are needed; `openssl rand -hex 32` makes a good one"
        )
        raise SettingsError(message)
    return pseudonym_key(text)


def state_keys(state: State, *, create: bool) -> tuple[Key, ...]:
    """
    Read the keys of a state directory, the current one first.

    Args:
        state: Open; its lock is held when *create*.
        create: Make a first key where there is none.

    Raises:
        SettingsError: The file is there and cannot be read as keys.
    """
    directory = state.directory.open_directory(KEYS)
    try:
        if not directory.exists(_FILE):
            if not create:
                return ()
            secret = os.urandom(32)
            directory.replace_file(_FILE, orjson.dumps([{"id": given_key(secret.hex())[0], "secret": secret.hex()}]))
        found = orjson.loads(directory.read_file(_FILE))
        return tuple((str(k["id"]), str(k["secret"]).encode()) for k in found)
    except (ValueError, KeyError, TypeError) as error:
        message = f"{directory.path}/{_FILE} cannot be read as keys: restore it from your backup of keys, or pseudonyms change"
        raise SettingsError(message) from error
    finally:
        directory.close()


def keep_tenant(state: State, tenant: str) -> None:
    """
    Keep the name of a tenant beside the keys: who asks for a subject later need not know which tenant's it is.

    Args:
        state: Open, its lock held.
        tenant: Part of every pseudonym's input from now on.

    Raises:
        SettingsError: The file is there and cannot be read as tenants.
    """
    directory = state.directory.open_directory(KEYS)
    try:
        known = orjson.loads(directory.read_file(_TENANTS)) if directory.exists(_TENANTS) else []
        if not isinstance(known, list):
            raise TypeError(_TENANTS)
        if tenant not in known:
            directory.replace_file(_TENANTS, orjson.dumps([*known, tenant]))
    except (ValueError, TypeError) as error:
        message = f"{directory.path}/{_TENANTS} cannot be read as a list of tenants: restore it from your backup of keys"
        raise SettingsError(message) from error
    finally:
        directory.close()
