"""What README quotes is what the program says."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_what_readme_quotes_is_said() -> None:
    table = (ROOT / "README.md").read_text().partition("### When something is refused")[2].partition("\n#")[0]
    quotes = [match[1] for row in table.splitlines() if (match := re.match(r"\| `([^`]+)`", row))]
    said = "".join(path.read_text() for path in (ROOT / "reservation_cli").rglob("*.py"))
    assert len(quotes) >= 5
    assert [quote for quote in quotes if quote not in said] == []
