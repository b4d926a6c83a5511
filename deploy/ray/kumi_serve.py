"""kumi as a deployment of Ray Serve: each replica is a `kumi serve` of its own behind Ray's proxy, with OpenAI's interface
in front and as many replicas as its queues ask for. Ray 2.51 or later.

    serve run kumi_serve:app command="/opt/kumi/bin/kumi" model=/models/model.gguf max_replicas=4

docs/production.md says what to expect. Arguments, all of them text as the command line gives it:

    command        what starts kumi (default: kumi)
    model          GGUF file, or a name that kumi knows (default: demo)
    options        further options of `kumi serve`, such as "--sequences-max 16 --kv q8_0"
    cpus           CPUs of a replica, as many as it has threads (default: 1)
    min_replicas, max_replicas (default: 1 and 4)
    per_replica    requests that run or wait for each replica before another one is started (default: 8)
"""

import asyncio
import ctypes
import math
import shlex
import signal
import subprocess
import sys
import threading
import time

import aiohttp
from ray import serve
from ray.serve.config import AutoscalingConfig, AutoscalingContext, AutoscalingPolicy
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

# What a proxy must not pass on: RFC 9110, 7.6.1.
HOP_BY_HOP = {"connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "host", "content-length"}
READY_SECONDS = 900
PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """A replica that is killed takes its server along."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


class Kumi:
    def __init__(self, command: str, model: str, options: str, cpus: int) -> None:
        arguments = ["serve", "--model", model, "--host", "127.0.0.1", "--port", "0", "--threads", str(cpus)]
        self._process = subprocess.Popen(
            [*shlex.split(command), *arguments, *shlex.split(options)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=die_with_parent,
        )
        self._url = self._await_ready()
        self._session: aiohttp.ClientSession | None = None

    def _await_ready(self) -> str:
        """Reads what the server says of itself until its model is there."""
        url, lines, until = "", [], time.monotonic() + READY_SECONDS
        assert self._process.stderr is not None
        for line in self._process.stderr:
            lines.append(line)
            if "listening on " in line:
                url = line.split("listening on ")[1].split(",")[0].split()[0]
            if "kumi: ready: " in line:
                threading.Thread(target=self._pass_on, daemon=True).start()
                return url
            if time.monotonic() > until:
                break
        self._process.terminate()
        raise RuntimeError(f"kumi did not start: {''.join(lines[-20:])}")

    def _pass_on(self) -> None:
        """What the server says goes into the replica's log."""
        assert self._process.stderr is not None
        for line in self._process.stderr:
            print(line, end="", file=sys.stderr)

    def _client(self) -> aiohttp.ClientSession:
        if self._session is None or self._session.closed:
            timeout = aiohttp.ClientTimeout(total=None, sock_connect=5)
            self._session = aiohttp.ClientSession(timeout=timeout)
        return self._session

    async def check_health(self) -> None:
        """Ray starts another replica for one that raises here."""
        if self._process.poll() is not None:
            raise RuntimeError(f"kumi ended with status {self._process.returncode}")
        async with self._client().get(f"{self._url}/livez") as response:
            if response.status != 200:
                raise RuntimeError(f"kumi answers {response.status}")

    async def record_autoscaling_stats(self) -> dict[str, float]:
        """What the policy below decides by."""
        async with self._client().get(f"{self._url}/v1/queue") as response:
            classes = (await response.json())["classes"] if response.status == 200 else []
        return {name: float(sum(each[name] for each in classes)) for name in ("running", "waiting")}

    async def __call__(self, request: Request) -> Response:
        headers = {name: value for name, value in request.headers.items() if name.lower() not in HOP_BY_HOP}
        url = f"{self._url}{request.url.path}"
        answer = await self._client().request(
            request.method, url, params=request.query_params, headers=headers, data=await request.body()
        )
        kept = {name: value for name, value in answer.headers.items() if name.lower() not in HOP_BY_HOP}
        if not answer.headers.get("content-type", "").startswith("text/event-stream"):
            async with answer:
                return Response(await answer.read(), answer.status, kept)
        return StreamingResponse(self._parts(answer), answer.status, kept)

    @staticmethod
    async def _parts(answer: aiohttp.ClientResponse):
        """Tokens as they come. A client that leaves ends this, and with it the answer."""
        async with answer:
            async for part in answer.content.iter_any():
                yield part

    async def shutdown(self) -> None:
        """Lets what runs end, then ends."""
        self._process.terminate()
        await asyncio.to_thread(self._process.wait)
        if self._session is not None:
            await self._session.close()

    async def __del__(self) -> None:
        await self.shutdown()


def by_queue(context: AutoscalingContext) -> tuple[int, dict]:
    """As many replicas as the requests that run or wait need, each with `per_replica` of them."""
    per_replica = context.config.target_ongoing_requests
    metrics = context.aggregated_metrics or {}
    requests = sum(sum(metrics.get(name, {}).values()) for name in ("running", "waiting"))
    # Ray's own count has those that no replica has taken yet.
    wanted = math.ceil(max(requests, float(context.total_num_requests or 0)) / per_replica)
    limits = context.capacity_adjusted_min_replicas, context.capacity_adjusted_max_replicas
    return min(max(wanted, limits[0], 1), limits[1]), {}


def app(arguments: dict[str, str]) -> serve.Application:
    cpus = int(arguments.get("cpus", "1"))
    deployment = serve.deployment(
        Kumi,
        name="kumi",
        # kumi has a queue of its own, with classes and deadlines: Ray's would be one before it that knows of neither.
        max_ongoing_requests=256,
        graceful_shutdown_timeout_s=60,
        health_check_period_s=3,
        ray_actor_options={"num_cpus": cpus},
        autoscaling_config=AutoscalingConfig(
            min_replicas=int(arguments.get("min_replicas", "1")),
            max_replicas=int(arguments.get("max_replicas", "4")),
            target_ongoing_requests=float(arguments.get("per_replica", "8")),
            metrics_interval_s=1,
            look_back_period_s=5,
            upscale_delay_s=5,
            downscale_delay_s=300,
            policy=AutoscalingPolicy(policy_function=by_queue),
        ),
    )
    return deployment.bind(
        arguments.get("command", "kumi"), arguments.get("model", "demo"), arguments.get("options", ""), cpus
    )
