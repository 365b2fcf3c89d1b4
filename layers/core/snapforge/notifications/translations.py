"""The catalogues, read once per process. `make messages` writes and compiles them."""

from functools import cache
from gettext import NullTranslations, translation
from pathlib import Path

from snapforge.messages.languages import Language

FOLDER = Path(__file__).parent / "locales"
DOMAIN = "messages"


@cache
def translations(language: Language) -> NullTranslations:
    """The words of a language. English is what the sources say, so it has no catalogue."""
    if language is Language.en:
        return NullTranslations()
    return translation(DOMAIN, FOLDER, [language])
