"""How a prompt is read: without accents, lookalike letters, digits for letters, or letters set apart."""

import re
import unicodedata

_LOOKALIKES = str.maketrans(
    "аеорсухіјѕкмнтвԁӏαεορτυικνхь",
    "aeopcyxijskmhtbdlaeoptuiknxb",
)
"""Cyrillic and Greek letters that look like Latin ones."""
_DIGITS = str.maketrans("0134578@$!|€", "oieastbasile")
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff]"
)
_SET_APART = re.compile(r"\b[a-z]([\W_]{1,2})(?:[a-z]\1)+[a-z]\b")
"""One letter after another with the same between them: `n u d e`, `n.u.d.e`."""
_INSIDE = re.compile(r"(?<=[a-z])[-_.*'·~^]+(?=[a-z])")
_LONG = re.compile(r"([a-z])\1{2,}")
_GAP = re.compile(r"[\W_]+")


def readings(prompt: str) -> str:
    """All ways of reading it, one after another: lower-case words with single spaces between.

    As it stands; with digits and signs as letters, letters that are set apart put together, and long ones made single
    or double; with what stands inside of words left out.
    """
    plain = _plain(prompt)
    lettered = plain.translate(_DIGITS)
    together = _SET_APART.sub(lambda found: re.sub(r"[\W_]+", "", found[0]), lettered)
    short, double = _LONG.sub(r"\1", together), _LONG.sub(r"\1\1", together)
    whole = _INSIDE.sub("", short)
    return " | ".join(_GAP.sub(" ", text).strip() for text in (plain, short, double, whole))


def _plain(prompt: str) -> str:
    text = _INVISIBLE.sub("", unicodedata.normalize("NFKC", prompt)).casefold()
    bare = "".join(letter for letter in unicodedata.normalize("NFD", text) if not unicodedata.combining(letter))
    return bare.translate(_LOOKALIKES)
