"""Reading config.yaml, with errors that name the key and the line."""

from __future__ import annotations

import difflib
import os
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_settings.exceptions import SettingsError

from service.config import Config
from service.errors import ConfigurationError

KeyPath = tuple[str | int, ...]
_SECRETS = (("password",), ("secret",), ("authorization",))
"""What a message never repeats."""


def load_config(path: Path | None) -> Config:
    """Configuration from a file completed with the defaults, then the environment.

    Parameters
    ----------
    path
        A YAML file; None reads ``config.yaml`` in the working directory if there is one.

    Raises
    ------
    ConfigurationError
        Naming the file, the line, the key and what is wrong with it.
    """
    if path is None:
        default = Path("config.yaml")
        path = default if default.is_file() else None
    if path is None:
        return _validated({}, {}, "defaults")
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: cannot be read: {error}") from error
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{path}: {_yaml_problem(error)}") from error
    if content is None:
        content = {}
    if not isinstance(content, dict):
        raise ConfigurationError(f"{path}: line 1: expected sections such as 'node:'")
    lines: dict[KeyPath, int] = {}
    _collect_lines(root, (), lines)
    return _validated(content, lines, str(path))


def _validated(content: dict[str, Any], lines: dict[KeyPath, int], name: str) -> Config:
    _reject_unknown_environment()
    try:
        return Config(**content)
    except ValidationError as error:
        problems = [_describe(item, lines) for item in error.errors()]
        raise ConfigurationError(f"{name}: " + "; ".join(problems)) from error
    except SettingsError as error:
        raise ConfigurationError(f"environment: {error}") from error


def _describe(item: Any, lines: dict[KeyPath, int]) -> str:
    location: KeyPath = tuple(item["loc"])
    key = ".".join(str(part) for part in location)
    line = _nearest_line(location, lines)
    where = f"line {line}: " if line else ""
    if item["type"] == "extra_forbidden":
        return f"{where}unknown key '{key}'{_suggestion(location)}"
    hidden = location[-1:] in _SECRETS or isinstance(item.get("input"), dict)
    got = "" if hidden else f" (got {_shown(item.get('input'))})"
    return f"{where}{key + ': ' if key else ''}{item['msg']}{got}"


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _nearest_line(location: KeyPath, lines: dict[KeyPath, int]) -> int | None:
    for length in range(len(location), 0, -1):
        if location[:length] in lines:
            return lines[location[:length]]
    return None


def _suggestion(location: KeyPath) -> str:
    model: type[BaseModel] | None = Config
    for part in location[:-1]:
        if model is None or isinstance(part, int) or part not in model.model_fields:
            model = None
            break
        annotation = model.model_fields[part].annotation
        model = annotation if isinstance(annotation, type) else None
        if model is not None and not issubclass(model, BaseModel):
            model = None
    if model is None:
        return ""
    near = difflib.get_close_matches(str(location[-1]), list(model.model_fields), n=1)
    return f" (did you mean '{near[0]}'?)" if near else ""


def _collect_lines(node: Any, path: KeyPath, lines: dict[KeyPath, int]) -> None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            lines[(*path, key.value)] = key.start_mark.line + 1
            _collect_lines(value, (*path, key.value), lines)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            lines[(*path, index)] = value.start_mark.line + 1
            _collect_lines(value, (*path, index), lines)


def _yaml_problem(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error)
    return f"line {mark.line + 1}: {problem}" if mark is not None else str(problem)


def _reject_unknown_environment() -> None:
    """A mistyped override must not be ignored in silence."""
    known = {name.upper() for name in Config.model_fields}
    for variable in os.environ:
        if not variable.upper().startswith("SPINENODE_"):
            continue
        section = variable.upper().removeprefix("SPINENODE_").split("__")[0]
        if section not in known:
            raise ConfigurationError(f"environment: unknown section in {variable}")
