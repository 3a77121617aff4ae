// SPDX-License-Identifier: MIT
// A plugin file is checked before the dynamic linker sees it, because a damaged object would kill
// the process there: headers, segments, the dynamic section, and each relocation's place and
// symbol. Left out: what the code itself does.
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <xxhash.h>

#include "plugin/host_internal.h"

#define MAX_SEGMENTS 64u
#define MAX_IMAGE    (UINT64_C(1) << 30)

struct image {
    const uint8_t *data;
    uint64_t size;
    const Elf64_Phdr *segments;
    unsigned count;
    uint64_t end; // highest address
};

static const uint8_t *aligned(const uint8_t *at, uintptr_t alignment)
{
    return (uintptr_t)at % alignment == 0 ? at : NULL;
}

// The file bytes behind [address, address + length) of the image, NULL when a part has none or when
// they are not aligned like their elements.
static const void *image_at(const struct image *image, uint64_t address, uint64_t length,
                            uintptr_t alignment)
{
    for (unsigned i = 0; i < image->count; i++) {
        const Elf64_Phdr *s = &image->segments[i];
        if (s->p_type == PT_LOAD && address >= s->p_vaddr && address - s->p_vaddr <= s->p_filesz &&
            length <= s->p_filesz - (address - s->p_vaddr))
            return aligned(image->data + s->p_offset + (address - s->p_vaddr), alignment);
    }
    return NULL;
}

static bool header_is_sane(struct image *image)
{
    const Elf64_Ehdr *h = (const void *)image->data;
    if (image->size < sizeof *h || memcmp(h->e_ident, ELFMAG, SELFMAG) != 0 ||
        h->e_ident[EI_CLASS] != ELFCLASS64 || h->e_ident[EI_DATA] != ELFDATA2LSB ||
        h->e_type != ET_DYN || h->e_machine != EM_X86_64 || h->e_phentsize != sizeof(Elf64_Phdr) ||
        h->e_phnum == 0 || h->e_phnum > MAX_SEGMENTS || h->e_phoff % 8 != 0 ||
        h->e_phoff > image->size || h->e_phnum * sizeof(Elf64_Phdr) > image->size - h->e_phoff)
        return false;
    uint64_t sections = (uint64_t)h->e_shnum * h->e_shentsize;
    image->segments = (const void *)(image->data + h->e_phoff);
    image->count = h->e_phnum;
    return h->e_shoff <= image->size && sections <= image->size - h->e_shoff;
}

// The dynamic linker, and whoever asks it, reads them where PT_PHDR says, or in the first segment
// whose pages have them: they must be there, and not where relocations and the plugin write.
static bool program_headers_are_sane(const struct image *image)
{
    const uint64_t bytes = image->count * sizeof image->segments[0];
    const uint64_t table = (uint64_t)((const uint8_t *)image->segments - image->data);
    bool found = false;
    for (unsigned i = 0; i < image->count; i++) {
        const Elf64_Phdr *s = &image->segments[i];
        uint64_t first = s->p_offset & ~(uint64_t)4095, end = s->p_offset + s->p_filesz + 4095;
        if (s->p_type == PT_PHDR && image_at(image, s->p_vaddr, bytes, 8) != image->segments)
            return false;
        if (found || s->p_type != PT_LOAD || first > table ||
            (end & ~(uint64_t)4095) < table + bytes)
            continue;
        found = true;
        if (s->p_flags & PF_W)
            return false;
    }
    return true;
}

// What becomes read-only after relocation must be the plugin's own.
static bool relro_is_sane(const struct image *image, const Elf64_Phdr *relro)
{
    for (unsigned i = 0; i < image->count; i++) {
        const Elf64_Phdr *s = &image->segments[i];
        uint64_t end = (s->p_vaddr + s->p_memsz + 4095) & ~(uint64_t)4095;
        if (s->p_type == PT_LOAD && (s->p_flags & PF_W) && relro->p_vaddr >= s->p_vaddr &&
            relro->p_vaddr <= end && relro->p_memsz <= end - relro->p_vaddr)
            return true;
    }
    return false;
}

// Parts of the image with a meaning for the dynamic linker.
static bool parts_are_sane(const struct image *image)
{
    for (unsigned i = 0; i < image->count; i++) {
        const Elf64_Phdr *s = &image->segments[i];
        switch (s->p_type) {
        case PT_GNU_RELRO:
            if (!relro_is_sane(image, s))
                return false;
            break;
        case PT_TLS:
            if (!image_at(image, s->p_vaddr, s->p_filesz, 1) || s->p_memsz < s->p_filesz ||
                s->p_memsz > MAX_IMAGE || s->p_align > 4096 || (s->p_align & (s->p_align - 1)) != 0)
                return false;
            break;
        case PT_NOTE:
        case PT_GNU_PROPERTY:
            if (!image_at(image, s->p_vaddr, s->p_memsz, 4))
                return false;
            break;
        default:
            break;
        }
    }
    return true;
}

// Each byte of the file is mapped once: where its headers and tables are, nothing else may be.
static bool segments_are_sane(struct image *image)
{
    uint64_t last = 0, last_byte = 0;
    bool any = false;
    for (unsigned i = 0; i < image->count; i++) {
        const Elf64_Phdr *s = &image->segments[i];
        if (s->p_offset > image->size || s->p_filesz > image->size - s->p_offset)
            return false;
        if (s->p_type != PT_LOAD)
            continue;
        if (s->p_memsz < s->p_filesz || s->p_vaddr > MAX_IMAGE || s->p_memsz > MAX_IMAGE ||
            s->p_vaddr < last || (s->p_filesz > 0 && s->p_offset < last_byte) ||
            (s->p_vaddr ^ s->p_offset) % 4096 != 0 || s->p_align % 4096 != 0)
            return false;
        any = true;
        last = s->p_vaddr + s->p_memsz;
        if (s->p_filesz > 0)
            last_byte = s->p_offset + s->p_filesz;
    }
    image->end = last;
    return any && program_headers_are_sane(image) && parts_are_sane(image);
}

// What the dynamic section says.
struct dynamic {
    uint64_t strtab, strsz, symtab, rela, relasz, jmprel, pltrelsz, hash, gnu_hash;
    uint64_t init_array, init_arraysz, fini_array, fini_arraysz;
    uint64_t init, fini;
    uint64_t relacount;
};

static bool dynamic_read(const struct image *image, struct dynamic *d)
{
    const Elf64_Phdr *segment = NULL;
    for (unsigned i = 0; i < image->count; i++)
        if (image->segments[i].p_type == PT_DYNAMIC)
            segment = &image->segments[i];
    const Elf64_Dyn *entry =
        segment ? image_at(image, segment->p_vaddr, segment->p_filesz, 8) : NULL;
    if (!entry)
        return false;
    for (uint64_t n = segment->p_filesz / sizeof *entry; n > 0; n--, entry++) {
        uint64_t value = entry->d_un.d_val;
        switch (entry->d_tag) {
        case DT_NULL:
            return true;
        case DT_STRTAB:
            d->strtab = value;
            break;
        case DT_STRSZ:
            d->strsz = value;
            break;
        case DT_SYMTAB:
            d->symtab = value;
            break;
        case DT_RELA:
            d->rela = value;
            break;
        case DT_RELASZ:
            d->relasz = value;
            break;
        case DT_RELAENT:
            if (value != sizeof(Elf64_Rela))
                return false;
            break;
        case DT_SYMENT:
            if (value != sizeof(Elf64_Sym))
                return false;
            break;
        case DT_RELACOUNT:
            d->relacount = value;
            break;
        case DT_JMPREL:
            d->jmprel = value;
            break;
        case DT_PLTRELSZ:
            d->pltrelsz = value;
            break;
        case DT_PLTREL:
            if (value != DT_RELA)
                return false;
            break;
        case DT_HASH:
            d->hash = value;
            break;
        case DT_GNU_HASH:
            d->gnu_hash = value;
            break;
        case DT_INIT_ARRAY:
            d->init_array = value;
            break;
        case DT_INIT_ARRAYSZ:
            d->init_arraysz = value;
            break;
        case DT_FINI_ARRAY:
            d->fini_array = value;
            break;
        case DT_FINI_ARRAYSZ:
            d->fini_arraysz = value;
            break;
        case DT_INIT:
            d->init = value;
            break;
        case DT_FINI:
            d->fini = value;
            break;
        case DT_REL:
        case DT_TEXTREL:
            return false;
        default:
            break;
        }
    }
    return false; // no DT_NULL
}

static bool code_is_sane(const struct image *image, uint64_t address)
{
    for (unsigned i = 0; i < image->count; i++) {
        const Elf64_Phdr *s = &image->segments[i];
        if (s->p_type == PT_LOAD && (s->p_flags & PF_X) && address >= s->p_vaddr &&
            address - s->p_vaddr < s->p_filesz)
            return true;
    }
    return address == 0;
}

static bool symbols_are_sane(const struct image *image, const struct dynamic *d, uint64_t count)
{
    const Elf64_Sym *symbol = image_at(image, d->symtab, count * sizeof *symbol, 8);
    if (!symbol)
        return false;
    for (uint64_t i = 0; i < count; i++)
        if (symbol[i].st_name >= d->strsz ||
            (symbol[i].st_shndx != SHN_UNDEF && symbol[i].st_shndx < SHN_LORESERVE &&
             symbol[i].st_value > image->end))
            return false;
    return true;
}

static bool relocations_are_sane(const struct image *image, const struct dynamic *d, uint64_t table,
                                 uint64_t bytes, bool plt)
{
    uint64_t n = bytes / sizeof(Elf64_Rela);
    const Elf64_Rela *r = image_at(image, table, bytes, 8);
    if (bytes == 0)
        return true;
    if (!r || bytes % sizeof *r != 0 || (!plt && d->relacount > n))
        return false;
    uint64_t highest = 0;
    for (uint64_t i = 0; i < n; i++) {
        uint64_t type = ELF64_R_TYPE(r[i].r_info), symbol = ELF64_R_SYM(r[i].r_info);
        if (r[i].r_offset > image->end || image->end - r[i].r_offset < 8)
            return false;
        if (type == R_X86_64_RELATIVE && (uint64_t)r[i].r_addend > image->end)
            return false;
        if (!plt && i < d->relacount && type != R_X86_64_RELATIVE)
            return false;
        if (plt && type != R_X86_64_JUMP_SLOT && type != R_X86_64_IRELATIVE &&
            type != R_X86_64_TLSDESC)
            return false;
        if (symbol > highest)
            highest = symbol;
    }
    return symbols_are_sane(image, d, highest + 1);
}

// Constructors and destructors are called through slots, each of which a relocation must fill.
static bool slots_are_filled(const struct image *image, const struct dynamic *d, uint64_t array,
                             uint64_t bytes)
{
    uint64_t filled = 0;
    const Elf64_Rela *r = image_at(image, d->rela, d->relasz, 8);
    for (uint64_t i = 0; r && i < d->relasz / sizeof *r; i++) {
        if (r[i].r_offset < array || r[i].r_offset >= array + bytes || r[i].r_offset % 8 != 0)
            continue;
        uint64_t type = ELF64_R_TYPE(r[i].r_info);
        if (type == R_X86_64_64 || (type == R_X86_64_RELATIVE && r[i].r_addend != 0 &&
                                    code_is_sane(image, (uint64_t)r[i].r_addend)))
            filled++;
    }
    return bytes % 8 == 0 && filled == bytes / 8;
}

static bool gnu_hash_is_sane(const struct image *image, const struct dynamic *d)
{
    const uint32_t *h = image_at(image, d->gnu_hash, 16, 4);
    if (!h)
        return false;
    uint32_t buckets = h[0], bias = h[1], bloom = h[2];
    if (buckets == 0 || bloom == 0 || (bloom & (bloom - 1)) != 0 || h[3] > 63)
        return false;
    uint64_t at = d->gnu_hash + 16 + (uint64_t)bloom * 8;
    const uint32_t *bucket = image_at(image, at, (uint64_t)buckets * 4, 4);
    uint64_t chains = at + (uint64_t)buckets * 4, last = 0;
    for (uint32_t i = 0; bucket && i < buckets; i++) {
        if (bucket[i] == 0)
            continue;
        if (bucket[i] < bias)
            return false;
        uint64_t symbol = bucket[i];
        const uint32_t *chain;
        do {
            chain = image_at(image, chains + (symbol - bias) * 4, 4, 4);
            if (!chain)
                return false;
            if (symbol > last)
                last = symbol;
            symbol++;
        } while (!(*chain & 1));
    }
    return bucket && symbols_are_sane(image, d, last + 1);
}

static bool dynamic_is_sane(const struct image *image)
{
    struct dynamic d = {0};
    const char *strings;
    if (!dynamic_read(image, &d) || d.strsz == 0 || !d.symtab ||
        !(strings = image_at(image, d.strtab, d.strsz, 1)) || strings[d.strsz - 1] != 0)
        return false;
    if ((d.init_arraysz && !image_at(image, d.init_array, d.init_arraysz, 8)) ||
        (d.fini_arraysz && !image_at(image, d.fini_array, d.fini_arraysz, 8)) ||
        !code_is_sane(image, d.init) || !code_is_sane(image, d.fini))
        return false;
    return (!d.gnu_hash || gnu_hash_is_sane(image, &d)) &&
           relocations_are_sane(image, &d, d.rela, d.relasz, false) &&
           relocations_are_sane(image, &d, d.jmprel, d.pltrelsz, true) &&
           slots_are_filled(image, &d, d.init_array, d.init_arraysz) &&
           slots_are_filled(image, &d, d.fini_array, d.fini_arraysz);
}

bool elf_check_file(const char *path, uint64_t *hash, struct error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); // a FIFO: no waiting
    struct stat st;
    if (fd < 0)
        return error_set(err, "plugin '%s': %s", path, strerror(errno));
    struct image image = {0};
    bool sane = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0 &&
                (uint64_t)st.st_size < MAX_IMAGE;
    uint8_t *data = sane ? malloc((size_t)st.st_size) : NULL;
    if (data) {
        image.data = data;
        while (image.size < (uint64_t)st.st_size) {
            ssize_t n = read(fd, data + image.size, (size_t)st.st_size - image.size);
            if (n <= 0)
                break;
            image.size += (uint64_t)n;
        }
    }
    close(fd);
    sane = data && header_is_sane(&image) && segments_are_sane(&image) && dynamic_is_sane(&image);
    if (sane)
        *hash = XXH64(data, image.size, 0);
    free(data);
    return sane ||
           error_set(err, "plugin '%s' is not an x86-64 shared object, or damaged; build it again",
                     path);
}
