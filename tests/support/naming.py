"""Names and patterns for properties: few letters and short components, so that they meet; and what a pattern means."""

from __future__ import annotations

from hypothesis import strategies as st

from registry.core.patterns import Pattern, PatternInvalid
from registry.oci.names import RepositoryName


def means(pattern: str, name: str) -> bool:
    """Whether the pattern means the name, by trying every way in which it could."""
    *parents, last = pattern.split("/")
    components = name.split("/")
    if last == "**":
        return len(components) > len(parents) and all(map(_means_component, parents, components))
    return len(components) == len(parents) + 1 and all(map(_means_component, (*parents, last), components))


def _means_component(pattern: str, text: str) -> bool:
    if not pattern:
        return not text
    if pattern[0] == "*":
        return any(_means_component(pattern[1:], text[begin:]) for begin in range(len(text) + 1))
    return text[:1] == pattern[0] and _means_component(pattern[1:], text[1:])


def is_pattern(text: str) -> bool:
    try:
        return bool(Pattern.parse(text))
    except PatternInvalid:
        return False


_words = st.sampled_from(["a", "b", "aa", "ab", "ba", "b0", "a-b", "a.b", "a0-b"])
names = st.lists(_words, min_size=1, max_size=3).map("/".join).map(RepositoryName)
_wild = st.text("ab0-.***", min_size=1, max_size=6)
_endings = st.sampled_from(["", "", "/**"])
patterns = (
    st.builds("{}{}".format, st.lists(_words | _wild, min_size=1, max_size=3).map("/".join), _endings)
    .filter(is_pattern)
    .map(Pattern.parse)
) | st.just(Pattern("**"))


@st.composite
def widened(draw: st.DrawFn, text: str) -> Pattern:
    """A pattern for this name, or for what this pattern means: most often, that is; a few are about something else."""
    *parents, last = text.split("/")
    if last == "**" or (parents and draw(st.booleans())):
        kept = draw(st.integers(0, len(parents)))
        return Pattern.parse("/".join([*(draw(_starred(each)) for each in parents[:kept]), "**"]))
    return Pattern.parse("/".join([draw(_starred(each)) for each in (*parents, last)]))


@st.composite
def _starred(draw: st.DrawFn, component: str) -> str:
    """The same with a star in place of some of it, now and then."""
    begin, end = sorted(draw(st.tuples(*[st.integers(0, len(component))] * 2)))
    starred = f"{component[:begin]}*{component[end:]}"
    return starred if "**" not in starred and draw(st.booleans()) else component


@st.composite
def named_and_widened(draw: st.DrawFn) -> tuple[RepositoryName, Pattern, Pattern]:
    """A name, a pattern for it, and a wider one."""
    name = draw(names)
    inner = draw(widened(name.text))
    return name, inner, draw(widened(inner.text))
