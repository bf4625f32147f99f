"""The parameters of a tool, and what Prompt Flow takes their types for."""

import sys

EMPTY = object()
_SPECIAL = {
    "Secret": "secret",
    "PromptTemplate": "prompt_template",
    "FilePath": "file_path",
    "Image": "image",
    "AssistantDefinition": "assistant_definition",
}


class Port:
    def __init__(self, name, annotation, default, init):
        self.name = name
        self.annotation = annotation
        self.default = default
        self.init = init
        self.kind = "object"
        self.connections = []
        self.classes = []
        self.choices = None


class Ports:
    def __init__(self, tool):
        self.list = []
        self.keywords = False
        if tool.owner is not None:
            names, _ = parameters(tool.owner.__init__)
            for name, annotation, default in names[1:]:
                self.list.append(Port(name, annotation, default, True))
        names, self.keywords = parameters(tool.function)
        if tool.owner is not None:
            names = names[1:]
        for name, annotation, default in names:
            self.list.append(Port(name, annotation, default, False))
        for port in self.list:
            _kind(port, original(tool.function))
        self.init = [port.name for port in self.list if port.init]
        # What a value is made into before the call.
        self.special = {port.name: port for port in self.list if port.kind in ("connection", "prompt_template")}


def of(tool):
    if tool.ports is None:
        tool.ports = Ports(tool)
    return tool.ports


def original(function):
    """The function below its decorators."""
    seen = 0
    while hasattr(function, "__wrapped__") and seen < 100:
        function = function.__wrapped__
        seen += 1
    return function


def parameters(function):
    """Name, annotation and default of each parameter; whether any other name is taken, too."""
    function = getattr(original(function), "__func__", original(function))
    code = getattr(function, "__code__", None)
    if code is None or hasattr(function, "__signature__"):
        return _inspected(function)
    annotations = getattr(function, "__annotations__", {})
    count = code.co_argcount
    names = code.co_varnames[: count + code.co_kwonlyargcount]
    defaults = function.__defaults__ or ()
    by_name = dict(zip(names[count - len(defaults) : count], defaults))
    by_name.update(function.__kwdefaults__ or {})
    found = [(name, annotations.get(name, EMPTY), by_name.get(name, EMPTY)) for name in names]
    return found, bool(code.co_flags & 0x08)


def _inspected(function):
    import inspect

    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return [], True
    found, keywords = [], False
    for parameter in signature.parameters.values():
        if parameter.kind is parameter.VAR_KEYWORD:
            keywords = True
        elif parameter.kind is not parameter.VAR_POSITIONAL:
            empty = parameter.empty
            found.append(
                (
                    parameter.name,
                    EMPTY if parameter.annotation is empty else parameter.annotation,
                    EMPTY if parameter.default is empty else parameter.default,
                )
            )
    return found, keywords


def _alternatives(annotation):
    """The members of a Union without None, or the annotation itself."""
    origin = getattr(annotation, "__origin__", None)
    typing = sys.modules.get("typing")
    is_union = typing is not None and origin is typing.Union
    if not is_union and type(annotation).__name__ not in ("UnionType", "Union"):
        return [annotation]
    return [one for one in annotation.__args__ if one is not type(None)]


def _kind(port, function):
    annotation = port.annotation
    if isinstance(annotation, str):
        # Prompt Flow takes these for any object; only what could not work there is looked up.
        annotation = _evaluated(annotation, function)
        found = [] if annotation is EMPTY else _alternatives(annotation)
        if not found or not all(_is_connection(one) or _special(one) for one in found):
            return
    if annotation is EMPTY and port.default is not EMPTY:
        annotation = type(port.default)
    found = _alternatives(annotation)
    if found and all(_is_connection(one) for one in found):
        port.kind = "connection"
        port.classes = found
        port.connections = [one.__name__ for one in found]
    elif len(found) == 1:
        port.kind = _kind_of(found[0], port)


def _kind_of(annotation, port):
    for kind, name in ((int, "int"), (float, "double"), (bool, "bool"), (str, "string"), (list, "list")):
        if annotation is kind:
            return name
    special = _special(annotation)
    if special:
        return special
    enum = sys.modules.get("enum")
    if enum is not None and isinstance(annotation, enum.EnumMeta):
        port.choices = [str(choice.value) for choice in annotation]
        return "string"
    return "object"


def _special(annotation):
    if isinstance(annotation, type) and annotation.__module__.startswith("promptflow."):
        return _SPECIAL.get(annotation.__name__)
    return None


def _is_connection(annotation):
    return isinstance(annotation, type) and any(
        kind.__name__ in ("_Connection", "CustomStrongTypeConnection") and kind.__module__.startswith("promptflow")
        for kind in annotation.__mro__
    )


def _evaluated(text, function):
    try:
        return eval(text, getattr(function, "__globals__", {}))
    except Exception:
        return EMPTY
