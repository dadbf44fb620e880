"""A chat model behind an OpenAI-compatible HTTP endpoint (vLLM, SGLang, llama.cpp, hosted services).

Every request ends as an answer, a counted failure, or one error for what the user must mend. `Endpoint.chat` runs an
event loop of its own, so it cannot be called from inside a running one. The key goes into one header and nowhere else.
"""

from __future__ import annotations

import asyncio
import json
import os
import ssl
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import httpx

from calm_lm.errors import CalmError
from calm_lm.files import sha256_bytes
from calm_lm.lm.attempts import Attempts, RetryPolicy
from calm_lm.lm.chat import ChatReply, ChatRequest, OnReply
from calm_lm.lm.endpoint_address import PREFIX, check_url, is_loopback
from calm_lm.lm.endpoint_address import parse_endpoint as parse_endpoint
from calm_lm.lm.usage import Usage

if TYPE_CHECKING:
    from calm_lm.lm.protocol import ModelIdentity

KEY = "CALM_API_KEY"
CONNECT_SECONDS = 10.0
FEWEST_FAILURES = 3  # in a row before a run stops, however few the connections


class Endpoint:
    """A model at a URL; satisfies `ChatModel`.

    Attempts that fail for a reason that may pass (408, 409, 425, 429, 5xx, time, broken connections, bodies that are
    no chat completion) are repeated after random waits below `base_delay`, twice, four times it (full jitter, our
    choice), on top of what `Retry-After` asks for. Redirects are not followed.

    Args:
        model: its name as the server knows it.
        url: base URL; `/chat/completions` is appended, and nothing else.
        key: sent as a bearer token; `CALM_API_KEY` where None, no key where that is empty or not set.
        connections: most requests under way at once, from 1.
        timeout: seconds of one attempt, from the first byte sent to the last received.
        retries: attempts after the first, from 0.
        budget_tokens: no request is sent once replies have cost so many tokens; those under way may exceed it.
            Where the server reports no usage, bytes are counted, which no tokenizer exceeds.
        base_delay: seconds.
        longest_delay: seconds; cuts the backoff and `Retry-After`, each.
        patience: seconds after which no new attempt of a request is begun.
        allow_http: let questions and key travel over plain http to another machine.

    Attributes:
        spent_tokens: cost of all replies so far, as the budget counts it.
        usage: tokens of all replies so far, as the server states them.

    Raises:
        CalmError: L43 to L45 for the URL, L46 for a key that no header can hold, L47 for an option out of range.
    """

    def __init__(
        self,
        model: str,
        url: str,
        *,
        key: str | None = None,
        connections: int = 8,
        timeout: float = 60.0,
        retries: int = 6,
        budget_tokens: int | None = None,
        base_delay: float = 1.0,
        longest_delay: float = 60.0,
        patience: float = 600.0,
        allow_http: bool = False,
    ) -> None:
        self.model, self.url = model, check_url(url, allow_http=allow_http)
        for name, value, least in (
            ("connections", connections, 1),
            ("timeout", timeout, 0.001),
            ("retries", retries, 0),
            ("budget_tokens", budget_tokens or 0, 0),
            ("base_delay", base_delay, 0),
            ("longest_delay", longest_delay, 0),
            ("patience", patience, 0),
        ):
            if not value >= least:
                raise CalmError("L47", f"must be at least {least}.", field=name, value=value, fix="correct it.")
        self.connections, self.budget_tokens, self.spent_tokens = connections, budget_tokens, 0
        self.usage = Usage()
        self._policy = RetryPolicy(timeout, retries, base_delay, longest_delay, patience)
        self._key = (os.environ.get(KEY) if key is None else key) or None
        if self._key is not None and not all("!" <= character <= "~" for character in self._key):
            raise CalmError(
                "L46", "the key holds a space or a character beyond ASCII.", field=KEY, fix="set the key anew."
            )

    def __repr__(self) -> str:
        return f"Endpoint({self.model!r}, {self.url!r})"

    @cached_property
    def identity(self) -> ModelIdentity:
        """Named by model and URL; the fingerprint is that of the name, as the weights behind it cannot be known."""
        from calm_lm.lm.protocol import ModelIdentity

        name = f"{PREFIX}{self.model}@{self.url}"
        return ModelIdentity(name, None, sha256_bytes(name.encode()), (), "undeclared")

    def chat(self, requests: Sequence[ChatRequest], *, on_reply: OnReply | None = None) -> list[ChatReply]:
        """Answer every request.

        Args:
            requests: N requests; the memory used beyond them and their replies does not grow with N.
            on_reply: told each reply as it arrives, in this thread; while it runs, nothing else is received.

        Returns:
            N replies in the order of the requests, failed ones among them.

        Raises:
            CalmError: L48 inside a running event loop, L49 when nothing can be reached, L50 when the server refuses
                the request, L51 when max(3, `connections`) requests in a row failed for good, L52 when the budget is
                spent, L53 for a proxy that cannot be used. What was answered before went through `on_reply`.
        """
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return asyncio.run(self._answer_all(requests, on_reply))
        raise CalmError(
            "L48",
            "an endpoint cannot be asked from inside a running event loop.",
            fix="call it in a thread (asyncio.to_thread), or from a script.",
        )

    async def _answer_all(self, requests: Sequence[ChatRequest], on_reply: OnReply | None) -> list[ChatReply]:
        replies: dict[int, ChatReply] = {}
        running: dict[asyncio.Task[ChatReply], int] = {}
        waiting = iter(range(len(requests)))
        failed_in_row = 0
        async with self._open_client() as client:
            attempts = Attempts(client, self.url, self.model, self._key, self._policy)
            try:
                while True:
                    while len(running) < self.connections and not self._is_spent():
                        index = next(waiting, None)
                        if index is None:
                            break
                        running[asyncio.create_task(attempts.ask(self._body(requests[index])))] = index
                    if not running:
                        break
                    done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                    for task in sorted(done, key=lambda task: task.exception() is not None):  # answers before errors
                        index = running.pop(task)
                        reply = replies[index] = task.result()
                        self.spent_tokens += _cost(requests[index], reply)
                        self.usage += Usage.of(reply)
                        if on_reply is not None:
                            on_reply(index, reply)
                        failed_in_row = failed_in_row + 1 if reply.finish == "failed" else 0
                        self._stop_after(failed_in_row, reply)
            finally:
                for task in running:
                    task.cancel()
                await asyncio.gather(*running, return_exceptions=True)
        if len(replies) < len(requests):
            raise CalmError(
                "L52",
                f"the budget of {self.budget_tokens} tokens is spent; {len(requests) - len(replies)} requests remain.",
                field=self.model,
                value=self.url,
                fix="raise the budget and run again; what was answered is not lost.",
            )
        return [replies[index] for index in range(len(requests))]

    def _body(self, request: ChatRequest) -> bytes:
        return json.dumps({"model": self.model, **request.as_json()}).encode("ascii")

    def _is_spent(self) -> bool:
        return self.budget_tokens is not None and self.spent_tokens >= self.budget_tokens

    def _stop_after(self, failed_in_row: int, reply: ChatReply) -> None:
        if failed_in_row >= max(FEWEST_FAILURES, self.connections):
            raise CalmError(
                "L51",
                f"{failed_in_row} requests in a row failed for good; the last: {reply.error}.",
                field=self.model,
                value=self.url,
                fix="look at the server, then run again; what was answered is not lost.",
            )

    def _open_client(self) -> httpx.AsyncClient:
        headers = {"content-type": "application/json", "accept-encoding": "identity"}
        if self._key is not None:
            headers["authorization"] = f"Bearer {self._key}"
        local = is_loopback(httpx.URL(self.url).host)
        # plain http needs no certificates, which take longer to load than many an answer; a context without any trusts
        # nobody
        bare = local and self.url.startswith("http:")
        try:
            return httpx.AsyncClient(
                headers=headers,
                timeout=httpx.Timeout(None, connect=CONNECT_SECONDS),
                limits=httpx.Limits(max_connections=self.connections, max_keepalive_connections=self.connections),
                trust_env=not local,
                verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if bare else True,
            )
        except (ValueError, ImportError, httpx.InvalidURL) as error:  # the message may repeat a proxy's password
            raise CalmError(
                "L53",
                f"a proxy of the environment cannot be used ({type(error).__name__}).",
                fix="correct HTTPS_PROXY, HTTP_PROXY or ALL_PROXY; SOCKS proxies are not supported.",
            ) from None


def _cost(request: ChatRequest, reply: ChatReply) -> int:
    """Tokens of a reply; where the server reports none, bytes, which no tokenizer exceeds."""
    if reply.finish == "failed":
        return 0
    read = sum(len(message.content.encode()) for message in request.messages)
    written = len(reply.text.encode())
    return (read if reply.prompt_tokens is None else reply.prompt_tokens) + (
        written if reply.completion_tokens is None else reply.completion_tokens
    )
