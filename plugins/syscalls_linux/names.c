// SPDX-License-Identifier: MIT
// syscalls_linux: names of the constants of i386 Linux, as its headers number them.
#include "names.h"

const struct name open_bits[] = {
    {01, "O_WRONLY"},         {02, "O_RDWR"},          {0, "O_RDONLY"},
    {0100, "O_CREAT"},        {0200, "O_EXCL"},        {0400, "O_NOCTTY"},
    {01000, "O_TRUNC"},       {02000, "O_APPEND"},     {04000, "O_NONBLOCK"},
    {04010000, "O_SYNC"},     {010000, "O_DSYNC"},     {040000, "O_DIRECT"},
    {0100000, "O_LARGEFILE"}, {0400000, "O_NOFOLLOW"}, {01000000, "O_NOATIME"},
    {02000000, "O_CLOEXEC"},  {010000000, "O_PATH"},   {020200000, "O_TMPFILE"},
    {0200000, "O_DIRECTORY"}, {020000, "FASYNC"},      {0, 0}};
const struct name access_bits[] = {{0, "F_OK"}, {4, "R_OK"}, {2, "W_OK"}, {1, "X_OK"}, {0, 0}};
const struct name prot_bits[] = {{0, "PROT_NONE"},
                                 {1, "PROT_READ"},
                                 {2, "PROT_WRITE"},
                                 {4, "PROT_EXEC"},
                                 {8, "PROT_SEM"},
                                 {0x1000000, "PROT_GROWSDOWN"},
                                 {0x2000000, "PROT_GROWSUP"},
                                 {0, 0}};
const struct name map_bits[] = {{3, "MAP_SHARED_VALIDATE"},
                                {1, "MAP_SHARED"},
                                {2, "MAP_PRIVATE"},
                                {0x10, "MAP_FIXED"},
                                {0x20, "MAP_ANONYMOUS"},
                                {0x4000, "MAP_NORESERVE"},
                                {0x8000, "MAP_POPULATE"},
                                {0x10000, "MAP_NONBLOCK"},
                                {0x100, "MAP_GROWSDOWN"},
                                {0x800, "MAP_DENYWRITE"},
                                {0x1000, "MAP_EXECUTABLE"},
                                {0x2000, "MAP_LOCKED"},
                                {0x20000, "MAP_STACK"},
                                {0x40000, "MAP_HUGETLB"},
                                {0x80000, "MAP_SYNC"},
                                {0x100000, "MAP_FIXED_NOREPLACE"},
                                {0, 0}};
const struct name at_bits[] = {{0x100, "AT_SYMLINK_NOFOLLOW"},
                               {0x200, "AT_REMOVEDIR"},
                               {0x400, "AT_SYMLINK_FOLLOW"},
                               {0x800, "AT_NO_AUTOMOUNT"},
                               {0x1000, "AT_EMPTY_PATH"},
                               {0x8000, "AT_RECURSIVE"},
                               {0, 0}};
const struct name statx_flag_bits[] = {
    {0x2000, "AT_STATX_FORCE_SYNC"}, {0x4000, "AT_STATX_DONT_SYNC"},
    {0x100, "AT_SYMLINK_NOFOLLOW"},  {0x200, "AT_REMOVEDIR"},
    {0x400, "AT_SYMLINK_FOLLOW"},    {0x800, "AT_NO_AUTOMOUNT"},
    {0x1000, "AT_EMPTY_PATH"},       {0, 0}};
const struct name statx_mask_bits[] = {{0xfff, "STATX_ALL"},
                                       {0x7ff, "STATX_BASIC_STATS"},
                                       {1, "STATX_TYPE"},
                                       {2, "STATX_MODE"},
                                       {4, "STATX_NLINK"},
                                       {8, "STATX_UID"},
                                       {0x10, "STATX_GID"},
                                       {0x20, "STATX_ATIME"},
                                       {0x40, "STATX_MTIME"},
                                       {0x80, "STATX_CTIME"},
                                       {0x100, "STATX_INO"},
                                       {0x200, "STATX_SIZE"},
                                       {0x400, "STATX_BLOCKS"},
                                       {0x800, "STATX_BTIME"},
                                       {0x1000, "STATX_MNT_ID"},
                                       {0x2000, "STATX_DIOALIGN"},
                                       {0, 0}};
const struct name unlink_bits[] = {{0x200, "AT_REMOVEDIR"}, {0, 0}};
const struct name wait_bits[] = {
    {1, "WNOHANG"},         {2, "WSTOPPED"},          {4, "WEXITED"},
    {8, "WCONTINUED"},      {0x1000000, "WNOWAIT"},   {0x20000000, "__WNOTHREAD"},
    {0x40000000, "__WALL"}, {0x80000000, "__WCLONE"}, {0, 0}};
const struct name mode_types[] = {
    {0140000, "S_IFSOCK"}, {0120000, "S_IFLNK"}, {0100000, "S_IFREG"}, {0060000, "S_IFBLK"},
    {0040000, "S_IFDIR"},  {0020000, "S_IFCHR"}, {0010000, "S_IFIFO"}, {0, 0}};
const struct name whence_names[] = {{0, "SEEK_SET"},  {1, "SEEK_CUR"},  {2, "SEEK_END"},
                                    {3, "SEEK_DATA"}, {4, "SEEK_HOLE"}, {0, 0}};
const struct name signal_names[] = {{0, "0"},         {1, "SIGHUP"},     {2, "SIGINT"},
                                    {3, "SIGQUIT"},   {4, "SIGILL"},     {5, "SIGTRAP"},
                                    {6, "SIGABRT"},   {7, "SIGBUS"},     {8, "SIGFPE"},
                                    {9, "SIGKILL"},   {10, "SIGUSR1"},   {11, "SIGSEGV"},
                                    {12, "SIGUSR2"},  {13, "SIGPIPE"},   {14, "SIGALRM"},
                                    {15, "SIGTERM"},  {16, "SIGSTKFLT"}, {17, "SIGCHLD"},
                                    {18, "SIGCONT"},  {19, "SIGSTOP"},   {20, "SIGTSTP"},
                                    {21, "SIGTTIN"},  {22, "SIGTTOU"},   {23, "SIGURG"},
                                    {24, "SIGXCPU"},  {25, "SIGXFSZ"},   {26, "SIGVTALRM"},
                                    {27, "SIGPROF"},  {28, "SIGWINCH"},  {29, "SIGIO"},
                                    {30, "SIGPWR"},   {31, "SIGSYS"},    {32, "SIGRTMIN"},
                                    {33, "SIGRT_1"},  {34, "SIGRT_2"},   {35, "SIGRT_3"},
                                    {36, "SIGRT_4"},  {37, "SIGRT_5"},   {38, "SIGRT_6"},
                                    {39, "SIGRT_7"},  {40, "SIGRT_8"},   {41, "SIGRT_9"},
                                    {42, "SIGRT_10"}, {43, "SIGRT_11"},  {44, "SIGRT_12"},
                                    {45, "SIGRT_13"}, {46, "SIGRT_14"},  {47, "SIGRT_15"},
                                    {48, "SIGRT_16"}, {49, "SIGRT_17"},  {50, "SIGRT_18"},
                                    {51, "SIGRT_19"}, {52, "SIGRT_20"},  {53, "SIGRT_21"},
                                    {54, "SIGRT_22"}, {55, "SIGRT_23"},  {56, "SIGRT_24"},
                                    {57, "SIGRT_25"}, {58, "SIGRT_26"},  {59, "SIGRT_27"},
                                    {60, "SIGRT_28"}, {61, "SIGRT_29"},  {62, "SIGRT_30"},
                                    {63, "SIGRT_31"}, {64, "SIGRT_32"},  {0, 0}};
const struct name sig_how_names[] = {
    {0, "SIG_BLOCK"}, {1, "SIG_UNBLOCK"}, {2, "SIG_SETMASK"}, {0, 0}};
const struct name sa_bits[] = {{0x04000000, "SA_RESTORER"},
                               {0x08000000, "SA_ONSTACK"},
                               {0x10000000, "SA_RESTART"},
                               {0x40000000, "SA_NODEFER"},
                               {0x80000000, "SA_RESETHAND"},
                               {1, "SA_NOCLDSTOP"},
                               {2, "SA_NOCLDWAIT"},
                               {4, "SA_SIGINFO"},
                               {0, 0}};
const struct name clone_bits[] = {{0x100, "CLONE_VM"},
                                  {0x200, "CLONE_FS"},
                                  {0x400, "CLONE_FILES"},
                                  {0x800, "CLONE_SIGHAND"},
                                  {0x1000, "CLONE_PIDFD"},
                                  {0x2000, "CLONE_PTRACE"},
                                  {0x4000, "CLONE_VFORK"},
                                  {0x8000, "CLONE_PARENT"},
                                  {0x10000, "CLONE_THREAD"},
                                  {0x20000, "CLONE_NEWNS"},
                                  {0x40000, "CLONE_SYSVSEM"},
                                  {0x80000, "CLONE_SETTLS"},
                                  {0x100000, "CLONE_PARENT_SETTID"},
                                  {0x200000, "CLONE_CHILD_CLEARTID"},
                                  {0x400000, "CLONE_DETACHED"},
                                  {0x800000, "CLONE_UNTRACED"},
                                  {0x1000000, "CLONE_CHILD_SETTID"},
                                  {0x2000000, "CLONE_NEWCGROUP"},
                                  {0x4000000, "CLONE_NEWUTS"},
                                  {0x8000000, "CLONE_NEWIPC"},
                                  {0x10000000, "CLONE_NEWUSER"},
                                  {0x20000000, "CLONE_NEWPID"},
                                  {0x40000000, "CLONE_NEWNET"},
                                  {0x80000000, "CLONE_IO"},
                                  {0, 0}};
const struct name fcntl_names[] = {{0, "F_DUPFD"},
                                   {1, "F_GETFD"},
                                   {2, "F_SETFD"},
                                   {3, "F_GETFL"},
                                   {4, "F_SETFL"},
                                   {5, "F_GETLK"},
                                   {6, "F_SETLK"},
                                   {7, "F_SETLKW"},
                                   {8, "F_SETOWN"},
                                   {9, "F_GETOWN"},
                                   {10, "F_SETSIG"},
                                   {11, "F_GETSIG"},
                                   {12, "F_GETLK64"},
                                   {13, "F_SETLK64"},
                                   {14, "F_SETLKW64"},
                                   {15, "F_SETOWN_EX"},
                                   {16, "F_GETOWN_EX"},
                                   {36, "F_OFD_GETLK"},
                                   {37, "F_OFD_SETLK"},
                                   {38, "F_OFD_SETLKW"},
                                   {1024, "F_SETLEASE"},
                                   {1025, "F_GETLEASE"},
                                   {1026, "F_NOTIFY"},
                                   {1030, "F_DUPFD_CLOEXEC"},
                                   {1031, "F_SETPIPE_SZ"},
                                   {1032, "F_GETPIPE_SZ"},
                                   {1033, "F_ADD_SEALS"},
                                   {1034, "F_GET_SEALS"},
                                   {0, 0}};
const struct name fd_bits[] = {{1, "FD_CLOEXEC"}, {0, 0}};
const struct name ioctl_names[] = {{0x5401, "TCGETS"},         {0x5402, "TCSETS"},
                                   {0x5403, "TCSETSW"},        {0x5404, "TCSETSF"},
                                   {0x5409, "TCSBRK"},         {0x540A, "TCXONC"},
                                   {0x540B, "TCFLSH"},         {0x540E, "TIOCSCTTY"},
                                   {0x540F, "TIOCGPGRP"},      {0x5410, "TIOCSPGRP"},
                                   {0x5411, "TIOCOUTQ"},       {0x5413, "TIOCGWINSZ"},
                                   {0x5414, "TIOCSWINSZ"},     {0x541B, "FIONREAD"},
                                   {0x5421, "FIONBIO"},        {0x5422, "TIOCNOTTY"},
                                   {0x5429, "TIOCGSID"},       {0x5450, "FIONCLEX"},
                                   {0x5451, "FIOCLEX"},        {0x540C, "TIOCEXCL"},
                                   {0x540D, "TIOCNXCL"},       {0x5412, "TIOCSTI"},
                                   {0x5415, "TIOCMGET"},       {0x5416, "TIOCMBIS"},
                                   {0x5417, "TIOCMBIC"},       {0x5418, "TIOCMSET"},
                                   {0x541D, "TIOCCONS"},       {0x541E, "TIOCGSERIAL"},
                                   {0x541F, "TIOCSSERIAL"},    {0x5423, "TIOCSETD"},
                                   {0x5424, "TIOCGETD"},       {0x5425, "TCSBRKP"},
                                   {0x5427, "TIOCSBRK"},       {0x5428, "TIOCCBRK"},
                                   {0x5441, "TIOCGPTPEER"},    {0x80045430, "TIOCGPTN"},
                                   {0x40045431, "TIOCSPTLCK"}, {0x5452, "FIOASYNC"},
                                   {0x8912, "SIOCGIFCONF"},    {0x8913, "SIOCGIFFLAGS"},
                                   {0x8914, "SIOCSIFFLAGS"},   {0x8915, "SIOCGIFADDR"},
                                   {0x8916, "SIOCSIFADDR"},    {0, 0}};
const struct name resource_names[] = {{0, "RLIMIT_CPU"},
                                      {1, "RLIMIT_FSIZE"},
                                      {2, "RLIMIT_DATA"},
                                      {3, "RLIMIT_STACK"},
                                      {4, "RLIMIT_CORE"},
                                      {5, "RLIMIT_RSS"},
                                      {6, "RLIMIT_NPROC"},
                                      {7, "RLIMIT_NOFILE"},
                                      {8, "RLIMIT_MEMLOCK"},
                                      {9, "RLIMIT_AS"},
                                      {10, "RLIMIT_LOCKS"},
                                      {11, "RLIMIT_SIGPENDING"},
                                      {12, "RLIMIT_MSGQUEUE"},
                                      {13, "RLIMIT_NICE"},
                                      {14, "RLIMIT_RTPRIO"},
                                      {15, "RLIMIT_RTTIME"},
                                      {0, 0}};
const struct name clock_names[] = {
    {0, "CLOCK_REALTIME"},          {1, "CLOCK_MONOTONIC"},     {2, "CLOCK_PROCESS_CPUTIME_ID"},
    {3, "CLOCK_THREAD_CPUTIME_ID"}, {4, "CLOCK_MONOTONIC_RAW"}, {5, "CLOCK_REALTIME_COARSE"},
    {6, "CLOCK_MONOTONIC_COARSE"},  {7, "CLOCK_BOOTTIME"},      {8, "CLOCK_REALTIME_ALARM"},
    {9, "CLOCK_BOOTTIME_ALARM"},    {11, "CLOCK_TAI"},          {0, 0}};
const struct name timer_bits[] = {{1, "TIMER_ABSTIME"}, {0, 0}};
const struct name poll_bits[] = {{1, "POLLIN"},          {2, "POLLPRI"},
                                 {4, "POLLOUT"},         {0x40, "POLLRDNORM"},
                                 {0x80, "POLLRDBAND"},   {0x100, "POLLWRNORM"},
                                 {0x200, "POLLWRBAND"},  {0x400, "POLLMSG"},
                                 {0x1000, "POLLREMOVE"}, {0x2000, "POLLRDHUP"},
                                 {8, "POLLERR"},         {0x10, "POLLHUP"},
                                 {0x20, "POLLNVAL"},     {0, 0}};
const struct name af_names[] = {
    {0, "AF_UNSPEC"},   {1, "AF_UNIX"},    {2, "AF_INET"}, {10, "AF_INET6"},
    {16, "AF_NETLINK"}, {17, "AF_PACKET"}, {0, 0}};
const struct name sock_type_names[] = {
    {1, "SOCK_STREAM"},    {2, "SOCK_DGRAM"}, {3, "SOCK_RAW"},     {4, "SOCK_RDM"},
    {5, "SOCK_SEQPACKET"}, {6, "SOCK_DCCP"},  {10, "SOCK_PACKET"}, {0, 0}};
const struct name sock_bits[] = {{02000000, "SOCK_CLOEXEC"}, {04000, "SOCK_NONBLOCK"}, {0, 0}};
const struct name ip_names[] = {{0, "IPPROTO_IP"},
                                {1, "IPPROTO_ICMP"},
                                {6, "IPPROTO_TCP"},
                                {17, "IPPROTO_UDP"},
                                {41, "IPPROTO_IPV6"},
                                {255, "IPPROTO_RAW"},
                                {0, 0}};
const struct name msg_bits[] = {{1, "MSG_OOB"},
                                {2, "MSG_PEEK"},
                                {4, "MSG_DONTROUTE"},
                                {8, "MSG_CTRUNC"},
                                {0x20, "MSG_TRUNC"},
                                {0x40, "MSG_DONTWAIT"},
                                {0x80, "MSG_EOR"},
                                {0x100, "MSG_WAITALL"},
                                {0x4000, "MSG_NOSIGNAL"},
                                {0x8000, "MSG_MORE"},
                                {0x40000000, "MSG_CMSG_CLOEXEC"},
                                {0, 0}};
const struct name shut_names[] = {{0, "SHUT_RD"}, {1, "SHUT_WR"}, {2, "SHUT_RDWR"}, {0, 0}};
const struct name sol_names[] = {{0, "SOL_IP"},   {1, "SOL_SOCKET"}, {6, "SOL_TCP"},
                                 {17, "SOL_UDP"}, {41, "SOL_IPV6"},  {0, 0}};
const struct name so_names[] = {
    {1, "SO_DEBUG"},         {2, "SO_REUSEADDR"},     {3, "SO_TYPE"},
    {4, "SO_ERROR"},         {5, "SO_DONTROUTE"},     {6, "SO_BROADCAST"},
    {7, "SO_SNDBUF"},        {8, "SO_RCVBUF"},        {9, "SO_KEEPALIVE"},
    {10, "SO_OOBINLINE"},    {13, "SO_LINGER"},       {15, "SO_REUSEPORT"},
    {16, "SO_PASSCRED"},     {17, "SO_PEERCRED"},     {18, "SO_RCVLOWAT"},
    {20, "SO_RCVTIMEO_OLD"}, {21, "SO_SNDTIMEO_OLD"}, {30, "SO_ACCEPTCONN"},
    {38, "SO_PROTOCOL"},     {39, "SO_DOMAIN"},       {0, 0}};
const struct name tcp_names[] = {
    {1, "TCP_NODELAY"},   {2, "TCP_MAXSEG"},  {3, "TCP_CORK"}, {4, "TCP_KEEPIDLE"},
    {5, "TCP_KEEPINTVL"}, {6, "TCP_KEEPCNT"}, {0, 0}};
const struct name futex_names[] = {{0, "FUTEX_WAIT"},
                                   {1, "FUTEX_WAKE"},
                                   {2, "FUTEX_FD"},
                                   {3, "FUTEX_REQUEUE"},
                                   {4, "FUTEX_CMP_REQUEUE"},
                                   {5, "FUTEX_WAKE_OP"},
                                   {6, "FUTEX_LOCK_PI"},
                                   {7, "FUTEX_UNLOCK_PI"},
                                   {8, "FUTEX_TRYLOCK_PI"},
                                   {9, "FUTEX_WAIT_BITSET"},
                                   {10, "FUTEX_WAKE_BITSET"},
                                   {11, "FUTEX_WAIT_REQUEUE_PI"},
                                   {12, "FUTEX_CMP_REQUEUE_PI"},
                                   {0, 0}};
const struct name epoll_ctl_names[] = {
    {1, "EPOLL_CTL_ADD"}, {2, "EPOLL_CTL_DEL"}, {3, "EPOLL_CTL_MOD"}, {0, 0}};
const struct name epoll_bits[] = {{1, "EPOLLIN"},          {2, "EPOLLPRI"},
                                  {4, "EPOLLOUT"},         {0x40, "EPOLLRDNORM"},
                                  {0x80, "EPOLLRDBAND"},   {0x100, "EPOLLWRNORM"},
                                  {0x200, "EPOLLWRBAND"},  {0x400, "EPOLLMSG"},
                                  {8, "EPOLLERR"},         {0x10, "EPOLLHUP"},
                                  {0x2000, "EPOLLRDHUP"},  {0x40000000, "EPOLLONESHOT"},
                                  {0x80000000, "EPOLLET"}, {0, 0}};
const struct name epoll_flag_bits[] = {{02000000, "EPOLL_CLOEXEC"}, {0, 0}};
const struct name efd_bits[] = {
    {1, "EFD_SEMAPHORE"}, {02000000, "EFD_CLOEXEC"}, {04000, "EFD_NONBLOCK"}, {0, 0}};
const struct name memfd_bits[] = {
    {1, "MFD_CLOEXEC"}, {2, "MFD_ALLOW_SEALING"}, {4, "MFD_HUGETLB"}, {0, 0}};
const struct name grnd_bits[] = {
    {1, "GRND_NONBLOCK"}, {2, "GRND_RANDOM"}, {4, "GRND_INSECURE"}, {0, 0}};
const struct name flock_bits[] = {
    {1, "LOCK_SH"}, {2, "LOCK_EX"}, {4, "LOCK_NB"}, {8, "LOCK_UN"}, {0, 0}};
const struct name msync_bits[] = {{4, "MS_SYNC"}, {1, "MS_ASYNC"}, {2, "MS_INVALIDATE"}, {0, 0}};
const struct name mremap_bits[] = {
    {1, "MREMAP_MAYMOVE"}, {2, "MREMAP_FIXED"}, {4, "MREMAP_DONTUNMAP"}, {0, 0}};
const struct name madvise_names[] = {
    {0, "MADV_NORMAL"},      {1, "MADV_RANDOM"},         {2, "MADV_SEQUENTIAL"},
    {3, "MADV_WILLNEED"},    {4, "MADV_DONTNEED"},       {8, "MADV_FREE"},
    {9, "MADV_REMOVE"},      {10, "MADV_DONTFORK"},      {11, "MADV_DOFORK"},
    {12, "MADV_MERGEABLE"},  {14, "MADV_HUGEPAGE"},      {13, "MADV_UNMERGEABLE"},
    {15, "MADV_NOHUGEPAGE"}, {16, "MADV_DONTDUMP"},      {17, "MADV_DODUMP"},
    {18, "MADV_WIPEONFORK"}, {19, "MADV_KEEPONFORK"},    {20, "MADV_COLD"},
    {21, "MADV_PAGEOUT"},    {22, "MADV_POPULATE_READ"}, {23, "MADV_POPULATE_WRITE"},
    {25, "MADV_COLLAPSE"},   {100, "MADV_HWPOISON"},     {0, 0}};
const struct name itimer_names[] = {
    {0, "ITIMER_REAL"}, {1, "ITIMER_VIRTUAL"}, {2, "ITIMER_PROF"}, {0, 0}};
const struct name who_names[] = {
    {0, "RUSAGE_SELF"}, {0xFFFFFFFF, "RUSAGE_CHILDREN"}, {1, "RUSAGE_THREAD"}, {0, 0}};
const struct name prctl_names[] = {{1, "PR_SET_PDEATHSIG"},     {2, "PR_GET_PDEATHSIG"},
                                   {3, "PR_GET_DUMPABLE"},      {4, "PR_SET_DUMPABLE"},
                                   {7, "PR_GET_KEEPCAPS"},      {8, "PR_SET_KEEPCAPS"},
                                   {15, "PR_SET_NAME"},         {16, "PR_GET_NAME"},
                                   {22, "PR_SET_SECCOMP"},      {23, "PR_CAPBSET_READ"},
                                   {24, "PR_CAPBSET_DROP"},     {36, "PR_SET_CHILD_SUBREAPER"},
                                   {38, "PR_SET_NO_NEW_PRIVS"}, {0, 0}};
const struct name ss_bits[] = {{1, "SS_ONSTACK"}, {2, "SS_DISABLE"}, {0, 0}};
const struct name mount_bits[] = {{1, "MS_RDONLY"},
                                  {2, "MS_NOSUID"},
                                  {4, "MS_NODEV"},
                                  {8, "MS_NOEXEC"},
                                  {16, "MS_SYNCHRONOUS"},
                                  {32, "MS_REMOUNT"},
                                  {64, "MS_MANDLOCK"},
                                  {128, "MS_DIRSYNC"},
                                  {1024, "MS_NOATIME"},
                                  {2048, "MS_NODIRATIME"},
                                  {4096, "MS_BIND"},
                                  {8192, "MS_MOVE"},
                                  {16384, "MS_REC"},
                                  {32768, "MS_SILENT"},
                                  {1 << 17, "MS_UNBINDABLE"},
                                  {1 << 18, "MS_PRIVATE"},
                                  {1 << 19, "MS_SLAVE"},
                                  {1 << 20, "MS_SHARED"},
                                  {1 << 21, "MS_RELATIME"},
                                  {1 << 24, "MS_STRICTATIME"},
                                  {1 << 25, "MS_LAZYTIME"},
                                  {0, 0}};
const struct name umount_bits[] = {
    {1, "MNT_FORCE"}, {2, "MNT_DETACH"}, {4, "MNT_EXPIRE"}, {8, "UMOUNT_NOFOLLOW"}, {0, 0}};
const struct name lock_names[] = {{0, "F_RDLCK"}, {1, "F_WRLCK"}, {2, "F_UNLCK"}, {0, 0}};
const struct name si_codes_user[] = {{0, "SI_USER"},
                                     {0x80, "SI_KERNEL"},
                                     {(uint32_t)-1, "SI_QUEUE"},
                                     {(uint32_t)-2, "SI_TIMER"},
                                     {(uint32_t)-6, "SI_TKILL"},
                                     {0, 0}};
const struct name si_codes_child[] = {{1, "CLD_EXITED"},
                                      {2, "CLD_KILLED"},
                                      {3, "CLD_DUMPED"},
                                      {4, "CLD_TRAPPED"},
                                      {5, "CLD_STOPPED"},
                                      {6, "CLD_CONTINUED"},
                                      {0, 0}};
const struct name si_codes_segv[] = {
    {1, "SEGV_MAPERR"}, {2, "SEGV_ACCERR"}, {0x80, "SI_KERNEL"}, {0, 0}};
