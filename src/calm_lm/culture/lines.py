"""What counts as a plain line of text in a file that a user wrote."""

from __future__ import annotations

import unicodedata
from typing import TypeGuard

_UNWANTED = frozenset({"Cc", "Cs", "Zl", "Zp"})  # control characters, lone surrogates, line and paragraph separators


def is_plain_line(value: object) -> TypeGuard[str]:
    """Whether it is text with something to read, on one line, that UTF-8 can hold."""
    if not isinstance(value, str) or not value.strip():
        return False
    return not any(unicodedata.category(letter) in _UNWANTED for letter in value)
