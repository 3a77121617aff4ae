/* SPDX-License-Identifier: MIT */
/* syscalls_linux: names of the constants of i386 Linux. */
#ifndef SYSCALLS_NAMES_H
#define SYSCALLS_NAMES_H

#include "text.h"

extern const struct name open_bits[], access_bits[], prot_bits[], map_bits[], at_bits[],
    statx_flag_bits[], statx_mask_bits[], unlink_bits[], wait_bits[], mode_types[], whence_names[],
    signal_names[], sig_how_names[], sa_bits[], clone_bits[], fcntl_names[], fd_bits[],
    ioctl_names[], resource_names[], clock_names[], timer_bits[], poll_bits[], af_names[],
    sock_type_names[], sock_bits[], ip_names[], msg_bits[], shut_names[], sol_names[], so_names[],
    tcp_names[], futex_names[], epoll_ctl_names[], epoll_bits[], epoll_flag_bits[], efd_bits[],
    memfd_bits[], grnd_bits[], flock_bits[], msync_bits[], mremap_bits[], madvise_names[],
    itimer_names[], who_names[], prctl_names[], ss_bits[], mount_bits[], umount_bits[],
    lock_names[], si_codes_user[], si_codes_child[], si_codes_segv[];

extern const struct name sched_names[], prio_names[], ioprio_who_names[], ioprio_class_names[],
    falloc_bits[], fadvise_names[], sync_range_bits[], rwf_bits[], close_range_bits[],
    rename_bits[], xattr_bits[], faccess_bits[], splice_bits[], mlock_bits[], mcl_bits[],
    inotify_bits[], inotify_init_bits[], membarrier_names[], membarrier_bits[], notify_bits[],
    seal_bits[], waitid_names[], kcmp_names[], ptrace_names[], timerfd_bits[], tfd_bits[],
    sfd_bits[], sigev_names[], resolve_bits[], fs_names[], st_bits[], dumpable_names[],
    capability_names[], personality_names[], flush_names[], flow_names[], ipopt_names[],
    scm_names[], futex_op_names[], futex_cmp_names[];

#endif
