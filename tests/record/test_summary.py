"""What is kept of a result."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from otel_tool_audit.record.summary import LONGEST_IDENTIFIER, identifiers_of, size, summary


def test_key_identifiers_are_kept_and_the_payload_is_not():
    """`id`, `…_id`, `status`, `count`, and those that a setting names."""
    result = {"id": 1, "order_id": "ORD-1", "customerId": "C-1", "status": "ok", "count": 2, "sku": "S", "email": "a@b.c", "paid": True, "note": "x"}
    expected = {"id": 1, "order_id": "ORD-1", "customerId": "C-1", "status": "ok", "count": 2, "sku": "S"}
    assert expected == identifiers_of(result, {"sku"})


def test_what_is_no_identifier_is_payload():
    """Containers and long texts under an identifier's name are not kept."""
    assert {} == identifiers_of({"id": {"x": 1}, "status": "x" * (LONGEST_IDENTIFIER + 1), 7: 1})


@dataclass
class Data:
    order_id: str


class Named(NamedTuple):
    order_id: str


class Model(BaseModel):
    order_id: str


@pytest.mark.parametrize("kind", [Data, Named, Model, lambda order_id: {"order_id": order_id}])
def test_results_of_many_kinds_have_identifiers(kind):
    """Dataclasses, named tuples and pydantic models are mappings here."""
    assert {"order_id": "ORD-1"} == identifiers_of(kind(order_id="ORD-1"))


@given(st.recursive(st.none() | st.booleans() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20))
def test_the_size_is_that_of_the_json_in_characters(value):
    """Compact JSON, counted in characters, not bytes."""
    assert len(json.dumps(value, separators=(",", ":"), ensure_ascii=False)) == size(value)


def test_a_long_result_is_marked():
    """More than 1000 characters are `_truncated`; a short result has no such key."""
    assert {"success": True, "_result_size": 1002, "_truncated": True} == summary(True, {}, 1002, None)
    assert {"success": True, "_result_size": 1000} == summary(True, {}, 1000, None)


def test_an_error_stands_beside_success():
    """And no identifier can hide either."""
    assert {"success": False, "error": "no", "id": 1, "_result_size": 27} == summary(False, {"error": "x", "id": 1}, 27, "no")


@pytest.mark.parametrize("value", [object(), {1: object()}, {"x": {2**70}}, [float("nan")], "\ud800", b"x" * 10, lambda: 1])
def test_everything_has_a_size(value):
    """Never an exception, never nothing."""
    assert size(value) > 0


def test_deep_and_cyclic_results_have_a_size():
    """Without recursion."""
    deep = []
    for _ in range(5000):
        deep = [deep]
    cyclic = {}
    cyclic["self"] = cyclic
    assert size(deep) > 5000
    assert size(cyclic) > 0
