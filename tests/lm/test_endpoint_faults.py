"""Every fault of the server is tried again, counted or told at once; and how long the client waits in between."""

from __future__ import annotations

import itertools
import json
import random
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from fault_server import CALLER_FAULTS, HUGE, PASSING, SLOW_FAULTS, STATUS_FAULTS, FaultServer
from hypothesis import given
from hypothesis import strategies as st
from quick_endpoint import ask, code_of, endpoint

from calm_lm.errors import CalmError
from calm_lm.lm.completion import PassingError, parse_completion, seconds_to_wait


@pytest.mark.parametrize("fault", [*PASSING, *SLOW_FAULTS])
def test_every_passing_fault_is_tried_again_and_counted_when_it_stays(server, fault):
    # requests of one call answer each other's connect errors; the good one comes first
    good, once, always = endpoint(server, retries=1, connections=1).chat(ask("a", f"b|{fault}", f"c|{fault},{fault}"))
    assert (good.text, good.finish, good.attempts, good.error) == ("answer to a", "stop", 1, None)
    assert (once.text, once.finish, once.attempts, once.error) == (f"answer to b|{fault}", "stop", 2, None)
    assert (always.text, always.finish, always.attempts) == ("", "failed", 2)
    assert always.error
    assert always.error.isascii()
    assert always.error.isprintable()
    if fault in STATUS_FAULTS:
        assert f"HTTP {fault}" in always.error
        assert f"status {fault}" in always.error


@pytest.mark.parametrize("status", sorted(CALLER_FAULTS))
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
        f"{i}|" + ",".join(rng.choices([*PASSING, *SLOW_FAULTS], k=rng.choice([0, 1, 1, 2, 3, 4, 5])))
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
    with FaultServer() as running:
        yield running


names = itertools.count()


@given(st.lists(st.sampled_from([*PASSING, *sorted(CALLER_FAULTS)]), max_size=5))
def test_any_sequence_is_text_a_failure_or_one_error(lasting_server, sequence):
    script = f"{next(names)}|{','.join(sequence)}"
    fatal = next((k for k, fault in enumerate(sequence) if fault in CALLER_FAULTS), len(sequence))
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
    assert server.sent < HUGE / 2  # the rest of what was sent lay in buffers


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


# -- waiting --------------------------------------------------------------------------------------------------


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
