"""resv chaos: reservations on a local stack of their own while its processes are killed, and what became of each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from reservation_cli.domain.chaos import MOMENTS, VICTIMS, Moment, Victim
from reservation_cli.domain.reservation import STRATEGIES, parse_hold
from reservation_cli.errors import Interrupted, ThresholdError, UsageError
from reservation_cli.options import (
    Command,
    ComparedStrategy,
    Json,
    On,
    OnPlatform,
    OutputFiles,
    begin,
    check_outputs,
    configuration,
    platforms_of,
    write_outputs,
)

if TYPE_CHECKING:
    from reservation_cli.domain.chaos import Plan
    from reservation_cli.domain.run import Run

#: The due time has to come between a hold's begin and the client's patience.
_SHORTEST, _LONGEST = 2, 20

Name = TypeVar("Name", Victim, Moment)


def command(
    context: typer.Context,
    kills: Annotated[
        int, typer.Option(min=1, max=10_000, help="How many processes to kill, one after the other.")
    ] = 10,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Plans the same kills and reservations again; drawn unless given.")
    ] = None,
    target: Annotated[list[str] | None, typer.Option(help=f"Only kill this: {', '.join(VICTIMS)}. Repeatable.")] = None,
    moment: Annotated[list[str] | None, typer.Option(help=f"Only then: {', '.join(MOMENTS)}. Repeatable.")] = None,
    hold: Annotated[str, typer.Option(help="How long each seat is held, 2s to 20s.")] = f"{_SHORTEST}s",
    strategy: Annotated[ComparedStrategy, typer.Option(help="One strategy, or both, at random.")] = (
        ComparedStrategy.both
    ),
    on: OnPlatform = On.both,
    output: OutputFiles = None,
    json: Json = False,
) -> int:
    """Kill the local engines' processes at chosen moments, on a stack of its own; count what is lost or done twice."""
    from reservation_cli.domain.chaos import Plan  # deferred: what no other command's start needs
    from reservation_cli.domain.chaos_plan import victims

    plan = Plan(
        kills=kills,
        seed=_drawn() if seed is None else seed,
        hold_seconds=_hold(hold),
        platforms=platforms_of(on),
        strategies=tuple(name for name in STRATEGIES if strategy.value in (name, "both")),
        victims=_chosen(target, VICTIMS, "--target"),
        moments=_chosen(moment, MOMENTS, "--moment"),
    )
    if not victims(plan):
        raise UsageError(
            f"{' and '.join(plan.victims)} is no part of {on.value}.", hint="Leave --on away, or name another --target."
        )
    me = begin(context, json, local=True)

    from reservation_cli import runs  # deferred: bad input costs none of it
    from reservation_cli.domain.chaos_verdict import broken

    check_outputs(output)
    run = _run(me, plan, {**configuration(context), "seed": plan.seed})
    _show(me, run)
    # After it has been shown: what was found is not lost to a full disk.
    runs.record(me.settings.home, run)
    if not json:
        me.output.note(f"Recorded: resv compare {run.id} draws it again.")
    write_outputs(me, run, output)
    if run.chaos is not None and (found := broken(run.chaos)):
        raise ThresholdError(
            f"A promise was broken: {'; '.join(found)}.",
            hint=f"`{_repeated(plan)}` plans the same kills and reservations.",
            code="invariant",
        )
    if run.chaos is not None and run.chaos.interrupted:
        raise Interrupted(
            f"Interrupted after {len(run.chaos.kills)} of {plan.kills} kills.", hint="Its stack has been ended."
        )
    return 0


def _run(me: Command, plan: Plan, asked: dict[str, object]) -> Run:
    from reservation_cli import runs
    from reservation_cli.chaos.ground import LocalGround
    from reservation_cli.chaos.run import measure
    from reservation_cli.domain.chaos_verdict import broken

    with me.output.progress() as progress:
        progress("starting a local stack of its own", 0, 1, "")
        ground = LocalGround.open(
            me.settings,
            plan.platforms,
            lambda own, platform: me.connect(own, platform, None, me.output.note),
            lambda _message: None,
        )
        try:
            chaos, lanes = measure(plan, ground, progress)
            if broken(chaos):
                me.output.note(f"The engines' logs are kept: {ground.keep_logs()}")
        except KeyboardInterrupt:
            raise Interrupted("Interrupted before anything was found out.", hint="Its stack has been ended.") from None
        finally:
            progress("ending its stack", 0, 1, "")
            ground.close()
    return runs.made("chaos", lanes, asked, chaos=chaos)


def _repeated(plan: Plan) -> str:
    """The command with this plan."""
    words = ["resv chaos", f"--kills {plan.kills}", f"--seed {plan.seed}"]
    if plan.victims != VICTIMS:
        words += [f"--target {victim}" for victim in plan.victims]
    if plan.moments != MOMENTS:
        words += [f"--moment {moment}" for moment in plan.moments]
    if plan.hold_seconds != _SHORTEST:
        words.append(f"--hold {plan.hold_seconds}s")
    if len(plan.strategies) == 1:
        words.append(f"--strategy {plan.strategies[0]}")
    if len(plan.platforms) == 1:
        words.append(f"--on {plan.platforms[0]}")
    return " ".join(words)


def _chosen(given: list[str] | None, known: tuple[Name, ...], option: str) -> tuple[Name, ...]:
    """Those of `known` that were given, in their order; all of them when none was."""
    unknown = [name for name in given or [] if name not in known]
    if unknown:
        raise UsageError(f"{option} knows no {unknown[0]!r}.", hint=f"It takes {', '.join(known)}.")
    return tuple(name for name in known if not given or name in given)


def _hold(text: str) -> int:
    seconds = parse_hold(text)
    if not _SHORTEST <= seconds <= _LONGEST:
        raise UsageError(
            f"For chaos a hold lasts from {_SHORTEST} s to {_LONGEST} s, not {text.strip()}.", hint="2s is a good one."
        )
    return seconds


def _drawn() -> int:
    import secrets

    return secrets.randbelow(1_000_000)


def _show(me: Command, run: Run) -> None:
    if me.output.as_json:
        from reservation_cli.domain.record import run_as_json

        me.output.data(run_as_json(run))
        return
    from reservation_cli.render.chaos import chaos_view  # deferred: rich, 30 ms that --json does not need

    me.output.view(lambda width: chaos_view(run, width))
