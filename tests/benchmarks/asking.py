"""A trail of many calls to ask, made by the real writer: a month, 20 tools, 200 users, ten calls a conversation, fifty a patient."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from pathlib import Path

from otel_tool_audit.format.events import FINISHED, STARTED
from otel_tool_audit.record.model import new_call
from otel_tool_audit.trail.trail import Trail

CALLS_OF_A_CONVERSATION = 10
CALLS_OF_A_PATIENT = 50
PATIENT = "pseudo-patient-{:06d}"
CONVERSATION = "conv_{:08d}"
_BEGIN = datetime(2026, 3, 1)  # noqa: DTZ001 - written as UTC below
_MONTH = 31 * 86_400


def fill(path: Path, state: Path, calls: int) -> None:
    """Write the trail; the same for the same number."""
    chance = random.Random(7)
    patients = max(1, calls // CALLS_OF_A_PATIENT)
    with Trail.open(path, state=state, durability="os") as trail:
        for number in range(calls):
            when = (_BEGIN + timedelta(microseconds=number * _MONTH * 1_000_000 // calls)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
            patient = chance.randrange(patients)
            call = new_call(f"{chance.getrandbits(128):032x}", f"tool_{chance.randrange(20):02d}", when)
            call.update({
                "user_id": f"usr_{chance.randrange(200):04d}", "user_role": "nurse", "agent": "ward-agent", "model": "gpt-4.1", "purpose": "treatment",
                "trigger": "user_request", "conversation_id": CONVERSATION.format(number // CALLS_OF_A_CONVERSATION),
                "turn_number": number % CALLS_OF_A_CONVERSATION, "subject": PATIENT.format(patient), "retention_class": "healthcare",
                "arguments": {"record": f"R-{patient}", "fields": ["name", "medication"]}, "trace_id": f"{chance.getrandbits(128):032x}",
                "span_id": f"{chance.getrandbits(64):016x}",
            })  # fmt: skip
            trail.append(STARTED, call)
            failed = chance.random() < 0.02
            call.update({
                "success": not failed, "error": "no such record" if failed else None, "error_type": "KeyError" if failed else None,
                "duration_ms": round(chance.expovariate(1 / 150), 3), "result_summary": {"success": not failed, "record_id": f"R-{patient}", "_result_size": 1234},
            })  # fmt: skip
            trail.append(FINISHED, call)


if __name__ == "__main__":
    import sys

    fill(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
