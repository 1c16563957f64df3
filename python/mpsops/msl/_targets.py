"""What the translator writes for a kernel and for threadgroup memory: C++ for the CPU, or for PTX."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Protocol

_HERE = "::mpsops_msl::Site{__builtin_FILE(), __builtin_LINE(), __builtin_COLUMN()}"


@dataclass(frozen=True)
class Entry:
    """A kernel as the host calls it.

    Attributes:
        number: of the kernel in its source.
        host: its host name.
        function: an expression, its address.
        attributes: of its parameters, types of mpsops_binding.h, each after a comma.
        parameters: their names.
        waits: whether it may reach a barrier, a simdgroup function or threadgroup memory.
    """

    number: int
    host: str
    function: str
    attributes: str
    parameters: list[str]
    waits: bool

    @property
    def table(self) -> str:
        return f"::mpsops_msl::Parameters<decltype({self.function}){self.attributes}>"

    @property
    def labels(self) -> str:
        return ", ".join(f'"{name}"' for name in self.parameters)

    @property
    def binder(self) -> str:
        return f"::mpsops_msl::Binder<decltype({self.function}), {self.function}{self.attributes}>"


class Target(Protocol):
    def register(self, entry: Entry) -> str: ...

    def threadgroup_variable(self, name: str) -> str:
        """Makes `name` a reference to memory of the group, of the type mpsops_type_<name>."""
        ...


class _Cpu:
    def register(self, entry: Entry) -> str:
        number = entry.number
        return (
            f" static constexpr {entry.table} mpsops_parameters_{number}({entry.labels}); "
            f'__attribute__((used, section("mpsops_kernels"))) '
            f"static const ::mpsops_msl::KernelRow mpsops_row_{number} = "
            f'{{"{entry.host}", mpsops_parameters_{number}.rows, {len(entry.parameters)}, '
            f"{'true' if entry.waits else 'false'}, &{entry.binder}::call, &{entry.binder}::loop}}; "
        )

    def threadgroup_variable(self, name: str) -> str:
        return (
            f" static const char mpsops_tag_{name} = 0; mpsops_type_{name}& {name} = "
            f'::mpsops_msl::threadgroup_variable<mpsops_type_{name}>(&mpsops_tag_{name}, "{name}", {_HERE});'
        )


class _Ptx:
    def register(self, entry: Entry) -> str:
        if not re.fullmatch(r"[A-Za-z_]\w*", entry.host):
            raise ValueError(f"PTX has no kernel name {entry.host!r}")
        # Named in the assembler alone: in C++ the kernel's own function may have that name.
        function = f"void mpsops_entry_{entry.number}(const ::mpsops_msl::Launch launch)"
        return (
            f' __attribute__((nvptx_kernel)) {function} __asm__("{entry.host}"); '
            f"__attribute__((nvptx_kernel)) {function} {{ {entry.binder}::run(launch); }} "
        )

    def threadgroup_variable(self, name: str) -> str:
        return (
            f" static __attribute__((address_space(3), loader_uninitialized)) mpsops_type_{name} "
            f"mpsops_shared_{name}; mpsops_type_{name}& {name} = (mpsops_type_{name}&)mpsops_shared_{name};"
        )


CPU: Target = _Cpu()
PTX: Target = _Ptx()
