"""The languages that people are written to in, and what follows from each. Pure; the words stand in the catalogues."""

from enum import StrEnum
from typing import Literal


class Language(StrEnum):
    """A language that all messages are translated to; English is the one they are written in."""

    en = "en"
    de = "de"
    es = "es"
    ar = "ar"


RIGHT_TO_LEFT = frozenset({Language.ar})

# What stands between groups of three digits. Spanish has a narrow space that does not break: its countries disagree on
# point and comma, and the academies advise the space. Arabic mails have Latin digits, as most products' do.
_GROUPS = {Language.en: ",", Language.de: ".", Language.es: "\u202f", Language.ar: ","}


def negotiate(locale: str) -> Language:
    """The language for a person's locale, by its first part: `de-AT` is German, what we do not speak is English."""
    code = locale.replace("_", "-").partition("-")[0].lower()
    return Language(code) if code in Language.__members__ else Language.en


def direction(language: Language) -> Literal["ltr", "rtl"]:
    """Where its lines begin, as HTML's `dir` wants it."""
    return "rtl" if language in RIGHT_TO_LEFT else "ltr"


def number(value: int, language: Language) -> str:
    """A whole number as the language writes it."""
    if language is Language.es and abs(value) < 10_000:
        return str(value)  # four digits are written in one
    return f"{value:,}".replace(",", _GROUPS[language])


def msgid(text: str) -> str:
    """Marks English text outside a template as one to be translated; `make messages` looks for this name."""
    return text
