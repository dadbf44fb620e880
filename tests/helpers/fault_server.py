"""A chat endpoint on loopback that misbehaves by script, once for each attempt, over real sockets.

The last message of a request is its script: `name|fault,fault,...`. Attempt k of a script plays fault k; when the
faults are used up, the answer is `answer to <script>`. So any number of requests may run at once.
"""

from __future__ import annotations

import json
import socket
import struct
import sys
import threading
import time
from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HUGE = 50 << 20
SLOW = 5.0  # seconds, beyond any timeout of the tests
CALLER_FAULTS = {"300", "301", "302", "307", "400", "401", "402", "403", "404", "405", "410", "413", "422"}
STATUS_FAULTS = {"408", "409", "425", "429", "500", "502", "503", "504", "529", "599"}


def completion(content, finish="stop", **message):
    usage = {"prompt_tokens": 7, "completion_tokens": 3}
    return {"choices": [{"message": {"content": content, **message}, "finish_reason": finish}], "usage": usage}


def _json(value) -> bytes:
    return json.dumps(value).encode()


BODIES = {
    "empty": b"",
    "garbage": bytes(range(256)),
    "html": b"<html><body>502 Bad Gateway</body></html>",
    "truncated": _json(completion("whole"))[:-20],
    "nan": _json({**completion("x"), "usage": {"prompt_tokens": float("nan")}}),
    "infinite": _json({**completion("x"), "created": float("inf")}),
    "deep": b"[" * 100_000,
    "digits": b'{"choices": ' + b"9" * 10_000 + b"}",
    "list": b"[]",
    "null": b"null",
    "no-choices": _json({"usage": {}}),
    "empty-choices": _json({"choices": []}),
    "choices-object": _json({"choices": {"0": {}}}),
    "choice-text": _json({"choices": ["text"]}),
    "no-message": _json({"choices": [{"text": "x", "finish_reason": "stop"}]}),
    "message-text": _json({"choices": [{"message": "x", "finish_reason": "stop"}]}),
    "content-number": _json(completion(3)),
    "content-list": _json(completion([{"type": "text", "text": "x"}])),
    "content-null": _json(completion(None)),
    "surrogate": _json(completion("\ud800")),
    "no-finish": _json(completion("half an ans", None)),
    "aborted": _json(completion("half an ans", "abort")),
    "finish-number": _json(completion("x", 1)),
    "error-200": _json({"error": {"message": "worker died", "code": 500}}),
    "latin": '{"choices": [{"message": {"content": "é"}, "finish_reason": "stop"}]}'.encode("latin-1"),
}
RAW = {
    "not-http": b"\x00\x01\x02 hello\r\n\r\n",
    "bad-chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\nabc\r\n",
    "bad-length": b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n{}",
    "bad-header": b"HTTP/1.1 200 OK\r\nno colon here\r\n\r\n{}",
    "long-header": b"HTTP/1.1 200 OK\r\nx: " + b"a" * 300_000 + b"\r\n\r\n",
    "half-header": b"HTTP/1.1 200 OK\r\nContent-Le",
    "cut-body": b"HTTP/1.1 200 OK\r\nContent-Length: 4000\r\n\r\n" + _json(completion("cut")),
    "gzip": b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nabcd",
    "hang-up": b"",
}
PASSING = sorted([*BODIES, *RAW, *STATUS_FAULTS, "huge", "reset"])
SLOW_FAULTS = ["slow", "drip"]


class FaultServer(ThreadingHTTPServer):
    """Counts what it was asked; `latency` seconds before each good answer."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, latency: float = 0.0) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.latency, self.lock = latency, threading.Lock()
        self.attempts: Counter[str] = Counter()
        self.paths: Counter[str] = Counter()
        self.bodies: list[dict] = []
        self.headers: list[dict[str, str]] = []
        self.moments: list[tuple[str, float]] = []
        self.sent = self.under_way = self.most_under_way = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"

    def __enter__(self):
        self.thread = threading.Thread(target=self.serve_forever, args=(0.01,))
        self.thread.start()
        return self

    def __exit__(self, *error):
        self.shutdown()
        self.thread.join()
        self.server_close()

    def handle_error(self, request, client_address):
        """Clients that hang up are the point of these tests."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: FaultServer

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        script = body["messages"][-1]["content"]
        faults = [fault for fault in script.partition("|")[2].split(",") if fault]
        with self.server.lock:
            attempt = self.server.attempts[script]
            self.server.attempts[script] += 1
            self.server.paths[self.path] += 1
            self.server.bodies.append(body)
            self.server.headers.append(dict(self.headers))
            self.server.moments.append((script, time.monotonic()))
            self.server.under_way += 1
            self.server.most_under_way = max(self.server.most_under_way, self.server.under_way)
        try:
            if attempt < len(faults):
                self.play(faults[attempt])
            else:
                time.sleep(self.server.latency)
                self.answer(200, _json(completion(f"answer to {script}")))
        finally:
            with self.server.lock:
                self.server.under_way -= 1

    def play(self, fault: str) -> None:
        name, _, argument = fault.partition("=")
        if name in BODIES:
            self.answer(200, BODIES[name])
        elif name in RAW:
            self.wfile.write(RAW[name])
            self.close_connection = True
        elif name == "huge":
            self.send_huge()
        elif name == "reset":
            self.request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.request.close()
            self.close_connection = True
        elif name == "slow":
            time.sleep(SLOW)
            self.close_connection = True
        elif name == "drip":
            self.drip()
        elif name == "echo-key":
            self.answer(int(argument), _json({"error": {"message": f"wrong key: {self.headers['authorization']}"}}))
        elif name in ("refusal", "filter", "length", "prompt-filter", "silent", "usage"):
            self.answer_oddly(name)
        else:
            extra = {} if not argument else {"Retry-After": retry_after(argument)}
            extra |= {"Location": f"{self.server.url}/elsewhere"} if name.startswith("3") else {}
            self.answer(int(name), _json({"error": {"message": f"status {name} \x1b[31m"}}), extra)

    def answer_oddly(self, name: str) -> None:
        if name == "prompt-filter":
            self.answer(400, _json({"error": {"message": "filtered", "code": "content_filter"}}))
            return
        body = {
            "refusal": completion(None, "stop", refusal="I will not."),
            "filter": completion(None, "content_filter"),
            "length": completion(None, "length"),
            "silent": completion(""),
            "usage": {**completion("é"), "usage": {"prompt_tokens": -1, "completion_tokens": "3"}},
        }[name]
        self.answer(200, _json(body))

    def answer(self, status: int, body: bytes, extra: dict[str, str] | None = None) -> None:
        head = "".join(f"{name}: {value}\r\n" for name, value in (extra or {}).items())
        self.wfile.write(f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n{head}\r\n".encode() + body)

    def send_huge(self) -> None:
        self.close_connection = True
        self.wfile.write(f"HTTP/1.1 200 OK\r\nContent-Length: {HUGE}\r\n\r\n".encode())
        with suppress(OSError):
            for _ in range(HUGE >> 16):
                self.wfile.write(b" " * (1 << 16))
                self.server.sent += 1 << 16

    def drip(self) -> None:
        """Never silent, never done."""
        self.close_connection = True
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        with suppress(OSError):
            for _ in range(int(SLOW / 0.02)):
                self.wfile.write(b" ")
                time.sleep(0.02)

    def log_message(self, *args):
        pass


def retry_after(argument: str) -> str:
    """`date+2` is the HTTP date in two seconds; anything else stands as it is."""
    if not argument.startswith("date"):
        return argument
    return format_datetime(datetime.now(UTC) + timedelta(seconds=float(argument[4:])), usegmt=True)


if __name__ == "__main__":  # as a process of its own: tell the port, serve until the input ends
    with FaultServer(float(sys.argv[1])) as running:
        sys.stdout.write(f"{running.url}\n")
        sys.stdout.flush()
        sys.stdin.read()
        sys.stdout.write(json.dumps(running.attempts) + "\n")
