"""Secrets as people, forms and terminals tell them, without a name and a sign between."""

from __future__ import annotations

import pytest

from otel_tool_audit.redaction import Sanitizer

SECRET = "hunter2Xq9"
TOLD = (
    "password hunter2Xq9", "the login is bob / password hunter2Xq9.", "password - hunter2Xq9", "password → hunter2Xq9", "password “hunter2Xq9”", "**Password:** hunter2Xq9",
    "| user | bob |\n| password | hunter2Xq9 |", "password:\n  hunter2Xq9", "password: |\n  hunter2Xq9\nuser: bob", "use hunter2Xq9 as the password", "mein Passwort ist hunter2Xq9",
    "mot de passe : hunter2Xq9", "contraseña: hunter2Xq9", "пароль: hunter2Xq9", "密码：hunter2Xq9", "密码是hunter2Xq9", "パスワード: hunter2Xq9", "비밀번호: hunter2Xq9", "wachtwoord: hunter2Xq9",
    "hasło: hunter2Xq9", "şifre: hunter2Xq9", "lösenord: hunter2Xq9", "<password type='x'>hunter2Xq9</password>", "<ns:dbPassword a=\"1\" b='2'>\n hunter2Xq9\n</ns:dbPassword>",
    'Content-Disposition: form-data; name="password"\r\n\r\nhunter2Xq9\r\n--b--', 'form-data; name="api_key"\r\nContent-Type: text/plain\r\n\r\nhunter2Xq9\r\n--b',
    "CREATE USER u IDENTIFIED BY 'hunter2Xq9'", "ALTER ROLE u WITH PASSWORD 'hunter2Xq9'", "IDENTIFIED WITH mysql_native_password BY 'hunter2Xq9'", "openssl pkcs12 -passin pass:hunter2Xq9",
    "unzip -P hunter2Xq9 a.zip", "machine github.com login u password hunter2Xq9", "password%3Dhunter2Xq9", "/login?next=%2F%3Fpassword%3Dhunter2Xq9%26x", "&quot;password&quot;:&quot;hunter2Xq9&quot;",
    "\\u0022password\\u0022:\\u0022hunter2Xq9\\u0022", "\\x22password\\x22: \\x22hunter2Xq9\\x22", "ＰＡＳＳＷＯＲＤ：hunter2Xq9", "password\u200b: hunter2Xq9", "pass\u00adword: hunter2Xq9",
    "\x1b[1mpassword\x1b[0m: hunter2Xq9", "password: \x1b[32mhunter2Xq9\x1b[0m", "\\u001b[1mpass\\u001b[31mword\\u001b[0m=hunter2Xq9", "token hunter2Xq9", "api key hunter2Xq9aBc",
)  # fmt: skip
SHAPED = (
    "\x1b[31msk-live-51H8xYzKq0\x1b[0m", "sk-live-a1b2", "sk_live_abcdefgh", "rk_test_4eC39Hq", "sk-abc123", "https://api.telegram.org/bot123456789:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw1/sendMessage",
    "john.doe%40example.com", "john.doe&#64;example.com", "card=4111%201111%201111%201111", "卡号4111111111111111。", "カード番号4111 1111 1111 1111です", "ключ4111111111111111",
    "OTP 482193", "one-time code: 482193", "your code is 482193", "CVV 123", "exp 12/27 cvv 123", "his PIN is 4821", "pin: 4821", "2FA code: 482 193", "Security code 4821",
)  # fmt: skip
HARMLESS = (
    "password policy requires 12 characters", "the password must hold 8 letters and 1 digit", "password reset", "forgot your password?", "password: required\nuser: bob", "password:\n  type: string\n  minLength: 8",
    "token limit of gpt-4o-2024-08-06", "the token gpt-4.1 costs", "unexpected token 'foo1' in JSON", "api key rotation in 2026", "hashed password with sha256", "password hash argon2id", "bearer token RFC6750",
    "error code 404", "country code 49", "pin code 110001", "GPIO pin 13", "pin 7", "zip code 90210", "code: 200", "discount code SAVE20", "status code: 500", "your code is bad", "exit code 137",
    "sk-learn", "sk-SK", "locale sk-test-only", "task-live-update", "disk_live_migration", "sk_live_YOUR_KEY_HERE", "sk-live-stream", "sk-live-xxxxxxxx", "100% of users", "a & b", "R&D;", "C:\\users\\x64\\u", "50%25 off",
    "密码很重要", "パスワードを忘れた", "the word пароль means that", "<p class='a'>text</p>", '<input type="password" name="p">', "Łódź, São Paulo, Zürich", "“quoted” ‘text’", "use v2 as the default",
    "order_4111111111111112", "version 4.1.1111", "ﬁle", "½ cup", "naïve café",
)  # fmt: skip


@pytest.mark.parametrize("text", TOLD)
def test_a_password_goes_however_it_is_told(text: str) -> None:
    """Beside its name, below it, in a table, an element, a form, a statement; escaped, coloured, in wide letters, in other languages."""
    clean, redactions = Sanitizer().text(text)
    assert SECRET not in clean
    assert "***REDACTED***" in clean
    assert redactions


@pytest.mark.parametrize("text", SHAPED)
def test_what_shows_by_its_shape_goes_wherever_it_stands(text: str) -> None:
    """Beside colours, escapes and letters of other scripts; short keys, and codes beside their name."""
    clean, _ = Sanitizer().text(text)
    assert "***REDACTED***" in clean
    assert clean != text


@pytest.mark.parametrize("text", HARMLESS)
def test_talk_of_passwords_stays(text: str) -> None:
    """Policies, models, codes of states and countries, placeholders, prose of other languages."""
    assert Sanitizer().text(text) == (text, ())


@pytest.mark.parametrize("number", [4111111111111111, 4111111111111111.0])
def test_a_card_is_one_also_as_a_number(number: float) -> None:
    """Some JSON readers make every number one with a fraction."""
    assert {"x": "***REDACTED***"} == Sanitizer().value({"x": number}).value
    assert {"x": 4111111111111112.0} == Sanitizer().value({"x": 4111111111111112.0}).value


def test_what_stands_around_an_escaped_secret_stays_as_it_was() -> None:
    """Only the secret is replaced; escapes beside it are not undone."""
    assert "/a%2Fb?***REDACTED***&c=%C3%A9" == Sanitizer().text("/a%2Fb?e=john.doe%40example.com&c=%C3%A9").value
