"""The endpoint client against a real server that misbehaves in every way of its script."""

from __future__ import annotations

import asyncio
import importlib.util
import itertools
import json
import logging
import os
import random
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
import traceback
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calm_lm.errors import CalmError
from calm_lm.lm.chat import ChatRequest, Message, user
from calm_lm.lm.completion import PassingError, parse_completion, printable, seconds_to_wait
from calm_lm.lm.endpoint import Endpoint, parse_endpoint

PLACE = Path(__file__).with_name("fault_server.py")
SECRET = "sk-neverSHOWN/9876+x"
QUICK = {"base_delay": 0.001, "longest_delay": 0.01, "timeout": 0.4, "retries": 3}


def load_faults():
    spec = importlib.util.spec_from_file_location("fault_server", PLACE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


faults = load_faults()


@pytest.fixture
def server(monkeypatch):
    monkeypatch.delenv("CALM_API_KEY", raising=False)
    with faults.FaultServer() as running:
        yield running


def endpoint(server, **options):
    return Endpoint("tiny", server.url, **{**QUICK, **options})


def ask(*scripts: str) -> list[ChatRequest]:
    return [ChatRequest(user(script)) for script in scripts]


def code_of(call, *arguments, **options) -> str:
    with pytest.raises(CalmError) as caught:
        call(*arguments, **options)
    return caught.value.code


# -- addresses ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "model", "url"),
    [
        ("openai:m@http://127.0.0.1:8000/v1", "m", "http://127.0.0.1:8000/v1"),
        ("openai:org/m-7b@https://api.example.org/", "org/m-7b", "https://api.example.org"),
        ("openai:m@2024@http://localhost:1/a/b/", "m@2024", "http://localhost:1/a/b"),
        ("openai:m@http://[::1]:8000", "m", "http://[::1]:8000"),
    ],
)
def test_addresses(text, model, url):
    assert parse_endpoint(text) == (model, url)
    assert parse_endpoint(f"openai:{model}@{url}") == (model, url)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("openai:m", "L42"),
        ("m@http://127.0.0.1", "L42"),
        ("openai:@http://127.0.0.1", "L42"),
        ("openai:m@127.0.0.1:8000", "L42"),
        ("openai:a model@http://127.0.0.1", "L42"),
        ("openai:m@ftp://127.0.0.1", "L43"),
        ("openai:m@file:///etc/hosts", "L43"),
        ("openai:m@http://", "L43"),
        ("openai:m@http://127.0.0.1:99999", "L43"),
        ("openai:m@http://[::1", "L43"),
        ("openai:m@http://127.0.0.1/?key=hidden-word", "L43"),
        ("openai:m@http://127.0.0.1/#hidden-word", "L43"),
        ("openai:m@https://user:hidden-word@example.org", "L43"),
        ("openai:m@https://hidden-word@example.org", "L43"),
        ("openai:m@user:hidden-word@example.org", "L42"),
        ("openai:m@https://exämple.org", "L43"),
        ("openai:m@http://example.org/v1", "L44"),
        ("openai:m@http://127.0.0.1.example.org", "L44"),
        ("openai:m@http://0.0.0.0:8000", "L44"),
        ("openai:m@http://10.0.0.1:8000", "L44"),
    ],
)
def test_addresses_that_are_refused(text, code):
    with pytest.raises(CalmError) as caught:
        parse_endpoint(text)
    assert caught.value.code == code
    assert "hidden-word" not in str(caught.value)


def test_plain_http_to_another_machine_must_be_allowed():
    assert parse_endpoint("openai:m@http://example.org", allow_http=True).url == "http://example.org"
    assert Endpoint("m", "http://example.org", allow_http=True).url == "http://example.org"
    assert code_of(Endpoint, "m", "http://example.org") == "L44"


def test_offline_only_this_machine_is_asked(monkeypatch, server):
    monkeypatch.setenv("CALM_OFFLINE", "1")
    assert code_of(parse_endpoint, "openai:m@https://example.org") == "L45"
    assert code_of(Endpoint, "m", "http://example.org", allow_http=True) == "L45"
    assert endpoint(server).chat(ask("a"))[0].text == "answer to a"


@pytest.mark.parametrize("base", ["", "/v1", "/v1/", "/deep/er"])
def test_the_path_is_appended_and_nothing_guessed(server, base):
    Endpoint("tiny", f"http://127.0.0.1:{server.server_port}{base}").chat(ask("a"))
    assert list(server.paths) == [f"{base.rstrip('/')}/chat/completions"]


@given(st.text(max_size=30))
def test_any_text_is_an_address_or_one_error(text):
    for whole in (text, f"openai:{text}", f"openai:m@http://{text}", f"openai:m@http://127.0.0.1{text}"):
        try:
            url = parse_endpoint(whole).url
        except CalmError:
            continue
        assert url.startswith(("http://", "https://"))


# -- requests and options ----------------------------------------------------------------------------------


def test_what_is_sent(server):
    request = ChatRequest(user("tea?", system="Be brief."), max_tokens=5, temperature=0.5, top_p=0.9, seed=3)
    endpoint(server).chat([request])
    assert server.bodies == [
        {
            "model": "tiny",
            "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "tea?"}],
            "max_tokens": 5,
            "temperature": 0.5,
            "top_p": 0.9,
            "seed": 3,
        }
    ]
    assert not any(name.lower() == "authorization" for name in server.headers[0])


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda: Message("tool", "x"), "L40"),
        (lambda: Message("user", "\ud800"), "L41"),
        (lambda: ChatRequest(()), "L40"),
        (lambda: ChatRequest(user("x"), max_tokens=0), "L40"),
        (lambda: ChatRequest(user("x"), temperature=-0.1), "L40"),
        (lambda: ChatRequest(user("x"), temperature=float("nan")), "L40"),
        (lambda: ChatRequest(user("x"), temperature=float("inf")), "L40"),
        (lambda: ChatRequest(user("x"), top_p=0), "L40"),
        (lambda: ChatRequest(user("x"), seed=-1), "L40"),
        (lambda: Endpoint("m", "http://127.0.0.1", connections=0), "L47"),
        (lambda: Endpoint("m", "http://127.0.0.1", timeout=float("nan")), "L47"),
        (lambda: Endpoint("m", "http://127.0.0.1", retries=-1), "L47"),
        (lambda: Endpoint("m", "http://127.0.0.1", key="line\nbreak"), "L46"),
        (lambda: Endpoint("m", "http://127.0.0.1", key="clé"), "L46"),
    ],
)
def test_values_out_of_range(make, code):
    with pytest.raises(CalmError) as caught:
        make()
    assert caught.value.code == code
    assert "break" not in str(caught.value)


def test_identity_is_model_and_url():
    one, other = Endpoint("m", "http://127.0.0.1:1/v1/"), Endpoint("m", "http://127.0.0.1:2/v1")
    assert one.identity.name == "openai:m@http://127.0.0.1:1/v1"
    assert one.identity == Endpoint("m", "http://127.0.0.1:1/v1", key="k", retries=0).identity
    assert one.identity.fingerprint != other.identity.fingerprint


# -- faults ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", [*faults.PASSING, *faults.SLOW_FAULTS])
def test_every_passing_fault_is_tried_again_and_counted_when_it_stays(server, fault):
    # requests of one call answer each other's connect errors; the good one comes first
    good, once, always = endpoint(server, retries=1, connections=1).chat(ask("a", f"b|{fault}", f"c|{fault},{fault}"))
    assert (good.text, good.finish, good.attempts, good.error) == ("answer to a", "stop", 1, None)
    assert (once.text, once.finish, once.attempts, once.error) == (f"answer to b|{fault}", "stop", 2, None)
    assert (always.text, always.finish, always.attempts) == ("", "failed", 2)
    assert always.error
    assert always.error.isascii()
    assert always.error.isprintable()
    if fault in faults.STATUS_FAULTS:
        assert f"HTTP {fault}" in always.error
        assert f"status {fault}" in always.error


@pytest.mark.parametrize("status", sorted(faults.CALLER_FAULTS))
def test_what_the_user_must_mend_ends_the_call_at_once(server, status):
    script = f"a|503,{status}"
    with pytest.raises(CalmError) as caught:
        endpoint(server, connections=1).chat(ask(script, "b"))
    assert caught.value.code == "L50"
    for part in (f"HTTP {status}", f"status {status} \\x1b[31m", "tiny", server.url):
        assert part in str(caught.value)
    assert dict(server.attempts) == {script: 2}
    assert not any("elsewhere" in path for path in server.paths)


def test_several_hundred_sequences_of_faults_end_as_they_must(server):
    """Text after at most 3 retries, else a counted failure, each with the attempts that the server saw."""
    rng, began = random.Random(5), time.monotonic()
    scripts = [
        f"{i}|" + ",".join(rng.choices([*faults.PASSING, *faults.SLOW_FAULTS], k=rng.choice([0, 1, 1, 2, 3, 4, 5])))
        for i in range(500)
    ]
    told: dict[int, object] = {}
    replies = endpoint(server, connections=16, timeout=1.5).chat(ask(*scripts), on_reply=told.__setitem__)
    for i, (script, reply) in enumerate(zip(scripts, replies, strict=True)):
        n = len([fault for fault in script.partition("|")[2].split(",") if fault])
        assert (reply.finish, reply.text) == (("stop", f"answer to {script}") if n <= 3 else ("failed", "")), script
        assert reply.attempts == server.attempts[script] == min(n, 3) + 1
        assert told[i] is reply
        assert reply.seconds < 4 * 1.5 + 3
    assert {reply.finish for reply in replies} == {"stop", "failed"}
    assert time.monotonic() - began < 120


@pytest.fixture(scope="module")
def lasting_server():
    with faults.FaultServer() as running:
        yield running


names = itertools.count()


@given(st.lists(st.sampled_from([*faults.PASSING, *sorted(faults.CALLER_FAULTS)]), max_size=5))
def test_any_sequence_is_text_a_failure_or_one_error(lasting_server, sequence):
    script = f"{next(names)}|{','.join(sequence)}"
    fatal = next((k for k, fault in enumerate(sequence) if fault in faults.CALLER_FAULTS), len(sequence))
    patient = endpoint(lasting_server, timeout=5)
    if fatal < min(len(sequence), 4):
        assert code_of(patient.chat, ask(script)) == "L50"
    else:
        [reply] = patient.chat(ask(script))
        assert reply.finish == ("stop" if len(sequence) <= 3 else "failed")
    assert lasting_server.attempts[script] == min(fatal, 3) + 1


def test_answers_that_are_no_plain_text(server):
    names = ["refusal", "filter", "length", "prompt-filter", "silent", "usage"]
    replies = endpoint(server, retries=0).chat(ask(*(f"{name}|{name}" for name in names)))
    found = {name: (reply.finish, reply.text) for name, reply in zip(names, replies, strict=True)}
    assert found == {
        "refusal": ("filter", "I will not."),
        "filter": ("filter", ""),
        "length": ("length", ""),
        "prompt-filter": ("filter", ""),
        "silent": ("stop", ""),
        "usage": ("stop", "é"),
    }
    counts = {name: (reply.prompt_tokens, reply.completion_tokens) for name, reply in zip(names, replies, strict=True)}
    assert counts["silent"] == (7, 3)
    assert counts["usage"] == (None, None)


def test_an_endless_body_is_not_read(server):
    [reply] = endpoint(server, retries=0, timeout=10).chat(ask("a|huge"))
    assert reply.finish == "failed"
    assert "larger" in reply.error
    assert server.sent < faults.HUGE / 2  # the rest of what was sent lay in buffers


@given(st.binary(max_size=200))
def test_any_bytes_are_a_completion_or_a_passing_fault(data):
    with pytest.raises(PassingError):
        parse_completion(data)


_leaves = st.just("stop") | st.none() | st.booleans() | st.integers() | st.floats() | st.text("NI 0é", max_size=5)
_anything = st.recursive(_leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner))


@given(_anything, _anything, _anything, _anything)
def test_any_types_in_a_completion_are_text_or_a_passing_fault(content, refusal, reason, usage):
    choice = {"message": {"content": content, "refusal": refusal}, "finish_reason": reason}
    data = json.dumps({"choices": [choice], "usage": usage}).encode()
    if reason == "stop" and isinstance(content, str) and b"NaN" not in data and b"Infinity" not in data:
        assert parse_completion(data)[:2] == (content, "stop")
    elif reason == "stop" and content is None and isinstance(refusal, str) and b"NaN" not in data:
        assert parse_completion(data)[:2] == (refusal, "filter")
    else:
        with pytest.raises(PassingError):
            parse_completion(data)


# -- waiting -----------------------------------------------------------------------------------------------


def test_retry_after_is_honoured_and_capped(server):
    patient = endpoint(server, longest_delay=1.2, retries=1)
    patient.chat(ask("a|429=1", "b|503=date+1.9", "c|429=3600", "d|429=nonsense", "e|429=-5"))
    gaps = {}
    for script, moment in server.moments:
        gaps[script[0]] = moment - gaps.get(script[0], 0.0)
    assert 1.0 <= gaps["a"] < 1.6
    assert 0.85 <= gaps["b"] < 1.6  # a date holds whole seconds
    assert 1.2 <= gaps["c"] < 1.8
    assert gaps["d"] < 0.3
    assert gaps["e"] < 0.3


def test_retry_after_in_both_forms():
    now = datetime(2024, 5, 17, 12, 0, 0, tzinfo=UTC)
    later = format_datetime(now + timedelta(seconds=90), usegmt=True)
    earlier = format_datetime(now - timedelta(seconds=90), usegmt=True)
    for header, expected in [
        ("7", 7.0), (" 1.5 ", 1.5), ("0", 0.0), ("-3", 0.0), (later, 90.0), (earlier, 0.0), ("inf", float("inf")),
        ("nan", None), ("", None), ("soon", None), ("Fri, 99 Foo 2024", None), (None, None),
    ]:  # fmt: skip
        assert seconds_to_wait(header, now) == expected, header


@given(st.text(max_size=40))
def test_any_retry_after_is_a_wait_or_nothing(header):
    seconds = seconds_to_wait(header, datetime.now(UTC))
    assert seconds is None or seconds >= 0


def test_waits_grow_and_are_random(server):
    endpoint(server, base_delay=0.04, longest_delay=10, retries=4).chat(
        ask(*(f"{i}|500,500,500,500" for i in range(8)))
    )
    gaps = [[], [], [], []]
    for _, visits in itertools.groupby(sorted(server.moments), key=lambda visit: visit[0]):
        moments = [moment for _, moment in visits]
        for k, (a, b) in enumerate(itertools.pairwise(moments)):
            gaps[k].append(b - a)
    for k, found in enumerate(gaps):
        assert max(found) < 0.04 * 2**k + 0.25
    assert sum(gaps[3]) > 2 * sum(gaps[0])
    assert max(gaps[3]) - min(gaps[3]) > 0.05


def test_patience_bounds_the_whole(server):
    began = time.monotonic()
    [reply] = endpoint(server, retries=10**6, patience=0.5).chat(ask("a|" + "500," * 5000))
    assert reply.finish == "failed"
    assert reply.attempts > 5
    assert time.monotonic() - began < 0.5 + 0.4 + 5  # room for a busy machine


# -- giving up ---------------------------------------------------------------------------------------------


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
    with faults.FaultServer() as server:
        port = server.server_port
        client = endpoint(server, retries=40, base_delay=0.02, longest_delay=0.05, connections=1)
        started = threading.Event()

        def restart():
            started.wait()
            server.shutdown()
            server.server_close()
            time.sleep(0.3)
            again.append(faults.FaultServer.__new__(faults.FaultServer))
            faults.ThreadingHTTPServer.__init__(again[0], ("127.0.0.1", port), faults.Handler, False)
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


# -- many at once ------------------------------------------------------------------------------------------


def test_order_thread_and_no_requests(server):
    server.latency = 0.002
    scripts, told = [f"{i}|" + "500," * (i % 3) for i in range(60)], []
    replies = endpoint(server).chat(
        ask(*scripts), on_reply=lambda i, reply: told.append((i, threading.current_thread()))
    )
    assert [reply.text for reply in replies] == [f"answer to {script}" for script in scripts]
    assert sorted(i for i, _ in told) == list(range(60))
    assert {thread for _, thread in told} == {threading.current_thread()}
    assert [i for i, _ in told] != list(range(60))
    assert endpoint(server).chat([]) == []


@pytest.fixture
def slow_process():
    """A server of 50 ms in a process of its own, so that its work does not slow the client's."""
    command = [sys.executable, str(PLACE), "0.05"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process.stdout.readline().strip()
        process.stdin.close()
        process.wait(10)


def test_connections_are_kept_busy(slow_process):
    client, n = Endpoint("tiny", slow_process, connections=4), 120
    client.chat(ask("warm"))
    best = 0.0
    for trial in range(4):  # the best of a few: other work on the machine is no defect
        began = time.perf_counter()
        replies = client.chat(ask(*(f"{trial}.{i}" for i in range(n))))
        best = max(best, n / (time.perf_counter() - began) / (4 / 0.05))
        assert all(reply.finish == "stop" for reply in replies)
        if best >= 0.9:
            break
    assert best >= 0.6  # one after the other would reach 0.25; 0.9 and more on a quiet machine


def test_no_more_than_the_connections_are_under_way(server):
    server.latency = 0.005
    endpoint(server, connections=3).chat(ask(*map(str, range(60))))
    assert server.most_under_way == 3


# -- the key -----------------------------------------------------------------------------------------------


def test_the_key_is_sent_and_shown_nowhere(server, monkeypatch, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("CALM_API_KEY", SECRET)
    client = endpoint(server, retries=1)
    shown = [repr(client), str(client), repr(client.identity)]
    replies = client.chat(ask("a", "b|echo-key=500,echo-key=503"))
    assert server.headers[0]["authorization"] == f"Bearer {SECRET}"
    assert "[key]" in replies[1].error
    shown += [repr(reply) for reply in replies]
    with pytest.raises(CalmError) as caught:
        client.chat(ask("c|echo-key=401"))
    assert "[key]" in str(caught.value)
    shown += ["".join(traceback.format_exception(caught.value)), caplog.text, *capfd.readouterr()]
    for faulty in ("not-http", "bad-header", "slow"):
        shown += [repr(client.chat(ask("d", f"e|{faulty},{faulty}")))]
    assert "authorization" not in caplog.text.lower() or SECRET not in caplog.text
    assert SECRET not in "".join([*shown, caplog.text])
    assert "httpcore" in caplog.text  # it was logged, at the finest


def test_a_key_given_wins_and_an_empty_one_is_none(server, monkeypatch):
    monkeypatch.setenv("CALM_API_KEY", SECRET)
    endpoint(server, key="other").chat(ask("a"))
    endpoint(server, key="").chat(ask("b"))
    assert server.headers[0]["authorization"] == "Bearer other"
    assert "authorization" not in server.headers[1]


def test_foreign_words_are_cut_after_the_key_is_blacked_out():
    assert printable("x" * 295 + SECRET, SECRET) == "x" * 295 + "[key]"
    assert printable("é\n\x1b", None) == "\\xe9\\n\\x1b"
    assert len(printable("y" * 10**6, None)) == 303


# -- interruption ------------------------------------------------------------------------------------------

CHILD = """
    import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler)  # background shells ignore it
    from calm_lm.lm.chat import ChatRequest, user
    from calm_lm.lm.endpoint import Endpoint
    requests = [ChatRequest(user(f"{i}|" + sys.argv[2])) for i in range(50)]
    model = Endpoint("tiny", sys.argv[1], timeout=60, base_delay=60)
    try:
        model.chat([ChatRequest(user("first")), *requests], on_reply=lambda i, reply: print(i, flush=True))
    except KeyboardInterrupt:
        sys.exit(130)
"""


@pytest.mark.parametrize("fault", ["slow", "500"])  # waiting for the server, waiting to ask again
def test_ctrl_c_ends_at_once(server, fault):
    command = [sys.executable, "-c", textwrap.dedent(CHILD), server.url, fault]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=os.environ, text=True) as child:
        assert child.stdout.readline() == "0\n"
        time.sleep(0.2)
        began = time.monotonic()
        child.send_signal(signal.SIGINT)
        assert child.wait(10) == 130
        assert time.monotonic() - began < 15
