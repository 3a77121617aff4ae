// SPDX-License-Identifier: MIT
// The window: 4 GiB of host address space in which pages of guest RAM stand at their linear
// addresses, so that an access is one host instruction. A page enters when it is first touched (the
// touch faults), with the rights that the guest's page tables give. The window is open for one
// privilege until something that it holds may have changed; then it is closed, and opening it again
// looks every page up. Thread: the machine's thread.
#ifndef EMU_MMU_WINDOW_H
#define EMU_MMU_WINDOW_H

#include "mmu/mmu.h"

#define WINDOW_BYTES (UINT64_C(1) << 32)

// What the window has cost, for whoever decides when it pays.
struct window_stats {
    uint64_t opened, mapped, checked, dropped;
    uint32_t pages; // in it now
};

// Reserves the address space. False: the host has none, or guest RAM is no memory file; there is no
// window then, which is no error.
bool mmu_window_create(struct mmu *mmu);
void mmu_window_destroy(struct mmu *mmu);

// Where linear address 0 stands; NULL: there is no window.
uint8_t *mmu_window_base(const struct mmu *mmu);

// Opens it for accesses of this privilege: mmu->window_open is true afterwards. False: not now.
bool mmu_window_open(struct mmu *mmu, bool user);

// Makes the page of a faulting access accessible. False: only the slow path can say what happens
// there (a page fault, registers, a page that holds code). Never raises.
bool mmu_window_fill(struct mmu *mmu, uint32_t linear, bool write);

struct window_stats mmu_window_stats(const struct mmu *mmu);

#endif
