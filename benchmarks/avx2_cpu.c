/* A CPU without AVX-512 for one process: preloaded, it answers CPUID for it.
 *
 * Linux can let CPUID fault (arch_prctl, ARCH_SET_CPUID), on most CPUs of Intel since 2012 and of AMD
 * since Zen 5. The handler executes the instruction and takes away what came after AVX2 and FMA: the
 * bits of AVX-512, AMX and AVX-VNNI. So every library that looks for them uses its code for AVX2.
 */
#define _GNU_SOURCE
#include <cpuid.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

enum { ARCH_SET_CPUID_ = 0x1012, FEATURES = 7 };

static const unsigned EBX = 1u << 16 | 1u << 17 | 1u << 21 | 1u << 26 | 1u << 27 | 1u << 28 | 1u << 30 | 1u << 31;
static const unsigned ECX = 1u << 1 | 1u << 6 | 1u << 11 | 1u << 12 | 1u << 14;
static const unsigned EDX = 1u << 2 | 1u << 3 | 1u << 8 | 1u << 22 | 1u << 23 | 1u << 24 | 1u << 25;

static long allow_cpuid(int allowed) { return syscall(SYS_arch_prctl, ARCH_SET_CPUID_, allowed); }

static void answer(int number, siginfo_t* info, void* context) {
  (void)info;
  greg_t* registers = ((ucontext_t*)context)->uc_mcontext.gregs;
  const unsigned char* code = (const unsigned char*)registers[REG_RIP];
  if (code[0] != 0x0f || code[1] != 0xa2) { /* another fault: it happens again, and ends the process */
    signal(number, SIG_DFL);
    return;
  }
  const unsigned leaf = (unsigned)registers[REG_RAX], part = (unsigned)registers[REG_RCX];
  unsigned a, b, c, d;
  allow_cpuid(1);
  __cpuid_count(leaf, part, a, b, c, d);
  allow_cpuid(0);
  if (leaf == FEATURES && part == 0) {
    a = 0; /* no further parts: AVX-VNNI and the like */
    b &= ~EBX, c &= ~ECX, d &= ~EDX;
  } else if (leaf == FEATURES) {
    a = b = c = d = 0;
  }
  registers[REG_RAX] = a, registers[REG_RBX] = b, registers[REG_RCX] = c, registers[REG_RDX] = d;
  registers[REG_RIP] += 2;
}

__attribute__((constructor)) static void confine(void) {
  struct sigaction action = {.sa_sigaction = answer, .sa_flags = SA_SIGINFO};
  if (sigaction(SIGSEGV, &action, NULL) || allow_cpuid(0)) {
    perror("this CPU, or its hypervisor, does not let CPUID fault");
    _exit(EXIT_FAILURE);
  }
}
