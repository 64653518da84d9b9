"""Markdown on a terminal: what is drawn, without the marks of Markdown, has every character that was received."""

import io
import re
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from msgmodel.cli.display import safe_for_terminal
from msgmodel.cli.markdown import TerminalMarkdown


def drawn(text: str, width: int = 80) -> str:
    out = io.StringIO()
    Console(file=out, width=width, color_system=None, force_terminal=False).print(TerminalMarkdown(text))
    return "\n".join(line.rstrip() for line in out.getvalue().strip("\n").split("\n")).rstrip()


@pytest.mark.parametrize(
    "text",
    [
        "std::vector<int> v; List<String> l;",
        "Map<K, V> and Array<b> and Vec<u> and <T>",
        "<div>a</div> <br> <kbd>Ctrl</kbd> <!-- a comment --> <?php ?>",
        "use <std::string> or <stdio.h>",
        "see <https://a.example/x_y>",
        "&lt;div&gt; &amp; &nbsp; &#65;",
        r"\(a_1*b*c_2\) and \[x^2 * y * z\]",
        r"$a*b*c$ and $$\sum_{i} x_i * y_i$$",
        r"\frac{1}{2}, \{a\}, \\, \;, \%, \$5, \_x\_",
        r"C:\new\_files and \\server\share and .\*",
        "costs $5*2 and $10",
        "handlers[0](event) and [a](javascript:alert(1)) and [docs](docs/index.md)",
        "[1]: https://a.example/ 'a title'",
        "[Note]: important",
        "an ending \\",
        "x < y > z",
    ],
)
def test_text_without_marks_is_drawn_as_it_is(text: str) -> None:
    assert drawn(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a **bold** *word* and `code`", "a bold word and code"),
        ("[here](https://a.example/ä?b=c 'title')", "here (https://a.example/ä?b=c 'title')"),
        ("[*b* `c`](https://a.example)", "b c (https://a.example)"),
        ("![A **cat**](https://a.example/c.png)", "🌆 A cat (https://a.example/c.png)"),
        ("[![x](https://a.example/b)](https://a.example/c)", "🌆 x (https://a.example/b) (https://a.example/c)"),
        ("3. c\n5. e\n5. f", " 3. c\n 5. e\n 5. f"),
        ("7) g", " 7) g"),
        ("<div>\n**b**\n</div>", "<div> b </div>"),
        ("```python title='x'\nx\n```", "python title='x'\n\n x"),
        ("\\[\na\n= b\n- c \\\\\n\\].\nnext", "\\[\na\n= b\n- c \\\\\n\\].\n\nnext"),
        ("$$\na\n=\nb\n$$", "$$\na\n=\nb\n$$"),
        ("\\begin{align*}\na\n- b\n\\end{align*}", "\\begin{align*}\na\n- b\n\\end{align*}"),
        ("> \\[\n> - x\n> \\]", "▌ \\[\n▌ - x\n▌ \\]"),
        ("| a |\n|---|\n| `x|y` |", "| a |\n|---|\n| `x|y` |"),
    ],
)
def test_marks_are_drawn_in_their_own_way(text: str, shown: str) -> None:
    assert drawn(text) == shown


def test_a_table_keeps_long_words() -> None:
    word = "".join(f"{number:03}" for number in range(100))
    assert "".join(re.findall(r"\d+", drawn(f"| a | b |\n|---|---|\n| x | {word} |", 40))) == word


def test_a_table_that_is_too_wide_is_drawn_as_rows() -> None:
    cells = [f"c{number}" for number in range(20)]
    row = "|".join(cells)
    assert drawn(f"{row}\n{'-|' * 20}\n{row}", 40).split() == [*" | ".join(cells).split(), *" | ".join(cells).split()]


@pytest.mark.parametrize("mark", [">", "- ", "1. ", "> - "])
@pytest.mark.parametrize("levels", [3, 30, 300, 3000])
def test_text_that_is_nested_deeply_is_kept(mark: str, levels: int) -> None:
    shown = drawn(f"{mark * levels}deep\n\n**after**", 30)
    assert "deep" in shown
    assert "after" in shown


PIECES = st.sampled_from(
    [
        *("std::vector<int>", "<div>", "</div>", "<br>", "<!-- c -->", "<b>x</b>", "&lt;", "&nbsp;", "&#x41;", "<a:b>"),
        *(r"\(", r"\)", r"\[", r"\]", "$", "$$", r"\alpha", r"\\", "\\", r"\*", r"\_", r"\|", "a_1*b*c", "2*3"),
        *(
            "**",
            "*",
            "_",
            "__",
            "~~",
            "`",
            "``",
            "```",
            "~~~",
            "```py x",
            "#",
            "# ",
            "=",
            "===",
            "---",
            "| ",
            "|",
            "|-|-|",
        ),
        *(
            "- ",
            "+ ",
            "* ",
            "1. ",
            "17) ",
            "> ",
            "    ",
            "\t",
            "[",
            "]",
            "(",
            ")",
            "![",
            "](",
            "](https://a.b/ä)",
            '"t"',
        ),
        *("[x](http://a.b 'c')", "[r]: /u", "[Note]: w", "www.a.b", "x", "word", "ä漢字", "👨‍👩", "z" * 50, "漢" * 30),
        *(
            r"\begin{align}",
            r"\end{align}",
            "\n",
            "\n",
            "\n\n",
            " ",
            " ",
            "| a | b |\n|---|---|\n| 1 | 2 |",
            "| 3 | 4 | 5 |",
        ),
    ]
)
MARKS = "*_~`[]!:-=+#|"


def essence(text: str) -> Counter[str]:
    """Count the characters that are not white space and never a mark."""
    return Counter(character for character in text if character not in MARKS and not character.isspace())


@given(st.lists(PIECES | st.text(max_size=5), max_size=30).map("".join), st.sampled_from([20, 40, 80, 200]))
def test_every_character_is_drawn(text: str, width: int) -> None:
    text = safe_for_terminal(text)
    received = re.sub(r"(?m)^[\s>*+\-\d.)]+", "", text)  # quotes and lists
    received = received.replace(r"\|", "|")  # in a table, this backslash is the only way to write the character
    assert essence(received) <= essence(drawn(text, width))
