from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from calm_lm.cli.data import app, mask_text
from calm_lm.data import registry
from calm_lm.data.example import Dataset, Example
from calm_lm.errors import CalmError

OFFENSIVE = "an authored stand-in [bold]for[/bold] an offensive text \x1b[31m"


def call(*arguments: str, code: int = 0) -> Result:
    result = CliRunner().invoke(app, list(arguments), env={"COLUMNS": "200", "CALM_DATA": ""})
    if isinstance(result.exception, CalmError):
        raise result.exception
    assert result.exit_code == code, result.output
    return result


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A registry of two made-up sets, one offensive and in the data folder, one that is not there."""

    def load(folder: Path) -> Dataset:
        rows = tuple(Example(text=f"{OFFENSIVE}{at}", id=str(at), group=str(at), label=at % 2) for at in range(9))
        return Dataset("grim", ("no", "yes"), 1, {"train": rows}, None, offensive=True, notes=("made up",))

    def source(name: str, offensive: bool) -> registry.Source:
        return registry.Source(
            name,
            f"The {name}",
            "made up",
            "CC-BY-4.0",
            "Nobody, 2024.",
            offensive,
            None,
            name,
            ("*.csv",),
            load,
            "Ask.",
        )

    sources = {"grim": source("grim", True), "gone": source("gone", False)}
    monkeypatch.setattr(registry, "names", lambda: tuple(sources))
    monkeypatch.setattr(registry, "get", lambda name: sources[name])
    (tmp_path / "grim").mkdir()
    (tmp_path / "grim" / "rows.csv").write_text("made up\n")
    return tmp_path


def test_list_says_what_is_here(made):
    call("list", "--data-dir", str(made), "--json", str(made / "out.json"))
    told = {each["name"]: each for each in json.loads((made / "out.json").read_text())["datasets"]}
    assert (told["grim"]["here"], told["gone"]["here"]) == (True, False)
    assert told["grim"]["offensive"] is True
    output = call("list").output
    assert "The grim" in output
    assert "The gone" in output


def test_offensive_texts_are_masked_on_screen_and_in_json_unless_asked_for(made):
    arguments = ("show", "grim", "--data-dir", str(made), "--json", str(made / "out.json"))
    output = call(*arguments).output
    assert "stand-in" not in output + (made / "out.json").read_text()
    assert f"[masked, {len(OFFENSIVE) + 1} characters]" in output
    assert "note: made up" in output
    output = call(*arguments, "--unmask").output
    assert "[bold]for[/bold]" in output
    assert "\x1b" not in output
    assert json.loads((made / "out.json").read_text())["rows"][0]["text"] == f"{OFFENSIVE}0"
    assert json.loads((made / "out.json").read_text())["splits"] == {"train": {"no": 5, "yes": 4}}


def test_show_of_a_set_that_is_not_here_says_how_to_get_it(made):
    assert "Ask." in call("show", "gone", "--data-dir", str(made)).output


def test_check_of_a_registered_name(made):
    output = call("check", "grim", "--data-dir", str(made)).output
    assert "grim: 0 malformed rows" in output
    assert "stand-in" not in output


def test_check_of_a_good_file(tmp_path):
    path = tmp_path / "own.csv"
    path.write_text(
        "sentence,hate,country\n" + "".join(f"text {at},{at % 2},{'SG' if at % 3 else 'AU'}\n" for at in range(30))
    )
    columns = ("--text", "sentence", "--label", "hate", "--culture", "country")
    output = call("check", str(path), *columns, "--json", str(tmp_path / "out.json")).output
    assert "own: 0 malformed rows" in output
    assert "undeclared" in output
    found = json.loads((tmp_path / "out.json").read_text())
    assert found["balance"]["reader"]["AU"] == {"0": 5, "1": 5}
    call("check", str(path), *columns, "--culture-role", "author", "--json", str(tmp_path / "out.json"))
    assert list(json.loads((tmp_path / "out.json").read_text())["balance"]) == ["author"]


def test_check_with_problems_names_each_and_leaves_with_2(tmp_path):
    path = tmp_path / "own.csv"
    path.write_text("text,label\ngood,0\n,1\nfine,1\nbad,1,1\nodd,maybe\n")
    out = tmp_path / "out.json"
    result = call("check", str(path), "--labels", "0,1", "--json", str(out), code=2)
    assert "own: 3 malformed rows" in result.output
    for row, field in ((3, "text"), (5, "label"), (6, "label")):
        assert f"row {row}, field '{field}'" in result.output
    assert [problem["row"] for problem in json.loads(out.read_text())["problems"]] == [3, 5, 6]
    hidden = call("check", str(path), "--labels", "0,1", "--most", "1", code=2).output
    assert "3 malformed rows, 2 of them not shown" in hidden


def test_mistakes_leave_as_errors_and_earlier_results_stay(tmp_path):
    out = tmp_path / "out.json"
    out.write_text("earlier")
    for arguments, code in (
        (("check", "no-such-set"), "D26"),
        (("show", "no-such-set"), "D26"),
        (("get", "no-such-set"), "D26"),
        (("get", "crehate"), "D86"),
        (("get", "crehate", "--offline", "--data-dir", str(tmp_path)), "D37"),
    ):
        with pytest.raises(CalmError) as caught:
            call(*arguments, "--json", str(out))
        assert caught.value.code == code
    assert call("check", str(tmp_path / "absent.csv"), code=2).output.startswith("[D50]")
    assert out.read_text() == "earlier"


def test_a_text_is_masked_only_in_offensive_sets():
    assert mask_text("abc", offensive=True, unmask=False) == "[masked, 3 characters]"
    assert mask_text("abc", offensive=False, unmask=False) == "abc"
    assert mask_text("abc", offensive=True, unmask=True) == "abc"


def test_help_needs_no_heavy_import():
    code = (
        "import sys; from calm_lm.cli.data import app; "
        "print({'torch', 'sklearn', 'pyarrow', 'scipy', 'numpy', 'transformers'} & set(sys.modules))"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told.strip() == "set()"


def test_the_real_crehate(data_dir, tmp_path):
    out = tmp_path / "out.json"
    call("check", "crehate", "--data-dir", str(data_dir), "--json", str(out))
    found = json.loads(out.read_text())
    assert {split: sum(counts.values()) for split, counts in found["splits"].items()} == {"train": 5530, "valid": 1185}
    assert not any(overlap["kind"] in ("group", "exact") for overlap in found["leakage"])
