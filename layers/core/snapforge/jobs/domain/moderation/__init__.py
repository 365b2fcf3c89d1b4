"""What is never drawn, decided by rules on the prompt's words. English only; a model behind a setting reads the rest.

A rule needs the words of all its groups, so that a word alone is rarely enough: children are drawn, nudes are drawn,
both together are not. Negative prompts are not judged: they name what must not be in the picture.
"""

from functools import cache
from re import Pattern
from re import compile as pattern

from snapforge.jobs.domain.moderation import reading
from snapforge.jobs.domain.moderation.rules import HARMLESS, RULES, Category

ADVICE: dict[Category, str] = {
    "sexual_minors": "Sexual content with children or young people is never drawn.",
    "sexual_violence": "Sexual content without consent is never drawn.",
    "sexual_real_person": "Real people are never drawn in a sexual way.",
    "graphic_violence": "Extreme violence against people is never drawn.",
    "hate": "Symbols and words of hate are never drawn.",
    "self_harm": "Instructions for self-harm are never drawn. If you are not well, please talk to somebody now.",
    "dangerous": "Instructions for weapons and explosives are never drawn.",
}


def judge(prompt: str) -> Category | None:
    """The category of the first rule that the prompt breaks; None where it breaks none."""
    text = _harmless().sub(" ", reading.readings(prompt))
    for rule, groups in _rules():
        if all(group.search(text) for group in groups):
            return rule
    return None


@cache
def _rules() -> tuple[tuple[Category, tuple[Pattern[str], ...]], ...]:
    return tuple((rule.category, tuple(_words(group) for group in rule.groups)) for rule in RULES)


@cache
def _harmless() -> Pattern[str]:
    return _words(HARMLESS)


def _words(words: tuple[str, ...]) -> Pattern[str]:
    return pattern(r"\b(?:" + "|".join(words) + r")\b")


__all__ = ["ADVICE", "Category", "judge"]
