from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from calm_lm.culture.communities import Community, load_communities
from calm_lm.errors import CalmError

GOOD = """\
x-cape-malay:
  name: Cape Malay people
  scope: >
    families of the Bo-Kaap
  sources: [a book, https://example.org]
  written_by: two members
x-toy:
  {name: Toy, scope: none, sources: [us], written_by: us}
"""


def write(folder: Path, text: str | bytes) -> Path:
    path = folder / "communities.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_a_file_is_read_in_its_order(tmp_path: Path) -> None:
    declared = load_communities(write(tmp_path, GOOD))
    assert list(declared) == ["x-cape-malay", "x-toy"]
    assert declared["x-cape-malay"] == Community(
        id="x-cape-malay",
        name="Cape Malay people",
        scope="families of the Bo-Kaap",
        sources=("a book", "https://example.org"),
        written_by="two members",
    )


@pytest.mark.parametrize(
    ("text", "code", "row", "field"),
    [
        ("x-a: [", "C07", None, None),
        (b"x-a: \xff", "C07", None, None),
        ("x-a: 2024-99-99", "C07", None, None),
        ("x-a: !!timestamp x", "C07", None, None),
        ("x-a: !!bool x", "C07", None, None),
        ("[" * 1000, "C07", None, None),
        ("x-a: !!python/object/apply:os.system [ls]", "C07", None, None),
        ("", "C08", None, None),
        ("- x-a", "C08", None, None),
        (GOOD + GOOD, "C09", 9, "x-cape-malay"),
        (GOOD.replace("  written_by", "  name: other\n  written_by"), "C09", 6, "name"),
        (GOOD.replace("x-toy", "x-Toy"), "C05", 7, "id"),
        (GOOD.replace("x-toy", "Toytown"), "C04", 7, "id"),
        (GOOD.replace("x-toy", "NO"), "C04", None, "id"),  # YAML reads it as false
        (GOOD.replace("x-toy", "SG"), "C12", 7, "id"),
        (GOOD.replace("scope: none", "scpoe: none"), "C10", 7, "x-toy.scpoe"),
        (GOOD.replace("scope: none, ", ""), "C11", 7, "x-toy.scope"),
        (GOOD.replace("scope: none", "scope: ''"), "C11", 7, "x-toy.scope"),
        (GOOD.replace("name: Toy", "name: 7"), "C11", 7, "x-toy.name"),
        (GOOD.replace("name: Toy", 'name: "a\\nb"'), "C11", 7, "x-toy.name"),
        (GOOD.replace("name: Toy", 'name: "\\ud800"'), "C11", 7, "x-toy.name"),
        (GOOD.replace("[us]", "us"), "C11", 7, "x-toy.sources"),
        (GOOD.replace("[us]", "[]"), "C11", 7, "x-toy.sources"),
        (GOOD.replace("[us]", "[us, 3]"), "C11", 7, "x-toy.sources"),
        ("x-a: &a [*a]", "C11", 1, "x-a.name"),
        ("x-a:", "C11", 1, "x-a.name"),
    ],
)
def test_a_mistake_is_one_error_with_file_and_field(
    tmp_path: Path, text: str | bytes, code: str, row: int | None, field: str | None
) -> None:
    path = write(tmp_path, text)
    with pytest.raises(CalmError) as caught:
        load_communities(path)
    error = caught.value
    assert (error.code, error.row, error.field, error.file) == (code, row, field, str(path))
    assert error.fix


def test_a_misspelt_field_is_named(tmp_path: Path) -> None:
    with pytest.raises(CalmError, match=r"did you mean scope\?"):
        load_communities(write(tmp_path, GOOD.replace("scope: none", "scpoe: none")))


def test_an_absent_file(tmp_path: Path) -> None:
    with pytest.raises(CalmError) as caught:
        load_communities(tmp_path / "none.yaml")
    assert caught.value.code == "F01"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(st.integers(0, len(GOOD)), st.integers(0, 12), st.text(max_size=6).map(lambda t: t.encode(errors="replace")))
def test_a_damaged_file_is_read_or_refused_in_one_way(tmp_path: Path, at: int, cut: int, new: bytes) -> None:
    data = GOOD.encode()
    path = write(tmp_path, data[:at] + new + data[at + cut :])
    try:
        declared = load_communities(path)
    except CalmError as error:
        declared, refused = {}, error.file
    else:
        refused = None
    assert declared or refused == str(path)
    assert all(each.sources and each.name for each in declared.values())
