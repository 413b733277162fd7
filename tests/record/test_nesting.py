"""How deep things may lie: the same answer wherever it is asked, with a short stack and with an endless one."""

from __future__ import annotations

import json

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_tool_audit.format.nesting import MAX_NESTING, end_of_value, is_too_deep, read_json
from otel_tool_audit.recognise.literal import read_literal
from otel_tool_audit.record.codec import trail_tail
from otel_tool_audit.record.jsonsafe import parse_json
from otel_tool_audit.redaction.sanitizer import Sanitizer
from otel_tool_audit.review.verify.strict import Place, flaw_of

FRAMES = (60, 900, 200_000)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=5), inner, max_size=3),
    max_leaves=30,
)


def levels(value):
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(map(levels, inner), default=0)


def nested(depth, opening="[", closing="]", middle=""):
    return opening * depth + middle + closing * depth


@given(value=VALUES, spaced=st.booleans())
def test_levels_are_counted_as_a_parser_counts_them(value, spaced):
    """Whatever stands in strings and keys."""
    text = json.dumps(value, indent=1 if spaced else None, ensure_ascii=spaced)
    depth = levels(value)
    for form in (text, text.encode()):
        assert not is_too_deep(form, depth)
        assert depth == 0 or is_too_deep(form, depth - 1)
    if depth:
        assert len(text.encode()) == end_of_value(text.encode() + b"]} more", 0)


@given(data=st.text(st.sampled_from('[]{}"\\a:,1'), max_size=300))
def test_text_that_is_no_json_has_an_answer(data):
    """Cut strings, closing brackets without an opening one: nothing is raised, and the end is inside of the text."""
    assert not is_too_deep(data, data.count("[") + data.count("{"))
    assert 0 <= end_of_value(data.encode(), 0) <= len(data.encode())


@pytest.mark.parametrize("depth", [1, 60, MAX_NESTING, MAX_NESTING + 1, 254, 255, 900, 1000, 1024, 1025, 3000, 30_000])
@pytest.mark.parametrize("frames", FRAMES)
def test_one_limit_counts_on_every_stack(with_frames, depth, frames):
    """A document is refused beyond the limit, and read up to it."""
    texts = [nested(depth), nested(depth, '{"a":', "}", "1"), nested(depth, '{"a":[', "]}")[:65_000]]
    for text, deep in zip(texts, (depth, depth, 2 * depth), strict=True):
        if deep > MAX_NESTING:
            with pytest.raises(ValueError, match="deeper than 128 levels"):
                with_frames(frames, lambda text=text: read_json(text))
        else:
            assert orjson.loads(text) == with_frames(frames, lambda text=text: read_json(text))


@pytest.mark.parametrize("depth", [2, 100, 124, 125, 126, 127, 128, 250, 900, 1000, 1024, 3000, 16_000])
@pytest.mark.parametrize("spaced", [False, True])
def test_the_strict_reader_judges_the_same_on_every_stack(with_frames, depth, spaced):
    """A line is a record up to the limit, whether it is written as writers write it or must be read piece by piece."""
    front = '"previous_hash":"' + "0" * 64 + '","event":"x.told","call_id":null,"salt":"' + "0" * 32 + '","writer":"' + "0" * 32 + '","service":null'
    line = f'{{"seq":0,{front},"timestamp":"2026-03-01T12:00:00.000000Z","details":{{"a":{nested(depth)}}},"hash":"{"0" * 64}"}}'
    line = line.replace(":{", ": {") if spaced else line
    said = {with_frames(frames, lambda: flaw_of(line.encode(), Place("trail"))) for frames in FRAMES}
    assert {None if depth + 2 <= MAX_NESTING else "it is nested too deep: more than 128 levels"} == said


@pytest.mark.parametrize("depth", [60, 110, 130, 200, 254, 300, 1000])
def test_what_is_written_can_be_read(depth):
    """What a caller hands to the codec unsanitized, however deep, becomes a line that the strict reader takes."""
    details = {"a": 1}
    for _ in range(depth):
        details = {"a": details}
    tail = trail_tail("x.told", "2026-03-01T12:00:00.000000Z", details, salt="0" * 32, writer="0" * 32, service=b"null", digest=lambda _: None)
    line = b'{"seq":0,"previous_hash":"' + b"0" * 64 + b'",' + tail[:-1] + b',"hash":"' + b"0" * 64 + b'"}'
    assert flaw_of(line, Place("trail")) is None


@pytest.mark.parametrize("depth", [10, MAX_NESTING, MAX_NESTING + 1, 1000])
def test_large_numbers_are_exact_as_deep_as_records_go(with_frames, depth):
    """And nearly exact beyond, on every stack that can hold the answer."""
    number = 12345678901234567890123
    for frames in FRAMES[1:]:
        found = with_frames(frames, lambda: parse_json(nested(depth, middle=str(number))))
        while isinstance(found, list):
            (found,) = found
        assert (number if depth <= MAX_NESTING else float(number)) == found
        assert (depth > MAX_NESTING) == isinstance(found, float)


@pytest.mark.parametrize("depth", [3, 70, 127, 129, 500, 900, 2000, 30_000])
def test_json_in_text_is_sanitized_the_same_on_every_stack(with_frames, depth):
    """Nothing that lies too deep to be looked at is kept, and no number of brackets ends the process."""
    texts = [nested(depth, middle='{"pin": "hunter2-hunter2"}'), nested(depth, '{"a":', "}", '{"pin": "hunter2-hunter2"}')]
    sanitizer = Sanitizer(secret_keys=["pin"])
    for text in texts:
        said = {repr(with_frames(frames, lambda text=text: sanitizer.value({"note": text}))) for frames in FRAMES[1:]}
        assert 1 == len(said)
        assert "hunter2" not in said.pop()


NOTATIONS = [
    nested(60), nested(70), nested(5000), "-" * 50 + "1", "-" * 900 + "1", "-" * 20_000 + "1", "not " * 5000 + "1", "a" + ".b" * 10_000,
    "[1" + "+1" * 10_000 + "]", "x" + "()" * 10_000, "x" + "[0]" * 900, "1 if 1 else " * 2000 + "2", "lambda:" * 3000 + "1", "2" + "**2" * 5000,
    "[" + "'" * 3 + "it's" + "'" * 3 + ", " + "-" * 900 + "1]", "(1 # '\n, " + "-" * 900 + "1) # '", "{'a': f'{" + "-" * 900 + "1}'}",
    "a" + " or a" * 900, "{'a': -1.5, 'b': \"it's [[[[ - - -\", 'when': datetime.date(2026, 1, 1)}", "{'text': '" + "- . [ (" * 50 + "'}",
    "[" + "1.5, -2, " * 300 + "]",
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(NOTATIONS)))
def test_python_s_notation_is_read_the_same_on_every_stack(with_frames, number):
    """Brackets and operators alike."""

    def read():
        try:
            return repr(read_literal(NOTATIONS[number]))
        except ValueError:
            return "no literal"

    assert 1 == len({with_frames(frames, read) for frames in (250, 900, 200_000)})
