// The compiled kernels that this CPU can run.
#pragma once
#include <vector>

#include "kernels.hpp"
#include "network/kernels.hpp"

namespace meanface {

// Best first.
std::vector<const Kernels*> usable_kernels();
std::vector<const NetworkKernels*> usable_network_kernels();

}  // namespace meanface
