"""Broken inputs and what a user is told about each: the place, the value, and the way out.

An entry is a name, the input, and pieces of the message, all of which must be in it. Each table below is read
by one test of ``test_bad_input.py``.
"""

import gzip

#: A file of bracketed trees.
TREES = {
    "empty file": (b"", ["t.txt:1:1:", "no tree", "one bracketed tree a line"]),
    "only blank lines": (b"\n \n", ["t.txt:1:1:", "no tree"]),
    "never closed": (b"(3 (2 good) (2 film)", ["t.txt:1:1:", "never closed", "1 more ')'"]),
    "closed too often": (b"(3 (2 good) (2 film)))", ["t.txt:1:22:", "without an opening one", "remove it"]),
    "begins closed": (b")(2 film)", ["t.txt:1:1:", "without an opening one"]),
    "second line": (b"(2 ok)\n\n(3 (2 a) (2 b)", ["t.txt:3:1:", "never closed"]),
    "no label": (b"(3 ((2 a) (2 b)) (2 c))", ["t.txt:1:4:", "without a label", "expected 0 to 4"]),
    "leaf without a label": (b"(3 (good) (2 film))", ["t.txt:1:4:", "leaf without a label", "(2 good)"]),
    "label is a word": (b"(3 (pos good) (2 film))", ["t.txt:1:4:", "'pos' is not a number", "0 to 4"]),
    "label is a fraction": (b"(3 (2.5 good) (2 film))", ["t.txt:1:4:", "'2.5' is not a number"]),
    "label too large": (b"(5 (2 good) (2 film))", ["t.txt:1:1:", "label 5 is outside", "0 to 4"]),
    "label below 0": (b"(3 (-1 good) (2 film))", ["t.txt:1:4:", "label -1 is outside"]),
    "three children": (b"(3 (2 a) (2 b) (2 c))", ["t.txt:1:16:", "third child", "binarise"]),
    "one child": (b"(3 (2 (2 a)) (2 b))", ["t.txt:1:4:", "one child", "remove the bracket"]),
    "empty bracket": (b"(3 () (2 film))", ["t.txt:1:4:", "empty bracket", "(2 film)"]),
    "label alone": (b"(3 (2) (2 film))", ["t.txt:1:4:", "nothing after its label 2", "(2 film)"]),
    "text after the root": (b"(3 (2 a) (2 b)) more", ["t.txt:1:17:", "more"]),
    "second root": (b"(2 a) (2 b)", ["t.txt:1:7:", "second tree", "one tree a line"]),
    "no brackets": (b"just words", ["t.txt:1:1:", "just"]),
    "word beside a child": (b"(3 good (2 film))", ["t.txt:1:4:", "good"]),
    "not utf-8": (b"(2 ok)\n(2 na\xefve)", ["t.txt:2:6:", "0xef", "save the file as UTF-8"]),
    "utf-16": ("(2 ok)".encode("utf-16"), ["t.txt:1:1:", "0xff", "UTF-8"]),
}

#: A table to score: its name, its content, options of ``score``.
TABLES = {
    "csv without a byte": ("a.csv", b"", {}, ["a.csv: empty", "header"]),
    "csv, column missing": ("a.csv", b"txt,k\na,1\n", {}, ["no column 'text'", "did you mean 'txt'"]),
    "csv, id missing": ("a.csv", b"text,k\na,1\n", {"id_column": "id"}, ["no column 'id'", "'text', 'k'"]),
    "csv, same name twice": ("a.csv", b"text,k,k\na,1,2\n", {}, ["a.csv:1:", "'k' stands twice"]),
    "csv, header not utf-8": ("a.csv", b"te\xffxt\na\n", {}, ["a.csv:1:", "0xff", "save the file as UTF-8"]),
    "csv, header open": ("a.csv", b'"text,k\na,1\n', {}, ["a.csv:1:", "never closed"]),
    "csv in cp1252": (
        "a.csv",
        "text\ncafé\n".encode("cp1252"),
        {},
        ["a.csv:2:", "UTF-8", "--encoding cp1252"],
    ),
    "csv, a field too few": ("a.csv", b"text,k\na,1\nb\n", {}, ["a.csv:3: row 2:", "1 columns", "has 2"]),
    "csv, a field too many": ("a.csv", b"text,k\na,1,2\n", {}, ["a.csv:2: row 1:", "3 columns", "has 2"]),
    "csv, quote left open": (
        "a.csv",
        b'text,k\na,1\n"b,2\nc,3\n',
        {},
        ["a.csv:3: row 2:", "field 1", "closing"],
    ),
    "csv, quote in a quote": ("a.csv", b'text,k\n"a "b" c",1\n', {}, ["a.csv:2: row 1:", "field 1", "twice"]),
    "csv, nul": ("a.csv", b"text\na\0b\n", {}, ["a.csv:2: row 1:", "NUL"]),
    "csv, not utf-8": ("a.csv", b"text\nok\nna\xefve\n", {}, ["a.csv:3: row 2:", "0xef", "--on-error skip"]),
    "csv, clash": ("a.csv", b"text,polarity\na,1\n", {}, ["'polarity'", "--prefix"]),
    "csv, id empty": ("a.csv", b"text,id\na,\n", {"id_column": "id"}, ["a.csv:2:", "'id' is empty"]),
    "tsv, a field too few": ("a.tsv", b"text\tk\na\n", {}, ["a.tsv:2: row 1:", "1 columns"]),
    "txt, not utf-8": ("a.txt", b"ok\n\xff\n", {}, ["a.txt:2: row 2:", "0xff"]),
    "txt, other column": ("a.txt", b"ok\n", {"text_column": "review"}, ["no column 'review'", "'text'"]),
    "txt, too long": ("a.txt", b"x" * 1_000_001, {}, ["a.txt:1:", "1000001 characters", "split it"]),
    "json, cut short": ("a.jsonl", b'{"text": "a"}\n{"text": "b', {}, ["a.jsonl:2: row 2:", "broken JSON"]),
    "json, list": ("a.jsonl", b'["a"]\n', {}, ["a.jsonl:1:", "object expected, found list"]),
    "json, no field": ("a.jsonl", b'{"review": "a"}\n', {}, ["a.jsonl:1:", "no column 'text'"]),
    "json, number": ("a.jsonl", b'{"text": 5}\n', {}, ["a.jsonl:1:", "'text' is '5'", "text was expected"]),
    "json, nan": ("a.jsonl", b'{"text": "a", "x": NaN}\n', {}, ["a.jsonl:1:", "NaN is not a JSON value"]),
    "json, half a pair": ("a.jsonl", b'{"text": "\\ud83d"}\n', {}, ["a.jsonl:1:", "surrogate pair"]),
    "json, too deep": ("a.jsonl", b"[" * 100_000, {}, ["a.jsonl:1:", "broken JSON"]),
    "gzip, no gzip": ("a.csv.gz", b"text\na\n", {}, ["a.csv.gz", "damaged"]),
    "parquet, no parquet": ("a.parquet", b"text\na\n", {}, ["a.parquet", "not a parquet file"]),
    "parquet, empty": ("a.parquet", b"", {}, ["a.parquet", "not a parquet file"]),
    "no workbook": ("a.xlsx", b"PK", {}, ["a.xlsx", "not an Excel file"]),
    "unknown suffix": ("a.docx", b"PK", {}, ["'.docx' names no kind", "--format"]),
}

#: A file of word vectors: its name and content.
VECTORS = {
    "vectors, empty": ("v.txt", b"", ["v.txt is empty", "a word and its numbers a line"]),
    "text, no vectors": ("v.txt", b"just some words\nin a file\n", ["v.txt:1:6:", "'some' is not a number"]),
    "only words": ("v.txt", b"good\nbad\n", ["v.txt:1:1:", "no numbers"]),
    "row too short": ("v.txt", b"a 1 2 3\nb 1 2 3\nc 1 2\n", ["v.txt:3:1:", "2 numbers, not 3", "mend"]),
    "row too long": ("v.txt", b"a 1 2 3\nb 1 2 3 4\nc 1 2 3\n", ["v.txt:2:1:", "4 numbers, not 3"]),
    "empty row": ("v.txt", b"a 1 2 3\n\nb 1 2 3\n", ["v.txt:2:1:", "0 numbers, not 3"]),
    "no number": ("v.txt", b"a 1 2 3\nb 1 x 3\n", ["v.txt:2:5:", "'x' is not a number"]),
    "decimal commas": ("v.txt", b"a 1,0 2,0\nb 1,0 2,0\n", ["v.txt:1:3:", "'1,0' is not a number"]),
    "nan": ("v.txt", b"a 1 2 3\nb 1 nan 3\n", ["v.txt:2:5:", "nan is not finite"]),
    "infinity": ("v.txt", b"a 1 2 3\nb 1 inf 3\n", ["v.txt:2:5:", "inf is not finite"]),
    "too large": ("v.txt", b"a 1 2 3\nb 1 1e99 3\n", ["v.txt:2:5:", "1e99 is too large", "mend or remove"]),
    "a word twice": ("v.txt", b"a 1 2\nb 1 2\na 3 4\n", ["v.txt", "'a' occurs twice", "--duplicates first"]),
    "a word not utf-8": ("v.txt", b"a 1 2 3\nna\xefve 1 2 3\n", ["v.txt:2:3:", "not UTF-8", "save the file"]),
    "vectors in utf-16": ("v.txt", "a 1 2\n".encode("utf-16"), ["v.txt:1:1:", "not UTF-8"]),
    "fewer than promised": ("v.txt", b"3 2\na 1 2\nb 1 2\n", ["v.txt:1:1:", "3 words", "has 2", "cut short"]),
    "more than promised": ("v.txt", b"1 2\na 1 2\nb 1 2\n", ["v.txt:1:1:", "1 words", "has 2"]),
    "other width promised": ("v.txt", b"2 3\na 1 2\nb 1 2\n", ["v.txt:1:1:", "3 numbers a word", "have 2"]),
    "gzip cut short": ("v.txt.gz", gzip.compress(b"a 1 2\n" * 999)[:-9], ["v.txt.gz is cut short", "fetch"]),
    "zip cut short": ("v.zip", b"PK\x03\x04abc", ["v.zip is cut short", "fetch it again"]),
    "binary cut short": (
        "v.bin",
        b"2 2\na " + bytes(8) + b"b " + bytes(4),
        ["v.bin", "word 2 of 2", "cut short"],
    ),
    "binary too long": (
        "v.bin",
        b"1 2\na " + bytes(8) + b"b " + bytes(8),
        ["v.bin", "more follows", "1 words"],
    ),
    "binary not utf-8": ("v.bin", b"1 2\n\xff " + bytes(8), ["v.bin", "word 1", "not UTF-8"]),
    "npy of nothing": ("v.npy", b"\x93NUMPYxx", ["v.npy is cut short or not an .npy array"]),
    "safetensors of nothing": ("v.safetensors", b"abc", ["v.safetensors is cut short or not safetensors"]),
}

#: The text of a recipe that replaces a part of a good one.
RECIPES = {
    "unknown section": ("[labels]", "[lables]", ["[lables] is unknown", "did you mean 'labels'"]),
    "section missing": ("[model]", "[paths]", ["[model] is missing"]),
    "unknown key": ("seed = 1", "sede = 1", ["training.sede is unknown", "did you mean 'seed'"]),
    "key missing": ('dev = "t.txt"', "", ["corpora.dev is missing", "[corpora]"]),
    "word for a number": ("seed = 1", 'seed = "one"', ["training.seed is 'one'", "an integer"]),
    "fraction for a whole number": ("seed = 1", "seed = 1.5", ["training.seed is 1.5", "an integer"]),
    "below 0": ("seed = 1", "seed = -1", ["training.seed is -1", "at least 0"]),
    "no epoch": ("seed = 1", "max_epochs = 0", ["training.max_epochs is 0", "at least 1"]),
    "unknown metric": ("seed = 1", 'metric = "f1"', ["training.metric is 'f1'", "root.accuracy_5"]),
    "unknown choice": ('kind = "sgd"', 'kind = "adam"', ["training.optimizer.kind is 'adam'", "'adamw'"]),
    "learning rate 0": ('kind = "sgd"', "learn_rate = 0", ["training.optimizer.learn_rate is 0", "above 0"]),
    "true for a number": ("seed = 1", "clip_norm = true", ["training.clip_norm is true", "a number"]),
    "trees not there": ('train = "t.txt"', 'train = "none.txt"', ["no file 'none.txt'", "tried"]),
    "one class": ('names = ["bad", "good"]', 'names = ["bad"]', ["labels.names is ['bad']", "two or more"]),
    "class twice": (
        'names = ["bad", "good"]',
        'names = ["a", "a"]',
        ["labels.names", "each name must be different"],
    ),
    "polarity too short": (
        "polarity = [-1.0, 1.0]",
        "polarity = [1.0]",
        ["labels.polarity is [1.0]", "2 names"],
    ),
    "variable not set": (
        "seed = 1",
        "seed = ${env.TREESENT_NO_SUCH}",
        ["the environment variable TREESENT_NO_SUCH is not set", "set it"],
    ),
    "no such value": ("seed = 1", "seed = ${paths.none}", ["is not a valid recipe", "none"]),
    "broken syntax": ("[labels]", "[labels", ["is not a valid recipe"]),
    "architecture is a list": (
        '"treesent.TreeLSTM.v1"',
        "[1]",
        ["model.@architectures is [1]", "not a known model"],
    ),
    "same section twice": ("[labels]", "[model]", ["is not a valid recipe", "model"]),
}

#: A file of a trained model, and what happens to it: None removes it, bytes replace it.
MODELS = {
    "no config": ("config.json", None, ["config.json is missing"]),
    "config cut short": ("config.json", "cut", ["config.json is damaged", "copy or train"]),
    "config empty": ("config.json", b"", ["config.json is damaged"]),
    "config no object": ("config.json", b"[]", ["config.json is damaged"]),
    "config, byte flipped": ("config.json", "flip", ["config.json"]),
    "config of the future": ("config.json", b'{"format": 99}', ["config.json is of format 99", "install"]),
    "weights missing": ("weights.safetensors", None, ["weights.safetensors is missing", "copy"]),
    "weights cut short": ("weights.safetensors", "cut", ["weights.safetensors is cut short", "copy"]),
    "weights, byte flipped": ("weights.safetensors", "flip", ["weights.safetensors is cut short or damaged"]),
    "weights empty": ("weights.safetensors", b"", ["weights.safetensors is cut short or damaged"]),
    "vectors missing": ("vectors/*", None, ["vectors", "is missing"]),
    "vectors cut short": ("vectors/*", "cut", ["vectors", "cut short"]),
    "vectors, byte flipped": ("vectors/*", "flip", ["vectors", "damaged"]),
}

#: A command line: arguments, exit code.
COMMANDS = {
    "no such command": (["scroe"], 2, ["scroe"]),
    "no file": (["score"], 2, ["file"]),
    "no such file": (["score", "none.csv"], 1, ["none.csv: no such file"]),
    "no such option": (["score", "a.csv", "--texts", "x"], 2, ["--texts"]),
    "batch size 0": (
        ["score", "a.csv", "--batch-size", "0"],
        2,
        ["--batch-size", "greater than or equal to 1"],
    ),
    "batch size a word": (["score", "a.csv", "--batch-size", "many"], 2, ["--batch-size", "integer"]),
    "unknown nodes": (["score", "a.csv", "--nodes", "some"], 2, ["--nodes", "some", "sentences"]),
    "unknown format": (["score", "a.csv", "--format", "xlsx"], 2, ["--format", "xlsx", "jsonl"]),
    "unknown on-error": (["score", "a.csv", "--on-error", "ignore"], 2, ["--on-error", "skip"]),
    "threads below 0": (
        ["score", "a.csv", "--threads", "-1"],
        2,
        ["--threads", "greater than or equal to 0"],
    ),
    "unknown model": (["score", "a.csv", "--model", "en_treesent_xx"], 1, ["'en_treesent_xx'", "tried"]),
    "prefix with a line end": (["score", "a.csv", "--prefix", "a\nb"], 2, ["--prefix"]),
    "output without a kind": (
        ["score", "a.csv", "-o", "out.xlsx"],
        1,
        ["excel is read and not written", "parquet"],
    ),
    "output in no folder": (["score", "a.csv", "-o", "none/out.csv"], 1, ["there is no folder", "none"]),
    "output is the input": (["score", "a.csv", "-o", "a.csv", "--overwrite"], 1, ["a.csv", "input as well"]),
    "output is a folder": (["score", "a.csv", "-o", "folder.csv"], 1, ["folder.csv", "a folder"]),
    "resume stdin": (
        ["score", "-", "-o", "out.csv", "--resume"],
        1,
        ["standard input", "--resume needs a file"],
    ),
    "resume stdout": (["score", "a.csv", "--resume"], 1, ["standard output", "-o"]),
    "skip to stdout": (["score", "a.csv", "--on-error", "skip"], 1, ["--rejects"]),
    "phrases in txt": (
        ["score", "a.csv", "-o", "out.txt", "--nodes", "all"],
        1,
        ["txt has no place", "jsonl"],
    ),
    "parquet to stdout": (["score", "a.csv", "--format", "parquet"], 1, ["parquet", "-o"]),
    "unknown recipe": (["train", "no_such_net"], 1, ["'no_such_net'", "tree_lstm", "tried"]),
    "override without a section": (
        ["train", "tree_lstm", "--seed", "1"],
        2,
        ["--seed", "--section.key VALUE"],
    ),
    "override of nothing": (
        ["train", "tree_lstm", "--trainng.seed", "1"],
        1,
        ["[trainng] is unknown", "'training'"],
    ),
    "override without a value": (
        ["train", "tree_lstm", "--training.seed"],
        1,
        ["training.seed is true", "must be an integer"],
    ),
    "evaluate no pipeline": (["evaluate", "no_such_pipeline", "a.csv"], 1, ["'no_such_pipeline'", "tried"]),
    "trees from nowhere": (["trees", "a.csv", "--trees", "gold"], 2, ["--trees", "'gold'", "'dependency'"]),
    "labels not there": (["trees", "a.csv", "--labels", "none.csv"], 1, ["none.csv: no such file"]),
    "nothing to show": (["show"], 2, ["text"]),
    "map of no file": (["project", "none.vec"], 1, ["none.vec does not exist"]),
    "map of a table": (["project", "a.csv"], 1, ["a.csv:1:1:", "no numbers"]),
}
