// csrc/metal without Metal, on the fakes of fake_metal.h. Built and run by
// tests/test_metal_family.py.
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "csrc/metal/encode.cpp"
#include "csrc/metal/family.cpp"
#include "csrc/metal/fork.cpp"
#include "tests/cpp/fake_metal.h"

namespace {

using mpsops::Embedded;
using mpsops::EmbeddedInit;

// An embedded family of one piece of source, or more, and perhaps a metallib.
struct Source {
  std::vector<std::string_view> pieces;
  std::string_view metallib;
  Embedded embedded;
  EmbeddedInit init;

  Source(std::string_view name, std::vector<std::string_view> text, std::string_view binary = "")
      : pieces(std::move(text)),
        metallib(binary),
        embedded{name,
                 pieces,
                 {reinterpret_cast<const unsigned char*>(metallib.data()), metallib.size()}},
        init(embedded) {}
};

const Source sources[] = {
    {"plain", {"kernel k_float32\nkernel k_float16\nkernel_bfloat k_bfloat16\n"}},
    {"broken", {"kernel k\n#line 7 \"metal/common/in", "dex.h\"\n\nunde", "clared x\n"}},
    {"unbearable", {"service overloaded\nkernel_bfloat k_bfloat16\n"}},
    {"speechless", {"service\nkernel k\n"}},
    {"stumbling", {"service_first stumble\nkernel_bfloat k_bfloat16\n"}},
    {"crashing", {"service_bfloat crash\nkernel k_float32\nkernel_bfloat k_bfloat16\n"}},
    {"crashing_broken", {"service_bfloat crash\nundeclared y\n"}},
    {"no_bfloat", {"undeclared_bfloat bfloat\nkernel k_float32\nkernel_bfloat k_bfloat16\n"}},
    {"gpu",
     {"gpu k\ngpu_silent silent\ngpu_bfloat mixed\ngpu_bfloat other\nkernel fine\n"
      "gpu k_bfloat16\n"}},
    {"metallib", {"kernel from_source\n"}, "kernel k\nkernel other\n"},
    {"refused", {"kernel k\nkernel other\n"}, "undeclared here\n"},
    {"stale", {"kernel k\n"}, "gpu k\n"},
    {"homeless", {"kernel k\n"}},
    {"listed", {"kernel b\nkernel a\n"}},
    {"unlisted", {"undeclared z\n"}},
    {"shared", {"slow\nkernel k\n"}},
    {"meeting_a", {"meet\nkernel k\n"}},
    {"meeting_b", {"meet\nkernel k\n"}},
    {"forking", {"fork\nkernel k\n"}},
};

template <class Function>
void row(const char* title, const Function& function) {
  std::cout << title << " | ";
  try {
    function();
  } catch (const c10::Error& error) {
    std::string text = error.what_without_backtrace();
    std::replace(text.begin(), text.end(), '\n', '~');
    std::cout << text;
  }
  std::cout << std::endl;
}

// The row of a child of this process, which ends after it; a child that hangs leaves none.
template <class Function>
void child_row(const char* title, const Function& function) {
  std::cout << std::flush;
  const pid_t child = fork();
  if (child == 0) {
    alarm(10);
    row(title, function);
    _exit(0);
  }
  waitpid(child, nullptr, 0);
}

const mpsops::metal::Pipeline& get(const char* family, const char* name) {
  return static_cast<const mpsops::metal::Pipeline&>(mpsops::get_kernel(family, name));
}

auto use(const char* family, const char* name) {
  return [=] {
    const auto& kernel = get(family, name);
    std::cout << kernel.name() << " of " << kernel.max_total_threads_per_threadgroup()
              << " threads, " << kernel.static_threadgroup_memory_length() << " bytes"
              << (kernel.bfloat() ? "" : ", no bfloat");
  };
}

at::Tensor tensor(at::ScalarType dtype, int64_t size, int64_t offset) {
  const c10::Device mps(c10::kMPS, 0);
  c10::Storage storage(c10::Storage::use_byte_size_t(), 64,
                       at::DataPtr(reinterpret_cast<void*>(0xb0f), mps), nullptr, false);
  auto tensor = at::detail::make_tensor<c10::TensorImpl>(std::move(storage),
                                                         c10::DispatchKeySet(c10::DispatchKey::MPS),
                                                         c10::scalarTypeToTypeMeta(dtype));
  tensor.unsafeGetTensorImpl()->set_sizes_contiguous({size});
  tensor.unsafeGetTensorImpl()->set_storage_offset(offset);
  return tensor;
}

template <class... Args>
auto encode(const char* family, const char* name, const Args&... args) {
  return [=] {
    const Grid grid{Grid::Unit::kThreads, {5, 1, 1}, {32, 1, 1}};
    const auto dispatch = mpsops::make_dispatch(get(family, name), grid, args...);
    mpsops::encode(&dispatch, 1);
  };
}

void rows_of_first_use() {
  row("first use", use("plain", "k_float32"));
  row("second use", [] {
    std::cout << (&get("plain", "k_float32") == &get("plain", "k_float32") ? "same" : "another");
  });
  row("another kernel", use("plain", "k_bfloat16"));
  row("no such kernel", use("plain", "k_int8"));
  row("no such bfloat16 kernel", use("plain", "j_bfloat16"));
  row("no such family", use("nonsense", "k"));
  row("broken source", use("broken", "k"));
  row("broken source again", use("broken", "k"));
  row("kernel names", [] {
    for (const auto& name : mpsops::metal::Family::find("listed").kernel_names()) {
      std::cout << name << ' ';
    }
  });
  row("kernel names of broken source",
      [] { mpsops::metal::Family::find("unlisted").kernel_names(); });
  fake.device = false;
  row("no device", use("homeless", "k"));
  fake.device = true;
  row("a device later", use("homeless", "k"));
}

void rows_of_the_service() {
  fake.service = false;
  row("service down", use("unbearable", "k_bfloat16"));
  row("service down, no reason", use("speechless", "k"));
  fake.service = true;
  row("service up again", use("unbearable", "k_bfloat16"));
  row("service fails once", use("stumbling", "k_bfloat16"));
  row("compiler crashes on bfloat", use("crashing", "k_float32"));
  row("compiler crashes on bfloat: bfloat16 kernel", use("crashing", "k_bfloat16"));
  row("compiler crashes on bfloat, broken source", use("crashing_broken", "k"));
}

void rows_without_bfloat() {
  row("without bfloat", use("no_bfloat", "k_float32"));
  row("without bfloat: bfloat16 kernel", use("no_bfloat", "k_bfloat16"));
  row("without bfloat: no such kernel", use("no_bfloat", "j"));
  row("without bfloat: float32 tensor", encode("no_bfloat", "k_float32", tensor(at::kFloat, 4, 0)));
  row("without bfloat: bfloat16 tensor",
      encode("no_bfloat", "k_float32", 7, tensor(at::kBFloat16, 4, 0)));
  row("with bfloat: bfloat16 tensor", encode("plain", "k_float32", tensor(at::kBFloat16, 4, 0)));
}

void rows_of_the_gpu() {
  row("GPU refuses", use("gpu", "k"));
  row("GPU refuses again", use("gpu", "k"));
  row("GPU refuses, no reason", use("gpu", "silent"));
  row("GPU refuses bfloat16 kernel", use("gpu", "k_bfloat16"));
  row("GPU refuses bfloat", use("gpu", "mixed"));
  row("GPU refuses bfloat: bfloat16 tensor", encode("gpu", "other", tensor(at::kBFloat16, 4, 0)));
  row("GPU takes another", use("gpu", "fine"));
  row("GPU refuses bfloat: no such bfloat16 kernel", use("gpu", "j_bfloat16"));
  row("metallib", use("metallib", "k"));
  row("metallib, another kernel", use("metallib", "other"));
  row("metallib refused", use("refused", "k"));
  row("metallib refused, another kernel", use("refused", "other"));
  row("metallib not for this GPU", use("stale", "k"));
}

void rows_of_threads() {
  fake.silent = true;
  row("one family, 8 threads", [] {
    fake.compilations = 0;
    fake.pipelines = 0;
    std::vector<std::future<const void*>> threads;
    for (int i = 0; i < 8; ++i) {
      threads.push_back(std::async(std::launch::async,
                                   [] { return static_cast<const void*>(&get("shared", "k")); }));
    }
    std::set<const void*> kernels;
    for (auto& thread : threads) {
      kernels.insert(thread.get());
    }
    std::cout << fake.compilations << " compilation, " << fake.pipelines << " pipeline, "
              << kernels.size() << " kernel";
  });
  row("two families, 2 threads", [] {
    auto other = std::async(std::launch::async, [] { get("meeting_b", "k"); });
    get("meeting_a", "k");
    other.get();
    std::cout << "compiled at the same time";
  });
  fake.silent = false;
}

void rows_of_arguments() {
  struct Large {
    std::array<unsigned char, 100> bytes;
  };
  const at::Tensor undefined;
  row("arguments",
      encode("plain", "k_float32", tensor(at::kFloat, 4, 3), 7, mpsops::ThreadgroupMemory{20},
             undefined, Large{{9}}, mpsops::ThreadgroupMemory{64}, tensor(at::kHalf, 2, 1)));
  row("empty view at the end", encode("plain", "k_float32", tensor(at::kFloat, 0, 16)));
  row("two dispatches", [] {
    const Grid grid{Grid::Unit::kThreadgroups, {3, 1, 1}, {32, 1, 1}};
    const mpsops::Dispatch dispatches[] = {
        mpsops::make_dispatch(get("plain", "k_float32"), grid, 1),
        mpsops::make_dispatch(get("plain", "k_bfloat16"), grid, 2)};
    mpsops::encode(dispatches, 2);
  });
  row("bfloat16 tensor in the second dispatch", [] {
    const Grid grid{Grid::Unit::kThreads, {3, 1, 1}, {32, 1, 1}};
    const auto bfloat = tensor(at::kBFloat16, 4, 0);
    const mpsops::Dispatch dispatches[] = {
        mpsops::make_dispatch(get("no_bfloat", "k_float32"), grid, 1),
        mpsops::make_dispatch(get("no_bfloat", "k_float32"), grid, bfloat)};
    mpsops::encode(dispatches, 2);
  });
}

void rows_of_forks() {
  child_row("forked: kernel", use("plain", "k_float16"));
  child_row("forked: cached kernel", use("plain", "k_float32"));
  child_row("forked: kernel names", [] { mpsops::metal::Family::find("listed").kernel_names(); });
  const auto& kernel = get("plain", "k_float32");
  child_row("forked: encode", [&] {
    const auto dispatch = mpsops::make_dispatch(kernel, {Grid::Unit::kThreads, {1}, {1}});
    mpsops::encode(&dispatch, 1);
  });
  fake.silent = true;
  auto compilation = std::async(std::launch::async, [] { get("forking", "k"); });
  compilation_begun.get_future().wait();  // the lock of the family is held now
  child_row("forked during compilation", use("forking", "k"));
  fork_done.set_value();
  compilation.get();
  fake.silent = false;
  row("parent after forks", use("plain", "k_float16"));
}

}  // namespace

int main() {
  child_row("forked before use", use("plain", "k_float32"));
  rows_of_first_use();
  rows_of_the_service();
  rows_without_bfloat();
  rows_of_the_gpu();
  rows_of_threads();
  rows_of_arguments();
  rows_of_forks();
}
