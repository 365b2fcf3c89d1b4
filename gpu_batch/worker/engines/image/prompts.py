"""How long a prompt may be."""

from typing import Any

_LONGEST = 512
"""The most T5 tokens that FLUX.1 was trained with."""


def longest_prompt(pipeline: Any) -> int:
    """Tokens that a prompt is padded or cut to: what the model's own tokenizer says, FLUX.1's 512 at the most."""
    tokenizer = getattr(pipeline, "tokenizer_2", None) or pipeline.tokenizer
    return min(_LONGEST, int(tokenizer.model_max_length))
