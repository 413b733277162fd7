"""The order service that the agent's tools work on: SQLite, five orders."""

from __future__ import annotations

import asyncio
import sqlite3
from typing import Any, Final

import otel_tool_audit as audit

ORDERS: Final = (
    ("ORD-1001", "usr_anna", "delivered", "LAMP-7", 4900),
    ("ORD-1002", "usr_ben", "in transit", "DESK-2", 18900),
    ("ORD-1003", "usr_ben", "open", "LAMP-7", 4900),
    ("ORD-1004", "usr_cleo", "open", "CHAIR-4", 12900),
    ("ORD-1005", "usr_dora", "open", "SHELF-1", 8900),
)
STOCK: Final = (("LAMP-7", 12), ("DESK-2", 0), ("CHAIR-4", 3), ("SHELF-1", 41))

_SCHEMA: Final = """
CREATE TABLE orders (id TEXT PRIMARY KEY, customer TEXT, status TEXT, article TEXT, cents INTEGER);
CREATE TABLE stock (article TEXT PRIMARY KEY, pieces INTEGER);
CREATE TABLE refunds (id INTEGER PRIMARY KEY, order_id TEXT, cents INTEGER);
CREATE TABLE notes (id INTEGER PRIMARY KEY, order_id TEXT, text TEXT);
"""
_SLOW_ANSWER: Final = 0.04
"""Seconds that the made-up warehouse needs, so that parallel calls can be seen to overlap."""


class PaymentTimeout(Exception):
    """The payment provider did not answer in time."""


class Shop:
    """
    The order service and the tools that an agent may use.

    Args:
        path: The database file; made anew.
    """

    def __init__(self, path: str) -> None:
        """Fill the database."""
        self._database = sqlite3.connect(path, isolation_level=None)
        self._database.executescript(_SCHEMA)
        self._database.executemany("INSERT INTO orders VALUES (?, ?, ?, ?, ?)", ORDERS)
        self._database.executemany("INSERT INTO stock VALUES (?, ?)", STOCK)
        self._provider_answers = False

    def close(self) -> None:
        """Close the database."""
        self._database.close()

    @audit.tool
    def get_order(self, order_id: str) -> dict[str, Any]:
        """Look an order up; an unknown one is an exception."""
        found = self._database.execute("SELECT status, article, cents FROM orders WHERE id = ?", (order_id,)).fetchone()
        if found is None:
            message = f"no order {order_id}"
            raise LookupError(message)
        return {"order_id": order_id, "status": found[0], "article": found[1], "cents": found[2]}

    @audit.tool
    def track_parcel(self, order_id: str, api_key: str) -> dict[str, Any]:
        """Ask the carrier, who wants a key with every question."""
        return {"order_id": order_id, "status": "delivered", "authorized": bool(api_key)}

    @audit.tool
    def add_note(self, order_id: str, text: str) -> dict[str, Any]:
        """Keep what a customer wrote."""
        added = self._database.execute("INSERT INTO notes (order_id, text) VALUES (?, ?)", (order_id, text))
        return {"note_id": f"NOTE-{added.lastrowid}"}

    @audit.tool
    def issue_refund(self, order_id: str, cents: int) -> dict[str, Any]:
        """Refund a delivered order; any other is refused, which is an answer and no exception."""
        status = self.get_status(order_id)
        if status != "delivered":
            return {"error": f"{order_id} is {status}: only what was delivered is refunded", "status": "refused"}
        made = self._database.execute("INSERT INTO refunds (order_id, cents) VALUES (?, ?)", (order_id, cents))
        return {"refund_id": f"REF-{made.lastrowid}", "status": "refunded"}

    @audit.tool
    def charge_payment(self, order_id: str, cents: int) -> dict[str, Any]:
        """Charge a customer; the provider needs to be asked twice."""
        if not self._provider_answers:
            self._provider_answers = True
            message = "the payment provider did not answer within 5 s"
            raise PaymentTimeout(message)
        self._database.execute("UPDATE orders SET status = 'paid' WHERE id = ?", (order_id,))
        return {"payment_id": "PAY-1", "order_id": order_id, "status": "paid", "cents": cents}

    @audit.tool
    async def check_stock(self, article: str) -> dict[str, Any]:
        """Count pieces in the warehouse, slowly."""
        await asyncio.sleep(_SLOW_ANSWER)
        pieces = self._database.execute("SELECT pieces FROM stock WHERE article = ?", (article,)).fetchone()
        return {"article": article, "count": pieces[0]}

    def get_status(self, order_id: str) -> str:
        """Tell an order's status, for the shop's own use."""
        found = self._database.execute("SELECT status FROM orders WHERE id = ?", (order_id,)).fetchone()
        return str(found[0])
