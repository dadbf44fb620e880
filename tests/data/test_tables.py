"""Every way a published table can be broken ends in one error that names the place."""

from __future__ import annotations

import csv
import gzip
import io
import json

import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from calm_lm.data.tables import MAX_CELL, find, read_table
from calm_lm.errors import CalmError

CLEAN = st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\0"), max_size=20)


def parquet(columns: dict[str, list[object]]) -> bytes:
    buffer = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table(columns), buffer)
    return buffer.getvalue()


# name of the file, its bytes, code, row, field
BROKEN = {
    "missing column": ("a.csv", b"id,words\n1,x\n", "D22", 1, "text"),
    "column twice": ("a.csv", b"id,text,text\n1,x,y\n", "D22", 1, "text"),
    "empty file": ("a.csv", b"", "D22", 1, "id"),
    "short row": ("a.csv", b"id,text\n1,x\n2\n", "D17", 3, None),
    "long row after a cell of two lines": ("a.csv", b'id,text\n1,"x\ny"\n2,z,z\n', "D17", 4, None),
    "open quote": ("a.csv", b'id,text\n1,"x\n2,y\n', "D18", 2, None),
    "stray quote": ("a.csv", b'id,text\n1,"x"y\n', "D18", 2, None),
    "one megabyte in a cell": ("a.csv", b"id,text\n1," + b"x" * 2**20 + b"\n", "D18", 2, None),
    "NUL": ("a.csv", b"id,text\n1,x\n2,a\0b\n", "D25", 3, "text"),
    "Latin-1": ("a.csv", "id,text\n1,x\n2,caf\u00e9\n".encode("latin-1"), "D16", 3, None),
    "encoded surrogate": ("a.csv", b"id,text\n1,\xed\xa0\x80\n", "D16", 2, None),
    "truncated gzip": ("a.csv.gz", gzip.compress(b"id,text\n" + b"1,x\n" * 999)[:-9], "D15", None, None),
    "not gzip": ("a.csv.gz", b"id,text\n1,x\n", "D15", None, None),
    "no JSON": ("a.jsonl", b'{"id": 1, "text": "x"}\n{"id": 1, "text": "x"\n', "D19", 2, None),
    "NaN": ("a.jsonl", b'{"id": NaN, "text": "x"}\n', "D19", 1, None),
    "a number of 5,000 digits": ("a.jsonl", b'{"id": ' + b"1" * 5000 + b', "text": "x"}\n', "D19", 1, None),
    "deep nesting": ("a.jsonl", b"[" * 100_000 + b"\n", "D19", 1, None),
    "a list": ("a.jsonl", b'\n["id", "text"]\n', "D20", 2, None),
    "missing key": ("a.jsonl", b'{"id": 1}\n', "D22", 1, "text"),
    "null": ("a.jsonl", b'{"id": 1, "text": null}\n', "D23", 1, "text"),
    "a truth value": ("a.jsonl", b'{"id": true, "text": "x"}\n', "D23", 1, "id"),
    "a fraction": ("a.jsonl", b'{"id": 1.5, "text": "x"}\n', "D23", 1, "id"),
    "an object in a cell": ("a.jsonl", b'{"id": {}, "text": "x"}\n', "D23", 1, "id"),
    "escaped surrogate": ("a.jsonl", b'{"id": 1, "text": "a\\ud800"}\n', "D25", 1, "text"),
    "escaped NUL": ("a.jsonl", b'{"id": 1, "text": "a\\u0000"}\n', "D25", 1, "text"),
    "one megabyte in a value": ("a.jsonl", b'{"id": 1, "text": "' + b"x" * 2**20 + b'"}\n', "D24", 1, "text"),
    "truncated Parquet": ("a.parquet", parquet({"id": ["1"], "text": ["x"]})[:-8], "D21", None, None),
    "Parquet without a column": ("a.parquet", parquet({"id": ["1"]}), "D22", 1, "text"),
    "Parquet with a null": ("a.parquet", parquet({"id": ["1", "2"], "text": ["x", None]}), "D23", 2, "text"),
    "Parquet with NaN": ("a.parquet", parquet({"id": [float("nan")], "text": ["x"]}), "D23", 1, "id"),
    "another kind of file": ("a.pkl", b"", "D13", None, None),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_files_are_named(tmp_path, name):
    file, data, code, row, field = BROKEN[name]
    (tmp_path / file).write_bytes(data)
    with pytest.raises(CalmError) as caught:
        read_table(tmp_path / file, ("id", "text"))
    assert (caught.value.code, caught.value.row, caught.value.field) == (code, row, field)
    assert file in str(caught.value)
    assert len(str(caught.value)) < 600


def test_missing_file(tmp_path):
    with pytest.raises(CalmError, match="D14"):
        read_table(tmp_path / "a.csv", ("id",))


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.tuples(CLEAN, CLEAN), max_size=6),
    st.sampled_from([".csv", ".csv.gz", ".jsonl", ".jsonl.gz", ".parquet"]),
)
@example([("\ufeffx", 'a "quoted", cell\nof two lines')], ".csv")
def test_what_was_written_is_read(tmp_path_factory, rows, end):
    path = tmp_path_factory.mktemp("t") / f"a{end}"
    if end.startswith(".csv"):
        text = io.StringIO(newline="")
        csv.writer(text).writerows([("first", "unused", "second"), *((a, "never", b) for a, b in rows)])
        data = text.getvalue().encode()
    elif end.startswith(".jsonl"):
        data = "".join(json.dumps({"second": b, "first": a}) + "\n" for a, b in rows).encode()
    else:
        text_column = pyarrow.string()
        data = parquet({k: pyarrow.array([r[i] for r in rows], text_column) for i, k in enumerate(("first", "second"))})
    path.write_bytes(gzip.compress(data) if end.endswith(".gz") else data)
    table = read_table(path, ("first",), optional=("second", "third"))
    assert [(row["first"], row["second"]) for row in table.rows] == rows
    assert all(set(row.cells) == {"first", "second"} for row in table.rows)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=60), st.sampled_from([".csv", ".csv.gz", ".jsonl", ".parquet"]))
def test_any_bytes_give_rows_or_one_error(tmp_path_factory, data, end):
    path = tmp_path_factory.mktemp("t") / f"a{end}"
    path.write_bytes(b"text\n" + data if end == ".csv" else data)
    try:
        rows = read_table(path, ("text",)).rows
    except CalmError:
        return
    assert all("\0" not in row["text"] for row in rows)


def row_of(tmp_path, cell, *, secret=False):
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps({"cell": cell}) + "\n")
    return read_table(path, ("cell",), secret=secret).rows[0]


@pytest.mark.parametrize("cell", ["", " ", "\n\t", "\u00a0"])
def test_an_empty_cell_is_no_text(tmp_path, cell):
    with pytest.raises(CalmError, match="D10"):
        row_of(tmp_path, cell).text("cell")


def test_a_choice_outside_the_set(tmp_path):
    assert row_of(tmp_path, "yes").choice("cell", {"yes": 1}) == 1
    with pytest.raises(CalmError, match="'YES'") as caught:
        row_of(tmp_path, "YES").choice("cell", {"yes": 1, "no": 0})
    assert "yes, no" in str(caught.value)


def test_secret_cells_stay_out_of_errors(tmp_path):
    for cell, act in (
        ("private words", lambda row: row.choice("cell", {})),
        ("[private", lambda row: row.strings("cell")),
    ):
        with pytest.raises(CalmError) as caught:
            act(row_of(tmp_path, cell, secret=True))
        assert "private" not in str(caught.value)
    with pytest.raises(CalmError) as caught:
        row_of(tmp_path, "private\0", secret=True)
    assert "private" not in str(caught.value)


@pytest.mark.parametrize(
    "cell",
    [
        "",
        "x",
        "[1]",
        "('a',)",
        "['a'",
        "[" * 5000,
        "-" * 50_000,
        "__import__('os')",
        "[x for x in 'a']",
        r"['\x00']",
        r"['\ud800']",
    ],
)
def test_a_list_cell_is_literal(tmp_path, cell):
    with pytest.raises(CalmError, match="D12"):
        row_of(tmp_path, cell).strings("cell")


@given(st.lists(CLEAN, max_size=4))
@settings(max_examples=50, deadline=None)
def test_list_cells_come_back(tmp_path_factory, values):
    assert row_of(tmp_path_factory.mktemp("t"), repr(values)).strings("cell") == tuple(values)


def test_find_takes_the_first_and_knows_gzip(tmp_path):
    (tmp_path / "b.csv.gz").write_bytes(b"")
    assert find(tmp_path, "a.csv", "b.csv") == tmp_path / "b.csv.gz"
    (tmp_path / "a.csv").write_bytes(b"")
    assert find(tmp_path, "a.csv", "b.csv") == tmp_path / "a.csv"
    assert find(tmp_path, "c.csv") is None
    assert MAX_CELL < 2**20
