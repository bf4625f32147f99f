"""What went wrong, for the person who wrote the tool: only their own frames."""

import collections
import os

_OURS = ("<flowctl_worker.", "<string>", "<frozen ", "<flowctl_worker>")
# How many frames are kept of a recursion.
_BEGINNING = _END = 50


def text_of(error):
    if isinstance(error, SystemExit):
        return "the tool called sys.exit(%s)" % ("" if error.code is None else repr(error.code))
    if isinstance(error, KeyboardInterrupt) and not error.args:
        return "the tool was interrupted (KeyboardInterrupt)"
    try:
        return _printable(str(error))
    except Exception:  # its author's mistake
        return "<%s that cannot be shown>" % type(error).__name__


def _printable(text):
    return text.encode("utf-8", "replace").decode("utf-8")


def _own(trace):
    return not trace.tb_frame.f_code.co_filename.startswith(_OURS)


def _shorten(error, seen):
    """Drops our own frames, which lead every traceback, and the middle of endless ones; also of
    the errors behind it."""
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        trace = error.__traceback__
        while trace is not None and not _own(trace):
            trace = trace.tb_next
        error.__traceback__ = trace
        own = trace
        while trace is not None:
            if _own(trace):
                own = trace
            trace = trace.tb_next
        if own is not None:
            # Not where our own `import promptflow` says no.
            own.tb_next = None
        trace = error.__traceback__
        count, last = 0, collections.deque(maxlen=_END)
        while trace is not None:
            count += 1
            last.append(trace)
            if count == _BEGINNING:
                end_of_beginning = trace
            trace = trace.tb_next
        if count > _BEGINNING + _END:
            end_of_beginning.tb_next = last[0]
        _shorten(error.__cause__, seen)
        error = error.__context__


def _place(error, folder):
    """Where the author can do something; deeper frames are in the traceback."""
    deepest = inside = None
    trace = error.__traceback__
    while trace is not None:
        name = trace.tb_frame.f_code.co_filename
        if _own(trace):
            deepest = trace
            if name.startswith(folder + os.sep) and "site-packages" not in name:
                inside = trace
        trace = trace.tb_next
    found = inside or deepest
    return found and (found.tb_frame.f_code.co_filename, found.tb_lineno)


def report(error, folder):
    """An error as JSON can hold it: type, message, where, and the traceback."""
    found = {"type": type(error).__name__, "message": text_of(error), "promptflow": _is_promptflow(error)}
    _shorten(error, set())
    if isinstance(error, SyntaxError) and error.filename:
        found["file"], found["line"] = error.filename, error.lineno
        if error.text:
            found["text"] = _printable(error.text.strip())
    else:
        place = _place(error, folder)
        if place:
            found["file"], found["line"] = place
            found["text"] = _source_line(*place)
    try:
        import traceback

        lines = traceback.format_exception(type(error), error, error.__traceback__)
        found["traceback"] = _printable("".join(lines))
    except BaseException:  # deep recursion, or `__str__` of its author's
        found["traceback"] = ""
    return found


def _source_line(name, line):
    import linecache

    try:
        return _printable(linecache.getline(name, line).strip())
    except Exception:
        return ""


def _is_promptflow(error):
    """Whether Prompt Flow would report it as it is, not as an error of the tool."""
    return any(
        kind.__name__ == "PromptflowException" and kind.__module__.startswith("promptflow")
        for kind in type(error).__mro__
    )
