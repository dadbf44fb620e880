"""Data sets fetched from their public addresses: licence first, checksum before the name, https only.

A file is written beside its place and gets its name once its size and sha256 are those of the source; a kill or a
failing line leaves nothing half. A file that is there and right is kept; one that is there and differs is left alone.
"""

from __future__ import annotations

import hashlib
import http.client
import ipaddress
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from calm_lm.data.registry import RemoteFile, Source
from calm_lm.errors import CalmError
from calm_lm.files import disk_errors, sha256_file, write_atomically

TIMEOUT = 30.0  # seconds without a byte
PIECE = 1 << 16


def fetch(source: Source, to: Path, *, offline: bool, notify: Callable[[str], None]) -> Path:
    """Bring a source's files into its folder.

    Args:
        source: what to fetch.
        to: the folder of data sets; the files go to `to / source.folder`.
        offline: refuse to use the network.
        notify: is told the licence, the size and each file, one line each.

    Returns:
        The folder the files are in.

    Raises:
        CalmError: D37 offline, D38 where there is no public address, D39 when a file of that name is there and differs,
            D40 to D42 when the address does not give the file, F01 for disk trouble.
    """
    if source.bundled:
        notify(f"{source.title} comes with the package: nothing to fetch.")
        return to
    if source.address is None:
        raise CalmError("D38", f"there is no public address to fetch {source.title} from.", fix=source.obtain)
    folder = to / source.folder
    notify(f"{source.title}. Licence: {source.licence}. Cite: {source.citation}")
    notify(f"{len(source.address.files)} files, {source.address.size / 1e6:.1f} MB, into {folder}")
    missing = [file for file in source.address.files if not _is_there(file, folder)]
    if missing and offline:
        raise CalmError(
            "D37",
            f"{source.title} is not complete here and fetching it is switched off.",
            file=folder,
            fix="leave out --offline, or copy the files from another machine.",
        )
    for number, file in enumerate(missing, start=1):
        notify(f"({number}/{len(missing)}) {file.path}, {file.size / 1e6:.1f} MB")
        _fetch_file(file, folder / file.path)
    notify(f"complete: {folder}" if missing else f"already complete: {folder}")
    return folder


def _is_there(file: RemoteFile, folder: Path) -> bool:
    path = folder / file.path
    with disk_errors(path):
        if not path.exists():
            return False
        found = sha256_file(path)
    if found != file.sha256:
        raise CalmError(
            "D39",
            f"is there and is not the published file (sha256 {found[:12]}... instead of {file.sha256[:12]}...).",
            file=path,
            fix="move it away, or choose another --data-dir.",
        )
    return True


def _fetch_file(file: RemoteFile, path: Path) -> None:
    def fill(part: Path) -> None:
        digest, size = hashlib.sha256(), 0
        with part.open("wb") as stream:
            for piece in _pieces(file.url):
                size += len(piece)
                if size > file.size:
                    break
                digest.update(piece)
                stream.write(piece)
        if size != file.size or digest.hexdigest() != file.sha256:
            raise CalmError(
                "D40",
                f"what {file.url} gave is not the published file (size or sha256 differs).",
                file=path,
                fix="try again; if it stays so, the file has been changed at its source: get it from its authors.",
            )

    write_atomically(path, fill)


def _pieces(url: str) -> Iterator[bytes]:
    """The bytes behind an address, in pieces."""
    _check_scheme(url)
    opener = urllib.request.build_opener(_CheckedRedirects())
    try:
        with opener.open(url, timeout=TIMEOUT) as answer:
            while piece := answer.read(PIECE):
                yield piece
    except (urllib.error.URLError, http.client.HTTPException, ssl.SSLError, TimeoutError, ConnectionError) as error:
        raise CalmError(
            "D41", f"{url} does not answer ({error}).", fix="check the connection and try again."
        ) from error


class _CheckedRedirects(urllib.request.HTTPRedirectHandler):
    """Follows a redirect only to an address that could have been asked for in the first place."""

    def redirect_request(self, req: urllib.request.Request, *args: Any) -> urllib.request.Request | None:
        _check_scheme(str(args[-1]))
        return super().redirect_request(req, *args)


def _check_scheme(url: str) -> None:
    """Accept https, and http on this machine itself (for tests and mirrors)."""
    parts = urlsplit(url)
    if parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(parts.hostname or "")):
        return
    raise CalmError("D42", f"{url} is not an https address.", fix="fetch data sets over https only.")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
