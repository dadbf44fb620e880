"""The package as a whole: what importing it costs, what its source may hold, what is built and pinned."""

from __future__ import annotations

import ast
import re
import resource
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections import defaultdict
from functools import cache
from importlib import import_module, metadata
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.version import Version

import calm_lm

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "calm_lm"
MODULES = sorted(SOURCE.rglob("*.py"))
TEMPLATES = SOURCE / "evaluation" / "export" / "templates"  # they run elsewhere, with other packages at hand
HEAVY = ("torch", "transformers", "sklearn", "scipy", "numpy", "pandas", "pyarrow", "pydantic", "rich", "typer")


def tracked_files() -> list[Path]:
    """What git holds, and what it would take up next."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    if done.returncode:
        pytest.skip("needs a git checkout to know the tracked files")
    paths = [ROOT / name.decode() for name in done.stdout.split(b"\0") if name]
    return [path for path in paths if path.is_file()]


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


# -- importing -------------------------------------------------------------------------------------------


def seconds(*command: str) -> float:
    """Processor time of a command, the best of three: what it costs, however busy the machine is."""
    best = float("inf")
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, capture_output=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        best = min(best, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return best


def test_importing_is_light():
    code = f"import calm_lm, sys; print([name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_importing_is_fast():
    assert seconds(sys.executable, "-c", "import calm_lm") < 0.3


def test_help_is_fast():
    assert seconds(str(Path(sys.executable).parent / "calm"), "--help") < 0.5


@pytest.mark.parametrize("name", sorted({*calm_lm.__all__} - {"__version__"}))
def test_public_names_load(name):
    module, attribute = calm_lm._PUBLIC[name]
    assert getattr(calm_lm, name) is getattr(import_module(module), attribute)
    assert name in dir(calm_lm)


def test_public_names_are_told_alike_to_people_and_type_checkers():
    guard = next(node for node in tree(SOURCE / "__init__.py").body if isinstance(node, ast.If))
    typed = {
        alias.asname: (node.module, alias.name)
        for node in guard.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert typed == calm_lm._PUBLIC
    assert set(calm_lm.__all__) == {*calm_lm._PUBLIC, "__version__"}


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'CalmModle'"):
        _ = calm_lm.CalmModle


# -- the house -------------------------------------------------------------------------------------------


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    """The contracts of pyproject.toml, held against the package in `folder`."""
    command = [
        str(Path(sys.executable).parent / "lint-imports"),
        "--no-cache",
        "--config",
        str(ROOT / "pyproject.toml"),
    ]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_the_floors_hold():
    done = lint_imports(SOURCE.parent)
    assert done.returncode == 0, done.stdout


BREACHES = {
    "stats": "from calm_lm.culture.blend import Blend",
    "lm": "from calm_lm.data.example import Example",
    "model": "from calm_lm.data.registry import load",
    "culture": "def run():\n    import torch",
    "data": "def run():\n    import transformers",
    "training": "from calm_lm.evaluation import metrics",
    "cli": "import pandas",
}


def test_every_contract_can_break(tmp_path):
    package = tmp_path / "calm_lm"
    shutil.copytree(SOURCE, package, ignore=shutil.ignore_patterns("__pycache__", "*.yaml", "*.txt"))
    for room, line in BREACHES.items():
        (package / room / "breach.py").write_text(line + "\n")
    done = lint_imports(tmp_path)
    assert done.returncode == 1
    assert "0 kept" in done.stdout, done.stdout
    assert [room for room in BREACHES if f"calm_lm.{room}.breach" not in done.stdout] == []


def test_a_new_room_needs_a_floor(tmp_path):
    shutil.copytree(SOURCE, tmp_path / "calm_lm", ignore=shutil.ignore_patterns("__pycache__", "*.yaml", "*.txt"))
    (tmp_path / "calm_lm" / "attic").mkdir()
    (tmp_path / "calm_lm" / "attic" / "__init__.py").touch()
    done = lint_imports(tmp_path)
    assert done.returncode == 1
    assert "attic" in done.stdout


# -- the source ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_a_module_says_what_it_is_and_stays_short(path):
    assert ast.get_docstring(tree(path)), "a module begins with what it is for"
    assert len(path.read_text("utf-8").splitlines()) <= 600


def test_nothing_foreign_is_executed():
    """No pickle in any form, no eval, no yaml that makes objects, no code of a model's repository."""
    found = []
    for path in MODULES:
        for node in ast.walk(tree(path)):
            at = f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}"
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = [alias.name for alias in node.names] + [getattr(node, "module", None) or ""]
                banned = {"pickle", "joblib", "dill", "cloudpickle", "shelve", "marshal"}
                found += [at for name in names if name.split(".")[0] in banned]
            elif isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                banned = {"eval", "exec", "torch.load", "yaml.load", "yaml.unsafe_load", "yaml.full_load", "os.system"}
                trusting = {"trust_remote_code", "allow_pickle", "shell"}
                unsafe = [k.arg for k in node.keywords if k.arg in trusting and ast.unparse(k.value) != "False"]
                found += [at] if called in banned or unsafe else []
    assert found == []


def test_every_error_code_stands_at_one_place():
    places = defaultdict(list)
    for path in MODULES:
        for node in ast.walk(tree(path)):
            if (
                isinstance(node, ast.Constant)
                and isinstance(node.value, str)
                and re.fullmatch(r"[A-Z]\d\d", node.value)
            ):
                places[node.value].append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert len(places) > 100
    assert {code: found for code, found in places.items() if len(found) > 1} == {}


def test_every_error_has_a_code_and_a_fix():
    for path in MODULES:
        for node in ast.walk(tree(path)):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id
                in (
                    "CalmError",
                    "UnavailableError",
                )
            ):
                at = f"{path.relative_to(ROOT)}:{node.lineno}"
                code = node.args[0]
                assert isinstance(code, ast.Name) or re.fullmatch(r"'[A-Z]\d\d'", ast.unparse(code)), at
                assert any(keyword.arg == "fix" for keyword in node.keywords), at


def test_no_file_names_one_machine_or_a_registry():
    folders = r"(?<![\w.~${}-])/(?:work|root|farm|mnt|scratch|home/\w+|Users/\w+)/\w"
    hosts = r"pypi\.org|pythonhosted\.org|download\.pytorch\.org|npmjs\.org|anaconda\.org"
    found = []
    for path in tracked_files():
        try:
            text = path.read_text("utf-8")
        except UnicodeDecodeError:
            continue  # a picture
        for number, line in enumerate(text.splitlines(), 1):
            if re.search(folders, line) or re.search(hosts, line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()[:80]}")
    assert found == []


def test_no_large_file_is_tracked():
    assert [str(path) for path in tracked_files() if path.stat().st_size > 1_000_000] == []


# -- what is built and pinned ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    target = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(target)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return zipfile.ZipFile(next(target.glob("*.whl")))


def test_the_wheel_holds_every_file_of_the_package(wheel):
    built = {name for name in wheel.namelist() if ".dist-info/" not in name}
    here = {str(path.relative_to(SOURCE.parent)) for path in tracked_files() if path.is_relative_to(SOURCE)}
    assert built == here
    kinds = (
        "calm_lm/py.typed",
        "gazetteer/names.txt",
        "bundled/norms/food.yaml",
        "recipes/crehate.yaml",
    )
    assert [kind for kind in kinds if not any(name.endswith(kind) for name in built)] == []
    assert any("/launch/" in name and name.endswith(".yaml") for name in built)


def test_the_wheel_says_what_it_is(wheel):
    about = next(name for name in wheel.namelist() if name.endswith("METADATA"))
    text = wheel.read(about).decode()
    assert f"Version: {calm_lm.__version__}" in text
    assert "License-Expression: Apache-2.0" in text
    assert any(name.endswith("licenses/LICENSE") for name in wheel.namelist())
    commands = next(name for name in wheel.namelist() if name.endswith("entry_points.txt"))
    assert "calm = calm_lm.cli.main:main" in wheel.read(commands).decode()


def project() -> dict[str, list[Requirement]]:
    """Requirements by extra; `` for those that every installation has."""
    facts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    groups = {"": facts["dependencies"], **facts["optional-dependencies"]}
    return {
        extra: [need for need in map(Requirement, lines) if need.name != "calm-lm"] for extra, lines in groups.items()
    }


def pins(name: str) -> dict[str, Version]:
    lines = [line for line in (ROOT / name).read_text().splitlines() if line and not line.startswith("#")]
    return {need.name: Version(next(iter(need.specifier)).version) for need in map(Requirement, lines)}


def test_everything_direct_is_pinned_and_the_lowest_pins_are_the_floors():
    floors = {need.name: Version(next(iter(need.specifier)).version) for group in project().values() for need in group}
    assert pins("constraints-lowest.txt") == floors
    tested = pins("constraints.txt")
    assert set(floors) <= set(tested)
    assert {name: str(floor) for name, floor in floors.items() if tested[name] < floor} == {}


def test_the_lowest_pins_suit_those_that_are_installed_at_them():
    """What a package installed at its lowest pin asks for, as far as this environment can tell."""
    lowest = pins("constraints-lowest.txt")
    found, seen = [], []
    for name, version in lowest.items():
        if Version(metadata.version(name)) == version:
            seen.append(name)
            for need in map(Requirement, metadata.requires(name) or []):
                wanted = need.marker is None or need.marker.evaluate({"extra": ""})
                pin = lowest.get(need.name.lower().replace("_", "-"))
                if wanted and pin is not None and not need.specifier.contains(pin):
                    found.append(f"{name} {version} asks for {need}, the pin is {pin}")
    assert {"inspect-ai", "lm-eval"} <= set(seen)
    assert found == []


def test_what_is_imported_is_asked_for_and_the_other_way_round():
    packages = {"yaml": "pyyaml", "sklearn": "scikit-learn", "huggingface_hub": "huggingface-hub"}
    own = {*sys.stdlib_module_names, "calm_lm"}

    def imported(paths: list[Path]) -> set[str]:
        roots = set()
        for path in paths:
            for node in ast.walk(tree(path)):
                if isinstance(node, ast.Import):
                    roots |= {alias.name.split(".")[0] for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and node.level == 0:
                    roots.add((node.module or "").split(".")[0])
        return {packages.get(root, root) for root in roots - own}

    needs = {extra: {need.name for need in group} for extra, group in project().items()}
    optional = {"matplotlib", "openpyxl", "tensorboard"}
    read_by_transformers = {"gguf"}
    ours = [path for path in MODULES if path.parent != TEMPLATES]
    assert imported(ours) - optional == needs[""] - read_by_transformers
    # what comes with a package of ours and belongs to its interface
    companions = {"tokenizers", "packaging"}
    tests = sorted((ROOT / "tests").rglob("*.py"))
    helpers = {path.stem for path in tests} | {"calm_parse"}  # which a test writes out and imports
    asked = needs[""] | optional | {name.replace("-", "_") for name in needs["dev"]}
    assert imported(tests) - companions - helpers - asked == set()


def test_the_embedded_models_are_named_alike_everywhere():
    from calm_lm.lm.embedded import INSTALL

    line = next(line for line in (ROOT / "Makefile").read_text().splitlines() if line.startswith("EMBEDDED := "))
    assert INSTALL.endswith(line.removeprefix("EMBEDDED := "))


def test_workflows_run_fixed_actions_with_few_rights():
    paths = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
    assert paths
    for path in paths:
        text = path.read_text()
        flow = yaml.safe_load(text)
        assert flow["permissions"] == {"contents": "read"}, path.name
        assert all("timeout-minutes" in job for job in flow["jobs"].values()), path.name
        used = re.findall(r"uses:\s*(.+)", text)
        assert used
        assert [use for use in used if not re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", use.strip())] == []


def test_ci_can_be_run():
    script = ROOT / ".ci" / "run"
    assert script.stat().st_mode & 0o111
    assert subprocess.run(["bash", "-n", str(script)], check=False).returncode == 0
