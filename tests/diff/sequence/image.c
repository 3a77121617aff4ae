// SPDX-License-Identifier: MIT
// A program as memory: the kernel, descriptor tables, page tables, code, data.
#include "sequence.h"

#include "cpu/segments.h"

extern const uint8_t sequence_kernel[], sequence_kernel_end[];

static uint8_t *frame(struct image *image, unsigned number)
{
    return image->ram + number * PAGE_SIZE;
}

static void descriptor(struct image *image, unsigned selector, uint32_t base, uint32_t limit,
                       unsigned access, unsigned flags)
{
    uint8_t *d = frame(image, FRAME_GDT) + (selector & 0xfff8u);
    store_le32(d, (limit & 0xffff) | base << 16);
    store_le32(d + 4, (base >> 16 & 0xff) | access << 8 | (limit & 0xf0000) | flags << 20 |
                          (base & 0xff000000u));
}

static void make_gdt(struct image *image)
{
    descriptor(image, SEL_CODE0, 0, 0xfffff, 0x9b, 0xc);
    descriptor(image, SEL_DATA0, 0, 0xfffff, 0x93, 0xc);
    descriptor(image, SEL_CODE3, 0, 0xfffff, 0xfb, 0xc);
    descriptor(image, SEL_DATA3, 0, 0xfffff, 0xf3, 0xc);
    descriptor(image, SEL_TSS, TSS, 0x67, 0x8b, 0);
    descriptor(image, SEL_TSS_DF, TSS_DF, 0x67, 0x89, 0);
    descriptor(image, SEL_CODE16_0, CODE, 0x3fff, 0x9a, 0);
    descriptor(image, SEL_CODE16_3, CODE, 0x3fff, 0xfa, 0);
    descriptor(image, SEL_BASED_0, CODE, 0x3fff, 0x9a, 4);
    descriptor(image, SEL_BASED_3, CODE, 0x3fff, 0xfa, 4);
    descriptor(image, SEL_LIMITED, 0, 0x27fff, 0xf2, 4);
    descriptor(image, SEL_BASED_DATA, 0x8000, 0x30fff, 0xf2, 4);
    descriptor(image, SEL_READ_ONLY, 0, 0xfffff, 0xf0, 0xc);
    descriptor(image, SEL_DOWN, 0, 0x1ffff, 0xf6, 4);
    descriptor(image, SEL_FULL, 0x4000, 0xfffff, 0xf2, 0xc);
    descriptor(image, SEL_ABSENT, 0, 0xfffff, 0x72, 0xc);
    descriptor(image, SEL_STACK16_3, STACK, 0xffff, 0xf2, 0);
    descriptor(image, SEL_STACK16_0, STACK, 0xffff, 0x92, 0);
    uint8_t *gate = frame(image, FRAME_GDT) + (SEL_GATE & 0xf8);
    store_le32(gate, (uint32_t)SEL_CODE0 << 16 | ((STUBS + STUB_GATE) & 0xffff));
    store_le32(gate + 4, ((STUBS + STUB_GATE) & 0xffff0000u) | 0xec00);
}

static void set_gate(struct image *image, unsigned vector, uint32_t stub, unsigned access)
{
    uint8_t *d = frame(image, FRAME_IDT) + 8 * vector;
    store_le32(d, (uint32_t)SEL_CODE0 << 16 | (stub & 0xffff));
    store_le32(d + 4, (stub & 0xffff0000u) | access << 8);
}

static void make_idt(struct image *image)
{
    for (unsigned v = 0; v < 21; v++)
        set_gate(image, v, STUBS + v * EXCEPTION_STUB, v == 3 || v == 4 ? 0xee : 0x8e);
    uint8_t *df = frame(image, FRAME_IDT) + 8 * EXC_DF;
    store_le32(df, (uint32_t)SEL_TSS_DF << 16);
    store_le32(df + 4, 0x8500);
    set_gate(image, VECTOR_DEVICE, STUBS + STUB_DEVICE, 0x8e);
    for (unsigned i = 0; i < SERVICES; i++)
        set_gate(image, VECTOR_SERVICE + i, STUBS + STUB_SERVICES + i * SERVICE_STUB, 0xee);
}

static void make_tss(struct image *image)
{
    uint8_t *tss = frame(image, FRAME_TSS);
    store_le32(tss + 4, KERNEL + (FRAME_STACK0 + 1) * PAGE_SIZE);
    store_le32(tss + 8, SEL_DATA0);
    store_le32(tss + 100, 0x680000); // no I/O permissions
    uint8_t *df = tss + (TSS_DF - TSS);
    store_le32(df + 28, FRAME_DIR_A * PAGE_SIZE);
    store_le32(df + 32, STUBS + STUB_DF);
    store_le32(df + 36, FLAG_FIXED);
    store_le32(df + 56, KERNEL + (FRAME_STACK_DF + 1) * PAGE_SIZE);
    static const uint8_t data_segments[] = {72, 80, 84};
    for (unsigned i = 0; i < sizeof data_segments; i++)
        store_le32(df + data_segments[i], SEL_DATA0);
    store_le32(df + 76, SEL_CODE0);
    store_le32(df + 100, 0x680000);
}

static uint32_t data_entry(const struct program *p, unsigned page, bool other)
{
    unsigned source = page;
    if (other && page >= PAGE_PERMUTED && page < PAGE_PERMUTED + 4)
        source = PAGE_PERMUTED + ((page - PAGE_PERMUTED) ^ 1);
    uint32_t address = (FRAME_DATA + source) * PAGE_SIZE;
    switch (p->pages[page]) {
    case PAGE_LAZY:
        return address | 0x206;
    case PAGE_RO:
        return address | 5;
    case PAGE_SUPERVISOR:
        return address | 3;
    case PAGE_CODE:
        return (FRAME_CODE + page % CODE_PAGES) * PAGE_SIZE | 7;
    case PAGE_MMIO:
        return MMIO_PHYSICAL | 7;
    case PAGE_ROM:
        return ROM_PHYSICAL | 7;
    case PAGE_ALIAS:
        return (FRAME_DATA + (page + DATA_PAGES - 1) % DATA_PAGES) * PAGE_SIZE | 7;
    case PAGE_ABSENT:
        return address | 6;
    default:
        return address | 7;
    }
}

static void make_tables(struct image *image, const struct program *p)
{
    uint32_t global = p->pge ? 0x100 : 0;
    for (unsigned other = 0; other < 2; other++) {
        uint8_t *dir = frame(image, other ? FRAME_DIR_B : FRAME_DIR_A);
        uint8_t *table = frame(image, other ? FRAME_TABLE_B : FRAME_TABLE_A);
        unsigned frame_of_table = other ? FRAME_TABLE_B : FRAME_TABLE_A;
        store_le32(dir, frame_of_table * PAGE_SIZE | 7);
        store_le32(dir + (KERNEL >> 22) * 4, FRAME_TABLE_K * PAGE_SIZE | 3);
        for (unsigned i = 0; i < CODE_PAGES; i++)
            store_le32(table + 4 * ((CODE >> 12) + i),
                       (FRAME_CODE + i) * PAGE_SIZE | (p->code_writable ? 7 : 5));
        for (unsigned i = 0; i < DATA_PAGES; i++)
            store_le32(table + 4 * ((DATA >> 12) + i), data_entry(p, i, other));
        for (unsigned i = 0; i < 2; i++)
            store_le32(table + 4 * ((STACK >> 12) + i), (FRAME_STACK + i) * PAGE_SIZE | 7);
        store_le32(table + 4 * (SCRATCH >> 12), FRAME_SCRATCH * PAGE_SIZE | 7);
    }
    for (unsigned i = 0; i < FRAMES; i++)
        store_le32(frame(image, FRAME_TABLE_K) + 4 * i, i * PAGE_SIZE | 3 | global);
}

static void make_variables(struct image *image, const struct program *p)
{
    bool user = p->cpl == 3;
    uint8_t *v = frame(image, FRAME_VARIABLES);
    store_le32(v + (VAR_FAULTS - VARIABLES), p->faults);
    store_le32(v + (VAR_CS - VARIABLES), user ? SEL_CODE3 : SEL_CODE0);
    store_le32(v + (VAR_DS - VARIABLES), user ? SEL_DATA3 : SEL_DATA0);
    store_le32(v + (VAR_ESP - VARIABLES), user && p->fix_esp ? STACK_TOP : 0);
    uint32_t patch = CODE;
    if (p->patch.item != NO_ITEM && !p->items[p->patch.item].dropped) {
        patch = KERNEL + FRAME_CODE * PAGE_SIZE + image->at[p->patch.item] + p->patch.at;
        store_le32(v + (VAR_PATCH_XOR - VARIABLES), p->patch.change);
    }
    store_le32(v + (VAR_PATCH - VARIABLES), patch);
    store_le32(v + (VAR_REMAP - VARIABLES), CODE + p->remap * PAGE_SIZE);
}

static void make_scratch(struct image *image, const struct program *p)
{
    static const uint8_t far_selectors[] = {SEL_DATA3,     SEL_FULL, SEL_LIMITED, SEL_BASED_DATA,
                                            SEL_READ_ONLY, SEL_DOWN, SEL_ABSENT,  0};
    uint8_t *s = frame(image, FRAME_SCRATCH);
    store_le32(s + (SCRATCH_RESUME - SCRATCH), CODE + image->at[p->count ? p->count - 1 : 0]);
    for (unsigned i = 0; i < p->count; i++)
        if (p->items[i].section == SECTION_MAIN)
            store_le32(s + (SCRATCH_RESUME - SCRATCH), CODE + image->at[i]);
    for (unsigned i = 0; i < 12; i++) {
        store_le32(s + (SCRATCH_FAR - SCRATCH) + 8 * i, DATA + i * 0x804);
        store_le32(s + (SCRATCH_FAR - SCRATCH) + 8 * i + 4, far_selectors[i % 8]);
    }
    store_le16(s + (SCRATCH_IMAGE - SCRATCH), 0x37f);
    store_le16(s + (SCRATCH_IMAGE - SCRATCH) + 0x200, 0x37f);
    store_le32(s + (SCRATCH_IMAGE - SCRATCH) + 0x200 + 24, 0x1f80);
}

static uint32_t alias_of(const struct program *p, uint32_t at)
{
    for (unsigned i = 0; i < DATA_PAGES; i++)
        if (p->pages[i] == PAGE_CODE && i % CODE_PAGES == at / PAGE_SIZE)
            return DATA + i * PAGE_SIZE + at % PAGE_SIZE;
    return CODE + at;
}

void image_item(const struct image *image, const struct program *p, unsigned index, uint8_t *bytes)
{
    const struct item *item = &p->items[index];
    memcpy(bytes, item->bytes, item->length);
    for (unsigned i = 0; i < item->reloc_count; i++) {
        const struct reloc *reloc = &item->relocs[i];
        unsigned target = reloc->target < p->count ? reloc->target : p->count;
        uint32_t to = image->at[target] + reloc->addend;
        uint32_t here = image->at[index] + reloc->at;
        uint8_t *place = bytes + reloc->at;
        switch (reloc->kind) {
        case RELOC_REL8: {
            int32_t distance = (int32_t)(to - here - 1);
            *place = (uint8_t)(distance >= -128 && distance < 128 ? distance : 0);
            break;
        }
        case RELOC_REL32:
            store_le32(place, to - here - 4);
            break;
        case RELOC_ALIAS:
            store_le32(place, alias_of(p, to));
            break;
        case RELOC_LINEAR:
            store_le32(place, CODE + to);
            break;
        default:
            store_le32(place, to);
        }
    }
}

static void place_items(struct image *image, const struct program *p)
{
    uint32_t at[SECTIONS];
    for (unsigned s = 0; s < SECTIONS; s++)
        at[s] = p->section_base[s];
    for (unsigned i = 0; i < p->count; i++) {
        const struct item *item = &p->items[i];
        image->at[i] = (uint16_t)at[item->section];
        at[item->section] += item->dropped ? 0 : item->length;
    }
    image->at[p->count] = (uint16_t)at[SECTION_MAIN];
}

static void change(struct image *image, const struct program *p, unsigned n)
{
    unsigned index = p->other[n].item;
    if (index == NO_ITEM || p->items[index].dropped)
        return;
    unsigned at = image->at[index] + p->other[n].at;
    if (at < CODE_PAGES * PAGE_SIZE)
        frame(image, FRAME_OTHER)[at] ^= p->other[n].change;
}

void image_make(struct image *image, const struct program *p)
{
    memset(image, 0, sizeof *image);
    if (p->memory_seed) {
        struct random r = {.state = p->memory_seed};
        for (uint32_t at = FRAME_DATA * PAGE_SIZE; at < FRAME_SCRATCH * PAGE_SIZE; at += 8) {
            uint32_t low = random_next(&r);
            store_le64(image->ram + at, r.state << 20 ^ low);
        }
    }
    memcpy(frame(image, FRAME_KERNEL), sequence_kernel,
           (size_t)(sequence_kernel_end - sequence_kernel));
    make_gdt(image);
    make_idt(image);
    make_tss(image);
    place_items(image, p);
    uint8_t *code = frame(image, FRAME_CODE);
    memset(code, 0xf4, CODE_PAGES * PAGE_SIZE);
    for (unsigned i = 0; i < p->count; i++)
        if (!p->items[i].dropped && image->at[i] + ITEM_BYTES <= CODE_PAGES * PAGE_SIZE)
            image_item(image, p, i, code + image->at[i]);
    memcpy(frame(image, FRAME_OTHER), code, CODE_PAGES * PAGE_SIZE);
    for (unsigned n = 0; n < ARRAY_SIZE(p->other); n++)
        change(image, p, n);
    make_tables(image, p);
    make_variables(image, p);
    make_scratch(image, p);
}
