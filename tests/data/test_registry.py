"""Names, folders, and what is said when a data set is not there."""

from __future__ import annotations

import subprocess
import sys

import pytest

from calm_lm.data import registry
from calm_lm.data.example import Dataset
from calm_lm.errors import CalmError

PUBLISHED = [name for name in registry.names() if name != "demo"]


def test_names():
    assert registry.names() == ("blend", "crehate", "cultureatlas", "demo", "emgsd", "emgsd-multiclass", "univar")


@pytest.mark.parametrize("name", PUBLISHED)
def test_every_source_says_what_it_is(name):
    source = registry.get(name)
    assert source.name == name
    assert source.contrast in ("reader", "about", "author")
    assert all((source.title, source.summary, source.licence, source.citation, source.obtain, source.signs))
    for file in source.address.files if source.address else ():
        assert file.url.startswith("https://raw.githubusercontent.com/")
        assert len(file.sha256) == 64
        assert file.size > 0


@pytest.mark.parametrize("name", PUBLISHED)
def test_addresses_are_those_of_the_files(name, data_dir):
    """Path, size and sha256 of every address stand in the SOURCE.md of the project's copy."""
    source = registry.get(name)
    if source.address is None:
        pytest.skip("no public address")
    told = (data_dir / source.folder / "SOURCE.md").read_text(encoding="utf-8")
    for file in source.address.files:
        line = next(line for line in told.splitlines() if line.startswith(f"| `{file.path}`"))
        assert f"`{file.sha256}`" in line
        assert f"| {file.size} |" in line
        repository, path = line.split("| `")[2].split("`: `")
        start, published = (
            file.url.removeprefix("https://raw.githubusercontent.com/").split("/", 3)[:2],
            path.split("`")[0],
        )
        assert "/".join(start) == repository
        assert file.url.replace("%20", " ").endswith(f"/{published}")
        commit = file.url.split("/")[5]
        assert f"commit {commit}" in told


def test_an_unknown_name_gets_the_nearest():
    with pytest.raises(CalmError, match="D26") as caught:
        registry.get("crehat")
    assert "use crehate" in str(caught.value)
    with pytest.raises(CalmError, match="demo"):
        registry.get("../../etc/passwd")


def test_no_data_folder(monkeypatch):
    for value in (None, ""):
        if value is None:
            monkeypatch.delenv("CALM_DATA", raising=False)
        else:
            monkeypatch.setenv("CALM_DATA", value)
        with pytest.raises(CalmError, match="D27") as caught:
            registry.load("crehate")
        assert "calm data get crehate" in str(caught.value)


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_missing_set_says_where_it_was_looked_for(name, tmp_path):
    for folder in (tmp_path, tmp_path / "not there"):
        with pytest.raises(CalmError, match="D28") as caught:
            registry.load(name, data_dir=folder)
        assert str(folder / registry.get(name).folder) in str(caught.value)
        assert registry.get(name).obtain in str(caught.value)


def test_own_folder_goes_before_the_data_folder_and_the_argument_before_the_variable(tmp_path, write_csv, monkeypatch):
    header = [
        "ID",
        "Text",
        *(f"{c}_Hate" for c in ("Australia", "United_States", "United_Kingdom", "South_Africa", "Singapore")),
    ]
    for place, text in (("crehate", "own folder"), (".", "data folder"), ("elsewhere/crehate", "variable")):
        write_csv(tmp_path / place / "CREHate_train.csv", header, [["SBIC-1", text, *"01010"]])
    monkeypatch.setenv("CALM_DATA", str(tmp_path / "elsewhere"))

    def text_of(data: Dataset) -> str:
        return data.splits["train"][0].text

    assert text_of(registry.load("crehate", data_dir=tmp_path)) == "own folder"
    assert text_of(registry.load("crehate")) == "variable"
    (tmp_path / "crehate" / "CREHate_train.csv").unlink()
    assert text_of(registry.load("crehate", data_dir=tmp_path)) == "data folder"


def test_loading_twice_gives_the_same(data_dir):
    assert registry.load("blend", data_dir=data_dir) == registry.load("blend", data_dir=data_dir)


def test_bundled_data_needs_no_folder(monkeypatch):
    monkeypatch.delenv("CALM_DATA", raising=False)
    assert registry.get("demo").bundled
    assert registry.load("demo").name == "demo"


def test_sources_are_light():
    """Naming and describing data sets imports no heavy package."""
    code = (
        "import sys; from calm_lm.data import registry, download; "
        f"[registry.get(name) for name in {PUBLISHED!r}]; "
        "print(sorted({'torch', 'transformers', 'sklearn', 'pandas', 'pyarrow', 'numpy', 'scipy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
