"""
The exceptions of this package, all public.

    AuditError                 anything this package raises on purpose
    ├── AuditUnavailable       no durable record, so no call
    ├── TrailTampered          the files contradict what the writers remember
    ├── TrailCorrupt           the files are not a trail, or not a whole one
    │   └── RecordCorrupt      a record was held against its line and its neighbours, and does not hold
    ├── TrailUnreadable        something could not be read now, which says nothing of the trail
    ├── UnsupportedFormat      the trail was written by a newer version
    └── SettingsError          a setting, path or key that cannot be used

Every message says what happened, to what, and what to do next.
"""

from __future__ import annotations


class AuditError(Exception):
    """Root of everything this package raises on purpose."""


class AuditUnavailable(AuditError):
    """Nothing durable could be written, so the tool must not run (or, after it ran, its outcome is not on record)."""


class TrailTampered(AuditError):
    """The trail's files contradict the head its writers keep elsewhere; nobody appends until someone has looked."""


class TrailCorrupt(AuditError):
    """What lies in the directory is not a trail, or cannot be read as one."""


class RecordCorrupt(TrailCorrupt):
    """A record that was verified does not hold its hash, or does not stand where its neighbours say."""


class TrailUnreadable(AuditError):
    """The system could not read something (no descriptors, no memory, no permission, a bad disk): nothing is known of it, for good or for bad."""


class UnsupportedFormat(AuditError):
    """The trail, or a file of it, is of a format that only a newer version of this package knows."""


class SettingsError(AuditError):
    """A setting, a path or a key cannot be used as given; the message names it and its environment variable."""
