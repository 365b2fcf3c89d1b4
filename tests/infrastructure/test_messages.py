"""The catalogues of what mails say: in step with the templates, whole, and compiled."""

from gettext import GNUTranslations
from pathlib import Path
from typing import Any

import pytest
from babel.messages.catalog import Catalog
from babel.messages.plurals import get_plural

from infrastructure.tools import messages
from infrastructure.tools.functions import ROOT
from snapforge.messages.languages import Language
from snapforge.notifications import translations

pytestmark = pytest.mark.part("NTF-1")
PLURAL = ("%(shown)s credit of %(name)s", "%(shown)s credits of %(name)s")


def source() -> Catalog:
    """Two messages, one of them with a plural."""
    made = Catalog()
    made.add("Hello %(name)s,")
    made.add(PLURAL)
    return made


def german(**changes: Any) -> Catalog:
    """Their catalogue, faultless but for the changes."""
    made = Catalog("de", fuzzy=False)
    made.add("Hello %(name)s,", changes.pop("hello", "Hallo %(name)s,"))
    made.add(PLURAL, changes.pop("plural", ("Ein Credit von %(name)s", "%(shown)s Credits von %(name)s")), **changes)
    return made


def test_the_catalogues_of_this_tree_have_no_fault() -> None:
    assert messages.check() == []


def test_everything_that_a_python_module_marks_is_in_them() -> None:
    assert {"Log in", "A photo is no longer stored."} <= {str(message.id) for message in messages.template()}


class TestFaults:
    """Each kind of fault, seeded."""

    def test_a_faultless_one_has_none(self) -> None:
        assert list(messages.faults(german(), source())) == []

    def test_a_message_without_translation_is_missing(self) -> None:
        wanted = source()
        wanted.add("Log in")
        assert list(messages.faults(german(), wanted)) == ["'Log in' is missing"]

    def test_one_that_nobody_says_any_more(self) -> None:
        there = german()
        there.add("Log in", "Anmelden")
        assert list(messages.faults(there, source())) == ["'Log in' is no longer said"]

    def test_one_that_is_kept_as_obsolete(self) -> None:
        there = german()
        there.obsolete["Log in"] = Catalog().add("Log in", "Anmelden")
        assert list(messages.faults(there, source())) == ["'Log in' is kept, though obsolete"]

    @pytest.mark.parametrize(
        ("changes", "fault"),
        [
            ({"hello": ""}, "'Hello %(name)s,' is not translated"),
            ({"hello": "Hallo,"}, "has other placeholders in 'Hallo,'"),
            ({"hello": "Hallo %(nome)s,"}, "has other placeholders in 'Hallo %(nome)s,'"),
            ({"plural": ("Ein Credit von %(name)s", "")}, "is not translated"),
            ({"plural": ("Ein Credit von %(name)s",)}, "has 1 forms"),
            ({"plural": ("Ein Credit", "%(shown)s Credits von %(name)s")}, "has other placeholders in 'Ein Credit'"),
            ({"plural": ("Ein Credit von %(name)s", "Credits von %(name)s")}, "has other placeholders in 'Credits"),
            ({"flags": ("fuzzy",)}, "is fuzzy"),
        ],
    )
    def test_one_fault(self, changes: dict[str, Any], fault: str) -> None:
        (found,) = messages.faults(german(**changes), source())
        assert fault in found

    def test_only_a_form_for_one_number_does_without_it(self) -> None:
        """Arabic has a form each for none, one and two; the other three stand for many numbers."""
        assert get_plural("ar").num_plurals == 6
        there = Catalog("ar", fuzzy=False)
        there.add(PLURAL, tuple("%(name)s" for _ in range(6)))
        there.add("Hello %(name)s,", "مرحبًا %(name)s،")
        assert len(list(messages.faults(there, source()))) == 3


class TestFiles:
    """What `make messages` writes and `--check` finds, in a folder of its own."""

    @pytest.fixture(autouse=True)
    def copy(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """The catalogues of this tree, to be spoilt."""
        for path in translations.FOLDER.rglob("messages.*"):
            to = tmp_path / path.relative_to(translations.FOLDER)
            to.parent.mkdir(parents=True, exist_ok=True)
            to.write_bytes(path.read_bytes())
        monkeypatch.setattr(translations, "FOLDER", tmp_path)
        return tmp_path

    def test_a_translation_that_was_not_compiled(self, copy: Path) -> None:
        path = copy / "de/LC_MESSAGES/messages.po"
        path.write_text(path.read_text().replace('"Anmelden"', '"Einloggen"'))
        assert messages.check() == ["de: messages.mo differs from its sources; run `make messages`"]
        with pytest.raises(SystemExit):
            _main("--check")
        _main()
        with (copy / "de/LC_MESSAGES/messages.mo").open("rb") as file:
            assert GNUTranslations(file).gettext("Log in") == "Einloggen"

    def test_a_language_that_was_never_compiled(self, copy: Path) -> None:
        (copy / "es/LC_MESSAGES/messages.mo").unlink()
        assert messages.check() == ["es: messages.mo differs from its sources; run `make messages`"]

    def test_a_new_language_is_begun_empty_and_refused_until_it_is_translated(self, copy: Path) -> None:
        (copy / "ar/LC_MESSAGES/messages.po").unlink()
        with pytest.raises(SystemExit, match="ar: 'Log in' is not translated"):
            _main()
        assert 'msgid "Log in"\nmsgstr ""' in (copy / "ar/LC_MESSAGES/messages.po").read_text()


def _main(*arguments: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["messages", *arguments])
        messages.main()


def test_the_layer_carries_what_was_compiled_and_the_product_does_not_need_babel() -> None:
    """The layer's Makefile copies the package whole."""
    for language in messages.LANGUAGES:
        assert (ROOT / f"layers/core/snapforge/notifications/locales/{language}/LC_MESSAGES/messages.mo").is_file()
    assert {path.name for path in translations.FOLDER.iterdir()} == set(Language) - {Language.en}
    runtime = (ROOT / "layers/base/requirements.txt").read_text().lower()
    assert "babel" not in runtime
    assert not [path for path in (ROOT / "layers/core").rglob("*.py") if "import babel" in path.read_text()]
