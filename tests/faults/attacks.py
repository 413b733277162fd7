"""The attacks, named: each is done to a trail whose chain ``general`` has two sealed segments and an open one."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from forger import Attack, addresses, edit, field_changes, files, lines, relink, sealed

CHAIN = "general"


def all_attacks(trail: Path) -> Iterator[Attack]:
    """Every attack but the flipped bytes, on the trail that lies there now."""
    yield from line_attacks(trail)
    yield from forgeries(trail)
    yield from file_attacks(trail)


def line_attacks(trail: Path) -> Iterator[Attack]:
    """Each line deleted, each pair swapped, each field changed, each truncation at a line and inside one."""
    places = addresses(trail, CHAIN)
    for seq, (path, index) in enumerate(places):
        yield Attack(f"line {seq} deleted", _in(path, lambda found, i=index: found[:i] + found[i + 1 :]), CHAIN, seq)
        yield Attack(f"line {seq} twice", _in(path, lambda found, i=index: found[: i + 1] + found[i:]), CHAIN, seq + 1)
        for field, change in field_changes(trail, CHAIN, seq):
            yield Attack(f"line {seq}: {field}", change, CHAIN, seq)
    for a in range(len(places)):
        for b in range(a + 1, len(places)):
            yield Attack(f"lines {a} and {b} swapped", _swapped(places[a], places[b]), CHAIN, a)
    for path in files(trail, CHAIN):
        size = path.stat().st_size
        for end in range(0, size, 97):
            yield Attack(f"{path.name} cut to {end}", lambda root, n=path.name, e=end: os.truncate(root / CHAIN / n, e), CHAIN)


def _in(path: Path, change: Callable[[list[bytes]], list[bytes]]) -> Callable[[Path], None]:
    return lambda trail: edit(trail / CHAIN / path.name, change)


def _swapped(one: tuple[Path, int], other: tuple[Path, int]) -> Callable[[Path], None]:
    def do(trail: Path) -> None:
        first, second = trail / CHAIN / one[0].name, trail / CHAIN / other[0].name
        a, b = lines(first)[one[1]], lines(second)[other[1]]
        edit(first, lambda found: [*found[: one[1]], b, *found[one[1] + 1 :]])
        edit(second, lambda found: [*found[: other[1]], a, *found[other[1] + 1 :]])

    return do


def forgeries(trail: Path) -> Iterator[Attack]:
    """Rewritten with all hashes recomputed."""
    count = len(addresses(trail, CHAIN))

    def drop(chosen: range) -> Callable[[Path], None]:
        def do(root: Path) -> None:
            doomed = [addresses(root, CHAIN)[seq] for seq in chosen]
            for path, index in reversed(doomed):
                edit(path, lambda found, i=index: found[:i] + found[i + 1 :])
            relink(root, CHAIN)

        return do

    yield Attack("first three dropped, hashes recomputed", drop(range(3)), CHAIN)
    yield Attack("the middle deleted, hashes recomputed", drop(range(2, 4)), CHAIN)
    yield Attack("the last deleted, hashes recomputed", drop(range(count - 1, count)), CHAIN)
    yield Attack("the middle rewritten, hashes recomputed", _rewritten, CHAIN)
    for chain in (CHAIN, "trail"):
        yield Attack(f"a line appended to {chain}", _appended(chain, keep_hash=True), chain)
        yield Attack(f"garbage appended to {chain}", _garbage(chain, b"x"), chain)
        yield Attack(f"an LF appended to {chain}", _garbage(chain, b"\n"), chain)
    yield Attack("three without hashes dropped", lambda root: edit(files(root, CHAIN)[0], lambda found: found[3:]), CHAIN, 0)


def _rewritten(trail: Path) -> None:
    path, index = next((path, index) for path, index in addresses(trail, CHAIN)[1:] if b"look_up" in lines(path)[index])
    edit(path, lambda found: [*found[:index], found[index].replace(b"look_up", b"look_in"), *found[index + 1 :]])
    relink(trail, CHAIN)


def _appended(chain: str, *, keep_hash: bool) -> Callable[[Path], None]:
    def do(trail: Path) -> None:
        last = files(trail, chain)[-1]
        if not last.stat().st_size:
            last = files(trail, chain)[-2]
        end = lines(last)[-1]
        seq, found = json.loads(end)["seq"], json.loads(end)["hash"]
        with last.open("ab") as file:
            file.write(sealed(end, seq + 1, found if keep_hash else "0" * 64))

    return do


def _garbage(chain: str, data: bytes) -> Callable[[Path], None]:
    def do(trail: Path) -> None:
        with files(trail, chain)[-1].open("ab") as file:
            file.write(data)

    return do


def file_attacks(trail: Path) -> Iterator[Attack]:
    """Files and directories removed, added, replaced, linked."""
    for path in files(trail, CHAIN):
        name = path.name
        yield Attack(f"{name} removed", lambda root, n=name: (root / CHAIN / n).unlink(), CHAIN)
        yield Attack(f"{name} a symbolic link", lambda root, n=name: _link(root, n, os.symlink), CHAIN)
        yield Attack(f"{name} a hard link", lambda root, n=name: _link(root, n, os.link), CHAIN)
        yield Attack(f"{name} a fifo", lambda root, n=name: ((root / CHAIN / n).unlink(), os.mkfifo(root / CHAIN / n)), CHAIN)
        yield Attack(f"{name} foreign", lambda root, n=name: (root / CHAIN / n).write_text("# notes\n"), CHAIN)
        yield Attack(f"{name} a directory", lambda root, n=name: ((root / CHAIN / n).unlink(), (root / CHAIN / n).mkdir()), CHAIN)
    yield Attack("a chain removed", lambda root: shutil.rmtree(root / CHAIN), CHAIN)
    yield Attack("a chain emptied", _emptied, CHAIN)
    yield Attack("a chain added", _added)
    yield Attack("the trail's own chain removed", lambda root: shutil.rmtree(root / "trail"))
    yield Attack("a chain a link to elsewhere", _linked_chain, CHAIN)
    yield Attack("all wiped", _wiped)
    yield Attack("all wiped but trail.json", lambda root: [shutil.rmtree(root / chain) for chain in ("trail", CHAIN)])
    for text in (rb'"created":', rb'"days": 365', rb'"public_keys": \['):
        yield Attack(f"trail.json: {text.decode()}", lambda root, t=text: _document(root, t))
    yield Attack("trail.json removed", lambda root: (root / "trail.json").unlink())
    yield Attack("trail.json empty", lambda root: (root / "trail.json").write_bytes(b""))
    yield Attack("a later attempt put there", _later_attempt, CHAIN)


def _link(trail: Path, name: str, make: Callable[[Path, Path], None]) -> None:
    path = trail / CHAIN / name
    elsewhere = trail.parent / f"elsewhere-{name}"
    elsewhere.unlink(missing_ok=True)
    shutil.move(path, elsewhere)
    make(elsewhere, path)


def _emptied(trail: Path) -> None:
    for path in (trail / CHAIN).iterdir():
        path.unlink()


def _added(trail: Path) -> None:
    shutil.copytree(trail / CHAIN, trail / "financial")
    relink(trail, "financial")


def _linked_chain(trail: Path) -> None:
    elsewhere = trail.parent / "elsewhere"
    shutil.rmtree(elsewhere, ignore_errors=True)
    shutil.move(trail / CHAIN, elsewhere)
    (trail / CHAIN).symlink_to(elsewhere)


def _wiped(trail: Path) -> None:
    for path in list(trail.iterdir()):
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def _document(trail: Path, text: bytes) -> None:
    path = trail / "trail.json"
    data = path.read_bytes()
    found = re.search(text, data)
    assert found is not None, text
    path.write_bytes(data[: found.start()] + b" " + data[found.start() :])


def _later_attempt(trail: Path) -> None:
    """A second attempt of the last segment, which would make the real one void."""
    last = files(trail, CHAIN)[-1]
    (trail / CHAIN / f"{last.stem}-1.jsonl").write_bytes(last.read_bytes())
