"""Numba compilation with an on-disk cache where there is a place to write one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """Compile `function` to machine code that releases the GIL.

    The compiled code is kept beside the module, or in the user's cache folder. Where neither can
    be written (a read-only image without a home) numba refuses to cache, and the code is
    compiled once per process instead: `texture.warm_up` pays for that at service start.
    No fast-math: the order of every sum is the order in the source.
    """
    try:
        return cast(Function, numba.njit(cache=True, nogil=True)(function))
    except RuntimeError:  # "cannot cache function: no locator available"
        return cast(Function, numba.njit(nogil=True)(function))
