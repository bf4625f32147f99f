"""One call of a tool: inputs in, output or error out."""

import _thread
import contextvars
import os
import sys
import time

from . import errors, load, ports, prints, shim, values

crew = None
# The live objects that the calls of a line made.
_kept = {}
_MOST_INSTANCES = 64


class Cancelled(BaseException):
    """The call is not wanted any more."""


class Call:
    def __init__(self, request):
        self.number = request["id"]
        self.line = request.get("line", 0)
        self.log = prints.Log(self.number)
        self.aggregation = request.get("aggregation", False)
        self.metrics = {}
        self.state = _thread.RLock()
        self.thread = _thread.get_ident()
        self.task = None
        self.done = False
        self.stopped = False

    def cancel(self):
        """Asks the call to stop: its thread sees an exception, at its next step of Python."""
        with self.log.guard, self.state:
            if self.done or self.stopped:
                return
            self.stopped = True
            if self.task is not None:
                self.task.get_loop().call_soon_threadsafe(self.task.cancel)
            elif self.thread is not None:
                _raise_in(self.thread, Cancelled)

    def finish(self):
        with self.state:
            self.done = True


def _raise_in(thread, kind):
    import ctypes

    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(kind) if kind else None)


def carry_out(crew, request, payload):
    """Runs a call; says whether this thread may go on."""
    call = Call(request)
    crew.calls[call.number] = call
    started = time.perf_counter()
    try:
        context = contextvars.copy_context()
        failed, result = context.run(_guarded, call, request, payload)
        if failed is None and result is _ASYNC:
            return True
        call.finish()
    except Cancelled:
        failed, result = True, None
    call.finish()
    if call.stopped:
        try:
            # If it was not seen in time, nobody is to see it.
            _raise_in(call.thread, None)
        except Cancelled:
            pass
    _reply(call, failed, result, started)
    return not call.stopped


_ASYNC = object()


def _reply(call, failed, result, started):
    crew.calls.pop(call.number, None)
    call.log.flush()
    if call.stopped:
        crew.wire.send(b'{"id":%d,"done":"cancelled"}' % call.number)
        return
    try:
        if failed is None:
            kept = []
            payload = values.encode(result, kept)
            if kept:
                _kept.setdefault(call.line, []).extend(kept)
    except BaseException as error:
        failed = error
    header = b'{"id":%d,"done":"%s","seconds":%.6f' % (
        call.number,
        b"output" if failed is None else b"error",
        time.perf_counter() - started,
    )
    if failed is not None:
        payload = values.encode(describe_failure(failed), [])
    if call.metrics:
        header += b',"metrics":%s' % values.encode(call.metrics, [])
    crew.wire.send(header + b"}", payload)


def describe_failure(error):
    if isinstance(error, load.LoadError):
        return {"type": error.code, "message": str(error), "help": error.help, "loading": True}
    try:
        found = errors.report(error, sys.path[0])
    except BaseException:  # a tool broke what the report needs
        found = {"type": type(error).__name__, "message": errors.text_of(error)}
    if error in load.failed:
        load.failed.clear()
        found["code"], found["loading"] = "PythonLoadError", True
    return found


def _guarded(call, request, payload):
    """The call, whatever it raises. First whether it failed, then with what, or the output."""
    prints.current.set(call)
    try:
        return None, _perform(call, request, payload)
    except Cancelled:
        raise
    except BaseException as error:
        return error, None


def _perform(call, request, payload):
    for name, value in (request.get("env") or {}).items():
        if os.environ.get(name) != value:
            os.environ[name] = value
    tool = load.tool_of(request["tool"])
    inputs = values.decode(payload)
    found = tool.ports or ports.of(tool)
    connections = request.get("connections")
    if found.special or connections:
        _make_special(found, inputs, connections)
    function = tool.function
    if tool.owner is not None:
        function = _bound(tool, found, inputs)
    result = function(**inputs)
    # Cheaper than asking for each kind.
    if type(result) in _PLAIN:
        return result
    return _whole(call, result)


_PLAIN = {str, dict, list, int, float, bool, type(None), tuple}


def _make_special(found, inputs, connections):
    for name, port in found.special.items():
        value = inputs.get(name)
        if port.kind == "prompt_template" and type(value) is str:
            inputs[name] = port_class(port)(value)
    for name, connection in (connections or {}).items():
        port = found.special.get(name)
        inputs[name] = shim.make_connection(connection, port.classes if port else [])


def port_class(port):
    for one in ports._alternatives(port.annotation):
        if isinstance(one, type) and issubclass(one, str):
            return one
    return str


def _bound(tool, found, inputs):
    """The method of an instance that was made with these constructor inputs."""
    given = {name: inputs.pop(name) for name in found.init if name in inputs}
    key = repr(sorted(given.items(), key=lambda item: item[0]))
    instance = tool.instances.get(key)
    if instance is None:
        instance = crew.in_main(lambda: tool.owner(**given))
        if len(tool.instances) >= _MOST_INSTANCES:
            tool.instances.clear()
        tool.instances[key] = instance
    return getattr(instance, tool.function.__name__)


def _whole(call, result):
    """What comes bit by bit, as one text; what is still to be awaited, awaited."""
    kind = type(result)
    if kind.__name__ in ("coroutine", "async_generator") or hasattr(kind, "__await__") or hasattr(kind, "__anext__"):
        from . import loop

        loop.run(call, result, _finish_async)
        return _ASYNC
    if hasattr(kind, "__next__") and hasattr(result, "send") or _is_stream(kind):
        return joined(result)
    return result


def _is_stream(kind):
    """Iterators that Prompt Flow's own wrappers make of generators."""
    return hasattr(kind, "__next__") and kind.__module__.startswith("promptflow")


def joined(parts):
    return "".join(str(part) for part in parts)


def _finish_async(call, failed, result, started):
    call.finish()
    _reply(call, failed, result, started)


def forget_line(line):
    values.forget(_kept.pop(line, ()))


def log_metric(key, value, variant_id=None):
    call = prints.current_call()
    if call is not None and call.aggregation:
        call.metrics[str(key)] = value
