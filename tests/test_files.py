"""Finding pipelines, recipes and vector files."""

import pytest

from treesent import files as paths
from treesent.errors import ModelError, RecipeError, VectorsError


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A package folder with pipelines and embeddings beside it, as in a checkout."""
    package = tmp_path / "treesent"
    package.mkdir()
    (tmp_path / "pipelines" / "en_treesent_sm").mkdir(parents=True)
    (tmp_path / "pipelines" / "en_treesent_sm" / "meta.json").write_text("{}")
    (tmp_path / "pipelines" / "tree_lstm.cfg").write_text("")
    (tmp_path / "embeddings").mkdir()
    (tmp_path / "embeddings" / "sources.toml").write_text("")
    monkeypatch.setattr(paths, "_PACKAGE", package)
    monkeypatch.chdir(package)
    return tmp_path


def test_names_are_found_in_the_checkout(checkout):
    assert paths.pipeline_path("en_treesent_sm") == checkout / "pipelines" / "en_treesent_sm"
    assert paths.recipe_path("tree_lstm") == checkout / "pipelines" / "tree_lstm.cfg"
    assert paths.recipe_path("tree_lstm.cfg") == checkout / "pipelines" / "tree_lstm.cfg"
    assert paths.embeddings_path("sources.toml") == checkout / "embeddings" / "sources.toml"


def test_an_installed_package_comes_before_the_checkout(checkout):
    inside = checkout / "treesent" / "pipelines" / "other"
    inside.mkdir(parents=True)
    (inside / "config.cfg").write_text("")
    assert paths.pipeline_path("other") == inside


def test_a_path_comes_before_a_name(checkout, tmp_path):
    own = tmp_path / "mine"
    own.mkdir()
    (own / "config.cfg").write_text("")
    assert paths.pipeline_path(own) == own
    recipe = tmp_path / "mine.cfg"
    recipe.write_text("")
    assert paths.recipe_path(str(recipe)) == recipe
    assert paths.recipe_path(tmp_path / "mine") == recipe


@pytest.mark.parametrize(
    ("find", "name", "error", "message"),
    [
        (
            paths.pipeline_path,
            "en_tresent_sm",
            ModelError,
            r"no pipeline 'en_tresent_sm': did you mean 'en_treesent_sm'",
        ),
        (
            paths.pipeline_path,
            "zzz",
            ModelError,
            r"the packaged ones: \['en_treesent_sm'\] \(tried .*pipelines/zzz\)",
        ),
        (paths.recipe_path, "tree_lst", RecipeError, r"no recipe 'tree_lst': did you mean 'tree_lstm'"),
        (paths.recipe_path, "nowhere/tree_lst.cfg", RecipeError, r"did you mean 'tree_lstm'"),
        (paths.embeddings_path, "source.toml", VectorsError, r"did you mean 'sources.toml'"),
    ],
)
def test_what_is_not_there_is_named(checkout, find, name, error, message):
    with pytest.raises(error, match=message):
        find(name)


def test_a_folder_that_is_no_pipeline_is_refused(checkout, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelError, match="no pipeline"):
        paths.pipeline_path(tmp_path / "empty")


def test_without_package_data_the_error_says_so(checkout, monkeypatch, tmp_path):
    monkeypatch.setattr(paths, "_PACKAGE", tmp_path / "elsewhere" / "treesent")
    with pytest.raises(ModelError, match="the packaged ones: none"):
        paths.pipeline_path("en_treesent_sm")
