"""The course: its commands run, and its figures show what its pages say."""

import importlib
import operator
import re
import runpy
import shutil
import time
from pathlib import Path

import numpy as np
import pytest

from treesent.cli.train import parse_overrides
from treesent.models.registry import FAMILIES
from treesent.render.log import read_log
from treesent.training.recipe import parse_recipe

ROOT = Path(__file__).parents[1]
COURSE = ROOT / "docs" / "course"
RUN = runpy.run_path(str(COURSE / "run.py"))


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    """A folder with the course in it, where its commands write."""
    folder = tmp_path_factory.mktemp("course")
    shutil.copytree(COURSE, folder / "docs" / "course")
    return folder


@pytest.mark.slow
def test_the_figure_of_the_course_shows_gradients_that_vanish_and_explode(workplace, monkeypatch):
    monkeypatch.chdir(workplace)
    start = time.perf_counter()
    RUN["main"](["vanishing"])
    assert time.perf_counter() - start < 240  # two minutes on two cores of its own
    out = workplace / "out" / "course"
    assert (out / "vanishing.svg").is_file()
    logs = {path.stem: read_log(path) for path in out.glob("*.jsonl")}
    passed = {name: np.nanmedian(log.passed(), 0)[-1] for name, log in logs.items()}
    assert passed["lstm"] < 0.1
    assert passed["elman"] < 0.5
    assert passed["exploding"] > 10
    assert 0.1 < passed["clockwork"] < 10
    best = {name: max(e["dev"]["root"]["accuracy_2"] for e in log.epochs[2:]) for name, log in logs.items()}
    assert best["clipped"] == 100
    assert best["unclipped"] < 80
    assert np.nanmax(logs["unclipped"].column("gradient_norm")) > 10


SYSTEMS = {
    "RNN": "rnn",
    "BPTT": "bptt",
    "activations": "activations",
    "vanishing and exploding gradients": "vanishing",
    "clipping": "clipping",
    "regularisation": "regularisation",
    "leaky units": "leaky",
    "time scales": "time_scales",
    "LSTM and its gates": "lstm",
    "GRU": "gru",
    "sampling and the three ends": "sampling",
    "language models": "language_models",
    "output recurrence and teacher forcing": "output_recurrence",
    "one-output": "one_output",
    "deep": "deep",
    "residual": "residual",
    "bidirectional": "bidirectional",
    "recursive": "recursive",
    "encoder-decoder": "encoder_decoder",
    "attention": "attention",
    "GNMT": "gnmt",
    "embeddings": "embeddings",
}
INCLUDED = re.compile(r"^```\{literalinclude\} (\S+\.py)\n:pyobject: (\S+)$", re.MULTILINE)
FIGURE = re.compile(r"^```\{image\} \.\./\.\./(\S+)$", re.MULTILINE)


def test_every_system_of_the_course_has_its_page():
    listed = (COURSE / "index.md").read_text().split(":maxdepth: 1\n\n")[1].split("\n```")[0].split()
    assert listed == list(SYSTEMS.values())
    assert RUN["pages"]() == sorted(SYSTEMS.values())


@pytest.mark.parametrize("page", SYSTEMS.values(), ids=SYSTEMS)
def test_a_page_has_equations_code_pictures_and_sources(page):
    text = (COURSE / f"{page}.md").read_text()
    assert text.count("$$") >= 2
    for heading in ("## The code", "## The experiment", "## Try next", "## Sources"):
        assert text.count(f"\n{heading}\n") == 1
    included = INCLUDED.findall(text)
    assert included
    for path, name in included:
        module = importlib.import_module(path.removeprefix("../../").removesuffix(".py").replace("/", "."))
        assert callable(operator.attrgetter(name)(module))
    figures = FIGURE.findall(text)
    made = {str(path) for words in RUN["commands"](page) for path in RUN["outputs"](words)}
    assert figures
    assert made >= set(figures)


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in SYSTEMS.values() if page != "vanishing"])
def test_the_commands_of_a_page_make_its_figures(page, workplace, monkeypatch):
    monkeypatch.chdir(workplace)
    RUN["main"]([page])
    for figure in FIGURE.findall((COURSE / f"{page}.md").read_text()):
        assert (workplace / figure).read_text().startswith(("<svg", "<?xml")), figure


@pytest.mark.parametrize("page", SYSTEMS.values(), ids=SYSTEMS)
def test_the_settings_of_a_page_s_runs_are_known(page):
    for words in RUN["commands"](page):
        if words[3:4] == ["train"]:
            options = [word for word in words[5:] if word not in ("--overwrite", "--gradients")]
            pairs = list(zip(options[::2], options[1::2], strict=True))
            settings = [word for name, value in pairs if "." in name for word in (name, value)]
            recipe = (ROOT / words[4]).read_text()
            parse_recipe(recipe, FAMILIES, parse_overrides(settings), ROOT / words[4], find=False)
