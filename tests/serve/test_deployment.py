"""The page on deployment says what the command does."""

import configparser
import json
import re
import shlex
from pathlib import Path

import pytest

from treesent.cli import command
from treesent.serve import ServeOptions

PAGE = (Path(__file__).parents[2] / "docs" / "serve.md").read_text(encoding="utf-8")
SERVE = command.commands["serve"]
OPTIONS = {name: option for option in SERVE.params for name in option.opts}


def fence(kind):
    return re.search(rf"```{kind}\n(.*?)```", PAGE, re.DOTALL)[1]


def parsed(words):
    """The options that a command line gives; an error if there is no such option."""
    assert words[:3] == ["python", "-m", "treesent"] and words[3] == "serve"
    return SERVE.make_context("serve", words[4:]).params


def test_every_option_named_is_there():
    text = re.sub(r"docker run.*|treesent train.*", "", PAGE)
    named = set(re.findall(r"(?<![\w-])(--[a-z][a-z-]+)", text)) - {"--no-cache-dir", "--system"}
    assert named <= set(OPTIONS) and len(named) > 12, named - set(OPTIONS)


def test_the_defaults_of_the_table_are_those_of_the_command():
    defaults = ServeOptions()
    table = {
        "max_texts": "256", "max_length": "20,000", "max_requests": "256", "max_waiting": "200,000",
        "max_delay": "5 s", "batch_size": "64", "timeout": "30 s", "drain": "30 s", "workers": "1",
    }  # fmt: skip
    for name, written in table.items():
        assert float(written.rstrip(" s").replace(",", "")) == getattr(defaults, name), name
        assert written in PAGE
        assert OPTIONS[f"--{name.replace('_', '-')}"].default == getattr(defaults, name)
    assert defaults.max_body == OPTIONS["--max-body"].default == 2**20
    assert defaults.batch_wait == OPTIONS["--batch-wait"].default / 1000 == 0.002


def test_the_unit_of_systemd_starts_the_command():
    unit = configparser.ConfigParser(interpolation=None)
    unit.optionxform = str
    unit.read_string(fence("cfg"))
    assert unit.sections() == ["Unit", "Service", "Install"]
    interpreter, *words = shlex.split(unit["Service"]["ExecStart"])
    assert interpreter.endswith("/python")
    given = parsed(["python", *words])
    assert (given["workers"], list(given["allow_host"])) == (4, ["scores.example.org"])
    # systemd must not kill what is still draining.
    assert float(unit["Service"]["TimeoutStopSec"]) > given["drain"] + 5


def test_the_container_file_starts_the_command():
    lines = [line.split(maxsplit=1) for line in fence("dockerfile").splitlines() if not line.startswith("#")]
    known = {"FROM", "ENV", "WORKDIR", "COPY", "RUN", "USER", "EXPOSE", "STOPSIGNAL", "ENTRYPOINT"}
    assert {word for word, _ in lines} == known and lines[0][0] == "FROM"
    last = dict(lines)
    given = parsed(json.loads(last["ENTRYPOINT"]))
    assert given["host"] == "0.0.0.0" and last["USER"] == "treesent" and int(last["EXPOSE"]) == given["port"]
    version = re.search(r"python:(\d+\.\d+)", last["FROM"])[1]
    setup = (Path(__file__).parents[2] / "setup.py").read_text(encoding="utf-8")
    assert f'python_requires=">={version}"' in setup


@pytest.mark.parametrize("path", ["/v1/score", "/v1/tree.svg", "/v1/model", "/healthz", "/metrics"])
def test_the_paths_of_the_table_are_described(server, path):
    assert f"`{path}`" in PAGE.replace("`POST ", "`").replace("`GET ", "`")
    assert path in server.client.get("/openapi.json").json()["paths"]
