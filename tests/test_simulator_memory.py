"""Device memory: opaque addresses, guard bytes, the allocator's numbers and its limit."""

import ctypes
import gc

import pytest
import torch
from simulator_process import output, run

import mpsops.simulator


def test_device_address_cannot_be_read_by_the_host() -> None:
    result = run("""
        import ctypes
        install()
        x = torch.ones(4, device="mps")
        ctypes.c_float.from_address(x.data_ptr()).value
    """)
    assert result.returncode == -11  # SIGSEGV


def test_host_address_is_where_the_data_is() -> None:
    x = torch.arange(8.0, device="mps")
    assert ctypes.c_float.from_address(mpsops.simulator.host_address(x[3:])).value == 3.0


def test_write_behind_an_allocation_is_found() -> None:
    lines = output("""
        import ctypes
        install()
        x = torch.ones(4, device="mps")
        mpsops.simulator.check_memory(x)
        ctypes.c_float.from_address(mpsops.simulator.host_address(x) + 16).value = 1.0
        try:
            mpsops.simulator.check_memory(x)
        except RuntimeError as error:
            print(str(error).splitlines()[0])
        del x
        try:
            torch.mps.synchronize()
        except RuntimeError as error:
            print(str(error).splitlines()[0])
        torch.mps.synchronize()
    """).splitlines()
    text = "mpsops.simulator: out-of-bounds write: byte 0 behind an allocation of 16 bytes was overwritten"
    assert lines == [text, text]


def test_numbers_follow_allocations() -> None:
    gc.collect()
    torch.mps.empty_cache()
    before = torch.mps.current_allocated_memory()
    x = torch.empty(1 << 20, device="mps")
    assert torch.mps.current_allocated_memory() - before >= 4 << 20
    assert torch.mps.driver_allocated_memory() >= torch.mps.current_allocated_memory()
    del x
    assert torch.mps.current_allocated_memory() == before
    assert torch.mps.recommended_max_memory() > 1 << 28


def test_empty_cache_gives_blocks_back() -> None:
    blocks = [torch.ones(1000, device="mps") for _ in range(100)]
    del blocks
    torch.mps.empty_cache()
    assert torch.mps.driver_allocated_memory() == torch.mps.current_allocated_memory()
    assert torch.equal(torch.ones(1000, device="mps").cpu(), torch.ones(1000))


def test_accelerator_statistics() -> None:
    x = torch.empty(1 << 20, device="mps")
    torch.accelerator.reset_peak_memory_stats()
    y = torch.empty(1 << 20, device="mps")
    del y
    peak = torch.accelerator.max_memory_allocated()
    assert peak - torch.accelerator.memory_allocated() >= 4 << 20
    assert torch.accelerator.memory_reserved() >= torch.accelerator.memory_allocated()
    torch.accelerator.empty_cache()
    assert x.numel() == 1 << 20


def test_out_of_memory() -> None:
    torch.mps.set_per_process_memory_fraction(0.05)
    try:
        too_much = torch.mps.recommended_max_memory() // 10
        with pytest.raises(torch.OutOfMemoryError, match=r"^MPS backend out of memory \(MPS allocated: "):
            torch.empty(too_much, dtype=torch.uint8, device="mps")
    finally:
        torch.mps.set_per_process_memory_fraction(1.7)


def test_more_than_a_buffer_can_hold() -> None:
    with pytest.raises(RuntimeError, match="Invalid buffer size: "):
        torch.empty(1 << 50, dtype=torch.uint8, device="mps")


def test_host_alias_of_a_storage() -> None:
    x = torch.zeros(4, device="mps")
    alias = torch.mps._host_alias_storage(x.untyped_storage())
    host = torch.empty(0).set_(alias, 0, (4,))
    host.fill_(3)
    torch.mps.synchronize()
    assert x.tolist() == [3.0] * 4
    with pytest.raises(RuntimeError, match="must be allocated by the MPS allocator"):
        torch.mps._host_alias_storage(torch.zeros(1).untyped_storage())


def test_empty_tensors_have_no_memory() -> None:
    x = torch.empty(0, 3, device="mps")
    assert (x + 1).shape == (0, 3)
    assert x.cpu().shape == (0, 3)
    assert x.resize_(2, 3).fill_(1).sum().item() == 6
