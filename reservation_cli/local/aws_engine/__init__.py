"""AWS's durable-execution engine on this machine, behind an endpoint that plain boto3 and the aws CLI understand.

Run it with `python -m reservation_cli.local.aws_engine`. The engine is `aws-durable-execution-sdk-python-testing`,
pinned; what it lacks of the Lambda API (the caller's Invoke, recovery after a crash, honest filters) is added here by
subclassing, never by patching it.
"""
