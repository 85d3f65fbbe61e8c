import bz2
import gzip
import lzma
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from treesent.errors import VectorsError
from treesent.vectors.fit import with_fitted_subwords
from treesent.vectors.formats import read_vectors, text, write_vectors
from treesent.vectors.table import VectorTable

WORDS = ["the", ",", "naïve", "Good", "good", "#", "it's", "\u2028x", "\xa0"]


def table(words=WORDS, width=5):
    matrix = np.random.default_rng(0).standard_normal((len(words), width)).astype(np.float32)
    return VectorTable(list(words), matrix)


def same(read, written):
    assert read.words == list(written.words)
    np.testing.assert_array_equal(read.matrix, written.dense())


@pytest.mark.parametrize(
    "name", ["v.txt", "v.vec", "v.bin", "v.kv", "v.npy", "folder", "v.txt.gz", "v.vec.bz2", "v.bin.xz"]
)
def test_what_is_written_reads_back_exactly(tmp_path, name):
    write_vectors(table(), tmp_path / name)
    same(read_vectors(tmp_path / name, trust_pickle=True), table())
    assert not list(tmp_path.glob("*.partial"))


@pytest.mark.parametrize("name", ["v.txt", "v.vec", "v.bin"])
@pytest.mark.parametrize("block", [7, 64, 1 << 18])
def test_every_block_size_reads_the_same(tmp_path, monkeypatch, name, block):
    big = table([f"w{i}" for i in range(300)])
    write_vectors(big, tmp_path / name)
    # The header and the usual width are found in the first block, which holds a few lines at least.
    monkeypatch.setattr(text, "BLOCK", max(block, 200))
    monkeypatch.setattr("treesent.vectors.formats.binary.BLOCK", max(block, 8192))
    same(read_vectors(tmp_path / name), big)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # gensim leaves a file open
def test_gensim_reads_what_is_written(tmp_path):
    from gensim.models import KeyedVectors

    plain = table(["the", "good", "naïve"])
    for name, options in (("v.vec", {}), ("v.bin", {"binary": True}), ("v.txt", {"no_header": True})):
        write_vectors(plain, tmp_path / name)
        loaded = KeyedVectors.load_word2vec_format(tmp_path / name, **options)
        assert loaded.index_to_key == plain.words
        np.testing.assert_array_equal(loaded.vectors, plain.matrix)
    write_vectors(plain, tmp_path / "v.kv")
    np.testing.assert_array_equal(KeyedVectors.load(str(tmp_path / "v.kv")).vectors, plain.matrix)


def test_what_gensim_writes_is_read(tmp_path):
    from gensim.models import KeyedVectors, Word2Vec

    plain = table(["the", "good", "naïve"])
    vectors = KeyedVectors(5)
    vectors.add_vectors(plain.words, plain.matrix)
    vectors.save_word2vec_format(tmp_path / "v.txt")
    np.testing.assert_allclose(read_vectors(tmp_path / "v.txt").matrix, plain.matrix, rtol=1e-6)
    vectors.save_word2vec_format(tmp_path / "v.bin", binary=True)
    same(read_vectors(tmp_path / "v.bin"), plain)
    model = Word2Vec([["a", "b", "c"]] * 5, vector_size=4, min_count=1, workers=1, seed=1)
    model.save(str(tmp_path / "w2v.model"))
    same(
        read_vectors(tmp_path / "w2v.model", trust_pickle=True),
        VectorTable(model.wv.index_to_key, model.wv.vectors),
    )


@pytest.mark.parametrize("saved", ["facebook", "gensim"])
def test_fasttext_gives_unknown_words_its_own_vectors(tmp_path, saved):
    from gensim.models import FastText
    from gensim.models.fasttext import save_facebook_model

    texts = [["playing", "played", "naïveté", "goed"], ["acting", "acted", "the", "的电影"]] * 20
    model = FastText(
        texts, vector_size=8, min_count=1, min_n=2, max_n=4, bucket=500, workers=1, seed=1, epochs=2
    )
    if saved == "facebook":
        save_facebook_model(model, str(tmp_path / "f.bin"))
    else:
        model.save(str(tmp_path / "f.bin"))
    read = read_vectors(tmp_path / "f.bin", trust_pickle=True)
    for word in ["played", "player", "naïf", "电影的", "x"]:
        np.testing.assert_allclose(read.vector(word), model.wv[word], rtol=2e-5, atol=1e-6)
    small = read.quantise()
    small.save(tmp_path / "saved")
    np.testing.assert_array_equal(
        VectorTable.load(tmp_path / "saved").vector("player"), small.vector("player")
    )
    np.testing.assert_allclose(small.vector("player"), model.wv["player"], atol=0.01)


def test_spacy_vocab_and_pipeline(tmp_path):
    import spacy

    plain = table(["the", "good", "naïve"])
    write_vectors(plain, tmp_path / "vocab", "spacy")
    same(read_vectors(tmp_path / "vocab"), plain)
    nlp = spacy.blank("en")
    nlp.vocab.from_disk(tmp_path / "vocab")
    nlp.to_disk(tmp_path / "pipeline")
    same(read_vectors(tmp_path / "pipeline"), plain)
    spacy.blank("en").to_disk(tmp_path / "blank")
    with pytest.raises(VectorsError, match="no word vectors"):
        read_vectors(tmp_path / "blank")


def test_floret_vectors_need_a_vocabulary(tmp_path):
    import spacy
    from spacy.vectors import Vectors

    nlp = spacy.blank("en")
    data = np.random.default_rng(0).standard_normal((50, 4)).astype(np.float32)
    nlp.vocab.vectors = Vectors(
        strings=nlp.vocab.strings, data=data, mode="floret", hash_count=2, minn=2, maxn=4, bow="<", eow=">"
    )
    nlp.to_disk(tmp_path / "floret")
    read = read_vectors(tmp_path / "floret", vocabulary=["good", "bad"])
    for word in ("good", "bad"):
        np.testing.assert_allclose(read.vector(word), nlp.vocab[word].vector, rtol=1e-5)
    with pytest.raises(VectorsError, match="--vocabulary"):
        read_vectors(tmp_path / "floret")


def test_npy_is_mapped_and_words_are_found(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    plain = table()
    np.save(tmp_path / "m.npy", plain.matrix)
    with pytest.raises(VectorsError, match="--words"):
        read_vectors(tmp_path / "m.npy")
    pq.write_table(pa.table({"rank": list(range(len(plain))), "word": plain.words}), tmp_path / "w.parquet")
    read = read_vectors(tmp_path / "m.npy", words=tmp_path / "w.parquet")
    assert isinstance(read.matrix, np.memmap)
    same(read, plain)
    same(
        read_vectors(tmp_path / "m.npy", words=tmp_path / "w.parquet", most_frequent=2),
        plain.most_frequent(2),
    )


def test_glove_package(glove):
    read = read_vectors(
        glove / "glove_6B_50d_emb.npy", words=glove / "glove_6B_index.parquet", most_frequent=1000
    )
    assert read.words[:3] == ["the", ",", "."] and read.matrix.shape == (1000, 50)


def test_safetensors(tmp_path):
    from safetensors.numpy import save_file

    plain = table()
    save_file({"embeddings": plain.matrix}, tmp_path / "m.safetensors")
    (tmp_path / "m.txt").write_text("\n".join(plain.words) + "\n", encoding="utf-8")
    same(read_vectors(tmp_path / "m.safetensors"), plain)
    save_file({"a": plain.matrix, "b": plain.matrix}, tmp_path / "m.safetensors")
    with pytest.raises(VectorsError, match="should hold one matrix"):
        read_vectors(tmp_path / "m.safetensors")


def test_a_treesent_folder_keeps_its_subwords(tmp_path):
    full = with_fitted_subwords(table(["playing", "played", "acting", "acted"])).quantise()
    full.save(tmp_path)
    read = read_vectors(tmp_path, vocabulary=["acted", "played"])
    assert read.words == ["played", "acted"] and read.matrix.dtype == np.int8
    np.testing.assert_array_equal(read.vector("player"), full.vector("player"))
    assert read_vectors(tmp_path, half=True).matrix.dtype == np.float16


@pytest.mark.parametrize("name", ["v.txt", "v.vec", "v.bin", "v.npy", "v.kv", "folder"])
def test_selection_is_the_same_in_every_format(tmp_path, name):
    plain = table()
    write_vectors(plain, tmp_path / name)
    same(read_vectors(tmp_path / name, most_frequent=3, trust_pickle=True), plain.most_frequent(3))
    same(
        read_vectors(tmp_path / name, vocabulary=["good", "the", "absent"], trust_pickle=True),
        plain.take(np.array([0, 3, 4])),
    )
    half = read_vectors(tmp_path / name, half=True, trust_pickle=True)
    assert half.matrix.dtype == np.float16
    np.testing.assert_array_equal(half.matrix, plain.matrix.astype(np.float16))
    with pytest.raises(VectorsError, match="none of the vocabulary"):
        read_vectors(tmp_path / name, vocabulary=["absent"], trust_pickle=True)
    with pytest.raises(VectorsError, match="at least 1"):
        read_vectors(tmp_path / name, most_frequent=0, trust_pickle=True)


def test_lower_keeps_the_first_of_those_that_fall_together(tmp_path):
    write_vectors(table(["Good", "good", "Bad"]), tmp_path / "v.vec")
    read = read_vectors(tmp_path / "v.vec", lower=True)
    assert read.words == ["good", "bad"]
    np.testing.assert_array_equal(read.matrix, table(["Good", "good", "Bad"]).matrix[[0, 2]])


def test_packed_files(tmp_path):
    write_vectors(table(), tmp_path / "v.vec")
    data = (tmp_path / "v.vec").read_bytes()
    for name, pack in (("a", gzip.compress), ("b", bz2.compress), ("c", lzma.compress)):
        (tmp_path / name).write_bytes(pack(data))
        same(read_vectors(tmp_path / name), table())
        (tmp_path / name).write_bytes(pack(data)[:-20])
        with pytest.raises(VectorsError, match="cut short or damaged"):
            read_vectors(tmp_path / name)
    with zipfile.ZipFile(tmp_path / "d.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("v.vec", data)
    same(read_vectors(tmp_path / "d.zip"), table())
    with zipfile.ZipFile(tmp_path / "d.zip", "a") as archive:
        archive.writestr("other.txt", "a 1\n")
    with pytest.raises(VectorsError, match=r"--member: v\.vec, other\.txt"):
        read_vectors(tmp_path / "d.zip")
    same(read_vectors(tmp_path / "d.zip", member="v.vec"), table())
    (tmp_path / "d.zip").write_bytes((tmp_path / "d.zip").read_bytes()[:60])
    with pytest.raises(VectorsError, match="cut short or damaged"):
        read_vectors(tmp_path / "d.zip", member="v.vec")


@pytest.mark.parametrize(
    "content",
    [
        "a 1 2\nb 3 4\n",
        "a 1 2\nb 3 4",
        "2 2\na 1 2\nb 3 4\n\n\n",
        "a 1 2 \nb 3 4 \n",
        "a 1 2\r\nb 3 4\r\n",
        "a\t1\t2\nb\t3\t4\n",
        "a 1e0 2.0\nb  3 4\n",
    ],
)
def test_ways_to_write_the_same_text(tmp_path, content):
    (tmp_path / "v.txt").write_bytes(content.encode())
    same(read_vectors(tmp_path / "v.txt"), VectorTable(["a", "b"], np.array([[1, 2], [3, 4]], np.float32)))


def test_words_with_blanks_as_glove_840b_has_them(tmp_path):
    (tmp_path / "v.txt").write_text("the 1 2\n. . . 3 4\nat name@domain.com 5 6\n")
    read = read_vectors(tmp_path / "v.txt")
    assert read.words == ["the", ". . .", "at name@domain.com"]
    assert read.matrix.tolist() == [[1, 2], [3, 4], [5, 6]]


def test_whole_numbers_without_a_header(tmp_path):
    (tmp_path / "v.txt").write_text("1 5\n2 7\n")
    assert read_vectors(tmp_path / "v.txt").words == ["1", "2"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty"),
        (" \n\n", "is empty"),
        ("a\nb\n", ":1:1: this line has no numbers"),
        ("a 1 2\nb 3\nc 5 6\n", ":2:1: 1 numbers, not 2"),
        ("a 1 2\nb 3 4\nc 5 6 7\n", ":3:1: 3 numbers, not 2"),
        ("a 1 2\nb 3 4\n\nc 5 6\n", ":3:1: 0 numbers, not 2"),
        ("a 1 2\nb 3 x\n", ":2:5: 'x' is not a number: mend or remove the row"),
        ("a 1 2\nb 1_0 4\n", ":2:3: '1_0' is not a number"),
        ("a 1 2\nb 1.2.3 4\n", r":2:3: '1\.2\.3' is not a number"),
        ("a 1 2\nb nan 4\n", ":2:3: nan is not finite"),
        ("a 1 2\nb 3 -inf\n", ":2:5: -inf is not finite"),
        ("a 1 2\nb 3 1e99\n", ":2:5: 1e99 is too large"),
        ("a 1 2\nb 3 4\na 5 6\n", r"the word 'a' occurs twice .lines 1 and 3.: keep the first"),
        ("3 2\na 1 2\nb 3 4\n", ":1:1: the header promises 3 words, the file has 2"),
        ("1 2\na 1 2\nb 3 4\n", ":1:1: the header promises 1 words, the file has 2"),
        ("2 3\na 1 2\nb 3 4\n", ":1:1: the header promises 3 numbers a word, the first rows have 2"),
        ("2 99999999999999\na 1 2\nb 3 4\n", "the first rows have 2"),
        (b"a 1 2\nb\xff 3 4\n", ":2:2: the word .* is not UTF-8"),
    ],
)
def test_a_broken_text_names_the_place_and_the_fix(tmp_path, content, message):
    path = tmp_path / "v.txt"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(VectorsError, match=message) as caught:
        read_vectors(path)
    assert str(path) in str(caught.value)


def test_duplicates_first_keeps_the_first(tmp_path):
    (tmp_path / "v.txt").write_text("a 1 2\nb 3 4\na 5 6\n")
    assert read_vectors(tmp_path / "v.txt", duplicates="first").matrix.tolist() == [[1, 2], [3, 4]]


def test_a_number_too_large_for_half_precision(tmp_path):
    (tmp_path / "v.txt").write_text("a 1 70000\n")
    with pytest.raises(VectorsError, match="70000 is too large: leave --half out"):
        read_vectors(tmp_path / "v.txt", half=True)


def test_broken_binary_files(tmp_path):
    path = tmp_path / "v.bin"
    write_vectors(table(["a", "b", "c"]), path)
    whole = path.read_bytes()
    for length in range(6, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(VectorsError, match=r"v\.bin"):
            read_vectors(path)
    path.write_bytes(whole + b"more")
    with pytest.raises(VectorsError, match="more follows after the 3 words"):
        read_vectors(path)
    path.write_bytes(whole.replace(b"b ", b"\xff\xfe ", 1))
    with pytest.raises(VectorsError, match=r"word 2 .* is not UTF-8"):
        read_vectors(path)
    nan = whole[:6] + np.array([np.nan], "<f4").tobytes() + whole[10:]
    path.write_bytes(nan)
    with pytest.raises(VectorsError, match="holds NaN"):
        read_vectors(path)
    write_vectors(table(["a", "b", "c"]), path)
    path.write_bytes(path.read_bytes().replace(b"\nb ", b"\na "))
    with pytest.raises(VectorsError, match="'a' is in rows 0 and 1"):
        read_vectors(path)


@pytest.mark.parametrize("name", ["m.npy", "m.safetensors", "m.bin", "m.model", "w.parquet"])
def test_files_that_are_not_what_they_say(tmp_path, name):
    start = {"m.npy": b"\x93NUMPY\x01\0", "m.bin": b"\xba\x16\x4f\x2f", "m.model": b"\x80\x04"}.get(name, b"")
    (tmp_path / name).write_bytes(start + b"\x05 rubbish")
    if name == "w.parquet":
        np.save(tmp_path / "w.npy", np.ones((1, 2), np.float32))
        name = "w.npy"
    with pytest.raises(VectorsError, match=r"cut short|not a file that gensim"):
        read_vectors(tmp_path / name, trust_pickle=True)


def test_a_missing_file_and_a_strange_folder(tmp_path):
    with pytest.raises(VectorsError, match="does not exist"):
        read_vectors(tmp_path / "nothing.txt")
    with pytest.raises(VectorsError, match="neither treesent"):
        read_vectors(tmp_path)


def test_words_and_rows_that_do_not_match(tmp_path):
    np.save(tmp_path / "m.npy", np.ones((3, 2), np.float32))
    (tmp_path / "m.txt").write_text("a\nb\n")
    with pytest.raises(VectorsError, match=r"m\.txt has 2 words, .*m\.npy has 3 rows"):
        read_vectors(tmp_path / "m.npy")
    (tmp_path / "m.txt").write_text("a\nb\na\n")
    with pytest.raises(VectorsError, match=r"m\.npy: the word 'a' is in rows 0 and 2"):
        read_vectors(tmp_path / "m.npy")
    (tmp_path / "m.txt").write_text("a\nb\nc\n")
    np.save(tmp_path / "m.npy", np.array([[1], [np.inf], [1]], np.float32))
    with pytest.raises(VectorsError, match=r"m\.npy: row 1 .'b'. holds NaN or infinity"):
        read_vectors(tmp_path / "m.npy")
    np.save(tmp_path / "m.npy", np.array(["a"]))
    with pytest.raises(VectorsError, match="not float rows"):
        read_vectors(tmp_path / "m.npy")


def test_a_word_that_a_format_cannot_hold(tmp_path):
    with pytest.raises(VectorsError, match="'a b' cannot stand in this format"):
        write_vectors(table(["a b"]), tmp_path / "v.vec")
    with pytest.raises(VectorsError, match="does not tell a format"):
        write_vectors(table(["a"]), tmp_path / "v.docx")
    with pytest.raises(VectorsError, match="not written as"):
        write_vectors(table(["a"]), tmp_path / "v.npy.gz")
    assert not list(tmp_path.iterdir())


@given(
    st.lists(
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n \r\t"), min_size=1),
        unique=True,
        min_size=2,
        max_size=8,
    ),
    st.integers(2, 4),
)
def test_any_words_survive_text_and_binary(tmp_path_factory, words, width):
    folder = tmp_path_factory.mktemp("any")
    plain = table(words, width)
    for name in ("v.vec", "v.bin"):
        write_vectors(plain, folder / name)
        same(read_vectors(folder / name), plain)
