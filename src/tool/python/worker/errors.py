"""What went wrong, for the person who wrote the tool: only their own frames."""

import os

_OURS = ("<flowctl_worker.", "<string>", "<frozen ", "<flowctl_worker>")


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


def _frames(error):
    frames = []
    trace = error.__traceback__
    while trace is not None:
        frames.append((trace.tb_frame.f_code.co_filename, trace.tb_lineno, trace))
        trace = trace.tb_next
    return frames


def _own(name):
    return not name.startswith(_OURS)


def _without_ours(error, seen):
    """Drops our own frames, which lead every traceback; also of causes."""
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        kept = [trace for name, _, trace in _frames(error) if _own(name)]
        error.__traceback__ = kept[0] if kept else None
        _without_ours(error.__cause__, seen)
        error = error.__context__


def report(error, folder):
    """An error as JSON can hold it: type, message, where, and the traceback."""
    found = {"type": type(error).__name__, "message": text_of(error), "promptflow": _is_promptflow(error)}
    if isinstance(error, SyntaxError) and error.filename:
        found["file"], found["line"] = error.filename, error.lineno
        if error.text:
            found["text"] = _printable(error.text.strip())
    else:
        frames = [frame for frame in _frames(error) if _own(frame[0])]
        # Where the author can do something; deeper frames are in the traceback.
        inside = [frame for frame in frames if frame[0].startswith(folder + os.sep) and "site-packages" not in frame[0]]
        for name, line, _ in (inside or frames)[-1:]:
            found["file"], found["line"] = name, line
            found["text"] = _source_line(name, line)
    try:
        import traceback

        _without_ours(error, set())
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
