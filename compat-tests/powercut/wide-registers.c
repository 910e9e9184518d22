/*
 * Loaded into `linux.uml` (LD_PRELOAD), for processors with AMX.
 *
 * The kernel of the guest keeps 2,696 bytes of vector registers of each of its processes, which is all there was before AMX, and
 * writes them back with PTRACE_SETREGSET. The host takes nothing but the whole state of its processor (11,008 bytes with AMX), says
 * EFAULT, and the guest kills its first program. So what is missing is put in as the host has it. That is right as long as no program
 * of the guest uses these registers: they keep what all had at their start, nothing. Programs ask the kernel before they use AMX
 * (arch_prctl), and the kernel of the guest does not know the question.
 */
#define _GNU_SOURCE
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define NT_X86_XSTATE 0x202

/* The kernel of the guest is one thread as far as this is concerned. */
static char whole[64 * 1024];

static long set_registers(pid_t pid, void *kind, struct iovec *given) {
  struct iovec all = {whole, sizeof whole};
  if (syscall(SYS_ptrace, PTRACE_GETREGSET, pid, kind, &all) < 0) return -1;
  if (given->iov_len >= all.iov_len) return syscall(SYS_ptrace, PTRACE_SETREGSET, pid, kind, given);
  memcpy(whole, given->iov_base, given->iov_len);
  return syscall(SYS_ptrace, PTRACE_SETREGSET, pid, kind, &all);
}

long ptrace(enum __ptrace_request request, ...) {
  va_list rest;
  va_start(rest, request);
  pid_t pid = va_arg(rest, pid_t);
  void *address = va_arg(rest, void *);
  void *data = va_arg(rest, void *);
  va_end(rest);
  if (request == PTRACE_PEEKTEXT || request == PTRACE_PEEKDATA || request == PTRACE_PEEKUSER) {
    /* The library returns the word, the system call stores it. */
    long word;
    return syscall(SYS_ptrace, request, pid, address, &word) < 0 ? -1 : word;
  }
  if (request == PTRACE_SETREGSET && address == (void *)NT_X86_XSTATE) return set_registers(pid, address, data);
  return syscall(SYS_ptrace, request, pid, address, data);
}
