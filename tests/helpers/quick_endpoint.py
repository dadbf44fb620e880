"""The endpoint client as tests want it: it waits little and gives up soon."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from fault_server import FaultServer

from calm_lm.errors import CalmError
from calm_lm.lm.chat import ChatRequest, user
from calm_lm.lm.endpoint import Endpoint

QUICK = {"base_delay": 0.001, "longest_delay": 0.01, "timeout": 0.4, "retries": 3}


def endpoint(server: FaultServer, **options: Any) -> Endpoint:
    """A client of that server."""
    return Endpoint("tiny", server.url, **{**QUICK, **options})


def ask(*scripts: str) -> list[ChatRequest]:
    """A request for each script of the server."""
    return [ChatRequest(user(script)) for script in scripts]


def code_of(call: Callable[..., object], *arguments: object, **options: object) -> str:
    """The code of the error that a call ends in."""
    with pytest.raises(CalmError) as caught:
        call(*arguments, **options)
    return caught.value.code
