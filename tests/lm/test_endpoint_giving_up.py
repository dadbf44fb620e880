"""When the endpoint client gives up: nobody there, a run of failures, a budget used up; and when it must not."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
import traceback

import fault_server
import pytest
from fault_server import FaultServer
from quick_endpoint import ask, code_of, endpoint

from calm_lm.errors import CalmError
from calm_lm.lm.chat import ChatRequest, user
from calm_lm.lm.endpoint import Endpoint


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "no-such-host.localhost.invalid"])
def test_nothing_there_is_told_at_once(host):
    began = time.monotonic()
    url = f"http://{host}:{closed_port()}/v1"
    with pytest.raises(CalmError, match="cannot be reached") as caught:
        Endpoint("tiny", url, allow_http=True).chat(ask(*"abcdefgh"))
    assert caught.value.code == "L49"
    assert str(url[:40]) in str(caught.value)
    assert time.monotonic() - began < 8  # the time of a name server at worst


def test_a_server_that_goes_away_is_waited_for():
    """Once something answered, a refused connection is a fault that may pass."""
    with FaultServer() as server:
        port = server.server_port
        client = endpoint(server, retries=40, base_delay=0.02, longest_delay=0.05, connections=1)
        started = threading.Event()

        def restart():
            started.wait()
            server.shutdown()
            server.server_close()
            time.sleep(0.3)
            again.append(FaultServer.__new__(FaultServer))
            fault_server.ThreadingHTTPServer.__init__(again[0], ("127.0.0.1", port), fault_server.Handler, False)
            again[0].__dict__.update({k: v for k, v in vars(server).items() if k not in vars(again[0])})
            again[0].allow_reuse_address = True
            again[0].server_bind()
            again[0].server_activate()
            again[0].serve_forever(0.01)

        again: list = []
        thread = threading.Thread(target=restart)
        thread.start()

        def first(index, reply):
            if index == 0:
                started.set()
                time.sleep(0.1)

        replies = client.chat(ask("a|hang-up", "b|reset"), on_reply=first)
        assert [reply.text for reply in replies] == ["answer to a|hang-up", "answer to b|reset"]
        assert replies[1].attempts > 2
        again[0].shutdown()
        thread.join()
        again[0].server_close()


def test_a_run_of_failures_stops_and_what_was_answered_is_kept(server):
    told = {}
    bad = [f"{i}|{'500,' * 9}" for i in range(40)]
    with pytest.raises(CalmError, match="status 500") as caught:
        endpoint(server, connections=4).chat(ask("a", "b", *bad), on_reply=told.__setitem__)
    assert caught.value.code == "L51"
    assert (told[0].text, told[1].text) == ("answer to a", "answer to b")
    assert sum(reply.finish == "failed" for reply in told.values()) == 4
    assert len(server.attempts) <= 2 + 4 + 4


def test_failures_apart_from_each_other_do_not_stop(server):
    scripts = [f"{i}|{'500,' * 9 if i % 3 else ''}" for i in range(30)]
    replies = endpoint(server, connections=1).chat(ask(*scripts))
    assert [reply.finish == "failed" for reply in replies] == [i % 3 > 0 for i in range(30)]


def test_the_budget_ends_the_run_between_requests(server):
    client, told = endpoint(server, connections=2, budget_tokens=35), {}
    with pytest.raises(CalmError, match="requests remain") as caught:
        client.chat(ask(*map(str, range(21))), on_reply=told.__setitem__)
    assert caught.value.code == "L52"
    assert f"; {21 - len(told)} requests remain" in str(caught.value)
    assert len(told) == len(server.bodies)
    assert len(told) in (4, 5)  # ten tokens each: the fourth goes beyond the budget, one more may be under way
    assert client.spent_tokens == 10 * len(told)


def test_bytes_are_charged_where_the_server_counts_no_tokens(server):
    client = endpoint(server)
    client.chat([ChatRequest(user("usage|usage", system="éé"))])
    assert client.spent_tokens == len(b"usage|usage") + 4 + 2


def test_a_running_loop_is_refused(server):
    async def inside():
        endpoint(server).chat(ask("a"))

    assert code_of(asyncio.run, inside()) == "L48"


def test_a_proxy_that_cannot_be_used(monkeypatch):
    monkeypatch.setenv("ALL_PROXY", "socks9://user:hidden-word@127.0.0.1:1")
    with pytest.raises(CalmError) as caught:
        Endpoint("m", "https://example.invalid").chat(ask("a"))
    assert caught.value.code == "L53"
    assert "hidden-word" not in "".join(traceback.format_exception(caught.value))


def test_no_proxy_stands_before_this_machine(monkeypatch, server):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{closed_port()}")
    assert endpoint(server).chat(ask("a"))[0].text == "answer to a"


def test_an_error_of_the_callers_own_passes_through(server):
    def fail(index, reply):
        raise KeyError("journal")

    with pytest.raises(KeyError, match="journal"):
        endpoint(server).chat(ask(*map(str, range(20))), on_reply=fail)
