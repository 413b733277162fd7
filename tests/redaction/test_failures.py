"""When the sanitizer itself fails, nothing raw is stored and the call goes on."""

from __future__ import annotations

import sys
import types
from typing import NoReturn

import pytest

from otel_tool_audit.redaction import MARK, Keyring, Sanitizer, ToolRules

SECRET = "hunter2-Zx81-qwerty"


class BrokenRing(Keyring):
    """Raises whatever it is asked, as a key store that is gone would."""

    def digest(self, data: bytes) -> NoReturn:
        raise OSError(f"no key for {data[:200]!r}")

    def pseudonym(self, value: str, kind: str) -> NoReturn:
        raise OSError(f"no key for {value} {kind}")


def broken() -> Sanitizer:
    """Make a sanitizer whose keys are gone."""
    return Sanitizer(BrokenRing([("k", b"k")]), max_text=100)


def test_a_failing_digest_stores_nothing_raw() -> None:
    """A long text, or bytes, whose digest cannot be made leave no trace of themselves."""
    for value in (SECRET + "x" * 200, b"\xff" + SECRET.encode(), [{"a": SECRET + " words" * 100}]):
        for result in (broken().value({"v": value}, "arguments"), broken().attributes({"v": value})):
            assert SECRET not in repr(result)


def test_a_failing_pseudonym_stores_nothing_raw() -> None:
    """An argument that was to be a pseudonym is not stored in clear because that failed."""
    result = broken().value({"patient": "MRN-00042"}, "arguments", ToolRules(pseudonymize={"patient": "subject"}))
    assert "MRN-00042" not in repr(result)
    assert result.redactions != ()


def test_failures_are_on_record() -> None:
    """What could not be sanitized is listed, so that a reader knows that something is missing."""
    assert broken().value({"v": b"\xff" * 5000}, "arguments").redactions != ()


@pytest.mark.parametrize("frames", range(20, 60, 3))
def test_a_full_stack_is_no_error(frames: int) -> None:
    """Called so deep that Python has hardly a frame left, it still returns, and nothing raw."""
    sanitizer, value = Sanitizer(), {"a": [{"password": SECRET, "note": "token=" + SECRET}]}
    sanitizer.value(value)

    def sink(left: int) -> str:
        if left:
            return sink(left - 1)
        return repr(sanitizer.value(value)) + repr(sanitizer.text("password=" + SECRET)) + repr(sanitizer.attributes(value))

    depth, frame = 0, sys._getframe()
    while frame is not None:
        depth, frame = depth + 1, frame.f_back
    room = sys.getrecursionlimit() - depth - frames
    assert SECRET not in sink(room)


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_what_ends_a_program_is_passed_on(kind: type[BaseException]) -> None:
    """Only errors are swallowed: what stops the program or a generator still does."""

    class Holder:
        model_fields = types.MappingProxyType({"a": None})

        @property
        def a(self) -> NoReturn:
            raise kind

    with pytest.raises(kind):
        Sanitizer().value(Holder())


def test_a_mark_is_never_sanitized_again() -> None:
    """Marks survive any number of passes unchanged."""
    value = {"password": MARK, "note": f"password={MARK} and {MARK}", "list": [MARK]}
    assert Sanitizer().value(value) == (value, ())
