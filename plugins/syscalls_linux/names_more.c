// SPDX-License-Identifier: MIT
// syscalls_linux: names of the constants of rarer calls, as the headers of Linux number them.
#include "names.h"

const struct name sched_names[] = {
    {0, "SCHED_OTHER"}, {1, "SCHED_FIFO"}, {2, "SCHED_RR"},       {3, "SCHED_BATCH"},
    {4, "SCHED_ISO"},   {5, "SCHED_IDLE"}, {6, "SCHED_DEADLINE"}, {0, 0}};
const struct name prio_names[] = {{0, "PRIO_PROCESS"}, {1, "PRIO_PGRP"}, {2, "PRIO_USER"}, {0, 0}};
const struct name ioprio_who_names[] = {
    {1, "IOPRIO_WHO_PROCESS"}, {2, "IOPRIO_WHO_PGRP"}, {3, "IOPRIO_WHO_USER"}, {0, 0}};
const struct name ioprio_class_names[] = {{0, "IOPRIO_CLASS_NONE"},
                                          {1, "IOPRIO_CLASS_RT"},
                                          {2, "IOPRIO_CLASS_BE"},
                                          {3, "IOPRIO_CLASS_IDLE"},
                                          {0, 0}};
const struct name falloc_bits[] = {{1, "FALLOC_FL_KEEP_SIZE"},      {2, "FALLOC_FL_PUNCH_HOLE"},
                                   {4, "FALLOC_FL_NO_HIDE_STALE"},  {8, "FALLOC_FL_COLLAPSE_RANGE"},
                                   {16, "FALLOC_FL_ZERO_RANGE"},    {32, "FALLOC_FL_INSERT_RANGE"},
                                   {64, "FALLOC_FL_UNSHARE_RANGE"}, {0, 0}};
const struct name fadvise_names[] = {{0, "POSIX_FADV_NORMAL"},
                                     {1, "POSIX_FADV_RANDOM"},
                                     {2, "POSIX_FADV_SEQUENTIAL"},
                                     {3, "POSIX_FADV_WILLNEED"},
                                     {4, "POSIX_FADV_DONTNEED"},
                                     {5, "POSIX_FADV_NOREUSE"},
                                     {0, 0}};
const struct name sync_range_bits[] = {{1, "SYNC_FILE_RANGE_WAIT_BEFORE"},
                                       {2, "SYNC_FILE_RANGE_WRITE"},
                                       {4, "SYNC_FILE_RANGE_WAIT_AFTER"},
                                       {0, 0}};
const struct name rwf_bits[] = {{1, "RWF_HIPRI"},  {2, "RWF_DSYNC"},   {4, "RWF_SYNC"},
                                {8, "RWF_NOWAIT"}, {16, "RWF_APPEND"}, {0, 0}};
const struct name close_range_bits[] = {
    {2, "CLOSE_RANGE_UNSHARE"}, {4, "CLOSE_RANGE_CLOEXEC"}, {0, 0}};
const struct name rename_bits[] = {
    {1, "RENAME_NOREPLACE"}, {2, "RENAME_EXCHANGE"}, {4, "RENAME_WHITEOUT"}, {0, 0}};
const struct name xattr_bits[] = {{1, "XATTR_CREATE"}, {2, "XATTR_REPLACE"}, {0, 0}};
const struct name faccess_bits[] = {
    {0x200, "AT_EACCESS"}, {0x100, "AT_SYMLINK_NOFOLLOW"}, {0x1000, "AT_EMPTY_PATH"}, {0, 0}};
const struct name splice_bits[] = {{1, "SPLICE_F_MOVE"},
                                   {2, "SPLICE_F_NONBLOCK"},
                                   {4, "SPLICE_F_MORE"},
                                   {8, "SPLICE_F_GIFT"},
                                   {0, 0}};
const struct name mlock_bits[] = {{1, "MLOCK_ONFAULT"}, {0, 0}};
const struct name mcl_bits[] = {{1, "MCL_CURRENT"}, {2, "MCL_FUTURE"}, {4, "MCL_ONFAULT"}, {0, 0}};
const struct name inotify_bits[] = {{0xfff, "IN_ALL_EVENTS"},
                                    {1, "IN_ACCESS"},
                                    {2, "IN_MODIFY"},
                                    {4, "IN_ATTRIB"},
                                    {0x18, "IN_CLOSE"},
                                    {8, "IN_CLOSE_WRITE"},
                                    {0x10, "IN_CLOSE_NOWRITE"},
                                    {0x20, "IN_OPEN"},
                                    {0xc0, "IN_MOVE"},
                                    {0x40, "IN_MOVED_FROM"},
                                    {0x80, "IN_MOVED_TO"},
                                    {0x100, "IN_CREATE"},
                                    {0x200, "IN_DELETE"},
                                    {0x400, "IN_DELETE_SELF"},
                                    {0x800, "IN_MOVE_SELF"},
                                    {0x2000, "IN_UNMOUNT"},
                                    {0x4000, "IN_Q_OVERFLOW"},
                                    {0x8000, "IN_IGNORED"},
                                    {0x1000000, "IN_ONLYDIR"},
                                    {0x2000000, "IN_DONT_FOLLOW"},
                                    {0x4000000, "IN_EXCL_UNLINK"},
                                    {0x10000000, "IN_MASK_CREATE"},
                                    {0x20000000, "IN_MASK_ADD"},
                                    {0x40000000, "IN_ISDIR"},
                                    {0x80000000, "IN_ONESHOT"},
                                    {0, 0}};
const struct name inotify_init_bits[] = {{04000, "IN_NONBLOCK"}, {02000000, "IN_CLOEXEC"}, {0, 0}};
const struct name membarrier_names[] = {{0, "MEMBARRIER_CMD_QUERY"},
                                        {1, "MEMBARRIER_CMD_GLOBAL"},
                                        {2, "MEMBARRIER_CMD_GLOBAL_EXPEDITED"},
                                        {4, "MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED"},
                                        {8, "MEMBARRIER_CMD_PRIVATE_EXPEDITED"},
                                        {16, "MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED"},
                                        {32, "MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE"},
                                        {64, "MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE"},
                                        {128, "MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ"},
                                        {256, "MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ"},
                                        {0, 0}};
const struct name membarrier_bits[] = {{1, "MEMBARRIER_CMD_FLAG_CPU"}, {0, 0}};
const struct name notify_bits[] = {{1, "DN_ACCESS"},
                                   {2, "DN_MODIFY"},
                                   {4, "DN_CREATE"},
                                   {8, "DN_DELETE"},
                                   {16, "DN_RENAME"},
                                   {32, "DN_ATTRIB"},
                                   {0x80000000, "DN_MULTISHOT"},
                                   {0, 0}};
const struct name seal_bits[] = {{1, "F_SEAL_SEAL"},          {2, "F_SEAL_SHRINK"},
                                 {4, "F_SEAL_GROW"},          {8, "F_SEAL_WRITE"},
                                 {16, "F_SEAL_FUTURE_WRITE"}, {0, 0}};
const struct name waitid_names[] = {
    {0, "P_ALL"}, {1, "P_PID"}, {2, "P_PGID"}, {3, "P_PIDFD"}, {0, 0}};
const struct name kcmp_names[] = {{0, "KCMP_FILE"},    {1, "KCMP_VM"},        {2, "KCMP_FILES"},
                                  {3, "KCMP_FS"},      {4, "KCMP_SIGHAND"},   {5, "KCMP_IO"},
                                  {6, "KCMP_SYSVSEM"}, {7, "KCMP_EPOLL_TFD"}, {0, 0}};
const struct name ptrace_names[] = {{0, "PTRACE_TRACEME"},
                                    {1, "PTRACE_PEEKTEXT"},
                                    {2, "PTRACE_PEEKDATA"},
                                    {3, "PTRACE_PEEKUSER"},
                                    {4, "PTRACE_POKETEXT"},
                                    {5, "PTRACE_POKEDATA"},
                                    {6, "PTRACE_POKEUSER"},
                                    {7, "PTRACE_CONT"},
                                    {8, "PTRACE_KILL"},
                                    {9, "PTRACE_SINGLESTEP"},
                                    {12, "PTRACE_GETREGS"},
                                    {13, "PTRACE_SETREGS"},
                                    {14, "PTRACE_GETFPREGS"},
                                    {15, "PTRACE_SETFPREGS"},
                                    {16, "PTRACE_ATTACH"},
                                    {17, "PTRACE_DETACH"},
                                    {24, "PTRACE_SYSCALL"},
                                    {0x4200, "PTRACE_SETOPTIONS"},
                                    {0x4201, "PTRACE_GETEVENTMSG"},
                                    {0x4202, "PTRACE_GETSIGINFO"},
                                    {0x4204, "PTRACE_GETREGSET"},
                                    {0x4206, "PTRACE_SEIZE"},
                                    {0x4207, "PTRACE_INTERRUPT"},
                                    {0x4208, "PTRACE_LISTEN"},
                                    {0, 0}};
const struct name timerfd_bits[] = {
    {1, "TFD_TIMER_ABSTIME"}, {2, "TFD_TIMER_CANCEL_ON_SET"}, {0, 0}};
const struct name tfd_bits[] = {{02000000, "TFD_CLOEXEC"}, {04000, "TFD_NONBLOCK"}, {0, 0}};
const struct name sfd_bits[] = {{02000000, "SFD_CLOEXEC"}, {04000, "SFD_NONBLOCK"}, {0, 0}};
const struct name sigev_names[] = {
    {0, "SIGEV_SIGNAL"}, {1, "SIGEV_NONE"}, {2, "SIGEV_THREAD"}, {4, "SIGEV_THREAD_ID"}, {0, 0}};
const struct name resolve_bits[] = {{1, "RESOLVE_NO_XDEV"},
                                    {2, "RESOLVE_NO_MAGICLINKS"},
                                    {4, "RESOLVE_NO_SYMLINKS"},
                                    {8, "RESOLVE_BENEATH"},
                                    {16, "RESOLVE_IN_ROOT"},
                                    {32, "RESOLVE_CACHED"},
                                    {0, 0}};
const struct name fs_names[] = {{0x9fa0, "PROC_SUPER_MAGIC"},
                                {0xef53, "EXT2_SUPER_MAGIC"},
                                {0x01021994, "TMPFS_MAGIC"},
                                {0x62656572, "SYSFS_MAGIC"},
                                {0x858458f6, "RAMFS_MAGIC"},
                                {0x1cd1, "DEVPTS_SUPER_MAGIC"},
                                {0x4d44, "MSDOS_SUPER_MAGIC"},
                                {0x9660, "ISOFS_SUPER_MAGIC"},
                                {0x58465342, "XFS_SUPER_MAGIC"},
                                {0x9123683e, "BTRFS_SUPER_MAGIC"},
                                {0x6969, "NFS_SUPER_MAGIC"},
                                {0x794c7630, "OVERLAYFS_SUPER_MAGIC"},
                                {0x50495045, "PIPEFS_MAGIC"},
                                {0x534f434b, "SOCKFS_MAGIC"},
                                {0x64626720, "DEBUGFS_MAGIC"},
                                {0x27e0eb, "CGROUP_SUPER_MAGIC"},
                                {0x63677270, "CGROUP2_SUPER_MAGIC"},
                                {0x73717368, "SQUASHFS_MAGIC"},
                                {0, 0}};
const struct name st_bits[] = {
    {1, "ST_RDONLY"},        {2, "ST_NOSUID"},      {4, "ST_NODEV"},          {8, "ST_NOEXEC"},
    {16, "ST_SYNCHRONOUS"},  {32, "ST_VALID"},      {64, "ST_MANDLOCK"},      {1024, "ST_NOATIME"},
    {2048, "ST_NODIRATIME"}, {4096, "ST_RELATIME"}, {8192, "ST_NOSYMFOLLOW"}, {0, 0}};
const struct name dumpable_names[] = {
    {0, "SUID_DUMP_DISABLE"}, {1, "SUID_DUMP_USER"}, {2, "SUID_DUMP_ROOT"}, {0, 0}};
const struct name capability_names[] = {{0, "CAP_CHOWN"},
                                        {1, "CAP_DAC_OVERRIDE"},
                                        {2, "CAP_DAC_READ_SEARCH"},
                                        {3, "CAP_FOWNER"},
                                        {4, "CAP_FSETID"},
                                        {5, "CAP_KILL"},
                                        {6, "CAP_SETGID"},
                                        {7, "CAP_SETUID"},
                                        {8, "CAP_SETPCAP"},
                                        {9, "CAP_LINUX_IMMUTABLE"},
                                        {10, "CAP_NET_BIND_SERVICE"},
                                        {11, "CAP_NET_BROADCAST"},
                                        {12, "CAP_NET_ADMIN"},
                                        {13, "CAP_NET_RAW"},
                                        {14, "CAP_IPC_LOCK"},
                                        {15, "CAP_IPC_OWNER"},
                                        {16, "CAP_SYS_MODULE"},
                                        {17, "CAP_SYS_RAWIO"},
                                        {18, "CAP_SYS_CHROOT"},
                                        {19, "CAP_SYS_PTRACE"},
                                        {20, "CAP_SYS_PACCT"},
                                        {21, "CAP_SYS_ADMIN"},
                                        {22, "CAP_SYS_BOOT"},
                                        {23, "CAP_SYS_NICE"},
                                        {24, "CAP_SYS_RESOURCE"},
                                        {25, "CAP_SYS_TIME"},
                                        {26, "CAP_SYS_TTY_CONFIG"},
                                        {27, "CAP_MKNOD"},
                                        {28, "CAP_LEASE"},
                                        {29, "CAP_AUDIT_WRITE"},
                                        {30, "CAP_AUDIT_CONTROL"},
                                        {31, "CAP_SETFCAP"},
                                        {0, 0}};
const struct name personality_names[] = {{0, "PER_LINUX"}, {8, "PER_LINUX32"}, {0, 0}};
const struct name flush_names[] = {{0, "TCIFLUSH"}, {1, "TCOFLUSH"}, {2, "TCIOFLUSH"}, {0, 0}};
const struct name flow_names[] = {{0, "TCOOFF"}, {1, "TCOON"}, {2, "TCIOFF"}, {3, "TCION"}, {0, 0}};
const struct name ipopt_names[] = {{1, "IP_TOS"},
                                   {2, "IP_TTL"},
                                   {3, "IP_HDRINCL"},
                                   {4, "IP_OPTIONS"},
                                   {8, "IP_PKTINFO"},
                                   {10, "IP_MTU_DISCOVER"},
                                   {11, "IP_RECVERR"},
                                   {12, "IP_RECVTTL"},
                                   {32, "IP_MULTICAST_IF"},
                                   {33, "IP_MULTICAST_TTL"},
                                   {34, "IP_MULTICAST_LOOP"},
                                   {35, "IP_ADD_MEMBERSHIP"},
                                   {36, "IP_DROP_MEMBERSHIP"},
                                   {0, 0}};
const struct name scm_names[] = {{1, "SCM_RIGHTS"}, {2, "SCM_CREDENTIALS"}, {0, 0}};
const struct name futex_op_names[] = {{0, "FUTEX_OP_SET"},  {1, "FUTEX_OP_ADD"}, {2, "FUTEX_OP_OR"},
                                      {3, "FUTEX_OP_ANDN"}, {4, "FUTEX_OP_XOR"}, {0, 0}};
const struct name futex_cmp_names[] = {{0, "FUTEX_OP_CMP_EQ"},
                                       {1, "FUTEX_OP_CMP_NE"},
                                       {2, "FUTEX_OP_CMP_LT"},
                                       {3, "FUTEX_OP_CMP_LE"},
                                       {4, "FUTEX_OP_CMP_GT"},
                                       {5, "FUTEX_OP_CMP_GE"},
                                       {0, 0}};
