"""The changes in docs/guides/new-context.md: applied to a tree, and how many hand-written files each recipe touches.

    python -m infrastructure.tools.guide              the counts
    python -m infrastructure.tools.guide --apply DIR  all recipes, in their order, on a copy of the repository

A heading of the second level with a limit, `## A mail (at most 5 files)`, begins a recipe. In it a fenced block
"python path/of/file.py" is a new file, and "diff path/of/file" changes one: lines that begin with a space or `-` are
looked for, and must be there exactly once; those that begin with a space or `+` take their place; `@@` parts hunks.
"""

import argparse
import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "guides" / "new-context.md"
_HEADING = re.compile(r"^## (?P<title>.+?) \(at most (?P<most>\d+) files\)$", re.MULTILINE)
_BLOCK = re.compile(r"^```(?P<language>\w+) (?P<path>\S+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Change:
    """A new file (`text` is its content) or an edit (`text` holds its hunks)."""

    path: str
    edit: bool
    text: str

    def applied(self, before: str | None) -> str:
        """The file's new content. ValueError where it is there already, is not there, or does not fit."""
        if not self.edit:
            if before is not None:
                raise ValueError(f"{self.path} is there already")
            return self.text
        if before is None:
            raise ValueError(f"{self.path} is not there")
        for hunk in re.split(r"^@@\n", self.text, flags=re.MULTILINE):
            before = self._replaced(before, hunk)
        return before

    def _replaced(self, before: str, hunk: str) -> str:
        lines = [line if line.strip() else " " for line in hunk.splitlines()]
        if odd := [line for line in lines if line[0] not in " +-"]:
            raise ValueError(f"{self.path}: {odd[0]!r} begins with none of ' ', '+' and '-'")
        old, new = ("".join(f"{line[1:]}\n" for line in lines if line[0] in signs) for signs in (" -", " +"))
        if (found := before.count(old)) != 1:
            raise ValueError(f"{self.path} has {found} places like\n{old}")
        return before.replace(old, new)


@dataclass(frozen=True)
class Recipe:
    """A throw-away change, and how many files it may touch at most."""

    title: str
    most: int
    changes: tuple[Change, ...]

    @property
    def files(self) -> set[str]:
        """What a person writes; what `make generate` and `make messages` write is not among it."""
        return {change.path for change in self.changes}


def recipes(page: str) -> list[Recipe]:
    """All of a page. ValueError for a recipe without changes."""
    headings = list(_HEADING.finditer(page))
    found = []
    for heading, following in zip(headings, [*headings[1:], None], strict=True):
        body = page[heading.end() : following.start() if following else len(page)]
        changes = tuple(
            Change(block["path"], block["language"] == "diff", block["text"]) for block in _BLOCK.finditer(body)
        )
        if not changes:
            raise ValueError(f"{heading['title']}: no changes")
        found.append(Recipe(heading["title"], int(heading["most"]), changes))
    return found


def apply(recipe: Recipe, tree: Path) -> None:
    """Make a recipe's changes in a tree."""
    for change in recipe.changes:
        file = tree / change.path
        after = change.applied(file.read_text() if file.exists() else None)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(after)


def main() -> None:
    """Print the counts, or apply all recipes; exit 1 where one touches more files than it may."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--apply", type=Path, metavar="DIR")
    given = parser.parse_args()
    found = recipes(PAGE.read_text())
    for recipe in found:
        if given.apply:
            apply(recipe, given.apply)
        print(f"{recipe.title}: {len(recipe.files)} files, at most {recipe.most}")
    if above := [recipe.title for recipe in found if len(recipe.files) > recipe.most]:
        raise SystemExit(f"too many files: {', '.join(above)}")


if __name__ == "__main__":
    main()
