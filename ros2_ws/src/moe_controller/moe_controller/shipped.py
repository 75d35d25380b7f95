"""Where the shipped policy lies: in the package's share folder, or in `models/` of a checkout."""

from __future__ import annotations

from pathlib import Path

MODEL_NAME = "moe.onnx"


def shipped_model() -> Path:
    """Return the path of the shipped policy; it may not exist, then loading it says so."""
    checkout = Path(__file__).resolve().parents[4] / "models" / MODEL_NAME
    try:
        from ament_index_python.packages import PackageNotFoundError, get_package_share_directory
    except ImportError:
        return checkout
    try:
        installed = Path(get_package_share_directory("moe_controller")) / "models" / MODEL_NAME
    except (PackageNotFoundError, OSError, LookupError):  # AMENT_PREFIX_PATH may not be set
        return checkout
    return installed if installed.exists() else checkout
