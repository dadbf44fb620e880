"""Tables of surveys go through the one reader of tables, under this room's codes."""

from __future__ import annotations

import gzip

import pytest

from calm_lm.errors import CalmError
from calm_lm.survey.reading import read_rows

# name of the file, its bytes, code, row, field
BROKEN = {
    "missing column": ("a.csv", b"id,words\n1,x\n", "V36", 1, "text"),
    "column twice": ("a.csv", b"id,text, text\n1,x,y\n", "V36", 1, "text"),
    "empty file": ("a.csv", b"", "V36", 1, "id"),
    "short row after a cell of two lines": ("a.csv", b'id,text\n1,"x\ny"\n2\n', "V37", 4, None),
    "open quote": ("a.csv", b'id,text\n1,"x\n2,y\n', "V37", 2, None),
    "Latin-1": ("a.csv", b"id,text\n1,x\n2,caf\xe9\n", "V34", 3, None),
    "truncated gzip": ("a.csv.gz", gzip.compress(b"id,text\n" + b"1,x\n" * 999)[:-9], "V34", None, None),
    "NUL": ("a.csv", b"id,text\n1,a\0b\n", "D25", 2, "text"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_tables_are_named(tmp_path, name):
    file, data, code, row, field = BROKEN[name]
    (tmp_path / file).write_bytes(data)
    with pytest.raises(CalmError) as caught:
        read_rows(tmp_path / file, ("id", "text"))
    assert (caught.value.code, caught.value.row, caught.value.field) == (code, row, field)


def test_spaces_around_names_of_columns_and_blank_lines(tmp_path):
    (tmp_path / "a.csv").write_text("\n id , text,more\n\n1, x ,y\n", encoding="utf-8-sig")
    [row] = read_rows(tmp_path / "a.csv", ("id", "text"), optional=("other",))
    assert (row.number, dict(row.cells)) == (4, {"id": "1", "text": " x "})
