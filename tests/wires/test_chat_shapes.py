"""Chat Completions: reasoning, calls, citations, scores and endings in the shapes of the servers that speak it."""

from __future__ import annotations

from typing import Any

import pytest
from chat_streams import COUNTED, DONE, chunk, ended, lines, of_kind

from msgmodel import ConfigurationError, stream_panels
from msgmodel.question.config import OpenAIConfig
from msgmodel.testing import ScriptedProvider
from msgmodel.testing.server import Script
from msgmodel.wires.openai_chat.thinking_tags import ThinkingTagReader, writes_thinking_tags
from msgmodel.wires.reasoning_details import ReasoningDetails
from pure import play

# --- reasoning ---


def detail(text: str, format: str = "x-v1") -> Any:
    return {"reasoning_details": [{"type": "reasoning.text", "format": format, "index": 0, "text": text}]}


@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param(["First ", "second."], id="in pieces"),
        pytest.param(["First words, ", "First words, second."], id="cumulative"),
        pytest.param(["ha", "haha"], id="a piece that begins like the one before"),
    ],
)
def test_reasoning_details_alone(pieces: list[str]) -> None:
    last = ended(*(chunk(detail(piece)) for piece in pieces), chunk({"content": "Hi"}))[-1]
    words = pieces[-1] if pieces[-1].startswith("First words") else "".join(pieces)
    assert last["reasoning"] == words
    (kept, _) = last["message"]["content"]
    assert [each["text"] for each in kept["opaque"]["data"]["reasoning_details"]] == [words]


def test_reasoning_details_that_repeat_a_field_are_not_shown() -> None:
    last = ended(chunk({"reasoning": "Hm. ", **detail("Hm. ")}), chunk({"content": "Hi"}))[-1]
    assert last["reasoning"] == "Hm. "


def test_short_cumulative_details_of_minimax() -> None:
    details = ReasoningDetails()
    pieces = [detail(text, "MiniMax-response-v1")["reasoning_details"][0] for text in ("I", "I see", "I see it")]
    assert [details.add(piece) for piece in pieces] == ["I", " see", " it"]
    assert [each["text"] for each in details.take_all()] == ["I see it"]


@pytest.mark.parametrize(
    ("part", "name", "words"),
    [
        ({"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm."}]}, "reasoning", "Hm."),
        ({"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}, "reasoning", "Hm."),
        ({"type": "output_text", "text": "Hi"}, "content", "Hi"),
        ({"type": "text", "text": "Hi"}, "content", "Hi"),
        ({"type": "refusal", "refusal": "No."}, "refusal", "No."),
    ],
)
def test_content_parts(part: Any, name: str, words: str) -> None:
    last = ended(chunk({"content": [part]}))[-1]
    assert (last[name], last["untold"]) == (words, [])


def test_commentary_and_final_answer_are_apart() -> None:
    deltas = [{"content": "I look", "phase": "commentary"}, {"content": " it up."}]
    events = ended(*map(chunk, deltas), chunk({"content": "It is so.", "phase": "final_answer"}))
    assert events[-1]["content"] == "I look it up.\n\nIt is so."


def test_texts_around_an_image_or_a_tool_are_apart() -> None:
    image = {"images": [{"image_url": {"url": "https://example.test/a.png"}}]}
    tool = {"executed_tools": [{"index": 0, "type": "search", "arguments": "{}", "output": "x"}]}
    events = ended(*map(chunk, [{"content": "One."}, image, {"content": "Two."}, tool, {"content": "Three"}]))
    assert events[-1]["content"] == "One.\n\nTwo.\n\nThree"
    first = ended(chunk(tool), chunk({"content": "One."}), chunk({"content": "Two."}))
    assert (first[-1]["content"], [e for e in first if "block" in e]) == ("One.Two.", [])


# --- reasoning between tags ---


def split(pieces: list[str], *, opened: bool = False) -> tuple[str, str]:
    reader = ThinkingTagReader(opened=opened)
    found = [delta for piece in pieces for delta in reader.read_text(piece)] + [*reader.take_rest()]
    texts = ["".join(delta.text for delta in found if type(delta).__name__ == kind) for kind in KINDS]
    return texts[0], texts[1]


KINDS = "ReasoningDelta", "TextDelta"


@pytest.mark.parametrize(
    ("text", "opened", "expected"),
    [
        ("<think>\nHm.</think>\n\nHi", False, ("Hm.", "Hi")),
        (" <think>a < b</think>Hi </think>", False, ("a < b", "Hi </think>")),
        ("[THINK]Hm.[/THINK]Hi", False, ("Hm.", "Hi")),
        ("◁think▷Hm.◁/think▷Hi", False, ("Hm.", "Hi")),
        ("<thinking>Hm.</thinking>Hi", False, ("Hm.", "Hi")),
        ("<thi", False, ("", "<thi")),
        ("The tag <think> opens.</think>", False, ("", "The tag <think> opens.</think>")),
        ("Hm.</think>Hi", False, ("", "Hm.</think>Hi")),
        ("Hm.</think>Hi", True, ("Hm.", "Hi")),
        ("<think>Hm.</think>Hi", True, ("Hm.", "Hi")),
        ("<think>Hm. </thi", False, ("Hm. </thi", "")),
    ],
)
def test_tags_cut_anywhere(text: str, opened: bool, expected: tuple[str, str]) -> None:
    for size in range(1, len(text) + 1):
        assert split([text[at : at + size] for at in range(0, len(text), size)], opened=opened) == expected, size


@pytest.mark.parametrize(
    ("model", "how", "expected"),
    [
        ("gpt-6-luna", None, (None, "<think>Hm.</think>Hi")),
        ("deepseek-r1:8b", None, ("Hm.", "Hi")),
        ("deepseek-r1:8b", "keep", (None, "<think>Hm.</think>Hi")),
        ("gpt-6-luna", "read", ("Hm.", "Hi")),
        ("gpt-6-luna", "opened", ("Hm.", "Hi")),
    ],
)
def test_whose_tags_are_read(model: str, how: Any, expected: Any) -> None:
    with ScriptedProvider() as provider:
        config = provider.config("openai")
        assert isinstance(config, OpenAIConfig)
        config.thinking_tags = how
        deltas = [{"content": "<thi"}, {"content": "nk>Hm.</thin"}, {"content": "k>H"}, {"content": "i"}]
        body = b"".join([*lines(*map(chunk, deltas), chunk({}, "stop")), DONE])
        provider.say(Script.body(body))  # type: ignore[arg-type]
        last: Any = list(stream_panels("openai", "hi", model=model, config=config))[-1]
    assert (last.get("reasoning"), last["content"]) == expected


def test_another_word_for_tags_is_refused() -> None:
    config: Any = OpenAIConfig(thinking_tags="raed")  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="thinking_tags"):
        stream_panels("openai", "hi", "key", config=config)


def test_which_models_write_tags() -> None:
    known = ["deepseek-ai/DeepSeek-R1-Distill-Qwen-7B", "qwen3:8b", "QwQ-32B", "sonar-reasoning-pro", "MiniMax-M2"]
    assert all(map(writes_thinking_tags, known))
    assert not any(map(writes_thinking_tags, ["gpt-6-luna", "deepseek-v4-flash", "llama-4", "mistral-large", "sonar"]))


# --- calls ---


def test_custom_calls() -> None:
    first = {"index": 0, "id": "a", "type": "custom", "custom": {"name": "sh", "input": "ls "}}
    more = {"index": 0, "custom": {"input": "-l"}}
    other = {"index": 1, "id": "b", "type": "custom", "custom": {"name": "sh", "input": "pwd"}}
    events = ended(*(chunk({"tool_calls": [call]}) for call in (first, more, other)), finish="tool_calls")
    calls = [(call["id"], call["name"], call["arguments"], call["complete"], call["kind"]) for call in
             events[-1]["tool_calls"]]  # fmt: skip
    assert calls == [("a", "sh", "ls -l", True, "custom"), ("b", "sh", "pwd", True, "custom")]
    assert (events[-1]["status"], events[-1]["untold"]) == ("tool_calls", [])


# --- citations ---


def test_citations_have_places() -> None:
    note = {"url": "https://example.test/a", "title": "A", "start_index": 4, "end_index": 9}
    last = ended(
        chunk({"content": "Über "}), chunk({"content": "alles."}), chunk({"annotations": [{"url_citation": note}]})
    )[-1]
    assert last["sources"] == [{"url": "https://example.test/a", "title": "A", "text": None, "start": 4, "end": 9}]


def test_places_that_are_none() -> None:
    """OpenRouter sends 0 and 0, and the words of the source; others places beyond the text."""
    notes = [
        {"url": "https://example.test/a", "start_index": 0, "end_index": 0, "content": "Quoted."},
        {"url": "https://example.test/b", "start_index": 1, "end_index": 99},
        {"url": "https://example.test/c", "start_index": 2, "end_index": 1},
    ]
    last = ended(chunk({"content": "Hi"}), chunk({"annotations": [{"url_citation": note} for note in notes]}))[-1]
    assert last["sources"] == [
        {"url": "https://example.test/a", "title": None, "text": "Quoted."},
        {"url": "https://example.test/b", "title": None, "text": None},
        {"url": "https://example.test/c", "title": None, "text": None},
    ]


def test_search_results_have_dates_and_snippets() -> None:
    found = {"title": "A", "url": "https://example.test/a", "date": "2026-11-01", "snippet": "Words."}
    lists = {"search_results": [found], "citations": ["https://example.test/a", "https://example.test/b"]}
    last = ended(chunk({"content": "Hi [1]"}) | lists, chunk({}) | lists)[-1]
    assert last["sources"] == [
        {"url": "https://example.test/a", "title": "A", "text": "Words.", "date": "2026-11-01"},
        {"url": "https://example.test/b", "title": None, "text": None},
    ]


def test_references_of_mistral() -> None:
    parts = [
        {"type": "text", "text": "Hi"},
        {"type": "reference", "reference_ids": [3]},
        {"type": "tool_reference", "tool": "web_search", "url": "https://example.test/a", "title": "A"},
    ]
    last = ended(chunk({"content": parts}))[-1]
    assert last["sources"] == [
        {"url": None, "title": "3", "text": None},
        {"url": "https://example.test/a", "title": "A", "text": None},
    ]


# --- what servers report beside ---


def test_logprobs() -> None:
    entry = {"token": "Hi", "logprob": -0.5, "bytes": [72, 105], "top_logprobs": []}
    last = ended(
        chunk({"content": "Hi"}, logprobs={"content": [entry], "refusal": None}),
        chunk({"reasoning_content": "x"}, logprobs={"reasoning_content": [entry]}),
        chunk({"content": "!"}, logprobs={"tokens": ["!"], "token_logprobs": [-1.0]}),
        chunk({"content": "?"}, logprobs=-2.0),
    )[-1]
    assert last["details"] == {
        "logprobs": [
            entry,
            {**entry, "part": "reasoning_content"},
            {"token": "!", "logprob": -1.0},
            {"token": "?", "logprob": -2.0},
        ]
    }


def test_filter_results_are_the_worst_of_all_chunks() -> None:
    def scored(severity: str, filtered: bool = False) -> Any:
        return {"hate": {"filtered": filtered, "severity": severity}}

    prompt = [{"prompt_index": 0, "content_filter_results": scored("safe")}]
    severities = ["safe", "safe", "low", "low", "safe"]
    events = ended(
        {"id": "c", "model": "m", "choices": [], "prompt_filter_results": prompt},
        *(chunk({"content": "x"}, content_filter_results=scored(severity)) for severity in severities),
    )
    assert events[-1]["details"] == {
        "filter_results": {"prompt_filter_results": prompt, "content_filter_results": scored("low")}
    }
    assert events[-1]["content"] == "xxxxx"


@pytest.mark.parametrize("name", ["stop_reason", "matched_stop"])
@pytest.mark.parametrize(("stop", "details"), [("END", {"stop_sequence": "END"}), (151645, None)])
def test_stop_sequence(name: str, stop: Any, details: Any) -> None:
    assert ended(chunk({"content": "Hi"}), chunk({}, "stop", **{name: stop}))[-1].get("details") == details


def test_moderation() -> None:
    last = ended(chunk({"content": "Hi"}), COUNTED | {"moderation": {"input": {"flagged": False}}})[-1]
    assert last["details"] == {"moderation": {"input": {"flagged": False}}}


# --- an end without a finish reason ---


def call(arguments: str, index: int = 0) -> Any:
    return chunk(
        {"tool_calls": [{"index": index, "id": f"c{index}", "function": {"name": "f", "arguments": arguments}}]}
    )


def test_done_after_counted_tokens() -> None:
    last = play("openai_chat", [*lines(chunk({"content": "Hi"}), COUNTED), DONE])[-1]
    assert (last["event"], last["status"], last["finish_reason"], last["content"]) == (
        "panel_final", "unknown", None, "Hi",
    )  # fmt: skip


def test_whole_calls_of_such_a_reply_can_be_run() -> None:
    events = play("openai_chat", [*lines(call('{"x": 1}'), call('{"x": ', 1), call('{"x": 2}', 2), COUNTED), DONE])
    assert [(made["id"], made["complete"]) for made in of_kind(events, "panel_tool_call")] == [
        ("c1", False), ("c0", True), ("c2", True),
    ]  # fmt: skip
    assert events[-1]["status"] == "unknown"


@pytest.mark.parametrize(
    "chunks",
    [
        pytest.param([*lines(chunk({"content": "Hi"})), DONE], id="nothing counted"),
        pytest.param([*lines(chunk({"content": "Hi"}), COUNTED)], id="no [DONE]"),
        pytest.param([*lines(COUNTED), DONE], id="no choice"),
        pytest.param(
            [*lines(chunk({"content": "Hi"}), {"choices": [], "usage": {"completion_tokens": 0}}), DONE], id="zero"
        ),
    ],
)
def test_without_that_proof_it_is_interrupted(chunks: list[bytes]) -> None:
    assert play("openai_chat", chunks)[-1]["code"] == "interrupted"
