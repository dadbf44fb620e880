"""Tables of figures: read strictly, regions apart from countries, and no distribution out of a mean. Invented figures,
but for the shapes of the real tables."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from calm_lm.errors import CalmError
from calm_lm.survey.indices import index_table
from calm_lm.survey.sources.country_tables import CountryTable, load_hofstede, load_wvs7_factors, load_wvs_means
from calm_lm.survey.vsm import DIMENSIONS

HOFSTEDE = "distances_hofstede_raw_with_demonymns.csv"
MEANS = "wvs_250_dims_with_demonyms.csv"
HEADER = "ctr,country,Demonym,pdi,idv,mas,uai,ltowvs,ivr"


def hofstede(folder: Path, *rows: str, header: str = HEADER) -> CountryTable:
    (folder / HOFSTEDE).write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return load_hofstede(folder)


def test_scores_missing_cells_and_regions(tmp_path: Path) -> None:
    table = hofstede(
        tmp_path,
        "XXX,Korea South,K,1,2,3,4,5,6",
        "AFE,Africa East,E,9,8,7,6,5,4",
        "YYY,Peru,P,#NULL!,20,30,40,50,#NULL!",
    )
    assert table.columns == DIMENSIONS
    assert table.rows == {
        "KR": (1, 2, 3, 4, 5, 6),
        "x-africa-east": (9, 8, 7, 6, 5, 4),
        "PE": (None, 20, 30, 40, 50, None),
    }
    assert (table.complete, table.communities) == (("KR", "x-africa-east"), ("x-africa-east",))
    assert table.points(["IVR"]) == {"KR": {"IVR": 6}, "x-africa-east": {"IVR": 4}, "PE": {"IVR": None}}
    assert table.points()["KR"] == dict(zip(DIMENSIONS, (1, 2, 3, 4, 5, 6), strict=True))


def test_means_give_points_of_named_columns_and_never_distributions(tmp_path: Path) -> None:
    (tmp_path / MEANS).write_text("ctr,country,Demonym,Q1,Q2\nA,Peru,P,1.5,#NULL!\nB,Chad,C,2.5,7\n", encoding="utf-8")
    table = load_wvs_means(tmp_path)
    assert (table.columns, table.scaled) == (("Q1", "Q2"), False)
    assert table.points(["Q1"]) == {"PE": {"Q1": 1.5}, "TD": {"Q1": 2.5}}
    assert table.rows["PE"] == (1.5, None)
    for code, call in {"V84": table.points, "V83": table.distributions}.items():
        with pytest.raises(CalmError, match=code):
            call()
    with pytest.raises(CalmError) as caught:
        table.points(["Q1", "Q3"])
    assert (caught.value.code, caught.value.shown) == ("V85", "'Q3'")


# second row of the table, code, field, value as shown
WRONG = {
    "text in a number": ("B,Chad,C,1,2,high,4,5,6", "V82", "mas", "'high'"),
    "NaN": ("B,Chad,C,1,2,NaN,4,5,6", "V82", "mas", "'NaN'"),
    "infinity": ("B,Chad,C,1,2,3,4,5,inf", "V82", "ivr", "'inf'"),
    "an empty cell": ("B,Chad,C,1,,3,4,5,6", "V82", "idv", "''"),
    "an unknown country": ("B,Atlantis,C,1,2,3,4,5,6", "V33", "country", "'Atlantis'"),
    "a country twice": ("B,Peru,C,1,2,3,4,5,6", "V81", "country", "'Peru'"),
    "no country": ("B, ,C,1,2,3,4,5,6", "D10", "country", None),
    "a cell short": ("B,Chad,C,1,2,3,4,5", "D17", None, None),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_rows(tmp_path: Path, name: str) -> None:
    row, code, field, shown = WRONG[name]
    with pytest.raises(CalmError) as caught:
        hofstede(tmp_path, "A,Peru,P,1,2,3,4,5,6", row)
    assert (caught.value.code, caught.value.row, caught.value.field) == (code, 3, field)
    assert caught.value.shown == shown
    assert HOFSTEDE in str(caught.value)


def test_two_names_of_one_country_are_the_same_country(tmp_path: Path) -> None:
    with pytest.raises(CalmError, match="V81"):
        hofstede(tmp_path, "A,U.S.A.,P,1,2,3,4,5,6", "B,United States,P,1,2,3,4,5,6")


def test_columns_that_are_missing_or_twice_and_a_missing_file(tmp_path: Path) -> None:
    for header in (HEADER.replace("uai", "other"), HEADER.replace("uai", "pdi")):
        with pytest.raises(CalmError, match="D22"):
            hofstede(tmp_path, header=header)
    for load in (load_wvs_means, load_wvs7_factors):
        with pytest.raises(CalmError, match="D14"):
            load(tmp_path)
    (tmp_path / MEANS).write_bytes(b"")
    with pytest.raises(CalmError, match="D22"):
        load_wvs_means(tmp_path)
    (tmp_path / MEANS).write_bytes("country,Q1\nPer\u00fa,1\n".encode("latin-1"))
    with pytest.raises(CalmError, match="D16"):
        load_wvs_means(tmp_path)
    (tmp_path / MEANS).write_text("country,Q1,Q1\nPeru,1,2\n", encoding="utf-8")
    with pytest.raises(CalmError, match="D22"):
        load_wvs_means(tmp_path)


REAL: dict[Callable[[Path], CountryTable], tuple[str, str, int, int, int, int]] = {
    load_hofstede: ("eecc-wvs-hofstede", HOFSTEDE, 111, 6, 65, 10),
    load_wvs_means: ("eecc-wvs-hofstede", MEANS, 58, 259, 33, 0),
    load_wvs7_factors: ("wvs7-factors", "wave_7.csv", 66, 6, 66, 1),
}


@pytest.mark.parametrize("load", REAL, ids=lambda load: load.__name__)
def test_the_real_tables(data_dir: Path, load: Callable[[Path], CountryTable]) -> None:
    folder, file, rows, columns, complete, communities = REAL[load]
    table = load(data_dir / folder)
    assert (len(table.rows), len(table.columns)) == (rows, columns)
    assert (len(table.complete), len(table.communities)) == (complete, communities)
    with (data_dir / folder / file).open(encoding="utf-8-sig") as stream:
        cells = [row[-columns:] for row in csv.reader(stream)][1:]
    read = np.array(list(table.rows.values()), dtype=float)
    np.testing.assert_array_equal(read, [[float("nan" if each == "#NULL!" else each) for each in row] for row in cells])


def test_real_scores_agree_with_themselves_over_the_countries_that_have_them(data_dir: Path) -> None:
    points = load_hofstede(data_dir / "eecc-wvs-hofstede").points()
    table = index_table(points, points)
    assert [table.dimensions[name].n for name in DIMENSIONS] == [78, 78, 78, 78, 96, 97]
    assert table.arrangement.kendall == pytest.approx(1)
    assert (len(table.arrangement.countries), table.arrangement.pairs) == (65, 65 * 64 // 2)
