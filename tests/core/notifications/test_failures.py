"""Why a job failed, told in the customer's language."""

import re
from pathlib import Path

import pytest

from snapforge.contracts.reports import FailureCategory
from snapforge.loras import errors as loras
from snapforge.messages import failures
from snapforge.messages.failures import Told, tell
from snapforge.messages.languages import Language
from snapforge.notifications.translations import translations

pytestmark = pytest.mark.part("NTF-1")
ROOT = Path(__file__).parents[3]
GERMAN = translations(Language.de).gettext


def failed(category: str, code: str, message: str = "14 of 40 photos.", fix: str = "Not: a.jpg.") -> dict[str, str]:
    return {"category": category, "code": code, "message": message, "fix": fix}


def test_english_is_as_it_was_written() -> None:
    assert tell(failed("input", "photo_missing"), Language.en, str) == Told("14 of 40 photos.", "Not: a.jpg.")
    assert tell({"message": "Odd."}, Language.en, str) == Told("Odd.", "")


def test_a_known_code_is_translated_and_what_it_names_follows_in_english() -> None:
    assert tell(failed("input", "photo_missing"), Language.de, GERMAN) == Told(
        "Ein Foto ist nicht mehr gespeichert.", "Laden Sie dieses Foto erneut hoch.", "14 of 40 photos. Not: a.jpg."
    )


def test_nothing_follows_where_the_translation_says_it_all() -> None:
    text = failures.BY_CODE["no_surface"]
    told = tell(failed("insufficient_quality", "no_surface", *text), Language.de, GERMAN)
    assert told == Told(GERMAN(text.message), GERMAN(text.fix), "")


def test_an_unknown_code_is_told_by_its_category() -> None:
    told = tell(failed("input", "odd"), Language.de, GERMAN)
    assert told.message == "Der Auftrag lässt sich mit diesem Material nicht ausführen."
    assert told.details == "14 of 40 photos. Not: a.jpg."


@pytest.mark.parametrize("category", ["bug", "transient", "out_of_memory", "deadline", "canceled"])
def test_what_broke_on_our_side_is_not_explained(category: str) -> None:
    """Nothing in it is for the customer to change."""
    told = tell(failed(category, "odd"), Language.de, GERMAN)
    assert told.message == GERMAN(failures.BY_CATEGORY[category].message) != failures.BY_CATEGORY[category].message
    assert told.details == ""


def test_a_fix_that_is_not_there_stays_away() -> None:
    """gettext gives the catalogue's header for an empty text."""
    assert tell(failed("insufficient_quality", "insufficient_quality"), Language.de, GERMAN).fix == ""


def test_what_nobody_knows_stays_english() -> None:
    assert tell({"message": "Odd."}, Language.de, GERMAN) == Told("", "", "Odd.")
    assert tell({"message": "Odd.", "fix": "Do."}, Language.de, GERMAN) == Told("", "", "Odd. Do.")


def test_every_category_has_a_text() -> None:
    assert set(failures.BY_CATEGORY) == set(FailureCategory)


def codes_of_material() -> set[str]:
    """The codes of failures that a customer can mend, read from where they are raised."""
    worker = re.compile(r'(?:InputError|QualityError)\(\s*"(\w+)"')
    control = re.compile(r'FailureCategory\.(?:input|insufficient_quality),\s*(?:code=)?"(\w+)"')
    files = [*(ROOT / "gpu_batch/worker").rglob("*.py"), *(ROOT / "layers/core/snapforge").rglob("*.py")]
    found = {code for path in files for pattern in (worker, control) for code in pattern.findall(path.read_text())}
    return found | {error.code for error in (loras.LoraNotFound, loras.LoraDeleted, loras.LoraNotReady)}


def test_every_code_that_a_customer_can_act_on_has_a_text_and_back() -> None:
    assert codes_of_material() == set(failures.BY_CODE)
