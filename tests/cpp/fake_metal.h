// Metal's compiler and command encoder, as fakes that print what they are asked.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <future>
#include <iostream>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "csrc/metal/compiler.h"
#include "csrc/metal/encoder.h"

namespace {

using mpsops::Grid;
using mpsops::metal::Compiled;
using mpsops::metal::Handle;
using mpsops::metal::Made;

// A library of the fake: kernels by name, with the error of those that are no pipeline here.
struct Library {
  std::map<std::string, std::optional<std::string>> kernels;
};

// Where two threads wait for each other, though not forever.
class Meeting {
 public:
  bool arrive() {
    std::unique_lock lock(mutex_);
    ++arrived_;
    changed_.notify_all();
    late_ |= !changed_.wait_for(lock, std::chrono::seconds(10), [&] { return arrived_ >= 2; });
    return !late_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int arrived_ = 0;
  bool late_ = false;
};

Meeting compiling;
std::promise<void> compilation_begun;
std::promise<void> fork_done;

// What the fake reads instead of Metal: a word and its operand on each line.
//   kernel, kernel_bfloat   a kernel; one that MPSOPS_NO_BFLOAT leaves out
//   gpu, gpu_bfloat, gpu_silent   one that the GPU refuses; refuses with bfloat; with no reason
//   undeclared, undeclared_bfloat   an error in the source; one that MPSOPS_NO_BFLOAT leaves out
//   service, service_bfloat, service_first   the compiler fails: always, with bfloat, once
//   slow, meet, fork   takes a while; two at a time or fails; until main() has forked
class FakeCompiler final : public mpsops::metal::Compiler {
 public:
  std::atomic<bool> device = true;
  std::atomic<bool> service = true;
  std::atomic<int> compilations = 0;
  std::atomic<int> pipelines = 0;
  std::atomic<bool> silent = false;

  bool has_device() override { return device; }

  Compiled compile(const std::string& source, bool bfloat) override {
    ++compilations;
    say(bfloat ? "compile, " : "compile without bfloat, ");
    return read(source, bfloat);
  }

  Handle load(std::span<const unsigned char> metallib) override {
    say("load, ");
    return read({metallib.begin(), metallib.end()}, true).library;
  }

  std::vector<std::string> kernel_names(Handle library) override {
    std::vector<std::string> names;
    for (const auto& [name, refusal] : static_cast<Library*>(library)->kernels) {
      names.push_back(name);
    }
    return names;
  }

  std::optional<Made> make_pipeline(Handle library, const std::string& name) override {
    ++pipelines;
    say("make, ");
    auto& kernels = static_cast<Library*>(library)->kernels;
    const auto found = kernels.find(name);
    if (found == kernels.end()) {
      return std::nullopt;
    }
    if (found->second) {
      return Made{nullptr, 0, 0, *found->second};
    }
    return Made{&found->second, 768, 96, ""};
  }

 private:
  void say(const char* text) const {
    if (!silent) {
      std::cout << text;
    }
  }

  Compiled read(const std::string& source, bool bfloat) {
    auto library = std::make_unique<Library>();
    std::istringstream lines(source);
    std::string file = "program_source";
    int number = 1;
    for (std::string line; std::getline(lines, line); ++number) {
      std::istringstream words(line);
      std::string word;
      std::string operand;
      words >> word >> operand;
      if (word == "#line") {
        number = std::stoi(operand) - 1;
        words >> file;
        file = file.substr(1, file.size() - 2);
      } else if (word == "kernel" || (word == "kernel_bfloat" && bfloat)) {
        library->kernels[operand];
      } else if (word == "gpu" || (word == "gpu_bfloat" && bfloat)) {
        library->kernels[operand] = bfloat ? "unsupported instruction" : "the same again";
      } else if (word == "gpu_bfloat") {
        library->kernels[operand];
      } else if (word == "gpu_silent") {
        library->kernels[operand] = "";
      } else if (word == "undeclared" || (word == "undeclared_bfloat" && bfloat)) {
        return {nullptr, file + ":" + std::to_string(number) + ":1: error: undeclared " + operand,
                true};
      } else if ((word == "service" && !service) || (word == "service_bfloat" && bfloat) ||
                 (word == "service_first" && first_.insert(operand).second)) {
        return {nullptr, operand, false};
      } else if (word == "slow") {
        std::this_thread::sleep_for(std::chrono::milliseconds(200));
      } else if (word == "meet" && !compiling.arrive()) {
        return {nullptr, "alone", true};
      } else if (word == "fork") {
        compilation_begun.set_value();
        fork_done.get_future().wait();
      }
    }
    return {library.release(), "", false};
  }

  std::set<std::string> first_;
};

FakeCompiler fake;

class FakeEncoder final : public mpsops::metal::Encoder {
 public:
  void set_pipeline(Handle state) override { std::cout << (state != nullptr ? "" : "null "); }
  void set_buffer(const void* buffer, uint64_t offset, uint32_t index) override {
    std::cout << "buffer " << index << ": ";
    if (buffer == nullptr) {
      std::cout << "none, ";
    } else {
      std::cout << buffer << " + " << offset << ", ";
    }
  }
  void set_bytes(const void* bytes, uint32_t size, uint32_t index) override {
    std::cout << "buffer " << index << ": " << size << " bytes, first "
              << int{static_cast<const unsigned char*>(bytes)[0]} << ", ";
  }
  void set_threadgroup_memory(uint32_t size, uint32_t index) override {
    std::cout << "threadgroup " << index << ": " << size << " bytes, ";
  }
  void dispatch(const Grid& grid) override {
    const bool threads = grid.unit == Grid::Unit::kThreads;
    std::cout << grid.count.x << (threads ? " threads; " : " threadgroups; ");
  }
};

}  // namespace

namespace mpsops::metal {

Compiler& compiler() {
  return fake;
}

void on_stream(c10::function_ref<void(Encoder&)> work) {
  FakeEncoder encoder;
  work(encoder);
}

}  // namespace mpsops::metal
