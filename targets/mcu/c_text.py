"""From the text of TVM's C code generator to C99 that compilers and readers like.

The generator declares every number as an array of one element, knows no `const`, and brings headers
of its own. Its text is regular enough to be rewritten line by line.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from edgemoe.errors import UnsupportedOpError

_HEADER = re.compile(r"^TVM_DLL (?P<result>\w+) (?P<name>\w+)\((?P<parameters>.*)\) \{$")
_VECTOR = re.compile(r"\b(?:float|double|u?int(?:8|16|32)?(?:_t)?)(?:2|4|8|16)\b(?!_t)")
_ADDRESS = re.compile(r"^\(&\((?P<name>\w+)\[(?P<index>.*)\]\)\)$", re.DOTALL)
_SET = re.compile(r"^ *(?!return)(?P<type>\w+ )?(?P<name>\w+)(?: = [^;]*)?;$")
_CALL = re.compile(r"^(?P<indent> *)(?P<name>\w+)\((?P<arguments>.*)\);$")

_COPIES = frozenset({"memcpy", "memmove"})
"""Functions of libc, which write through their first pointer only."""


@dataclass(frozen=True)
class Parameter:
    """`type` is that of a pointer's element, or of the number; `written` is for pointers."""

    name: str
    type: str
    pointer: bool
    written: bool = False

    def __str__(self) -> str:
        """Text as it stands in a prototype."""
        if not self.pointer:
            return f"{self.type} {self.name}"
        return f"{'' if self.written else 'const '}{self.type} *{self.name}"


@dataclass(frozen=True)
class Function:
    """One generated function; `body` are its lines without the braces around all of them."""

    name: str
    result: str
    parameters: tuple[Parameter, ...]
    body: tuple[str, ...]

    def prototype(self) -> str:
        """The head, without a semicolon."""
        return f"{self.result} {self.name}({', '.join(map(str, self.parameters)) or 'void'})"

    def text(self) -> str:
        """The whole definition."""
        return "\n".join([self.prototype(), "{", *self.body, "}"])


def functions_of(source: str) -> list[Function]:
    """Cut the generator's text into functions.

    Raises:
        UnsupportedOpError: a function computes with vectors, which C99 does not have.
    """
    found, lines = [], iter(source.splitlines())
    for line in lines:
        head = _HEADER.match(line)
        if head is None:
            continue
        body = []
        for inner in lines:
            if inner == "}":
                break
            body.append(inner)
        wrong = next((x for x in body if _VECTOR.search(x)), None)
        if wrong is not None:
            raise UnsupportedOpError(
                f"kernel {head['name']} has no plain C form: it computes with vectors "
                f"({wrong.strip()[:80]})"
            )
        parameters = tuple(_parameter(x) for x in head["parameters"].split(", ") if x)
        found.append(Function(head["name"], head["result"], parameters, tuple(body)))
    return found


def cleaned(
    functions: Sequence[Function], writers: Iterable[tuple[str, int]] = ()
) -> list[Function]:
    """The same functions with plain numbers, `const` pointers and no parameter unused.

    `writers` are functions elsewhere (`em_...`) with the parameters that they write through.
    """
    plain = [replace(f, body=tuple(_without_dead(_scalars(f.body)))) for f in functions]
    plain = with_const(plain, frozenset(writers))
    known = {f.name: f for f in plain}
    return [replace(f, body=tuple(_with_unused(f, known))) for f in plain]


def _parameter(text: str) -> Parameter:
    kind, name = text.rsplit(" ", 1)
    pointer = kind.endswith("*")
    return Parameter(name, kind.rstrip("*"), pointer)


def _scalars(body: Sequence[str]) -> list[str]:
    """Arrays of one element become numbers; a declaration takes in the assignment behind it."""
    text = "\n".join(line for line in body if not line.lstrip().startswith("#pragma unroll"))
    declared = set(re.findall(r"^ *\w+ (\w+)\[1\];$", text, re.MULTILINE))
    others = re.sub(r"^ *\w+ \w+\[1\];$", "", text, flags=re.MULTILINE)
    single = declared - set(re.findall(r"\b(\w+)\[(?!0\])", others))

    def plain(found: re.Match[str]) -> str:
        return found[1] if found[1] in single else found[0]

    text = re.sub(r"\b(\w+)\[[01]\]", plain, text)
    text = re.sub(r"\b_ptr\b", "t", re.sub(r"\b_ptr_(\d+)", r"t\1", text))
    text = re.sub(r"^( *)(\w+) (\w+);\n *\3 = ", r"\1\2 \3 = ", text, flags=re.MULTILINE)
    return text.split("\n") if text else []


def _without_dead(body: list[str]) -> list[str]:
    """Drop numbers that nobody reads."""
    while True:
        text = "\n".join(body)
        uses = Counter(re.findall(r"\b[A-Za-z_]\w*", text))
        places = [_SET.match(line) for line in body]
        sets = Counter(found["name"] for found in places if found)
        own = {found["name"] for found in places if found and found["type"]}
        unread = {name for name in own if uses[name] == sets[name]}
        dead = [n for n, found in enumerate(places) if found and found["name"] in unread]
        if not dead:
            return body
        body = [line for number, line in enumerate(body) if number not in dead]


def with_const(
    functions: Sequence[Function], writers: frozenset[tuple[str, int]]
) -> list[Function]:
    """Mark the pointers that are written, directly or by a function that is called."""
    known = {f.name: f for f in functions}
    changed = True
    while changed:
        changed = False
        for name, function in known.items():
            written = set(_written(function, known, writers))
            marked = tuple(
                replace(p, written=p.written or p.name in written) for p in function.parameters
            )
            if marked != function.parameters:
                known[name], changed = replace(function, parameters=marked), True
    return list(known.values())


def _written(
    function: Function, known: dict[str, Function], writers: frozenset[tuple[str, int]]
) -> Iterator[str]:
    for line in function.body:
        store = re.match(r"^ *(\w+)\[.*\] = ", line)
        if store:
            yield store[1]
        for name, arguments in calls_in(line):
            callee = known.get(name)
            for number, argument in enumerate(arguments):
                address = _ADDRESS.match(argument)
                if callee is not None:
                    writes = callee.parameters[number].written
                elif name.startswith("em_"):
                    writes = (name, number) in writers
                else:
                    writes = number == 0 or name not in _COPIES
                if address and writes:
                    yield address["name"]


def calls_in(line: str) -> Iterator[tuple[str, list[str]]]:
    """Name and arguments of every call in a line, outer ones first."""
    for found in re.finditer(r"\b([A-Za-z_]\w*)\(", line):
        if found[1] not in ("if", "for", "while", "return", "sizeof"):
            yield found[1], split_arguments(line[found.end() :])


def split_arguments(text: str) -> list[str]:
    """Arguments up to the parenthesis that closes the call."""
    depth, start, found = 0, 0, []
    for place, letter in enumerate(text):
        if letter in "([":
            depth += 1
        elif letter in ")]":
            depth -= 1
            if depth < 0:
                found.append(text[start:place])
                return [x.strip() for x in found if x.strip()]
        elif letter == "," and depth == 0:
            found.append(text[start:place])
            start = place + 1
    return found


def _with_unused(function: Function, known: dict[str, Function]) -> Iterator[str]:
    """The body with casts where a pointer changes its type, after a note of what is not used."""
    text = "\n".join(function.body)
    types = {p.name: p.type for p in function.parameters if p.pointer}
    for parameter in function.parameters:
        if not re.search(rf"\b{parameter.name}\b", text):
            yield f"  (void)({parameter.name});"
    for line in function.body:
        call = _CALL.match(line)
        if call is None or call["name"] not in known:
            yield line
            continue
        callee = known[call["name"]]
        arguments = [
            _cast(argument, parameter, types)
            for argument, parameter in zip(
                split_arguments(call["arguments"] + ")"), callee.parameters, strict=True
            )
        ]
        yield f"{call['indent']}{call['name']}({', '.join(arguments)});"


def _cast(argument: str, parameter: Parameter, types: dict[str, str]) -> str:
    address = _ADDRESS.match(argument)
    if not parameter.pointer or address is None:
        return argument
    own = types.get(address["name"], parameter.type)
    plain = f"&{address['name']}[{address['index']}]"
    if own == parameter.type:
        return plain
    const = "" if parameter.written else "const "
    return f"({const}{parameter.type} *)({const}void *)({plain})"
