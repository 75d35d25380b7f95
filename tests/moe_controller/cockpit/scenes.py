"""What tests of the browser's scene share."""

from __future__ import annotations

from typing import Any


class Remembered:
    """A viser scene that keeps the handles of what is put into it, by name."""

    def __init__(self, scene: Any) -> None:
        self._scene = scene
        self.handles: dict[str, Any] = {}
        self.made = 0

    def __getattr__(self, name: str) -> Any:
        add = getattr(self._scene, name)

        def remember(path: str, *args: Any, **kwargs: Any) -> Any:
            self.made += 1
            self.handles[path] = add(path, *args, **kwargs)
            return self.handles[path]

        return remember
