"""PyPI's lm_eval: log-likelihoods, rolling ones and generated text of tasks made here, through its two kinds of local servers."""

import asyncio
import math
import os

os.environ["OPENAI_API_KEY"] = os.environ["KUMI_KEY"]

import lm_eval
from common import *
from lm_eval.tasks import TaskManager

FOLDER = os.environ["KUMI_TASKS"]


def evaluate(task, model, path, **options):
    arguments = {
        "model": MODEL,
        "base_url": URL + path,
        "num_concurrent": 4,
        "max_length": CONTEXT,
        "max_retries": 2,
        **options,
    }
    manager = TaskManager(include_path=FOLDER, include_defaults=False)
    chat = model == "local-chat-completions"
    results = lm_eval.simple_evaluate(
        model=model,
        model_args=arguments,
        tasks=[task],
        task_manager=manager,
        apply_chat_template=chat,
        bootstrap_iters=0,
    )
    return next(
        value
        for name, value in results["results"][task].items()
        if name.endswith(",none") and isinstance(value, float)
    )


def completions(task, **options):
    return evaluate(
        task,
        "local-completions",
        "/completions",
        tokenizer=os.environ["KUMI_TOKENIZER"],
        tokenizer_backend="huggingface",
        **options,
    )


def log_likelihoods():
    accuracy = completions("sums_choice", batch_size=4)
    assert accuracy == completions("sums_choice", batch_size=1), "a batch changes the result"
    assert 0 < accuracy <= 1, accuracy
    return f"accuracy {accuracy:.2f}"


def rolling():
    perplexity = completions("sums_rolling")
    assert math.isfinite(perplexity) and 1 < perplexity < 100, perplexity
    return f"byte perplexity {perplexity:.2f}"


def plain():
    exact = evaluate("sums_generated", "local-chat-completions", "/chat/completions")
    assert exact > 0, "no answer is right"
    return f"exact match {exact:.2f}"


def generated_text():
    completions("sums_generated")


asyncio.run(checks(plain, generated_text, log_likelihoods, rolling))
