"""
DuckDB in a process that may fork: a child must neither use nor close what its parent opened, whose threads it does not have.

Source: fork(2): a child has the calling thread only.
"""

from __future__ import annotations

import ctypes
import os
import weakref
from typing import Any, Final

import duckdb

_OPEN: Final[weakref.WeakSet[Any]] = weakref.WeakSet()


def connect(memory: str, **settings: str) -> Any:  # noqa: ANN401 - a DuckDB connection, which is imported only where it is used
    """
    Open a database in memory.

    Args:
        memory: The most it may use, as DuckDB writes it.
        settings: More settings of DuckDB.
    """
    database = duckdb.connect(":memory:", config={"memory_limit": memory, "temp_directory": "", **settings})
    _OPEN.add(database)
    return database


def _in_child() -> None:
    for database in list(_OPEN):
        # closing would wait for threads that are not here, or end the process: it is kept until the process is gone
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(database))
    _OPEN.clear()


os.register_at_fork(after_in_child=_in_child)
