from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calm_lm.culture.blend import Blend
from calm_lm.culture.communities import Community
from calm_lm.culture.ids import (
    check_blend,
    check_id,
    countries,
    display_name,
    kind,
    languages,
    nearest_ids,
    place_phrase,
)
from calm_lm.errors import CalmError

CAPE_MALAY = Community("x-cape-malay", "Cape Malay people", "Bo-Kaap", ("a book",), "a member")


@pytest.mark.parametrize(
    ("given_id", "canonical", "form", "name"),
    [
        ("SG", "SG", "country", "Singapore"),
        (" SG\n", "SG", "country", "Singapore"),
        ("sg", "sg", "language", "Sango"),
        ("XK", "XK", "country", "Kosovo"),
        ("HK", "HK", "country", "Hong Kong"),
        ("en", "en", "language", "English"),
        ("pt-br", "pt-BR", "language", "Portuguese (Brazil)"),
        ("ZH-HANT-tw", "zh-Hant-TW", "language", "Chinese (Traditional, Taiwan)"),
        ("es-419", "es-419", "language", "Spanish (Latin America)"),
        ("yue", "yue", "language", "Cantonese"),
        ("x-cape-malay", "x-cape-malay", "community", "cape malay"),
    ],
)
def test_known_ids(given_id: str, canonical: str, form: str, name: str) -> None:
    assert check_id(given_id) == canonical
    assert kind(canonical) == form
    assert display_name(canonical) == name


def test_every_country_and_language_is_its_own_canonical_form() -> None:
    assert len(countries()) == 250  # 249 of ISO 3166 and Kosovo
    for code in (*countries(), *languages()):
        assert check_id(code) == code
        assert kind(code) == ("country" if code in countries() else "language")


@pytest.mark.parametrize(
    ("unknown", "meant"),
    [
        ("Singapore", "SG (Singapore)"),
        ("Sinagpore", "SG (Singapore)"),
        ("singaporean", "SG (Singapore)"),
        ("UK", "GB (United Kingdom)"),
        ("USA", "US (United States)"),
        ("usa", "US (United States)"),
        ("us", "US (United States)"),
        ("GBR", "GB (United Kingdom)"),
        ("EN", "en (English)"),
        ("eng", "en (English)"),
        ("German", "DE (Germany), de (German)"),
        ("Türkei", "TR"),
        ("ZQ", "ZW"),
    ],
)
def test_an_unknown_id_names_what_was_meant(unknown: str, meant: str) -> None:
    with pytest.raises(CalmError) as caught:
        check_id(unknown, file="own.csv", row=7, field="culture")
    assert caught.value.code == "C04"
    assert meant in caught.value.fix
    assert "x-NAME" in caught.value.fix
    assert (caught.value.file, caught.value.row, caught.value.field) == ("own.csv", 7, "culture")


def test_the_likeliest_id_comes_first() -> None:
    with pytest.raises(CalmError, match=r"did you mean GB \(United Kingdom\)"):
        check_id("UK")


@pytest.mark.parametrize("unknown", [None, float("nan"), 65, "", "  ", "a" * 10**6, "\ud800", "S\0G", "日本", "SG,AU"])
def test_what_is_no_id_at_all(unknown: object) -> None:
    with pytest.raises(CalmError) as caught:
        check_id(unknown)  # type: ignore[arg-type]
    assert caught.value.code == "C04"
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("unknown", ["x-", "x-Foo", "X-foo", "x-foo_bar", "x--foo", "x-foo-", "x-é", "x-" + "a" * 63])
def test_the_form_of_a_community(unknown: str) -> None:
    with pytest.raises(CalmError) as caught:
        check_id(unknown)
    assert caught.value.code == "C05"


def test_a_community_must_be_declared_where_a_file_declares_them() -> None:
    declared = {"x-cape-malay": CAPE_MALAY}
    assert check_id("x-cape-malay", communities=declared) == "x-cape-malay"
    assert display_name("x-cape-malay", declared) == "Cape Malay people"
    with pytest.raises(CalmError, match="did you mean x-cape-malay") as caught:
        check_id("x-cape-malai", communities=declared)
    assert caught.value.code == "C06"
    with pytest.raises(CalmError, match="declare it") as caught:
        check_id("x-cape-malay", communities=())
    assert caught.value.code == "C06"


@given(st.text(max_size=12) | st.from_regex(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,4})?", fullmatch=True))
def test_any_text_is_a_stable_id_or_one_error_with_a_fix(text: str) -> None:
    try:
        canonical = check_id(text)
    except CalmError as error:
        code, fix = error.code, error.fix
    else:
        assert check_id(canonical) == canonical
        assert display_name(canonical).strip()
        return
    assert code in {"C04", "C05"}
    assert "x-" in fix


@given(st.sampled_from(sorted(countries())), st.integers(0, 30), st.sampled_from("aeiou"))
def test_one_wrong_letter_in_a_long_country_name_still_finds_it(code: str, at: int, letter: str) -> None:
    name = display_name(code)
    spelt = name[: at % len(name)] + letter + name[at % len(name) + 1 :]
    if len(name) >= 6:
        assert code in nearest_ids(spelt, countries())


def test_nearest_ids_are_few_and_empty_for_nonsense() -> None:
    assert nearest_ids("Austria", countries())[:2] == ("AT", "AU")
    assert len(nearest_ids("a", countries())) <= 3
    assert nearest_ids("#####", countries()) == ()


def test_blends_are_checked_part_by_part() -> None:
    assert check_blend(Blend.parse("SG=1,pt-br=3")) == Blend.parse("SG=0.25,pt-BR=0.75")
    with pytest.raises(CalmError) as caught:
        check_blend(Blend.parse("SG,Atlantis"), row=3, field="reader")
    assert (caught.value.code, caught.value.row, caught.value.field) == ("C04", 3, "reader")
    with pytest.raises(CalmError) as caught:
        check_blend(Blend.parse("pt-br,pt-BR"))
    assert caught.value.code == "C01"


@pytest.mark.parametrize(
    ("culture", "phrase"),
    [
        ("JP", "in Japan"),
        ("NL", "in the Netherlands"),
        ("US", "in the United States"),
        ("DO", "in the Dominican Republic"),
        ("IS", "in Iceland"),
        ("ta", "among speakers of Tamil"),
        ("x-cape-malay", "among Cape Malay people"),
    ],
)
def test_how_a_sentence_names_a_culture(culture: str, phrase: str) -> None:
    assert place_phrase(culture, {"x-cape-malay": CAPE_MALAY}) == phrase


def test_the_room_loads_no_heavy_library() -> None:
    rooms = ("ids", "communities", "dimensions", "mentions", "norms", "norm_files")
    heavy = {"torch", "numpy", "sklearn", "pandas", "pycountry", "babel", "yaml"}
    code = f"import sys; from calm_lm.culture import {', '.join(rooms)}; print({heavy!r} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "set()"
