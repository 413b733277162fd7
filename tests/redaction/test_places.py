"""Secrets that only their place in a notation tells, and what stands in such places and is none."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from otel_tool_audit.redaction import MARK, Sanitizer

SECRET = "pqxT7Lm2rZ8b"

TEXTS = [
    "getenv(\"X\") or '§'", 'os.environ.get("X", "§")', "ENV.fetch('DB_PASSWORD', '§')", 'os.environ.get("API_KEY") or "§"',
    "WIFI:T:WPA;S:n;P:§;;", "WIFI:S:home;T:WPA;P:§;H:true;;",
    "SET PASSWORD FOR u = '§'", "SET PASSWORD FOR 'bob'@'h' = PASSWORD('§');", "set password = '§'",
    "sudo -S ls <<< '§'", "cryptsetup luksOpen /dev/sda1 x <<< §", 'docker login -u bob --password-stdin <<< "§"', "passwd --stdin bob <<<§",
    "tool.exe /p:§ /u:bob", "tool.exe /password:§", "schtasks /create /tn t /ru bob /rp:§", 'tool /pwd:"§" /x',
    "localhost:5432:db:bob:§", "*:*:*:bob:§\nh:5432:d:u:x",
    "chpasswd <<EOF\nbob:§\nEOF", "echo 'bob:§' | chpasswd", "chpasswd:\n  list: |\n    root:§\n    bob:RANDOM",
    '["password", "§"]', "('password', '§')",
]  # fmt: skip
VALUES: list[Any] = [
    ("password", SECRET), {"param": "password", "val": SECRET}, {"parameter": "api_key", "data": SECRET}, {"Key": "DB_PASSWORD", "Value": SECRET},
    {"fieldName": "password", "fieldValue": SECRET}, {"k": "token", "v": SECRET}, {"property": "secret", "content": SECRET},
    {"option_name": "client_secret", "option_value": SECRET}, {"attr-name": "password", "attr-value": SECRET}, {"KEY": "PASSWORD", "VALUE": SECRET},
    {"name": "password", "default": SECRET}, {"setting": "smtp.password", "current": SECRET}, {"login": ["bob", SECRET]},
]  # fmt: skip
CLEAN: list[Any] = [
    'os.environ.get("REGION", "eu-west-1")', 'getenv("X") or "default"', 'os.getenv("PORT") or "8080"', 'os.environ.get("MODEL", "gpt-4o-mini")',
    "WIFI:S:home;;", "copy /p:4", "msbuild /p:Configuration=Release2", "robocopy a b /mt:16 /log:x1.txt", "SET x = 'y1'", "cat <<< hello1",
    "localhost:5432:db", "12:30:45:10:a1", "worker.py:1024:load:ERROR:step2", "a:b:c:d:e1", "chpasswd --help",
    ["password", "username"], ["token", "tokens2"], {"param": "page", "val": "12ab"}, {"login": ["bob", "alice"]}, {"key": "status", "value": "shipped1"},
    {"field": "password", "type": "string1"}, {"name": "password", "default": None},
]  # fmt: skip


@pytest.mark.parametrize("text", TEXTS)
def test_a_notation_tells_its_secret(text: str) -> None:
    """Nothing of it is left, and something of the notation is."""
    clean = Sanitizer().text(text.replace("§", SECRET)).value
    assert [] == [SECRET[at : at + 6] for at in range(len(SECRET) - 5) if SECRET[at : at + 6] in clean]
    assert MARK != clean


@pytest.mark.parametrize("value", VALUES, ids=str)
def test_a_name_beside_a_value_tells_it(value: object) -> None:
    """Whatever the two keys are called, and however they are spelt."""
    assert SECRET not in repr(Sanitizer().value(value).value)


@pytest.mark.parametrize("value", CLEAN, ids=str)
def test_what_only_stands_in_such_a_place_stays(value: object) -> None:
    """Regions, models, counts, times, properties of a build, and names beside names."""
    assert value == Sanitizer().value(value).value


@pytest.mark.parametrize("end", [b"", b"\n"])
@pytest.mark.parametrize("secret", ["Maple~River?29", SECRET, "ÿÿ>>Zeder-41"])
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
def test_a_found_value_is_hidden_in_base64(encode: Any, secret: str, end: bytes) -> None:
    """As a shell or a program writes it, in the same text and in another argument."""
    written = encode(secret.encode() + end).decode()
    assert written.rstrip("=") not in Sanitizer().text(f"password: {secret}\nit was sent as {written} then").value
    assert written.rstrip("=") not in repr(Sanitizer().value({"password": secret, "note": f"sent {written}"}).value)
