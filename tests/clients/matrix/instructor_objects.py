"""instructor, which asks for objects alone, in three of its modes."""

from __future__ import annotations

import instructor
import openai
import pydantic
from row import FAIL, KEY, MODEL, PERSON, URL, error_of, print_row

client = openai.OpenAI(base_url=URL, api_key=KEY)
MODES = (instructor.Mode.TOOLS, instructor.Mode.JSON, instructor.Mode.JSON_SCHEMA)


class Person(pydantic.BaseModel):
    name: str
    age: int


def asked(text, mode=instructor.Mode.TOOLS):
    wrapped = instructor.from_openai(client, mode=mode)
    messages = [{"role": "user", "content": text}]
    return wrapped.chat.completions.create(model=MODEL, messages=messages, response_model=Person, max_retries=0)


def structured():
    found = [asked(PERSON, mode).model_dump() for mode in MODES]
    return found[0] if all(each == found[0] for each in found) else found


def stream():
    wrapped = instructor.from_openai(client, mode=instructor.Mode.JSON_SCHEMA)
    messages = [{"role": "user", "content": PERSON}]
    *_, last = wrapped.chat.completions.create_partial(model=MODEL, messages=messages, response_model=Person)
    return last.model_dump()


def error():
    return error_of(lambda: asked(FAIL))


print_row(stream=stream, structured=structured, error=error)
