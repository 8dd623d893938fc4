"""A system-call filter for work in a sandbox: what a computing job never needs, and what breaks sandboxes.

Classic BPF, as the kernel takes it (`seccomp(2)`): a refused call answers EPERM, `clone3` answers ENOSYS so that the C
library falls back to `clone`, whose flags can be looked at. Another instruction set than our own is killed.
"""

import platform
import struct

EPERM, ENOSYS = 1, 38
NEW_NAMESPACES = 0x7E020000  # CLONE_NEW{NS,CGROUP,UTS,IPC,USER,PID,NET}

_LOAD, _JUMP_EQ, _JUMP_GE, _JUMP_SET, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _ERRNO, _KILL = 0x7FFF0000, 0x00050000, 0x80000000
_NUMBER_AT, _ARCH_AT, _FIRST_ARGUMENT_AT = 0, 4, 16
_X32_FROM = 0x40000000

# mount umount2 pivot_root unshare setns swapon swapoff reboot init_module finit_module delete_module kexec_load
# kexec_file_load acct quotactl add_key request_key keyctl perf_event_open bpf userfaultfd open_by_handle_at
# settimeofday clock_settime clock_adjtime adjtimex sethostname setdomainname chroot ptrace process_vm_readv
# process_vm_writev open_tree move_mount fsopen fsconfig fsmount fspick mount_setattr io_uring_{setup,enter,register}
_NEW_CALLS = (428, 429, 430, 431, 432, 433, 442, 425, 426, 427)
_REFUSED = {
    "x86_64": (
        *(165, 166, 155, 272, 308, 167, 168, 169, 175, 313, 176, 246, 320, 163, 179, 248, 249, 250, 298, 321, 323, 304),
        *(164, 227, 305, 159, 170, 171, 161, 101, 310, 311),
        *_NEW_CALLS,
    ),
    "aarch64": (
        *(40, 39, 41, 97, 268, 224, 225, 142, 105, 273, 106, 104, 294, 89, 60, 217, 218, 219, 241, 280, 282, 265),
        *(170, 112, 266, 171, 161, 162, 51, 117, 270, 271),
        *_NEW_CALLS,
    ),
}
_ARCHITECTURE = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_CLONE = {"x86_64": 56, "aarch64": 220}
_CLONE3 = 435


def program(machine: str | None = None) -> bytes | None:
    """The filter for this machine as the kernel reads it, or None where the machine is not one we know."""
    name = machine or platform.machine()
    if name not in _REFUSED:
        return None
    code = [
        _op(_LOAD, value=_ARCH_AT),
        _op(_JUMP_EQ, yes=1, value=_ARCHITECTURE[name]),
        _op(_RETURN, value=_KILL),
        _op(_LOAD, value=_NUMBER_AT),
        *_refuse(_JUMP_GE, _X32_FROM, EPERM),
        *_refuse(_JUMP_EQ, _CLONE3, ENOSYS),
    ]
    for number in _REFUSED[name]:
        code += _refuse(_JUMP_EQ, number, EPERM)
    code += [
        _op(_JUMP_EQ, no=3, value=_CLONE[name]),
        _op(_LOAD, value=_FIRST_ARGUMENT_AT),
        *_refuse(_JUMP_SET, NEW_NAMESPACES, EPERM),
        _op(_RETURN, value=_ALLOW),
    ]
    return b"".join(code)


def _refuse(test: int, value: int, errno: int) -> list[bytes]:
    return [_op(test, no=1, value=value), _op(_RETURN, value=_ERRNO | errno)]


def _op(code: int, *, yes: int = 0, no: int = 0, value: int = 0) -> bytes:
    return struct.pack("=HBBI", code, yes, no, value)
