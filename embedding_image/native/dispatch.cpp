#include "dispatch.hpp"

namespace meanface {

// The compiler's own check of CPUID, which also asks whether the operating system keeps the wide registers. Every flag
// that CMakeLists.txt gives to a kernel set is asked for here.
std::vector<const Kernels*> usable_kernels() {
  std::vector<const Kernels*> usable;
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return usable;
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vnni"))
    usable.push_back(&AVX512_KERNELS);
  usable.push_back(&AVX2_KERNELS);
  return usable;
}

}  // namespace meanface
