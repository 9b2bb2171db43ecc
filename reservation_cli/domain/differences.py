"""The key differences of the two programming models, each with the lines of this project's own code that show it.

What is told of the platforms was read from the vendors' documentation of autumn 2026 and, for the local engines,
measured; limits and prices are dated, for they change.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from reservation_cli.domain.prices import PRICES
from reservation_cli.domain.quotes import Anchor, Quote, quote

LIMITS_AS_OF = "2026-11"

_CF_WORKFLOW = "cf-workflow/src/workflow.ts"
_CF_INSTANCE = "cf-workflow/src/instance.ts"
_CF_SEAT = "cf-workflow/src/seat.ts"
_CF_INDEX = "cf-workflow/src/index.ts"
_CF_CONFIG = "cf-workflow/wrangler.jsonc"
_AWS_HANDLER = "aws-durable/src/handler.ts"
_AWS_SEATS = "aws-durable/src/seats.ts"
_AWS_SEATS_API = "aws-durable/src/seats-api.ts"
_AWS_CONFIG = "infra/template.yaml"
_AWS_CLIENT = "reservation_cli/platforms/aws.py"


@dataclass(frozen=True, slots=True)
class Side:
    """What holds on one platform: a sentence or three, and where this project's code shows it."""

    text: str
    code: tuple[Anchor, ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """One topic on both platforms. `as_of` is the month of figures that change, as in '2026-11'."""

    topic: str
    cloudflare: Side
    aws: Side
    as_of: str | None = None


def _million(name: str) -> str:
    return f"${PRICES[name].each * 1e6:.2f}"


def _each(name: str) -> str:
    return f"${PRICES[name].each:.10f}".rstrip("0") if PRICES[name].each < 0.01 else f"${PRICES[name].each:.2f}"


DIFFERENCES: tuple[Difference, ...] = (
    Difference(
        "workflow",
        Side(
            "A class with run(event, step) in a Worker; TypeScript, JavaScript or Python. Its bindings: this.env.",
            (Anchor(_CF_WORKFLOW, "export class ReservationWorkflow extends WorkflowEntrypoint"),),
        ),
        Side(
            "A Lambda handler that the SDK wraps; Node.js, Python, Java, .NET or a container image. It is invoked "
            "anew after each wait, 15 minutes at most each time.",
            (Anchor(_AWS_HANDLER, "export const handler = withDurableExecution("),),
        ),
    ),
    Difference(
        "step",
        Side(
            "step.do(name, config?, function). Runs at least once; its result is kept by name, with a counter: "
            "create-hold-1.",
            (Anchor(_CF_WORKFLOW, 'step.do("create-hold"'),),
        ),
        Side(
            "context.step(name, function, config?). Runs at least once, or at most once per retry where that is "
            "chosen; its result is kept by its place in the order of calls.",
            (Anchor(_AWS_HANDLER, 'context.step("create-hold"'),),
        ),
    ),
    Difference(
        "sleep",
        Side(
            'step.sleep(name, "15 minutes"), or a number of milliseconds; 365 days at most. Asleep, an instance uses '
            "no CPU time and does not count as running.",
            (Anchor(_CF_WORKFLOW, 'step.sleep("hold-window"'),),
        ),
        Side(
            "context.wait(name, {seconds}): whole seconds, 1 s to 366 days; it cannot be cancelled. The function "
            "ends meanwhile, so no compute is billed.",
            (Anchor(_AWS_HANDLER, 'context.wait("hold-window"'),),
        ),
    ),
    Difference(
        "confirm",
        Side(
            "step.waitForEvent(name, {type, timeout}). The instance id is address enough, and an event that comes "
            "before the wait is kept. A timeout throws.",
            (
                Anchor(_CF_WORKFLOW, 'step.waitForEvent<{ action?: string }>("await-confirmation"'),
                Anchor(_CF_INSTANCE, "await instance.sendEvent("),
            ),
        ),
        Side(
            "context.createCallback(name, {timeout}) gives a promise and a callback id. The workflow has to hand that "
            "id out before it waits; here the seat keeps it. A timeout throws.",
            (
                Anchor(_AWS_HANDLER, 'context.createCallback("await-confirmation"'),
                Anchor(_AWS_SEATS_API, "new SendDurableExecutionCallbackSuccessCommand("),
            ),
        ),
    ),
    Difference(
        "retries",
        Side(
            "Settings of each step: limit, delay, backoff, timeout. By default 5 retries, the first after 10 s, "
            "doubling, 10 minutes an attempt. NonRetryableError ends them.",
            (
                Anchor(_CF_WORKFLOW, "const RETRIES = { retries: {"),
                Anchor(_CF_WORKFLOW, "throw new NonRetryableError("),
            ),
        ),
        Side(
            "A function of each step, from error and attempt; createRetryStrategy makes one. By default 6 attempts, "
            "the first retry within 5 s, doubling, with jitter. The delay bills no compute; the retry is an operation.",
            (
                Anchor(_AWS_HANDLER, "const backoff = createRetryStrategy({"),
                Anchor(_AWS_HANDLER, "error instanceof ReservationConflict ? { shouldRetry: false }"),
            ),
        ),
    ),
    Difference(
        "errors",
        Side(
            "What the engine throws into the workflow has lost its class and, replayed, its name as well: a timeout is "
            "known by its text.",
            (Anchor(_CF_WORKFLOW, "/WorkflowTimeoutError|Execution timed out/.test("),),
        ),
        Side(
            "Errors of callbacks keep their classes through a replay: instanceof will do.",
            (Anchor(_AWS_HANDLER, "if (error instanceof CallbackTimeoutError)"),),
        ),
    ),
    Difference(
        "determinism",
        Side(
            "run() starts again after a hibernation, and finished steps are found by name. So clocks, randomness and "
            "I/O belong in steps; a step that has got a new name runs again.",
            (Anchor(_CF_WORKFLOW, '{ "create-hold": hold.clock, finalize: final.clock }'),),
        ),
        Side(
            "The handler starts again at each wake-up, and finished operations are found by their order; type and "
            "name are checked, and a mismatch fails the execution. So clocks, randomness and I/O belong in steps.",
            (Anchor(_AWS_HANDLER, '{ "create-hold": hold.clock, finalize: final.clock }'),),
        ),
    ),
    Difference(
        "idempotency",
        Side(
            "The instance id. To create it twice is an error, whatever the input: whether the input is the same is "
            "for your code to find out.",
            (
                Anchor(_CF_INSTANCE, '"instance.already_exists"'),
                Anchor(_CF_WORKFLOW, "if (!sameRequest(claimed.request, request))"),
            ),
        ),
        Side(
            "The DurableExecutionName. The same name and payload give the execution that is there; another payload "
            "is refused with 409. What event source mappings start has no name.",
            (Anchor(_AWS_CLIENT, "DurableExecutionName=request.reservation_id"),),
        ),
    ),
    Difference(
        "invocation",
        Side(
            "create({id, params}) by a binding of any Worker, by REST or by wrangler. A Worker is its HTTP interface.",
            (
                Anchor(_CF_INSTANCE, "await env.RESERVATION_WORKFLOW.create("),
                Anchor(_CF_INDEX, 'app.post("/reserve"'),
            ),
        ),
        Side(
            "Lambda's Invoke, on a version or an alias. Asynchronously (Event) if the execution may take more than 15 "
            "minutes; the answer names its ARN.",
            (Anchor(_AWS_CLIENT, 'InvocationType="Event"'),),
        ),
    ),
    Difference(
        "state",
        Side(
            "The engine keeps results of steps, 7 days past the end (Paid plan, up to 30). All else is where bindings "
            "lead: here a Durable Object per seat, and KV for the audit trail.",
            (
                Anchor(_CF_SEAT, "export class Seat extends DurableObject<Env>"),
                Anchor("cf-workflow/src/audit.ts", "await env.RESERVATIONS_KV.put(key"),
            ),
        ),
        Side(
            "Lambda keeps the checkpoints, 1 to 90 days past the end. All else is where the function's role lets it: "
            "here one DynamoDB table.",
            (
                Anchor(_AWS_CONFIG, "RetentionPeriodInDays: 14"),
                Anchor(_AWS_SEATS, "new DynamoDBClient({"),
            ),
        ),
    ),
    Difference(
        "consistency",
        Side(
            "A Durable Object does one thing at a time, so plain SQL in it is a compare-and-set. KV may be stale for "
            "a minute or more, so it decides nothing.",
            (
                Anchor(_CF_SEAT, '"UPDATE reservations SET status = ?, ended_at = ?, revision'),
                Anchor(_CF_SEAT, "WHERE reservation_id = ? AND status = 'held'"),
            ),
        ),
        Side(
            "A conditional write to the seat's item is the compare-and-set. Reads are eventually consistent unless "
            "asked otherwise.",
            (
                Anchor(_AWS_SEATS, "ConditionExpression: `reservationId = :id AND #status = :held${inTime}`"),
                Anchor(_AWS_SEATS, "ConsistentRead: true"),
            ),
        ),
    ),
    Difference(
        "versioning",
        Side(
            "A deploy makes a version; instances created from then on run it, and older instances may be alive. No "
            "alias pins them: keep the names of steps that they have run.",
            (Anchor(_CF_CONFIG, '"class_name": "ReservationWorkflow"'),),
        ),
        Side(
            "An execution stays on the version that it began with, if a version or an alias was invoked, as this "
            "project's always is: new code may change all of the workflow.",
            (
                Anchor(_AWS_CONFIG, "AutoPublishAlias: live"),
                Anchor("reservation_cli/deploy/aws_function.py", "self.client.publish_version("),
            ),
        ),
    ),
    Difference(
        "observability",
        Side(
            "REST tells an instance's steps and attempts with milliseconds; the binding's status() tells no steps. "
            "Logs: Workers Observability, wrangler tail.",
            (
                Anchor(
                    "reservation_cli/platforms/cloudflare.py", 'self._call(self.instances, "GET", f"/{instance_id}")'
                ),
                Anchor(_CF_INSTANCE, "await instance.status()"),
            ),
        ),
        Side(
            "GetDurableExecutionHistory tells every event with milliseconds, 15 calls a second. Step times come from "
            "batched checkpoints, so take clocks inside the step. Logs: CloudWatch.",
            (Anchor(_AWS_CLIENT, "self.api.get_durable_execution_history"),),
        ),
    ),
    Difference(
        "local-testing",
        Side(
            "wrangler dev and vitest both run the production engine; tests skip sleeps, mock events, force timeouts. "
            "After a restart of wrangler dev nothing resumes by itself.",
            (
                Anchor("cf-workflow/test/workflow.test.ts", "introspector.modifyAll((m) => m.disableSleeps())"),
                Anchor("cf-workflow/package.json", '"@cloudflare/vitest-plugin"'),
                Anchor("cf-workflow/local/wrangler-dev.mjs", "await unstable_startWorker({"),
            ),
        ),
        Side(
            "LocalDurableTestRunner runs the handler in the test's process, time skipped if wanted. sam local needs "
            "Docker; resv runs AWS's engine from PyPI without, and adds Invoke and recovery.",
            (
                Anchor("aws-durable/test/workflow.test.ts", "setupTestEnvironment({ skipTime: true })"),
                Anchor("aws-durable/package.json", '"@aws/durable-execution-sdk-js-testing"'),
                Anchor("reservation_cli/local/layout.py", '"reservation_cli.local.aws_engine"'),
            ),
        ),
    ),
    Difference(
        "infrastructure",
        Side(
            "One file: Worker, Workflow, Durable Objects, KV; wrangler deploy makes what is missing. A Workflow's name "
            "is one for the account: a deploy takes it over with a mere warning.",
            (
                Anchor(_CF_CONFIG, '"binding": "RESERVATION_WORKFLOW"'),
                Anchor(_CF_CONFIG, '"new_sqlite_classes"'),
            ),
        ),
        Side(
            "CloudFormation, by SAM (CLI 1.153.1 or later): function, role, table, log groups. DurableConfig can be "
            "given at the function's creation only.",
            (
                Anchor(_AWS_CONFIG, "DurableConfig:"),
                Anchor(_AWS_CONFIG, "AWSLambdaBasicDurableExecutionRolePolicy"),
            ),
        ),
    ),
    Difference(
        "access",
        Side(
            "A Worker's URL is open to everybody: this one asks for a token of its own. Bindings need no credentials.",
            (Anchor(_CF_INDEX, 'app.post("*", bearerToken, '),),
        ),
        Side(
            "IAM, by action and resource: who may invoke, and what the function may do, its own checkpoints included.",
            (Anchor(_AWS_CONFIG, "Action: lambda:SendDurableExecutionCallbackSuccess"),),
        ),
    ),
    Difference(
        "limits",
        Side(
            "Paid plan, an instance: 10,000 steps (25,000 if set), 1 GB of state, 1 MiB a result or event, 30 s of CPU "
            "a step (5 minutes if set). An account: 50,000 running, waiting ones not counted; 300 starts a second. "
            "Free plan: 1,024 steps, 100 running, 10 ms of CPU. REST: 1,200 calls in 5 minutes a user.",
            (Anchor("reservation_cli/platforms/cloudflare_http.py", "API_PER_SECOND ="),),
        ),
        Side(
            "An execution: 366 days, 3,000 operations, 100 MB, 1 MB a result; 15 minutes an invocation. An account and "
            "region: 300 starts, 3,000 callbacks and 15 histories a second.",
            (
                Anchor(_AWS_CONFIG, "ExecutionTimeout: 2764800"),
                Anchor("reservation_cli/platforms/aws_session.py", "HISTORIES_A_SECOND ="),
            ),
        ),
        as_of=LIMITS_AS_OF,
    ),
    Difference(
        "prices",
        Side(
            f"A million: steps {_million('cloudflare.steps')} (sleeps and waits count, retries do not), requests "
            f"{_million('cloudflare.requests')}, ms of CPU {_million('cloudflare.cpu')}, KV writes "
            f"{_million('cloudflare.kv_writes')}; state {_each('cloudflare.state')} a GB-month. "
            f"Paid plan, {_each('cloudflare.plan')} a month, past what it includes.",
            (Anchor("reservation_cli/domain/prices.py", '"cloudflare.steps": Price('),),
        ),
        Side(
            f"A million: operations {_million('aws.operations')} (the start, steps, retries, waits, callbacks), "
            f"requests {_million('aws.requests')}; {_each('aws.compute')} a GB-second (arm), {_each('aws.written')} a "
            f"GB written, {_each('aws.retained')} a GB-month kept. us-east-2; no operations are free.",
            (
                Anchor("reservation_cli/domain/prices.py", '"aws.operations": Price('),
                Anchor(_AWS_CONFIG, "MemorySize: 256"),
            ),
        ),
        as_of=PRICES.as_of,
    ),
    Difference(
        "teardown",
        Side(
            "wrangler delete removes the Worker only. The Workflow, whose instances may run on, and the KV namespace "
            "are deleted apart; resv takes the Workflow first.",
            (
                Anchor("reservation_cli/deploy/cloudflare.py", "account.delete(path)"),
                Anchor("reservation_cli/deploy/cloudflare.py", 'account.delete(f"/storage/kv/namespaces/{found}")'),
            ),
        ),
        Side(
            "Deleting the function or its stack waits for executions that run: resv stops them first. SAM's own "
            "bucket stays.",
            (
                Anchor("reservation_cli/deploy/aws_function_removal.py", "found(self.client.stop_durable_execution"),
                Anchor("reservation_cli/deploy/aws_teardown.py", "client.delete_stack(StackName=name)"),
            ),
        ),
    ),
)


@dataclass(frozen=True, slots=True)
class QuotedSide:
    """A side with its lines of code as they now stand."""

    text: str
    code: tuple[Quote, ...]


@dataclass(frozen=True, slots=True)
class Quoted:
    """A difference with its lines of code as they now stand."""

    topic: str
    cloudflare: QuotedSide
    aws: QuotedSide
    as_of: str | None

    @property
    def title(self) -> str:
        """The topic as a heading."""
        return self.topic.replace("-", " ").capitalize()


def quoted(difference: Difference, read: Callable[[str], str | None]) -> Quoted:
    """The difference with its lines. `read` gives the text of a file; None leaves its lines out.

    Raises ValueError when a line is not there once.
    """
    cloudflare, aws = (
        QuotedSide(
            side.text,
            tuple(quote(source, anchor) for anchor in side.code if (source := read(anchor.file)) is not None),
        )
        for side in (difference.cloudflare, difference.aws)
    )
    return Quoted(difference.topic, cloudflare, aws, difference.as_of)


def topics() -> list[str]:
    """The topics, in the order in which they are told."""
    return [difference.topic for difference in DIFFERENCES]


def find(topic: str) -> Difference | None:
    """The difference of that name, written as 'local-testing' or as 'Local testing'; None when there is none."""
    name = "-".join(topic.lower().replace("-", " ").replace("_", " ").split())
    return next((difference for difference in DIFFERENCES if difference.topic == name), None)


def closest(topic: str) -> str | None:
    """The topic that was probably meant by one that there is not."""
    from difflib import get_close_matches  # deferred: only a misspelt word needs it

    name = topic.lower()
    within = [known for known in topics() if len(name) > 2 and (name in known or known in name)]
    return next(iter(within or get_close_matches(name, topics(), n=1, cutoff=0.5)), None)
