from __future__ import annotations

import json
from pathlib import Path

import pytest

from calm_lm.culture.norm_files import load_norms, save_norms
from calm_lm.culture.norms import NormRecord, NormStore
from calm_lm.errors import CalmError

ROW = {"id": "a", "culture": "JP", "situation": "leaving a tip", "norm": "out of place", "source": "visitor guidance"}


def write(folder: Path, *lines: dict[str, object] | bytes) -> Path:
    path = folder / "norms.jsonl"
    path.write_bytes(b"".join((x if isinstance(x, bytes) else json.dumps(x).encode()) + b"\n" for x in lines))
    return path


def test_a_store_survives_its_file(tmp_path: Path) -> None:
    store = NormStore(
        [
            NormRecord("a", "JP", "leaving a tip", "out of place", "visitor guidance"),
            NormRecord("b", "pt-BR", "café\u00a0…", "fine", "s", "CC0-1.0", "2024-02-29", "1999-01-01", "2030-01-01"),
        ]
    )
    save_norms(store, tmp_path / "norms.jsonl")
    assert load_norms(tmp_path / "norms.jsonl").records == store.records
    assert "null" not in (tmp_path / "norms.jsonl").read_text(encoding="utf-8")


def test_blank_lines_null_dates_and_windows_line_ends_are_fine(tmp_path: Path) -> None:
    path = write(tmp_path, {**ROW, "date": None}, b"", b"  \r", json.dumps({**ROW, "id": "b"}).encode() + b"\r")
    assert [record.id for record in load_norms(path)] == ["a", "b"]
    assert len(load_norms(write(tmp_path))) == 0


@pytest.mark.parametrize(
    ("line", "code", "field"),
    [
        (b"{", "C14", None),
        (b"[1]", "C14", None),
        (b"\xff", "C14", None),
        (b"\xef\xbb\xbf{}", "C14", None),
        (b"[" * 100_000, "C14", None),
        (b'{"id": "b", "id": "c"}', "C14", None),
        ({**ROW, "id": "b", "sitation": "x"}, "C15", "sitation"),
        ({key: value for key, value in ROW.items() if key != "source"}, "C16", "source"),
        ({**ROW, "id": 7}, "C16", "id"),
        ({**ROW, "id": "b", "norm": " "}, "C16", "norm"),
        ({**ROW, "id": "b", "norm": float("nan")}, "C16", "norm"),
        ({**ROW, "id": "b", "situation": "a\nb"}, "C16", "situation"),
        ({**ROW, "id": "b", "situation": "a\0b"}, "C16", "situation"),
        ({**ROW, "id": "b", "situation": "\ud800"}, "C16", "situation"),
        ({**ROW, "id": "b", "licence": None}, "C16", "licence"),
        ({**ROW, "id": "b", "date": "2023-02-29"}, "C17", "date"),
        ({**ROW, "id": "b", "valid_from": "yesterday"}, "C17", "valid_from"),
        ({**ROW, "id": "b", "valid_from": "2024-01-02", "valid_until": "2024-01-01"}, "C18", "valid_until"),
        (ROW, "C13", "id"),
        ({**ROW, "id": "b", "culture": "Japan"}, "C04", "culture"),
        ({**ROW, "id": "b", "culture": "x-Foo"}, "C05", "culture"),
        ({**ROW, "id": "b", "culture": "x-foo"}, "C06", "culture"),
    ],
)
def test_a_bad_row_is_one_error_with_its_place(
    tmp_path: Path, line: dict[str, object] | bytes, code: str, field: str
) -> None:
    path = write(tmp_path, ROW, b"", line)
    with pytest.raises(CalmError) as caught:
        load_norms(path, communities=())
    error = caught.value
    assert (error.code, error.file, error.row, error.field) == (code, str(path), 3, field)
    assert error.fix
    assert len(str(error)) < 600


def test_an_absent_file(tmp_path: Path) -> None:
    with pytest.raises(CalmError) as caught:
        load_norms(tmp_path / "none.jsonl")
    assert caught.value.code == "F01"
