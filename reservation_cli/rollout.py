"""What deploy and teardown share: the plan, the consent, the doing step by step, the record."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Literal

from reservation_cli import store
from reservation_cli.deploy.change import UNKNOWN, Change, Deployer, Leftover, Plan, Remover
from reservation_cli.deploy.ways import Choice
from reservation_cli.domain.deployment import DEFAULT_STAGE, AwsDeployment, Deployment, public_record
from reservation_cli.domain.reservation import Platform
from reservation_cli.errors import ConflictError, Interrupted, NotConfiguredError, PlatformError
from reservation_cli.files import own_folder
from reservation_cli.local import locks
from reservation_cli.options import Command
from reservation_cli.platforms import NAMES

_ANOTHER = "Another resv deploys or tears down this stage; waiting for it…"


def planned_deploy(me: Command, choice: Choice, deployer: Deployer, way: Sequence[tuple[str, str]]) -> Plan:
    """What a deploy would do, learnt by read calls only.

    Raises ConflictError when the credentials are for another account than the one the stage is deployed in.
    """
    me.output.note(f"Looking at what there is on {NAMES[choice.platform]}…")
    where = (*deployer.where(), *way)
    _refuse_other_account(me, choice.platform, choice.stage, where)
    return Plan("deploy", choice.platform, choice.stage, where, tuple(deployer.changes()), choice.flags)


def planned_teardown(me: Command, platform: Platform | Literal["local"], stage: str, remover: Remover) -> Plan:
    """What a teardown would do, learnt by read calls only. Raises as `planned_deploy` does."""
    if platform == "local":
        return Plan("teardown", platform, stage, tuple(remover.where()), tuple(remover.removals()))
    me.output.note(f"Looking at what there is on {NAMES[platform]}…")
    where = tuple(remover.where())
    _refuse_other_account(me, platform, stage, where)
    others = [name for name in store.deployments(me.settings.home, platform) if name != stage]
    if others:
        me.output.note(f"Other stages stay: {', '.join(others)}.")
    region = dict(where).get("region")
    flags = f"--stage {stage}" + (f" --region {region}" if region else "")
    return Plan("teardown", platform, stage, where, tuple(remover.removals()), flags)


@contextmanager
def alone(me: Command, platform: str, stage: str) -> Iterator[None]:
    """No other `resv` on this machine deploys or tears down the same stage meanwhile."""
    home = me.settings.home
    with ExitStack() as held:
        try:
            own_folder(home)
            lock = home / f"deploy-{platform}-{stage}.lock"
            held.enter_context(locks.held(lock, lambda: me.output.note(_ANOTHER)))
        except OSError as error:
            raise store.unwritable(home, error) from error
        with _nothing_changed():
            yield


@contextmanager
def _nothing_changed() -> Iterator[None]:
    """Ctrl-C before anything has been written: what carries out a plan says more itself."""
    try:
        yield
    except KeyboardInterrupt as error:
        raise Interrupted("Interrupted; nothing has been changed.") from error


def show(me: Command, plan: Plan) -> None:
    """The plan, as what was asked for."""
    from reservation_cli.render.plan import plan_json, plan_view  # deferred: rich, 30 ms

    if me.output.as_json:
        me.output.data({"plan": plan_json(plan)})
    else:
        me.output.view(lambda width: plan_view(plan, width))


def agreed(me: Command, plan: Plan, yes: bool) -> bool:
    """Whether the plan may be carried out: there is nothing to change, `--yes` was given, or the user says so.

    Raises NotConfiguredError for a plan made without credentials, UsageError when nobody can be asked.
    """
    if plan.is_blind:
        raise _no_credentials(plan.platform)
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
    """Carry out the plan; the record goes once nothing is left where it says. Gives what could not be removed."""
    store.check(me.settings.home)
    with _told_when_interrupted(plan):
        leftovers = remover.remove(_progress(me, plan))
    if plan.platform != "local" and not leftovers:
        known = store.deployments(me.settings.home, plan.platform).get(plan.stage)
        if not isinstance(known, AwsDeployment) or known.region == dict(plan.where)["region"]:
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
        name = f"{plan.platform} {plan.flags}".strip()
        undo = ""
        if plan.action == "deploy":
            region = dict(plan.where).get("region")
            where = f"--stage {plan.stage}" + (f" --region {region}" if region else "")
            undo = f"; resv teardown {plan.platform} {where} removes it"
        raise Interrupted(
            f"Interrupted; what is done of the {plan.action} is done.",
            hint=f"resv {plan.action} {name} goes on from there{undo}.",
        ) from error


def _refuse_other_account(me: Command, platform: Platform, stage: str, where: Sequence[tuple[str, str]]) -> None:
    known = store.deployments(me.settings.home, platform).get(stage)
    account = dict(where).get("account", UNKNOWN)
    if known is not None and account not in (UNKNOWN, known.account):
        raise ConflictError(
            f"Stage {stage} of {NAMES[platform]} is in account {known.account}; these credentials are of {account}.",
            hint="Use that account's credentials, or choose another --stage.",
            code="other_account",
        )


def _no_credentials(platform: Platform | Literal["local"]) -> NotConfiguredError:
    if platform == "aws":
        from reservation_cli.platforms.aws_errors import CREDENTIALS_HINT as HINT
    else:
        from reservation_cli.platforms.cloudflare_errors import CREDENTIALS_HINT as HINT
    name = "AWS" if platform == "aws" else "Cloudflare"
    return NotConfiguredError(f"There are no {name} credentials.", hint=HINT, code="credentials")
