// The compiled kernels that this CPU can run.
#pragma once
#include <vector>

#include "kernels.hpp"

namespace meanface {

// Best first.
std::vector<const Kernels*> usable_kernels();

}  // namespace meanface
