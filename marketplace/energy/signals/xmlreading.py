"""XML of a stranger as a plain tree: nothing is fetched or expanded, and a document type is refused.

Entities are what makes XML dangerous (a kilobyte that unfolds to a gigabyte, files read from outside); they need a
document type to be declared in, so the standard library's parser needs no more than this.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.parsers import expat


class UnreadableXml(ValueError):
    """It is no XML, or brings a document type."""


@dataclass(slots=True)
class Node:
    """One element: its name without a namespace, its text, and what it contains."""

    name: str
    text: str = ""
    inner: list["Node"] = field(default_factory=list)

    def all(self, *names: str) -> Iterator["Node"]:
        """Every element that lies under these names, one level each."""
        first, *rest = names
        for node in self.inner:
            if node.name == first:
                yield from node.all(*rest) if rest else [node]

    def one(self, *names: str) -> str:
        """The text under these names; raises LookupError when there is none."""
        for node in self.all(*names):
            return node.text.strip()
        raise LookupError(f"there is no {'/'.join(names)}")


def xml_of(raw: bytes) -> Node:
    """The root element; raises UnreadableXml."""
    top = Node("")
    path = [top]

    def start(name: str, _attributes: object) -> None:
        node = Node(name.rpartition(" ")[2])
        path[-1].inner.append(node)
        path.append(node)

    def end(_name: str) -> None:
        path.pop()

    def text(data: str) -> None:
        path[-1].text += data

    def refuse(*_: object) -> None:
        raise UnreadableXml("a document type is not accepted")

    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = start, end, text
    parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = refuse
    try:
        parser.Parse(raw, True)
    except expat.ExpatError as error:
        raise UnreadableXml(f"no XML: {error}") from error
    return top.inner[0]
