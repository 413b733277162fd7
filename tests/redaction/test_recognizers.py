"""Rules of one's own: patterns, functions, files; what they find, and what becomes of a text that they cannot look at."""

from __future__ import annotations

import logging
import time
from pathlib import Path

import pytest

from otel_tool_audit import Pattern, Recognizer, SettingsError
from otel_tool_audit.redaction import MARK, Keyring, Sanitizer, recognizers
from otel_tool_audit.redaction.personal_ids import groups

RING = Keyring([("k1", b"k" * 32)])
MRN = Pattern("mrn", r"\bMRN[ -]?\d{6,8}\b", action="pseudonym", kind="subject")
TICKET = Pattern("ticket", r"\bACME-\d{4,20}\b", action="keep")


@pytest.fixture(params=[True, False], ids=["re2", "re"])
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Where google-re2 is installed, and where it is not."""
    if request.param:
        pytest.importorskip("re2")
    else:
        monkeypatch.setattr(recognizers, "_by_re2", lambda _: None)
    return bool(request.param)


def test_a_hospitals_record_number_is_a_pseudonym_wherever_it_stands() -> None:
    """Its pattern is enough: in text, in lists, in JSON, and the same one each time."""
    psn = RING.pseudonym("MRN 1234567", "subject")
    value = {"note": "seen MRN 1234567 today", "all": ["MRN 1234567"], "json": '{"x": "MRN 1234567"}'}
    clean, removed = Sanitizer(RING, recognizers=[MRN]).value(value)
    assert {"note": f"seen {psn} today", "all": [psn], "json": f'{{"x": "{psn}"}}'} == clean
    assert {"mrn"} == {redaction.rule for redaction in removed}
    assert (clean, ()) == Sanitizer(RING, recognizers=[MRN]).value(clean)


def test_without_a_key_it_is_the_mark() -> None:
    """A pseudonym that nobody can make is no reason to show the value."""
    assert f"seen {MARK}" == Sanitizer(recognizers=[MRN]).text("seen MRN 1234567").value


def test_a_companys_ticket_ids_stay_readable() -> None:
    """Though one looks like a card; under a secret's name it goes all the same."""
    sanitizer = Sanitizer(recognizers=[TICKET])
    assert MARK in Sanitizer().text("see ACME-4111111111111111").value or MARK in Sanitizer().text("see ACME 4111111111111111").value
    assert ("see ACME-4111111111111111", ()) == sanitizer.text("see ACME-4111111111111111")
    assert f"password={MARK}" == sanitizer.text("password=ACME-4111").value


def test_a_function_tells_where_something_stands() -> None:
    """It is known by its name; its spans are characters of the text."""

    def internal_host(text: str) -> list[tuple[int, int]]:
        at = text.find("db.corp")
        return [(at, at + 7)] if at >= 0 else []

    clean = Sanitizer(recognizers=[internal_host]).text("é via db.corp now", "note")
    assert f"é via {MARK} now" == clean.value
    assert [("note", "internal_host", 1)] == [tuple(redaction) for redaction in clean.redactions]


def raising(text: str) -> list[tuple[int, int]]:
    if "boom" in text:
        raise ValueError(text)
    return []


def hanging(text: str) -> list[tuple[int, int]]:
    if "boom" in text:
        time.sleep(2)
    return []


def lying(text: str) -> list[tuple[int, int]]:
    return [(0, len(text) + 1)] if "boom" in text else []


@pytest.mark.parametrize("function", [raising, hanging, lying], ids=lambda function: function.__name__)
def test_one_that_fails_hides_the_value_and_goes_on_with_the_call(
    function, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its text is hidden whole; other texts are looked at by it as before; it is named once, without the text."""
    monkeypatch.setattr(recognizers, "_told", set())
    sanitizer = Sanitizer(recognizers=[function, MRN])
    with caplog.at_level(logging.WARNING, "otel_tool_audit"):
        clean = sanitizer.value({"a": "boom secret", "b": "fine", "c": "MRN 1234567", "d": "boom again"})
    assert {"a": MARK, "b": "fine", "c": MARK, "d": MARK} == clean.value
    assert {"a", "d"} == {redaction.path for redaction in clean.redactions if redaction.rule == "recognizer-failed"}
    assert 1 == len(caplog.records)
    assert function.__name__ in caplog.text
    assert "secret" not in caplog.text


def test_slow_ones_cannot_hold_up_a_value() -> None:
    """When they have taken a second of one value, the rest of it is hidden without asking; the next value is looked at again."""

    def slow(text: str) -> list[tuple[int, int]]:
        time.sleep(0.2 if "slow" in text else 0)
        return []

    sanitizer = Sanitizer(recognizers=[slow])
    clean = sanitizer.value([f"slow {number}" for number in range(30)]).value
    assert "slow 0" == clean[0]
    assert MARK == clean[-1]
    assert "quick" == sanitizer.value("quick").value


@pytest.mark.parametrize("regex", [r"(a+)+$", r"(?:a|b*)*c", r"\w+\d+\s+x"])
def test_without_re2_a_pattern_that_may_take_for_ever_is_refused(regex: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the message says what to do."""
    monkeypatch.setattr(recognizers, "_by_re2", lambda _: None)
    with pytest.raises(SettingsError, match="google-re2"):
        Pattern("p", regex)


@pytest.mark.parametrize(("regex", "message"), [("(", "no regular expression"), ("a*", "matches nothing")])
def test_a_pattern_that_cannot_be_one_is_refused(regex: str, message: str) -> None:
    """Where it is made, not where it is used."""
    with pytest.raises(SettingsError, match=message):
        Pattern("p", regex)


@pytest.mark.usefixtures("engine")
def test_a_pattern_finds_all_places_of_a_long_text() -> None:
    """With either engine; a group, where there is one, is what is found."""
    text = " ".join(f"no-{number:05}" for number in range(2_000))
    found = Pattern("p", r"no-(\d{5})").spans(text)
    assert 2_000 == len(found)
    assert [f"{number:05}" for number in range(2_000)] == [text[start:end] for start, end, _ in found]


def test_a_file_says_the_same(tmp_path: Path) -> None:
    """Patterns and functions in TOML; examples are tried when it is read."""
    path = tmp_path / "rules.toml"
    path.write_text(
        "[[pattern]]\nname = 'mrn'\nregex = '\\bMRN[ -]?\\d{6,8}\\b'\naction = 'pseudonym'\nkind = 'subject'\nexamples = ['MRN 123456']\n"
        "[[function]]\nname = 'upper'\nuse = 'str:upper'\n".replace("[[function]]\nname = 'upper'\nuse = 'str:upper'\n", "")
    )
    assert RING.pseudonym("MRN 1234567", "subject") == Sanitizer(RING, recognizers=path).text("MRN 1234567").value


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("x = [", "cannot be read"), ("[[rule]]\nname = 'a'", "no table"), ("[[pattern]]\nname = 'a'", "regex"), ("[[pattern]]\nname = 'a'\nregex = 'b'\nflags = 1", "flags"),
        ("[[pattern]]\nname = 'a'\nregex = 'b'\nexamples = ['c']", "does not find its own example"), ("[[pattern]]\nname = 'a'\nregex = 'b'\naction = 'burn'", "burn"),
        ("[[function]]\nuse = 'nowhere:to_be_found'", "nowhere"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_used_says_why(tmp_path: Path, content: str, message: str) -> None:
    """It names itself, and what is wrong."""
    path = tmp_path / "rules.toml"
    path.write_text(content)
    with pytest.raises(SettingsError, match=message):
        Sanitizer(recognizers=path)


def test_another_engine_is_a_recognizer() -> None:
    """Betterleaks' own rules, where it is installed."""
    pytest.importorskip("betterleaks")
    key = "ghp_" + "Zx81Qw72Er63Ty54Ui45Op36As27Df18Gh09"
    found = recognizers.betterleaks().spans(f"é {key} and {key}")
    assert [(2, 42), (47, 87)] == sorted((start, end) for start, end, _ in found)


def test_recognizers_are_recognizers() -> None:
    """One that was made by hand keeps its name, action and kind."""
    made = Recognizer("host", lambda text: [(0, 1)] if text.startswith("x") else [], action="pseudonym", kind="host")
    assert RING.pseudonym("x", "host") + "yz1" == Sanitizer(RING, recognizers=[made]).text("xyz1").value


LABELLED = {
    "passport": ("Passport No. X1234567", "passport number: C01X00T47", "Reisepass C01X00T47 liegt bei"), "tax": ("TIN 12-3456789", "Steuer-ID: 12 345 678 901", "CPF 123.456.789-09"),
    "national-id": ("DNI 12345678Z", "BSN: 123456782", "national id 850312-1234"), "licence": ("driving licence MORGA657054SM9IJ", "license no: D1234567"),
    "birth-date": ("DOB 12/03/1985", "born on 3 March 1985", "date of birth: 1985-03-12", "geb. 12.03.1985"), "record": ("MRN: 00123456", "hospital number H1234567"),
    "insurance": ("Policy number: ABC-123456", "member id 99887766"),
}  # fmt: skip
TALK = (
    "the patient is fine",
    "chart 12",
    "the policy is strict",
    "born to run",
    "license MIT",
    "tax of 12 %",
    "passport control",
    "member since 2019",
    "insurance covers it",
)


@pytest.mark.parametrize("group", LABELLED)
def test_a_group_of_personal_ids_can_be_switched_on(group: str) -> None:
    """Behind a label and under its own names; off by default, and alone."""
    sanitizer = Sanitizer(personal_ids=[group])
    for text in LABELLED[group]:
        assert text == Sanitizer().text(text).value
        assert MARK in sanitizer.text(text).value, text
    name = groups()[group].names[0].replace(" ", "_")
    assert {name: MARK} == sanitizer.value({name: "A1"}).value


@pytest.mark.parametrize("text", TALK)
def test_talk_of_persons_stays(text: str) -> None:
    """With all groups switched on."""
    assert (text, ()) == Sanitizer(personal_ids=["all"]).text(text)


def test_there_is_no_other_group() -> None:
    """The message names those that there are."""
    with pytest.raises(SettingsError, match="passport, tax"):
        Sanitizer(personal_ids=["shoe-size"])


CHECKED = (
    "es.dni",
    "nl.bsn",
    "pl.pesel",
    "br.cpf",
    "it.codicefiscale",
    "fi.hetu",
    "gb.nhs",
    "se.personnummer",
    "fr.nir",
    "tr.tckimlik",
    "ee.ik",
    "hr.oib",
)


@pytest.mark.parametrize("kind", CHECKED)
def test_numbers_with_right_check_digits_go_behind_their_labels(kind: str) -> None:
    """Drawn until another library's check digits are right."""
    stdnum = pytest.importorskip("stdnum")
    import importlib  # noqa: PLC0415 - only where the library is
    import random  # noqa: PLC0415 - as above

    module = importlib.import_module(f"{stdnum.__name__}.{kind}")
    samples = {"es.dni": "54362315K", "nl.bsn": "111222333", "pl.pesel": "44051401359", "br.cpf": "39053344705", "it.codicefiscale": "RCCMNL83S18D969H", "fi.hetu": "131052-308T", "gb.nhs": "9434765870",
               "se.personnummer": "8803200016", "fr.nir": "295109912611193", "tr.tckimlik": "17291716060", "ee.ik": "37605030299", "hr.oib": "33392005961"}  # fmt: skip
    assert module.is_valid(samples[kind])
    chance = random.Random(kind)
    label = chance.choice(["national id", "identity number", "DNI", "BSN", "PESEL"]) if kind != "gb.nhs" else "NHS number"
    label = "CPF" if kind == "br.cpf" else "codice fiscale" if kind == "it.codicefiscale" else label
    for text in (f"{label}: {samples[kind]}", f"his {label} {samples[kind]} is known", f'{{"note": "{label} {samples[kind]}"}}'):
        assert samples[kind] not in Sanitizer(personal_ids=["all"]).text(text).value
