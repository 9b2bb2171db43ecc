"""What `resv differences --json` prints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from reservation_cli.domain.differences import Quoted
from reservation_cli.domain.twins import Block


def differences_json(differences: Sequence[Quoted]) -> dict[str, object]:
    """The differences, each with its lines of code."""
    return {"differences": [asdict(difference) for difference in differences]}


def code_json(blocks: Sequence[Block]) -> dict[str, object]:
    """Both files, cut where their lines correspond; `title` is null within a section."""
    return {"code": [asdict(block) for block in blocks]}
