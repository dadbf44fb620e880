"""One request to an endpoint, asked until it is answered, refused, or has failed often enough."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Any

import httpx
import tenacity

from calm_lm.errors import CalmError
from calm_lm.lm.chat import ChatReply
from calm_lm.lm.completion import Completion, PassingError, RefusedError, printable, read_response


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How long a request is asked for.

    Attributes:
        timeout: seconds of one attempt.
        retries: attempts after the first.
        base_delay: seconds; the wait after attempt k is drawn evenly below `base_delay * 2 ** (k - 1)`.
        longest_delay: seconds; cuts that wait and `Retry-After`, each.
        patience: seconds after which no new attempt is begun.
    """

    timeout: float
    retries: int
    base_delay: float
    longest_delay: float
    patience: float

    def wait(self, state: tenacity.RetryCallState) -> float:
        """Seconds before the next attempt: what the server asked for, and a random share so that they spread."""
        fault = None if state.outcome is None else state.outcome.exception()
        asked = fault.after if isinstance(fault, PassingError) and fault.after is not None else 0.0
        backoff = tenacity.wait_random_exponential(multiplier=self.base_delay, max=self.longest_delay)
        return min(asked, self.longest_delay) + backoff(state)


class Attempts:
    """Asks one endpoint for one call of `Endpoint.chat`.

    Args:
        client: open, its headers set.
        url: of the endpoint, without `/chat/completions`.
        model: its name, for errors.
        key: what no error may repeat.
        policy: how long to try.
    """

    def __init__(self, client: httpx.AsyncClient, url: str, model: str, key: str | None, policy: RetryPolicy) -> None:
        self._client, self._url, self._model, self._key, self._policy = client, url, model, key, policy
        self._reached = False

    async def ask(self, body: bytes) -> ChatReply:
        """The reply to a request's body, a failed one where the policy gives up.

        Raises:
            CalmError: L49 while nothing was ever reached, L50 when the server refuses the request.
        """
        retrying = tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception_type(PassingError),
            stop=tenacity.stop_any(
                tenacity.stop_after_attempt(self._policy.retries + 1), tenacity.stop_before_delay(self._policy.patience)
            ),
            wait=self._policy.wait,
            reraise=True,
        )
        began = time.perf_counter()
        try:
            answer: Completion = await retrying(self._attempt, body)
        except PassingError as fault:
            attempts = int(retrying.statistics["attempt_number"])
            error = f"{printable(fault.problem, self._key)} (attempt {attempts})"
            return ChatReply("", "failed", None, None, time.perf_counter() - began, attempts, error)
        except RefusedError as refusal:
            said = printable(refusal.said, self._key) or "nothing"
            raise CalmError(
                "L50",
                f"the endpoint refuses the request with HTTP {refusal.status} and says: {said}.",
                field=self._model,
                value=self._url,
                fix="correct the model's name, the URL, the key (CALM_API_KEY) or the request.",
            ) from None
        return ChatReply(*answer, time.perf_counter() - began, int(retrying.statistics["attempt_number"]), None)

    async def _attempt(self, body: bytes) -> Completion:
        watched = {} if self._reached else {"trace": self._note}
        try:
            async with (
                asyncio.timeout(self._policy.timeout),
                self._client.stream(
                    "POST", f"{self._url}/chat/completions", content=body, extensions=watched
                ) as response,
            ):
                return await read_response(response)
        except TimeoutError:
            raise PassingError(f"no answer within {self._policy.timeout:g} seconds") from None
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            if not self._reached:
                raise CalmError(
                    "L49",
                    f"the endpoint cannot be reached ({self._name(error)}).",
                    field=self._model,
                    value=self._url,
                    fix="check the address, and that the server runs.",
                ) from None
            raise PassingError(self._name(error)) from None
        except httpx.HTTPError as error:
            raise PassingError(self._name(error)) from None

    async def _note(self, event: str, info: dict[str, Any]) -> None:
        """Told by httpx what happens; a connection once made tells a server in trouble from a wrong address."""
        done = "start_tls" if self._url.startswith("https:") else "connect_tcp"
        self._reached = self._reached or event == f"connection.{done}.complete"

    def _name(self, error: Exception) -> str:
        return f"{type(error).__name__}: {printable(str(error), self._key)}"
