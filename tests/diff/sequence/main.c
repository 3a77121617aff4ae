// SPDX-License-Identifier: MIT
// sequence [--seconds N | --programs N] [--seed S] [--first N] [--jobs J] [--all-rows] [--kicks]
// [--program NUMBER]
//
// Makes programs, runs each on the interpreter and on the translator, and compares. --seconds: of
// CPU time, for each job. --first leaves out as many programs of the seed. At the first difference
// the program is made as short as possible and printed. --program shows one program and minimises
// it if it fails. --all-rows: every row of the opcode table must have been generated and executed.
// --kicks: another thread asks for the CPU's attention all the time, which must not change
// anything. SIGINT and SIGTERM end it with the counts so far.
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "sequence.h"

#define MAX_JOBS         16u
#define WALK_EVERY       16u // programs of which each instruction is looked at
#define KICK_NANOSECONDS 100000
#define HURRY_SECONDS    2  // CPU seconds; a repeated instruction that takes longer is abandoned
#define HANG_SECONDS     60 // CPU seconds without a program finished

// What a worker tells its parent.
struct worker {
    uint64_t number, n; // the program that is running, and which of the seed's it is
    bool failed;
    volatile bool stop; // its parent asks for it
    uint64_t programs, instructions, open, endless, abandoned, translated;
    double seconds;
    struct coverage coverage;
};

struct options {
    uint64_t seed, first, programs, program;
    unsigned seconds, jobs;
    bool one, all_rows, kicks;
};

static double cpu_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static uint64_t program_number(uint64_t seed, uint64_t n)
{
    uint64_t x = seed * UINT64_C(0xd1342543de82ef95) + n * UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 32) * UINT64_C(0xd6e8feb86659fd93);
    return (x ^ x >> 32) & UINT64_C(0xffffffffffff);
}

static void *kick(void *self)
{
    struct rig *rig = self;
    for (;;) {
        nanosleep(&(struct timespec){.tv_nsec = KICK_NANOSECONDS}, NULL);
        for (unsigned i = 0; i < 2 * MACHINES; i++)
            cpu_kick(machine_cpu(rig->machines[i / MACHINES][i % MACHINES]));
    }
    return NULL;
}

static void hurry(int signal, siginfo_t *info, void *context)
{
    rig_hurry(info->si_value.sival_ptr);
}

static timer_t create_hurry_timer(struct rig *rig)
{
    struct sigaction action = {.sa_sigaction = hurry, .sa_flags = SA_SIGINFO | SA_RESTART};
    struct sigevent event = {
        .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1, .sigev_value.sival_ptr = rig};
    timer_t timer;
    if (sigaction(SIGUSR1, &action, NULL) != 0 ||
        timer_create(CLOCK_PROCESS_CPUTIME_ID, &event, &timer) != 0)
        _exit(3);
    return timer;
}

// From now on, in CPU time: the kernel's limits count by ticks, which may be a minute ahead in an
// hour.
static void arm_timers(timer_t hurry_timer)
{
    const struct itimerval hang = {.it_value.tv_sec = HANG_SECONDS};
    const struct itimerspec late = {{HURRY_SECONDS, 0}, {HURRY_SECONDS, 0}};
    setitimer(ITIMER_PROF, &hang, NULL);
    timer_settime(hurry_timer, 0, &late, NULL);
}

// A repeated store over its own instruction depends on where it is interrupted.
static void protect_code(struct program *p)
{
    p->code_writable = false;
    p->wp = true;
    for (unsigned i = 0; i < DATA_PAGES; i++)
        if (p->pages[i] == PAGE_CODE)
            p->pages[i] = PAGE_PLAIN;
}

static void work(struct worker *w, const struct options *o, unsigned job)
{
    struct rig rig = {.coverage = &w->coverage, .explain = o->kicks};
    struct program p;
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    rig_create(&rig);
    timer_t timer = create_hurry_timer(&rig);
    pthread_t thread;
    if (o->kicks && pthread_create(&thread, NULL, kick, &rig) != 0)
        _exit(3);
    for (uint64_t n = o->first + job; !o->programs || n < o->first + o->programs; n += o->jobs) {
        if (n / o->jobs % 64 == 0)
            arm_timers(timer);
        if (w->stop || (!o->programs && cpu_seconds() >= o->seconds))
            break;
        const char *what;
        w->number = program_number(o->seed, n);
        w->n = n;
        program_generate(&p, w->number);
        if (o->kicks)
            protect_code(&p);
        program_count_rows(&p, &w->coverage);
        w->failed = rig_try(&rig, &p, &what) == VERDICT_DIFFERENT;
        if (!w->failed && n % WALK_EVERY == job % WALK_EVERY) {
            unsigned left;
            machine_walk(rig.machines[p.counting][0], &p, &rig.image, p.rounds, &w->coverage,
                         &left);
        }
        w->programs = rig.programs;
        w->instructions = rig.instructions;
        w->open = rig.open;
        w->endless = rig.endless;
        w->abandoned = rig.abandoned;
        w->translated = rig.translated;
        w->seconds = cpu_seconds();
        if (w->failed)
            break;
    }
    if (!o->kicks)
        rig_destroy(&rig);
}

// Minimises and prints; in processes of their own, because anything may happen.
static void show(const struct options *o, uint64_t number)
{
    struct program *p = xcalloc(1, sizeof *p);
    program_generate(p, number);
    unsigned before = program_length(p);
    unsigned length = program_minimise(p);
    if (length == 0)
        program_generate(p, number);
    else
        printf("minimised: %u of %u instructions\n", length, before);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        struct rig rig = {.coverage = xcalloc(1, sizeof *rig.coverage)};
        rig_create(&rig);
        arm_timers(create_hurry_timer(&rig));
        rig_report(&rig, p, stdout);
        fflush(NULL);
        _exit(0);
    }
    int status = 0;
    if (child > 0)
        waitpid(child, &status, 0);
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGPROF)
        printf("the translated program does not end\n");
    else if (WIFSIGNALED(status))
        printf("the translated program ends with signal %d\n", WTERMSIG(status));
    printf("reproduce: tests/diff/sequence/run.sh --program 0x%" PRIx64 "\n", number);
    free(p);
}

static unsigned missing_rows(struct worker *const *workers, unsigned jobs, bool print)
{
    unsigned missing = 0;
    for (unsigned row = 1; row < OPCODE_COUNT; row++) {
        uint64_t generated = 0, executed = 0;
        for (unsigned j = 0; j < jobs; j++) {
            for (unsigned k = 0; k < 2; k++) {
                generated += workers[j]->coverage.generated[row][k];
                executed += workers[j]->coverage.executed[row][k];
            }
        }
        if (generated && executed)
            continue;
        missing++;
        if (!print)
            continue;
        printf("row %s (%s%02x): generated %" PRIu64 ", executed in samples %" PRIu64 "\n",
               opcode_rows[row].mnemonic, opcode_rows[row].map == MAP_0F ? "0f " : "",
               opcode_rows[row].opcode, generated, executed);
    }
    return missing;
}

static int summary(struct worker *const *workers, const struct options *o)
{
    struct worker sum = {0};
    for (unsigned j = 0; j < o->jobs; j++) {
        sum.programs += workers[j]->programs;
        sum.instructions += workers[j]->instructions;
        sum.open += workers[j]->open;
        sum.endless += workers[j]->endless;
        sum.abandoned += workers[j]->abandoned;
        sum.translated += workers[j]->translated;
        sum.seconds += workers[j]->seconds;
    }
    unsigned missing = missing_rows(workers, o->jobs, o->all_rows);
    printf("seed %" PRIu64 ": %" PRIu64 " programs, %" PRIu64 " instructions, %" PRIu64
           " translated blocks, %.0f CPU seconds; %" PRIu64 " ran to their limit, %" PRIu64
           " depended on undefined flags, %" PRIu64
           " repeated an instruction for too long; rows %u of %u\n",
           o->seed, sum.programs, sum.instructions, sum.translated, sum.seconds, sum.endless,
           sum.open, sum.abandoned, OPCODE_COUNT - 1 - missing, OPCODE_COUNT - 1);
    if (sum.translated < sum.programs / 2) {
        printf("too little was translated\n");
        return 1;
    }
    return o->all_rows && missing ? 1 : 0;
}

static void start_worker(struct worker *w, const struct options *o, unsigned job, pid_t *child)
{
    *child = fork();
    if (*child != 0)
        return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    work(w, o, job);
    _exit(w->failed ? 1 : 0);
}

// Until all have ended: one that fails ends the others, and so does a signal.
static bool wait_for(struct worker *const *workers, const pid_t *children, int *statuses,
                     unsigned jobs, const sigset_t *signals)
{
    unsigned left = jobs;
    while (left > 0) {
        int status, signal;
        bool stop = false;
        pid_t ended = waitpid(-1, &status, WNOHANG);
        for (unsigned j = 0; ended > 0 && j < jobs; j++) {
            if (children[j] == ended) {
                statuses[j] = status;
                left--;
                stop = status != 0;
            }
        }
        if (ended < 0)
            return false;
        if (ended == 0)
            stop = sigwait(signals, &signal) == 0 && signal != SIGCHLD;
        if (stop)
            for (unsigned j = 0; j < jobs; j++)
                workers[j]->stop = true;
    }
    return true;
}

static int campaign(const struct options *o)
{
    struct worker *workers[MAX_JOBS];
    pid_t children[MAX_JOBS];
    int statuses[MAX_JOBS] = {0};
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGCHLD);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    printf("seed %" PRIu64 ", %u job(s)\n", o->seed, o->jobs);
    fflush(NULL);
    for (unsigned j = 0; j < o->jobs; j++) {
        workers[j] = mmap(NULL, sizeof *workers[j], PROT_READ | PROT_WRITE,
                          MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (workers[j] == MAP_FAILED)
            return 3;
        start_worker(workers[j], o, j, &children[j]);
        if (children[j] < 0)
            return 3;
    }
    if (!wait_for(workers, children, statuses, o->jobs, &signals))
        return 3;
    int result = 0;
    for (unsigned j = 0; j < o->jobs; j++) {
        if (WIFEXITED(statuses[j]) && WEXITSTATUS(statuses[j]) == 0)
            continue;
        if (WIFEXITED(statuses[j]) && WEXITSTATUS(statuses[j]) != 1)
            return 3;
        int signal = WIFSIGNALED(statuses[j]) ? WTERMSIG(statuses[j]) : 0;
        printf("program 0x%" PRIx64 ", number %" PRIu64 " of seed %" PRIu64
               ", fails after %.1f CPU seconds%s%s\n",
               workers[j]->number, workers[j]->n, o->seed, workers[j]->seconds,
               signal == SIGPROF ? ": an endless loop"
               : signal          ? ": a crash, "
                                 : "",
               signal && signal != SIGPROF ? strsignal(signal) : "");
        show(o, workers[j]->number);
        result = 1;
    }
    return summary(workers, o) || result ? 1 : 0;
}

static uint64_t number_argument(const char *text)
{
    char *end;
    errno = 0;
    uint64_t value = strtoull(text, &end, 0);
    if (*end || end == text || errno) {
        fprintf(stderr, "sequence: '%s' is not a number\n", text);
        exit(2);
    }
    return value;
}

static struct options parse(int argc, char **argv)
{
    static const struct option long_options[] = {{"seconds", required_argument, NULL, 's'},
                                                 {"programs", required_argument, NULL, 'n'},
                                                 {"seed", required_argument, NULL, 'S'},
                                                 {"first", required_argument, NULL, 'f'},
                                                 {"jobs", required_argument, NULL, 'j'},
                                                 {"program", required_argument, NULL, 'p'},
                                                 {"all-rows", no_argument, NULL, 'a'},
                                                 {"kicks", no_argument, NULL, 'k'},
                                                 {NULL, 0, NULL, 0}};
    struct options o = {.seed = 1, .seconds = 10, .jobs = 1};
    int c;
    while ((c = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        uint64_t value = optarg ? number_argument(optarg) : 0;
        switch (c) {
        case 's':
            o.seconds = (unsigned)value;
            break;
        case 'n':
            o.programs = value;
            break;
        case 'S':
            o.seed = value;
            break;
        case 'f':
            o.first = value;
            break;
        case 'j':
            o.jobs = (unsigned)value;
            break;
        case 'p':
            o.program = value, o.one = true;
            break;
        case 'a':
            o.all_rows = true;
            break;
        case 'k':
            o.kicks = true;
            break;
        default:
            exit(2);
        }
    }
    if (o.jobs < 1 || o.jobs > MAX_JOBS || optind < argc) {
        fprintf(stderr, "sequence: --jobs is 1 to %u, and there are no other arguments\n",
                MAX_JOBS);
        exit(2);
    }
    return o;
}

int main(int argc, char **argv)
{
    struct options o = parse(argc, argv);
    if (!o.one)
        return campaign(&o);
    show(&o, o.program);
    return 0;
}
