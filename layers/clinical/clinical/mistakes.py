"""Report every mistake in a params.yaml, with its line and what is allowed there.

Imported only if something is wrong, to keep cold starts short.
"""

import difflib
import types
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAliasType, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from clinical.contradictions import Contradictory, Parts, contradictions
from clinical.hyperparameters import Hyperparameters, Model, is_of_forests
from clinical.kinds import Column, Kind
from clinical.params import Intervals, MovesMoreThan, Params, Roles, Target, Tuning

type Path = tuple[str | int, ...]

KINDS: dict[str, type[Kind]] = {
    get_args(kind.model_fields["kind"].annotation)[0]: kind
    for kind in get_args(get_args(Column)[0])
}
FAMILIES: dict[str, type[Hyperparameters]] = {
    get_args(family.model_fields["family"].annotation)[0]: family
    for family in get_args(get_args(Model)[0])
}
EXPECTED = {
    "int": "a whole number",
    "float": "a number",
    "finite": "a number",
    "bool": "true or false",
    "string": "text",
    "tuple": "a list, such as [one, another]",
    "dict": "a mapping, such as {name: value}",
    "model": "a mapping, such as {name: value}",
    "date": "a day, such as 2026-01-31",
}
BOUNDS = {
    "greater_than": ("gt", "greater than"),
    "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "less than"),
    "less_than_equal": ("le", "at most"),
}
# Unions, for which pydantic reports each member separately.
EITHER: dict[Path, str] = {
    ("since",): "must be a day, such as 2026-01-31, or the name of another date column",
    ("by",): "must be auto, or a list of columns from roles.subgroups",
    ("shadow",): "must be null, or a published version, such as v-0a1b2c3d",
}
# gate.approval is a word, or a mapping with a list of words and mappings.
APPROVAL: Path = ("gate", "approval")
RULES = ("with_warning", "loses_combinations")
SHARE = next(iter(MovesMoreThan.model_fields))
ALL_RULES = f"{', '.join(RULES)} and {{{SHARE}: 0.1}}"
A_TAG = "tag:yaml.org,2002:"
READ_AS = {
    "bool": "the boolean {raw}",
    "int": "the number {raw}",
    "float": "the number {raw}",
    "null": "null",
    "timestamp": "the date {raw}",
    "str": "the text {raw!r}",
    "map": "a mapping",
    "seq": "a list",
}
NOT_YAML = {
    "found unhashable key": "a list or a mapping cannot be a key",
    "but found another document": "the file has two documents; remove the line ---",
    "mapping values are not allowed here": (
        "unexpected colon; put the text in quotes, or check the indentation"
    ),
    "could not find expected ':'": "the colon after the key is missing",
    "found unexpected end of stream": "this quote is never closed",
    "expected ',' or ']', but got '<stream end>'": "this bracket is never closed",
    "expected the node content, but found '<stream end>'": "this bracket is never closed",
    "expected ',' or '}', but got '<stream end>'": "this brace is never closed",
    "expected <block end>, but found '<block mapping start>'": (
        "the indentation does not match the lines above"
    ),
    "expected <block end>, but found '<block sequence start>'": (
        "the indentation does not match the lines above"
    ),
    "expected <block end>, but found '-'": "the indentation does not match the lines above",
}


@dataclass(frozen=True, order=True)
class Mistake:
    """A mistake: its line, its path, and what is wrong."""

    line: int
    path: str
    reason: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.path}{': ' if self.path else ''}{self.reason}"


class Document:
    """The nodes of a YAML text, by path."""

    def __init__(self, text: str) -> None:
        """Compose the nodes; raises YAMLError if the text is not YAML."""
        self._loader = yaml.SafeLoader(text)
        self.root = self._loader.get_single_node()
        self._root: yaml.Node = self.root or yaml.MappingNode("", [])

    def tree(self) -> Any:  # noqa: ANN401 - whatever a file says
        """Return the parsed tree; a repeated key has its last value."""
        if self.root is None:
            return None
        return self._loader.construct_document(self.root)

    def key(self, node: yaml.Node) -> object:
        """Return the value of a key or scalar; raises ValueError for a date that does not exist."""
        return self._loader.construct_object(node, deep=True)

    def find(self, path: Path) -> tuple[yaml.Node, yaml.Node]:
        """Return the nodes of key and value at a path, or of its deepest existing part."""
        key = value = self._root
        for step in path:
            found = self._step(value, step)
            if found is None:
                break
            key, value = found
        return key, value

    def _step(self, node: yaml.Node, step: str | int) -> tuple[yaml.Node, yaml.Node] | None:
        if isinstance(node, yaml.SequenceNode) and isinstance(step, int):
            item = node.value[step] if step < len(node.value) else None
            return (item, item) if item else None
        if isinstance(node, yaml.MappingNode):
            pairs = [(key, value) for key, value in node.value if self._is(key, step)]
            return pairs[-1] if pairs else None
        return None

    def _is(self, key: yaml.Node, step: str | int) -> bool:
        return isinstance(key, yaml.ScalarNode) and (key.value == step or self.key(key) == step)

    def mappings(self) -> Iterator[tuple[Path, yaml.MappingNode]]:
        """Yield every mapping, however deep, with its path."""
        if self.root is not None:
            yield from self._mappings((), self.root, frozenset())

    def _mappings(
        self, path: Path, node: yaml.Node, above: frozenset[int]
    ) -> Iterator[tuple[Path, yaml.MappingNode]]:
        if id(node) in above:  # an alias of what it stands in
            return
        above |= {id(node)}
        if isinstance(node, yaml.MappingNode):
            yield path, node
            for key, value in node.value:
                yield from self._mappings((*path, str(key.value)), value, above)
        elif isinstance(node, yaml.SequenceNode):
            for place, item in enumerate(node.value):
                yield from self._mappings((*path, place), item, above)


def mistakes(text: str, name: str) -> list[str]:
    """List the mistakes in the text of a params.yaml, one line each, in the file's order."""
    return [f"{name}, {one}" for one in sorted(set(_mistakes(text)))]


def _mistakes(text: str) -> Iterator[Mistake]:
    try:
        document = Document(text)
        tree = document.tree()
    except yaml.YAMLError as error:
        yield _not_yaml(text, error)
        return
    except (ValueError, TypeError):
        yield from _no_values(text)
        return
    if document.root is None or tree is None:
        yield Mistake(1, "", f"the file is empty; it needs {_needed(Params)}")
        return
    if not isinstance(tree, dict):
        line, said = _line(document.root), _read_as(document.root)
        yield Mistake(line, "", f"the file must be a mapping with {_needed(Params)}; it is {said}")
        return
    yield from _repeated(document)
    yield from _wrong(document, tree)
    yield from (
        _at(document, one.path, one.reason) for one in contradictions(_valid_parts(_known(tree)))
    )


# ---- What is not YAML ----


def _not_yaml(text: str, error: yaml.YAMLError) -> Mistake:
    if not isinstance(error, yaml.MarkedYAMLError):
        place = getattr(error, "position", 0)
        line = text.count("\n", 0, place) + 1
        return Mistake(
            line, "", f"the character {text[place : place + 1]!r} is not allowed in YAML"
        )
    context = error.context or ""
    opened = error.context_mark if "while" in context and "block" not in context else None
    mark = opened or error.problem_mark or error.context_mark
    line = mark.line + 1 if mark else 1
    rows = text.splitlines()
    indent = rows[line - 1][: len(rows[line - 1]) - len(rows[line - 1].lstrip())] if rows else ""
    if "\t" in indent:
        return Mistake(line, "", "the line is indented with a tab; YAML allows only spaces")
    problem = error.problem or "it cannot be read"
    known = NOT_YAML.get(problem)
    return Mistake(line, "", known or f"this is not valid YAML: {problem}")


def _no_values(text: str) -> Iterator[Mistake]:
    """Find scalars that YAML cannot convert to a value, and invalid keys."""
    document = Document(text)
    for path, mapping in document.mappings():
        for key, value in mapping.value:
            if not isinstance(key, yaml.ScalarNode):
                yield Mistake(_line(key), _told(path), f"{_read_as(key)} cannot be a key")
            scalars = value.value if isinstance(value, yaml.SequenceNode) else [value]
            for one in scalars:
                if isinstance(one, yaml.ScalarNode) and not _has_a_value(document, one):
                    where = _told((*path, str(key.value)))
                    said = f"YAML reads this as {_read_as(one)}, which does not exist"
                    yield Mistake(_line(one), where, f"{said}; put it in quotes if it is text")


def _has_a_value(document: Document, node: yaml.Node) -> bool:
    try:
        document.key(node)
    except ValueError:
        return False
    return True


def _repeated(document: Document) -> Iterator[Mistake]:
    for path, mapping in document.mappings():
        first: dict[object, yaml.Node] = {}
        for key, _ in mapping.value:
            said = document.key(key)
            if said in first:
                reason = f"duplicate key; the first one is on line {_line(first[said])}"
                yield Mistake(_line(key), _told((*path, str(key.value))), reason)
            first.setdefault(said, key)


# ---- Values that break their model's rules ----


def _wrong(document: Document, tree: dict[Any, Any]) -> Iterator[Mistake]:
    """Find the values that break a rule of their own."""
    found: dict[Path, ErrorDetails] = {}
    # pydantic does not check whether keys fit one another if there are unknown ones.
    for read in (tree, _known(tree)):
        for error in _errors(read):
            found[error["loc"]] = error
    told: dict[Path, str] = {}
    if any(loc[:2] == APPROVAL for loc in found):
        found = {loc: error for loc, error in found.items() if loc[:2] != APPROVAL}
        told |= _of_approval(document, tree["gate"]["approval"])
    for loc, error in found.items():
        if error["type"] == "missing":
            continue
        path = _path(document, loc, error["type"], tree)
        if error["type"] == "too_short" and any(
            other[: len(loc)] == loc and other != loc for other in found
        ):
            continue  # pydantic counts only valid items
        told[path] = _reason(document, loc, path, error)
    yield from (_at(document, path, reason) for path, reason in told.items())
    missing = [loc for loc, one in found.items() if one["type"] == "missing"]
    yield from _missing(document, missing, tree)


def _of_approval(document: Document, said: object) -> dict[Path, str]:
    """Describe what is wrong with gate.approval, by path."""
    node = document.find(APPROVAL)[1]
    if not isinstance(said, dict):
        meant = "; did you mean none?" if said is None or said is False else ""
        if isinstance(said, str):
            meant = _meant(("none", "always"), said)
        read = _read_as(node)
        return {APPROVAL: f"must be none, always or {{when: [with_warning]}}; it is {read}{meant}"}
    told: dict[Path, str] = {
        (*APPROVAL, str(key)): f"unknown key; approval has {_one_of(('when',), str(key))}"
        for key in said
        if key != "when"
    }
    path = (*APPROVAL, "when")
    rules = said.get("when")
    if "when" not in said:
        told[APPROVAL] = f"when is missing; it lists one or more of {ALL_RULES}"
    elif not isinstance(rules, list) or not rules:
        read = "empty" if rules == [] else _read_as(document.find(path)[1])
        told[path] = f"must be a list of one or more of {ALL_RULES}; it is {read}"
    else:
        names = [next(iter(one), None) if isinstance(one, dict) else one for one in rules]
        for place, (name, rule) in enumerate(zip(names, rules, strict=True)):
            item = (*path, place)
            if wrong := _of_rule(name, rule, document, item):
                told[item] = wrong
            elif name in names[:place]:
                told[item] = f"{name} is listed twice"
    return told


def _of_rule(name: object, rule: object, document: Document, path: Path) -> str:
    """Describe what is wrong with a rule that requires approval; "" if nothing is."""
    if isinstance(rule, dict) and len(rule) > 1:
        return "each rule must be a separate item of the list"
    if name not in (*RULES, SHARE):
        read = "" if isinstance(name, str) else f"; it is {_read_as(document.find(path)[1])}"
        meant = _meant((*RULES, SHARE), name) if isinstance(name, str) else ""
        called = f"unknown rule {name}" if isinstance(name, str) else "unknown rule"
        return f"{called}; the rules are {ALL_RULES}{read}{meant}"
    if name in RULES:
        return f"{name} takes no value; remove the colon" if isinstance(rule, dict) else ""
    share = rule[name] if isinstance(rule, dict) else None
    if isinstance(share, float | int) and not isinstance(share, bool) and 0 <= share < 1:
        return ""
    return f"it needs a fraction of at least 0 and less than 1, such as {{{SHARE}: 0.1}}"


def _missing(document: Document, locs: list[Path], tree: Any) -> Iterator[Mistake]:  # noqa: ANN401
    """Report the missing keys of each mapping in one sentence."""
    for above in dict.fromkeys(loc[:-1] for loc in locs):
        keys = [str(loc[-1]) for loc in locs if loc[:-1] == above]
        lacks = f"{_listed(keys)} {'is' if len(keys) == 1 else 'are'} missing"
        needs = f"{_called(above)} needs {_needed(_model_at(above))}"
        yield _at(document, _in_file(above, tree), f"{lacks}; {needs}")


def _errors(tree: object) -> list[ErrorDetails]:
    try:
        Params.model_validate(tree)
    except ValidationError as error:
        return [
            one
            for one in error.errors(include_url=False, include_input=False)
            if not isinstance(one.get("ctx", {}).get("error"), Contradictory)
        ]
    return []


def _known(tree: dict[Any, Any]) -> dict[Any, Any]:
    """Return the tree without unknown keys."""
    for error in _errors(tree):
        if error["type"] in {"extra_forbidden", "invalid_key"}:
            tree = _without(tree, _in_file(error["loc"], tree))
    return tree


def _without(tree: Any, path: Path) -> Any:  # noqa: ANN401
    step, *rest = path
    if not isinstance(tree, dict) or step not in tree:
        return tree
    if not rest:
        return {key: value for key, value in tree.items() if key != step}
    return {**tree, step: _without(tree[step], tuple(rest))}


def _in_file(loc: Path, tree: Any) -> Path:  # noqa: ANN401
    """Remove from an error's path what only pydantic adds: a column's kind, or a family."""
    place = _tag(loc)
    if place is None and loc[:2] == ("tuning", "grids") and len(loc) > 3:  # noqa: PLR2004
        place = 3 if is_of_forests(tree["tuning"]["grids"].get(loc[2])) else None
    return loc if place is None else (*loc[:place], *loc[place + 1 :])


def _tag(loc: Path) -> int | None:
    """Return the place of a column's kind, or of the model's family, in an error's path."""
    for section, place, tags in (("schema", 2, KINDS), ("model", 1, FAMILIES)):
        if loc[:1] == (section,) and len(loc) > place and loc[place] in tags:
            return place
    return None


def _path(document: Document, loc: Path, error: str, tree: Any) -> Path:  # noqa: ANN401
    """Return the path of an error in the file."""
    path = _in_file(loc, tree)
    if path[-1:] == ("[key]",):
        key, _ = document.find(path[:-1])
        return (*path[:-2], str(key.value))
    if error in {"extra_forbidden", "invalid_key"}:
        return path
    # For a union, pydantic adds the member that it tried.
    while path and document.find(path)[0] is document.find(path[:-1])[0]:
        path = path[:-1]
    return path


def _reason(document: Document, loc: Path, path: Path, error: ErrorDetails) -> str:  # noqa: PLR0911
    """Describe what is wrong, and what is allowed."""
    what, context = error["type"], error.get("ctx", {})
    is_key = loc[-1:] == ("[key]",)
    node = document.find(loc[:-1])[0] if is_key else document.find(path)[1]
    match what:
        case "extra_forbidden" | "invalid_key":
            keys = _keys(_model_at(loc[:-1]))
            return f"unknown key; {_called(loc[:-1])} has {_one_of(keys, str(path[-1]))}"
        case "union_tag_invalid" | "union_tag_not_found" | "model_attributes_type":
            return _of_no_kind(loc, node, error)
        case "literal_error":
            allowed = str(context["expected"]).replace("'", "").replace("False", "false")
            meant = _meant(allowed.replace(" or ", ", ").split(", "), str(node.value))
            return f"must be {allowed}; it is {_read_as(node)}{meant}"
        case "too_short" | "string_too_short":
            least = context["min_length"]
            return "must not be empty" if least == 1 else f"must have at least {least} items"
        case "string_too_long":
            has = len(str(node.value))
            return f"must have at most {context['max_length']:,} characters; it has {has:,}"
        case "string_pattern_mismatch":
            meant = EITHER.get(path[-1:]) or f"must be {EXPECTED['date']}"
            return f"{meant}; it is {_read_as(node)}"
        case "value_error":
            return _value_error(node, context["error"])
        case _ if what in BOUNDS:
            bound, words = BOUNDS[what]
            return f"must be {words} {context[bound]:g}; it is {node.value}"
    return EITHER.get(path[-1:]) or _wrong_type(node, loc, what) or error["msg"]


def _of_no_kind(loc: Path, node: yaml.Node, error: ErrorDetails) -> str:
    """List the kinds of column, or the families of models."""
    named, tags = ("family", FAMILIES) if loc[0] == "model" else ("kind", KINDS)
    if error["type"] == "union_tag_invalid":
        given = str(error["ctx"]["tag"])
        plural = "families" if named == "family" else "kinds"
        return f"unknown {named} {given}; the {plural} are {_one_of(tags, given)}"
    if named == "family":  # which may be left out
        return f"must be a mapping, such as `family: ridge`; it is {_read_as(node)}"
    missing = error["type"] == "union_tag_not_found"
    begins = "kind is missing" if missing else "must be a mapping"
    return f"{begins}; add one, such as `kind: number`; the kinds are {', '.join(KINDS)}"


def _value_error(node: yaml.Node, error: Exception) -> str:
    said = str(error)
    if "put it in quotes" in said:
        return f"YAML reads this as {_read_as(node)}; put it in quotes"
    return said


def _wrong_type(node: yaml.Node, loc: Path, what: str) -> str:
    expected = EXPECTED.get(what.partition("_")[0])
    if expected is None:
        return ""
    if what == "string_type" and isinstance(node, yaml.ScalarNode):
        key = "this name" if loc[-1:] == ("[key]",) else "this"
        return f"YAML reads {key} as {_read_as(node)}; put it in quotes"
    return f"must be {expected}; it is {_read_as(node)}"


# ---- Rules between the parts ----


def _valid_parts(tree: dict[Any, Any]) -> Parts:
    """Return the parts that are valid by themselves, whatever is wrong with the others."""
    columns = tree.get("schema")
    serving = tree.get("serving")
    keys = serving.get("dropdown_keys") if isinstance(serving, dict) else None
    adapter: TypeAdapter[Kind] = TypeAdapter(Column)
    intervals = _valid(TypeAdapter(Intervals), tree.get("intervals"))
    return Parts(
        columns={
            name: _valid(adapter, kind)
            for name, kind in (columns.items() if isinstance(columns, dict) else ())
            if isinstance(name, str)
        },
        target=_valid(TypeAdapter(Target), tree.get("target")),
        roles=_valid(TypeAdapter(Roles), tree.get("roles")) if isinstance(columns, dict) else None,
        intervals_by=intervals.by if intervals else (),
        tuning=_valid(TypeAdapter(Tuning), tree.get("tuning")),
        dropdown_keys=keys if isinstance(keys, dict) and isinstance(columns, dict) else {},
    )


def _valid[Part](adapter: TypeAdapter[Part], raw: object) -> Part | None:
    try:
        return adapter.validate_python(raw)
    except ValidationError:
        return None


# ---- Places and wording ----


def _at(document: Document, path: Path, reason: str) -> Mistake:
    return Mistake(_line(document.find(path)[0]), _told(path), reason)


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _told(path: Path) -> str:
    return ".".join(map(str, path))


def _read_as(node: yaml.Node) -> str:
    tag = str(node.tag).removeprefix(A_TAG)
    return READ_AS.get(tag, tag).format(raw=node.value)


def _called(loc: Path) -> str:
    """Name the mapping whose keys an error is about."""
    if not loc:
        return "the file"
    place = _tag(loc)
    if place is not None:
        return f"the {'family' if loc[0] == 'model' else 'kind'} {loc[place]}"
    return str(loc[-1])


def _model_at(loc: Path) -> type[BaseModel]:
    """Return the model of a mapping, by its path in an error."""
    place = _tag(loc)
    if place is not None:
        return {**KINDS, **FAMILIES}[str(loc[place])]
    found: Any = Params
    for step in loc:
        if isinstance(found, type) and issubclass(found, BaseModel):
            names = {field.alias or name: field for name, field in found.model_fields.items()}
            found = _bare(names[str(step)].annotation)
        else:
            found = _bare(get_args(found)[-1])
    return found if isinstance(found, type) and issubclass(found, BaseModel) else Params


def _bare(annotation: Any) -> Any:  # noqa: ANN401
    if isinstance(annotation, TypeAliasType):
        return _bare(annotation.__value__)
    if get_origin(annotation) in {Union, types.UnionType}:
        return _bare(get_args(annotation)[0])
    return annotation


def _keys(model: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items()]


def _needed(model: type[BaseModel]) -> str:
    fields = model.model_fields.items()
    return _listed([field.alias or name for name, field in fields if field.is_required()])


def _listed(names: list[str]) -> str:
    *rest, last = names
    return f"{', '.join(rest)} and {last}" if rest else last


def _one_of(allowed: Iterable[str] | Mapping[str, object], given: str) -> str:
    return f"{', '.join(allowed)}{_meant(allowed, given)}"


def _meant(allowed: Iterable[str], given: str) -> str:
    close = difflib.get_close_matches(given.casefold(), list(allowed), n=1)
    return f"; did you mean {close[0]}?" if close else ""
