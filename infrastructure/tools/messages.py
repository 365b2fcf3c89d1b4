"""Extract what mails say, update the catalogues and compile them; `--check` tells of drift and of gaps.

Babel reads and writes the files. The product reads the compiled ones with Python's own gettext, and needs no Babel.
"""

import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from gettext import c2py
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import DEFAULT_KEYWORDS, extract
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

from infrastructure.tools.functions import ROOT
from snapforge.messages.languages import Language
from snapforge.notifications import render, translations

WORDS = ROOT / "layers" / "core" / "snapforge" / "messages"
"""Python modules that mark texts with `msgid`."""
LANGUAGES = tuple(language for language in Language if language is not Language.en)
MADE = datetime(2026, 11, 27, tzinfo=UTC)
"""In every header, since a time of its own would make each run a change."""


def template() -> Catalog:
    """Everything that is translated, with the files that say it."""
    found = _new(None)
    for path in sorted(render.FOLDER.rglob("*.*")):
        _add(found, path, "jinja2.ext:babel_extract", {"trimmed": "true", "newstyle_gettext": "true"})
    for path in sorted(WORDS.rglob("*.py")):
        _add(found, path, "python", {})
    return found


def _new(language: Language | None) -> Catalog:
    return Catalog(
        language,
        header_comment="# What mails say. `make messages` keeps it in step with the templates.",
        project="snapforge",
        version="mails",
        msgid_bugs_address="-",
        last_translator="-",
        language_team="-",
        creation_date=MADE,
        revision_date=MADE,
        fuzzy=False,
    )


def _add(catalog: Catalog, path: Path, method: str, options: dict[str, str]) -> None:
    with path.open("rb") as source:
        for _, message, _, context in extract(method, source, {**DEFAULT_KEYWORDS, "msgid": None}, options=options):
            # No line numbers: a line more in a template would change every catalogue.
            catalog.add(message, None, [(str(path.relative_to(ROOT)), 0)], context=context)


def updated(catalog: Catalog, source: Catalog) -> Catalog:
    """A catalogue brought up to the sources: new messages empty, changed ones fuzzy, others gone."""
    catalog.update(source, update_creation_date=False)
    catalog.obsolete.clear()
    return catalog


def faults(catalog: Catalog, source: Catalog) -> Iterator[str]:
    """What keeps a catalogue from being used, each as a sentence."""
    wanted = {(message.context, message.id) for message in source if message.id}
    there = {(message.context, message.id) for message in catalog if message.id}
    yield from (f"{_first(id_)!r} is missing" for context, id_ in wanted - there)
    yield from (f"{_first(id_)!r} is no longer said" for context, id_ in there - wanted)
    yield from (f"{_first(message.id)!r} is kept, though obsolete" for message in catalog.obsolete.values())
    for message in catalog:
        if message.id:
            yield from (f"{_first(message.id)!r} {fault}" for fault in _faults_of(message, catalog))


def _faults_of(message: Message, catalog: Catalog) -> Iterator[str]:
    if message.fuzzy:
        yield "is fuzzy: look at its translation, then delete the mark"
    plural = not isinstance(message.id, str)
    forms = _forms(message.string)
    if not all(forms):
        yield "is not translated"
        return
    if len(forms) != (catalog.num_plurals if plural else 1):
        yield f"has {len(forms)} forms"
        return
    wanted = _placeholders(_forms(message.id)[-1])
    for index, form in enumerate(forms):
        there = _placeholders(form)
        # "One credit" needs no digit, but only where the form is of one number alone.
        optional = {"shown"} if plural and len(_numbers_of(catalog, index)) == 1 else set()
        if there - wanted or wanted - there - optional:
            yield f"has other placeholders in {form!r}"


def _numbers_of(catalog: Catalog, index: int) -> list[int]:
    plural = c2py(catalog.plural_expr)
    return [number for number in range(300) if plural(number) == index]


def _placeholders(text: str) -> set[str]:
    return set(re.findall(r"%\((\w+)\)s", text))


def _forms(said: str | tuple[str, ...] | list[str] | None) -> tuple[str, ...]:
    return (said or "",) if isinstance(said, str | None) else tuple(said)


def _first(id_: str | tuple[str, ...] | list[str]) -> str:
    return _forms(id_)[0]


def read(language: Language) -> Catalog:
    """A language's catalogue; a new one where there is none yet."""
    path = _file(language, "po")
    if not path.exists():
        return _new(language)
    with path.open("rb") as file:
        return read_po(file, language)


def written(catalog: Catalog) -> dict[str, bytes]:
    """A catalogue's two files by their suffix."""
    po, mo = BytesIO(), BytesIO()
    write_po(po, catalog, width=120, include_lineno=False, sort_output=True)
    write_mo(mo, catalog)
    return {"po": po.getvalue(), "mo": mo.getvalue()}


def _file(language: Language, suffix: str) -> Path:
    return translations.FOLDER / language / "LC_MESSAGES" / f"{translations.DOMAIN}.{suffix}"


def check() -> list[str]:
    """Everything that is wrong with the catalogues as they lie there."""
    source, found = template(), []
    for language in LANGUAGES:
        catalog = read(language)
        found += [f"{language}: {fault}" for fault in sorted(faults(catalog, source))]
        for suffix, content in written(updated(catalog, source)).items():
            path = _file(language, suffix)
            if not path.exists() or path.read_bytes() != content:
                found.append(f"{language}: {path.name} differs from its sources; run `make messages`")
    return found


def main() -> None:
    """Write the files, or with `--check` exit 1 with all that is wrong."""
    if "--check" not in sys.argv:
        source = template()
        for language in LANGUAGES:
            for suffix, content in written(updated(read(language), source)).items():
                path = _file(language, suffix)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
    if found := check():
        sys.exit("\n".join(found))


if __name__ == "__main__":
    main()
