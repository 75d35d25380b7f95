"""Draw expert weights and a caption onto rendered pictures."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import matplotlib
import numpy as np
from numpy.typing import NDArray
from PIL import Image as PilImage
from PIL import ImageDraw, ImageFont

from .scene import Image

_COLORS = ((232, 119, 34), (42, 111, 187), (76, 153, 90), (150, 90, 170))
_INK = (38, 42, 48)


@lru_cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    # the one font that is always there, as matplotlib brings it
    path = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
    return ImageFont.truetype(str(path), size)


def draw_caption(image: Image, text: str) -> Image:
    """Return the picture with a line of text in its upper left corner."""
    picture = PilImage.fromarray(image)
    size = max(image.shape[0] // 34, 10)
    ImageDraw.Draw(picture).text((size, size * 0.8), text, fill=_INK, font=_font(size))
    return np.asarray(picture)


def draw_weights(
    image: Image, weights: NDArray[np.float64], groups: tuple[str, ...], experts: tuple[str, ...]
) -> Image:  # fmt: skip
    """Return the picture with one stacked bar per joint group in its lower left corner.

    Args:
        image: RGB, shape (height, width, 3).
        weights: shape (groups, experts); each row sums to 1. Rows that are not finite are left empty.
        groups: names of the rows.
        experts: names of the columns.
    """
    picture = PilImage.fromarray(image)
    draw = ImageDraw.Draw(picture, "RGBA")
    unit = max(image.shape[0] // 40, 9)
    font = _font(unit)
    label = max(draw.textlength(name, font=font) for name in groups)
    bar, line = 12 * unit, int(1.7 * unit)
    left, top = unit, image.shape[0] - unit - line * (len(groups) + 1)
    draw.rounded_rectangle(
        (left - unit // 2, top - unit // 2, left + label + bar + 1.5 * unit, image.shape[0] - unit // 2),
        radius=unit // 2, fill=(255, 255, 255, 190),
    )  # fmt: skip
    x = float(left)
    for index, name in enumerate(experts):
        draw.rectangle((x, top + 0.25 * unit, x + 0.7 * unit, top + 0.95 * unit), fill=_COLORS[index % len(_COLORS)])
        draw.text((x + unit, top), name, fill=_INK, font=font)
        x += 2 * unit + draw.textlength(name, font=font)
    for row, name in enumerate(groups):
        y = top + line * (row + 1)
        draw.text((left, y), name, fill=_INK, font=font)
        x = left + label + 0.7 * unit
        for index, weight in enumerate(weights[row]):
            if not np.all(np.isfinite(weights[row])):
                break
            width = bar * float(np.clip(weight, 0.0, 1.0))
            draw.rectangle((x, y + 0.15 * unit, x + width, y + 1.05 * unit), fill=_COLORS[index % len(_COLORS)])
            if width > 3 * unit:
                draw.text((x + 0.3 * unit, y), f"{weight:.2f}", fill=(255, 255, 255), font=font)
            x += width
    return np.asarray(picture)
