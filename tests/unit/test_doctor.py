"""The doctor's limits, and what it keeps out of its report."""

from __future__ import annotations

from pathlib import Path

from reservation_cli import settings
from reservation_cli.doctor.check import Check, Report
from reservation_cli.doctor.examine import examine
from reservation_cli.doctor.settings import scrubbed, secrets
from reservation_cli.render.doctor import summary
from support.http_server import SILENCE, serving

ACCOUNT = "0" * 32


def test_what_does_not_answer_is_one_line(tmp_path: Path) -> None:
    with serving() as server:
        server.prepared["GET", "*"] = SILENCE
        environ = {
            "RESV_HOME": str(tmp_path),
            "PATH": "",
            "CLOUDFLARE_API_TOKEN": "a-token-of-some-length",
            "CLOUDFLARE_ACCOUNT_ID": ACCOUNT,
            "CLOUDFLARE_API_BASE_URL": server.url,
        }
        report = examine(settings.load(environ, tmp_path), "cloudflare", limit=1.0)
    late = [check for check in report.checks if check.detail == "No answer within 1 s."]
    assert [(check.group, check.name, check.fails) for check in late] == [("cloudflare", "credentials", True)]
    assert "state.json" in [check.name for check in report.checks]


def test_a_secret_is_hidden_wherever_it_is_quoted() -> None:
    hidden = secrets({"AWS_SESSION_TOKEN": " abc\n", "CLOUDFLARE_API_TOKEN": ""}, {"aws": [], "cloudflare": []})
    assert scrubbed("Invalid header value b'abc\\n'", hidden) == "Invalid header value b'***\\n'"


def test_the_summary_counts_warnings() -> None:
    warning, fine = Check("state", "home", "warning", "x", "y"), Check("state", "disk", "ok", "x")
    assert summary(Report((fine, warning), ())) == "Nothing that is needed is missing; 1 warning."
    assert summary(Report((fine, warning, warning), ())) == "Nothing that is needed is missing; 2 warnings."
