"""What agents' tools say all day: lines of logs, code and data that hold no secret and nobody's data."""

from __future__ import annotations

import pytest

from otel_tool_audit.redaction import Sanitizer

LINES = (
    "commit 3a1431109d4f8d9b1d7b4c9c0a9d3f6b2c1e0f9a (HEAD -> main)",
    "9fceb02d0ae598e95dc970b74767f19372d61af8 refs/heads/main",
    "docker.io/library/python@sha256:0c5b8f9d2ee4e2c5ad1f1dd5ad1c7c8cbb5a1b1e3e0a7d7c9f5d6e8a9b0c1d2e",
    "sha512-oQ8tRk5XyO1wv8c3Zs4bPp0nYf7uLdG2aHs9tNwXk6jVbMqEiC1rDlUzTgShKxFyWnJpBvAeQ3o5I4r7m8Zu2Q==",
    "  resolved https://registry.example.org/lodash/-/lodash-4.17.21.tgz",
    'lodash@^4.17.15, lodash@^4.17.21: version "4.17.21"',
    "certifi==2025.8.3 --hash=sha256:f6c12493cfb1b06ba2ff328595af9350c65d6644968e5d3a2ffd78699af217a5",
    "arn:aws:s3:::my-bucket/path/to/object-2026-11-24.parquet",
    "arn:aws:iam::123456789012:role/Worker",
    "pod/checkout-7d9c5b6f4d-x2x8k 1/1 Running 0 3d4h",
    "i-0abcd1234ef567890 us-east-1a running",
    "vpc-0a1b2c3d4e5f67890 subnet-0f9e8d7c6b5a43210",
    "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7",
    "M10 10 L 20.5 30.25 C 40 50 60 70 80 90 Z",
    'File "/usr/lib/python3.11/asyncio/base_events.py", line 654, in run_until_complete',
    "KeyError: 'order_id'",
    "TypeError: unsupported operand type(s) for +: 'int' and 'NoneType'",
    'sqlite3.OperationalError: near "FROM": syntax error',
    "SELECT id, status, total FROM orders WHERE created_at >= '2026-11-01' AND status = 'open' LIMIT 50",
    "INSERT INTO items (sku, qty, price) VALUES ('SKU-88213', 3, 19.99)",
    "HTTP/1.1 200 OK content-type: application/json; charset=utf-8 content-length: 1256",
    "GET /api/v2/orders/8f14e45f-ceea-467f-a8b2-0d2a1f3c4b5d?expand=items&limit=100 200 34ms",
    'etag: W/"33a64df551425fcc55e4d42a148795d9f25f89d4"',
    "user_agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36",
    "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    "2026-11-24T12:30:45.123Z INFO worker-3 processed 1523 rows in 2.45s (622 rows/s)",
    "Nov 24 12:30:45 host-17 systemd[1]: Started nightly-backup.service.",
    "[2026-11-24 12:30:45,123] {scheduler.py:812} WARNING - queue depth 1200 exceeds 1000",
    "cpu 45.2% mem 1.2GiB/4GiB net 12.3kB/s disk 98%",
    "latitude 48.858370, longitude 2.294481, altitude 330 m",
    "bbox=-74.2591,40.4774,-73.7004,40.9176",
    "flight LH 454 FRA-SFO 2026-12-01 10:25-13:00",
    "invoice INV-2026-004711 of 2026-11-24: 3 x 49.90 EUR = 149.70 EUR, VAT 19%",
    "tracking 1Z999AA10123456784 delivered",
    "temperature rose from -12.5 to 3.75 between 06:00 and 14:30",
    "Monday-Friday 9:00-17:00, Saturday 10-14",
    "the ratio was 16:9, then 4:3",
    "git checkout -b feature/secret-santa",
    "tokenizer.encode(text, max_length=512, truncation=True)",
    "usage: {'prompt_tokens': 812, 'completion_tokens': 96, 'total_tokens': 908}",
    "max_tokens=4096 temperature=0.2 top_p=0.95",
    "def get_password(self) -> str: ...",
    "password_hash column is missing",
    "if not token: raise ValueError('no token given')",
    "the secretary of the board asked for the keys of room 12",
    "key = value",
    "primary_key=id, foreign_key=order_id, sort_key=created_at",
    "import os; key = os.environ.get('HOME')",
    "for key, value in mapping.items(): print(key, value)",
    "map key: north-america-east",
    "color: #ff8800; margin: 0 auto; padding: 4px 8px 4px 8px",
    "@media (max-width: 600px) { .card { display: none } }",
    "npm i @types/node@20.11.5 --save-dev",
    "ssh://git@github.com/example/repo.git",
    "git@github.com:example/repo.git",
    "https://example.com/a/very/long/path-with-words-and-4711-numbers/index.html?utm_source=newsletter#section-2.3",
    "https://docs.example.com/document/d/1W7KCxOxP-1Fy5EyF2lbJGE2WuKmu5v0suYqoHas1jRM/edit",
    "s3://bucket/year=2026/month=11/day=24/part-00000-8f14e45f-ceea-467f-a8b2-0d2a1f3c4b5d.snappy.parquet",
    "call_id 4bf92f3577b34da6a3ce929d0e0e4736, writer 0af7651916cd43dd8448eb211c80319c",
    "tool_audit chain=general seq=1842 hash=9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "model gpt-4.1-2025-04-14, claude-sonnet-4-20250514, gemini-2.0-flash-001",
    "call_Zx81Qw72Er63Ty54Ui45Op36 toolu_01A09q90qw90lq917835lq9 chatcmpl-9rXyZ12abcDEF345ghiJKL678mno",
    "Lorem ipsum dolor sit amet, consectetur adipiscing elit, sed do eiusmod tempor incididunt.",
    "Ihr Paket kommt am 24.11.2026 zwischen 12:00 und 14:00 Uhr.",
    "Le rendez-vous est le 24/11/2026 à 12h30, salle 204.",
    "会議は2026年11月24日12時30分からです。",
)


@pytest.mark.parametrize("line", LINES)
def test_everyday_lines_stay(line: str) -> None:
    """Nothing in such a line is taken for a secret or for personal data."""
    assert Sanitizer().text(line) == (line, ())
