"""PyPI's autogen-agentchat: agents that talk with each other, each message under its author's name."""

import asyncio

import openai
from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.conditions import MaxMessageTermination
from autogen_agentchat.teams import RoundRobinGroupChat
from autogen_core import CancellationToken
from autogen_core.models import UserMessage
from autogen_ext.models.openai import OpenAIChatCompletionClient
from common import *

ABILITIES = {
    "vision": False,
    "function_calling": False,
    "json_output": False,
    "structured_output": False,
    "family": "unknown",
}


def model(**options):
    return OpenAIChatCompletionClient(
        **{
            "model": MODEL,
            "base_url": URL,
            "api_key": KEY,
            "model_info": ABILITIES,
            "max_retries": 0,
            "temperature": 0,
            **options,
        }
    )


def agent(name="assistant", **options):
    return AssistantAgent(name, model_client=model(max_tokens=40), system_message="Be brief.", **options)


async def plain():
    result = await agent().run(task=QUESTION)
    assert_answer(result.messages[-1].content)
    team = RoundRobinGroupChat([agent("ada"), agent("bob")], termination_condition=MaxMessageTermination(5))
    result = await team.run(task=QUESTION)
    assert [message.source for message in result.messages] == ["user", "ada", "bob", "ada", "bob"]


async def streamed():
    kinds = [
        type(event).__name__ async for event in agent(model_client_stream=True).run_stream(task=QUESTION)
    ]
    assert "ModelClientStreamingChunkEvent" in kinds and kinds[-1] == "TaskResult", kinds


# It refuses n of several answers, so these are two requests; more would not fit into the demo model's cache at once. A stream that is left
# closes its connection when garbage is collected, some time or other: nothing that could be tested.
TWO = {"max_tokens": ENDLESS_TOKENS, "extra_body": ENDLESS}


async def abort_plain():
    token = CancellationToken()
    client = model(**TWO)
    message = [UserMessage(content=QUESTION, source="ada")]
    async with Stopped(answers=2):
        calls = [asyncio.create_task(client.create(message, cancellation_token=token)) for _ in range(2)]
        await asyncio.to_thread(wait_until_running)
        await asyncio.sleep(impatience() / 2)
        token.cancel()
        await asyncio.gather(*calls, return_exceptions=True)


async def errors():
    message = [UserMessage(content=TOO_LONG, source="ada")]
    assert_too_long(await raises_async(openai.BadRequestError, model().create(message)))
    await raises_async(
        openai.AuthenticationError,
        model(api_key="another-key").create([UserMessage(content="Hi", source="ada")]),
    )


async def concurrency():
    client = model(max_retries=5)
    calls = [client.create([UserMessage(content=QUESTION, source="ada")]) for _ in range(CONCURRENCY)]
    assert len({answer.content for answer in await asyncio.gather(*calls)}) == 1


asyncio.run(checks(plain, streamed, abort_plain, errors, concurrency))
