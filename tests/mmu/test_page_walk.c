// SPDX-License-Identifier: MIT
// The page walk: every combination of presence, rights, sizes and reserved bits, with error codes
// and accessed and dirty bits, against the rules of SDM vol. 3 sections 4.3 to 4.8 spelled out once
// more.
#include "paging_fixture.h"

#define LINEAR 0xc0801234u

// One set of paging structures, described by what counts.
struct setup {
    bool pae, pse, nxe, wp, large;
    uint64_t entry[2]; // directory entry, table entry (not used when large)
    bool reserved[2];  // whether the entry has a reserved bit set in this mode
};

struct expectation {
    bool ok;
    uint32_t error;
};

static struct expectation expect(const struct setup *s, enum mmu_access access, bool user)
{
    uint32_t flags = (access == MMU_WRITE ? PF_WRITE : 0) | (user ? PF_USER : 0) |
                     (access == MMU_EXECUTE && s->pae && s->nxe ? PF_FETCH : 0);
    unsigned levels = s->large ? 1 : 2;
    for (unsigned i = 0; i < levels; i++) {
        if (!(s->entry[i] & P))
            return (struct expectation){false, flags};
        if (s->reserved[i])
            return (struct expectation){false, flags | PF_PRESENT | PF_RESERVED};
    }
    bool rw = true, us = true, nx = false;
    for (unsigned i = 0; i < levels; i++) {
        rw &= (s->entry[i] & RW) != 0;
        us &= (s->entry[i] & US) != 0;
        nx |= s->pae && s->nxe && (s->entry[i] & NX);
    }
    bool ok = true;
    if (user)
        ok = us && (access != MMU_WRITE || rw);
    else if (access == MMU_WRITE)
        ok = rw || !s->wp;
    if (access == MMU_EXECUTE && nx)
        ok = false;
    return ok ? (struct expectation){true, 0} : (struct expectation){false, flags | PF_PRESENT};
}

static uint32_t entry_address(const struct setup *s, unsigned level)
{
    if (s->pae)
        return level == 0 ? ROOT + 0x1000 + ((LINEAR >> 21) & 0x1ff) * 8
                          : TABLE + ((LINEAR >> 12) & 0x1ff) * 8;
    return level == 0 ? ROOT + (LINEAR >> 22) * 4 : TABLE + ((LINEAR >> 12) & 0x3ff) * 4;
}

static void install(struct fixture *f, const struct setup *s)
{
    if (s->pae)
        set64(f, ROOT + (LINEAR >> 30) * 8, (ROOT + 0x1000) | P);
    for (unsigned i = 0; i < 2; i++) {
        if (s->pae)
            set64(f, entry_address(s, i), s->entry[i]);
        else
            set32(f, entry_address(s, i), (uint32_t)s->entry[i]);
    }
    uint32_t cr0 = CR0_PE | CR0_PG | (s->wp ? CR0_WP : 0);
    uint32_t cr4 = (s->pae ? CR4_PAE : 0) | (s->pse ? CR4_PSE : 0);
    assert_true(mmu_set_control(&f->mmu, cr0, ROOT, cr4, s->nxe, true));
}

static uint64_t entry_now(struct fixture *f, const struct setup *s, unsigned level)
{
    uint32_t address = entry_address(s, level);
    return s->pae ? load_le64(f->ram + address) : load_le32(f->ram + address);
}

static void check_marks(struct fixture *f, const struct setup *s, bool ok, enum mmu_access access)
{
    for (unsigned i = 0; i < 2; i++) {
        uint64_t want = s->entry[i];
        bool used = i == 0 || !s->large;
        bool leaf = s->large ? i == 0 : i == 1;
        if (ok && used)
            want |= A | (leaf && access == MMU_WRITE ? D : 0);
        assert_true(entry_now(f, s, i) == want);
    }
}

static uint32_t check_setup(struct fixture *f, const struct setup *s, uint64_t frame)
{
    uint32_t page_size = !s->large ? PAGE_SIZE : s->pae ? 0x200000 : 0x400000;
    uint32_t faults = 0;
    for (unsigned user = 0; user < 2; user++) {
        for (enum mmu_access access = MMU_READ; access <= MMU_EXECUTE; access++) {
            install(f, s);
            uint64_t physical;
            bool mapped = mmu_probe(&f->mmu, LINEAR, &physical);
            check_marks(f, s, false, access); // probing leaves no trace
            struct mmu_result result;
            struct expectation e = expect(s, access, user);
            bool ok = mmu_translate(&f->mmu, LINEAR, access, user, &result);
            assert_int_equal(ok, e.ok);
            if (ok) {
                assert_true(result.physical == (frame | (LINEAR & (page_size - 1))));
                assert_true(mapped && physical == result.physical);
            } else {
                assert_int_equal(result.error_code, e.error);
            }
            check_marks(f, s, ok, access);
            faults += !ok;
        }
    }
    return faults;
}

static void test_two_level(void **state)
{
    struct fixture *f = *state;
    uint32_t faults = 0;
    for (unsigned bits = 0; bits < 256; bits++) {
        struct setup s = {.wp = bits & 64, .pse = bits & 128};
        s.entry[0] = TABLE | (bits & 7) | (s.pse ? 0 : PS); // PS means nothing without CR4.PSE
        s.entry[1] = FRAME | ((bits >> 3) & 7) | PS;        // bit 7 of a table entry is PAT
        faults += check_setup(f, &s, FRAME);
    }
    assert_true(faults > 0 && faults < 256 * 6);
}

static void test_large_4m(void **state)
{
    struct fixture *f = *state;
    for (unsigned bits = 0; bits < 16; bits++) {
        for (unsigned extra = 12; extra < 22; extra++) { // PAT, PSE-36 address bits, reserved bits
            struct setup s = {.wp = bits & 8, .pse = true, .large = true};
            s.entry[0] = 0x00800000 | PS | (bits & 7) | 1u << extra;
            s.reserved[0] = extra >= 17;
            uint64_t high = extra >= 13 && extra < 17 ? UINT64_C(1) << (32 + extra - 13) : 0;
            check_setup(f, &s, high | 0x00800000);
        }
    }
}

static void test_pae_4k(void **state)
{
    struct fixture *f = *state;
    for (unsigned bits = 0; bits < 1024; bits++) {
        struct setup s = {.pae = true, .wp = bits & 64, .nxe = bits & 128};
        s.entry[0] = TABLE | (bits & 7) | (bits & 256 ? NX : 0);
        s.entry[1] = FRAME | ((bits >> 3) & 7) | (bits & 512 ? NX : 0);
        for (unsigned i = 0; i < 2; i++)
            s.reserved[i] = !s.nxe && (s.entry[i] & NX);
        check_setup(f, &s, FRAME);
    }
}

static void test_pae_2m(void **state)
{
    struct fixture *f = *state;
    for (unsigned bits = 0; bits < 64; bits++) {
        struct setup s = {.pae = true, .wp = bits & 8, .nxe = bits & 16, .large = true};
        s.entry[0] = 0x00600000 | PS | (bits & 7) | (bits & 32 ? NX : 0);
        s.reserved[0] = !s.nxe && (s.entry[0] & NX);
        check_setup(f, &s, 0x00600000);
    }
}

static void test_pae_reserved_bits(void **state)
{
    struct fixture *f = *state;
    for (unsigned large = 0; large < 2; large++) {
        for (unsigned level = 0; level < (large ? 1 : 2); level++) {
            for (unsigned bit = 12; bit < 63; bit++) {
                bool address_bit = bit < 36 && (level == 1 || bit >= 21 || !large);
                if (address_bit || (large && bit == 12)) // PAT of a large page
                    continue;
                struct setup s = {.pae = true, .nxe = true, .large = large};
                s.entry[0] = large ? 0x00600000 | PS | P | RW | US : TABLE | P | RW | US;
                s.entry[1] = FRAME | P | RW | US;
                s.entry[level] |= UINT64_C(1) << bit;
                s.reserved[level] = true;
                assert_int_equal(check_setup(f, &s, 0), 6);
            }
        }
    }
}

// Frames above 4 GiB translate, and absent memory stands there.
static void test_pae_high_frame(void **state)
{
    struct fixture *f = *state;
    struct setup s = {.pae = true,
                      .entry = {TABLE | P | RW | US, UINT64_C(0xf00300000) | P | RW | US}};
    check_setup(f, &s, UINT64_C(0xf00300000));
    struct mmu_result result;
    uint8_t *host;
    assert_true(mmu_fill(&f->mmu, LINEAR, MMU_WRITE, true, &host, &result));
    assert_null(host);
    ASSERT_MISS(f, LINEAR, MMU_WRITE, true);
    // A directory up there reads as ones: present, and full of reserved bits.
    set64(f, entry_address(&s, 0), UINT64_C(0xf00300000) | P | RW | US);
    assert_false(mmu_translate(&f->mmu, LINEAR, MMU_READ, false, &result));
    assert_int_equal(result.error_code, PF_PRESENT | PF_RESERVED);
}

static void test_pdptes(void **state)
{
    struct fixture *f = *state;
    struct mmu_result result;
    uint32_t cr0 = CR0_PE | CR0_PG;
    set64(f, ROOT, (ROOT + 0x1000) | P);
    set64(f, ROOT + 8, 0x1e6); // absent: reserved bits do not count
    assert_true(mmu_set_control(&f->mmu, cr0, ROOT, CR4_PAE, true, true));
    assert_false(mmu_translate(&f->mmu, 0x40000000, MMU_READ, true, &result));
    assert_int_equal(result.error_code, PF_USER);

    static const unsigned reserved[] = {1, 2, 5, 6, 7, 8, 36, 51, 52, 62, 63};
    for (unsigned i = 0; i < ARRAY_SIZE(reserved); i++) {
        set64(f, ROOT + 24, (ROOT + 0x1000) | P | UINT64_C(1) << reserved[i]);
        struct mmu before = f->mmu;
        assert_false(mmu_set_control(&f->mmu, cr0 | CR0_WP, ROOT, CR4_PAE, true, true));
        assert_memory_equal(&before, &f->mmu, sizeof before);
        // No CR3 load, nothing that loads them: no check.
        assert_true(mmu_set_control(&f->mmu, cr0 | CR0_WP, ROOT, CR4_PAE, true, false));
        assert_true(mmu_set_control(&f->mmu, cr0, ROOT, CR4_PAE, true, false));
        assert_false(mmu_set_control(&f->mmu, cr0, ROOT, CR4_PAE | CR4_PGE, true, false));
    }
    // The registers hold the entries: memory may change until the next load.
    set64(f, ROOT + 24, 0);
    set64(f, ROOT, 0);
    set64(f, ROOT + 0x1000, TABLE | P | RW | US);
    set64(f, TABLE, FRAME | P | RW | US);
    assert_true(mmu_translate(&f->mmu, 0x123, MMU_READ, true, &result));
    assert_true(result.physical == FRAME + 0x123);
    assert_true(
        mmu_set_control(&f->mmu, cr0, ROOT + 0x20, CR4_PAE, true, true)); // 32-byte aligned table
    assert_false(mmu_translate(&f->mmu, 0x123, MMU_READ, true, &result));
    assert_int_equal(mmu_context(&f->mmu), ROOT + 0x20);
}

static void test_paging_off(void **state)
{
    struct fixture *f = *state;
    struct mmu_result result;
    uint8_t *host;
    assert_true(mmu_fill(&f->mmu, 0x101234, MMU_WRITE, true, &host, &result));
    assert_ptr_equal(host, f->ram + 0x101234);
    assert_ptr_equal(mmu_host(&f->mmu, 0x101000, MMU_WRITE, true), f->ram + 0x101000);
    physmem_set_a20(f->mem, false);
    mmu_flush_all(&f->mmu);
    assert_true(mmu_fill(&f->mmu, 0x101234, MMU_READ, false, &host, &result));
    assert_true(result.physical == 0x1234);
    assert_ptr_equal(host, f->ram + 0x1234);
    assert_true(mmu_fill(&f->mmu, MMIO_BASE, MMU_READ, false, &host, &result));
    assert_null(host);
    ASSERT_MISS(f, MMIO_BASE, MMU_READ, false);
}

// With A20 closed the walk itself reads through the gate.
static void test_a20_in_walk(void **state)
{
    struct fixture *f = *state;
    struct mmu_result result;
    map_4k(f, 0x5000, P | RW, 0x500000 | P | RW);
    assert_true(mmu_set_control(&f->mmu, CR0_PE | CR0_PG, ROOT | 0x100000, 0, false, true));
    assert_false(mmu_translate(&f->mmu, 0x5000, MMU_READ, false, &result));
    physmem_set_a20(f->mem, false);
    assert_true(mmu_translate(&f->mmu, 0x5000, MMU_READ, false, &result));
    assert_true(result.physical == 0x400000);
}

static void test_tables_in_registers_and_nowhere(void **state)
{
    struct fixture *f = *state;
    struct mmu_result result;
    static const uint32_t roots[] = {MMIO_BASE, 0xf0000000, ROM_BASE};
    for (unsigned pae = 0; pae < 2; pae++) {
        for (unsigned i = 0; i < ARRAY_SIZE(roots); i++) {
            assert_true(mmu_set_control(&f->mmu, 0, 0, 0, false, true));
            // Absent memory holds ones: as PDPTEs those have reserved bits.
            bool ok =
                mmu_set_control(&f->mmu, CR0_PE | CR0_PG, roots[i], pae ? CR4_PAE : 0, false, true);
            assert_int_equal(ok, !(pae && roots[i] == 0xf0000000));
            unsigned reads = f->mmio_reads;
            uint64_t physical;
            mmu_probe(&f->mmu, 0x1234, &physical);
            assert_int_equal(f->mmio_reads, reads); // a probe touches no register
            for (enum mmu_access access = MMU_READ; access <= MMU_EXECUTE; access++)
                mmu_translate(&f->mmu, 0x1234, access, false, &result);
        }
    }
    // A table behind registers that answer 0: not present, and the register was read.
    assert_true(mmu_set_control(&f->mmu, CR0_PE | CR0_PG, MMIO_BASE, 0, false, true));
    unsigned reads = f->mmio_reads;
    assert_false(mmu_translate(&f->mmu, 0x1234, MMU_READ, false, &result));
    assert_int_equal(result.error_code, 0);
    assert_true(f->mmio_reads > reads);
}

static void mark_written(void *self, uint8_t *host, size_t length)
{
    *(unsigned *)self += 1;
}

// Setting an accessed bit in a page that holds code tells the code tracker.
static void test_marks_in_code_page(void **state)
{
    struct fixture *f = *state;
    unsigned calls = 0;
    struct mmu_result result;
    physmem_set_code_listener(f->mem, mark_written, &calls);
    map_4k(f, 0x5000, P | RW, FRAME | P | RW);
    physmem_mark_code(f->mem, f->ram + TABLE);
    mmu_set_control(&f->mmu, CR0_PE | CR0_PG, ROOT, 0, false, true);
    mmu_translate(&f->mmu, 0x5000, MMU_READ, false, &result);
    assert_int_equal(calls, 1);
    mmu_translate(&f->mmu, 0x5000, MMU_READ, false, &result);
    assert_int_equal(calls, 1);
    mmu_translate(&f->mmu, 0x5000, MMU_WRITE, false, &result);
    assert_int_equal(calls, 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_two_level),
        TEST(test_large_4m),
        TEST(test_pae_4k),
        TEST(test_pae_2m),
        TEST(test_pae_reserved_bits),
        TEST(test_pae_high_frame),
        TEST(test_pdptes),
        TEST(test_paging_off),
        TEST(test_a20_in_walk),
        TEST(test_tables_in_registers_and_nowhere),
        TEST(test_marks_in_code_page),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
