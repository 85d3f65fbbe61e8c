"""Packaging: one name, ``treesent``, goes into site-packages.

``pipelines/`` and ``embeddings/`` stand at the top of the repository, where people look for them, and
are installed as the data packages ``treesent.pipelines`` and ``treesent.embeddings``.
"""

from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).parent
DATA_PACKAGES = {"treesent.pipelines": "pipelines", "treesent.embeddings": "embeddings"}
EXTRAS = {
    "viz": ["openTSNE>=1.0", "umap-learn>=0.5.7", "scikit-learn>=1.5", "matplotlib>=3.9"],
    "transformers": ["transformers>=4.45"],
    "docs": ["sphinx>=8", "myst-parser>=4", "furo>=2024.8"],
    "test": ["pytest>=8", "hypothesis>=6.100", "playwright>=1.50", "setuptools>=68", "wheel"],
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
        "treesent": ["py.typed", "projector/assets/*"],
        "treesent.pipelines": ["*.cfg", "*.md", "en_treesent_sm/**/*", "en_treesent_sm/*"],
        "treesent.embeddings": ["*.toml", "*.cfg", "*.md", "*.txt"],
    },
    install_requires=[
        "spacy>=3.8,<4",
        "torch>=2.6",
        "datasets>=3",
        "gensim>=4.3.3",
        "numpy>=2",
        "pydantic>=2.7",
        "pyarrow>=17",
        "safetensors>=0.4.5",
    ],
    extras_require=EXTRAS,
    entry_points={
        "spacy_factories": ["treesent = treesent.pipeline.component:make_treesent"],
        "spacy_misc": [
            "treesent.VectorFile.v1 = treesent.vectors.sources:vector_file",
            "treesent.JoinVectors.v1 = treesent.vectors.sources:join_vectors",
        ],
        "spacy_architectures": [
            "treesent.ChildSumTreeLSTM.v1 = treesent.pipeline.architectures:child_sum",
            "treesent.ClockworkRNN.v1 = treesent.pipeline.architectures:clockwork_rnn",
            "treesent.CoupledLSTM.v1 = treesent.pipeline.architectures:coupled_lstm",
            "treesent.GRU.v1 = treesent.pipeline.architectures:gru",
            "treesent.LeakyRNN.v1 = treesent.pipeline.architectures:leaky_rnn",
            "treesent.LSTM.v1 = treesent.pipeline.architectures:lstm",
            "treesent.MinimalGatedUnit.v1 = treesent.pipeline.architectures:minimal_gated_unit",
            "treesent.PeepholeLSTM.v1 = treesent.pipeline.architectures:peephole_lstm",
            "treesent.RecursiveNet.v1 = treesent.pipeline.architectures:recursive_net",
            "treesent.RNN.v1 = treesent.pipeline.architectures:rnn",
            "treesent.RNTN.v1 = treesent.pipeline.architectures:rntn",
            "treesent.TreeGRU.v1 = treesent.pipeline.architectures:tree_gru",
            "treesent.TreeLSTM.v1 = treesent.pipeline.architectures:tree_lstm",
        ],
        "spacy_cli": ["treesent = treesent.cli.spacy_plugin:app"],
        "spacy_scorers": ["treesent.scorer.v1 = treesent.pipeline.component:make_scorer"],
    },
)
