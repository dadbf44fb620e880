"""What a user states of an endpoint: its address, the key, the options; and what of that is sent or shown."""

from __future__ import annotations

import logging
import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st
from quick_endpoint import ask, code_of, endpoint

from calm_lm.errors import CalmError
from calm_lm.lm.chat import ChatRequest, Message, user
from calm_lm.lm.completion import printable
from calm_lm.lm.endpoint import Endpoint, parse_endpoint

SECRET = "sk-neverSHOWN/9876+x"


# -- addresses ------------------------------------------------------------------------------------------------


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


# -- requests and options -------------------------------------------------------------------------------------


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


# -- the key --------------------------------------------------------------------------------------------------


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
