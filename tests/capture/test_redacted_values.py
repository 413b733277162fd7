"""What an argument does not show, nothing else of the call shows either: not its error, its result, its other arguments, its span."""

from __future__ import annotations

import asyncio
import json
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

import otel_tool_audit as audit
from otel_tool_audit.redaction import MARK, RedactedValues
from otel_tool_audit.testing import audit_trail

PATIENT = "P-4711/ö O'Neil"


def everything(trail):
    """All that was written and exported, as text in which nothing is escaped."""
    spans = [(s.name, dict(s.attributes), s.status.description, [(e.name, dict(e.attributes)) for e in s.events]) for s in trail.spans()]
    return json.dumps([trail.records(), trail.calls(), spans], ensure_ascii=False, default=str)


@audit.tool(subject="patient_id")
def raising(patient_id):
    message = f"no patient {patient_id}"
    raise LookupError(message)


@audit.tool(pseudonymize=["patient_id"])
def quoting(patient_id):
    message = f"no patient {patient_id!r}: GET /patients/{quote(patient_id)}?q={quote_plus(patient_id)} sent {json.dumps({'id': patient_id.upper()})}"
    raise LookupError(message)


@audit.tool(subject="patient_id")
def returning(patient_id):
    return {"error": f"no patient {patient_id}", "id": patient_id, "status": f"missing {patient_id}"}


@audit.tool(subject="patient_id")
def returning_more(patient_id):
    return {"error": {"code": 404, "patient": patient_id, "text": [f"no patient {patient_id}"]}}


@audit.tool(subject="patient_id", fails=lambda result: ValueError(f"bad: {result}"))
def judged(patient_id):
    return patient_id


@audit.tool(subject="patient_id")
async def awaiting(patient_id):
    message = f"no patient {patient_id}"
    raise LookupError(message)


@audit.tool(subject="patient_id")
def generating(patient_id):
    yield 1
    message = f"no patient {patient_id}"
    raise LookupError(message)


@audit.tool(subject="filters.owner")
def deep(filters):
    message = f"no owner {filters['owner']} in {filters}"
    raise LookupError(message)


WAYS = {
    "raising": lambda: raising(PATIENT),
    "quoting": lambda: quoting(PATIENT),
    "returning": lambda: returning(PATIENT),
    "returning more": lambda: returning_more(PATIENT),
    "judged": lambda: judged(PATIENT),
    "awaiting": lambda: asyncio.run(awaiting(PATIENT)),
    "generating": lambda: list(generating(PATIENT)),
    "deep": lambda: deep({"owner": PATIENT, "path": f"/patients/{PATIENT}"}),
    "handler": lambda: audit.execute_tool("handler", {"patient_id": PATIENT}, raising.__wrapped__, subject="patient_id", reraise=False),
}


@pytest.mark.usefixtures("who")
@pytest.mark.parametrize("way", WAYS)
def test_a_failure_does_not_tell_whom_it_is_about(trail, caplog, way):
    """Error, status, exception event, log line and span have the pseudonym, however the tool spells the id."""
    with caplog.at_level("INFO"):
        try:
            told = WAYS[way]()
        except LookupError as error:
            told = {"error": "psn:" if "4711" in str(error) else "the caller got another error"}
    call = trail.calls()[-1]
    assert call["status"] == "error"
    assert "psn:" in call["error"]
    assert {"error"} <= {entry["path"] for entry in call["redactions"]}
    for text in (everything(trail), caplog.text):
        assert "P-4711" not in text
        assert "O'Neil" not in text
    assert way != "handler" or "psn:" in told["error"]


@pytest.mark.usefixtures("who")
@pytest.mark.parametrize("said", [{"redact": ["pin"]}, {"keep": ["order_id"]}, {}])
def test_a_failure_does_not_tell_a_secret_that_its_name_gave_away(trail, said):
    """A secret that looks like nothing is known by its value, once its argument was told to be one."""

    @audit.tool(**said)
    def pay(order_id, pin, password):
        message = f"{order_id}: declined, because yellow-duck was wrong, and so was ({pin})"
        raise ValueError(message)

    with pytest.raises(ValueError, match="yellow-duck"):
        pay("ORD-1", pin=904_112_553_820 if said else 0, password={"first": "yellow-duck"})
    assert "yellow-duck" not in everything(trail)
    assert not said or "904112553820" not in everything(trail)
    assert trail.calls()[-1]["error"].startswith(f"ORD-1: declined, because {MARK} was wrong")


@pytest.mark.usefixtures("who")
def test_arguments_hide_whom_the_attribution_names(trail):
    """A subject said of a block is a pseudonym in the arguments of every tool called inside, whatever they are called."""

    @audit.tool
    def get(path, number, note):
        return {"order_id": "ORD-1"}

    with audit.attribution(subject="4711"):
        get("/patients/4711/chart", 4711, "room 14711, on day 47113")
    call = trail.calls()[-1]
    assert {"path": f"/patients/{call['subject']}/chart", "number": call["subject"], "note": "room 14711, on day 47113"} == call["arguments"]


def test_internal_subjects_stay():
    """Where subjects are internal ids they are stored as they are, in errors too."""
    with audit_trail(subject_is_internal=True) as trail:
        with pytest.raises(LookupError):
            raising("P-1")
        assert "no patient P-1" == trail.calls()[-1]["error"]


@pytest.mark.parametrize(("value", "text"), [("7", "row 17 of 70"), ("Meyer", "Obermeyerhof"), ("4711", "1.47110"), ("ab", "abc")])
def test_a_part_of_a_longer_word_or_number_is_another_one(value, text):
    """An id is looked for as a whole."""
    withheld = RedactedValues()
    withheld.add(value, "psn:k:1", "pseudonym")
    assert (text, ()) == withheld.out_of(text, "error")


@given(st.text(min_size=1), st.text(), st.text())
def test_whatever_is_withheld_is_gone(value, before, after):
    """Between any two texts that do not go on with a letter or digit, the value is found, and nothing raises."""
    withheld = RedactedValues()
    withheld.add(value, "\x00", "pseudonym")
    clean, removed = withheld.out_of(f"{before} {value} {after}", "error")
    assert removed
    assert "\x00" in clean
    withheld.out_of_value({value: [value, before]}, "arguments")
