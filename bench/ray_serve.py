"""Ray Serve with kumi on a local cluster of several nodes: it grows with the queue, a replica is killed under load, and nobody loses
a request. Needs Python with `pip install "ray[serve]" requests`, and something that starts kumi.

    python bench/ray_serve.py --command /opt/kumi/bin/kumi [--model demo] [--nodes 3] [--users 12] [--seconds 120]

A client asks again, up to five times, when there is no whole answer: that is counted as a retry. Lost is what five attempts did not get.
The last line is JSON; the exit status is 1 where something was lost, no replica was added or none was replaced.
"""

import argparse
import collections
import json
import os
import random
import sys
import threading
import time

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "deploy", "ray")
sys.path.insert(0, FOLDER)

import ray  # noqa: E402
import psutil  # noqa: E402 (Ray brings it: only now can it be found)
import requests  # noqa: E402
from ray import serve  # noqa: E402
from ray.cluster_utils import Cluster  # noqa: E402

ATTEMPTS = 5
ANSWER_TOKENS = 128


class Load:
    """Users that ask one question after the other; every second one wants a stream."""

    def __init__(self, url: str) -> None:
        self._url = f"{url}/v1/chat/completions"
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self.counts = collections.Counter(answered=0, retries=0, lost=0)
        self.faults = collections.Counter()
        self.seconds: list[float] = []

    def start(self, users: int) -> None:
        first = len(self._threads)
        for i in range(first, first + users):
            thread = threading.Thread(target=self._user, args=(i,))
            self._threads.append(thread)
            thread.start()

    def stop(self) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _user(self, i: int) -> None:
        chance = random.Random(i)
        while not self._over.is_set():
            content = f"User {i} asks for {chance.random()}"
            body = {"messages": [{"role": "user", "content": content}], "max_tokens": ANSWER_TOKENS, "stream": i % 2 == 1}
            began = time.monotonic()
            is_answered = self._attempts(body)
            with self._lock:
                self.counts["answered" if is_answered else "lost"] += 1
                self.seconds.append(time.monotonic() - began)

    def _attempts(self, body: dict) -> bool:
        for attempt in range(ATTEMPTS):
            fault = self._ask(body)
            if fault is None:
                return True
            with self._lock:
                self.faults[fault] += 1
                self.counts["retries"] += attempt < ATTEMPTS - 1
            time.sleep(0.5 * (attempt + 1))
        return False

    def _ask(self, body: dict) -> str | None:
        """None for a whole answer, else what was wrong."""
        try:
            response = requests.post(self._url, json=body, stream=body["stream"], timeout=120)
            if response.status_code != 200:
                return f"status {response.status_code}"
            if not body["stream"]:
                return None if response.json()["choices"][0]["finish_reason"] else "no end"
            return None if b"data: [DONE]" in response.iter_lines() else "a stream without its end"
        except (requests.RequestException, ValueError, KeyError) as error:
            return type(error).__name__


def replicas() -> int:
    status = serve.status().applications.get("default")
    deployment = status and status.deployments.get("kumi")
    return deployment.replica_states.get("RUNNING", 0) if deployment else 0


def below(name: str) -> list[psutil.Process]:
    """Processes that this one started, directly or not, whose command line has a word."""
    found = []
    for process in psutil.Process().children(recursive=True):
        try:
            if any(name in word for word in process.cmdline()):
                found.append(process)
        except psutil.Error:
            pass  # it has just ended
    return found


def kill_replica() -> bool:
    """Ends a replica without warning; whether the server that was its child went, too."""
    victim = below("ray::ServeReplica:default:kumi")[0]
    servers = victim.children()
    victim.kill()
    gone, alive = psutil.wait_procs(servers, timeout=20)
    return len(gone) > 0 and not alive


def run(options: argparse.Namespace) -> dict:
    serve.start(http_options={"port": options.port})
    import kumi_serve

    arguments = {"min_replicas": "1", "max_replicas": str(options.nodes), "per_replica": str(options.per_replica)}
    began = time.monotonic()
    serve.run(kumi_serve.app({"command": options.command, "model": options.model, **arguments}), route_prefix="/")
    ready_seconds, most, load = time.monotonic() - began, replicas(), Load(f"http://127.0.0.1:{options.port}")
    load.start(options.users)
    began, is_taken_along, killed_at, back_seconds = time.monotonic(), None, 0.0, None
    while (passed := time.monotonic() - began) < options.seconds:
        time.sleep(1)
        now = replicas()
        most = max(most, now)
        if int(passed) % 5 == 0:
            print(f"{passed:5.0f} s: {now} replicas, {dict(load.counts)}", file=sys.stderr, flush=True)
        if is_taken_along is None and passed > options.seconds / 2 and now > 1:
            before, killed_at = now, time.monotonic()
            is_taken_along = kill_replica()
            print(f"a replica of {before} was killed", file=sys.stderr, flush=True)
        elif is_taken_along is not None and back_seconds is None and time.monotonic() - killed_at > 5 and now >= before:
            back_seconds = time.monotonic() - killed_at
    load.stop()
    ordered = sorted(load.seconds)
    return {
        "nodes": options.nodes,
        "users": options.users,
        "seconds": options.seconds,
        "readySeconds": round(ready_seconds, 1),
        "replicasMost": most,
        **load.counts,
        "faults": dict(load.faults),
        "secondsP50": round(ordered[len(ordered) // 2], 2),
        "secondsMax": round(ordered[-1], 2),
        "serverWentWithReplica": is_taken_along,
        "replicaBackSeconds": back_seconds and round(back_seconds, 1),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--command", required=True, help="what starts kumi")
    parser.add_argument("--model", default="demo")
    parser.add_argument("--nodes", type=int, default=3, help="of the cluster, with a CPU each for a replica")
    parser.add_argument("--users", type=int, default=12)
    parser.add_argument("--per-replica", type=int, default=4)
    parser.add_argument("--seconds", type=int, default=120)
    parser.add_argument("--port", type=int, default=8123)
    options = parser.parse_args()
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    for _ in range(options.nodes - 1):
        cluster.add_node(num_cpus=1)
    try:
        ray.init(address=cluster.address, runtime_env={"env_vars": {"PYTHONPATH": os.path.abspath(FOLDER)}})
        result = run(options)
    finally:
        serve.shutdown()
        ray.shutdown()
        cluster.shutdown()
    print(json.dumps(result))
    is_well = result["lost"] == 0 and result["replicasMost"] > 1 and result["replicaBackSeconds"] is not None
    return 0 if is_well else 1


if __name__ == "__main__":
    sys.exit(main())
