// An image may hold no program of ours, and nothing of the host's is to be seen in a container: so process 1 is an ELF file that is put together from one
// section of this very program, which uses no library, no data and no address but its own. It forwards the signals that it gets to its child, reaps whatever
// is left to it, and ends as its child has ended.
#define _GNU_SOURCE
#include "init.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U
#endif

// Where the program is loaded: a page of any size that there is begins there.
#define BASE 0x400000ul
// In the bytes of the header that mean nothing.
#define CHILD_OFFSET 12
// The code, behind the header and its two segments.
#define CODE_OFFSET 192
#define MAXIMUM_CODE 8192

// ---- The program

#define IN_PROGRAM __attribute__((section("berth_init"), used, noinline, no_stack_protector))

static inline __attribute__((always_inline)) long system_call(long number, long a, long b, long c, long d) {
#if defined(__x86_64__)
    register long r10 __asm__("r10") = d;
    long result;
    __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10) : "rcx", "r11", "memory");
    return result;
#elif defined(__aarch64__)
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    __asm__ volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3) : "memory");
    return x0;
#else
#error "no system calls for this processor"
#endif
}

IN_PROGRAM static void run_init(void) {
    int child = *(const volatile int *)(BASE + CHILD_OFFSET);
    // "docker-init": the name that whoever looks for it knows. A text would lie outside the section.
    volatile uint64_t name[2];
    name[0] = 0x692d72656b636f64;
    name[1] = 0x74696e;
    system_call(SYS_prctl, PR_SET_NAME, (long)name, 0, 0);
    // Whoever made this process has blocked them already: none was lost.
    volatile uint64_t all = ~0ul;
    system_call(SYS_rt_sigprocmask, SIG_SETMASK, (long)&all, 0, sizeof all);
    for (;;) {
        volatile int status = 0;
        long ended;
        int is_over = 0, code = 0;
        while ((ended = system_call(SYS_wait4, -1, (long)&status, 1 /* WNOHANG */, 0)) > 0) {
            if (ended != child) continue;
            is_over = 1;
            code = status & 0x7f ? 128 + (status & 0x7f) : status >> 8 & 0xff;
        }
        if (is_over) system_call(SYS_exit_group, code, 0, 0, 0);
        long signal = system_call(SYS_rt_sigtimedwait, (long)&all, 0, 0, sizeof all);
        if (signal > 0 && signal != SIGCHLD) system_call(SYS_kill, child, signal, 0, 0);
    }
}

__attribute__((section("berth_init"), used, naked)) static void enter_init(void) {
#if defined(__x86_64__)
    __asm__("xorl %%ebp, %%ebp\n\tandq $-16, %%rsp\n\tcall %P0\n\thlt" : : "i"(run_init));
#else
    __asm__("mov x29, #0\n\tmov x30, #0\n\tb %0" : : "S"(run_init));
#endif
}

extern const char __start_berth_init[], __stop_berth_init[];

// ---- The file

static int close_keeping_errno(int descriptor, int result) {
    int saved = errno;
    close(descriptor);
    errno = saved;
    return result;
}

int berth_init_open(void) {
    static union {
        struct {
            Elf64_Ehdr header;
            Elf64_Phdr segments[2];
        } head;
        char bytes[CODE_OFFSET + MAXIMUM_CODE];
    } image;
    size_t size = (size_t)(__stop_berth_init - __start_berth_init);
    if (size > MAXIMUM_CODE) {
        errno = E2BIG;
        return -1;
    }
    memset(&image, 0, sizeof image);
    Elf64_Ehdr *header = &image.head.header;
    memcpy(header->e_ident, ELFMAG, SELFMAG);
    header->e_ident[EI_CLASS] = ELFCLASS64;
    header->e_ident[EI_DATA] = ELFDATA2LSB;
    header->e_ident[EI_VERSION] = EV_CURRENT;
    header->e_type = ET_EXEC;
#if defined(__x86_64__)
    header->e_machine = EM_X86_64;
#else
    header->e_machine = EM_AARCH64;
#endif
    header->e_version = EV_CURRENT;
    header->e_entry = BASE + CODE_OFFSET + (size_t)((const char *)enter_init - __start_berth_init);
    header->e_phoff = sizeof(Elf64_Ehdr);
    header->e_ehsize = sizeof(Elf64_Ehdr);
    header->e_phentsize = sizeof(Elf64_Phdr);
    header->e_phnum = 2;
    Elf64_Phdr *code = &image.head.segments[0];
    code->p_type = PT_LOAD;
    code->p_flags = PF_R | PF_X;
    code->p_vaddr = code->p_paddr = BASE;
    code->p_filesz = code->p_memsz = CODE_OFFSET + size;
    code->p_align = 0x10000;
    image.head.segments[1].p_type = PT_GNU_STACK;
    image.head.segments[1].p_flags = PF_R | PF_W;
    memcpy(image.bytes + CODE_OFFSET, __start_berth_init, size);

    int file = (int)syscall(SYS_memfd_create, "docker-init", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);
    // Kernels before 6.3 do not know the flag, and let every such file be executed.
    if (file < 0 && errno == EINVAL) file = (int)syscall(SYS_memfd_create, "docker-init", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (file < 0) return -1;
    ssize_t written = write(file, image.bytes, CODE_OFFSET + size);
    if (written < 0) return close_keeping_errno(file, -1);
    if ((size_t)written != CODE_OFFSET + size) {
        errno = EIO;
        return close_keeping_errno(file, -1);
    }
    return file;
}

int berth_init_seal(int program, int child) {
    if (pwrite(program, &child, sizeof child, CHILD_OFFSET) != sizeof child) return -1;
    return fcntl(program, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
}
