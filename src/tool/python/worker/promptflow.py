"""The names of Prompt Flow that tools import."""

from . import calls, connections


def tool(func=None, *, name=None, description=None, type=None, input_settings=None, streaming_option_parameter=None, **extra):
    """Marks a function as the tool of its file."""

    def mark(func):
        # Only marked, not wrapped: there are no traces to write.
        func.__tool = None
        func.__name = name
        func.__description = description
        func.__type = type
        func.__input_settings = input_settings
        func.__extra_info = extra
        return func

    return mark if func is None else mark(func)


class ToolProvider:
    """The base of classes whose methods are tools."""


def log_metric(key, value, variant_id=None):
    calls.log_metric(key, value, variant_id)


def trace(func=None, **_):
    return (lambda func: func) if func is None else func


def start_trace(*_, **__):
    pass


class ErrorTarget(str):
    def __class_getitem__(cls, name):
        return cls(name.title())


for _name in ("EXECUTOR", "BATCH", "CORE", "FLOW_EXECUTOR", "NODE_EXECUTOR", "TOOL", "RUNTIME", "UNKNOWN"):
    setattr(ErrorTarget, _name, ErrorTarget(_name.title().replace("_", "")))


class PromptflowException(Exception):
    def __init__(self, message="", message_format="", target=ErrorTarget.UNKNOWN, module=None, **parameters):
        self._inner = parameters.pop("error", None)
        self._target = target
        self._module = module
        self._message_format = message_format
        self._parameters = parameters
        if not message and message_format:
            try:
                message = message_format.format(**parameters)
            except (KeyError, IndexError, ValueError):
                message = message_format
        self._message = str(message)
        super().__init__(self._message)

    message = property(lambda self: self._message)
    message_format = property(lambda self: self._message_format)
    target = property(lambda self: self._target)
    module = property(lambda self: self._module)
    inner_exception = property(lambda self: self._inner or self.__cause__)


class UserErrorException(PromptflowException):
    pass


class SystemErrorException(PromptflowException):
    pass


class ValidationException(UserErrorException):
    pass


class ToolValidationError(UserErrorException):
    pass


for _kind in (PromptflowException, UserErrorException, SystemErrorException, ValidationException, ToolValidationError):
    _kind.__module__ = "promptflow.exceptions"


class Secret(str):
    def set_secret_name(self, name):
        self.secret_name = name


class PromptTemplate(str):
    pass


class FilePath(str):
    pass


class AssistantDefinition:
    def __init__(self, model="", instructions="", tools=()):
        self.model, self.instructions, self.tools = model, instructions, list(tools)


class AttrDict(dict):
    def __getattr__(self, name):
        return self[name]

    def __setattr__(self, name, value):
        self[name] = value


for _kind in (Secret, PromptTemplate, FilePath, AssistantDefinition, AttrDict):
    _kind.__module__ = "promptflow.contracts.types"


class PFBytes(bytes):
    def __new__(cls, value, *_, **__):
        return super().__new__(cls, value)

    def __init__(self, value, mime_type, source_url=None):
        import hashlib

        self._hash = hashlib.sha1(value, usedforsecurity=False).hexdigest()[:8]
        self._mime_type = mime_type.lower()
        self._source_url = source_url

    source_url = property(lambda self: self._source_url)

    def to_base64(self, with_type=False):
        import base64

        text = base64.b64encode(self).decode()
        return "data:%s;base64,%s" % (self._mime_type, text) if with_type else text


_MAGIC = (
    (b"\x89PNG\r\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"BM", "image/bmp"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
)


def _image_type(value):
    if value[:4] == b"RIFF" and value[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for magic, kind in _MAGIC if value.startswith(magic)), "image/*")


class Image(PFBytes):
    def __init__(self, value, mime_type=None, source_url=None):
        super().__init__(value, mime_type or _image_type(value), source_url)

    def __str__(self):
        return "Image(%s)" % self._hash

    __repr__ = __str__

    def serialize(self, encoder=None):
        return str(self) if encoder is None else encoder(self)


class Text(str):
    def __new__(cls, value, annotations=None):
        made = super().__new__(cls, value)
        made._annotations = annotations
        return made

    def serialize(self):
        if self._annotations is None:
            return {"type": "text", "text": str(self)}
        return {"type": "text", "text": {"value": str(self), "annotations": self._annotations}}


for _kind in (PFBytes, Image, Text):
    _kind.__module__ = "promptflow.contracts.multimedia"


class _Settings:
    """What only the editor of Prompt Flow looks at."""

    def __init__(self, *args, **given):
        self.__dict__.update(given)


class InputSetting(_Settings):
    pass


class DynamicList(_Settings):
    pass


class GeneratedBy(_Settings):
    pass


def thread_pool():
    """`ThreadPoolExecutorWithContext`, which few import."""
    from concurrent.futures import ThreadPoolExecutor
    from contextvars import copy_context

    class ThreadPoolExecutorWithContext(ThreadPoolExecutor):
        def submit(self, function, *args, **given):
            return super().submit(copy_context().run, function, *args, **given)

    return ThreadPoolExecutorWithContext


_CORE = {"tool": tool, "ToolProvider": ToolProvider, "log_metric": log_metric, "log_flow_metric": log_metric}
_CONNECTIONS = {
    name: kind
    for name, kind in vars(connections).items()
    if isinstance(kind, type) and (name == "_Connection" or not name.startswith("_"))
}
_EXCEPTIONS = {
    kind.__name__: kind
    for kind in (PromptflowException, UserErrorException, SystemErrorException, ValidationException, ErrorTarget)
}
_SETTINGS = {kind.__name__: kind for kind in (InputSetting, DynamicList, GeneratedBy)}
_TYPES = {kind.__name__: kind for kind in (Secret, PromptTemplate, FilePath, AssistantDefinition, AttrDict)}


def names_of(module):
    if module == "promptflow":
        return dict(_CORE)
    if module == "promptflow.core":
        return dict(_CORE)
    if module in ("promptflow.connections", "promptflow.core._connection"):
        return dict(_CONNECTIONS)
    if module == "promptflow.entities":
        return {**_CONNECTIONS, **_SETTINGS}
    if module == "promptflow.contracts.types":
        return dict(_TYPES)
    if module == "promptflow.contracts.multimedia":
        return {"Image": Image, "PFBytes": PFBytes, "Text": Text}
    if module == "promptflow.exceptions":
        return dict(_EXCEPTIONS)
    if module == "promptflow.tracing":
        return {"trace": trace, "start_trace": start_trace}
    if module == "promptflow._core.tool":
        return {"tool": tool, "ToolProvider": ToolProvider, **_SETTINGS}
    if module == "promptflow._core.metric_logger":
        return {"log_metric": log_metric}
    if module == "promptflow._internal":
        return {**_CORE, "ToolValidationError": ToolValidationError}
    return {}
