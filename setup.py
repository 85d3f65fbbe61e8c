"""Packaging: one name, ``treesent``, goes into site-packages.

``pipelines/`` and ``embeddings/`` stand at the top of the repository, where people look for them, and
are installed as the data packages ``treesent.pipelines`` and ``treesent.embeddings``.
"""

import re
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).parent
DATA_PACKAGES = {"treesent.pipelines": "pipelines", "treesent.embeddings": "embeddings"}
# Every network in the table of networks is an architecture of spaCy's.
NETWORKS = (ROOT / "treesent" / "models" / "classifier" / "networks.py").read_text(encoding="utf-8")
ARCHITECTURES = [
    f"treesent.{name}.v{version} = treesent.pipeline.architectures:{name}_v{version}"
    for name, version in re.findall(r'^    "treesent\.(\w+)\.v(\d+)":', NETWORKS, re.MULTILINE)
]
EXTRAS = {
    "viz": ["openTSNE>=1.0", "umap-learn>=0.5.7", "scikit-learn>=1.5", "matplotlib>=3.9"],
    "transformers": ["transformers>=4.45", "tokenizers>=0.20"],
    "excel": ["python-calamine>=0.3"],
    "client": ["httpx>=0.27"],
    "serve": [
        "starlette>=0.41",
        "uvicorn>=0.34",
        "httptools>=0.6.3",
        "uvloop>=0.21; sys_platform != 'win32'",
    ],
    "ray": ["ray[data]>=2.40"],
    "spark": ["pyspark>=4"],
    "docs": ["sphinx>=8", "myst-parser>=4", "furo>=2024.8"],
    "test": [
        "pytest>=8",
        "pytest-xdist>=3.6",
        "httpx>=0.27",
        "hypothesis>=6.100",
        "playwright>=1.50",
        "openpyxl>=3.1",
        "pandas>=2.2",
        "polars>=1",
        "textblob>=0.18",
        "vaderSentiment>=3.3",
        "setuptools>=68",
        "wheel",
    ],
    "mutants": ["mutmut>=3.8"],
    "dev": ["ruff>=0.9", "mypy>=1.14"],
}

setup(
    name="treesent",
    version="0.1.0",
    description="Sentiment of every phrase, inside spaCy",
    long_description=(ROOT / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="MIT",
    python_requires=">=3.11",
    packages=[*find_packages(include=["treesent", "treesent.*"]), *DATA_PACKAGES],
    package_dir=DATA_PACKAGES,
    package_data={
        "treesent": [
            "py.typed",
            "projector/assets/*",
            "render/assets/*",
            "serve/assets/*",
            "opinions/assets/*",
        ],
        "treesent.pipelines": ["*.cfg", "*.tsv", "*.md", "en_treesent_sm/**/*", "en_treesent_sm/*"],
        "treesent.embeddings": ["*.toml", "*.cfg", "*.md", "*.txt"],
    },
    install_requires=[
        "spacy>=3.8,<4",
        "torch>=2.6",
        "datasets>=3",
        "fsspec>=2024.6",
        "gensim>=4.3.3",
        "ijson>=3.3",
        "numpy>=2",
        "pydantic>=2.7",
        "pyarrow>=17",
        "safetensors>=0.4.5",
        "scipy>=1.15",
        # What spaCy is made of, imported here by name.
        "catalogue>=2.0.10",
        "confection>=0.1.5",
        "srsly>=2.4",
        "thinc>=8.3",
        "tqdm>=4.66",
        "typer>=0.12",
    ],
    extras_require=EXTRAS,
    entry_points={
        "console_scripts": ["treesent = treesent.__main__:main"],
        "spacy_factories": ["treesent = treesent.pipeline.component:make_treesent"],
        "spacy_misc": [
            "treesent.VectorFile.v1 = treesent.data.vector_sources:vector_file",
            "treesent.JoinVectors.v1 = treesent.data.vector_sources:join_vectors",
        ],
        "spacy_architectures": ARCHITECTURES,
        "spacy_cli": ["treesent = treesent.cli.spacy_plugin:app"],
        "spacy_scorers": ["treesent.scorer.v1 = treesent.pipeline.component:make_scorer"],
    },
)
