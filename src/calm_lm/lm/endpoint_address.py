"""The address of an endpoint, `openai:MODEL@URL`, and which addresses are safe to send a key to."""

from __future__ import annotations

import ipaddress
import os
import re
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit

from calm_lm.errors import CalmError

PREFIX = "openai:"
FORM = "write openai:MODEL@URL, for example openai:my-model@http://127.0.0.1:8000/v1."

_ADDRESS = re.compile(r"openai:(?P<model>\S+?)@(?P<url>[A-Za-z][A-Za-z0-9+.-]*://\S*)")


class EndpointAddress(NamedTuple):
    """The name of a model and the base URL under which `/chat/completions` lies, without a slash at its end."""

    model: str
    url: str


def parse_endpoint(text: str, *, allow_http: bool = False) -> EndpointAddress:
    """Read `openai:MODEL@URL`; a model's name may hold an `@` of its own.

    Args:
        text: what the user wrote.
        allow_http: let a key travel in the clear to another machine.

    Raises:
        CalmError: L42 for another form, L43 to L45 for a URL that `check_url` refuses.
    """
    match = _ADDRESS.fullmatch(text)
    if match is None:
        missing = "the model's name and an @ before the URL" if "@" not in text else "a model's name or a URL's scheme"
        raise CalmError("L42", f"is no address of an endpoint ({missing} is missing).", field="model", fix=FORM)
    return EndpointAddress(match["model"], check_url(match["url"], allow_http=allow_http))


def check_url(url: str, *, allow_http: bool = False) -> str:
    """The base URL as it is used, without slashes at its end; URLs that could leak a key are refused.

    What stands before the host or behind a `?` may be a password, so a refused URL is never repeated.

    Raises:
        CalmError: L43 for a malformed URL, another scheme, or credentials, L44 for plain http to another machine
            unless `allow_http`, L45 for another machine when CALM_OFFLINE=1.
    """
    parts = _split(url)
    if "@" in parts.netloc:
        raise _malformed("holds credentials", "take them out and set CALM_API_KEY.")
    if parts.query or parts.fragment or "?" in url or "#" in url:
        raise _malformed("holds a query or a fragment", "give the base URL only, and set CALM_API_KEY for a key.")
    if parts.scheme not in ("http", "https"):
        raise _malformed("is neither http nor https", FORM)
    if not parts.hostname:
        raise _malformed("names no host", FORM)
    if not is_loopback(parts.hostname):
        if os.environ.get("CALM_OFFLINE") == "1":
            raise CalmError(
                "L45",
                "is on another machine, and offline no network is used.",
                field="url",
                value=parts.hostname,
                fix="leave out --offline (CALM_OFFLINE), or ask a server on this machine.",
            )
        if parts.scheme == "http" and not allow_http:
            raise CalmError(
                "L44",
                "would send questions and key in the clear over plain http to another machine.",
                field="url",
                value=parts.hostname,
                fix="use https, a tunnel to 127.0.0.1, or allow plain http explicitly (allow_http).",
            )
    return url.rstrip("/")


def is_loopback(host: str) -> bool:
    """Whether a host is this machine by its name alone (`localhost`, 127.0.0.0/8, ::1); nothing is looked up."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _split(url: str) -> SplitResult:
    try:
        if not url.isascii() or not url.isprintable() or set(url) & set(' "<>\\^`{|}'):
            raise ValueError("a character that no URL holds")
        parts = urlsplit(url)
        if parts.port == 0:
            raise ValueError("port 0")
    except ValueError as error:  # also a port that is none, or brackets around no IPv6 address
        raise _malformed("is malformed", FORM) from error
    return parts


def _malformed(problem: str, fix: str) -> CalmError:
    return CalmError("L43", f"the endpoint's URL {problem}.", field="url", fix=fix)
