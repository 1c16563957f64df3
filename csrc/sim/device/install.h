// The pieces of the simulated device, in the order in which install() puts them into torch.
#pragma once

namespace torch {
class Library;
}

namespace mpsops::sim {

void install_guard();
void install_host_allocator();
void install_hooks();  // throws if torch already looked for them
void register_factories(torch::Library& aten);
void register_copies(torch::Library& aten);
void register_composed(torch::Library& aten);
void register_sparse(torch::Library& sparse);
void register_choices(torch::Library& aten, torch::Library& autograd);
void register_stand_ins(torch::Library& aten, torch::Library& sparse);  // last: fills the gaps
void register_fallback();

// Everything. A second call does nothing.
void install();

}  // namespace mpsops::sim
