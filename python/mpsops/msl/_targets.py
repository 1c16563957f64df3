"""What the translator writes for a kernel and for threadgroup memory: C++ for the CPU, or for PTX."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Protocol

from ._tokens import TranslateError

_HERE = "::mpsops_msl::Site{__builtin_FILE(), __builtin_LINE(), __builtin_COLUMN()}"


@dataclass(frozen=True)
class Entry:
    """A kernel as the host calls it.

    Attributes:
        number: of the kernel in its source.
        host: its host name.
        function: an expression, its address.
        type: of that pointer.
        attributes: of its parameters, types of mpsops_binding.h, each after a comma.
        parameters: their names.
        identity: an expression, an address that no other kernel has, or nullptr.
        limits: an expression, the GroupLimits of its attributes.
        missing_constants: function constants that it needs and that have no value.
        place: `file:line` of it, for errors.
        waits: whether it may reach a barrier, a simdgroup function or threadgroup memory.
    """

    number: int
    host: str
    function: str
    type: str
    attributes: str
    parameters: list[str]
    identity: str
    limits: str
    missing_constants: str
    place: str
    waits: bool

    @property
    def table(self) -> str:
        return f"::mpsops_msl::Parameters<{self.type}{self.attributes}>"

    @property
    def labels(self) -> str:
        return ", ".join(f'"{name}"' for name in self.parameters)

    @property
    def binder(self) -> str:
        return f"::mpsops_msl::Binder<{self.type}, {self.function}{self.attributes}>"


class Target(Protocol):
    def register(self, entry: Entry) -> str: ...

    def threadgroup_variable(self, name: str, identity: str) -> str:
        """Makes `name` a reference to memory of the group, of the type mpsops_type_<name>.

        `identity` is that of the kernel, or empty in other functions.
        """
        ...


class _Cpu:
    def register(self, entry: Entry) -> str:
        number = entry.number
        missing = f'"{entry.missing_constants}"' if entry.missing_constants else "nullptr"
        # The other one is not even compiled.
        code = f"&{entry.binder}::entry, nullptr" if entry.waits else f"nullptr, &{entry.binder}::loop"
        return (
            f" static constexpr {entry.table} mpsops_parameters_{number}{{{entry.labels}}}; "
            f'__attribute__((used, section("mpsops_kernels"))) '
            f"static const ::mpsops_msl::KernelRow mpsops_row_{number} = "
            f'{{"{entry.host}", mpsops_parameters_{number}.rows, {len(entry.parameters)}, {entry.limits}, '
            f"{missing}, {entry.identity}, {'true' if entry.waits else 'false'}, {code}}}; "
        )

    def threadgroup_variable(self, name: str, identity: str) -> str:
        kind = f"mpsops_type_{name}"
        variable = (
            f" static const char mpsops_tag_{name} = 0; {kind}& {name} = "
            f'::mpsops_msl::threadgroup_variable<{kind}>(&mpsops_tag_{name}, "{name}", {_HERE});'
        )
        if not identity:
            return variable
        return (
            f'{variable} static __attribute__((used, section("mpsops_threadgroup"))) '
            f"const ::mpsops_msl::ThreadgroupVariable mpsops_variable_{name} = "
            f"{{{identity}, sizeof({kind}), alignof({kind})}};"
        )


class _Ptx:
    def register(self, entry: Entry) -> str:
        if not re.fullmatch(r"[A-Za-z_]\w*", entry.host):
            raise ValueError(f"PTX has no kernel name {entry.host!r}")
        if entry.missing_constants:
            needs = f"needs function constants: {entry.missing_constants}"
            raise TranslateError(f"{entry.place}: error: kernel '{entry.host}' {needs}")
        # Named in the assembler alone: in C++ the kernel's own function may have that name.
        number, count = entry.number, len(entry.parameters)
        passed = [f", const {entry.binder}::Passed<{i}> mpsops_passed_{i}" for i in range(count)]
        names = [f", mpsops_passed_{i}" for i in range(count)]
        function = f"void mpsops_entry_{number}(const ::mpsops_msl::Launch launch{''.join(passed)})"
        table = f"extern const {entry.binder}::Passings mpsops_passings_{number}"
        return (
            f' __attribute__((nvptx_kernel)) {function} __asm__("{entry.host}"); '
            f"__attribute__((nvptx_kernel)) {function} {{ {entry.binder}::run(launch{''.join(names)}); }} "
            f' {table} __asm__("{entry.host}_passings"); '
            f"__attribute__((used)) {table} = {entry.binder}::passings; "
        )

    def threadgroup_variable(self, name: str, identity: str) -> str:
        return (
            f" static __attribute__((address_space(3), loader_uninitialized)) mpsops_type_{name} "
            f"mpsops_shared_{name}; mpsops_type_{name}& {name} = (mpsops_type_{name}&)mpsops_shared_{name};"
        )


CPU: Target = _Cpu()
PTX: Target = _Ptx()
