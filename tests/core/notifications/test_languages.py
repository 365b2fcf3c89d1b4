"""Mails in every language: whose is taken, what each has of its own, and that nothing stays English."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from jinja2 import nodes

from snapforge.kit.events import Event
from snapforge.messages import catalogue
from snapforge.messages.domain import SENDERS, Channel, Message
from snapforge.messages.languages import Language, direction, negotiate, number
from snapforge.notifications import render, service
from snapforge.notifications.domain import Person
from snapforge.notifications.render import Form
from snapforge.notifications.translations import translations
from tests.core.notifications.samples import BROKEN, CALLED_FOR, LORA, UNREADABLE, compose, news
from tests.support.aws import Aws

pytestmark = pytest.mark.part("NTF-1")


@pytest.mark.parametrize(
    ("locale", "language"),
    [
        ("en", "en"),
        ("de", "de"),
        ("de-AT", "de"),
        ("de_CH", "de"),
        ("DE", "de"),
        ("es-MX", "es"),
        ("ar-EG", "ar"),
        ("fr", "en"),
        ("den-AT", "en"),
        ("", "en"),
        ("-de", "en"),
    ],
)
def test_the_first_part_of_a_locale_names_the_language(locale: str, language: str) -> None:
    assert negotiate(locale) == language


def test_arabic_alone_runs_from_right_to_left() -> None:
    assert {language.value: direction(language) for language in Language} == {
        "en": "ltr",
        "de": "ltr",
        "es": "ltr",
        "ar": "rtl",
    }


@pytest.mark.parametrize(
    ("language", "said"),
    [
        (Language.en, ["0", "999", "1,000", "12,345", "1,234,567", "-1,000"]),
        (Language.de, ["0", "999", "1.000", "12.345", "1.234.567", "-1.000"]),
        (Language.es, ["0", "999", "1000", "12\u202f345", "1\u202f234\u202f567", "-1000"]),
        (Language.ar, ["0", "999", "1,000", "12,345", "1,234,567", "-1,000"]),
    ],
)
def test_numbers_are_grouped_as_the_language_does(language: Language, said: list[str]) -> None:
    assert [number(value, language) for value in (0, 999, 1000, 12345, 1234567, -1000)] == said
    assert number(9999, Language.es) == "9999"
    assert number(10000, Language.es) == "10\u202f000"


class TestEveryMail:
    """Each message, in each form and language."""

    def test_the_samples_call_for_every_message(self) -> None:
        assert {message.template for message, _ in CALLED_FOR} == {message.template for message in catalogue.MESSAGES}

    @pytest.mark.parametrize("language", Language)
    @pytest.mark.parametrize(
        ("message", "event"), CALLED_FOR, ids=[f"{message.template}-{at}" for at, (message, _) in enumerate(CALLED_FOR)]
    )
    def test_has_all_parts_filled(self, message: Message, event: Event, language: Language) -> None:
        mail = compose(message, event, language)
        assert mail.subject
        assert "\n" not in mail.subject
        assert f'<html lang="{language}" dir="{direction(language)}">' in mail.html
        assert f'cellspacing="0" lang="{language}" dir="{direction(language)}">' in mail.html
        for body in (mail.text, mail.html):
            assert "Robin" in body
            assert not re.search(r"\{\{|\{%|%\(|None", body)
        assert "\n\n\n" not in mail.text

    @pytest.mark.parametrize("language", [language for language in Language if language is not Language.en])
    def test_no_line_of_a_text_is_the_english_one(self, language: Language) -> None:
        """But for what is English by itself (notes of a render, what our log says), and ids behind a shared word."""
        for message, event in CALLED_FOR:
            there, english = (set(compose(message, event, each).text.splitlines()) for each in (language, Language.en))
            same = {line for line in there & english if " " in line and not re.fullmatch(r"\S+: \S+", line)}
            assert same <= {*event.data.get("notes", ()), event.data.get("failure", {}).get("message")}


class TestWords:
    """What is said, in the languages that inflect more than English."""

    @pytest.mark.parametrize(
        ("credits", "said"),
        [
            (1, "خُصم رصيد واحد."),
            (2, "خُصم رصيدان."),
            (3, "خُصمت 3 أرصدة."),
            (11, "خُصم 11 رصيدًا."),
            (100, "خُصم 100 رصيد."),
            (1240, "خُصم 1,240 رصيدًا."),
        ],
    )
    def test_arabic_credits_have_the_form_of_their_number(self, credits: int, said: str) -> None:
        assert said in _told(news("job.succeeded", charged=credits), Language.ar).text

    def test_german_and_spanish(self) -> None:
        assert "Berechnet: 1 Credit." in _told(news("job.succeeded", charged=1), Language.de).text
        assert "Berechnet: 1.240 Credits." in _told(news("job.succeeded", charged=1240), Language.de).text
        assert _told(news("job.succeeded"), Language.es).subject == "Tu modelo 3D está listo"

    @pytest.mark.parametrize(
        ("kind", "subject"),
        [
            ("image", "Ihre Bilder konnten nicht erstellt werden"),
            ("scene", "Ihr 3D-Modell konnte nicht erstellt werden"),
            ("lora", "Ihr LoRA konnte nicht trainiert werden"),
        ],
    )
    def test_a_kind_of_job_is_a_word(self, kind: str, subject: str) -> None:
        assert _told(news("job.failed", kind=kind), Language.de).subject == subject

    def test_a_failure_is_told_in_their_language(self) -> None:
        mail = _told(news("job.failed", failure=UNREADABLE), Language.de)
        for body in (mail.text, mail.html):
            assert "Ein Foto kann nicht als Bild gelesen werden." in body
            assert "Laden Sie dieses Foto erneut hoch." in body
        assert "Einzelheiten, auf Englisch:\n\na.jpg cannot be read as a picture. Upload the photo again." in mail.text
        assert '<p lang="en" dir="ltr">a.jpg cannot be read' in mail.html

    def test_a_mail_goes_out_in_the_persons_language(self, aws: Aws) -> None:
        event = news("job.failed", failure=BROKEN)
        message = catalogue.of(event, Channel.mail)[0]
        subjects = [service.compose(message, event, Person("r@example.com", "", to)).subject for to in ("de-AT", "nl")]
        assert subjects == ["Ihre Bilder konnten nicht erstellt werden", "Your pictures could not be made"]


class TestIsolation:
    """What others wrote keeps its own direction, and does not turn that of the sentence."""

    def test_html_has_bdi_around_names_ids_and_links(self) -> None:
        mail = _told(news("job.succeeded", lora=LORA, kind="lora"), Language.ar, name="<Robin>")
        for value in ("&lt;Robin&gt;", "My mug", "ohwx mug", "job_1", "model.glb"):
            assert f"<bdi>{value}</bdi>" in mail.html
        link = re.escape("https://snapforge.example/verify-email?token=abc")
        assert re.search(f"<bdi>{link}", _told(news("user.verification_requested"), Language.ar).html)

    def test_arabic_text_has_marks_around_names_and_ids_and_none_at_links(self) -> None:
        text = _told(news("job.succeeded", lora=LORA, kind="lora"), Language.ar).text
        for value in ("Robin", "My mug", "ohwx mug", "job_1"):
            assert f"\u2068{value}\u2069" in text
        assert not re.search("https?:[^\n]*[\u2068\u2069]", text)

    def test_other_texts_have_no_marks(self) -> None:
        for language in (Language.en, Language.de, Language.es):
            assert "\u2068" not in _told(news("job.succeeded", lora=LORA, kind="lora"), language).text

    @pytest.mark.parametrize(("message", "event"), CALLED_FOR)
    def test_every_line_of_arabic_begins_arabic_or_holds_none(self, message: Message, event: Event) -> None:
        """Programs that show plain text take a line's direction from its first letter."""
        mail = compose(message, event, Language.ar)
        for line in (mail.subject, *mail.text.splitlines()):
            letters = [letter for letter in re.sub("\u2068.*?\u2069", "", line) if letter.isalpha()]
            assert not any(map(_arabic, letters)) or _arabic(letters[0])


def _arabic(letter: str) -> bool:
    return "\u0600" <= letter <= "\u06ff"


def _told(event: Event, language: Language, name: str = "Robin") -> render.Mail:
    return compose(catalogue.of(event, Channel.mail)[0], event, language, name)


def untranslated(source: str) -> Iterator[str]:
    """What a template says outside `{% trans %}` and `_()`: bare text, and strings that it prints or gives a macro."""
    tree = render.environment(Language.en, Form.html).parse(source)
    bare = "".join(piece.data if isinstance(piece, nodes.TemplateData) else "\0" for piece in _printed(tree))
    words = _Words()
    words.feed(bare)
    words.close()
    strings = [text for call in tree.find_all(nodes.Call) if not _translates(call) for text in _strings(call.args)]
    strings += [text for output in tree.find_all(nodes.Output) for text in _strings(output.nodes)]
    yield from (text for text in (*words.found, *strings) if re.search(r"[^\W\d_]", text))


def _printed(tree: nodes.Node) -> Iterator[nodes.Node]:
    for output in tree.find_all(nodes.Output):
        yield from output.nodes


def _translates(call: nodes.Call) -> bool:
    return isinstance(call.node, nodes.Name) and call.node.name in {"_", "gettext", "ngettext"}


def _strings(given: list[nodes.Expr]) -> list[str]:
    return [each.value for each in given if isinstance(each, nodes.Const) and isinstance(each.value, str)]


class _Words(HTMLParser):
    """The text that a reader sees: between tags, and in attributes that are shown or read out."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_data(self, data: str) -> None:
        self.found += [part.strip() for part in data.split("\0")]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value for name, value in attrs if name in {"alt", "title", "aria-label"} and value]


PROPER = {"Snapforge", "LoRA"}
"""The same in every language."""


@pytest.mark.parametrize(
    "path", sorted(render.FOLDER.rglob("*.*")), ids=lambda path: str(path.relative_to(render.FOLDER))
)
def test_a_template_says_nothing_that_is_not_translated(path: Path) -> None:
    assert {words.strip(" ()") for words in untranslated(path.read_text())} <= PROPER


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("<p>Hello</p>", ["Hello"]),
        ("<p>{% if name %}Hello {{ name }},{% endif %}</p>", ["Hello"]),
        ('<img alt="Preview" src="a">', ["Preview"]),
        ('{{ button(link, "See the job") }}', ["See the job"]),
        ('{{ "See the job" }}', ["See the job"]),
        ("{% trans %}Hello{% endtrans %}, {{ name }}", []),
        ('{{ button(link, _("See the job")) }}', []),
        ('<p lang="en" style="margin:0">{{ note }}</p>', []),
        ('{% if kind == "scene" %}{% trans a=b|number %}x {{ a }}{% endtrans %}{% endif %}', []),
    ],
)
def test_seeded_english_is_seen(source: str, found: list[str]) -> None:
    assert list(untranslated(source)) == found


def test_the_layout_of_a_template_is_not_what_is_translated() -> None:
    """Lines within {% trans %} are one sentence; blocks may stand indented on lines of their own."""
    render.environment.cache_clear()  # so that the settings are made in this test, not in one that came before
    made = render.environment(Language.de, Form.text).from_string(
        "  {% if true %}\n{% trans %}The capture of this job\n  does not exist any more.{% endtrans %}\n  {% endif %}\n"
    )
    assert made.render() == "Die Aufnahme dieses Auftrags existiert nicht mehr."


def test_every_message_has_the_template_that_its_channels_need() -> None:
    for message in catalogue.MESSAGES:
        for channel in message.channels:
            assert (render.FOLDER.parents[1] / SENDERS[channel].template.format(message.template)).is_file()


def test_english_needs_no_catalogue_and_the_others_have_one() -> None:
    assert translations(Language.en).gettext("Log in") == "Log in"
    assert translations(Language.de).gettext("Log in") == "Anmelden"
