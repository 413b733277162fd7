"""
What the writers' state directory says of a trail, as a reader sees it. Nothing is locked, nothing but the reader's own memory is written.

Source: FORMAT.md, sections 1, 4 and 5; PROTOCOL.md, "Files", rules 5 and 8.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import time
from collections.abc import Iterator
from typing import Any, Final, NamedTuple, Self

from otel_tool_audit import settings
from otel_tool_audit.errors import TrailUnreadable
from otel_tool_audit.format.head import HEAD_BYTES, Head, generations
from otel_tool_audit.format.names import PRIVATE_STATE, valid_chain, valid_trail_id
from otel_tool_audit.format.nesting import read_json
from otel_tool_audit.format.vouching import Voucher, parse_key
from otel_tool_audit.host.durable import Durability, replace_file
from otel_tool_audit.host.locks import is_held
from otel_tool_audit.host.machine import boot_id
from otel_tool_audit.review.source.chain_end import HeadView
from otel_tool_audit.review.source.directory import Folder, Stamp, UnsafeFileError, pread, reading

_INDEX_KEY: Final = "index-key"
_KEY_BYTES: Final = 32
_MEMORY_LEVELS: Final = 8
_TORN_TRIES: Final = 5
_TORN_SECONDS: Final = 0.005


class KnownDocument(NamedTuple):
    """A ``trail.json`` as the state remembers it."""

    sha256: str
    text: str


class KnownPlace(NamedTuple):
    """Where a trail lies, as the state remembers it (FORMAT.md, section 4)."""

    trail_id: str
    resolved: str
    device: int
    inode: int
    creating: bool
    documents: tuple[KnownDocument, ...]


class StateView:
    """
    A state directory, as far as this reader may read it.

    Attributes:
        path: Where it lies.
        id: Its id; None when there is no file that holds just that.
        private: Whether it lies inside the trail (state ``none``): then it protects against crashes only.
        trouble: Why it cannot be read, or None.
        owner: User id it belongs to, or None.
    """

    def __init__(self, path: str, *, private: bool = False) -> None:
        self.path = path
        self.private = private
        self.id: str | None = None
        self.trouble: str | None = None
        self.owner: int | None = None
        self._folder: Folder | None = None
        self._living: dict[str, bool] = {}
        self._places: tuple[Stamp, list[KnownPlace]] | None = None
        try:
            self._folder = Folder.at(os.path.realpath(path))
            self.owner = self._folder.owner
            with contextlib.suppress(FileNotFoundError, UnsafeFileError):
                found = self._folder.read("id").decode("ascii", "replace").removesuffix("\n")
                self.id = found if valid_trail_id(found) else None
        except FileNotFoundError:
            self.trouble = f"there is no state directory {path}"
        except UnsafeFileError as error:
            self.trouble = f"the state directory {path} cannot be used ({error})"
        except TrailUnreadable as error:
            self.close()
            self.trouble = f"the state directory: {error}"

    @classmethod
    def of(cls, trail: str, state: str | os.PathLike[str] | None) -> Self:
        """
        Open the state directory that belongs to a trail.

        Args:
            trail: The trail's directory, resolved.
            state: As :func:`otel_tool_audit.settings.state_directory` takes it.
        """
        chosen = settings.state_directory(state)
        return cls(os.path.join(trail, PRIVATE_STATE), private=True) if chosen == settings.STATELESS else cls(chosen)

    def close(self) -> None:
        """Close it; a second time does nothing."""
        if self._folder is not None:
            self._folder.close()
            self._folder = None

    def places(self) -> list[KnownPlace]:
        """
        Read which trail is where; empty when nothing is known. It is read again only when writers have put another file there.

        Raises:
            UnsafeFileError: The file is there and cannot be used.
        """
        if self._folder is None:
            return []
        try:
            stamp = self._folder.stamp("places")
            if stamp is None:
                return []
            if self._places is not None and self._places[0] == stamp:
                return self._places[1]
            data = self._folder.read("places")
        except FileNotFoundError:
            return []
        try:
            self._places = (stamp, [_place(trail_id, fields) for trail_id, fields in read_json(data).items()])
            return self._places[1]
        except (ValueError, AttributeError, KeyError, TypeError) as error:
            message = f"{self.path}/places cannot be read as what it is ({error})"
            raise UnsafeFileError(message) from error

    def head_names(self, trail_id: str) -> list[str]:
        """List the chains that have a head file, valid or not."""
        with contextlib.suppress(FileNotFoundError, UnsafeFileError), self._heads(trail_id) as heads:
            return [name for name in heads.names() if valid_chain(name)]
        return []

    def head(self, trail_id: str, chain: str) -> Head | None:
        """
        Read a chain's head; None when there is none or no slot is valid.

        A writer may be in the middle of a PUT: a slot that looks torn is read again, until it stays torn.
        """
        head: Head | None = None
        with contextlib.suppress(FileNotFoundError, UnsafeFileError), self._heads(trail_id) as heads, heads.opened(chain) as descriptor:
            for _ in range(_TORN_TRIES):
                # one byte more than a head has: a longer file is none
                file = pread(descriptor, HEAD_BYTES + 1, 0)
                head = Head.unpack(file)
                if head is not None and max(generations(file)) == head.generation:
                    break
                time.sleep(_TORN_SECONDS)
        return head

    def head_view(self, trail_id: str, chain: str) -> HeadView | None:
        """
        Read a chain's head and tell whether the host went down since it was written; None as for :meth:`head`.

        Another boot id means that only where nobody lives: locks end with the host, and a sandbox may show another id, or none.
        """
        head = self.head(trail_id, chain)
        with reading("the boot id of this host"):
            boot = boot_id()
        if head is None or head.clean or (boot is not None and boot == head.boot):
            return None if head is None else HeadView(head, crashed=False, voucher=None)
        if self._anybody_lives(trail_id):
            # who lives was looked at after the head: one that opened in between has settled it
            head = self.head(trail_id, chain)
            return None if head is None else HeadView(head, crashed=False, voucher=None)
        return HeadView(head, crashed=True, voucher=self._voucher())

    def _anybody_lives(self, trail_id: str) -> bool:
        if self._folder is None:
            return False
        with contextlib.suppress(FileNotFoundError, UnsafeFileError), self._folder.folder("writers") as writers:
            return any(self._holds(writers, name) and self._is_of(writers, name, trail_id) for name in writers.names() if valid_trail_id(name))
        return False

    def _holds(self, writers: Folder, name: str) -> bool:
        with reading(f"{writers.path}/{name}"):
            return is_held(os.path.join(writers.path, name))

    @staticmethod
    def _is_of(writers: Folder, name: str, trail_id: str) -> bool:
        with contextlib.suppress(FileNotFoundError, UnsafeFileError):
            return writers.read(name).partition(b"\n")[0] == trail_id.encode()
        return False

    def _voucher(self) -> Voucher | None:
        """Give what vouches for lines; None where there is no key that can be one."""
        if self._folder is not None:
            with contextlib.suppress(FileNotFoundError, UnsafeFileError, ValueError):
                return Voucher(parse_key(self._folder.read("vouching-key")))
        return None

    def is_alive(self, writer: str) -> bool:
        """Tell whether a writer's lock is held on this host; False where there is no state directory to look in."""
        if not valid_trail_id(writer) or self._folder is None:
            return False
        if writer not in self._living:
            with reading(f"{self.path}/writers/{writer}"):
                self._living[writer] = is_held(os.path.join(os.path.realpath(self.path), "writers", writer))
        return self._living[writer]

    def forget_the_living(self) -> None:
        """Ask anew who lives."""
        self._living.clear()

    def keys(self) -> tuple[tuple[str, bytes], ...]:
        """Read the keys of pseudonyms (id, secret), as far as this reader may."""
        with _as_far_as_allowed():
            if self._folder is not None:
                with self._folder.folder("keys") as keys:
                    return tuple((str(k["id"]), str(k["secret"]).encode()) for k in read_json(keys.read("pseudonym")))
        return ()

    def tenants(self) -> tuple[str, ...]:
        """Read whose values writers made pseudonyms of, as far as this reader may."""
        with _as_far_as_allowed():
            if self._folder is not None:
                with self._folder.folder("keys") as keys:
                    return tuple(str(tenant) for tenant in read_json(keys.read("tenants")))
        return ()

    def memory(self, trail_id: str) -> dict[str, Any]:
        """Read what readers last saw: {resolved path: {chain: {"count", "hash"}}}; empty when nothing is remembered."""
        with _as_far_as_allowed():
            if self._folder is not None:
                with self._folder.folder("readers") as readers:
                    # a path need not be Unicode
                    found = read_json(readers.read(f"{trail_id}.json"), most=_MEMORY_LEVELS, loads=json.loads)
                    return found if isinstance(found, dict) else {}
        return {}

    def remember(self, trail_id: str, memory: dict[str, Any]) -> bool:
        """Write what readers last saw, if this reader may; whether it did. A directory that somebody named by a slip stays as it is."""
        if self.id is None and self.path != settings.state_directory() and not os.path.isdir(os.path.join(self.path, "readers")):
            return False
        return _put(os.path.join(os.path.realpath(self.path), "readers"), f"{trail_id}.json", json.dumps(memory).encode())

    def index_key(self) -> bytes | None:
        """Read the key that readers' copies of segments are held against, or make it; None when this reader may not."""
        if self._folder is None or self.private or self.id is None or self.owner != os.geteuid():
            return None
        for _ in range(2):
            with contextlib.suppress(OSError, UnsafeFileError, TrailUnreadable, ValueError), self._folder.folder("readers") as readers:
                key = bytes.fromhex(readers.read(_INDEX_KEY).decode("ascii"))
                return key if len(key) == _KEY_BYTES else None
            where = os.path.join(os.path.realpath(self.path), "readers")
            if os.path.lexists(os.path.join(where, _INDEX_KEY)) or not _put(where, _INDEX_KEY, secrets.token_hex(_KEY_BYTES).encode()):
                return None
        return None

    def _heads(self, trail_id: str) -> Folder:
        if self._folder is None or not valid_trail_id(trail_id):
            raise FileNotFoundError(trail_id)
        with self._folder.folder("heads") as heads:
            return heads.folder(trail_id)


@contextlib.contextmanager
def _as_far_as_allowed() -> Iterator[None]:
    """Do without what is not there, is no such file, or is not for this reader; only that the host could not read it goes further."""
    try:
        yield
    except TrailUnreadable as error:
        if not isinstance(error.__cause__, PermissionError):
            raise
    except (FileNotFoundError, UnsafeFileError, ValueError, KeyError, TypeError):
        pass


def _put(where: str, name: str, data: bytes) -> bool:
    """Put a small private file in place, whole; whether that could be done."""
    try:
        os.makedirs(where, mode=0o700, exist_ok=True)
        replace_file(os.path.join(where, name), [data], Durability.CONTENT)
    except OSError:
        return False
    return True


def _place(trail_id: str, fields: dict[str, Any]) -> KnownPlace:
    documents = tuple(KnownDocument(str(d["sha256"]), str(d["text"])) for d in fields["documents"])
    if not valid_trail_id(trail_id) or any(hashlib.sha256(d.text.encode("utf-8", "replace")).hexdigest() != d.sha256 for d in documents):
        message = f"entry {trail_id!r}"
        raise ValueError(message)
    absent = {"path", "machine", "keys"} - fields.keys()
    if absent:
        raise KeyError(*absent)
    return KnownPlace(trail_id, str(fields["resolved"]), int(fields["device"]), int(fields["inode"]), bool(fields["creating"]), documents)


def reason(error: Exception) -> str:
    """Say in words why something could not be opened."""
    return error.strerror or str(error) if isinstance(error, OSError) else str(error)
