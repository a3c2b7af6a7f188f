"""The shape of code: what stays when names and values are taken away."""

import io
import keyword
import tokenize

NOTHING = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}


def shapes(source):
    """Return the shape of each line; imports, comments, docstrings, blank lines and lone punctuation are left out."""
    lines = {}
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type in NOTHING or (token.type == tokenize.STRING and token.start[0] != token.end[0]):
            continue
        is_name = token.type == tokenize.NAME and not keyword.iskeyword(token.string)
        of_name = "N" if is_name else "V" if token.type in (tokenize.NUMBER, tokenize.STRING) else token.string
        lines.setdefault(token.start[0], []).append(of_name)
    found = (" ".join(lines[number]) for number in sorted(lines))
    return [line for line in found if not line.startswith(("import", "from")) and any(c.isalpha() for c in line)]


def shared_run(one, other):
    """Return the length of the longest run of lines that has the same shape in both sources."""
    a, b = shapes(one), shapes(other)
    longest, before = 0, [0] * (len(b) + 1)
    for line in a:
        now = [0] * (len(b) + 1)
        for j, shape in enumerate(b):
            now[j + 1] = before[j] + 1 if shape == line else 0
        longest, before = max(longest, *now), now
    return longest
