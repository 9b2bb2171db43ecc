"""What deploy and teardown share: the plan, the consent, the doing step by step, the record."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Literal

from reservation_cli import store
from reservation_cli.deploy.change import Change, Deployer, Leftover, Plan, Remover
from reservation_cli.deploy.ways import Choice
from reservation_cli.domain.deployment import DEFAULT_STAGE, Deployment, public_record
from reservation_cli.domain.reservation import Platform
from reservation_cli.errors import Interrupted, PlatformError
from reservation_cli.options import Command
from reservation_cli.platforms import NAMES


def planned_deploy(me: Command, choice: Choice, deployer: Deployer, way: Sequence[tuple[str, str]]) -> Plan:
    """What a deploy would do, learnt by read calls only."""
    me.output.note(f"Looking at what there is on {NAMES[choice.platform]}…")
    where = (*deployer.where(), *way)
    return Plan("deploy", choice.platform, choice.stage, where, tuple(deployer.changes()))


def planned_teardown(me: Command, platform: Platform | Literal["local"], stage: str, remover: Remover) -> Plan:
    """What a teardown would do, learnt by read calls only."""
    if platform != "local":
        me.output.note(f"Looking at what there is on {NAMES[platform]}…")
        others = [name for name in store.deployments(me.settings.home, platform) if name != stage]
        if others:
            me.output.note(f"Other stages stay: {', '.join(others)}.")
    return Plan("teardown", platform, stage, tuple(remover.where()), tuple(remover.removals()))


def show(me: Command, plan: Plan) -> None:
    """The plan, as what was asked for."""
    from reservation_cli.render.plan import plan_json, plan_view  # deferred: rich, 30 ms

    if me.output.as_json:
        me.output.data({"plan": plan_json(plan)})
    else:
        me.output.view(lambda width: plan_view(plan, width))


def agreed(me: Command, plan: Plan, yes: bool) -> bool:
    """Whether the plan may be carried out: there is nothing to change, `--yes` was given, or the user says so.

    A plan made without credentials may: what carries it out refuses, and says how to get some. Raises UsageError when
    nobody can be asked.
    """
    if plan.is_blind:
        return True
    if not me.output.as_json:
        from reservation_cli.render.plan import plan_view  # deferred: rich, 30 ms

        me.output.draft(lambda width: plan_view(plan, width))
    if not plan.work or yes or me.output.ask(f"{plan.action.capitalize()} this?"):
        return True
    me.output.note("Nothing has been changed.")
    return False


def deploy(me: Command, plan: Plan, deployer: Deployer) -> Deployment:
    """Carry out the plan, and record what is deployed."""
    store.check(me.settings.home)  # what cannot be recorded is not begun
    with _told_when_interrupted(plan):
        deployment = deployer.apply(_progress(me, plan))
    store.remember_deployment(me.settings.home, deployment)
    return deployment


def tell_deployed(me: Command, deployment: Deployment) -> None:
    """What exists now, and the next command."""
    if me.output.as_json:
        me.output.data({"deployment": public_record(deployment)})
        return
    me.output.text(f"{deployment.label}  version {deployment.version}")
    flag = "" if deployment.stage == DEFAULT_STAGE else f" --stage {deployment.stage}"
    me.output.note(f"Next: resv reserve --seat A1 --user user123 --on {deployment.platform}{flag}")


def teardown(me: Command, plan: Plan, remover: Remover) -> Sequence[Leftover]:
    """Carry out the plan; the record goes once nothing is left. Gives what could not be removed."""
    if plan.platform != "local":
        store.check(me.settings.home)
    with _told_when_interrupted(plan):
        leftovers = remover.remove(_progress(me, plan))
    if not leftovers and plan.platform != "local":
        store.forget_deployment(me.settings.home, plan.platform, plan.stage)
    return leftovers


def tell_removed(me: Command, plan: Plan, leftovers: Sequence[Leftover]) -> None:
    """What was removed; PlatformError that names what is left, if anything is."""
    from reservation_cli.render.plan import leftovers_json, plan_json  # deferred: rich, 30 ms

    if me.output.as_json:
        me.output.data({"plan": plan_json(plan), "leftovers": leftovers_json(leftovers)})
    elif not leftovers:
        me.output.text(f"Nothing of {plan.subject} is left.")
    if leftovers:
        told = "; ".join(f"{left.kind} {left.name}: {left.reason.rstrip('.')}" for left in leftovers)
        raise PlatformError(
            f"Not all could be removed. {told}.",
            hint="Mend that, and run it again: the rest is gone.",
            code="leftovers",
        )


def _progress(me: Command, plan: Plan) -> Callable[[Change], None]:
    from reservation_cli.render.plan import progress_line  # deferred: rich, 30 ms

    done = 0

    def tell(change: Change) -> None:
        nonlocal done
        done += 1
        me.output.note(progress_line(change, done, len(plan.changes)))

    return tell


@contextmanager
def _told_when_interrupted(plan: Plan) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt as error:
        name = plan.platform if plan.platform == "local" else f"{plan.platform} --stage {plan.stage}"
        again = f"resv {plan.action} {name}"
        undo = f", resv teardown {name} removes it" if plan.action == "deploy" else ""
        raise Interrupted(
            f"Interrupted; what is done of the {plan.action} is done.", hint=f"{again} goes on from there{undo}."
        ) from error
