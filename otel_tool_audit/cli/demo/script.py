"""What the scripted model decides: a list of turns for each conversation, as a model's answers would be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

MODEL: Final = "demo-model-1"
AGENT: Final = "support-agent"

CARRIER_KEY: Final = "sk-live-" + "c4rr13r" * 5
"""A made-up secret that must never be found in the trail."""

CARD: Final = "4111 1111 1111 1111"
"""The card number that payment providers publish for tests."""


class ToolUse(NamedTuple):
    """A tool that the model wants called."""

    tool: str
    arguments: Mapping[str, Any]


class Turn(NamedTuple):
    """
    One answer of the model.

    Attributes:
        asked: What the user wrote, or what else made the model act.
        uses: The tools to call; several are called in parallel.
        trigger: Why.
    """

    asked: str
    uses: tuple[ToolUse, ...]
    trigger: str = "user_request"


class Conversation(NamedTuple):
    """A conversation with one user."""

    name: str
    user: str
    role: str
    turns: tuple[Turn, ...]


def _use(tool: str, **arguments: object) -> ToolUse:
    return ToolUse(tool, arguments)


ANNA: Final = Conversation(
    "conv_anna",
    "usr_anna",
    "customer",
    (
        Turn("My lamp is broken. Order ORD-1001.", (_use("get_order", order_id="ORD-1001"),)),
        Turn("(the model looks whether it arrived)", (_use("track_parcel", order_id="ORD-1001", api_key=CARRIER_KEY),), "follow_up"),
        Turn(f"Please refund it to my card {CARD}.", (_use("add_note", order_id="ORD-1001", text=f"refund to card {CARD}, says the customer"),)),
        Turn("Yes, the whole amount.", (_use("issue_refund", order_id="ORD-1001", cents=4900),)),
    ),
)
BEN: Final = Conversation(
    "conv_ben",
    "usr_ben",
    "customer",
    (
        Turn("Refund my desk, ORD-1002.", (_use("issue_refund", order_id="ORD-1002", cents=18900),)),
        Turn("Sorry, I meant ORD-9999.", (_use("get_order", order_id="ORD-9999"),)),
        Turn("Then charge me for the lamp, ORD-1003.", (_use("charge_payment", order_id="ORD-1003", cents=4900),)),
        Turn("(the agent tries again)", (_use("charge_payment", order_id="ORD-1003", cents=4900),), "retry"),
    ),
)
CLEO: Final = Conversation(
    "conv_cleo",
    "usr_cleo",
    "shop_owner",
    (
        Turn(
            "(every morning)",
            (_use("check_stock", article="LAMP-7"), _use("check_stock", article="DESK-2"), _use("check_stock", article="CHAIR-4")),
            "proactive",
        ),
    ),
)
CONVERSATIONS: Final = (ANNA, BEN, CLEO)
