// SPDX-License-Identifier: MIT
// The flat guest TLB: what enters, what a flush removes, and that whatever stands agrees with a
// fresh walk.
#include "paging_fixture.h"

static const uint32_t cr0_on = CR0_PE | CR0_PG | CR0_WP;

static uint8_t *fill(struct fixture *f, uint32_t linear, enum mmu_access access, bool user)
{
    struct mmu_result result;
    uint8_t *host;
    assert_true(mmu_fill(&f->mmu, linear, access, user, &host, &result));
    return host;
}

static void test_fill(void **state)
{
    struct fixture *f = *state;
    map_4k(f, 0x5000, P | RW | US, FRAME | P | RW | US);
    mmu_set_control(&f->mmu, cr0_on, ROOT, 0, false, true);
    assert_ptr_equal(fill(f, 0x5123, MMU_READ, true), f->ram + FRAME + 0x123);
    assert_ptr_equal(mmu_host(&f->mmu, 0x5fff, MMU_READ, true), f->ram + FRAME + 0xfff);
    ASSERT_MISS(f, 0x5000, MMU_READ, false);
    ASSERT_MISS(f, 0x5000, MMU_WRITE, true);
    ASSERT_MISS(f, 0x6000, MMU_READ, true);
    fill(f, 0x5000, MMU_WRITE, false);
    ASSERT_HIT(f, 0x5000, MMU_WRITE, false);
    ASSERT_HIT(f, 0x5000, MMU_READ, false); // a write brings the read entry along
    ASSERT_MISS(f, 0x5000, MMU_EXECUTE, false);
    fill(f, 0x5000, MMU_EXECUTE, true);
    ASSERT_HIT(f, 0x5000, MMU_EXECUTE, true);
    assert_true(f->mmu.fills == 3);
    mmu_flush_page(&f->mmu, 0x5abc);
    for (unsigned user = 0; user < 2; user++)
        for (enum mmu_access access = MMU_READ; access <= MMU_EXECUTE; access++)
            ASSERT_MISS(f, 0x5000, access, user);
}

static void test_rom_and_registers(void **state)
{
    struct fixture *f = *state;
    struct mmu_result result;
    uint8_t *host;
    map_4k(f, 0x5000, P | RW, ROM_BASE | P | RW);
    map_4k(f, 0x6000, P | RW, MMIO_BASE | P | RW);
    mmu_set_control(&f->mmu, cr0_on, ROOT, 0, false, true);
    assert_ptr_equal(fill(f, 0x5000, MMU_READ, false), f->rom);
    assert_true(mmu_fill(&f->mmu, 0x5000, MMU_WRITE, false, &host, &result));
    assert_null(host);
    ASSERT_MISS(f, 0x5000, MMU_WRITE, false);
    assert_true(mmu_fill(&f->mmu, 0x6010, MMU_READ, false, &host, &result));
    assert_null(host);
    assert_true(result.physical == MMIO_BASE + 0x10);
    assert_int_equal(f->mmio_reads, 0);
}

static void test_global_pages(void **state)
{
    struct fixture *f = *state;
    map_4k(f, 0x5000, P | RW, FRAME | P | RW | G);
    map_4k(f, 0x6000, P | RW, (FRAME + 0x1000) | P | RW);
    mmu_set_control(&f->mmu, cr0_on, ROOT, CR4_PGE, false, true);
    fill(f, 0x5000, MMU_WRITE, false);
    fill(f, 0x6000, MMU_WRITE, false);
    mmu_set_control(&f->mmu, cr0_on, ROOT, CR4_PGE, false, true); // the same CR3 again
    ASSERT_HIT(f, 0x5000, MMU_READ, false);
    ASSERT_HIT(f, 0x5000, MMU_WRITE, false);
    ASSERT_MISS(f, 0x6000, MMU_READ, false);
    mmu_flush_page(&f->mmu, 0x5000); // INVLPG takes global ones too
    ASSERT_MISS(f, 0x5000, MMU_WRITE, false);
    fill(f, 0x5000, MMU_READ, false);
    mmu_set_control(&f->mmu, cr0_on, ROOT, 0, false, false); // PGE changes: everything goes
    ASSERT_MISS(f, 0x5000, MMU_READ, false);
    fill(f, 0x5000, MMU_READ, false); // PTE.G means nothing now
    mmu_set_control(&f->mmu, cr0_on, ROOT, 0, false, true);
    ASSERT_MISS(f, 0x5000, MMU_READ, false);
    // An entry that stands as global and is filled again after the guest took PTE.G away.
    mmu_set_control(&f->mmu, cr0_on, ROOT, CR4_PGE, false, false);
    fill(f, 0x5000, MMU_EXECUTE, false);
    map_4k(f, 0x5000, P | RW, FRAME | P | RW);
    fill(f, 0x5000, MMU_EXECUTE, false);
    mmu_set_control(&f->mmu, cr0_on, ROOT, CR4_PGE, false, true);
    ASSERT_MISS(f, 0x5000, MMU_EXECUTE, false);
}

static void test_control_changes(void **state)
{
    struct fixture *f = *state;
    map_4k(f, 0x5000, P | RW, FRAME | P | G);
    uint32_t cr4 = CR4_PGE;
    mmu_set_control(&f->mmu, CR0_PE | CR0_PG, ROOT, cr4, false, true);
    fill(f, 0x5000, MMU_WRITE, false); // read-only, but CR0.WP is clear
    ASSERT_HIT(f, 0x5000, MMU_WRITE, false);
    mmu_set_control(&f->mmu, cr0_on, ROOT, cr4, false, false);
    ASSERT_MISS(f, 0x5000, MMU_WRITE, false);
    struct mmu_result result;
    uint8_t *host;
    fill(f, 0x5000, MMU_READ, false);
    assert_false(mmu_fill(&f->mmu, 0x5000, MMU_WRITE, false, &host, &result));
    assert_int_equal(result.error_code, PF_PRESENT | PF_WRITE);
    ASSERT_MISS(f, 0x5000, MMU_READ, false); // the fault invalidates
    fill(f, 0x5000, MMU_READ, false);
    mmu_set_control(&f->mmu, cr0_on, ROOT, cr4, true, false); // EFER.NXE
    ASSERT_MISS(f, 0x5000, MMU_READ, false);
    fill(f, 0x5000, MMU_READ, false);
    mmu_set_control(&f->mmu, cr0_on, ROOT, cr4 | CR4_PSE, true, false);
    ASSERT_MISS(f, 0x5000, MMU_READ, false);
    fill(f, 0x5000, MMU_READ, false);
    mmu_set_control(&f->mmu, CR0_PE, ROOT, cr4 | CR4_PSE, true, false);
    ASSERT_MISS(f, 0x5000, MMU_READ, false);
    fill(f, 0x5000, MMU_READ, false);
    uint64_t flushes = f->mmu.flushes;
    mmu_set_control(&f->mmu, CR0_PE, ROOT, cr4 | CR4_PSE, true, true); // paging off: nothing to do
    assert_true(f->mmu.flushes == flushes);
    ASSERT_HIT(f, 0x5000, MMU_READ, false);
}

static void test_large_page_goes_as_a_whole(void **state)
{
    struct fixture *f = *state;
    for (unsigned pae = 0; pae < 2; pae++) {
        if (pae) {
            set64(f, ROOT, 0x30000 | P);
            set64(f, 0x30000 + 8 * 3, 0x600000 | P | RW | PS | G);
        } else {
            set32(f, ROOT + 4, 0x400000 | P | RW | PS | G);
        }
        uint32_t base = pae ? 0x600000 : 0x400000;
        mmu_set_control(&f->mmu, 0, 0, 0, false, true);
        assert_true(mmu_set_control(&f->mmu, cr0_on, ROOT, CR4_PGE | CR4_PSE | (pae ? CR4_PAE : 0),
                                    false, true));
        for (unsigned i = 0; i < 512; i += 7)
            assert_ptr_equal(fill(f, base + i * PAGE_SIZE, MMU_WRITE, false),
                             f->ram + base + i * PAGE_SIZE);
        mmu_flush_page(&f->mmu, base + 0x1ff123);
        for (unsigned i = 0; i < 512; i++) {
            ASSERT_MISS(f, base + i * PAGE_SIZE, MMU_READ, false);
            ASSERT_MISS(f, base + i * PAGE_SIZE, MMU_WRITE, false);
        }
    }
}

static void test_code_pages(void **state)
{
    struct fixture *f = *state;
    uint8_t *page = f->ram + FRAME;
    for (uint32_t i = 0; i < 8; i++)
        map_4k(f, i << 12, P | RW | US, FRAME | P | RW | US); // eight names of one frame
    mmu_set_control(&f->mmu, cr0_on, ROOT, 0, false, true);
    for (uint32_t names = 1; names <= 8; names++) {
        for (uint32_t i = 0; i < names; i++) {
            fill(f, i << 12, MMU_WRITE, i & 1);
            if (i == 0)
                fill(f, i << 12, MMU_WRITE, true);
        }
        physmem_mark_code(f->mem, page);
        mmu_flush_writes_to(&f->mmu, page);
        for (uint32_t i = 0; i < names; i++) {
            ASSERT_MISS(f, i << 12, MMU_WRITE, false);
            ASSERT_MISS(f, i << 12, MMU_WRITE, true);
            ASSERT_HIT(f, i << 12, MMU_READ, i & 1);
        }
        assert_ptr_equal(fill(f, 0, MMU_WRITE, false), page); // writable, but each write is seen
        ASSERT_MISS(f, 0, MMU_WRITE, false);
        physmem_clear_code(f->mem, page);
        fill(f, 0, MMU_WRITE, false);
        ASSERT_HIT(f, 0, MMU_WRITE, false);
        mmu_set_control(&f->mmu, cr0_on, ROOT, 0, false, true); // hints are out of date from here
    }
}

// Pages that stay out of the tables are walked once, until something that a flush covers may have
// changed.
static void test_slow_pages(void **state)
{
    struct fixture *f = *state;
    uint8_t *page = f->ram + FRAME;
    struct mmu_result result;
    uint8_t *host;
    map_4k(f, 0x5000, P | RW | US, FRAME | P | RW | US);
    map_4k(f, 0x6000, P | RW | US, MMIO_BASE | P | RW | US);
    set32(f, ROOT + 8, (MMIO_BASE & 0xffc00000) | P | RW | PS);
    physmem_mark_code(f->mem, page);
    mmu_set_control(&f->mmu, cr0_on, ROOT, CR4_PSE, false, true);
    const uint32_t large = 0x800000 + (MMIO_BASE & 0x3fffff);
    for (unsigned round = 0; round < 7; round++) {
        for (uint32_t n = 0; n < 40; n++) {
            uint64_t walks = f->mmu.walks, hits = f->mmu.slow_hits;
            assert_ptr_equal(fill(f, 0x5010 + n, MMU_WRITE, true), page + 0x10 + n);
            assert_true(mmu_fill(&f->mmu, 0x6020 + n, MMU_READ, false, &host, &result));
            assert_null(host);
            assert_true(result.physical == MMIO_BASE + 0x20 + n);
            assert_true(mmu_fill(&f->mmu, large + n, MMU_WRITE, false, &host, &result));
            assert_null(host);
            assert_true(result.physical == MMIO_BASE + n);
            assert_int_equal(f->mmu.walks - walks, n ? 0 : 3);
            assert_int_equal(f->mmu.slow_hits - hits, n ? 3 : 0);
        }
        ASSERT_MISS(f, 0x5000, MMU_WRITE, true);
        if (round == 0) {
            mmu_flush_all(&f->mmu);
        } else if (round == 1) {
            mmu_set_control(&f->mmu, cr0_on, ROOT, CR4_PSE, false, true);
        } else if (round == 2) { // any page of the large one
            mmu_flush_page(&f->mmu, 0x5000);
            mmu_flush_page(&f->mmu, 0x6000);
            mmu_flush_page(&f->mmu, 0x800000);
        } else if (round == 3) { // and what is refused goes, as far as it is the page's own
            map_4k(f, 0x5000, P | RW | US, FRAME | P | RW | US);
            assert_false(mmu_fill(&f->mmu, large, MMU_READ, true, &host, &result));
            mmu_flush_page(&f->mmu, 0x5000);
            mmu_flush_page(&f->mmu, 0x6000);
        } else {
            mmu_flush_all(&f->mmu);
        }
    }
    // Each right of its own is looked up for itself.
    map_4k(f, 0x6000, P | RW | US, MMIO_BASE | P);
    mmu_flush_page(&f->mmu, 0x6000);
    assert_true(mmu_fill(&f->mmu, 0x6000, MMU_READ, false, &host, &result));
    assert_false(mmu_fill(&f->mmu, 0x6000, MMU_WRITE, false, &host, &result));
    assert_false(mmu_fill(&f->mmu, 0x6000, MMU_READ, true, &host, &result));
    // A page that holds no code any more is for the tables.
    fill(f, 0x5000, MMU_WRITE, true);
    physmem_clear_code(f->mem, page);
    assert_ptr_equal(fill(f, 0x5000, MMU_WRITE, true), page);
    ASSERT_HIT(f, 0x5000, MMU_WRITE, true);
}

static void test_trace_all(void **state)
{
    struct fixture *f = *state;
    map_4k(f, 0x5000, P | RW, FRAME | P | RW);
    mmu_set_control(&f->mmu, cr0_on, ROOT, 0, false, true);
    f->mmu.trace_all = true;
    mmu_flush_all(&f->mmu);
    assert_ptr_equal(fill(f, 0x5000, MMU_READ, false), f->ram + FRAME);
    assert_ptr_equal(fill(f, 0x5000, MMU_WRITE, false), f->ram + FRAME);
    fill(f, 0x5000, MMU_EXECUTE, false);
    ASSERT_MISS(f, 0x5000, MMU_READ, false);
    ASSERT_MISS(f, 0x5000, MMU_WRITE, false);
    ASSERT_HIT(f, 0x5000, MMU_EXECUTE, false);
}

static void test_overflowing_lists(void **state)
{
    struct fixture *f = *state;
    // Paging off, so that every linear page below 16 MiB has memory; INVLPG leaves list entries
    // behind.
    for (unsigned round = 0; round < 40; round++) {
        for (uint32_t linear = 0; linear < RAM_SIZE; linear += PAGE_SIZE) {
            fill(f, linear, MMU_WRITE, round & 1);
            ASSERT_HIT(f, linear, MMU_WRITE, round & 1);
            ASSERT_HIT(f, linear, MMU_READ, round & 1);
            if (round % 3)
                mmu_flush_page(&f->mmu, linear);
        }
    }
    assert_true(f->mmu.flushes > 0);
    mmu_flush_all(&f->mmu);
    for (uint32_t linear = 0; linear < RAM_SIZE; linear += PAGE_SIZE)
        for (unsigned user = 0; user < 2; user++)
            ASSERT_MISS(f, linear, MMU_WRITE, user);
}

static void on_set_page(void *data, void *cpu)
{
    *(struct qemu_tlb_payload *)cpu = *(struct qemu_tlb_payload *)data;
}

static void test_signal(void **state)
{
    struct fixture *f = *state;
    struct error err;
    struct broker *broker = broker_create();
    struct signal_group *group = broker_register_group(broker, "qemu", NULL, &err);
    struct qemu_tlb_payload seen = {0};
    f->mmu.signal_tlb_set_page = signal_resolve(group, "PLUGIN_QEMU_TLB_SET_PAGE", NULL);
    f->mmu.signal_cpu = &seen;
    set32(f, ROOT + 4, 0x800000 | P | US | PS);
    mmu_set_control(&f->mmu, cr0_on, ROOT, CR4_PSE, false, true);
    fill(f, 0x401234, MMU_READ, true);
    assert_int_equal(seen.size, 0); // nobody subscribed
    assert_non_null(broker_subscribe(broker, "qemu", "PLUGIN_QEMU_TLB_SET_PAGE", on_set_page, NULL,
                                     NULL, &err));
    fill(f, 0x401234, MMU_READ, true);
    assert_int_equal(seen.vaddr, 0x401000);
    assert_true(seen.paddr == 0x801000);
    assert_int_equal(seen.prot, EMU_PROT_READ | EMU_PROT_EXEC);
    assert_int_equal(seen.mmu_idx, 1);
    assert_int_equal(seen.size, 0x400000);
    broker_destroy(broker);
}

static void count_write(void *self, uint8_t *host, size_t length)
{
    *(unsigned *)self += 1;
    assert_int_equal(*host, 0);
}

static void test_debug_access(void **state)
{
    struct fixture *f = *state;
    map_4k(f, 0x5000, P, FRAME | P); // supervisor, read-only: a debugger does not care
    map_4k(f, 0x6000, P, 0x700000 | P);
    mmu_set_control(&f->mmu, cr0_on, ROOT, 0, false, true);
    unsigned calls = 0;
    physmem_set_code_listener(f->mem, count_write, &calls);
    physmem_mark_code(f->mem, f->ram + 0x700000);
    uint8_t data[0x1800], back[0x3000];
    memset(data, 0x5a, sizeof data);
    assert_int_equal(mmu_debug_write(&f->mmu, 0x5c00, data, 0x1000), 0x1000);
    assert_int_equal(calls, 1);
    assert_int_equal(f->ram[FRAME + 0xfff], 0x5a);
    assert_int_equal(f->ram[0x700bff], 0x5a);
    assert_int_equal(f->ram[0x700c00], 0);
    assert_int_equal(mmu_debug_read(&f->mmu, 0x5c00, back, sizeof back), 0x1400); // up to 0x7000
    assert_memory_equal(back, data, 0x1000);
    assert_int_equal(mmu_debug_read(&f->mmu, 0x7000, back, 4), 0);
    assert_int_equal(load_le32(f->ram + TABLE + 5 * 4), FRAME | P); // no accessed bit
}

static void test_describe(void **state)
{
    struct fixture *f = *state;
    char *text = NULL;
    size_t size = 0;
    set32(f, ROOT + 4 * 0x300, 0x400000 | P | RW | PS | A | D);
    map_4k(f, 0x5000, P | RW | US, FRAME | P | US | A | G);
    map_4k(f, 0x6000, P | RW | US, 0x700000 | P | US | PS);
    FILE *out = open_memstream(&text, &size);
    mmu_describe_mappings(&f->mmu, out);
    mmu_set_control(&f->mmu, cr0_on, ROOT, CR4_PSE, false, true);
    mmu_describe_mappings(&f->mmu, out);
    mmu_describe_ranges(&f->mmu, out);
    fclose(out);
    assert_string_equal(text, "PG disabled\n"
                              "0000000000005000: 0000000000300000 -G--A--U-\n"
                              "0000000000006000: 0000000000700000 -------U-\n"
                              "00000000c0000000: 0000000000400000 --PDA---W\n"
                              "0000000000005000-0000000000007000 0000000000002000 ur-\n"
                              "00000000c0000000-00000000c0400000 0000000000400000 -rw\n");
    free(text);
}

// ---- Property: after any sequence of table changes with their flushes, what stands is what a walk
// says ----

#define LINEARS 24u // linear pages in play, four directory entries apart
#define CODES   4u

struct fuzz {
    struct fixture *f;
    struct rng rng;
    uint32_t cr0, cr3, cr4;
    bool nxe;
};

static uint32_t fuzz_linear(unsigned n)
{
    return (n / 6) * 0x400000 + (n % 6 < 3 ? 0 : 0x200000) + (n % 3) * PAGE_SIZE;
}

static uint8_t *fuzz_frame(struct fuzz *z)
{
    return z->f->ram + 0x800000 + rng_below(&z->rng, CODES) * PAGE_SIZE;
}

static uint32_t root_of(unsigned n)
{
    return 0x40000 + n * 0x20000;
}

// Two address spaces in the current format; tables of each linear page's directory are at fixed
// places.
static uint64_t random_leaf(struct fuzz *z, bool large)
{
    uint64_t frame = 0x800000 + (large ? 0 : rng_below(&z->rng, 8) * PAGE_SIZE);
    if (rng_one_in(&z->rng, 12))
        frame = rng_one_in(&z->rng, 2) ? MMIO_BASE & ~(large ? 0x3fffffu : 0u) : 0xf0000000u;
    uint64_t flags = rng_next(&z->rng) & (P | RW | US | G | A | D);
    if (!rng_one_in(&z->rng, 4))
        flags |= P | RW;
    if ((z->cr4 & CR4_PAE) && rng_one_in(&z->rng, 6))
        flags |= NX;
    return frame | flags | (large ? PS : 0);
}

static void random_table_change(struct fuzz *z)
{
    unsigned space = rng_below(&z->rng, 2);
    uint32_t linear = fuzz_linear(rng_below(&z->rng, LINEARS));
    uint32_t root = root_of(space);
    bool large = rng_one_in(&z->rng, 5);
    uint32_t flags = P | RW | (rng_one_in(&z->rng, 8) ? 0 : US);
    if (z->cr4 & CR4_PAE) {
        uint32_t pt = root + 0x2000 + (linear >> 21) * PAGE_SIZE;
        set64(z->f, root, (root + 0x1000) | P);
        set64(z->f, root + 0x1000 + (linear >> 21) * 8,
              large ? random_leaf(z, true) : (pt | flags));
        if (!large)
            set64(z->f, pt + ((linear >> 12) & 0x1ff) * 8, random_leaf(z, false));
    } else {
        uint32_t pt = root + 0x2000 + (linear >> 22) * PAGE_SIZE;
        set32(z->f, root + (linear >> 22) * 4,
              large ? (uint32_t)random_leaf(z, true) : (pt | flags));
        if (!large)
            set32(z->f, pt + ((linear >> 12) & 0x3ff) * 4, (uint32_t)random_leaf(z, false));
    }
    // A directory entry changed, so every page under it may have: flush as an OS would, global
    // pages too.
    for (uint32_t page = 0; page < 0x400000; page += PAGE_SIZE)
        if (page < 3 * PAGE_SIZE || (page >= 0x200000 && page < 0x203000))
            mmu_flush_page(&z->f->mmu, (linear & ~0x3fffffu) + page);
}

static void clear_tables(struct fuzz *z)
{
    memset(z->f->ram + root_of(0), 0, 0x40000);
    for (unsigned space = 0; space < 2; space++)
        if (z->cr4 & CR4_PAE)
            set64(z->f, root_of(space), (root_of(space) + 0x1000) | P);
}

static void apply_control(struct fuzz *z, bool cr3_written)
{
    assert_true(mmu_set_control(&z->f->mmu, z->cr0, z->cr3, z->cr4, z->nxe, cr3_written));
}

static void random_control(struct fuzz *z)
{
    switch (rng_below(&z->rng, 8)) {
    case 0:
        z->cr0 ^= CR0_WP;
        break;
    case 1:
        z->cr4 ^= CR4_PGE;
        break;
    case 2:
        z->nxe = !z->nxe;
        break;
    case 3:
        if (rng_one_in(&z->rng, 8)) {
            z->cr4 ^= CR4_PAE;
            clear_tables(z);
        }
        break;
    case 4:
        if (rng_one_in(&z->rng, 4))
            z->cr0 ^= CR0_PG;
        break;
    case 5:
        // Global pages of the other space would survive, as they do on the hardware; an OS keeps
        // them equal.
        mmu_flush_all(&z->f->mmu);
        z->cr3 = root_of(rng_below(&z->rng, 2));
        break;
    default:
        apply_control(z, true);
        return;
    }
    apply_control(z, false);
}

static void random_code_mark(struct fuzz *z)
{
    uint8_t *page = fuzz_frame(z);
    if (physmem_is_code(z->f->mem, page)) {
        physmem_clear_code(z->f->mem, page);
        return;
    }
    physmem_mark_code(z->f->mem, page);
    mmu_flush_writes_to(&z->f->mmu, page);
}

static void random_fill(struct fuzz *z)
{
    uint32_t linear = fuzz_linear(rng_below(&z->rng, LINEARS)) + rng_below(&z->rng, PAGE_SIZE);
    struct mmu_result result;
    uint8_t *host;
    bool user = rng_one_in(&z->rng, 2);
    enum mmu_access access = rng_below(&z->rng, MMU_ACCESSES);
    if (mmu_fill(&z->f->mmu, linear, access, user, &host, &result) && host) {
        bool code = access == MMU_WRITE && physmem_is_code(z->f->mem, host - (linear & ~PAGE_MASK));
        assert_ptr_equal(mmu_host(&z->f->mmu, linear, access, user), code ? NULL : host);
    }
}

// What a data access is told of its page, from a cache or not, must be what a walk says now.
static void random_access(struct fuzz *z)
{
    uint32_t linear = fuzz_linear(rng_below(&z->rng, LINEARS)) + rng_below(&z->rng, PAGE_SIZE);
    struct mmu_result result, walked;
    uint8_t *host;
    bool user = rng_one_in(&z->rng, 2);
    enum mmu_access access = rng_one_in(&z->rng, 2) ? MMU_WRITE : MMU_READ;
    for (unsigned n = 0; n < 2; n++)
        if (!mmu_fill(&z->f->mmu, linear, access, user, &host, &result))
            return;
    assert_true(mmu_translate(&z->f->mmu, linear, access, user, &walked));
    assert_true(walked.physical == result.physical);
    struct phys_page page = physmem_page(z->f->mem, (uint32_t)result.physical);
    uint8_t *expected = access == MMU_WRITE ? page.write : page.read;
    assert_ptr_equal(host, expected ? expected + (linear & ~PAGE_MASK) : NULL);
}

// An entry that stands must be what a walk gives now, and that walk must have nothing left to mark.
static unsigned check_all(struct fuzz *z)
{
    unsigned live = 0;
    uint8_t *tables = z->f->ram + root_of(0);
    uint8_t *saved = xcalloc(1, 0x40000);
    memcpy(saved, tables, 0x40000);
    for (unsigned n = 0; n < LINEARS; n++) {
        for (unsigned i = 0; i < 2 * MMU_ACCESSES; i++) {
            uint32_t linear = fuzz_linear(n);
            uint8_t *host = mmu_host(&z->f->mmu, linear, i % MMU_ACCESSES, i / MMU_ACCESSES);
            if (!host)
                continue;
            struct mmu_result result;
            assert_true(
                mmu_translate(&z->f->mmu, linear, i % MMU_ACCESSES, i / MMU_ACCESSES, &result));
            assert_ptr_equal(host, z->f->ram + result.physical);
            if (i % MMU_ACCESSES == MMU_WRITE)
                assert_false(physmem_is_code(z->f->mem, host));
            live++;
        }
    }
    assert_memory_equal(saved, tables, 0x40000);
    free(saved);
    return live;
}

static void test_random_sequences(void **state)
{
    struct fixture *f = *state;
    unsigned live = 0;
    for (uint64_t seed = 1; seed <= 30; seed++) {
        struct fuzz z = {.f = f, .rng = {seed}, .cr0 = cr0_on, .cr3 = root_of(0)};
        z.cr4 = CR4_PSE | (seed & 1 ? CR4_PAE : 0) | (seed & 2 ? CR4_PGE : 0);
        clear_tables(&z);
        apply_control(&z, true);
        mmu_flush_all(&f->mmu);
        for (unsigned step = 0; step < 1500; step++) {
            uint32_t kind = rng_below(&z.rng, 16);
            if (kind < 4)
                random_table_change(&z);
            else if (kind == 4)
                random_control(&z);
            else if (kind == 5)
                random_code_mark(&z);
            else if (kind < 11)
                random_fill(&z);
            else
                random_access(&z);
            if (step % 4 == 0)
                live += check_all(&z);
        }
        mmu_flush_all(&f->mmu);
        assert_int_equal(check_all(&z), 0);
    }
    assert_true(live > 10000);
    assert_true(f->mmu.slow_hits > 500);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_fill),
        TEST(test_rom_and_registers),
        TEST(test_global_pages),
        TEST(test_control_changes),
        TEST(test_large_page_goes_as_a_whole),
        TEST(test_code_pages),
        TEST(test_slow_pages),
        TEST(test_trace_all),
        TEST(test_overflowing_lists),
        TEST(test_signal),
        TEST(test_debug_access),
        TEST(test_describe),
        TEST(test_random_sequences),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
