"""A tiny random transformer in a folder, as Hugging Face writes one."""

from pathlib import Path

import pytest

PIECES = "[PAD] [UNK] [CLS] [SEP] a b c d e g i l m n o p r s t u ##a ##b ##d ##e ##i ##l ##m ##n ##o ##r ##s ##t the"
WORDS = "plot is thin but acting superb good bad movie was not it and film of great terrible ! . ,"


def tiny_transformer(folder, kind="bert", layers=2, positions=24):
    """Write a model with random weights and its tokenizer; give the folder."""
    transformers = pytest.importorskip("transformers", reason="pip install 'treesent[transformers]'")
    import torch
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    names = dict.fromkeys([*PIECES.split(), *WORDS.split()])
    tokenizer = Tokenizer(
        models.WordPiece({name: number for number, name in enumerate(names)}, unk_token="[UNK]")
    )
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        "[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer.enable_truncation(8)  # as models of sentence vectors have it
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="[UNK]", pad_token="[PAD]", cls_token="[CLS]", sep_token="[SEP]"
    )
    fast.save_pretrained(folder)
    torch.manual_seed(1)
    config = {"bert": transformers.BertConfig, "roberta": transformers.RobertaConfig}[kind](
        vocab_size=len(names),
        hidden_size=8,
        num_hidden_layers=layers,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=positions,
        pad_token_id=0,
    )
    model = {"bert": transformers.BertModel, "roberta": transformers.RobertaModel}[kind](config)
    model.save_pretrained(folder)
    return Path(folder)


def write_tiny_transformer(folder, words):
    """Write one with random weights, which knows some words and the pieces of others."""
    transformers = pytest.importorskip("transformers")
    import torch

    pieces = sorted({word.lower() for word in words})
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "##s", "no", "##body", *pieces]
    (folder / "vocab.txt").write_text("\n".join(vocabulary), "utf-8")
    tokenizer = transformers.BertTokenizerFast(str(folder / "vocab.txt"))
    tokenizer.save_pretrained(folder)
    config = transformers.BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=64,
    )
    torch.manual_seed(0)
    transformers.BertModel(config).save_pretrained(folder)
