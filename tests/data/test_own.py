from __future__ import annotations

import csv
import hashlib
import json
import tracemalloc
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from calm_lm.culture.blend import Blend
from calm_lm.data.example import Dataset
from calm_lm.data.own import Columns, read_table
from calm_lm.data.records import Record, read_records
from calm_lm.errors import CalmError

ROWS = [
    {
        "text": f'text {at}, "quoted"\nsecond line é',
        "label": at % 2,
        "country": ("SG", "AU")[at % 3 == 0],
        "post": at // 2,
    }
    for at in range(60)
]
COLUMNS = Columns("text", "label", culture="country")


def save(path: Path, rows: list[dict[str, Any]]) -> Path:
    names = list(rows[0])
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    elif path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    else:
        with path.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, names, delimiter="\t" if path.suffix == ".tsv" else ",")
            writer.writeheader()
            writer.writerows(rows)
    return path


def all_rows(dataset: Dataset) -> list[Any]:
    return sorted((row for rows in dataset.splits.values() for row in rows), key=lambda row: row.text)


def test_every_format_gives_the_same_data_set(tmp_path):
    read = {
        suffix: read_table(save(tmp_path / f"own{suffix}", ROWS), COLUMNS)
        for suffix in (".csv", ".tsv", ".jsonl", ".parquet")
    }
    first = read[".csv"]
    assert first.name == "own"
    assert first.labels == ("0", "1")
    assert first.positive == 1
    assert first.contrast == "reader"
    assert first.licences == ("undeclared",)
    assert first.files == {"own.csv": hashlib.sha256((tmp_path / "own.csv").read_bytes()).hexdigest()}
    for dataset in read.values():
        rows = all_rows(dataset)
        assert [(row.text, row.label, row.reader, row.group) for row in rows] == [
            (row.text, row.label, row.reader, row.group) for row in all_rows(first)
        ]
        assert {name: len(rows) for name, rows in dataset.splits.items()} == {"train": 42, "valid": 6, "test": 12}
    expected = {row["text"]: row for row in ROWS}
    for row in all_rows(first):
        assert row.label == expected[row.text]["label"]
        assert row.reader == Blend.of(expected[row.text]["country"])


def test_ids_are_the_lines_an_editor_shows(tmp_path):
    path = save(tmp_path / "own.csv", ROWS)
    lines = path.read_text(encoding="utf-8").splitlines()
    for row in all_rows(read_table(path, COLUMNS)):
        assert lines[int(row.id) - 1].startswith(f'"{row.text.split(",")[0]}')


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize("last", [True, False])
@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
def test_line_ends_the_last_line_and_a_byte_order_mark(tmp_path, ending, last, bom):
    for suffix, lines in (
        (".csv", ["text,label", "a,x", '"b, ""c""",y']),
        (".jsonl", ['{"text": "a", "label": "x"}', '{"text": "b, \\"c\\"", "label": "y"}']),
    ):
        path = tmp_path / f"own{suffix}"
        path.write_bytes(bom + ending.join(lines).encode() + (ending * 2 if last else "").encode())
        assert [row.text for row in all_rows(read_table(path, Columns("text", "label")))] == ["a", 'b, "c"']


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        (["b", "a", " a "], ("a", "b")),
        ([True, False, True], ("false", "true")),
        ([10, 9, -1], ("-1", "9", "10")),
        ([10, "9", "x"], ("10", "9", "x")),
    ],
)
def test_label_sets(tmp_path, labels, names):
    path = tmp_path / "own.jsonl"
    path.write_text("".join(json.dumps({"text": f"t{at}", "label": label}) + "\n" for at, label in enumerate(labels)))
    dataset = read_table(path, Columns("text", "label"))
    assert dataset.labels == names
    assert dataset.positive == len(names) - 1
    told = [dataset.labels[row.label] for row in all_rows(dataset)]
    assert told == [str(label).lower().strip() for label in labels]


def test_a_given_label_set_keeps_its_order(tmp_path):
    path = save(tmp_path / "own.csv", ROWS)
    dataset = read_table(path, COLUMNS, labels=("1", "unsure", "0"))
    assert dataset.labels == ("1", "unsure", "0")
    assert {row.label for row in all_rows(dataset)} == {0, 2}


def test_votes_of_both_forms_and_rows_with_votes_alone(tmp_path):
    path = tmp_path / "own.csv"
    path.write_text('text,label,votes\na,no,3|2\nb,yes,"{""yes"": 4}"\nc,,1|1\nd,yes,\n')
    rows = all_rows(read_table(path, Columns("text", "label", votes="votes")))
    assert [(row.label, row.votes) for row in rows] == [(0, (3, 2)), (1, (0, 4)), (None, (1, 1)), (1, None)]
    path = tmp_path / "own.jsonl"
    path.write_text('{"t": "a", "l": "no", "v": {"no": 3, "yes": 2}}\n{"t": "b", "l": "yes", "v": null}\n')
    rows = all_rows(read_table(path, Columns("t", "l", votes="v")))
    assert [row.votes for row in rows] == [(3, 2), None]


@pytest.mark.parametrize("role", ["reader", "about", "author"])
def test_cultures_in_each_role(tmp_path, role):
    path = tmp_path / "own.csv"
    path.write_text('text,label,c\na,0,"SG=1,AU=3"\nb,1,\nc,1,x-cape-malay\nd,0,pt-br\n')
    dataset = read_table(path, Columns("text", "label", culture="c"), role=role)
    rows = all_rows(dataset)
    assert [row.culture(role) for row in rows] == [
        Blend((("AU", 0.75), ("SG", 0.25))),
        None,
        Blend.of("x-cape-malay"),
        Blend.of("pt-BR"),
    ]
    assert all(row.culture(other) is None for row in rows for other in {"reader", "about", "author"} - {role})
    assert dataset.contrast == role
    assert [note for note in dataset.notes if note.startswith(f"{role} AU has 1 rows")]


@pytest.mark.parametrize(("cultures", "off"), [(["SG", "SG"], True), (["", ""], True), (["SG", "AU"], False)])
def test_one_culture_or_none_turns_the_window_off_in_one_line(tmp_path, cultures, off):
    path = save(tmp_path / "own.csv", [ROWS[at] | {"country": culture} for at, culture in enumerate(cultures)])
    dataset = read_table(path, COLUMNS)
    assert sum("contrastive window is off" in note for note in dataset.notes) == off
    assert (dataset.contrast is None) == off


def test_few_rows_of_a_culture_are_named_with_their_count(tmp_path):
    rows = [ROWS[0] | {"text": f"t{at}", "label": at % 2, "country": "SG" if at < 20 else "AU"} for at in range(39)]
    notes = read_table(save(tmp_path / "own.csv", rows), COLUMNS).notes
    assert [note for note in notes if "rows, fewer than" in note] == [
        "reader AU has 19 rows, fewer than 20: what is measured for it says little."
    ]


def test_groups_stay_together_and_groups_that_share_a_text_are_one(tmp_path):
    rows = [row | {"post": f"p{row['post']}"} for row in ROWS]
    rows[0]["text"], rows[10]["text"] = "The SAME  text", "the same text"  # groups p0 and p5
    dataset = read_table(save(tmp_path / "own.csv", rows), Columns("text", "label", group="post"))
    sides = [{row.group for row in held} for held in dataset.splits.values()]
    assert sum(map(len, sides)) == len(set().union(*sides)) == 29
    assert "1 groups share a text with another group and were joined to it." in dataset.notes
    without = read_table(save(tmp_path / "own.csv", rows), COLUMNS)
    assert len({row.group for row in all_rows(without)}) == 59


def test_a_split_column_is_followed(tmp_path):
    given = ("train", "dev", "test", "validation", "val", "valid")
    rows = [row | {"part": given[at % 6]} for at, row in enumerate(ROWS)]
    dataset = read_table(save(tmp_path / "own.csv", rows), Columns("text", "label", split="part"))
    assert {name: len(held) for name, held in dataset.splits.items()} == {"train": 10, "valid": 40, "test": 10}
    assert not any("70/10/20" in note for note in dataset.notes)
    only = read_table(
        save(tmp_path / "own.csv", [row | {"part": "test"} for row in ROWS]), Columns("text", "label", split="part")
    )
    assert list(only.splits) == ["test"]


def test_the_split_does_not_depend_on_the_order_of_rows_or_the_format(tmp_path):
    there = read_table(save(tmp_path / "a.csv", ROWS), COLUMNS)
    back = read_table(save(tmp_path / "b.jsonl", ROWS[::-1]), COLUMNS)
    for name in there.splits:
        assert {row.text for row in there.splits[name]} == {row.text for row in back.splits[name]}


def test_dictionary_columns_and_struct_votes_of_parquet(tmp_path):
    table = pa.table(
        {
            "text": pa.array(["a", "b"], pa.large_string()),
            "label": pa.array(["no", "yes"]).dictionary_encode(),
            "v.x": pa.array([{"no": 1, "yes": 2}, {"no": 0, "yes": 5}]),
        }
    )
    pq.write_table(table, tmp_path / "own.parquet")
    rows = all_rows(read_table(tmp_path / "own.parquet", Columns("text", "label", votes="v.x")))
    assert [row.votes for row in rows] == [(1, 2), (0, 5)]


def test_a_nearest_column_and_the_columns_there_are_named(tmp_path):
    path = save(tmp_path / "own.csv", ROWS)
    with pytest.raises(CalmError, match=r"did you mean 'country'.*'text', 'label', 'country', 'post'"):
        read_table(path, Columns("text", "label", culture="contry"))


def test_an_unknown_culture_gets_the_nearest_ids_and_the_way_to_a_community(tmp_path):
    path = save(tmp_path / "own.csv", [ROWS[0], ROWS[1] | {"country": "Singapore"}])
    with pytest.raises(CalmError, match=r"SG .*x-NAME") as caught:
        read_table(path, COLUMNS)
    assert (caught.value.row, caught.value.field) == (4, "country")


def test_a_column_full_of_unknown_cultures_is_judged_quickly(tmp_path):
    from calm_lm.data.check import check_file

    rows = [{"text": f"t{at}", "label": at % 2, "country": f"no culture {at}"} for at in range(3000)]
    findings = check_file(save(tmp_path / "own.csv", rows), COLUMNS, most=150)
    assert findings.malformed == 3000
    assert [problem.code for problem in findings.problems] == ["C04"] * 100 + ["D85"] * 50


def test_an_open_quote_does_not_swallow_the_rows_below_it(tmp_path):
    path = tmp_path / "own.csv"
    path.write_text('text,label\n"open,0\nfine,1\n"also, fine",0\n')
    found = list(read_records(path, ["text", "label"]))
    assert [getattr(each, "code", None) for each in found] == ["D57", None, None]
    assert found[1:] == [Record(3, {"text": "fine", "label": "1"}), Record(4, {"text": "also, fine", "label": "0"})]


def test_memory_is_bounded_by_a_record(tmp_path):
    path = tmp_path / "own.jsonl"
    with path.open("w") as stream:
        stream.write('{"text": "' + "x" * 50_000_000 + '"}\n')
        stream.writelines('{"text": "a", "label": "b"}\n' for _ in range(1000))
    tracemalloc.start()
    found = [type(each) for each in read_records(path, ["text"])]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found == [CalmError] + [Record] * 1000
    assert peak < 12_000_000
