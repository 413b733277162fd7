"""
What is lost when something dies, and what not.

The trail never waits for any of this: whatever happens to Collectors and Jaeger, it has every call. The gateway's audit file has every
span that was acknowledged on its way there; what an agent's Collector had to drop is counted.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from fixtures import SENDER, TOKEN, Starter, certificate, hashed
from load import Load
from losing import VARIANTS, lose
from otlp import ids_in, metrics, record_ids, request, send, span, spans_in, told, total
from running import PATIENCE, Program, wait_for

import otel_tool_audit as audit
from otel_tool_audit.cli.app import run as cli


def audited(gateway: Program) -> list:
    """Give every span in a gateway's audit file."""
    return spans_in(Path(gateway.environment["GATEWAY_AUDIT_DIRECTORY"]))


def wait_for_spans(gateway: Program, numbers: set[int]) -> list:
    """Wait until the audit file has spans with these numbers, and give all that it has."""
    wanted = {f"{n:032x}" for n in numbers}
    missing = lambda: wanted - ids_in(Path(gateway.environment["GATEWAY_AUDIT_DIRECTORY"]))  # noqa: E731 - asked twice
    wait_for(lambda: not missing(), lambda: f"{len(missing())} of {len(wanted)} did not arrive:\n{gateway.text()[-3000:]}")
    found: list = []

    def whole() -> bool:
        found[:] = audited(gateway)
        return wanted <= record_ids(found).keys()

    # an id may stand in a fragment, while what it is the beginning of is still on its way
    wait_for(whole, lambda: f"{sorted(wanted - record_ids(found).keys())} did not arrive whole")
    return found


@contextmanager
def shop(agent: Program, directory: Path, calls: int) -> Iterator[None]:
    """Let an agent that uses the real package work meanwhile; afterwards its trail has every call, and verifies."""
    script = Path(__file__).with_name("shop.py")
    environment = {**os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{agent.address('grpc')}", "OTEL_BSP_SCHEDULE_DELAY": "200"}
    worker = subprocess.Popen([sys.executable, script, directory / "audit", str(calls)], env=environment, stderr=subprocess.PIPE)
    try:
        yield
        _, told_ = worker.communicate(timeout=PATIENCE)
    finally:
        worker.kill()
        worker.wait()
    assert 0 == worker.returncode, told_.decode()
    assert calls == len(list(audit.TrailReader(directory / "audit").calls()))
    assert audit.verify(directory / "audit").ok


def hashes(directory: Path) -> dict[str, str]:
    """Give each call's last hash by its id."""
    return {call["call_id"]: call["hash"] for call in audit.TrailReader(directory / "audit").calls()}


def dropped(directory: Path) -> int:
    """Tell how many spans the trail counted as not exported, when it was closed."""
    lines = (line for file in (directory / "audit" / "trail").glob("*.jsonl") for line in file.read_text().splitlines())
    (closed,) = (record for record in map(json.loads, lines) if record["event"] == "trail.closed")
    return closed["details"]["counters"]["spans_dropped"]


def settled(agent: Program) -> tuple[float, float, float, float]:
    """Give what an agent's Collector accepted, sent, failed to send, and still has."""
    page = metrics(agent)
    return (
        total(page, "otelcol_receiver_accepted_spans"),
        total(page, "otelcol_exporter_sent_spans"),
        total(page, "otelcol_exporter_send_failed_spans"),
        total(page, "otelcol_exporter_queue_size"),
    )


def killed_under_load(starter: Starter, directory: Path, kills: int) -> None:
    gateway = starter.gateway()
    agent = starter.agent(gateway=gateway)
    chance = random.Random(4)
    with shop(agent, directory, 100 * kills), Load(agent) as load:
        for _ in range(kills):
            load.wait_for(60)
            time.sleep(chance.uniform(0, 0.3))
            victim = chance.choice([agent, gateway])
            victim.kill()
            time.sleep(chance.uniform(0, 0.3))
            victim.start()
    assert len(load.acknowledged) > 50 * kills
    wait_for_spans(gateway, load.acknowledged)
    wait_for(lambda: settled(agent)[3] == 0, "the agent's queue is not empty")
    wait_for(lambda: total(metrics(gateway), "otelcol_exporter_queue_size", 'exporter="otlp_grpc/loop"') == 0, "nor the gateway's")
    found = audited(gateway)
    by_record: dict[str, list] = {}
    for one in found:
        by_record.setdefault(told(one.attributes)["audit.record.id"], []).append(one)
    # what was repeated is the same call told again: same span, same hash, the same record
    assert all(1 == len({(s.trace_id, s.span_id, told(s.attributes).get("tool_audit.hash")) for s in same}) for same in by_record.values())
    known = hashes(directory)
    arrived = {key: told(same[0].attributes)["tool_audit.hash"] for key, same in by_record.items() if key in known}
    assert arrived.items() <= known.items()
    # a span is there, or the trail's own counters say that the exporter gave it up; it may do so although it arrived
    assert len(arrived) + dropped(directory) >= len(known)
    twice = len(found) - len(by_record)
    print(f"{kills} kills: {len(load.acknowledged)} spans acknowledged, none lost, {twice} written twice; "
          f"{len(arrived)} of the shop's {len(known)} arrived, {dropped(directory)} given up")  # fmt: skip


def test_killed_again_and_again_nothing_acknowledged_is_lost(starter: Starter, tmp_path: Path) -> None:
    """Kill -9 of agent's Collector and gateway under load: the file has all that was acknowledged, and repeats are recognised."""
    killed_under_load(starter, tmp_path, 4)


@pytest.mark.slow
def test_killed_a_dozen_times_nothing_acknowledged_is_lost(starter: Starter, tmp_path: Path) -> None:
    """The same, longer."""
    killed_under_load(starter, tmp_path, 12)


def test_after_kills_trail_and_audit_file_agree(starter: Starter, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`reconcile` finds every call of the trail in the gateway's file, with the same hash, and no span without a record."""
    gateway = starter.gateway()
    agent = starter.agent(gateway=gateway)
    with shop(agent, tmp_path, 200):
        for victim in (gateway, agent, gateway):
            time.sleep(0.7)
            victim.kill()
            victim.start()
    wait_for(lambda: settled(agent)[3] == 0, "the agent's queue is not empty")
    wait_for(lambda: total(metrics(gateway), "otelcol_exporter_queue_size", 'exporter="otlp_grpc/loop"') == 0, "nor the gateway's")
    wait_for(lambda: len(record_ids(audited(gateway))) + dropped(tmp_path) >= 200, gateway.text)
    file = f"{gateway.environment['GATEWAY_AUDIT_DIRECTORY']}/spans.jsonl"
    code = cli(["reconcile", str(tmp_path / "audit"), "--otlp-file", file, "--json"])
    answer = json.loads(capsys.readouterr().out)
    # an exporter may give up what arrived all the same
    missing = hashes(tmp_path).keys() - record_ids(audited(gateway)).keys()
    assert len(missing) <= dropped(tmp_path)
    assert (1 if missing else 0) == code, answer


@pytest.mark.parametrize("variant", VARIANTS)
def test_what_loses_data_is_as_the_readme_says(starter: Starter, variant: str) -> None:
    """A file exporter alone or a queue in memory loses what it acknowledged; a file with rotation, or a queue on disk, does not."""
    counted = lose(starter, variant, rounds=2, spans=100)
    assert counted.acknowledged >= 200
    match variant:
        case "file exporter alone" | "queue in memory before the file":
            assert counted.lost == counted.acknowledged
        case "file exporter, rotation" | "queue on disk before the file":
            assert 0 == counted.lost


def test_a_wrong_token_costs_what_the_counters_say(starter: Starter, tmp_path: Path) -> None:
    """The gateway refuses for good, so the agent's Collector drops what it had acknowledged: counted and logged; the trail has it all."""
    gateway = starter.gateway()
    agent = starter.agent(gateway=gateway, token="a token that was rotated away")
    with shop(agent, tmp_path, 40):
        assert [200] * 20 == [send(agent, request(span(n))) for n in range(20)]
    wait_for(lambda: settled(agent)[3] == 0, "the queue is not empty")
    accepted, sent, failed, queued = settled(agent)
    # an SDK that had to wait may have sent something twice
    assert accepted >= 60
    assert (0, accepted, 0) == (sent, failed, queued)
    assert "Dropping data" in agent.text()
    assert [] == audited(gateway)

    # the file is watched: the right token works without a restart
    Path(agent.environment["AGENT_TOKEN_FILE"]).write_text(TOKEN)
    numbers = iter(range(1000, 2000))

    def passes() -> bool:
        send(agent, request(span(next(numbers))))
        time.sleep(0.2)
        return settled(agent)[1] > 0

    wait_for(passes, lambda: f"the new token was not read; it said:\n{agent.text()[-2000:]}")
    wait_for(lambda: settled(agent)[3] == 0, "the queue is not empty")
    accepted, sent, failed, queued = settled(agent)
    assert accepted == sent + failed + queued
    assert sent == len(audited(gateway))


def test_a_wrong_certificate_costs_nothing(starter: Starter, tmp_path: Path) -> None:
    """Where the gateway asks for one, spans wait until the sender's is right, which needs no restart; the token alone is not enough."""
    for name in ("right", "wrong"):
        (tmp_path / name).mkdir()
        certificate(tmp_path / name)
    gateway = starter.gateway(GATEWAY_CLIENT_CA=str(tmp_path / "right" / "gateway.crt"))
    shown = {"AGENT_CERT": tmp_path / "shown.crt", "AGENT_KEY": tmp_path / "shown.key"}

    def show(which: str) -> None:
        for file in shown.values():
            file.write_bytes((tmp_path / which / f"gateway{file.suffix}").read_bytes())

    show("wrong")
    agent = starter.agent(gateway=gateway, **{name: str(file) for name, file in shown.items()})
    assert [200] * 20 == [send(agent, request(span(n))) for n in range(20)]
    wait_for(lambda: "Exporting failed. Will retry" in agent.text(), agent.text)
    assert (20, 0, 0, 20) == settled(agent)
    assert 0 == send(gateway, request(span(99)), name=SENDER, token=TOKEN)
    show("right")
    wait_for(lambda: settled(agent) == (20, 20, 0, 0), lambda: f"{settled(agent)}; it said:\n{agent.text()[-2000:]}")
    wait_for(lambda: 20 == len(audited(gateway)), "the file is not whole")


def test_a_gateway_that_is_away_costs_nothing(starter: Starter) -> None:
    """What the agent's Collector took waits on its disk, through a restart, until the gateway is back."""
    gateway = starter.gateway(start=False)
    agent = starter.agent(gateway=gateway)
    assert [200] * 30 == [send(agent, request(span(n))) for n in range(30)]
    assert (30, 0, 0) == settled(agent)[:3]
    agent.kill()
    agent.start()
    gateway.start()
    assert 30 == len(wait_for_spans(gateway, set(range(30))))


def test_when_its_queue_is_full_senders_wait(starter: Starter) -> None:
    """Nothing is dropped to make room: who finds the queue full gets no answer, and what was answered arrives later."""
    gateway = starter.gateway(start=False)
    agent = starter.agent(gateway=gateway, AGENT_QUEUE_SPANS="20")
    numbers = itertools.count()
    acknowledged = set(itertools.takewhile(lambda n: send(agent, request(span(n)), timeout=3) == 200, itertools.islice(numbers, 100)))
    # those under way to the gateway count, too
    assert 15 <= len(acknowledged) <= 30
    gateway.start()
    wait_for_spans(gateway, acknowledged)
    assert 200 == send(agent, request(span(999)), timeout=30)


def test_a_token_is_changed_without_losing_a_span(starter: Starter) -> None:
    """As README.md says: a new name beside the old one, the sender's Collector, then the old name goes; spans flow all the while."""
    gateway = starter.gateway()
    agent = starter.agent(gateway=gateway)
    senders = Path(gateway.environment["GATEWAY_SENDERS"])
    with Load(agent, threads=2) as load:
        senders.write_text(senders.read_text() + f"agent-1b:{hashed('the-new-token')}\n")
        gateway.stop()
        gateway.start()
        load.wait_for(20)
        agent.stop()
        Path(agent.environment["AGENT_TOKEN_FILE"]).write_text("the-new-token")
        agent.environment["AGENT_NAME"] = "agent-1b"
        agent.start()
        senders.write_text(senders.read_text().partition("\n")[2])
        gateway.stop()
        gateway.start()
        load.wait_for(20)
    found = wait_for_spans(gateway, load.acknowledged)
    assert {SENDER, "agent-1b"} == {told(s.attributes)["tool_audit.sender"] for s in found}
    assert 0 == settled(agent)[2]
    assert 401 == send(gateway, request(span(0)), name=SENDER, token=TOKEN)


def test_a_full_disk_refuses_and_forgets_nothing(starter: Starter, tmp_path: Path) -> None:
    """When the gateway can write neither file nor queue it stops acknowledging; with room again all that it acknowledged is there."""
    gateway = starter.gateway()
    agent = starter.agent(gateway=gateway)
    who = {"name": SENDER, "token": TOKEN}
    full = 300_000
    # a file that may not grow behaves like one on a full disk, and needs no file system of its own
    resource.prlimit(gateway.pid, resource.RLIMIT_FSIZE, (full, resource.RLIM_INFINITY))
    acknowledged = set()
    refused = 0
    for number in range(1, 3000):
        # an answer that only takes its time is none
        status = send(gateway, request(span(number, padding="x" * 2000)), timeout=PATIENCE, **who)
        acknowledged |= {number} if status == 200 else set()
        refused += status not in {0, 200}
        if refused == 3:
            break
    assert 3 == refused, "it never refused"
    assert len(acknowledged) > len(record_ids(audited(gateway)))
    # agents' Collectors take what the gateway refuses, and keep it
    with shop(agent, tmp_path, 30):
        pass
    # what was given up for want of an answer may have been taken
    assert settled(agent)[0] + dropped(tmp_path) >= 30
    resource.prlimit(gateway.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    wait_for_spans(gateway, acknowledged)
    wait_for(lambda: len(hashes(tmp_path).keys() & record_ids(audited(gateway)).keys()) + dropped(tmp_path) >= 30, agent.text)
    assert 0 == total(metrics(gateway), "otelcol_exporter_send_failed_spans", 'exporter="otlp_grpc/loop"')


def test_jaeger_s_absence_is_no_business_of_the_audit_pipeline(starter: Starter, jaeger_program: Path) -> None:
    """Jaeger down: nobody is refused, nothing is written twice; back in time, it gets what waited in memory."""
    jaeger = starter.jaeger(start=False)
    gateway = starter.gateway(jaeger=jaeger)
    assert [200] * 20 == [send(gateway, request(span(n)), name=SENDER, token=TOKEN) for n in range(20)]
    assert 20 == len(wait_for_spans(gateway, set(range(20))))
    jaeger.start()
    wait_for(lambda: total(metrics(gateway), "otelcol_exporter_sent_spans", 'exporter="otlp_grpc/jaeger"') == 20, "Jaeger got nothing")
    assert '"shop"' in jaeger.get("http", "/api/services")


def test_an_agent_s_collector_waits_for_jaeger_itself(starter: Starter, jaeger_program: Path, tmp_path: Path) -> None:
    """Without a gateway: what was acknowledged while Jaeger was down reaches it, though the agent's Collector was killed meanwhile."""
    jaeger = starter.jaeger(start=False)
    agent = starter.agent(to=jaeger.address("otlp_grpc"))
    with shop(agent, tmp_path, 30):
        assert [200] * 20 == [send(agent, request(span(n))) for n in range(20)]
    waiting = settled(agent)[3]
    assert waiting >= 20
    agent.kill()
    agent.start()
    jaeger.start()
    wait_for(lambda: settled(agent)[1:] == (waiting, 0, 0), lambda: agent.text()[-3000:])
    assert waiting + dropped(tmp_path) >= 50


def test_a_large_span_passes_every_hop(starter: Starter) -> None:
    """Ten megabytes in one request, more than gRPC takes by default, arrive whole."""
    gateway = starter.gateway()
    agent = starter.agent(gateway=gateway)
    assert 200 == send(agent, request(*(span(n, **{"gen_ai.tool.call.result": "y" * 100_000}) for n in range(100))), timeout=30)
    arrived = wait_for_spans(gateway, set(range(100)))
    assert all("y" * 100_000 == told(s.attributes)["gen_ai.tool.call.result"] for s in arrived)
