"""resv bench: many reservations on both platforms in one run, with percentiles and what became of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from reservation_cli.domain.reservation import parse_duration, parse_hold
from reservation_cli.errors import Interrupted, PlatformError, ThresholdError, UsageError
from reservation_cli.options import (
    Command,
    Json,
    Local,
    On,
    OnPlatform,
    OutputFiles,
    Stage,
    Strategy,
    StrategyName,
    begin,
    check_outputs,
    configuration,
    platforms_of,
    write_outputs,
)
from reservation_cli.platforms import NAMES, PlatformClient

if TYPE_CHECKING:
    from reservation_cli.domain.benchmark import Bench, Plan
    from reservation_cli.domain.run import Run

#: A second, over both platforms: far below what a small machine can take, so that timers meet no queue.
SWEEP_RATE = 5.0


def command(
    context: typer.Context,
    count: Annotated[
        int, typer.Option("--count", "-n", min=1, max=100_000, help="Reservations on each platform.")
    ] = 50,
    concurrency: Annotated[
        int,
        typer.Option("--concurrency", "-c", min=1, max=256, help="Requests under way at once, over both platforms."),
    ] = 10,
    rate: Annotated[
        float | None,
        typer.Option(min=0.01, help="Send so many a second, over both platforms, whatever the answers do."),
    ] = None,
    hold: Annotated[str | None, typer.Option(help="How long each seat is held; 5s unless given.")] = None,
    sweep: Annotated[
        str | None,
        typer.Option(
            help="Several holds that end in turns, at --rate (5): 1s,10s,60s. Constant or proportional error?"
        ),
    ] = None,
    strategy: Strategy = StrategyName.sleep,
    confirm_after: Annotated[
        str | None, typer.Option(help="Confirm each this long after it was accepted: with event, signal to resume.")
    ] = None,
    herd: Annotated[bool, typer.Option("--herd", help="Let all holds end at the same instant.")] = False,
    warmup: Annotated[
        int, typer.Option(min=0, max=1000, help="Reservations on each platform that come first and do not count.")
    ] = 5,
    on: OnPlatform = On.both,
    fail_if: Annotated[
        list[str] | None,
        typer.Option(help="Exit with 8 when this is true: 'aws.timer_error_ms.p95 > 200'. Repeatable."),
    ] = None,
    output: OutputFiles = None,
    local: Local = False,
    stage: Stage = None,
    json: Json = False,
) -> int:
    """Make many reservations on both platforms, interleaved, and report percentiles, counts and differences."""
    from reservation_cli.domain.benchmark import Plan  # deferred: what no other command's start needs
    from reservation_cli.domain.threshold import parse_threshold

    plan = Plan(
        platforms=platforms_of(on),
        count=count,
        concurrency=concurrency,
        holds=_holds(hold, sweep),
        strategy=strategy.value,
        rate=SWEEP_RATE if sweep is not None and rate is None else rate,
        confirm_after=parse_duration(confirm_after) if confirm_after is not None else None,
        warmup=warmup,
        herd=herd,
    )
    _check(plan)
    thresholds = [parse_threshold(text) for text in fail_if or []]
    me = begin(context, json, local, stage)

    from reservation_cli import runs  # deferred: bad input costs none of it
    from reservation_cli.bench.measure import measure
    from reservation_cli.domain.verdict import missed

    check_outputs(output)
    clients = {client.platform: client for client in me.clients(plan.platforms)}
    plan = replace(plan, platforms=tuple(clients))
    _tell_cost(me, plan, list(clients.values()))
    _tell_open_files(me, plan, list(clients.values()))
    with me.output.progress() as progress:
        bench, lanes = measure(plan, clients, progress)
    run = runs.made("bench", lanes, configuration(context), bench)
    _show(me, run)
    # After it has been shown: what was measured is not lost to a full disk.
    runs.record(me.settings.home, run)
    if not json:
        me.output.note(f"Recorded: resv compare {run.id} draws it again.")
    write_outputs(me, run, output)
    if bench.interrupted:
        measured = sum(sample.verdict == "right" for sample in bench.samples)
        raise Interrupted(
            f"Interrupted; {measured} reservations had been measured.",
            hint="What was reserved ends by itself.",
        )
    failures = missed(bench, thresholds)
    if failures:
        from reservation_cli.render.bench import missed_sentence

        raise ThresholdError(
            "; ".join(missed_sentence(failure) for failure in failures) + ".",
            hint=f"`resv compare {run.id}` shows the whole run.",
        )
    return _exit_code(bench)


def _holds(hold: str | None, sweep: str | None) -> tuple[int, ...]:
    if hold is not None and sweep is not None:
        raise UsageError("--hold and --sweep exclude each other.", hint="--sweep 1s,10s,60s names all holds.")
    if sweep is None:
        return (parse_hold(hold if hold is not None else "5s"),)
    holds = tuple(dict.fromkeys(parse_hold(part) for part in sweep.split(",") if part.strip()))
    if len(holds) < 2:
        raise UsageError("--sweep takes at least two different holds.", hint="For example: --sweep 1s,10s,60s")
    return holds


def _check(plan: Plan) -> None:
    from reservation_cli.bench.tickets import bursts

    if plan.confirm_after is not None and plan.confirm_after >= min(plan.holds):
        raise UsageError(
            f"{plan.confirm_after:g} s after acceptance a hold of {min(plan.holds)} s is over.",
            hint="Give a shorter --confirm-after, or a longer --hold.",
        )
    if plan.herd and (len(plan.holds) > 1 or plan.rate is not None):
        raise UsageError("--herd goes with one --hold, and with neither --sweep nor --rate.")
    seconds = bursts(plan) if plan.herd else 0
    if seconds >= plan.holds[0]:
        raise UsageError(
            f"--herd sends {plan.concurrency} a second, for {seconds} s: longer than the hold.",
            hint=f"Give --hold {seconds + 5}s, or a larger --concurrency.",
        )


def _tell_cost(me: Command, plan: Plan, clients: Sequence[PlatformClient]) -> None:
    in_clouds = [NAMES[client.platform] for client in clients if client.target == "cloud"]
    if in_clouds:
        number = plan.count * len(plan.holds) + plan.warmup
        me.output.note(
            f"{number} reservations on {' and '.join(in_clouds)}, for real: `resv cost` tells what each costs."
        )


def _tell_open_files(me: Command, plan: Plan, clients: Sequence[PlatformClient]) -> None:
    """The local Cloudflare engine fails past its limit of open files: better told than met."""
    if all((client.platform, client.target) != ("cloudflare", "local") for client in clients):
        return
    from reservation_cli.bench.tickets import most_busy
    from reservation_cli.local import limits

    total = plan.count * len(plan.holds) + plan.warmup
    limit = limits.raise_open_files()
    if (needed := limits.needed(total, most_busy(plan, limits.BUSY_SECONDS))) > limit:
        me.output.note(
            f"Warning: the local Cloudflare engine may need {needed:,} open files for this, and gets {limit:,}: "
            "it would fail. Raise the hard limit (ulimit -Hn), or take a smaller -n, --concurrency or --rate."
        )


def _show(me: Command, run: Run) -> None:
    if me.output.as_json:
        from reservation_cli.domain.record import run_as_json

        me.output.data(run_as_json(run))
        return
    from reservation_cli.render.bench import bench_view  # deferred: rich, 30 ms that --json does not need

    me.output.view(lambda width: bench_view(run, width))


def _exit_code(bench: Bench) -> int:
    bad = sum(sample.verdict != "right" for sample in bench.samples) + bench.double_held
    return PlatformError.exit_code if bad else 0
