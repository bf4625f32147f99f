"""What tools are: their ports and files, for the plan."""

import os
import sys

from . import errors, load, ports, values


def describe(references):
    return [_one(reference) for reference in references]


def _one(reference):
    try:
        return {"described": _described(load.load_in_main(reference))}
    except load.LoadError as error:
        return {"failed": {"code": error.code, "message": str(error), "help": error.help, "loading": True}}
    except BaseException as error:
        return {"failed": failed(error)}


def failed(error):
    """A mistake in a module, found while it was loaded."""
    found = errors.report(error, sys.path[0])
    found["code"], found["loading"] = "PythonLoadError", True
    return found


def _described(tool):
    found = ports.of(tool)
    function = ports.original(tool.function)
    meta = tool.meta
    parameters = []
    for port in found.list:
        entry = {
            "name": port.name,
            "kind": port.kind,
            "required": port.default is ports.EMPTY,
            "init": port.init,
            "connections": port.connections,
            "choices": port.choices,
        }
        if port.default is not ports.EMPTY:
            entry["default"] = _plain(port.default)
        _from_meta(entry, meta.get("inputs", {}).get(port.name))
        parameters.append(entry)
    for name, declared in meta.get("inputs", {}).items():
        # What a function takes as **kwargs, its package may declare.
        if found.keywords and all(entry["name"] != name for entry in parameters):
            entry = {"name": name, "kind": "object", "required": False, "init": False, "connections": [], "choices": None}
            _from_meta(entry, declared)
            parameters.append(entry)
    code = getattr(function, "__code__", None)
    kernel = getattr(tool.function, "__kernel_function_description__", None)
    return {
        "name": getattr(tool.function, "__name__", "tool"),
        "description": getattr(tool.function, "__description", None)
        or kernel
        or meta.get("description")
        or (getattr(function, "__doc__", None) or "").strip().split("\n")[0],
        "parameters": parameters,
        "keywords": found.keywords,
        "is_async": bool(code and code.co_flags & (0x80 | 0x200)),
        "custom_llm": getattr(tool.function, "__type", None) == "custom_llm" or meta.get("type") == "custom_llm",
        "file": tool.file and os.path.abspath(tool.file),
    }


_KINDS = ("int", "double", "bool", "string", "list", "object", "secret", "prompt_template", "file_path", "image")


def _from_meta(entry, declared):
    """Package tools say the types of their inputs themselves."""
    kinds = (declared or {}).get("type") or []
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if not kinds:
        return
    if kinds[0] in _KINDS:
        entry["kind"] = kinds[0]
    elif all(kind.endswith("Connection") for kind in kinds):
        entry["kind"] = "connection"
        entry["connections"] = entry["connections"] or kinds


def _plain(default):
    """A default, if JSON has it."""
    try:
        found = values.encode(default, [])
        return None if values.TAG.encode() in found else values.plain(found)
    except Exception:
        return None
