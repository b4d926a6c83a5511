"""The line protocol of llamacpp.mjs for peers written in Python: a JSON command a line in, a JSON reply a line out."""

import json
import os
import re
import sys


def serve(commands):
    """Answers commands, functions by name that take a command's fields and return the reply's, until the input ends."""
    # Native libraries write to standard output whenever they like: the replies get it alone.
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        if line.strip() == "":
            continue
        try:
            fields = json.loads(line)
            name = fields.pop("cmd")
            if name not in commands:
                raise ValueError(f"unknown command {name}")
            reply = commands[name](**fields)
        except BaseException as error:  # Rust's panics are no Exceptions
            if isinstance(error, KeyboardInterrupt):
                raise
            reply = {"error": message_of(error)}
        replies.write(json.dumps(reply) + "\n")
        replies.flush()


def message_of(error):
    """What an error says on one line: of places that native code puts before it, and of traces behind it, nothing."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip() != ""]
    is_trace = [re.match(r"\d+: |Stack backtrace", line) is not None for line in lines]
    said = lines[: is_trace.index(True)] if True in is_trace else lines
    return said[-1] if said else type(error).__name__
