"""Primitive shapes as triangles: what the scene draws."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import trimesh
from numpy.typing import NDArray

Mesh = tuple[NDArray[np.float64], NDArray[np.int64]]


@cache
def unit_mesh(kind: str) -> Mesh:
    """Return vertices and faces of a "box", "sphere" or "cylinder" (along z) that fills a cube of side 1 m."""
    made: Any
    if kind == "box":
        made = trimesh.creation.box((1.0, 1.0, 1.0))
    elif kind == "sphere":
        made = trimesh.creation.icosphere(subdivisions=2, radius=0.5)
    else:
        made = trimesh.creation.cylinder(radius=0.5, height=1.0, sections=24)
    return np.asarray(made.vertices, dtype=float), np.asarray(made.faces)


@cache
def primitive(kind: str, size: tuple[float, ...]) -> Mesh:
    """Return vertices and faces of a shape of the link table; `size` as in `links.Shape`."""
    if kind == "capsule":
        made: Any = trimesh.creation.capsule(height=2.0 * size[1], radius=size[0], count=(16, 16))
        vertices = np.asarray(made.vertices, dtype=float)
        return vertices - 0.5 * (vertices.max(axis=0) + vertices.min(axis=0)), np.asarray(made.faces)
    vertices, faces = unit_mesh(kind)
    if kind == "box":
        scale = 2.0 * np.array(size)
    elif kind == "sphere":
        scale = np.full(3, 2.0 * size[0])
    else:
        scale = np.array([2.0 * size[0], 2.0 * size[0], 2.0 * size[1]])
    return vertices * scale, faces
