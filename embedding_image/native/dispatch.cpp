#include "dispatch.hpp"

namespace meanface {

#if defined(__aarch64__)

std::vector<const Kernels*> usable_kernels() { return {}; }

std::vector<const NetworkKernels*> usable_network_kernels() { return {&NEON_NETWORK}; }

#else

namespace {

// The compiler's check of CPUID, which includes the operating system's support of wide registers. It
// covers every flag that CMakeLists.txt sets for a kernel set.
bool has_avx2() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }

bool has_avx512() {
  return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
         __builtin_cpu_supports("avx512vnni");
}

template <class Table>
std::vector<const Table*> usable(const Table& avx512, const Table& avx2) {
  std::vector<const Table*> tables;
  if (has_avx512()) tables.push_back(&avx512);
  if (has_avx2()) tables.push_back(&avx2);
  return tables;
}

}  // namespace

std::vector<const Kernels*> usable_kernels() { return usable(AVX512_KERNELS, AVX2_KERNELS); }

std::vector<const NetworkKernels*> usable_network_kernels() { return usable(AVX512_NETWORK, AVX2_NETWORK); }

#endif

}  // namespace meanface
