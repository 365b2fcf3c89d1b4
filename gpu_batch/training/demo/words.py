"""Prompts: how a scene is put into words, and which pairs of shape and colour the model never sees.

Shape and colour are always named; material, background and size may be left out, and are then free.
"""

import numpy as np

from training.demo.pictures import BACKGROUNDS, COLOURS, MATERIALS, SHAPES, SIZES, Scene

SHAPE_WORDS = {
    "sphere": ("sphere", "ball"),
    "cube": ("cube", "box"),
    "cone": ("cone",),
    "cylinder": ("cylinder",),
    "torus": ("torus", "ring", "donut"),
    "pyramid": ("pyramid",),
    "star": ("star",),
    "heart": ("heart",),
}
COLOUR_WORDS = {colour: (colour,) for colour in COLOURS} | {
    "turquoise": ("turquoise", "cyan"),
    "purple": ("purple", "violet"),
}
MATERIAL_WORDS = {
    "matte": ("matte", "clay"),
    "shiny": ("shiny", "glossy"),
    "metal": ("metal", "metallic"),
    "glass": ("glass", "transparent"),
}
BACKGROUND_WORDS = {
    "studio": ("in a studio", "on a grey background", "on a grey floor"),
    "night": ("at night", "in the dark", "on a dark background"),
    "sky": ("under a blue sky", "on sand", "on a beach"),
    "sunset": ("at sunset", "in the evening", "at dusk"),
    "meadow": ("in a meadow", "on grass", "on green grass"),
    "wood": ("on a wooden table", "on wood", "on a wooden floor"),
}
SIZE_WORDS = {"small": ("small", "tiny", "little"), "large": ("large", "big", "huge")}
_OPENINGS = ("", "", "", "a picture of ", "a photo of ", "a render of ", "an image of ", "3d render of ")
_CLOSINGS = ("", "", "", "", ", high quality", ", soft light", ", studio light", ", product photo", ", detailed")

_EVERY = 7


def held_out() -> list[tuple[str, str]]:
    """Pairs of shape and colour that training never shows: every seventh on a diagonal, so that each shape and each
    colour is still seen with most of the others.
    """
    colours = list(COLOURS)
    return [
        (shape, colour)
        for row, shape in enumerate(SHAPES)
        for column, colour in enumerate(colours)
        if (3 * row + column) % _EVERY == 0
    ]


def seen_pairs() -> list[tuple[str, str]]:
    """All other pairs."""
    kept = set(held_out())
    return [(shape, colour) for shape in SHAPES for colour in COLOURS if (shape, colour) not in kept]


def describe(scene: Scene, rng: np.random.Generator) -> str:
    """A prompt for the scene, in one of many wordings."""

    def one(words: tuple[str, ...]) -> str:
        return words[int(rng.integers(len(words)))]

    size = f"{one(SIZE_WORDS[scene.size])} " if rng.random() < 0.5 else ""
    material = one(MATERIAL_WORDS[scene.material])
    colour, shape = one(COLOUR_WORDS[scene.colour]), one(SHAPE_WORDS[scene.shape])
    place = f" {one(BACKGROUND_WORDS[scene.background])}" if rng.random() < 0.75 else ""
    form = rng.random()
    if form < 0.3:
        thing = f"{size}{colour} {shape}"
    elif form < 0.6:
        thing = f"{size}{material} {colour} {shape}"
    elif form < 0.85:
        thing = f"{size}{colour} {material} {shape}"
    else:
        thing = f"{size}{colour} {shape} made of {material}"
    article = "the " if rng.random() < 0.1 else ("an " if thing[0] in "aeiou" else "a ")
    prompt = one(_OPENINGS) + (article if rng.random() < 0.9 else "") + thing + place + one(_CLOSINGS)
    return prompt[0].upper() + prompt[1:] if rng.random() < 0.2 else prompt


def plain(scene: Scene) -> str:
    """The scene's plainest full prompt."""
    article = "an" if scene.colour[0] in "aeiou" else "a"
    place = BACKGROUND_WORDS[scene.background][0]
    return f"{article} {scene.colour} {scene.material} {scene.shape} {place}"


def vocabulary() -> list[str]:
    """Every word that a prompt can hold, lower case, sorted."""
    tables = (SHAPE_WORDS, COLOUR_WORDS, MATERIAL_WORDS, BACKGROUND_WORDS, SIZE_WORDS)
    phrases = [phrase for table in tables for words in table.values() for phrase in words]
    phrases += [*_OPENINGS, *_CLOSINGS, "a an the made of with and two background floor light"]
    return sorted({word for phrase in phrases for word in phrase.replace(",", " ").lower().split()})


assert set(MATERIAL_WORDS) == set(MATERIALS)  # noqa: S101
assert set(BACKGROUND_WORDS) == set(BACKGROUNDS)  # noqa: S101
assert set(SIZE_WORDS) == set(SIZES)  # noqa: S101
