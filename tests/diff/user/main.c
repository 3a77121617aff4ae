// SPDX-License-Identifier: MIT
// user_diff: every row of the opcode table in every form, on the host's CPU in a 32-bit process, in
// the interpreter and in translated code. See docs/proof.md.
#include <getopt.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/error.h"
#include "host_process.h"
#include "rig.h"
#include "vectors.h"

#define EXECUTORS 3u // enum machine_kind
static const char *const executor_names[EXECUTORS] = {"interp", "jit", "window"};

struct options {
    uint64_t cases, seed;
    unsigned inputs; // of an encoding
    unsigned every;  // n: each nth form only
    unsigned reports;
    const char *rows, *forms, *host, *explained, *record, *check;
    bool coverage, signatures;
};

struct row_counts {
    uint32_t forms[FORM_COUNT];
    uint64_t cases, exceptions, native;
};

struct rig {
    struct options options;
    regex_t rows, forms;
    struct user_shared *shared;
    struct host_process host;
    struct machine *machines[EXECUTORS];
    struct explained *explained;
    struct vectors *vectors;
    struct encoding encodings[USER_CODES];
    struct case_info info[USER_CASES];
    struct user_output out[EXECUTORS][USER_CASES];
    struct row_counts counts[OPCODE_COUNT];
    uint64_t cases, exceptions, vectors_seen[32], different, unexplained, dead_flags, left_ia32;
};

// ---- one batch ----

static void run_emulated(struct rig *rig, struct user_batch *batch)
{
    for (unsigned x = 0; x < EXECUTORS; x++) {
        for (uint32_t i = 0; i < batch->codes; i++) {
            const struct user_code *code = &batch->code[i];
            struct row_counts *counts = &rig->counts[rig->encodings[i].row];
            machine_put_code(rig->machines[x], code);
            for (uint32_t n = code->first; n < code->first + code->count; n++) {
                bool native = machine_run(rig->machines[x], code, &batch->in[n], &rig->out[x][n]);
                counts->native += x == MACHINE_JIT && native;
            }
        }
    }
}

static void judge(struct rig *rig, const struct encoding *e, unsigned executor,
                  const struct user_input *in, const struct user_output *host,
                  const struct user_output *emu)
{
    char signature[1024];
    rig->different++;
    outcome_signature(e, executor_names[executor], host, emu, signature, sizeof signature);
    if (explained_match(rig->explained, signature))
        return;
    if (rig->unexplained++ >= rig->options.reports)
        return;
    if (rig->options.signatures)
        printf("%s\n", signature);
    else
        outcome_print(e, in, executor_names[executor], host, emu);
    fflush(stdout);
}

static void count_case(struct rig *rig, const struct encoding *e, const struct user_output *out)
{
    struct row_counts *counts = &rig->counts[e->row];
    rig->cases++;
    counts->cases++;
    counts->forms[e->form]++;
    rig->vectors_seen[out->vector & 31]++;
    if (out->vector != EXC_BP) {
        rig->exceptions++;
        counts->exceptions++;
    }
}

// Translated code drops flags that nobody can read any more unless the instruction faults: what a
// handler of the fault finds of them is old.
static void judge_outcome(struct rig *rig, const struct encoding *e, uint32_t n, unsigned x)
{
    struct user_output host = rig->shared->batches[0].out[n], emu = rig->out[x][n];
    if (x != MACHINE_INTERP) {
        outcome_clear_dead_flags(e, &host);
        outcome_clear_dead_flags(e, &emu);
        if (outcome_equal(e, &host, &emu)) {
            rig->dead_flags++;
            return;
        }
    }
    if (rig->options.record)
        vectors_omit(rig->vectors, e->row, e->form);
    judge(rig, e, x, &rig->shared->batches[0].in[n], &host, &emu);
}

static void judge_case(struct rig *rig, const struct encoding *e, uint32_t n)
{
    struct user_batch *batch = &rig->shared->batches[0];
    const struct user_input *in = &batch->in[n];
    struct user_output *host = &batch->out[n];
    for (unsigned x = 0; x < EXECUTORS; x++)
        outcome_mask(e, in, &rig->info[n], &rig->out[x][n]);
    if (rig->options.check) {
        for (unsigned x = 0; x < EXECUTORS; x++) {
            outcome_clear_dead_flags(e, &rig->out[x][n]);
            vectors_add(rig->vectors, e->row, e->form, x, outcome_hash(e, &rig->out[x][n]));
        }
        count_case(rig, e, &rig->out[MACHINE_INTERP][n]);
        return;
    }
    if (host->segs[SEG_CS] == HOST_CS64) { // a far branch left the processor that is compared
        rig->left_ia32++;
        if (rig->options.record)
            vectors_omit(rig->vectors, e->row, e->form);
        return;
    }
    outcome_mask(e, in, &rig->info[n], host);
    count_case(rig, e, host);
    for (unsigned x = 0; x < EXECUTORS; x++) {
        if (!outcome_equal(e, host, &rig->out[x][n]))
            judge_outcome(rig, e, n, x);
    }
    if (rig->options.record) {
        outcome_clear_dead_flags(e, host);
        vectors_add(rig->vectors, e->row, e->form, 0, outcome_hash(e, host));
    }
}

static void flush_batch(struct rig *rig)
{
    struct user_batch *batch = &rig->shared->batches[0];
    bool native = !rig->options.check;
    if (batch->codes == 0)
        return;
    if (native && !host_submit(&rig->host, 0)) {
        fprintf(stderr, "the 32-bit process is gone\n");
        exit(2);
    }
    run_emulated(rig, batch);
    if (native && !host_wait(&rig->host, 0)) {
        fprintf(stderr, "the 32-bit process died or hangs after %llu cases; one of these:\n",
                (unsigned long long)rig->cases);
        for (uint32_t i = 0; i < batch->codes; i++)
            fprintf(stderr, "  %s %s\n", row_name(rig->encodings[i].row),
                    form_name(rig->encodings[i].form));
        exit(2);
    }
    for (uint32_t i = 0; i < batch->codes; i++) {
        const struct user_code *code = &batch->code[i];
        for (uint32_t n = code->first; n < code->first + code->count; n++)
            judge_case(rig, &rig->encodings[i], n);
    }
    batch->codes = batch->cases = 0;
}

static void add_encoding(struct rig *rig, unsigned row, unsigned form, uint64_t number)
{
    struct user_batch *batch = &rig->shared->batches[0];
    struct rng rng =
        rng_seed(rig->options.seed + number * 0x100, (uint64_t)row_key(row) << 8 | form);
    if (batch->codes == USER_CODES || batch->cases + rig->options.inputs > USER_CASES)
        flush_batch(rig);
    struct encoding *e = &rig->encodings[batch->codes];
    if (!encoding_make(&rng, row, form, e))
        return;
    e->code.first = batch->cases;
    e->code.count = rig->options.inputs;
    for (unsigned i = 0; i < rig->options.inputs; i++, batch->cases++)
        state_make(&rng, e, &batch->in[batch->cases], &rig->info[batch->cases]);
    batch->code[batch->codes++] = e->code;
}

// ---- all of them ----

static bool wanted(struct rig *rig, unsigned row, unsigned form)
{
    return form_exists(row, form) && (row + form) % rig->options.every == 0 &&
           (!rig->options.forms || regexec(&rig->forms, form_name(form), 0, NULL, 0) == 0);
}

static bool row_wanted(struct rig *rig, unsigned row)
{
    return !rig->options.rows || regexec(&rig->rows, row_name(row), 0, NULL, 0) == 0;
}

// One encoding of each form of each row.
static void run_pass(struct rig *rig, uint64_t number)
{
    for (unsigned row = 0; row < OPCODE_COUNT; row++) {
        if (!row_wanted(rig, row))
            continue;
        for (unsigned form = 0; form < FORM_COUNT; form++) {
            bool known = !rig->options.check || vectors_has(rig->vectors, row, form);
            if (wanted(rig, row, form) && known)
                add_encoding(rig, row, form, number);
        }
    }
    flush_batch(rig);
}

static void run_all(struct rig *rig)
{
    if (rig->vectors) {
        for (uint64_t pass = 0; pass < VECTORS_ENCODINGS; pass++)
            run_pass(rig, pass);
        return;
    }
    for (uint64_t pass = 0; rig->cases < rig->options.cases; pass++) {
        uint64_t before = rig->cases;
        run_pass(rig, pass);
        if (rig->cases == before) {
            fprintf(stderr, "no row or form matches\n");
            exit(2);
        }
    }
}

// ---- reports ----

static void print_row(const struct rig *rig, unsigned row)
{
    const struct row_counts *counts = &rig->counts[row];
    const char *reason = row_excluded(row);
    if (reason) {
        printf("%-20s not at user level: %s\n", row_name(row), reason);
        return;
    }
    printf("%-20s %8llu cases, %llu exceptions, %.0f%% native:", row_name(row),
           (unsigned long long)counts->cases, (unsigned long long)counts->exceptions,
           counts->cases ? 100.0 * (double)counts->native / (double)counts->cases : 0);
    for (unsigned form = 0; form < FORM_COUNT; form++)
        if (form_exists(row, form))
            printf(" %s=%u", form_name(form), counts->forms[form]);
    printf("\n");
}

// Every row that is not excluded, in every form it has. False: something is missing.
static bool check_coverage(const struct rig *rig)
{
    unsigned rows = 0, forms = 0, excluded = 0, missing = 0;
    for (unsigned row = 0; row < OPCODE_COUNT; row++) {
        excluded += row_excluded(row) != NULL;
        rows += rig->counts[row].cases != 0;
        for (unsigned form = 0; form < FORM_COUNT; form++) {
            bool covered = rig->counts[row].forms[form] != 0;
            forms += covered;
            if (form_exists(row, form) && !covered) {
                missing++;
                printf("no case: %s %s\n", row_name(row), form_name(form));
            }
        }
        if (rig->options.coverage)
            print_row(rig, row);
    }
    printf("%u rows of %u in %u forms; %u rows not at user level\n", rows, OPCODE_COUNT, forms,
           excluded);
    return missing == 0;
}

static bool report(struct rig *rig)
{
    bool whole =
        !rig->options.rows && !rig->options.forms && !rig->options.check && rig->options.every == 1;
    bool ok = rig->unexplained == 0;
    explained_print(rig->explained);
    if (whole || rig->options.coverage)
        ok = (check_coverage(rig) || !whole) && ok;
    printf("%llu cases, %llu with an exception:", (unsigned long long)rig->cases,
           (unsigned long long)rig->exceptions);
    for (unsigned i = 0; i < 32; i++)
        if (i != EXC_BP && rig->vectors_seen[i])
            printf(" #%u %llu", i, (unsigned long long)rig->vectors_seen[i]);
    if (rig->options.check)
        printf("\n");
    else
        printf("\n%llu differences, %llu unexplained; jit: %llu faults with old dead flags; %llu "
               "far branches into 64-bit code not compared\n",
               (unsigned long long)rig->different, (unsigned long long)rig->unexplained,
               (unsigned long long)rig->dead_flags, (unsigned long long)rig->left_ia32);
    printf("%.1f s of CPU time here\n", (double)clock() / CLOCKS_PER_SEC);
    return ok;
}

// ---- start ----

static const char usage[] =
    "user_diff [--cases N] [--seed N] [--inputs N] [--rows REGEX] [--forms REGEX] [--every N]\n"
    "          [--coverage] [--reports N] [--signatures] [--host FILE] [--explained FILE]\n"
    "          [--record FILE | --check FILE]\n";

static struct options parse(int argc, char **argv)
{
    struct options o = {.cases = 1, .inputs = 32, .every = 1, .reports = 20, .host = "user_host"};
    static const struct option longs[] = {
        {"cases", 1, NULL, 'n'},      {"seed", 1, NULL, 's'},    {"inputs", 1, NULL, 'i'},
        {"rows", 1, NULL, 'r'},       {"forms", 1, NULL, 'f'},   {"coverage", 0, NULL, 'c'},
        {"every", 1, NULL, 'e'},      {"reports", 1, NULL, 'p'}, {"host", 1, NULL, 'h'},
        {"explained", 1, NULL, 'x'},  {"record", 1, NULL, 'w'},  {"check", 1, NULL, 'k'},
        {"signatures", 0, NULL, 'g'}, {NULL, 0, NULL, 0},
    };
    int c;
    while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        switch (c) {
        case 'n':
            o.cases = strtoull(optarg, NULL, 0);
            break;
        case 's':
            o.seed = strtoull(optarg, NULL, 0) << 32;
            break;
        case 'i':
            o.inputs = (unsigned)strtoul(optarg, NULL, 0);
            break;
        case 'e':
            o.every = (unsigned)strtoul(optarg, NULL, 0);
            break;
        case 'p':
            o.reports = (unsigned)strtoul(optarg, NULL, 0);
            break;
        case 'r':
            o.rows = optarg;
            break;
        case 'f':
            o.forms = optarg;
            break;
        case 'h':
            o.host = optarg;
            break;
        case 'x':
            o.explained = optarg;
            break;
        case 'w':
            o.record = optarg;
            break;
        case 'k':
            o.check = optarg;
            break;
        case 'c':
            o.coverage = true;
            break;
        case 'g':
            o.signatures = true;
            break;
        default:
            fputs(usage, stderr);
            exit(2);
        }
    }
    if (optind != argc || o.inputs == 0 || o.inputs > USER_CASES || o.every == 0 ||
        (o.record && o.check)) {
        fputs(usage, stderr);
        exit(2);
    }
    return o;
}

static void open_vectors(struct rig *rig)
{
    struct options *o = &rig->options;
    if (!o->record && !o->check)
        return;
    o->inputs = VECTORS_INPUTS;
    o->seed = 0;
    rig->vectors = o->record ? vectors_create() : vectors_load(o->check);
    if (!rig->vectors)
        exit(2);
}

static void compile_filters(struct rig *rig)
{
    const struct options *o = &rig->options;
    if ((o->rows && regcomp(&rig->rows, o->rows, REG_EXTENDED | REG_NOSUB) != 0) ||
        (o->forms && regcomp(&rig->forms, o->forms, REG_EXTENDED | REG_NOSUB) != 0)) {
        fprintf(stderr, "--rows and --forms take regular expressions\n");
        exit(2);
    }
}

static bool finish_vectors(struct rig *rig)
{
    if (rig->options.record)
        return vectors_save(rig->vectors, rig->options.record);
    return !rig->options.check || vectors_compare(rig->vectors, executor_names, EXECUTORS);
}

int main(int argc, char **argv)
{
    struct rig *rig = xcalloc(1, sizeof *rig);
    int shared;
    rig->options = parse(argc, argv);
    compile_filters(rig);
    open_vectors(rig);
    rig->explained = explained_load(rig->options.explained ? rig->options.explained : "/dev/null");
    rig->shared = shared_create(&shared);
    if (!rig->shared)
        return 2;
    state_make_pristine(rig->shared->pristine);
    if (!rig->options.check && !host_start(&rig->host, rig->options.host, shared)) {
        fprintf(stderr,
                "%s: this host runs no 32-bit processes, or lets none map 57344: "
                "use --check with recorded vectors\n",
                rig->options.host);
        return 77;
    }
    for (unsigned x = 0; x < EXECUTORS; x++)
        rig->machines[x] = machine_create((enum machine_kind)x, rig->shared->pristine);
    run_all(rig);
    bool ok = report(rig);
    ok = finish_vectors(rig) && ok;
    if (!rig->options.check)
        host_stop(&rig->host);
    for (unsigned x = 0; x < EXECUTORS; x++)
        machine_destroy(rig->machines[x]);
    explained_free(rig->explained);
    vectors_free(rig->vectors);
    free(rig);
    return ok ? 0 : 1;
}
