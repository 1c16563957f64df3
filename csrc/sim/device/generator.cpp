// torch's MPS generator, with the state that torch keeps on a Mac, so that op code can include
// ATen/mps/MPSGeneratorImpl.h on both platforms.
#include <ATen/Utils.h>
#include <ATen/mps/MPSGeneratorImpl.h>

#include <cstring>

namespace at {

namespace {

constexpr size_t kStateBytes = mps::detail::PHILOX_STATE_N * sizeof(uint32_t);
constexpr size_t kAllBytes = kStateBytes + 2 * sizeof(uint64_t);  // then seed, then offset

}  // namespace

namespace mps::detail {

const Generator& getDefaultMPSGenerator() {
  static const auto* generator =
      new Generator(createMPSGenerator(c10::detail::getNonDeterministicRandom()));
  return *generator;
}

Generator createMPSGenerator(uint64_t seed_val) {
  auto generator = make_generator<MPSGeneratorImpl>(seed_val);
  generator.set_current_seed(seed_val);
  return generator;
}

}  // namespace mps::detail

MPSGeneratorImpl::MPSGeneratorImpl(uint64_t seed_in)
    : c10::GeneratorImpl{Device(DeviceType::MPS, 0), DispatchKeySet(c10::DispatchKey::MPS)},
      engine_(seed_in, 0, 0) {
  data_.seed = seed_in;
}

void MPSGeneratorImpl::set_current_seed(uint64_t seed) {
  data_.seed = seed;
  data_.state.fill(1);
  // The last two words of the state are Philox's key.
  data_.state[5] = static_cast<uint32_t>(seed);
  data_.state[6] = static_cast<uint32_t>(seed >> 32);
  engine_.reset_state(seed);
}

void MPSGeneratorImpl::set_offset(uint64_t offset) {
  engine_.set_offset(offset);
}
uint64_t MPSGeneratorImpl::get_offset() const {
  return engine_.get_offset();
}
uint64_t MPSGeneratorImpl::current_seed() const {
  return data_.seed;
}

uint64_t MPSGeneratorImpl::seed() {
  const uint64_t random = c10::detail::getNonDeterministicRandom();
  set_current_seed(random);
  return random;
}

void MPSGeneratorImpl::update_philox_counters() {
  for (size_t word = 1; word <= 4; ++word) {
    data_.state[word] = engine_();
  }
}

c10::intrusive_ptr<c10::TensorImpl> MPSGeneratorImpl::get_state() const {
  const Tensor state = at::detail::empty_cpu({static_cast<int64_t>(kAllBytes)}, ScalarType::Byte);
  auto* bytes = state.mutable_data_ptr<uint8_t>();
  const uint64_t seed = current_seed();
  const uint64_t offset = get_offset();
  std::memcpy(bytes, data_.state.data(), kStateBytes);
  std::memcpy(bytes + kStateBytes, &seed, sizeof(seed));
  std::memcpy(bytes + kStateBytes + sizeof(seed), &offset, sizeof(offset));
  return state.getIntrusivePtr();
}

void MPSGeneratorImpl::set_state(const c10::TensorImpl& new_state) {
  detail::check_rng_state(new_state);
  TORCH_CHECK(static_cast<size_t>(new_state.numel()) == kAllBytes, "RNG state is wrong size");
  const auto* bytes = new_state.data_dtype_initialized<uint8_t>();
  uint64_t seed = 0;
  uint64_t offset = 0;
  std::memcpy(&seed, bytes + kStateBytes, sizeof(seed));
  std::memcpy(&offset, bytes + kStateBytes + sizeof(seed), sizeof(offset));
  set_current_seed(seed);
  set_offset(offset);
  std::memcpy(state_data(), bytes, kStateBytes);
}

std::shared_ptr<MPSGeneratorImpl> MPSGeneratorImpl::clone() const {
  return std::shared_ptr<MPSGeneratorImpl>(clone_impl());
}

MPSGeneratorImpl* MPSGeneratorImpl::clone_impl() const {
  auto* copy = new MPSGeneratorImpl();
  copy->set_current_seed(data_.seed);
  return copy;
}

}  // namespace at
