"""Style presets: words that are worked into a prompt, and what a picture of the style should not have."""

from dataclasses import dataclass

PLACE = "{prompt}"


@dataclass(frozen=True, slots=True)
class Style:
    """A preset. `template` holds PLACE once; `negative` joins a negative prompt that was asked for."""

    title: str
    template: str
    negative: str
    examples: tuple[str, ...]
    """Prompts that suit it, without the style's own words."""


STYLES: dict[str, Style] = {
    "photographic": Style(
        "Photographic",
        "{prompt}, photograph, natural light, 50 mm lens, shallow depth of field, fine detail",
        "drawing, painting, 3d render, cartoon, oversaturated",
        ("a fisherman mending nets at dawn", "an old bicycle against a yellow wall"),
    ),
    "cinematic": Style(
        "Cinematic",
        "{prompt}, film still, wide shot, dramatic side light, muted colour grading, film grain",
        "flat light, snapshot, cartoon",
        ("a lone car on a desert road under storm clouds", "two chess players in a smoky cafe"),
    ),
    "product": Style(
        "Product",
        "{prompt}, product photograph, seamless light grey background, softbox light, soft shadow, sharp focus",
        "clutter, busy background, text, harsh shadows",
        ("a matte black water bottle", "a leather wallet, slightly open"),
    ),
    "food": Style(
        "Food",
        "{prompt}, food photograph, window light from the side, shallow depth of field, appetising, garnish",
        "plastic look, flat light, dull colours",
        ("a bowl of ramen with a soft egg", "blackberry tart on baking paper"),
    ),
    "watercolour": Style(
        "Watercolour",
        "{prompt}, watercolour painting on cold-pressed paper, loose washes, visible brush strokes, white space",
        "photograph, hard edges, glossy",
        ("a harbour with red roofs", "a sleeping fox among ferns"),
    ),
    "oil-painting": Style(
        "Oil painting",
        "{prompt}, oil painting on canvas, thick impasto strokes, rich glazes, warm varnish",
        "photograph, flat colour, line art",
        ("a wheat field before a thunderstorm", "still life with pears and a pewter jug"),
    ),
    "ink": Style(
        "Ink drawing",
        "{prompt}, black ink drawing, cross-hatching, expressive line, white paper",
        "colour, photograph, gradient",
        ("a crooked street in an old town", "a raven on a gatepost"),
    ),
    "line-art": Style(
        "Line art",
        "{prompt}, clean line art, even thin outlines, no shading, white background",
        "colour, shading, texture, photograph",
        ("a potted monstera", "hands tying a shoelace"),
    ),
    "comic": Style(
        "Comic",
        "{prompt}, comic panel, bold outlines, flat colours, halftone shading, dynamic angle",
        "photograph, soft blur, muted colours",
        ("a courier jumping between rooftops", "a cat detective under a street lamp"),
    ),
    "anime": Style(
        "Anime",
        "{prompt}, anime illustration, cel shading, detailed painted background, soft sky light",
        "photograph, 3d render, rough sketch",
        ("a train platform in summer rain", "a girl reading on a rooftop at dusk"),
    ),
    "pixel-art": Style(
        "Pixel art",
        "{prompt}, pixel art, limited palette, crisp square pixels, sprite",
        "blur, gradient, anti-aliasing, photograph",
        ("a small castle on an island", "a potion bottle"),
    ),
    "isometric": Style(
        "Isometric",
        "{prompt}, isometric illustration, seen from above at an angle, small diorama, soft shadows, plain background",
        "perspective distortion, photograph, clutter",
        ("a corner bakery", "a hydroponic greenhouse"),
    ),
    "clay": Style(
        "Clay",
        "{prompt}, clay figure, hand-modelled, fingerprints in the surface, stop-motion set, studio light",
        "photograph of a person, line art, glossy plastic",
        ("a penguin postman", "a village with a windmill"),
    ),
    "low-poly": Style(
        "Low poly",
        "{prompt}, low-poly 3d render, flat-shaded triangles, pastel colours, soft ambient light",
        "photograph, fine texture, noise",
        ("a deer in a birch forest", "a volcano island"),
    ),
}


def styled(prompt: str, negative: str, style: str | None) -> tuple[str, str]:
    """The prompt and the negative prompt that are drawn. Without a style, as they were asked.

    A style's negative part only joins one that was asked for: guiding away from words doubles the work of a distilled
    model and changes how it draws, so a preset alone must not cause it.
    """
    if style is None:
        return prompt, negative
    found = STYLES[style]
    # Not str.format: a prompt may hold braces.
    drawn = found.template.replace(PLACE, prompt.strip().rstrip(".,;"), 1)
    return drawn, f"{negative.strip()}, {found.negative}" if negative.strip() else ""
