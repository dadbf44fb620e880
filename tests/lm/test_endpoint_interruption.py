"""Ctrl-C ends a run at once, whatever the client waits for."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest

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
