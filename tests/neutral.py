"""One environment for all tests, whatever shell, terminal or machine starts them.

A test that wants something else sets it itself. What the tests' own options are (KD_EDGE_*, CI) and
where programs and temporary files are (PATH, TMPDIR) stays.
"""

from __future__ import annotations

import os
import signal

# Of the user's shell; each changes what some program under test prints, reads or writes.
_UNSET = (
    *("HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "ALL_PROXY", "NO_PROXY"),
    *("http_proxy", "https_proxy", "ftp_proxy", "all_proxy", "no_proxy"),
    *("NO_COLOR", "FORCE_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "TTY_COMPATIBLE"),
    *("TTY_INTERACTIVE", "COLORTERM", "COLUMNS", "LINES", "LS_COLORS", "GREP_OPTIONS"),
    *("LANGUAGE", "LC_CTYPE", "LC_NUMERIC", "LC_COLLATE", "LC_MESSAGES", "LC_TIME", "LANG"),
    *("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME"),
    *("KERAS_BACKEND", "KERAS_HOME", "TF_USE_LEGACY_KERAS", "TF_DETERMINISTIC_OPS"),
    *("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "MPLBACKEND"),
    *("CC", "CXX", "CPP", "AR", "LD", "CFLAGS", "CXXFLAGS", "CPPFLAGS", "LDFLAGS", "MAKEFLAGS"),
    *("MFLAGS", "MAKELEVEL", "CROSS_COMPILE", "GCC_COLORS", "ASAN_OPTIONS", "UBSAN_OPTIONS"),
    *("LSAN_OPTIONS", "CPATH", "C_INCLUDE_PATH", "LIBRARY_PATH", "CMAKE_GENERATOR"),
    *("SOURCE_DATE_EPOCH", "PYTHONOPTIMIZE", "PYTHONWARNINGS", "PYTHONIOENCODING"),
    *("PYTHONUTF8", "PYTHONSTARTUP", "PYTHONINSPECT", "PYTHONVERBOSE", "PYTHONUNBUFFERED"),
)
_SET = {"LC_ALL": "C.UTF-8", "TZ": "UTC", "TERM": "dumb", "TF_CPP_MIN_LOG_LEVEL": "3"}
# What nohup, a background job of a script or a supervisor lets its children ignore.
_OFTEN_IGNORED = ("SIGHUP", "SIGINT", "SIGQUIT", "SIGTERM", "SIGUSR1", "SIGUSR2", "SIGTTOU")


def make_neutral(home: str) -> None:
    """Give this process, and with it every process that tests start, one environment.

    Args:
        home: an empty folder in place of the user's: no settings of theirs are read or written.
    """
    for name in _UNSET:
        os.environ.pop(name, None)
    os.environ |= _SET | {"HOME": home}
    os.umask(0o022)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    for name in _OFTEN_IGNORED:
        _ignored_by_ourselves_only(getattr(signal, name))


def _ignored_by_ourselves_only(number: signal.Signals) -> None:
    """A handler that does nothing in place of "ignore": a child inherits the latter, not a handler.

    `nohup make test` is still not ended by a hang-up, and programs under test behave as at a
    terminal.
    """
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, lambda *_: None)
