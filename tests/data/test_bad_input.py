"""Every mistake in a user's file ends in exactly one clear error, whatever the format and wherever it stands.

The fixed corpus is each class of mistake x format x row, more than 1,000 files; hypothesis adds what nobody thought of.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from calm_lm.data.check import check_file
from calm_lm.data.own import Columns, read_table
from calm_lm.data.records import RECORD_BYTES
from calm_lm.errors import SHOWN, CalmError

COLUMNS = Columns("text", "label", culture="country", votes="votes", id="key", group="topic", split="part")
NAMES = ("text", "label", "country", "votes", "key", "topic", "part")
LABELS = ("no", "yes")
GOOD = [
    {
        "text": "a text over\ntwo lines" if place == 1 else f'sentence, number {place}, with "quotes"',
        "label": LABELS[place % 2],
        "country": ("SG", "AU=0.5,US=0.5", "")[place % 3],
        "votes": ('{"no": 3, "yes": 2}', "1|4")[place % 2],
        "key": f"k{place}",
        "topic": f"t{place}",
        "part": ("train", "valid", "test")[place % 3],
    }
    for place in range(8)
]
PLACES = (0, 3, 7)
LINES = (".csv", ".tsv", ".jsonl")
FORMATS = (*LINES, ".parquet")
DEEP = json.loads("[" * 500 + "]" * 500)


class Case(NamedTuple):
    """A bad file and what must be said of it; `row` 0 stands for no row."""

    kind: str
    suffix: str
    content: bytes
    codes: tuple[str, ...]
    row: int
    field: str | None


def row_of(suffix: str, place: int) -> int:
    """The line on which a row starts: a header and, after the second row, one line more in CSV and TSV."""
    return place + (1 if suffix in (".jsonl", ".parquet") else 2 + (place > 1))


def write(suffix: str, rows: list[dict[str, Any]], names: tuple[str, ...] = NAMES) -> bytes:
    """The rows as a file; lone surrogates in strings stand for bytes that are not UTF-8, or are escaped in JSON."""
    if suffix == ".jsonl":
        return "".join(json.dumps({name: row[name] for name in names}) + "\n" for row in rows).encode()
    if suffix == ".parquet":
        out = io.BytesIO()
        columns = {name: column([row[name] for row in rows]) for name in names}
        pq.write_table(pa.table(columns), out)
        return out.getvalue()
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter="\t" if suffix == ".tsv" else ",", lineterminator="\r\n")
    writer.writerows([names, *([row[name] for name in names] for row in rows)])
    return text.getvalue().encode("utf-8", "surrogateescape")


def column(values: list[Any]) -> pa.Array:
    """A Parquet column; a string column may hold bytes that are not UTF-8."""
    if all(isinstance(value, str) for value in values):
        data = [value.encode("utf-8", "surrogateescape") for value in values]
        return pa.array(data, pa.binary()).view(pa.string())
    return pa.array(values)


def put(place: int, **cells: Any) -> list[dict[str, Any]]:
    return [row | cells if at == place else row for at, row in enumerate(GOOD)]


CELLS: dict[str, tuple[str, tuple[str, ...], tuple[Any, ...]]] = {
    "empty text": ("text", ("D64",), ("", "  ", "\n \n")),
    "endless text": ("text", ("D63",), ("x" * 140_000,)),
    "unknown culture": (
        "country",
        ("C01", "C02", "C03", "C04", "C05"),
        (
            *(
                "Singapore",
                "Cote d'Ivoire",
                "QQ",
                "SG=0.5,ZZ=0.5",
                "SG=abc",
                "SG=-1",
                "SG=nan",
                "SG=inf",
                "SG,SG",
                "x-",
            ),
            *("x-É", ",", "q" * 5000, "Ö" * 100, "\x1b[31mSG", "SG\u2028AU", "\U0001f600"),
        ),
    ),
    "label outside the set": ("label", ("D84",), ("maybe", "Yes", "0", "é" * 80, "no\nyes", "\x07")),
    "votes": (
        "votes",
        ("D68", "D69"),
        (
            *("{", "[]", "7", "none", '{"yes": -1}', '{"yes": 1.5}', '{"yes": "3"}', '{"yes": true}', '{"yes": null}'),
            *("3|x", "0|0", "|", "1|2|3", "5|", "{}", '{"maybe": 3}', '{"yes": 1, "yes": 2}', '{"yes": 9999999999999}'),
            *('{"yes": NaN}', '{"yes": Infinity}', '{"yes": {"yes": 1}}', '{"yes": 1, " yes": 1}', "\u0663|\u0664"),
        ),
    ),
    "split": ("part", ("D70",), ("holdout", "", "TRAIN", "train,test", "\ttr")),
    "empty name": ("topic", ("D83",), ("", " ")),
}
TYPES: dict[str, tuple[Any, ...]] = {  # JSON values of the wrong kind
    "text": (5, None, True, ["a"], {"a": "b"}, DEEP, 1e999, float("nan"), 10**4000),
    "label": (1.5, [1], {"a": 1}, DEEP, float("nan"), -float("inf"), 10**4000),
    "country": (5, ["SG"], {"SG": 1}, DEEP, False, float("nan")),
    "votes": ([1, 2], {"yes": -1}, {"yes": 1.5}, {"no": None}, {"maybe": 2}, DEEP, True, 7, float("nan")),
    "key": (1.5, None, True, ["a"], DEEP, float("nan"), 10**4000),
    "topic": (1.5, None, {}, DEEP),
    "part": (1, None, ["train"], DEEP),
}


def cell_cases() -> Iterator[Case]:
    for suffix in FORMATS:
        for place in PLACES:
            row = row_of(suffix, place)
            for kind, (field, codes, values) in CELLS.items():
                for value in values:
                    yield Case(kind, suffix, write(suffix, put(place, **{field: value})), codes, row, field)
            both = write(suffix, put(place, label="", votes=""))
            yield Case("neither label nor votes", suffix, both, ("D66",), row, "label")
            if place:
                yield Case("repeated id", suffix, write(suffix, put(place, key="k0")), ("D71",), row, "key")
            for field in NAMES:
                for value in ("nan", "NaN"):
                    yield Case("NaN", suffix, write(suffix, put(place, **{field: value})), ("D65",), row, field)
                for value in ("a\0b", "\0"):
                    yield Case("NUL", suffix, write(suffix, put(place, **{field: value})), ("D55",), row, field)
                for value in ("a\udcff", "\udcc3(", "\udced\udca0\udc80b"):
                    content = write(suffix, put(place, **{field: value}))
                    yield Case("not UTF-8 or half a pair", suffix, content, ("D54",), row, field)


def type_cases() -> Iterator[Case]:
    codes = ("D64", "D65", "D66", "D67", "D68", "D69", "D70", "D82", "D83")
    for place in PLACES:
        for field, values in TYPES.items():
            for value in values:
                rows = put(place, **{field: value} | ({"votes": None} if field == "label" else {}))
                yield Case("type", ".jsonl", write(".jsonl", rows), codes, place + 1, field)
    for field in NAMES:
        floats = [row | {field: 1.5} for row in GOOD]
        other = [row | {field: b"bytes"} for row in GOOD]
        if field != "votes":
            yield Case("type", ".parquet", write(".parquet", floats), codes, 1, field)
        yield Case("type", ".parquet", write(".parquet", other), ("D75",), 1, field)


def line_cases() -> Iterator[Case]:
    for suffix in LINES:
        end = "\n" if suffix == ".jsonl" else "\r\n"
        lines = write(suffix, GOOD).decode().split(end)[:-1]
        header = suffix != ".jsonl"
        for place in PLACES:
            at, row = place + header, row_of(suffix, place)

            def with_line(line: str, at: int = at, lines: list[str] = lines, end: str = end) -> bytes:
                return (end.join([*lines[:at], line, *lines[at + 1 :]]) + end).encode("utf-8", "surrogateescape")

            yield Case("blank line", suffix, with_line(end + lines[at]), ("D72",), row, None)
            yield Case("1 MB line", suffix, with_line("y" * RECORD_BYTES), ("D56",), row, None)
            yield Case("1 MB line", suffix, with_line(lines[at] + "é" * (RECORD_BYTES // 2)), ("D56",), row, None)
            if suffix == ".jsonl":
                broken = ("{", "[1]", "5", "null", '"text"', '{"text": "a"', "{'text': 'a'}", "[" * 99_999, "1" * 5000)
                for line in (
                    *broken,
                    '{"a":' * 50_000,
                    lines[at] + lines[at],
                    lines[at][:-1] + ",}",
                    "\x00",
                    "\ufeff\ufeff{}",
                ):
                    yield Case("not JSON", suffix, with_line(line), ("D61",), row, None)
                for name in NAMES:
                    twice = lines[at].replace("{", f'{{"{name}": "", ', 1)
                    yield Case("repeated key", suffix, with_line(twice), ("D74",), row, name)
                    less = json.dumps({key: value for key, value in json.loads(lines[at]).items() if key != name})
                    yield Case("missing column", suffix, with_line(less), ("D60",), row, name)
                continue
            sep = "\t" if suffix == ".tsv" else ","
            fields = ["words", "no", "SG", "1|1", "k", "t", "train"]
            for count in range(1, 7):
                short = sep.join(fields[:count])
                yield Case("number of fields", suffix, with_line(short), ("D58",), row, NAMES[count - 1])
                yield Case(
                    "number of fields", suffix, with_line(sep.join(fields + ["x"] * count)), ("D58",), row, "part"
                )
            for here, name in enumerate(NAMES):
                for broken in ('"never closed', '"closed" early', "bare\rreturn"):
                    line = sep.join([*fields[:here], broken, *fields[here + 1 :]])
                    yield Case("quotes", suffix, with_line(line), ("D57",), row, name)


def file_cases() -> Iterator[Case]:
    for suffix in FORMATS:
        for name in NAMES:
            less = tuple(other for other in NAMES if other != name)
            yield Case("missing column", suffix, write(suffix, GOOD, less), ("D60",), 1, name)
        yield Case("empty file", suffix, b"", ("D53",), 0, None)
        utf16 = "\n".join(["text,label", "a,b"]).encode("utf-16")
        yield Case("UTF-16", suffix, utf16, ("D54", "D61", "D62"), 1, None)
    for suffix in (".csv", ".tsv"):
        yield Case("no rows", suffix, write(suffix, []), ("D73",), 0, None)
        yield Case("no rows", suffix, b"\xef\xbb\xbf", ("D73",), 0, None)
        yield Case("no rows", suffix, b"\r\n\r\n", ("D60",), 1, "text")
        for name in NAMES:
            header = write(suffix, GOOD, (*NAMES, name))
            yield Case("repeated column", suffix, header, ("D59",), 1, name)
    yield Case("no rows", ".jsonl", b"\n\n", ("D73",), 0, None)
    yield Case("no rows", ".parquet", empty_parquet(), ("D73",), 0, None)
    whole = write(".parquet", GOOD)
    for length in range(1, len(whole), max(1, len(whole) // 60)):
        yield Case("cut Parquet", ".parquet", whole[:length], ("D62",), 1, None)
    yield Case("not Parquet", ".parquet", write(".csv", GOOD), ("D62",), 1, None)


def empty_parquet() -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.table({name: pa.array([], pa.string()) for name in NAMES}), out)
    return out.getvalue()


CASES = [*cell_cases(), *type_cases(), *line_cases(), *file_cases()]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the results of an earlier run, which nothing here may touch."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "run").mkdir()
    (folder / "run" / "manifest.json").write_text('{"kept": true}')
    return folder


def the_error(path: Path, labels: tuple[str, ...] | None = LABELS) -> CalmError:
    with pytest.raises(CalmError) as caught:
        read_table(path, COLUMNS, labels=labels)
    return caught.value


def assert_clear(error: CalmError, path: Path) -> None:
    message = str(error)
    assert message.isascii()
    assert message.isprintable()
    assert error.file == str(path)
    assert f"[{error.code}]" in message
    assert ": " in message
    assert "Fix: " in message
    assert error.shown is None or len(error.shown) <= SHOWN + 5  # quotes and an ellipsis
    assert len(message) < 1500


def test_there_are_more_than_a_thousand_cases() -> None:
    assert len(CASES) > 1000
    assert len({(case.suffix, case.content) for case in CASES}) > 1000


def test_the_good_rows_are_good(tmp_path: Path) -> None:
    for suffix in FORMATS:
        path = tmp_path / f"good{suffix}"
        path.write_bytes(write(suffix, GOOD))
        dataset = read_table(path, COLUMNS, labels=LABELS)
        assert [row.text for rows in dataset.splits.values() for row in rows] == [
            row["text"] for part in ("train", "valid", "test") for row in GOOD if row["part"] == part
        ]


@pytest.mark.parametrize(("kind", "suffix"), sorted({(case.kind, case.suffix) for case in CASES}))
def test_one_error_that_names_the_place(kind: str, suffix: str, folder: Path) -> None:
    path = folder / f"own{suffix}"
    for case in (case for case in CASES if (case.kind, case.suffix) == (kind, suffix)):
        path.write_bytes(case.content)
        error = the_error(path)
        assert_clear(error, path)
        assert error.code in case.codes, error
        assert error.row == (case.row or None), error
        assert case.field is None or error.field == case.field, error
        assert path.read_bytes() == case.content
    path.unlink(missing_ok=True)
    assert [str(file.relative_to(folder)) for file in folder.rglob("*")] == ["run", "run/manifest.json"]
    assert (folder / "run" / "manifest.json").read_text() == '{"kept": true}'


@pytest.mark.parametrize("suffix", FORMATS)
def test_check_tells_the_same_place(suffix: str, folder: Path) -> None:
    path = folder / f"check{suffix}"
    for case in [case for case in CASES if case.suffix == suffix][::9]:
        path.write_bytes(case.content)
        raised, findings = the_error(path), check_file(path, COLUMNS, labels=LABELS)
        assert findings.malformed >= 1
        places = [(problem.code, problem.row, problem.field) for problem in findings.problems]
        assert (raised.code, raised.row, raised.field) in places
    path.unlink()


def test_paths_that_are_no_file(tmp_path: Path) -> None:
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "own.xlsx").write_bytes(b"PK")
    (tmp_path / "loop.csv").symlink_to(tmp_path / "loop.csv")
    names = {"folder.csv": "D51", "absent.csv": "D50", "own.xlsx": "D52", "no-suffix": "D50", "x" * 300 + ".csv": "F01"}
    for name, code in names.items():
        error = the_error(tmp_path / name)
        assert error.code == code
        assert_clear(error, tmp_path / name)
    assert the_error(tmp_path / "loop.csv").code in ("D50", "F01")


@pytest.mark.parametrize("labels", [("one",), ("a", "a"), ("a", " "), ("a", "a "), tuple(map(str, range(300)))])
def test_a_label_set_that_is_none(labels: tuple[str, ...], tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_bytes(write(".csv", GOOD))
    assert the_error(path, labels).code == "D79"


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_file_with_one_label_or_endless_labels(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"own{suffix}"
    for rows in (
        [row | {"label": "same", "votes": ""} for row in GOOD],
        [GOOD[0] | {"label": f"label {at}", "votes": "", "key": str(at)} for at in range(300)],
        [row | {"label": ""} for row in GOOD],
    ):
        path.write_bytes(write(suffix, rows))
        error = the_error(path, None)
        assert_clear(error, path)
        assert (error.code, error.field) == ("D81", "label")


def run_any(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    try:
        dataset = read_table(path, COLUMNS, labels=LABELS)
    except CalmError as error:
        assert_clear(error, path)
    else:
        assert all(row.text.strip() for rows in dataset.splits.values() for row in rows)


FUZZ = settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@FUZZ
@given(
    suffix=st.sampled_from(FORMATS),
    junk=st.one_of(st.binary(max_size=40), st.text(alphabet=',"\t\r\n|{}[]:\\\0u d8é', max_size=30).map(str.encode)),
    at=st.floats(0, 1),
    dropped=st.integers(0, 30),
)
def test_junk_in_a_good_file(suffix: str, junk: bytes, at: float, dropped: int, folder: Path) -> None:
    whole = write(suffix, GOOD)
    start = int(at * len(whole))
    run_any(folder / f"junk{suffix}", whole[:start] + junk + whole[start + dropped :])
    (folder / f"junk{suffix}").unlink()


@FUZZ
@given(
    value=st.one_of(
        st.text(max_size=30),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5), st.lists, max_leaves=4
        ),
        st.dictionaries(st.sampled_from(["no", "yes", "maybe", ""]), st.integers(-2, 9) | st.none() | st.floats()),
    ),
    field=st.sampled_from(NAMES),
    place=st.sampled_from(PLACES),
)
def test_any_value_in_any_cell(value: Any, field: str, place: int, folder: Path) -> None:
    path = folder / "any.jsonl"
    run_any(path, write(".jsonl", put(place, **{field: value})))
    if not isinstance(value, (list, dict)):
        for suffix in (".csv", ".tsv"):
            text = str(value).encode("utf-8", "replace").decode()
            run_any(folder / f"any{suffix}", write(suffix, put(place, **{field: text})))
            (folder / f"any{suffix}").unlink()
    path.unlink()
