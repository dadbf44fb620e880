"""A chat endpoint on loopback that answers by a function of the prompt, and counts what it was asked."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Reply = str | int  # a text, or a status code
USAGE = {"prompt_tokens": 9, "completion_tokens": 2}


class ChatServer(ThreadingHTTPServer):
    """Real HTTP on a free port; `answer` maps (prompt, seed) to a text or a status code, `usage` to what it states."""

    daemon_threads = True

    def __init__(
        self, answer: Callable[[str, int], Reply], latency: float = 0.0, usage: dict[str, int] | None = USAGE
    ) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.reply, self.latency, self.usage = answer, latency, usage
        self.asked: Counter[str] = Counter()
        self.lock = threading.Lock()

    @property
    def name(self) -> str:
        """What a user writes after `calm evaluate`."""
        return f"openai:planted@http://127.0.0.1:{self.server_port}/v1"

    def __enter__(self) -> ChatServer:
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self.shutdown()
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that was killed is no news; anything else is a mistake of the test."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: ChatServer

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        time.sleep(self.server.latency)
        found = self.server.reply(body["messages"][-1]["content"], body["seed"])
        status, sent = (200, _reply(found, self.server.usage))
        if isinstance(found, int):
            status, sent = found, {"error": {"message": "planted"}}
        with self.server.lock:
            self.server.asked[json.dumps(body, sort_keys=True)] += 1
        data = json.dumps(sent).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args: object) -> None:
        """Tests print what they want to see."""


def _reply(text: str | int, usage: dict[str, int] | None) -> dict[str, Any]:
    message = {"role": "assistant", "content": text}
    told = {} if usage is None else {"usage": usage}
    return {"choices": [{"message": message, "finish_reason": "stop"}], **told}
