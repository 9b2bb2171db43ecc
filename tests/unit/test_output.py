"""What reaches a terminal of the texts that others have written."""

from __future__ import annotations

import io
import json
from collections.abc import Callable

import pytest
from rich.table import Table
from rich.text import Text

from reservation_cli.domain import json_text
from reservation_cli.output import Output, plain
from reservation_cli.render.terminal import PlainConsole

HOSTILE = "a\x1b[2J\x9bb\u202ec\u2066d\x07\ud800\u2028e"
Run = Callable[..., tuple[int, str, str]]


def test_a_view_obeys_nobody() -> None:
    table = Table("name", HOSTILE)
    table.add_row(Text(HOSTILE, style="bold red"), "whole")
    file = io.StringIO()
    PlainConsole(file=file, width=60, force_terminal=True, color_system="standard", _environ={}).print(table)
    drawn = file.getvalue()
    assert "\x1b[1;31ma " in drawn  # the style is Rich's own
    assert "\x1b[2J" not in drawn
    assert not set("\x9b\u202e\u2066\x07\ud800\u2028") & set(drawn)
    assert len({len(line) for line in plain(drawn, "\n").splitlines() if "│" in line and "\x1b" not in line}) <= 1


def test_typographic_spaces_stay() -> None:
    assert plain("9\u202f999.9\u00a0ms\tx") == "9\u202f999.9\u00a0ms\tx"


def test_json_escapes_what_a_terminal_obeys(capsys: pytest.CaptureFixture[str]) -> None:
    Output(as_json=True, environ={}).data({"error": HOSTILE, "é": "ü"})
    out = capsys.readouterr().out
    assert json.loads(out) == {"error": HOSTILE, "é": "ü"}
    assert plain(out, "\n") == out
    assert '"é": "ü"' in out


def test_an_error_is_one_line_that_somebody_reads(run_resv: Run) -> None:
    code, out, err = run_resv("status", "x" * 5000 + "\n\x1b[2J")
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 2
    assert len(err) < 600
    assert "\x1b" not in err


@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"a":' * 5_000 + "1" + "}" * 5_000, "NaN", "[-Infinity]", "1" * 5_000, ""]
)
def test_what_is_no_json(text: str) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        json_text.loads(text)


def test_what_no_file_can_be_called(run_resv: Run) -> None:
    for argv in (("compare", "x" * 5000), ("cost", "x" * 5000), ("cost", "--prices", "a\0b"), ("report", "a\0.json")):
        code, out, err = run_resv(*argv, "--json") if argv[0] != "report" else run_resv(*argv, "--output", "x.md")
        assert (code in (2, 3), out) == (True, "")
        assert "Traceback" not in err
