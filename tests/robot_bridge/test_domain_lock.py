"""One bridge per domain and namespace on a machine."""

from __future__ import annotations

from pathlib import Path

import pytest
from robot_bridge.domain_lock import claim_domain


@pytest.fixture(autouse=True)
def own_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv("ROS_DOMAIN_ID", "7")


def test_second_claim_is_refused_until_the_first_is_gone() -> None:
    first = claim_domain("/")
    assert first is not None
    with pytest.raises(ValueError, match="ROS domain 7 is taken: another bridge runs here"):
        claim_domain("/")
    first.close()
    assert claim_domain("/") is not None


def test_other_domains_and_namespaces_are_free(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = [claim_domain("/"), claim_domain("/robot1")]
    monkeypatch.setenv("ROS_DOMAIN_ID", "8")
    kept.append(claim_domain("/"))
    assert all(kept)


def test_without_a_place_for_the_file_nobody_is_kept_away(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "missing"))
    assert claim_domain("/") is None
