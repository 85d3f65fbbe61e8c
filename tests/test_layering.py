"""The floors of the house: a module imports from lower floors only, and rooms of a floor stand apart."""

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import treesent

PACKAGE = Path(treesent.__file__).parent

# The lowest floor first. Every import counts, inside functions too, type checking apart. Within `models` a
# classifier may hold a parser and begin with the cells of a language model; those two know neither it nor
# each other, and the modules at the top of `models` know all three.
FLOORS = [
    ["version", "errors", "types", "files", "config"],
    ["trees", "vectors", "client"],
    ["text"],
    ["nn", "data", "metrics", "render"],
    ["training"],
    ["models.parser", "models.language"],
    ["models.classifier"],
    ["models"],
    ["pipeline"],
    ["scoring", "projector"],
    ["cluster", "opinions", "serve"],
    ["registration"],
    ["__init__"],
    ["cli"],
    ["__main__"],
]
FLOOR_OF = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
NO_SPACY = ("trees", "nn", "training", "metrics")


def modules():
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        yield path, ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


NAMES = {name for _, name in modules()}


def imports(path, everywhere=True):
    """What a file imports: (module, line), type checking apart."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    typing = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree) if everywhere else tree.body:
        if id(node) in typing:
            continue
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: write the whole name, treesent.x"
            inner = [f"{node.module}.{alias.name}" for alias in node.names]
            known = [name for name in inner if name.removeprefix("treesent.") in NAMES]
            yield from ((name, node.lineno) for name in known or [node.module])


def room(name):
    """The room of a module: its folder, or the module itself at the top."""
    name = name.removeprefix("treesent.")
    return next((r for r in (".".join(name.split(".")[:2]), name.split(".")[0]) if r in FLOOR_OF), None)


def own(name):
    """Where an import of treesent's leads: a room, or None for another package's."""
    return "__init__" if name == "treesent" else room(name) if name.startswith("treesent.") else None


def test_every_module_has_a_room():
    homeless = {name for name in NAMES if room(name) is None}
    assert not homeless, f"add {homeless} to FLOORS, and to docs/internals"


@pytest.mark.parametrize(("path", "name"), list(modules()), ids=lambda value: str(value).split("/")[-1])
def test_a_module_imports_from_lower_floors(path, name):
    here = room(name)
    for target, line in imports(path):
        there = own(target)
        if there is not None and there != here and not (FLOOR_OF[there] == FLOOR_OF[here] == 0):
            assert FLOOR_OF[there] < FLOOR_OF[here], f"{path}:{line}: {name} must not know {target}"


def test_no_circles():
    graph = {}
    for path, name in modules():
        used = {target.removeprefix("treesent.") for target, _ in imports(path)}
        # A package's __init__ gathers what is in it.
        graph[name] = {t for t in used & NAMES if t != name and not t.startswith(f"{name}.")}
    list(TopologicalSorter(graph).static_order())


def test_networks_and_trees_know_no_spacy():
    for path, name in modules():
        if room(name) in NO_SPACY:
            roots = {target.split(".")[0] for target, _ in imports(path)}
            assert not roots & {"spacy", "thinc"}, name


def loaded(code):
    """The modules that are loaded after some code has run in a fresh process."""
    code += "\nimport sys; print(*sorted(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(run.stdout.split())


def test_importing_treesent_is_light():
    assert not loaded("import treesent") & {"torch", "spacy", "gensim", "datasets", "httpx"}


def test_the_client_needs_no_network():
    names = loaded("import treesent; treesent.Client('http://127.0.0.1:1')")
    assert "httpx" in names and not names & {"torch", "spacy", "thinc", "numpy"}


def test_scoring_loads_nothing_of_training():
    names = loaded(
        "import treesent.pipeline.component, treesent.scoring\n"
        "nlp = treesent.load()\ndoc = nlp('Fine.')\nassert doc._.sentiment.label"
    )
    training = {name for name in names if name.startswith("treesent.training")}
    tasks = {name for name in names if name.endswith((".task", ".trainer")) and name.startswith("treesent.")}
    assert not training | tasks
