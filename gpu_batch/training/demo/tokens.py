"""The two tokenizers, made offline: a word of the prompts' vocabulary is one token, other text falls into letters."""

import json
from pathlib import Path
from typing import Any

from training.demo.words import vocabulary

CLIP_LENGTH = 32
T5_LENGTH = 24
"""Tokens that a prompt is padded or cut to. The T5's go through the transformer, so each of them costs time."""


def clip_tokenizer(folder: Path) -> Any:
    """CLIP's tokenizer: bytes, and merges learned until each word is whole."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers
    from transformers import CLIPTokenizer

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    learner = Tokenizer(models.BPE(end_of_word_suffix="</w>"))
    learner.pre_tokenizer = pre_tokenizers.Whitespace()
    trainer = trainers.BpeTrainer(vocab_size=1 << 16, min_frequency=0, end_of_word_suffix="</w>", show_progress=False)
    learner.train_from_iterator([vocabulary()], trainer)
    merges = [tuple(pair) for pair in json.loads(learner.to_str())["model"]["merges"]]
    made = ["".join(pair) for pair in merges]
    known = dict.fromkeys([*letters, *(f"{letter}</w>" for letter in letters), *made])
    words = [*known, "<|startoftext|>", "<|endoftext|>"]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.json").write_text(json.dumps({word: number for number, word in enumerate(words)}))
    (folder / "merges.txt").write_text("#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in merges))
    return CLIPTokenizer.from_pretrained(folder, model_max_length=CLIP_LENGTH)


def t5_tokenizer() -> Any:
    """T5's tokenizer: words, also with a capital, then single characters."""
    from transformers import T5Tokenizer

    letters = [chr(code) for code in range(0x21, 0x7F)]
    words = [f"▁{word}" for small in vocabulary() for word in (small, small.capitalize())]
    special = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -4.0)]
    pieces = [*special, *((word, -2.0) for word in dict.fromkeys(words)), *((letter, -6.0) for letter in letters)]
    return T5Tokenizer(vocab=pieces, extra_ids=0, model_max_length=T5_LENGTH)
