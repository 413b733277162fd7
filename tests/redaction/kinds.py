"""
Secrets of every kind in every container, and clean texts of the same kinds: drawn by chance, from nobody's corpus.

A kind is a place for a secret and the signs that secrets there are made of. A container is what an agent's framework puts a text into.
"""

from __future__ import annotations

import json
import random
import string
import urllib.parse
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

ALNUM = string.ascii_letters + string.digits
URL = ALNUM + "-_"
HEX = "0123456789abcdef"
LOUD = ALNUM + "!#%^*()+}{~?@.,-_/$&:"
"""What people put into passwords; no quote and no backslash, which every notation writes in its own way."""

QUIET = ALNUM + "!#^*()+~@.-_"
"""The same without what ends a field in a shell, a URL or a list."""

WORDS = [
    "correct",
    "horse",
    "battery",
    "staple",
    "orbit",
    "velvet",
    "canyon",
    "maple",
    "thunder",
    "pebble",
    "walnut",
    "ribbon",
    "glacier",
    "saddle",
    "lantern",
    "meadow",
    "cobalt",
    "harvest",
    "anchor",
    "falcon",
    "quartz",
    "timber",
    "bishop",
    "cactus",
    "violin",
    "marble",
    "copper",
    "dragon",
    "forest",
    "island",
    "jungle",
    "kettle",
    "ladder",
    "magnet",
]


class Kind(NamedTuple):
    """A place for a secret, and what secrets there look like."""

    name: str
    place: str
    signs: str = ALNUM
    sizes: tuple[int, int] = (12, 28)
    whole: bool = True
    """Whether the place may stand as a text of its own only (at the beginning of a line)."""


def draw(chance: random.Random, kind: Kind) -> str:
    """Draw a secret that nobody could take for a word, a number or a placeholder."""
    if kind.signs == "words":
        return " ".join(chance.sample(WORDS, chance.randint(4, 6)))
    while True:
        found = "".join(chance.choices(kind.signs, k=chance.randint(*kind.sizes)))
        core = found.strip("!#%^*()+}{~?@.,-_/$&:")
        if core == found and any(c.isdigit() for c in found) and any(c.isalpha() for c in found):
            return found


NAMES = (
    "password", "passwd", "pwd", "passphrase", "secret", "token", "api_key", "apiKey", "X-Api-Key", "access_token", "accessToken", "refresh-token", "client_secret",
    "clientSecret", "private_key", "session_token", "db_password", "dbPassword", "SMTP_PASS", "pw", "psk", "wifi_psk", "passkey", "sid", "auth_code", "authCode",
    "device_code", "deviceCode", "code_verifier", "codeVerifier", "client_assertion", "clientAssertion", "signing_key", "encryption_key", "webhook_secret", "otp_secret",
    "ssh_key", "credentials", "auth_token", "AWS_SECRET_ACCESS_KEY", "pre_shared_key", "recovery_code", "csrf_token", "jwt", "bearer_token", "mot_de_passe", "Passwort", "hasło",
)  # fmt: skip
SCHEMES = (
    "Bearer",
    "Basic",
    "Token",
    "SSWS",
    "GenieKey",
    "Splunk",
    "Bot",
    "ApiKey",
    "Key",
    "Zoho-oauthtoken",
    "OAuth",
    "Klaviyo-API-Key",
    "xyzzy",
    "Snowflake Token=",
    "Discord-Auth",
)

ASSIGNED = tuple(
    Kind(f"{form} {name}", place.replace("NAME", name), signs)
    for name in NAMES
    for form, place, signs in (
        ("json", '{"id": 7, "NAME": "§", "ok": true}', LOUD),
        ("python", "{'id': 7, 'NAME': '§', 'ok': True}", LOUD),
        ("call", "login(user='bob', NAME='§')", LOUD),
        ("yaml", "host: db\nNAME: §\nport: 5432", LOUD),
        ("quoted yaml", 'host: db\nNAME: "§"\nport: 5432', LOUD),
        ("query", "https://api.example.com/v1/x?a=1&NAME=§&page=2", URL),
        ("form", "user=bob&NAME=§&remember=1", URL),
        ("log", "connected with NAME=§ after 3 tries", QUIET),
        ("toml", 'NAME = "§"', LOUD),
        ("xml", "<config><NAME>§</NAME></config>", QUIET),
        ("prose", "NAME: §", LOUD),
    )
    if name.isascii()
)
HEADERS = tuple(
    Kind(f"{form} {scheme}", place.replace("SCHEME", scheme), ALNUM + "-_.~+/=", (16, 48))
    for scheme in SCHEMES
    for form, place in (
        ("header", "GET / HTTP/1.1\nHost: example.com\nAuthorization: SCHEME §\nAccept: */*"),
        ("curl", "curl -H 'Authorization: SCHEME §' https://example.com/v1"),
        ("curl with two quotes", 'curl -X POST -H "Authorization: SCHEME §" -d @f https://example.com/v1'),
        ("object", '{"headers": {"Authorization": "SCHEME §", "Accept": "*/*"}}'),
        ("printed", "{'Authorization': 'SCHEME §', 'Accept': '*/*'}"),
        ("proxy", "Proxy-Authorization: SCHEME §"),
    )
)
LINES = (
    Kind("env", "DB_PASSWORD=§", LOUD),
    Kind("env export", "export API_TOKEN=§", LOUD),
    Kind("env file", "DEBUG=1\nDB_HOST=db\nDB_PASSWORD=§\nPORT=80", LOUD),
    Kind("passphrase", "passphrase: §", "words"),
    Kind("passphrase in yaml", "vault:\n  passphrase: §\n  rounds: 4", "words"),
    Kind("passphrase in env", "VAULT_PASSPHRASE=§", "words"),
    Kind("passphrase in xml", "<vault><passphrase>§</passphrase></vault>", "words"),
    Kind("seed phrase", "seed phrase: §", "words"),
    Kind("password said", "the password is §", QUIET),
    Kind("block", "password: |\n  §\nuser: bob", LOUD),
    Kind("connection string", "Server=db;Database=x;User Id=sa;Password=§;Timeout=5", QUIET),
    Kind("url", "postgresql://app:§@db.internal:5432/orders", ALNUM + "!*-_.~+%"),
    Kind("url with at", "redis://:§@cache:6379/0", ALNUM + "!*-_.~"),
    Kind("cookie", "Cookie: theme=dark; sid=§; lang=en", URL, (20, 40)),
    Kind("set-cookie", "Set-Cookie: session=§; Path=/; HttpOnly", URL, (20, 40)),
    Kind("pem", "-----BEGIN RSA PRIVATE KEY-----\n§\n-----END RSA PRIVATE KEY-----", ALNUM + "+/", (40, 600)),
    Kind("short pem", "-----BEGIN EC PRIVATE KEY-----\n§\n-----END EC PRIVATE KEY-----", ALNUM + "+/", (16, 39)),
    Kind("pgp", "-----BEGIN PGP PRIVATE KEY BLOCK-----\n\n§\n-----END PGP PRIVATE KEY BLOCK-----", ALNUM + "+/", (40, 600)),
    Kind("input", '<input type="password" name="p" value="§">', QUIET),
)
NEIGHBOURS = (
    Kind("neighbour said is:", "Hello, the db_password is: §", LOUD),
    Kind("neighbour said to be", "The new passphrase will be §", ALNUM),
    Kind("neighbour said of somebody", "Password for bob is '§' (do not share)", ALNUM + "!#"),
    Kind("neighbour said to be changed", "bob's password was changed to §", ALNUM + "!#"),
    Kind("neighbour said in German", "Das Passwort lautet §", ALNUM + "!#"),
    Kind("neighbour in brackets", "login with password=[§] failed", ALNUM),
    Kind("neighbour folded block", "password: >-\n  §\nport: 1", "words"),
    Kind("neighbour ini", "[db]\npassword = §\nport = 1", "words"),
    Kind("neighbour property list", "<dict><key>Password</key><string>§</string></dict>", ALNUM + "!#"),
    Kind("neighbour insert", "INSERT INTO users (name, password) VALUES ('bob', '§'), ('al', NULL);", ALNUM + "!#;,"),
    Kind("neighbour national string", "CREATE LOGIN app WITH PASSWORD = N'§'", "words"),
    Kind("neighbour secure string", 'ConvertTo-SecureString "§" -AsPlainText -Force', ALNUM + "!#"),
    Kind("neighbour setter", 'conn.setPassword("§");', "words"),
    Kind("neighbour wrapped", "User(name='bob', secret=SecretBox('§'))", ALNUM + "!#"),
    Kind("neighbour user and password", 'requests.get(u, auth=("bob", "§"))', ALNUM + "!#"),
    Kind("neighbour credential", 'new NetworkCredential("bob", "§")', ALNUM + "!#"),
    Kind("neighbour default behind a variable", "const key = process.env.API_KEY || '§';", ALNUM),
    Kind("neighbour oracle", "jdbc:oracle:thin:app/§@db:1521/x", ALNUM),
)
LINED = (
    Kind("identified by", "CREATE USER bob IDENTIFIED BY '§'", ALNUM + "!#"),
    Kind("password hash", "bob:$6$aB3dE5gH$§:19000:0:99999:7:::", ALNUM + "./", (43, 86)),
    Kind("named in yaml", "env:\n- name: DB_PASSWORD\n  value: §\n- name: PORT\n  value: '1'", "words"),
    Kind("in another script", "пароль: §", "words"),
    Kind("directive", "port 6379\nrequirepass §\nmaxclients 5", ALNUM + "!#"),
    Kind("csv", "id,name,api_token,created\n1,Al,§,2024-01-01\n", ALNUM + "!#"),
    Kind("csv without tokens", "user;passwort;ort\nbob;§;Bonn\n", ALNUM + "!#"),
    Kind("markdown table", "| Name | API Key | Env |\n|---|---|---|\n| a | `§` | prod |", ALNUM + "!#"),
    Kind("printed table", " id | secret \n----+--------\n  1 | §\n(1 row)", ALNUM + "!#"),
    Kind("typed by Selenium", 'driver.find_element(By.ID, "password").send_keys("§")', ALNUM + "!#"),
    Kind("typed by Playwright", "page.fill('input[type=password]', '§')", ALNUM + "!#"),
    Kind("told by pydantic", "password\n  Value error, too short [type=value_error, input_value='§', input_type=str]", ALNUM + "!#"),
    Kind("said to a server", "USER bob\r\nPASS §\r\n", ALNUM + "!#"),
    Kind("kubernetes secret", "apiVersion: v1\nkind: Secret\nstringData:\n  thing: §\n", "words"),
)
"""Kinds that lines tell: their breaks must be breaks."""

COMMANDS = tuple(
    Kind(f"{form} {command[0]} {at}", place, ALNUM + "!#^+~@._-", (10, 24))
    for at, command in enumerate(
        (
            ("psql", "--password", "§", "-h", "db"),
            ("mysql", "-u", "root", "-p", "§", "shop"),
            ("mysqldump", "-u", "root", "-p§", "shop"),
            ("sshpass", "-p", "§", "ssh", "host"),
            ("curl", "-u", "bob:§", "https://example.com"),
            ("curl", "--user", "bob:§", "-s", "https://example.com"),
            ("docker", "login", "-u", "bob", "-p", "§"),
            ("redis-cli", "-a", "§", "ping"),
            ("vault", "login", "--token=§"),
            ("deploy", "--api-key", "§", "--region", "eu"),
            ("deploy", "--client-secret=§", "-v"),
            ("mytool", "-u", "bob", "-p", "§", "run"),
            ("gpg", "--passphrase", "§", "-d", "f"),
            ("zip", "-P", "§", "a.zip", "f"),
            ("docker", "run", "-e", "DB_PASSWORD=§", "image"),
            ("rabbitmqctl", "add_user", "bob", "§"),
            ("vault", "login", "§"),
            ("mysqladmin", "password", "§"),
            ("aws", "configure", "set", "aws_secret_access_key", "§"),
            ("kubectl", "create", "secret", "generic", "s", "--from-literal=foo=§"),
            ("flyctl", "secrets", "set", "FOO=§"),
            ("smbclient", "//h/s", "-U", "bob%§"),
            ("http", "-a", "bob:§", "https://example.com"),
            ("keytool", "-storepass", "§"),
            ("ssh-keygen", "-N", "§", "-f", "k"),
        )
    )
    for form, place in (("json list", json.dumps(command, ensure_ascii=False)), ("printed list", repr(list(command))), ("shell", " ".join(command)))
)
ENVIRONMENTS = (
    Kind("environment list", '["PATH=/usr/bin", "DB_PASSWORD=§", "LANG=C"]', LOUD),
    Kind("printed environment", "['PATH=/usr/bin', 'API_TOKEN=§', 'LANG=C']", LOUD),
    Kind("named environment", '{"env": [{"name": "DB_PASSWORD", "value": "§"}]}', LOUD),
)
VENDORS = tuple(
    Kind(f"vendor {prefix}", f"use {prefix}§ for this", ALNUM, (24, 48))
    for prefix in ("acme_", "zorp_live_", "qx_", "blorb_pat_", "nimbus_key_", "vk_", "xlr8_", "foo_sk_", "kite_", "hpx_")
)
KINDS = (*ASSIGNED, *HEADERS, *LINES, *NEIGHBOURS, *COMMANDS, *ENVIRONMENTS, *VENDORS)

Container = Callable[[str], Any]
CONTAINERS: dict[str, Container] = {
    "text": lambda text: text,
    "value": lambda text: {"note": text},
    "deep": lambda text: {"a": [{"b": (text, 1)}]},
    "json": lambda text: json.dumps({"content": text, "n": 1}),
    "json in json": lambda text: json.dumps({"body": json.dumps({"content": text})}),
    "printed": lambda text: str({"content": text, "n": 1}),
    "printed in json": lambda text: json.dumps({"log": str({"content": text})}),
    "bytes": lambda text: text.encode(),
    "url-encoded": lambda text: f"/next?to={urllib.parse.quote(text, safe='')}",
    "error": ValueError,
    "message": lambda text: [{"role": "user", "parts": [{"type": "text", "content": text}]}],
}


def pieces(secret: str, size: int = 6) -> Iterator[str]:
    """Give every piece of a secret that is so long."""
    for at in range(len(secret) - size + 1):
        yield secret[at : at + size]


def left_of(secret: str, shown: object, beside: str = "") -> list[str]:
    """List the pieces of a secret that are still shown, other than those that stand in the text around it, too."""
    text = shown if isinstance(shown, str) else json.dumps(shown, ensure_ascii=False, default=repr)
    around = beside.replace("§", "\0")
    return [piece for piece in pieces(secret) if piece in text and piece not in around]
