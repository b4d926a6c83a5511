"""PyPI's guidellm: a benchmark of servers. It needs torch, if only to read a list of prompts."""

import asyncio
import json
import os
import subprocess
import sys
import tempfile

from common import *

FOLDER = tempfile.mkdtemp(prefix="kumi-guidellm-")


def run(*, profile, requests, stream=True, route="/v1/chat/completions"):
    output = f"{FOLDER}/{profile.split(',')[0]}-{stream}.json"
    program = os.path.join(os.path.dirname(sys.executable), "guidellm")
    command = [
        program,
        "run",
        "--disable-console-interactive",
        "--backend",
        json.dumps(
            {
                "kind": "openai_http",
                "target": BASE,
                "model": MODEL,
                "api_key": KEY,
                "stream": stream,
                "request_format": route,
            }
        ),
        "--profile",
        profile,
        "--constraint",
        f"kind=max_requests,count={requests}",
        "--data",
        f"kind=json_file,path={os.environ['KUMI_PROMPTS']}",
        "--output",
        f"kind=json,path={output}",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, done.stderr.strip().split("\n")[-1][:250]
    with open(output) as file:
        return json.load(file)["benchmarks"]


def counts(benchmark):
    totals = benchmark["metrics"]["request_totals"]
    return totals["successful"], totals["errored"]


def streamed():
    (benchmark,) = run(profile="kind=synchronous", requests=10)
    assert counts(benchmark) == (10, 0), counts(benchmark)
    first = benchmark["metrics"]["time_to_first_token_ms"]["successful"]["mean"]
    return f"time to first token {first:.1f} ms"


def plain():
    (benchmark,) = run(profile="kind=synchronous", requests=10, stream=False)
    assert counts(benchmark) == (10, 0), counts(benchmark)


def concurrency():
    (benchmark,) = run(profile=f"kind=concurrent,streams={CONCURRENCY}", requests=60)
    successful, errored = counts(benchmark)
    assert errored == 0 and successful >= 60, (successful, errored)


asyncio.run(checks(plain, streamed, concurrency))
