# stress-ng with --verify: each method of its computing stressors with a bounded number of operations.
#   stress.sh JOB cpu|float|memory|kernel|all [RUNS]
kind=${2:-all} runs=${3:-1}
status=0
stress() { # NAME OPERATIONS OPTIONS...
    name=$1 operations=$2
    shift 2
    timeout 600 stress-ng --verify --timestamp --no-rand-seed --temp-path . "--$name" 1 "--$name-ops" "$((operations * runs))" "$@" >log 2>&1
    code=$?
    # What is the same everywhere: whether it passed, was left out or complained, without process numbers and times.
    echo "$name $* exit $code $(grep -oE '(passed|failed|skipped): [0-9]+(: [a-z0-9-]+ \([0-9]+\))?' log | tr '\n' ' ')"
    grep -E 'fail:|error:|mismatch|incorrect|differ' log | grep -v 'no CPUs found' | sed 's/\[[0-9]*\]//;s/^.*stress-ng: [0-9:.]* //'
    case $code in 0 | 3 | 4) ;; *) status=1 ;; esac # 3, 4: the kernel lacks something
}
# methods NAME [OPTION]: what its method option takes
methods() { stress-ng --${2:-$1-method} '?' 2>&1 | sed -n 's/.*must be one of: *//p' | tr ' ' '\n' | grep -vx all; }
case $kind in cpu | all)
    for method in $(methods cpu); do
        stress cpu 2 --cpu-method "$method"
    done
    for name in bsearch hsearch lsearch heapsort mergesort qsort radixsort shellsort tree tsearch skiplist list hash judy; do
        stress $name 2
    done
    for method in $(methods str); do stress str 20 --str-method "$method"; done
    for method in $(methods wcs); do stress wcs 20 --wcs-method "$method"; done
    for method in $(methods hash); do stress hash 5 --hash-method "$method"; done
    for method in $(methods funccall); do stress funccall 20 --funccall-method "$method"; done
    stress branch 200; stress goto 200; stress longjmp 500; stress context 500; stress crypt 10; stress nop 50; stress regs 50
    stress funcret 20; stress atomic 50; stress fp-error 20; stress tsc 50; stress prefetch 1
    ;;
esac
# Some methods of fp count no operations.
case $kind in float | all)
    for method in $(methods matrix); do stress matrix 4 --matrix-method "$method" --matrix-size 64; done
    for method in $(methods matrix-3d); do stress matrix-3d 2 --matrix-3d-method "$method" --matrix-3d-size 32; done
    for method in $(methods fp); do stress fp 2 --fp-method "$method" --timeout 1; done
    for method in $(methods vecfp); do stress vecfp 2 --vecfp-method "$method"; done
    for method in $(methods vecshuf); do stress vecshuf 2 --vecshuf-method "$method"; done
    stress vecmath 20; stress vecwide 20; stress sparsematrix 2; stress rotate 20; stress stream 1 --stream-l3-size 1m
    ;;
esac
case $kind in memory | all)
    for method in $(methods vm | grep -vE 'prime-|walk|rowhammer'); do stress vm 2 --vm-method "$method" --vm-bytes 256k; done
    for method in $(methods memcpy); do stress memcpy 10 --memcpy-method "$method"; done
    for method in $(methods zlib); do stress zlib 2 --zlib-method "$method"; done
    stress memthrash 1 --memthrash-method memset; stress mmap 4 --mmap-bytes 4m; stress mremap 10 --mremap-bytes 1m
    stress malloc 2000 --malloc-bytes 1m; stress bigheap 20 --bigheap-growth 64k; stress brk 200; stress stack 2; stress fault 200
    stress mincore 20; stress madvise 4; stress mprotect 50; stress mlock 5; stress shm 5; stress shm-sysv 5; stress memfd 4
    stress munmap 5; stress randlist 2; stress remap 5; stress tmpfs 1 2>/dev/null
    stress bad-altstack 20; stress stackmmap 1; stress pageswap 2 2>/dev/null; stress physpage 2 2>/dev/null
    ;;
esac
# The first process of yield, sem and epoll may wait for a signal when the operations are done: a time limit sends it.
# exec refuses to run as root, rseq under a C library that registers the area itself.
case $kind in kernel | all)
    stress fork 200; stress vfork 200; stress clone 50; stress pthread 50; stress pipe 5000;
    stress sigfpe 500; stress sigsegv 500; stress sigq 1000; stress sigpending 1000; stress sigsuspend 200; stress signal 1000
    stress sigrt 200; stress sigtrap 200; stress sigchld 100; stress sigabrt 20; stress sigpipe 200; stress kill 1000; stress itimer 200
    stress switch 5000; stress yield 1000 --timeout 2; stress nanosleep 10; stress timer 500; stress timerfd 100; stress alarm 5; stress clock 20
    stress sem 5000 --timeout 2; stress sem-sysv 2000; stress mutex 2000; stress futex 1000; stress mq 2000; stress msg 5000; stress eventfd 2000
    stress poll 200; stress epoll 200 --timeout 2; stress sock 50; stress sockpair 500; stress udp 500; stress splice 500; stress tee 50; stress vm-splice 200
    stress seek 50; stress hdd 20 --hdd-bytes 1m; stress copy-file 4 --copy-file-bytes 128m; stress dir 20; stress dentry 50; stress link 5; stress symlink 5
    stress rename 500; stress flock 500; stress fcntl 100; stress dup 20; stress open 50; stress utime 200; stress fallocate 4 --fallocate-bytes 1m
    stress fstat 20 2>/dev/null; stress getrandom 50; stress get 20; stress sysinfo 20; stress wait 20; stress zombie 50; stress daemon 10; stress sleep 10
    stress pty 1; stress sendfile 100; stress io-uring 2 2>/dev/null; stress ptrace 50; stress seccomp 10; stress vdso 1000; stress syscall 1 --timeout 5 2>/dev/null
    stress opcode 200 --opcode-method random; stress opcode 200 --opcode-method mixed; stress priv-instr 200; stress x86cpuid 20
    ;;
esac
exit $status
