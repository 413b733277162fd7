from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest
from made_calls import Printed, call, record
from typer import Typer

from otel_tool_audit.cli.app import VERBS as LISTED
from otel_tool_audit.trail.trail import Trail

Command = Callable[..., Printed]
VERBS = ["demo", "verify", "recover", "calls", "show", "timeline", "tail", "stats", "sql", "export", "reconcile", "sanitize", "doctor", "report"]


def test_help_lists_exactly_what_works(command: Command) -> None:
    """Each verb that exists is listed, and no other."""
    printed = command("--help")
    listed = [line.split()[0] for line in printed.out.partition("Commands:\n")[2].partition("\n\n")[0].splitlines()]
    assert (0, VERBS) == (printed.code, listed)


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_explains_itself(command: Command, verb: str) -> None:
    """Every verb has help, and every option in it a sentence."""
    printed = command(verb, "--help")
    assert 0 == printed.code
    assert printed.out.startswith(f"Usage: otel-tool-audit {verb}")
    options = [line for line in printed.out.partition("Options:")[2].splitlines() if line.startswith("  -")]
    assert options
    assert not [line for line in options if len(line.split("  ")) < 3]


@pytest.mark.parametrize("verb", ["verify", "calls", "recover"])
def test_a_directory_that_is_not_there_is_a_usage_error(command: Command, tmp_path: Path, verb: str) -> None:
    """A mistyped path is no verdict about a trail."""
    printed = command(verb, tmp_path / "nowhere")
    assert (2, "") == (printed.code, printed.out)
    assert "nowhere" in printed.err


@pytest.mark.parametrize("verb", ["verify", "calls"])
def test_a_foreign_directory_gets_one_clear_line(command: Command, tmp_path: Path, state: Path, verb: str) -> None:
    """What is no trail is not reported as a good one, nor with a stack trace."""
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "letter.txt").write_text("hello")
    printed = command(verb, tmp_path / "foreign")
    assert printed.code in (1, 3)
    assert "Traceback" not in printed.err


def test_an_unknown_verb_is_a_usage_error(command: Command) -> None:
    """A verb that does not exist is named, with the way to the help."""
    printed = command("frobnicate")
    assert (2, "") == (printed.code, printed.out)
    assert ["error: No such command 'frobnicate'.", "try: otel-tool-audit --help"] == printed.err.splitlines()


def test_the_module_is_the_command(tmp_path: Path) -> None:
    """`python -m otel_tool_audit` prints what the command prints."""
    done = _python("-m", "otel_tool_audit", "--help")
    assert (0, "") == (done.returncode, done.stderr)
    assert done.stdout.startswith("Usage: otel-tool-audit ")


def test_the_version_is_the_installed_one(command: Command) -> None:
    """--version prints what the package's metadata say."""
    try:
        expected = version("otel-tool-audit")
    except PackageNotFoundError:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip("the package is on the path, not installed")
    assert (0, f"otel-tool-audit {expected}\n", "") == command("--version")


def test_without_the_extra_one_line_says_how_to_get_it(tmp_path: Path) -> None:
    """Where typer is missing, the command says which pip command to use, and exits 2."""
    hide = """
import sys
from importlib import util

find = util.find_spec
util.find_spec = lambda name, *rest: None if name == "typer" else find(name, *rest)

from otel_tool_audit.__main__ import main

sys.exit(main())
"""
    done = _python("-c", hide)
    assert (2, "") == (done.returncode, done.stdout)
    assert "otel-tool-audit: the command line needs typer and rich: pip install 'otel-tool-audit[cli]'\n" == done.stderr


@pytest.mark.parametrize("style", ["table", "jsonl", "json", "csv"])
def test_a_closed_pipe_is_quiet(tmp_path: Path, state: Path, style: str) -> None:
    """`calls | head -1` ends without a word on stderr, and not with the exit code of a broken trail."""
    with Trail.open(tmp_path / "audit", durability="os") as trail:
        for number in range(2000):
            record(trail, call(number))
    command = [sys.executable, "-m", "otel_tool_audit", "calls", str(tmp_path / "audit"), "--format", style]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stderr
        assert process.stdout.readline()
        process.stdout.close()
        assert (b"", 141) == (process.stderr.read(), process.wait(60))


def test_reading_loads_neither_writer_nor_sdk(trail: Path) -> None:
    """Asking and verifying work, and start fast, without the OpenTelemetry SDK."""
    code = (
        "import sys; from otel_tool_audit.cli.app import run; "
        f"code = run(['calls', {str(trail)!r}, '--json']); "
        "print(sorted(m for m in sys.modules if m.startswith(('opentelemetry.sdk', 'grpc', 'otel_tool_audit.trail.trail'))), file=sys.stderr); "
        "sys.exit(code)"
    )
    done = _python("-c", code)
    assert (0, "[]\n") == (done.returncode, done.stderr)


def test_text_that_the_locale_can_not_write_is_written_all_the_same(trail: Path) -> None:
    """Results are UTF-8, whatever the locale says."""
    done = _python("-m", "otel_tool_audit", "timeline", str(trail), "conv_1", environment={"LC_ALL": "C", "PYTHONIOENCODING": "ascii"})
    assert "✅" in done.stdout


def _python(*arguments: str, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, encoding="utf-8", check=False, timeout=60, env={**os.environ, **(environment or {})}
    )


def test_the_list_of_verbs_says_what_each_says_of_itself() -> None:
    """The lines stand beside the list, so that it needs no verb's module; they are the first lines of the verbs' own help."""
    for name, verb in LISTED.items():
        found = getattr(import_module(f"otel_tool_audit.cli.{verb.module}"), name)
        said = found.info.help if isinstance(found, Typer) else found.__doc__.partition("\n")[0]
        assert said == verb.help, name


def test_listing_the_verbs_imports_none_of_them() -> None:
    """--help and --version need neither rich's console nor the reader."""
    for option in ("--help", "--version"):
        code = f"import sys; from otel_tool_audit.cli.app import run; run([{option!r}]); print(*sys.modules, file=sys.stderr)"
        loaded = set(_python("-c", code).stderr.split())
        assert set() == loaded & {"rich.console", "opentelemetry", "otel_tool_audit.review", "otel_tool_audit.access", "importlib.metadata"}
