"""One ticket reservation on Cloudflare Workflows and on AWS Lambda durable functions, side by side."""

__version__ = "0.1.0"
