"""Looking norms up: it learns what records say of the reader, and knows nothing where there are none."""

from __future__ import annotations

import numpy as np
import pytest

from calm_lm.baselines.registry import get_baseline, lacking
from calm_lm.culture.norm_files import save_norms
from calm_lm.culture.norms import NormRecord, NormStore


@pytest.fixture
def store(world, tmp_path):
    """Writes a file of norms and gives the path: for each reader, every text with what the reader holds of it."""

    def write(norm_of):
        here = world()
        rows = [row for split in here.given.dataset.splits.values() for row in split]
        records = [NormRecord(row.id, str(row.reader), row.text, norm_of(row), "made up for this test") for row in rows]
        save_norms(NormStore(records), tmp_path / "norms.jsonl")
        return tmp_path / "norms.jsonl"

    return write


def test_what_records_say_of_the_reader_is_learned(world, store):
    path = store(lambda row: "odd" if row.label else "fine")
    here = world(f"norms={path}")
    fitted = get_baseline("lookup").fit(here.given, 0)
    found = fitted(here.test).argmax(1)
    labels = here.test.labels.numpy()
    assert np.mean(found == labels) > 0.95  # every text has a record of its own, which is the nearest
    again = get_baseline("lookup").fit(here.given, 1)
    assert np.array_equal(fitted(here.test), again(here.test))
    assert fitted.variants > 1


def test_records_that_say_the_same_of_all_tell_nothing(world, store):
    here = world(f"norms={store(lambda row: 'fine')}")
    shares = get_baseline("lookup").fit(here.given, 0)(here.test)
    assert np.ptp(shares[:, 0]) < 0.05


def test_readers_without_records_and_runs_without_validation_are_answered(world, tmp_path):
    save_norms(NormStore([NormRecord("one", "AU", "a plum", "odd", "made up for this test")]), tmp_path / "norms.jsonl")
    here = world(f"norms={tmp_path / 'norms.jsonl'}", valid=False)
    fitted = get_baseline("lookup").fit(here.given, 0)
    shares = fitted(here.test)
    silent = np.array([str(row.reader) == "SG" for row in here.test.examples])
    assert np.ptp(shares[silent], axis=0) == pytest.approx([0, 0])
    assert fitted.variants == 1


def test_runs_without_norms_or_a_sentence_view_cannot_look_up(world, tmp_path):
    assert lacking("lookup", world().given) == "the run has no norm records"
    assert "sentence view" in lacking("lookup", world(f"norms={tmp_path}", sentence=False).given)
