#include "dispatch.hpp"

#if defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#endif

namespace meanface {

#if defined(__aarch64__)

namespace {

// Apple's processors all have the dot products; the oldest of others do not.
bool has_dot_products() {
#if defined(__linux__)
  return getauxval(AT_HWCAP) & HWCAP_ASIMDDP;
#else
  return true;
#endif
}

}  // namespace

std::vector<const Kernels*> usable_kernels() {
  if (has_dot_products()) return {&DOTPROD_KERNELS, &NEON_KERNELS};
  return {&NEON_KERNELS};
}

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
