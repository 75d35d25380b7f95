"""One bridge per ROS domain and namespace on this machine, known at once. ROS-free.

Discovery finds bridges on other machines too, but may take seconds; by then two bridges would feed one controller.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
from pathlib import Path
from typing import IO


def claim_domain(namespace: str) -> IO[str] | None:
    """Claim this process's ROS domain for as long as the returned file stays open; the end of the process frees it.

    Args:
        namespace: of the node.

    Returns:
        The open lock file; None where no lock can be made, and nobody is kept away.

    Raises:
        ValueError: another bridge has it; one line.
    """
    domain = os.environ.get("ROS_DOMAIN_ID") or "0"
    name = "_".join(part for part in ("go2_piper_bridge", domain, *namespace.split("/")) if part)
    path = Path(tempfile.gettempdir()) / f"{name}.lock"
    try:
        file = path.open("a")
    except OSError:  # another user's file, or nowhere to write: discovery still looks
        return None
    with contextlib.suppress(OSError):
        path.chmod(0o666)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise ValueError(
            f"ROS domain {domain} is taken: another bridge runs here; stop it or set another ROS_DOMAIN_ID"
        ) from None
    return file
