"""A module imports only from rows above its own, and no row has a circle."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import treesent

PACKAGE = Path(treesent.__file__).parent

# DESIGN's table, with three places made exact. `architectures` and `pipeline_io` (the registry, and the
# folder of
# a model) know no pipeline and serve training, so they stand above it. Pictures need only arrays, and a
# TreeView draws itself, so `render` stands above the component.
ROWS = [
    ["errors", "paths", "__init__"],
    ["trees", "vectors"],
    ["nn"],
    ["data"],
    ["architectures", "pipeline_io", "render"],
    ["training"],
    ["component"],
    [
        "attention",
        "scoring",
        "evaluation",
        "curves",
        "language",
        "ranking",
        "train",
        "treebank",
        "cluster",
        "projector",
        "server",
    ],
    ["cli", "__main__"],
]
ROW_OF = {name: row for row, names in enumerate(ROWS) for name in names}


def modules():
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        yield path, ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


def imports(path, everywhere):
    """What a file imports of treesent: (module, line); type checking apart, and inside functions if asked."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = list(ast.walk(tree)) if everywhere else list(tree.body)
    typing = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for inner in ast.walk(node)
    }
    for node in nodes:
        if id(node) in typing:
            continue
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: write the whole name, treesent.x"
            yield node.module, node.lineno
            yield from ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)


def own(name):
    return name.split(".")[1] if name.startswith("treesent.") else None


def test_every_module_has_a_row():
    unknown = {name.split(".")[0] for _, name in modules()} - set(ROW_OF)
    assert not unknown, f"add {unknown} to ROWS, and to the design"


@pytest.mark.parametrize(("path", "name"), list(modules()), ids=lambda value: str(value).split("/")[-1])
def test_a_module_imports_from_above(path, name):
    row = ROW_OF[name.split(".")[0]]
    for target, line in imports(path, everywhere=True):
        if own(target) in ROW_OF:
            assert ROW_OF[own(target)] <= row, f"{path}:{line}: {name} is above {target}"


def test_no_circles():
    names = {name for _, name in modules()}
    graph = {}
    for path, name in modules():
        used = {target.removeprefix("treesent.") for target, _ in imports(path, everywhere=False)}
        graph[name] = {target for target in used if target in names and target != name}
        # A package's __init__ gathers what is in it.
        graph[name] = {target for target in graph[name] if not target.startswith(f"{name}.")}
    list(TopologicalSorter(graph).static_order())


def test_nn_and_trees_know_no_spacy_when_imported():
    for path, name in modules():
        if ROW_OF[name.split(".")[0]] <= ROW_OF["nn"]:
            roots = {target.split(".")[0] for target, _ in imports(path, everywhere=False)}
            assert not roots & {"spacy", "thinc"}, name


def test_importing_treesent_is_light():
    import subprocess
    import sys

    heavy = ("torch", "spacy", "gensim", "datasets")
    code = f"import sys, treesent; print([name for name in {heavy} if name in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "[]"
