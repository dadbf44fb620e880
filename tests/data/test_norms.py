"""The bundled norm families as they lie in the package, and every breach of their layout."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from calm_lm.culture.mentions import find_mentions
from calm_lm.data.norms import COUNTRIES, NORMS, SITUATIONS, read_families
from calm_lm.data.sources.demo import NORMS_FOLDER
from calm_lm.errors import CalmError

FAMILIES = read_families(NORMS_FOLDER)
MONEY_AND_MAKES = re.compile(
    r"\b(dollars?|euros?|pounds?|pence|yen|yuan|rupees?|baht|naira|pesos?|reais|cents?|quid|uber|google|amazon)\b|[$€£¥₹]",
    re.IGNORECASE,
)


def _family(name: str = "tea") -> dict[str, Any]:
    cells: dict[str, dict[str, str]] = {country: {"norm": "varies"} for country in COUNTRIES}
    cells["JP"] = {"norm": "expected", "source": "Wikipedia, 'Green tea'"}
    return {
        "family": name,
        "behaviours": {
            "drinks-tea": {"says": "drinking tea", "cells": cells},
            "spills-tea": {"says": "spilling tea", "cells": copy.deepcopy(cells)},
        },
        "situations": [
            {"behaviour": "drinks-tea" if n % 2 else "spills-tea", "text": f"{name}: a cup for guest {n}."}
            for n in range(5)
        ],
    }


def _write(path: Path, families: Any) -> Path:
    path.write_text(yaml.safe_dump(families, sort_keys=False, width=1000), encoding="utf-8")
    return path.parent


def test_a_family_is_read_as_it_stands(tmp_path):
    (family,) = read_families(_write(tmp_path / "drinks.yaml", [_family()]))
    assert (family.name, family.topic, list(family.behaviours)) == ("tea", "drinks", ["drinks-tea", "spills-tea"])
    assert [situation.behaviour for situation in family.situations] == ["spills-tea", "drinks-tea"] * 2 + ["spills-tea"]
    cells = family.behaviours["drinks-tea"].cells
    assert tuple(cells) == COUNTRIES
    assert (cells["JP"].norm, cells["JP"].source) == ("expected", "Wikipedia, 'Green tea'")
    assert (cells["DE"].norm, cells["DE"].source) == ("varies", None)


def test_topics_come_in_the_order_of_their_names(tmp_path):
    _write(tmp_path / "b.yaml", [_family("one")])
    _write(tmp_path / "a.yaml", [_family("two"), _family("three")])
    assert [family.name for family in read_families(tmp_path)] == ["two", "three", "one"]


Change = Callable[[dict[str, Any]], object]
BREACHES: list[tuple[str, str, Change]] = [
    ("a family that is a text", "D92", lambda f: f.update(situations="none")),
    ("an empty text", "D92", lambda f: f["situations"][0].update(text=" ")),
    ("a text of two lines", "D92", lambda f: f["situations"][0].update(text="One.\nTwo.")),
    ("a text without end", "D92", lambda f: f["situations"][0].update(text="word " * 100)),
    ("a list for a name", "D92", lambda f: f.update(family=["tea"])),
    ("no behaviours", "D93", lambda f: f.pop("behaviours")),
    ("a misspelt key", "D93", lambda f: f["behaviours"]["drinks-tea"].update(say="x")),
    ("a missing country", "D93", lambda f: f["behaviours"]["drinks-tea"]["cells"].pop("NG")),
    ("a thirteenth country", "D93", lambda f: f["behaviours"]["drinks-tea"]["cells"].update(FR={"norm": "varies"})),
    ("a norm in other words", "D94", lambda f: f["behaviours"]["drinks-tea"]["cells"]["BR"].update(norm="rude")),
    ("a norm with no citation", "D95", lambda f: f["behaviours"]["drinks-tea"]["cells"]["BR"].update(norm="fine")),
    ("a name with a blank", "D96", lambda f: f.update(family="green tea")),
    ("a behaviour in capitals", "D96", lambda f: f["behaviours"].update(Drinks=f["behaviours"]["drinks-tea"])),
    ("four situations", "D97", lambda f: f["situations"].pop()),
    ("six situations", "D97", lambda f: f["situations"].append({"behaviour": "drinks-tea", "text": "More."})),
    ("a behaviour with one situation", "D97", lambda f: f["situations"][1].update(behaviour="spills-tea")),
    ("no behaviour at all", "D97", lambda f: f.update(behaviours={})),
    ("a text twice", "D98", lambda f: f["situations"][0].update(text=f["situations"][1]["text"].upper())),
    ("an unknown behaviour", "D99", lambda f: f["situations"][0].update(behaviour="pours-tea")),
]


@pytest.mark.parametrize(("code", "change"), [pytest.param(c, f, id=name) for name, c, f in BREACHES])
def test_a_breach_is_refused_with_its_place(tmp_path, code, change):
    families = [_family("first"), _family("second")]
    change(families[1])
    folder = _write(tmp_path / "drinks.yaml", families)
    with pytest.raises(CalmError) as caught:
        read_families(folder)
    assert caught.value.code == code
    assert caught.value.file == str(tmp_path / "drinks.yaml")
    lines = (tmp_path / "drinks.yaml").read_text(encoding="utf-8").splitlines()
    assert caught.value.row is not None
    assert caught.value.row >= lines.index("- family: first") + 1 + len(lines) // 2 - 5  # in the second family
    assert caught.value.field
    assert "Fix:" in str(caught.value)


def test_the_row_is_the_line_of_the_value(tmp_path):
    family = _family()
    family["behaviours"]["spills-tea"]["cells"]["TH"]["norm"] = "never"
    folder = _write(tmp_path / "drinks.yaml", [family])
    with pytest.raises(CalmError, match="D94") as caught:
        read_families(folder)
    lines = (tmp_path / "drinks.yaml").read_text(encoding="utf-8").splitlines()
    assert "never" in lines[caught.value.row - 1]


def test_a_family_name_is_given_once_over_all_files(tmp_path):
    _write(tmp_path / "a.yaml", [_family("tea")])
    again = _family("tea")
    for situation in again["situations"]:
        situation["text"] += " And another."
    _write(tmp_path / "b.yaml", [again])
    with pytest.raises(CalmError, match=r"D98.*a\.yaml"):
        read_families(tmp_path)


@pytest.mark.parametrize("data", [b"- [", b"\xff\xfe", b"", b"a: b: c", b"- !!python/object:os.system x\n- {"])
def test_what_is_no_yaml_is_told(tmp_path, data):
    (tmp_path / "drinks.yaml").write_bytes(data)
    with pytest.raises(CalmError, match="D90"):
        read_families(tmp_path)


def test_a_tag_builds_no_object(tmp_path):
    (tmp_path / "drinks.yaml").write_text("!!python/object/apply:os.getcwd []\n", encoding="utf-8")
    with pytest.raises(CalmError, match="D92"):
        read_families(tmp_path)


def test_a_key_given_twice_is_refused(tmp_path):
    text = yaml.safe_dump([_family()], sort_keys=False)
    (tmp_path / "drinks.yaml").write_text(
        text.replace("- family: tea", "- family: tea\n  family: coffee"), encoding="utf-8"
    )
    with pytest.raises(CalmError, match=r"D93.*'family'"):
        read_families(tmp_path)


def test_a_folder_without_files_is_told(tmp_path):
    with pytest.raises(CalmError, match="D91"):
        read_families(tmp_path)


def test_sixty_families_of_five_situations_and_twelve_countries():
    assert len(FAMILIES) == 60
    assert {len(family.situations) for family in FAMILIES} == {SITUATIONS}
    assert {tuple(b.cells) for family in FAMILIES for b in family.behaviours.values()} == {COUNTRIES}


def _cells():
    for family in FAMILIES:
        for behaviour in family.behaviours.values():
            for country, cell in behaviour.cells.items():
                yield f"{family.name}/{behaviour.name}:{country}", cell


def test_every_norm_names_its_document_and_no_address():
    for where, cell in _cells():
        if cell.norm != "varies":
            assert cell.source, where
        if cell.source:
            assert len(cell.source) >= 8, where
            assert re.search(r"[A-Z]", cell.source), where
            assert not re.search(r"https?:|www\.", cell.source), where


def test_families_tell_countries_apart():
    """No behaviour is seen alike everywhere; a family's most frequent norms are right 3 times of 4 at most."""
    for family in FAMILIES:
        for behaviour in family.behaviours.values():
            norms = [cell.norm for cell in behaviour.cells.values()]
            most = max(NORMS, key=norms.count)
            assert norms.count(most) <= 11, f"{family.name}/{behaviour.name}"
        shares = [
            max(map([c.norm for c in family.behaviours[s.behaviour].cells.values()].count, NORMS)) / len(COUNTRIES)
            for s in family.situations
        ]
        assert sum(shares) / SITUATIONS <= 0.75, family.name


def test_a_behaviour_is_a_phrase_with_a_verb_in_ing():
    for family in FAMILIES:
        for behaviour in family.behaviours.values():
            assert re.match(r"[a-z]+ing\b", behaviour.says), behaviour.says
            assert not behaviour.says.endswith("."), behaviour.says


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_situations_do_not_give_the_place_away(family):
    for situation in family.situations:
        named = [m for m in find_mentions(situation.text) if m.kind not in ("group",) or m.culture]
        assert not named, situation.text
        assert not MONEY_AND_MAKES.search(situation.text), situation.text


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_situations_of_a_family_are_no_templates(family):
    """Two situations share less than half of their words, counted in the shorter one."""
    words = [set(re.findall(r"[a-z]{4,}", situation.text.lower())) for situation in family.situations]
    for at, one in enumerate(words):
        for other in words[at + 1 :]:
            assert len(one & other) <= 0.5 * min(len(one), len(other)), sorted(one & other)
