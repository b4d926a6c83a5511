"""PyPI's instructor, on openai."""

import asyncio

import instructor
import openai
from common import *
from shapes import *

server = {"base_url": URL, "api_key": KEY, "max_retries": 0}


def objects():
    client = instructor.from_openai(openai.OpenAI(**server), mode=instructor.Mode.JSON_SCHEMA)
    ask = client.chat.completions.create
    assert_person(ask(model=MODEL, messages=ASKED, response_model=Person, max_retries=0))


def streamed():
    client = instructor.from_openai(openai.OpenAI(**server), mode=instructor.Mode.JSON_SCHEMA)
    parts = list(client.chat.completions.create_partial(model=MODEL, messages=ASKED, response_model=Person))
    Person.model_validate(parts[-1].model_dump())
    assert len(parts) > 1


asyncio.run(checks(objects, streamed))
