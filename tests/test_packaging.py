"""The wheel puts one name into site-packages and holds everything that runs."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PICTURES = {".png", ".svg"}
"""Of the README and its kin: for people who read the repository."""


@pytest.fixture(scope="module")
def wheel_names(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    out = tmp_path_factory.mktemp("wheel")
    source = tmp_path_factory.mktemp("source")
    # Setuptools writes build/ and *.egg-info beside setup.py: a copy keeps the checkout clean.
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    for name in filter(None, tracked.stdout.split("\0")):
        if (ROOT / name).exists():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*command, "--wheel-dir", str(out), str(source)], check=True, capture_output=True)
    (wheel,) = out.glob("*.whl")
    return set(zipfile.ZipFile(wheel).namelist())


@pytest.mark.slow
def test_the_wheel_holds_one_name(wheel_names: set[str]) -> None:
    assert {name.split("/")[0].split("-")[0] for name in wheel_names} == {"treesent"}


@pytest.mark.slow
def test_the_wheel_holds_every_module_recipe_and_weight(wheel_names: set[str]) -> None:
    expected = {str(path.relative_to(ROOT)) for path in (ROOT / "treesent").rglob("*.py")}
    for folder in ("pipelines", "embeddings"):
        for path in (ROOT / folder).rglob("*"):
            if path.is_file() and path.suffix not in PICTURES and "downloads" not in path.parts:
                expected.add(f"treesent/{path.relative_to(ROOT)}")
    assets = (ROOT / "treesent").rglob("assets/*")
    expected |= {str(path.relative_to(ROOT)) for path in assets if path.suffix in {".html", ".css", ".js"}}
    expected.add("treesent/py.typed")
    assert expected <= wheel_names, sorted(expected - wheel_names)


@pytest.mark.slow
def test_no_tests_or_tools_are_installed(wheel_names: set[str]) -> None:
    assert not [name for name in wheel_names if "tests/" in name or name.endswith((".toml.lock", "Makefile"))]
