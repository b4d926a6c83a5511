"""PyPI's llm, with a model of its extra-openai-models.yaml."""

import asyncio
import os
import tempfile

folder = tempfile.mkdtemp()
os.environ["LLM_USER_PATH"] = folder

from common import *
from shapes import *

with open(f"{folder}/extra-openai-models.yaml", "w") as file:
    file.write(
        f"- model_id: kumi\n  model_name: {MODEL}\n  api_base: {URL}\n  api_key_name: kumi\n  supports_schema: true\n  supports_tools: true\n"
    )

import llm

model = llm.get_model("kumi")
model.key = KEY


def plain():
    assert_answer(model.prompt(QUESTION, temperature=0, stream=False).text())
    chat = model.conversation()
    assert_answer(chat.prompt(QUESTION, stream=False).text())
    assert_answer(chat.prompt("And 1 + 1?", stream=False).text())


def streamed():
    whole = model.prompt(QUESTION, temperature=0, stream=False).text()
    assert "".join(model.prompt(QUESTION, temperature=0)) == whole


def objects():
    for stream in [False, True]:
        Person.model_validate_json(model.prompt(PEOPLE, schema=Person, stream=stream).text())


def tools():
    def add(a: int, b: int) -> int:
        """Adds two numbers."""
        return a + b

    # It cannot be made to call; what it gets it takes, whether a call or a text.
    for stream in [False, True]:
        for response in model.chain(QUESTION, tools=[add], stream=stream, options={"max_tokens": 60}).responses():
            for call in response.tool_calls():
                assert set(call.arguments) == {"a", "b"}, call


asyncio.run(checks(plain, streamed, objects, tools))
