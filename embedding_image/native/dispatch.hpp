// Which of the compiled kernels this CPU can run.
#pragma once
#include <vector>

#include "kernels.hpp"

namespace meanface {

// The best first.
std::vector<const Kernels*> usable_kernels();

}  // namespace meanface
