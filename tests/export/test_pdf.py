from __future__ import annotations

import io
import re
from typing import Any

import pytest
from made_reports import access_report, activity_report, heading, row

from otel_tool_audit.errors import SettingsError
from otel_tool_audit.export import pdf
from otel_tool_audit.export.contents import access_document, activity_document

pypdf = pytest.importorskip("pypdf")
pytest.importorskip("typst")


def read(data: bytes) -> tuple[Any, str]:
    """Give the PDF, and all its text without spaces and soft breaks."""
    found = pypdf.PdfReader(io.BytesIO(data))
    return found, re.sub(r"[\s\u200b]", "", "".join(page.extract_text() for page in found.pages))


def test_every_row_and_its_proof_are_in_the_text() -> None:
    """What a reader copies out of the PDF has each row's address and hash, the verdict and the heads."""
    _, told = read(pdf.render(access_document(access_report([row(n) for n in range(40)]), heading())))
    assert all(f"healthcare/{2 * n + 1}" in told and f"{n:064x}" in told for n in range(40))
    assert all(part in told for part in ("Integrity:intact", "a" * 64, "b" * 64, "request17", "Ada(accountadaonhost)"))


def test_it_is_tagged_titled_and_has_its_fonts() -> None:
    """A screen reader finds structure, language and title; nothing runs, nothing is attached."""
    found, _ = read(pdf.render(activity_document(activity_report(9), heading())))
    root = found.trailer["/Root"]
    assert True is bool(root["/MarkInfo"]["/Marked"])
    assert ("en", "Activity report: All that is on record") == (root["/Lang"], found.metadata.title)
    assert not {"/OpenAction", "/AA", "/AcroForm"} & set(root)
    assert not found.attachments


@pytest.mark.parametrize(
    "text",
    ['#read("/etc/passwd")', "*bold* _it_ $x$ @ref <label> \\ // c /* */", '`raw` #eval("1")', "[x](y) = = heading", "\u202e\u2066\x07", "日本語 ✅"],
)
def test_no_value_is_read_as_markup(text: str) -> None:
    """Whatever a record says is set as text; what would turn or hide text stands as an escape."""
    rows = [row(1, user_id=text, tool_name=text, error=text, arguments={text: text})]
    document = access_document(access_report(rows, subject=text, path=text), heading(who=text, reason=text))
    _, told = read(pdf.render(document))
    if text.isascii() and text.isprintable():
        assert re.sub(r"\s", "", text) in told
    else:
        assert "\\u202e" in told or "日本語" in told or "\\u65e5\\u672c" in told
    assert "root:x:0" not in told
    assert "\u202e" not in told


def test_only_signs_that_no_font_has_are_written_as_numbers() -> None:
    """One such sign takes no other sign's shape, and the report says so."""
    _, told = read(pdf.render(access_document(access_report([row(1, error="Ωж→ 日 done")]), heading())))
    assert "Ωж→" in told
    assert ("\\u65e5" in told) is ("nofontherecanshow" in told)


def test_the_search_for_signs_without_a_font_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many signs there are: what was not tried in time counts as lacking."""

    class Fonts:
        class TypstError(Exception):
            pass

        tries = 0

        def compile(self, sample: bytes, *, sys_inputs: dict[str, str], pdf_standards: str) -> None:
            self.tries += 1
            if set(sys_inputs["text"]) & set("日本"):
                raise self.TypstError

    fonts = Fonts()
    assert set("日本") == set(pdf._without_font(fonts, "ab日cdefg本h"))
    assert "" == pdf._without_font(fonts, "")
    monkeypatch.setattr(pdf, "_ATTEMPTS", 3)
    assert set("日本") <= set(pdf._without_font(fonts, "ab日cdefg本h"))
    assert fonts.tries < 20


def test_too_many_rows_are_refused_in_words() -> None:
    """More rows than a PDF is made for: the message says what to ask for instead."""
    rows = [row(1)] * (pdf.MOST_ROWS + 1)
    with pytest.raises(SettingsError, match="ask for HTML"):
        pdf.render(access_document(access_report(rows), heading()))


def test_an_empty_report_is_a_page() -> None:
    """No row is a sentence."""
    _, told = read(pdf.render(access_document(access_report([]), heading())))
    assert "Nocalltouchedthissubject" in told
