"""What a server sent, read with distrust: an answer, a passing fault, or a refusal; nothing in between.

A reply is taken only if it is a whole chat completion in the OpenAI form: text and a known reason for its end. A
reason that is missing or unknown (`abort`, `error`) makes it a fault, since a torn answer would pass for a whole one.
"""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NamedTuple

from calm_lm.lm.chat import Finish

if TYPE_CHECKING:
    import httpx

LARGEST_BODY = 4 << 20  # bytes of a reply; the longest answers of today's models are a tenth of it
LARGEST_ERROR = 1 << 16
SAID = 300  # characters of a server's words that an error repeats
PASSING = {408, 409, 425, 429}  # and all of 5xx
FINISHES: dict[str, Finish] = {
    "stop": "stop",
    "eos_token": "stop",
    "end_turn": "stop",
    "length": "length",
    "max_tokens": "length",
    "model_length": "length",
    "content_filter": "filter",
}
FILTERED = {"content_filter", "content_policy_violation"}  # a server that refuses the question itself says so in a 400


class Completion(NamedTuple):
    """A model's turn as a server sent it; token counts are None where the server does not say."""

    text: str
    finish: Finish
    prompt_tokens: int | None
    completion_tokens: int | None


class PassingError(Exception):
    """An attempt that failed for a reason that may pass.

    Args:
        problem: what happened.
        after: seconds that the server asks to wait, None where it does not.
    """

    def __init__(self, problem: str, after: float | None = None) -> None:
        super().__init__(problem)
        self.problem, self.after = problem, after


class RefusedError(Exception):
    """The server will not answer this, however often it is asked.

    Args:
        status: HTTP status.
        said: the server's own words.
    """

    def __init__(self, status: int, said: str) -> None:
        super().__init__(f"HTTP {status}")
        self.status, self.said = status, said


async def read_response(response: httpx.Response) -> Completion:
    """Read the answer out of a response whose body has not been read yet.

    Raises:
        PassingError: on 408, 409, 425, 429, 5xx, and a success that is no chat completion.
        RefusedError: on every other status.
    """
    status = response.status_code
    success = 200 <= status < 300
    data = await _read_body(response, LARGEST_BODY if success else LARGEST_ERROR)
    if success:
        if len(data) > LARGEST_BODY:
            raise PassingError(f"the answer is larger than {LARGEST_BODY >> 20} MiB")
        return parse_completion(data)
    said = _words(data)
    if status in PASSING or status >= 500:
        problem = f"{_status(status)}: {said}" if said else _status(status)
        raise PassingError(problem, seconds_to_wait(response.headers.get("retry-after"), datetime.now(UTC)))
    if status == HTTPStatus.BAD_REQUEST and _error_code(data) in FILTERED:
        return Completion("", "filter", None, None)
    raise RefusedError(status, said)


def parse_completion(data: bytes) -> Completion:
    """The answer in the body of a success.

    Raises:
        PassingError: when it is no chat completion.
    """
    body = _parse(data)
    if body is None:
        raise PassingError("the answer is no JSON object")
    choices = body.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    message = choice.get("message") if isinstance(choice, dict) else None
    if not isinstance(choice, dict) or not isinstance(message, dict):
        said = _words(data) if "error" in body else ""
        raise PassingError(f"the answer is no chat completion{said and ': '}{said}")
    reason, content, refusal = choice.get("finish_reason"), message.get("content"), message.get("refusal")
    finish = FINISHES.get(reason) if isinstance(reason, str) else None
    if finish is None:
        raise PassingError(f"the answer ends for no known reason ({reason!r})")
    if content is None and isinstance(refusal, str):
        finish, content = "filter", refusal
    elif content is None and finish != "stop":  # stopped before the first character of the answer
        content = ""
    if not isinstance(content, str) or not _is_unicode(content):
        raise PassingError("the answer holds no text")
    usage = body.get("usage")
    counts = usage if isinstance(usage, dict) else {}
    return Completion(content, finish, _count(counts.get("prompt_tokens")), _count(counts.get("completion_tokens")))


def seconds_to_wait(header: str | None, now: datetime) -> float | None:
    """Seconds that a `Retry-After` header asks for, given as a number or an HTTP date; None where it says nothing."""
    if header is None:
        return None
    try:
        seconds = float(header)
    except ValueError:
        try:
            moment = parsedate_to_datetime(header)
            seconds = (moment.replace(tzinfo=moment.tzinfo or UTC) - now).total_seconds()
        except (ValueError, TypeError, OverflowError, IndexError):
            return None
    return None if math.isnan(seconds) else max(0.0, seconds)


def printable(text: str, key: str | None) -> str:
    """Foreign words as an error may repeat them: the key blacked out, escaped to printable ASCII, cut."""
    clean = text if key is None else text.replace(key, "[key]")
    escaped = clean[: SAID + 1].encode("unicode_escape", "backslashreplace").decode("ascii")
    return f"{escaped[:SAID]}..." if len(escaped) > SAID else escaped


async def _read_body(response: httpx.Response, bound: int) -> bytes:
    """The body up to just above the bound; compression was not asked for, so that few bytes cannot become many."""
    if response.headers.get("content-encoding", "identity").lower() != "identity":
        raise PassingError("the answer is compressed, which was not asked for")
    data = bytearray()
    async for piece in response.aiter_raw():
        data += piece[: bound + 1 - len(data)]
        if len(data) > bound:
            break
    return bytes(data)


def _parse(data: bytes) -> dict[str, Any] | None:
    def refuse(constant: str) -> None:
        raise ValueError(f"{constant} is no JSON")

    try:
        body = json.loads(data.decode("utf-8"), parse_constant=refuse)
    except (ValueError, RecursionError):
        return None
    return body if isinstance(body, dict) else None


def _words(data: bytes) -> str:
    """What a server says of a fault: the message in its JSON, or the body as it is."""
    body = _parse(data) or {}
    error = body.get("error")
    candidates = [error.get("message") if isinstance(error, dict) else error, body.get("message"), body.get("detail")]
    said = next((words for words in candidates if isinstance(words, str)), None)
    return data.decode("utf-8", "replace").strip() if said is None else said


def _error_code(data: bytes) -> str | None:
    error = (_parse(data) or {}).get("error")
    code = error.get("code") if isinstance(error, dict) else None
    return code if isinstance(code, str) else None


def _status(status: int) -> str:
    known = HTTPStatus(status).phrase if status in set(HTTPStatus) else ""
    return f"HTTP {status} {known}".rstrip()


def _is_unicode(text: str) -> bool:
    """JSON may spell half of a surrogate pair, which no file could hold."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
