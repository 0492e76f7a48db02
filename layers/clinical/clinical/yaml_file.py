"""Parse YAML; separate from `clinical.params` because a cold start needs no YAML parser."""

import yaml
from yaml import YAMLError

__all__ = ["YAMLError", "plain"]


def plain(text: str | bytes) -> object:
    """Parse a YAML file to plain values.

    Raises YAMLError and, like YAML's own resolver, ValueError for a 13th month and TypeError for
    a list as a key.
    """
    return yaml.load(text, Loader=_Loader)  # noqa: S506 - a safe loader


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """The safe loader, in C if available, that refuses duplicate keys."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[object, object]:  # noqa: FBT001, FBT002
        seen: set[object] = set()
        for key, _ in node.value:
            name = self.construct_object(key, deep=deep)
            if name in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"duplicate key {name!r}", key.start_mark
                )
            seen.add(name)
        mapping: dict[object, object] = super().construct_mapping(node, deep=deep)
        return mapping
