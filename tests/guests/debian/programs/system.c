// SPDX-License-Identifier: MIT
// Processes, signals with their machine contexts, threads, mappings, self-modifying code, non-local
// jumps.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <fenv.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

static sigjmp_buf jump;
static volatile int seen_code;
static volatile unsigned seen_trap;
static volatile uintptr_t seen_address;

static void handler(int number, siginfo_t *info, void *context)
{
    (void)number;
    seen_code = info->si_code;
    seen_address = (uintptr_t)info->si_addr;
    seen_trap = (unsigned)((ucontext_t *)context)->uc_mcontext.gregs[REG_TRAPNO];
    siglongjmp(jump, 1);
}

static void fault(const char *name, void (*cause)(void))
{
    if (!sigsetjmp(jump, 1)) {
        cause();
        printf("%s: nothing happened\n", name);
    } else {
        printf("%s: code %d trap %u\n", name, seen_code, seen_trap);
    }
}

static volatile int zero;
static volatile int *volatile low = (volatile int *)16;
// clang-format off
static void by_zero(void) { zero = 5 / zero; }
static void null_read(void) { zero = *low; }
static void null_write(void) { low[1000] = 1; }
static void text_write(void) { *(volatile char *)(uintptr_t)by_zero = 1; }
static void invalid(void) { __asm__ volatile("ud2"); }
static void privileged(void) { __asm__ volatile("cli"); }
static void halt(void) { __asm__ volatile("hlt"); }
static void port(void) { __asm__ volatile("inb $0x80, %%al" : : : "eax"); }
static void breakpoint(void) { __asm__ volatile("int3"); }
static void segment(void) { __asm__ volatile("movw %0, %%es" : : "r"((short)0x1234)); }
// clang-format on
static void x87_zero(void)
{
    unsigned short word = 0x037b;
    __asm__ volatile("fninit\n\tfldcw %0\n\tfldz\n\tfld1\n\tfdivp\n\tfwait" : : "m"(word));
}
static void sse_invalid(void)
{
    unsigned csr = 0x1f00;
    __asm__ volatile("ldmxcsr %0\n\txorps %%xmm0, %%xmm0\n\tdivss %%xmm0, %%xmm0" : : "m"(csr));
}
static void misaligned(void)
{
    _Alignas(16) static char buffer[32];
    __asm__ volatile("movaps (%0), %%xmm0" : : "r"(buffer + 1));
}
static void execute_data(void)
{
    static char data[4] = {(char)0xc3};
    void *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memcpy(data, "\xc3", 1);
    munmap(page, 4096);
    ((void (*)(void))page)();
}

static void faults(void)
{
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_NODEFER};
    static const int numbers[] = {SIGFPE, SIGSEGV, SIGILL, SIGTRAP, SIGBUS};
    for (int i = 0; i < 5; i++)
        sigaction(numbers[i], &action, NULL);
    fault("divide", by_zero), fault("null read", null_read), fault("null write", null_write),
        fault("text write", text_write);
    fault("ud2", invalid), fault("cli", privileged), fault("hlt", halt), fault("in", port),
        fault("int3", breakpoint);
    fault("segment", segment), fault("x87", x87_zero), fault("sse", sse_invalid),
        fault("movaps", misaligned);
    fault("unmapped code", execute_data);
    unsigned csr = 0x1f80;
    __asm__ volatile("fninit\n\tldmxcsr %0" : : "m"(csr));
}

static atomic_int counter;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static long guarded;

static void *thread(void *argument)
{
    double sum = 0;
    for (int i = 0; i < 20000; i++) {
        atomic_fetch_add(&counter, 1);
        pthread_mutex_lock(&mutex);
        guarded += (long)(intptr_t)argument;
        pthread_mutex_unlock(&mutex);
        sum += 1.0 / (i + (intptr_t)argument);
    }
    double *result = malloc(sizeof sum);
    *result = sum;
    return result;
}

static void threads(void)
{
    pthread_t ids[4];
    for (intptr_t i = 0; i < 4; i++)
        pthread_create(&ids[i], NULL, thread, (void *)(i + 1));
    for (int i = 0; i < 4; i++) {
        void *result;
        pthread_join(ids[i], &result);
        printf("thread %a\n", *(double *)result);
        free(result);
    }
    printf("counter %d guarded %ld\n", counter, guarded);
}

static void processes(void)
{
    unsigned sum = 0;
    for (int i = 0; i < 60; i++) {
        int ends[2];
        if (pipe(ends))
            exit(3);
        fflush(stdout);
        pid_t pid = fork();
        if (!pid) {
            unsigned value = (unsigned)i * 77;
            if (write(ends[1], &value, sizeof value) != sizeof value)
                _exit(9);
            if (i % 7 == 3)
                raise(SIGKILL);
            _exit(i);
        }
        unsigned value = 0;
        int status;
        if (read(ends[0], &value, sizeof value) != sizeof value)
            exit(4);
        waitpid(pid, &status, 0);
        close(ends[0]), close(ends[1]);
        sum +=
            value + (unsigned)(WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status));
    }
    printf("processes %u\n", sum);
}

static volatile int ticks;
static void tick(int number)
{
    (void)number;
    ticks++;
}

static void signals(void)
{
    signal(SIGUSR1, tick);
    for (int i = 0; i < 5000; i++)
        raise(SIGUSR1);
    sigset_t set, old;
    sigemptyset(&set), sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, &old);
    raise(SIGUSR1), raise(SIGUSR1);
    int before = ticks;
    sigprocmask(SIG_SETMASK, &old, NULL);
    printf("signals %d %d\n", before, ticks);
}

static void mappings(void)
{
    unsigned sum = 0;
    for (int i = 0; i < 50; i++) {
        unsigned char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE | PROT_EXEC,
                                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        // mov eax, imm32; ret across a page boundary; then changed in place.
        unsigned char *code = page + 4094;
        for (int k = 0; k < 40; k++) {
            unsigned value = (unsigned)(i * 1000 + k);
            code[0] = 0xb8, memcpy(code + 1, &value, 4), code[5] = 0xc3;
            sum += ((unsigned (*)(void))code)();
        }
        mprotect(page, 4096, PROT_READ);
        munmap(page, 8192);
    }
    char name[] = "/tmp/mapXXXXXX";
    int fd = mkstemp(name);
    unlink(name);
    if (ftruncate(fd, 65536))
        exit(5);
    char *shared = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    fflush(stdout);
    pid_t pid = fork();
    if (!pid) {
        for (int i = 0; i < 65536; i++)
            shared[i] = (char)(i * 7);
        _exit(0);
    }
    waitpid(pid, NULL, 0);
    char buffer[4096];
    for (int i = 0; i < 16 && pread(fd, buffer, 4096, i * 4096) == 4096; i++)
        for (int k = 0; k < 4096; k++)
            sum += (unsigned char)buffer[k];
    printf("mappings %u\n", sum);
}

int main(void)
{
    faults();
    threads();
    processes();
    signals();
    mappings();
    return 0;
}
