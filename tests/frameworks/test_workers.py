"""Workers that leave without exit hooks: what they recorded and exported is there when they are gone."""

from __future__ import annotations

import pytest

pytestmark = [pytest.mark.timeout(180, func_only=True)]


def test_recycled_children_of_celery_lose_nothing(tell):
    """A child for each task, which leaves by os._exit: every call is on record under its own user, every writer closed, every span exported."""
    told = tell("celery_story", "none", environment="workers")
    assert "5 tasks in 5 processes" == told.outcome
    calls = told.calls()
    assert sorted((name, f"user-{n}", f"conv-{n}", "success") for name in ("charge", "look") for n in range(5)) == sorted(
        (call["tool_name"], call["user_id"], call["conversation_id"], call["status"]) for call in calls
    )
    exported = {span["attributes"]["audit.record.id"] for span in told.spans()}
    assert {call["call_id"] for call in calls} == exported
