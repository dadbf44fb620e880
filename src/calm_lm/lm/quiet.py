"""Silence of the libraries underneath for the length of one call; nothing is changed on import."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """Hold back progress bars and warnings of transformers and huggingface_hub; the caller reports itself."""
    from huggingface_hub.utils.tqdm import are_progress_bars_disabled, disable_progress_bars

    logging: Any = import_module("transformers.utils.logging")
    verbosity, had_bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    hub_had_bars = not are_progress_bars_disabled()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.set_verbosity_error()
        logging.disable_progress_bar()  # turns the hub's off too
        try:
            yield
        finally:
            logging.set_verbosity(verbosity)
            if had_bars:
                logging.enable_progress_bar()
            if not hub_had_bars:
                disable_progress_bars()
