"""Values as JSON, and what JSON cannot hold: tagged, as `src/python_value/` says."""

import itertools
import os

try:
    from _json import encode_basestring, encode_basestring_ascii, make_encoder, make_scanner

    # Their forms are CPython's own business: tried before they are relied on.
    "".join(make_encoder(None, None, encode_basestring, None, ":", ",", False, False, True)([1], 0))
except Exception:
    make_encoder = None

TAG = "$python"
IMAGE = "data:image/"
LONGEST_REPR = 200

# Not the name of this process alone: another process may get the same number later.
WORKER = os.urandom(8).hex()
_numbers = itertools.count(1)
_objects = {}


class UnknownObject(Exception):
    """A live object of another process, or of a line that has ended."""


class _Context:
    strict = True
    parse_float = float
    parse_int = int
    parse_constant = float
    object_pairs_hook = None
    object_hook = None
    memo = {}


class _Reviving(_Context):
    object_hook = staticmethod(lambda found: _revive(found))


def short_repr(value):
    try:
        text = repr(value)
    except Exception:  # its author's mistake, and no reason to fail
        text = "<%s object>" % class_name(value)
    return text[:LONGEST_REPR]


def class_name(value):
    kind = type(value)
    module = getattr(kind, "__module__", None)
    name = getattr(kind, "__qualname__", kind.__name__)
    return name if module in (None, "builtins") else "%s.%s" % (module, name)


def _printable(text):
    return text.encode("utf-8", "replace").decode("utf-8")


def _tag(value, kept):
    number = next(_numbers)
    _objects[number] = value
    kept.append(number)
    return {
        TAG: {
            "type": _printable(class_name(value)),
            "text": _printable(short_repr(value)),
            "handle": {"worker": WORKER, "number": number},
        }
    }


def _special(value, kept):
    """What `json.dumps` refuses: an image, or a live object."""
    to_base64 = getattr(value, "to_base64", None)
    if callable(to_base64) and isinstance(value, bytes):
        kind = getattr(value, "_mime_type", None) or "image/*"
        return {"data:%s;base64" % kind: to_base64()}
    return _tag(value, kept)


def encode(value, kept):
    """JSON as bytes. The numbers of live objects are added to `kept`."""

    def special(found):
        return _special(found, kept)

    before = len(kept)
    try:
        return _dump(value, special, False).encode()
    except UnicodeEncodeError:
        # Lone surrogates: escaped, and taken care of by the reader.
        forget(kept[before:])
        del kept[before:]
        return _dump(value, special, True).encode()
    except (TypeError, ValueError, RecursionError):
        # Keys that are no strings, circles, endless depth: the whole lives on as an object.
        forget(kept[before:])
        del kept[before:]
        return _dump(_tag(value, kept), None, True).encode()


def _dump(value, special, ascii_only):
    if make_encoder is None:
        import json

        return json.JSONEncoder(default=special, ensure_ascii=ascii_only, separators=(",", ":")).encode(value)
    quote = encode_basestring_ascii if ascii_only else encode_basestring
    if isinstance(value, str):
        # The encoder takes a subclass for what it is, and so does this.
        return quote(value)
    return "".join(make_encoder(None, special, quote, None, ":", ",", False, False, True)(value, 0))


def _scanner(context):
    if make_encoder is None:
        import json

        decoder = json.JSONDecoder(object_hook=context.object_hook)
        return lambda text, at: decoder.raw_decode(text, at)
    return make_scanner(context)


_plain = _scanner(_Context)
_reviving = _scanner(_Reviving)


def decode(data):
    """The value of JSON bytes; tagged objects become what they stand for."""
    text = data.decode()
    if TAG in text or IMAGE in text:
        return _reviving(text, 0)[0]
    return _plain(text, 0)[0]


def plain(data):
    """The value of JSON bytes, as it is."""
    return _plain(data.decode(), 0)[0]


def _revive(found):
    if len(found) != 1:
        return found
    ((key, inner),) = found.items()
    if key == TAG and isinstance(inner, dict):
        return _untag(inner)
    if key.startswith(IMAGE) and isinstance(inner, str):
        from . import images

        return images.load(key, inner)
    return found


def _untag(tag):
    handle = tag.get("handle")
    if handle is None:
        kind, text = tag.get("type"), tag.get("text")
        if kind == "int":
            return int(text)
        if kind == "float":
            return float(text)
        return {TAG: tag}
    if isinstance(handle, dict) and "json" in handle:
        return _plain(handle["json"], 0)[0]
    if not isinstance(handle, dict) or handle.get("worker") != WORKER or handle.get("number") not in _objects:
        raise UnknownObject(
            "the output of a node was a live Python object (`%s`), which is not kept when the run is resumed "
            "or its worker ends; return something that json.dumps takes" % tag.get("type")
        )
    value = _objects[handle["number"]]
    for step in handle.get("path", ()):
        value = _step(value, step)
    return value


def _step(value, step):
    """One step of a reference into a live object: an index, a key of a mapping, else an attribute."""
    if isinstance(step, int):
        return value[step]
    if isinstance(value, dict):
        return value[step]
    return getattr(value, step)


def forget(numbers):
    for number in numbers:
        _objects.pop(number, None)
