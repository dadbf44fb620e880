"""Readers of published benchmark layouts, on invented miniature files: what is read, and what is refused."""

from __future__ import annotations

import csv
import gzip
import json

import pytest

from calm_lm.culture.blend import Blend
from calm_lm.data.benchmarks import registry
from calm_lm.data.benchmarks.places import place_of
from calm_lm.data.benchmarks.rows import ChoiceQuestion, SentencePair, Story
from calm_lm.errors import CalmError

SEEGULL = ["identity", "attribute", "region_stereo", "region_nonstereo", "region_unsure"]
SEEGULL += ["NA_stereo", "NA_nonstereo", "NA_unsure", "mean offensiveness_score"]
CROWS = ["", "sent_more", "sent_less", "stereo_antistereo", "bias_type", "annotations", "anon_writer"]
MCQ = ["ID", "target_country", "target_region", "prompt", "region_choices_list", "region_choice_countries_list"]
MCQ += ["region_answer"]
KOBBQ = ["sample_id", "label_annotation", "context", "question", "choices", "biased_answer", "answer", "prediction"]
UNKNOWN = "알 수 없음"
EASY = ["data_idx", "question_idx", "prompt_question", *(f"prompt_option_{letter}" for letter in "abcd")]
EASY += ["answer", "country"]
HARD = ["data_idx", "question_idx", "prompt_question", "prompt_option", "answer", "country"]
NORMAD = ["ID", "Country", "Background", "Value", "Rule-of-Thumb", "Story", "Explanation", "Gold Label"]


def mcq_row(answer="1", owners="['UK', 'Mexico', 'China', 'Spain']", options="['a', 'b', 'c', 'd']", place="Mexico"):
    return ["Al-en-02", place, "high", "What is it in Mexico?", options, owners, answer]


def kobbq_row(name="age-001a-002-amb-bsd", answer=UNKNOWN, biased="그", choices=f"['그', '그녀', '{UNKNOWN}']"):
    return [name, "ST", "맥락", "누구입니까?", choices, biased, answer, ""]


def write_tsv(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join("\t".join(row) for row in [KOBBQ, *rows]) + "\n", "utf-8")


def refused(call) -> CalmError:
    with pytest.raises(CalmError) as caught:
        call()
    return caught.value


def test_seegull_gives_two_readers_a_pair_and_no_label_for_a_tie(tmp_path, write_csv):
    rows = [["Welsh", "tall", 2, 1, 0, 0, 3, 0, 1], ["Zimbabwean", "calm", 1, 1, 1, 0, 0, 3, 1]]
    write_csv(tmp_path / "seegull/stereotypes_global_v2.csv", SEEGULL, rows)
    data = registry.load_dataset("seegull", tmp_path)
    inside, outside, tied = data.splits["test"]
    assert (inside.votes, inside.label, inside.reader) == ((1, 2), 1, Blend.of("x-in-region"))
    assert (outside.votes, outside.label, outside.reader) == ((3, 0), 0, Blend.of("x-north-america"))
    assert (tied.votes, tied.label, tied.about) == ((1, 1), None, Blend.of("ZW"))
    assert inside.group == outside.group != tied.group
    assert data.notes == ("1 sides left out: every vote is unsure.", "1 sides have a tie, so no label.")


@pytest.mark.parametrize("vote", ["-1", "1.5", "", "two", "²"])
def test_a_vote_that_is_no_count_is_named_by_row_and_field(tmp_path, write_csv, vote):
    write_csv(tmp_path / "seegull/stereotypes_global_v2.csv", SEEGULL, [["Thai", "secretword", vote, 1, 0, 1, 2, 0, 1]])
    error = refused(lambda: registry.load_dataset("seegull", tmp_path))
    assert (error.code, error.row, error.field) == ("D05", 2, "region_stereo")
    assert "secretword" not in str(error)


def test_genil_rows_of_one_sentence_share_a_group(tmp_path):
    path = tmp_path / "genil/en.csv.gz"
    path.parent.mkdir()
    rows = [["The word is old.", "0", "0.0", "Thai", "old"], ["The word is old.", "1", "", "Laos", "old"]]
    with gzip.open(path, "wt", newline="") as stream:
        csv.writer(stream).writerows([["sentence", "generalizing", "promoting", "identity", "attribute"], *rows])
    first, second = registry.load_dataset("genil", tmp_path).splits["test"]
    assert (first.label, second.label) == (0, 1)
    assert first.group == second.group
    assert second.about == Blend.of("LA")


def test_crows_pairs_are_read_without_their_writers(tmp_path, write_csv):
    path = tmp_path / "crows-pairs/crows_pairs_anonymized.csv"
    write_csv(path, CROWS, [[0, "One.", "Other.", "antistereo", "religion", "[['x']]", "writer-9"]])
    rows = registry.load_rows("crows-pairs", SentencePair, tmp_path)
    assert rows.rows == (SentencePair("2", "One.", "Other.", "antistereo", "religion"),)


@pytest.mark.parametrize(
    ("row", "code", "field"),
    [
        ([0, "Secret.", "Secret.", "stereo", "religion", "", ""], "D08", "sent_less"),
        ([0, "Secret.", "Other.", "both", "religion", "", ""], "D11", "stereo_antistereo"),
        ([0, "Secret.", "Other.", "stereo", "shoes", "", ""], "D11", "bias_type"),
        ([0, " ", "Other.", "stereo", "religion", "", ""], "D10", "sent_more"),
    ],
)
def test_a_wrong_pair_is_refused_without_its_text(tmp_path, write_csv, row, code, field):
    write_csv(tmp_path / "crows-pairs/crows_pairs_anonymized.csv", CROWS, [row])
    error = refused(lambda: registry.load_rows("crows-pairs", SentencePair, tmp_path))
    assert (error.code, error.field, error.row) == (code, field, 2)
    assert "Secret" not in str(error)


def test_multiple_choice_leaves_out_what_cannot_be_judged(tmp_path, write_csv):
    rows = [mcq_row(), mcq_row(options="['A', 'a', 'c', 'd']"), mcq_row(options="['', 'a', 'c', 'd']")]
    write_csv(tmp_path / "culturescope-blend-mcq/blend_resource/blend_resource_based.csv", MCQ, rows)
    found = registry.load_rows("culturescope-blend-mcq", ChoiceQuestion, tmp_path)
    assert [(row.answer, row.place, row.options, row.tag("resource")) for row in found] == [
        (1, "MX", ("a", "b", "c", "d"), "high")
    ]
    assert found.notes == ("2 questions left out: an option is empty or stands there twice.",)


@pytest.mark.parametrize(
    ("row", "code"),
    [
        (mcq_row(options="__import__('os').getcwd()"), "D12"),
        (mcq_row(options="['a', 'b', 'c', 4]"), "D12"),
        (mcq_row(answer="0"), "D06"),
        (mcq_row(answer="4"), "D11"),
        (mcq_row(owners="['UK', 'Mexico', 'China']"), "D06"),
        (mcq_row(place="Atlantis"), "D11"),
    ],
)
def test_a_list_cell_that_is_code_or_another_answer_is_refused(tmp_path, write_csv, row, code):
    write_csv(tmp_path / "culturescope-blend-mcq/blend_resource/blend_resource_based.csv", MCQ, [row])
    assert refused(lambda: registry.load_rows("culturescope-blend-mcq", ChoiceQuestion, tmp_path)).code == code


def test_kobbq_contexts_come_from_id_and_answer(tmp_path):
    rows = [
        kobbq_row(),
        kobbq_row("age-001a-002-dis-bsd", answer="그"),
        kobbq_row("age-001b-002-dis-bsd", answer="그녀"),
    ]
    write_tsv(tmp_path / "kobbq/KoBBQ_test_samples.tsv", rows)
    found = list(registry.load_rows("kobbq", ChoiceQuestion, tmp_path))
    assert [(row.tag("context"), row.answer, row.biased) for row in found] == [
        ("ambiguous", 2, 0),
        ("biased", 0, 0),
        ("counter", 1, 0),
    ]
    assert {row.group for row in found} == {"age-001"}


@pytest.mark.parametrize(
    ("row", "code"),
    [
        (kobbq_row(answer="그"), "E53"),
        (kobbq_row("age-001a-002-dis-bsd"), "E53"),
        (kobbq_row(biased="아무나"), "E53"),
        (kobbq_row(biased=UNKNOWN), "E53"),
        (kobbq_row(choices="['그', '그녀', '모름']", answer="모름"), "E53"),
        (kobbq_row("age-1"), "E51"),
        (kobbq_row(choices="print('그')"), "D12"),
        (kobbq_row()[:-1], "D07"),
    ],
)
def test_a_wrong_kobbq_row_is_refused_without_its_text(tmp_path, row, code):
    write_tsv(tmp_path / "kobbq/KoBBQ_test_samples.tsv", [row])
    error = refused(lambda: registry.load_rows("kobbq", ChoiceQuestion, tmp_path))
    assert (error.code, error.row) == (code, 2)
    assert "그" not in str(error)


def test_a_sample_that_stands_there_twice_is_refused(tmp_path):
    write_tsv(tmp_path / "kobbq/KoBBQ_test_samples.tsv", [kobbq_row(), kobbq_row()])
    error = refused(lambda: registry.load_rows("kobbq", ChoiceQuestion, tmp_path))
    assert (error.code, error.row) == ("D09", 3)


def test_culturalbench_easy_and_hard_in_the_layout_of_the_data_card(tmp_path, write_csv):
    write_csv(
        tmp_path / "culturalbench/CulturalBench-Easy.csv", EASY, [[0, 7, "What?", "a", "b", "c", "d", "C", "Hong Kong"]]
    )
    hard = [[at, 7, "What?", option, option == "c", "Hong Kong"] for at, option in enumerate("abcd")]
    write_csv(tmp_path / "culturalbench/CulturalBench-Hard.csv", HARD, hard)
    (easy,) = registry.load_rows("culturalbench-easy", ChoiceQuestion, tmp_path)
    assert (easy.answer, easy.place, easy.options) == (2, "HK", ("a", "b", "c", "d"))
    statements = registry.load_dataset("culturalbench-hard", tmp_path).splits["test"]
    assert [each.label for each in statements] == [0, 0, 1, 0]
    assert {each.group for each in statements} == {"7"}


def test_culturalbench_hard_with_three_statements_is_refused(tmp_path, write_csv):
    rows = [[at, 7, "What?", option, "False", "Chile"] for at, option in enumerate("abc")]
    write_csv(tmp_path / "culturalbench/CulturalBench-Hard.csv", HARD, rows)
    assert refused(lambda: registry.load_dataset("culturalbench-hard", tmp_path)).code == "E50"


@pytest.mark.parametrize("name", ["normad.csv", "normad.jsonl"])
def test_normad_is_read_without_the_columns_that_tell_the_answer(tmp_path, write_csv, name):
    row = [1, "saudi_arabia", "background", "Respect", "Greet first.", "Ana left.", "because", "No"]
    path = tmp_path / "normad" / name
    if name.endswith("csv"):
        write_csv(path, NORMAD, [row])
    else:
        path.parent.mkdir()
        path.write_text(json.dumps(dict(zip(NORMAD, row, strict=True))) + "\n", "utf-8")
    (story,) = registry.load_rows("normad", Story, tmp_path)
    assert story == Story(story.id, "SA", "Respect", "Greet first.", "Ana left.", "no")


@pytest.mark.parametrize("missing", ["Country", "Rule-of-Thumb", "Gold Label"])
def test_a_missing_column_is_named(tmp_path, write_csv, missing):
    header = [name for name in NORMAD if name != missing]
    write_csv(tmp_path / "normad/normad.csv", header, [["x"] * len(header)])
    error = refused(lambda: registry.load_rows("normad", Story, tmp_path))
    assert (error.code, error.field) == ("D22", missing)


def test_a_header_alone_is_no_benchmark(tmp_path, write_csv):
    write_csv(tmp_path / "normad/normad.csv", NORMAD, [])
    assert refused(lambda: registry.load_rows("normad", Story, tmp_path)).code == "E52"


def test_unknown_absent_and_unfit_benchmarks_say_what_to_do(tmp_path, monkeypatch, write_csv):
    monkeypatch.delenv("CALM_DATA", raising=False)
    assert "use seegull" in str(refused(lambda: registry.load_dataset("segul", tmp_path)))
    assert refused(lambda: registry.load_dataset("segul", tmp_path)).code == "D01"
    assert refused(lambda: registry.load_dataset("seegull")).code == "D02"
    assert "google-research-datasets" in str(refused(lambda: registry.load_dataset("seegull", tmp_path)))
    write_csv(tmp_path / "crows-pairs/crows_pairs_anonymized.csv", CROWS, [[0, "a", "b", "stereo", "age", "", ""]])
    assert refused(lambda: registry.load_dataset("crows-pairs", tmp_path)).code == "D04"
    assert refused(lambda: registry.load_rows("crows-pairs", Story, tmp_path)).code == "D04"


def test_every_benchmark_says_licence_citation_and_how_it_is_had():
    for name in registry.names():
        benchmark = registry.get(name)
        assert benchmark.name == name
        assert all((benchmark.licence, benchmark.citation, benchmark.obtain, benchmark.signs))


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("Hong Kong", "HK"),
        ("united_states_of_america", "US"),
        ("Zimbabwean", "ZW"),
        ("Gujarati", "x-gujarati"),
        ("Côte Imaginée", "x-cote-imaginee"),
        ("鬼", "x-unnamed"),
    ],
)
def test_places_and_peoples_become_culture_ids(name, place):
    assert place_of(name) == place


# Real data: counts as their SOURCE.md tells them.


def test_real_votes_inside_and_outside_differ_as_published(data_dir):
    rows = registry.load_dataset("seegull", data_dir).splits["test"]
    strict = {
        reader: {row.group: row.votes[1] >= 2 for row in rows if row.reader == Blend.of(reader) and sum(row.votes) == 3}
        for reader in ("x-in-region", "x-north-america")
    }
    shared = strict["x-in-region"].keys() & strict["x-north-america"].keys()
    differ = sum(strict["x-in-region"][pair] != strict["x-north-america"][pair] for pair in shared) / len(shared)
    assert len(rows) == 13557
    assert differ == pytest.approx(0.37, abs=0.015)
    assert all(len(str(row.about)) == 2 for row in rows)  # every identity has its country


def test_real_genil_and_crows_pairs_have_the_published_sizes(data_dir):
    genil = registry.load_dataset("genil", data_dir).splits["test"]
    assert (len(genil), sum(row.label for row in genil)) == (11422, 874)
    pairs = registry.load_rows("crows-pairs", SentencePair, data_dir)
    assert (len(pairs), sum(pair.direction == "stereo" for pair in pairs)) == (1508, 1290)


def test_real_kobbq_bears_stereotypes_out_half_the_time(data_dir):
    rows = list(registry.load_rows("kobbq", ChoiceQuestion, data_dir))
    counts = {name: sum(row.tag("context") == name for row in rows) for name in ("ambiguous", "biased", "counter")}
    assert counts == {"ambiguous": 1140, "biased": 570, "counter": 570}


def test_real_multiple_choice_has_four_options_in_fourteen_places(data_dir):
    rows = registry.load_rows("culturescope-blend-mcq", ChoiceQuestion, data_dir)
    assert {len(row.options) for row in rows} == {4}
    assert len({row.place for row in rows}) == 14
    assert len(rows) > 3900
