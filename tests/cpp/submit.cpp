// What csrc/core does with dispatches before a runtime sees them. Stands in for the runtime: prints
// what encode() is given, or the text of the error. Built and run by tests/test_submit.py.
#include <iostream>

#include "csrc/core/kernel.cpp"
#include "csrc/core/submit.cpp"
#include "csrc/mps/device.cpp"

namespace mpsops {

void encode(const Dispatch* dispatches, size_t count) {
  std::cout << "encode " << count << ":";
  for (size_t i = 0; i < count; ++i) {
    const Size& size = dispatches[i].grid.count;
    std::cout << ' ' << size.x << 'x' << size.y << 'x' << size.z;
    for (const auto& argument : dispatches[i].arguments) {
      std::cout << (argument.kind == Argument::Kind::kNone ? " none" : "");
      if (argument.kind == Argument::Kind::kThreadgroupMemory) {
        std::cout << ' ' << argument.size << " bytes";
      }
    }
  }
}

void detail::count_dispatches(size_t count) {
  std::cout << "count " << count << ", ";
}

}  // namespace mpsops

namespace {

using mpsops::Grid;
using mpsops::ThreadgroupMemory;

class FakeKernel final : public mpsops::Kernel {
 public:
  const std::string& name() const override { return name_; }
  uint32_t max_total_threads_per_threadgroup() const override { return 1024; }
  uint32_t static_threadgroup_memory_length() const override { return 1024; }

 private:
  std::string name_ = "fake";
};

at::Tensor tensor_on(c10::DeviceType device, c10::DispatchKey key) {
  const c10::Device place(device, 0);
  c10::Storage storage(c10::Storage::use_byte_size_t(), 4, at::DataPtr(nullptr, place), nullptr,
                       false);
  return at::detail::make_tensor<c10::TensorImpl>(std::move(storage), c10::DispatchKeySet(key),
                                                  caffe2::TypeMeta::Make<float>());
}

template <class Function>
void row(const char* title, const Function& function) {
  std::cout << title << " | ";
  try {
    function();
  } catch (const c10::Error& error) {
    std::cout << error.what_without_backtrace();
  }
  std::cout << '\n';
}

Grid threads(uint32_t x, uint32_t y, uint32_t z, mpsops::Size group) {
  return {Grid::Unit::kThreads, {x, y, z}, group};
}

}  // namespace

int main() {
  const FakeKernel kernel;
  const auto mps = tensor_on(c10::kMPS, c10::DispatchKey::MPS);
  const auto cpu = tensor_on(c10::kCPU, c10::DispatchKey::CPU);
  const at::Tensor undefined;
  const auto one = mpsops::grid_for(kernel, 1);
  const auto run = [&](const Grid& grid, const auto&... args) {
    return [&, grid] { mpsops::launch(kernel, grid, args...); };
  };

  row("plain", run(one, mps, 1.0f, mps));
  row("optional", run(one, mps, undefined));
  row("cpu tensor", run(one, mps, 7, cpu));
  row("empty", run(mpsops::grid_for(kernel, 0), mps));
  row("empty axis", run(threads(5, 0, 1, {8, 1, 1}), mps));
  row("empty among others", [&] {
    mpsops::launch_all({mpsops::make_dispatch(kernel, one, mps),
                        mpsops::make_dispatch(kernel, mpsops::grid_for(kernel, 0), mps),
                        mpsops::make_dispatch(kernel, one, mps)});
  });
  row("two", [&] {
    mpsops::launch_all(
        {mpsops::make_dispatch(kernel, one, mps), mpsops::make_dispatch(kernel, one, mps)});
  });
  row("wide group", run(threads(1, 1, 1, {1025, 1, 1})));
  row("deep group", run(threads(1, 1, 1, {32, 32, 2})));
  row("overflowing group", run(threads(1, 1, 1, {65536, 65536, 65536})));
  row("empty group", run(threads(1, 1, 1, {32, 0, 1})));
  row("memory", run(one, ThreadgroupMemory{17}));
  row("most memory", run(one, ThreadgroupMemory{16384}, ThreadgroupMemory{15360}));
  row("too much memory", run(one, ThreadgroupMemory{16384}, ThreadgroupMemory{15361}));
  row("grid_for 2^31", run(mpsops::grid_for(kernel, int64_t{1} << 31)));
  row("grid_for 2^31 + 1", run(mpsops::grid_for(kernel, (int64_t{1} << 31) + 1)));
  row("grid_for -1", [&] { mpsops::grid_for(kernel, -1); });
  row("groups_for 2^23", run(mpsops::groups_for(int64_t{1} << 23, 256)));
  row("groups_for 2^23 + 1", run(mpsops::groups_for((int64_t{1} << 23) + 1, 256)));
  row("groups of 2^32 threads", run({Grid::Unit::kThreadgroups, {1u << 24, 1, 1}, {256, 1, 1}}));
  row("groups of more threads",
      run({Grid::Unit::kThreadgroups, {(1u << 24) + 1, 1, 1}, {256, 1, 1}}));
  row("31 buffers", [&] {
    auto dispatch = mpsops::make_dispatch(kernel, one);
    dispatch.arguments.append(31, mpsops::detail::make_argument(mps));
    mpsops::launch_all({dispatch});
  });
  row("32 buffers", [&] {
    auto dispatch = mpsops::make_dispatch(kernel, one);
    dispatch.arguments.append(32, mpsops::detail::make_argument(mps));
    mpsops::launch_all({dispatch});
  });
  row("name", [] {
    std::cout << mpsops::kernel_name("mode", {at::kHalf, at::kLong}) << ' '
              << mpsops::kernel_name("x", {at::kBFloat16}) << ' ';
    mpsops::kernel_name("x", {at::kDouble});
  });
}
