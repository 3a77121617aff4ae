// SPDX-License-Identifier: MIT
// The reader of PE export tables: a small image, then images whose pages are missing one by one,
// then many with damaged bytes. Nothing may be read outside of the image, nothing may leak or hang.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/pe_exports.h"

enum { IMAGE = 0x5000, EXPORTS = 0x3f80 }; // the table crosses a page's end

struct image {
    uint8_t bytes[IMAGE];
    bool missing[IMAGE / 4096];
};

static void put16(struct image *im, uint32_t at, uint16_t v)
{
    memcpy(im->bytes + at, &v, 2);
}

static void put32(struct image *im, uint32_t at, uint32_t v)
{
    memcpy(im->bytes + at, &v, 4);
}

static size_t read_image(void *self, uint32_t rva, void *buffer, size_t length)
{
    const struct image *im = self;
    size_t done = 0;
    while (done < length && rva + done < IMAGE && !im->missing[(rva + done) / 4096]) {
        ((uint8_t *)buffer)[done] = im->bytes[rva + done];
        done++;
    }
    return done;
}

// Functions: 0 "beta" 0x1000, 1 a gap, 2 a forwarder, 3 "alpha" 0x1800, 4 ordinal only 0x1400.
static void make_image(struct image *im)
{
    const uint32_t d = EXPORTS;
    memset(im, 0, sizeof *im);
    memcpy(im->bytes, "MZ", 2);
    put32(im, 0x3c, 0x80);
    memcpy(im->bytes + 0x80, "PE", 2);
    put16(im, 0x84, 0x14c);
    put16(im, 0x98, 0x10b);
    put32(im, 0x98 + 56, IMAGE);
    put32(im, 0x98 + 92, 16);
    put32(im, 0x98 + 96, d);
    put32(im, 0x98 + 100, 0x200);
    put32(im, d + 16, 5);
    put32(im, d + 20, 5);
    put32(im, d + 24, 2);
    put32(im, d + 28, d + 40);
    put32(im, d + 32, d + 60);
    put32(im, d + 36, d + 68);
    const uint32_t functions[5] = {0x1000, 0, EXPORTS + 0x100, 0x1800, 0x1400};
    memcpy(im->bytes + d + 40, functions, sizeof functions);
    put32(im, d + 60, d + 72);
    put32(im, d + 64, d + 0x7c);
    put16(im, d + 68, 3);
    put16(im, d + 70, 0);
    memcpy(im->bytes + d + 72, "alpha", 6);
    memcpy(im->bytes + d + 0x7c, "beta_on_two_pages", 18);
}

static void check_whole(const struct pe_exports *e)
{
    assert_int_equal(e->image_size, IMAGE);
    assert_int_equal(e->count, 3);
    assert_int_equal(e->missing_count, 0);
    assert_int_equal(e->list[0].rva, 0x1000);
    assert_string_equal(e->list[0].name, "beta_on_two_pages");
    assert_int_equal(e->list[0].ordinal, 5);
    assert_int_equal(e->list[1].rva, 0x1400);
    assert_null(e->list[1].name);
    assert_int_equal(e->list[1].ordinal, 9);
    assert_int_equal(e->list[2].rva, 0x1800);
    assert_string_equal(e->list[2].name, "alpha");
}

static void test_whole(void **state)
{
    struct image im;
    struct pe_reader reader = {read_image, &im};
    struct pe_exports e;
    make_image(&im);
    assert_true(pe_exports_read(&reader, &e));
    check_whole(&e);
    pe_exports_free(&e);
}

static void test_missing_pages(void **state)
{
    struct image im;
    struct pe_reader reader = {read_image, &im};
    struct pe_exports e;
    make_image(&im);
    memset(im.missing, true, sizeof im.missing);
    assert_true(pe_exports_read(&reader, &e));
    assert_int_equal(e.count, 0);
    assert_true(pe_exports_misses(&e, 0));
    assert_false(pe_exports_misses(&e, 0x3000));
    pe_exports_free(&e);
    im.missing[0] = false;
    assert_true(pe_exports_read(&reader, &e));
    assert_true(pe_exports_misses(&e, 0x3fff));
    pe_exports_free(&e);
    im.missing[3] = false; // the functions are known, one name is cut off
    assert_true(pe_exports_read(&reader, &e));
    assert_int_equal(e.count, 3);
    assert_null(e.list[0].name);
    assert_string_equal(e.list[2].name, "alpha");
    assert_true(pe_exports_misses(&e, 0x4000));
    pe_exports_free(&e);
    im.missing[4] = false;
    assert_true(pe_exports_read(&reader, &e));
    check_whole(&e);
    pe_exports_free(&e);
}

static void refuse(const struct image *good, uint32_t at, uint8_t value)
{
    struct image im = *good;
    struct pe_reader reader = {read_image, &im};
    struct pe_exports e;
    im.bytes[at] = value;
    assert_false(pe_exports_read(&reader, &e));
    pe_exports_free(&e);
}

static void test_no_image(void **state)
{
    struct image im;
    make_image(&im);
    refuse(&im, 0, 'm');
    refuse(&im, 0x3f, 0x80); // e_lfanew far out
    refuse(&im, 0x80, 'X');
    refuse(&im, 0x84, 0x64);      // another machine
    refuse(&im, 0x99, 0x02);      // PE32+
    refuse(&im, 0x98 + 59, 0xff); // SizeOfImage
}

static void test_damaged(void **state)
{
    struct image im;
    struct pe_reader reader = {read_image, &im};
    uint32_t seed = 1;
    for (unsigned round = 0; round < 20000; round++) {
        make_image(&im);
        for (unsigned i = 0; i < 1 + round % 8; i++) {
            seed = seed * 1664525 + 1013904223;
            uint32_t where = seed >> 8;
            // Bytes of the headers, of the directory, of its tables.
            uint32_t at = where % 3 == 0 ? where / 3 % 0x110 : EXPORTS + where / 3 % 0x90;
            im.bytes[at] = (uint8_t)((seed >> 24) ^ seed);
        }
        struct pe_exports e;
        bool ok = pe_exports_read(&reader, &e);
        for (unsigned i = 0; ok && i < e.count; i++) {
            assert_true(e.list[i].rva < e.image_size);
            assert_true(!e.list[i].name || strlen(e.list[i].name) <= 512);
        }
        assert_true(e.count <= 65536);
        pe_exports_free(&e);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole), cmocka_unit_test(test_missing_pages),
        cmocka_unit_test(test_no_image), cmocka_unit_test(test_damaged)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
