"""Connections as tools see them: the classes and attributes of Prompt Flow's."""


class _ByName(type):
    """A class of that name is that class: also the installed Prompt Flow's own."""

    def __instancecheck__(cls, instance):
        if type.__instancecheck__(cls, instance):
            return True
        return any(
            kind.__name__ == cls.__name__ and kind.__module__.startswith("promptflow") for kind in type(instance).__mro__
        )


class _Connection(metaclass=_ByName):
    TYPE = "NotSet"

    def __init__(self, name=None, module="promptflow.connections", configs=None, secrets=None, **_):
        self.name = name
        self.type = self.TYPE
        self.class_name = type(self).__name__
        self.module = module
        self.configs = configs or {}
        self.secrets = secrets or {}
        self._secrets = dict(self.secrets)
        self.expiry_time = self.created_date = self.last_modified_date = None

    def keys(self):
        return [*self.configs, *self.secrets]

    def __getitem__(self, key):
        for values in (self.secrets, self.configs):
            if key in values:
                return values[key]
        raise KeyError("Key %r not found in connection %r." % (key, self.name))

    def __repr__(self):
        # Never a secret.
        return "%s(name=%r, keys=%r)" % (type(self).__name__, self.name, self.keys())


def _field(name, secret=False):
    def read(self):
        return (self.secrets if secret else self.configs).get(name)

    def write(self, value):
        (self.secrets if secret else self.configs)[name] = value

    return property(read, write)


def _strong(class_name, type_name, fields, *bases):
    """A class whose fields and their defaults are known; what has no default must be given."""
    required = [name for name, default in fields.items() if default is _REQUIRED]

    def __init__(self, *args, **given):
        given.update(zip(fields, args))
        missing = [name for name in required if name not in given]
        if missing:
            raise TypeError("%s needs %s" % (class_name, ", ".join("`%s`" % name for name in missing)))
        configs, secrets = {}, {}
        for name, default in fields.items():
            (secrets if name == "api_key" else configs)[name] = given.pop(name, default)
        _Connection.__init__(self, configs=configs, secrets=secrets, **given)

    members = {name: _field(name, name == "api_key") for name in fields}
    members.update(TYPE=type_name, __init__=__init__, __module__="promptflow.core._connection", __qualname__=class_name)
    if "auth_mode" in fields:
        members["get_token"] = _get_token
    return _ByName(class_name, bases or (_Connection,), members)


def _get_token(self):
    from azure.identity import DefaultAzureCredential

    return DefaultAzureCredential().get_token("https://cognitiveservices.azure.com/.default").token


_REQUIRED = object()
_Connection.__module__ = "promptflow.core._connection"

AzureOpenAIConnection = _strong(
    "AzureOpenAIConnection",
    "AzureOpenAI",
    {
        "api_base": _REQUIRED,
        "api_key": None,
        "api_type": "azure",
        "api_version": "2024-02-01",
        "auth_mode": "key",
        "resource_id": None,
    },
)
OpenAIConnection = _strong(
    "OpenAIConnection", "OpenAI", {"api_key": _REQUIRED, "organization": None, "base_url": None}
)
ServerlessConnection = _strong("ServerlessConnection", "Serverless", {"api_key": _REQUIRED, "api_base": _REQUIRED})
SerpConnection = _strong("SerpConnection", "Serp", {"api_key": _REQUIRED})
QdrantConnection = _strong("QdrantConnection", "Qdrant", {"api_key": _REQUIRED, "api_base": _REQUIRED})
WeaviateConnection = _strong("WeaviateConnection", "Weaviate", {"api_key": _REQUIRED, "api_base": _REQUIRED})
CognitiveSearchConnection = _strong(
    "CognitiveSearchConnection",
    "CognitiveSearch",
    {"api_base": _REQUIRED, "api_key": None, "api_version": "2023-11-01", "auth_mode": "key"},
)
AzureAISearchConnection = CognitiveSearchConnection
AzureAIServicesConnection = _strong(
    "AzureAIServicesConnection", "AzureAIServices", {"endpoint": _REQUIRED, "api_key": None, "auth_mode": "key"}
)
AzureContentSafetyConnection = _strong(
    "AzureContentSafetyConnection",
    "AzureContentSafety",
    {"api_key": _REQUIRED, "endpoint": _REQUIRED, "api_version": "2023-10-01", "api_type": "Content Safety"},
)
FormRecognizerConnection = _strong(
    "FormRecognizerConnection",
    "FormRecognizer",
    {"api_key": _REQUIRED, "endpoint": _REQUIRED, "api_version": "2023-07-31", "api_type": "Form Recognizer"},
    AzureContentSafetyConnection,
)
BingConnection = _strong(
    "BingConnection", "Bing", {"api_key": _REQUIRED, "url": "https://api.bing.microsoft.com/v7.0/search"}
)


class CustomConnection(_Connection):
    TYPE = "Custom"

    def __init__(self, secrets=None, configs=None, **given):
        super().__init__(configs=configs, secrets=secrets, **given)

    def __getattr__(self, name):
        if name not in ("configs", "secrets"):
            for values in (self.secrets, self.configs):
                if name in values:
                    return values[name]
        raise AttributeError("%r has no attribute %r" % (type(self).__name__, name))

    def is_secret(self, name):
        return name in self.secrets


CustomConnection.__module__ = "promptflow.core._connection"


class CustomStrongTypeConnection(_Connection):
    """The base of classes whose annotations say what is a secret."""

    def __init__(self, secrets=None, configs=None, **given):
        super().__init__(configs=configs, secrets=secrets, **given)
        self.custom_type = type(self).__name__

    def __getattribute__(self, name):
        fields = _annotations(type(self))
        if name in fields:
            values = self.secrets if fields[name] else self.configs
            if name in values:
                return values[name]
        return super().__getattribute__(name)


CustomStrongTypeConnection.__module__ = "promptflow.core._connection"


def _annotations(kind):
    """The fields of a class and its bases, and which of them are secrets."""
    found = {}
    for base in reversed(kind.__mro__):
        if issubclass(base, CustomStrongTypeConnection):
            for name, annotation in getattr(base, "__annotations__", {}).items():
                found[name] = getattr(annotation, "__name__", annotation) == "Secret"
    return found
