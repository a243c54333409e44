#include "dispatch.hpp"

namespace meanface {

// The compiler's check of CPUID, which includes the operating system's support of wide registers. It
// covers every flag that CMakeLists.txt sets for a kernel set.
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
