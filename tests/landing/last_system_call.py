"""Ends this process at a system call that it has not made yet, as surely and as suddenly as SIGKILL (Linux)."""

import ctypes
import os
import platform
import struct

import pytest

_SET_NO_NEW_PRIVILEGES = 38
_SET_FILTER, _ALL_THREADS = 1, 1
_LOAD, _JUMP_IF_EQUAL, _RETURN = 0x20, 0x15, 0x06
_KILL_PROCESS, _ALLOW = 0x80000000, 0x7FFF0000

_NUMBERS = {
    "x86_64": {"seccomp": 317, "linkat": 265, "unlink": 87, "unlinkat": 263},
    "aarch64": {"seccomp": 277, "linkat": 37, "unlinkat": 35},
}

needs_system_call_filter = pytest.mark.skipif(
    platform.system() != "Linux" or platform.machine() not in _NUMBERS,
    reason="needs Linux on a processor whose system calls are known here",
)


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p)]


def end_process_at(*names: str) -> None:
    """From now on, the first of these calls by any thread is not made: the kernel ends the process with SIGSYS."""
    numbers = _NUMBERS[platform.machine()]
    instructions = [(_LOAD, 0, 0, 0)]  # The number of the call is the first thing that the kernel shows.
    for name in names:
        if name in numbers:
            instructions += [(_JUMP_IF_EQUAL, 0, 1, numbers[name]), (_RETURN, 0, 0, _KILL_PROCESS)]
    instructions.append((_RETURN, 0, 0, _ALLOW))
    packed = b"".join(struct.pack("=HBBI", *instruction) for instruction in instructions)
    program = _Program(len(instructions), packed)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_SET_NO_NEW_PRIVILEGES, 1, 0, 0, 0) or libc.syscall(
        numbers["seccomp"], _SET_FILTER, _ALL_THREADS, ctypes.byref(program)
    ):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
