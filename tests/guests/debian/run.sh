# Runs in the Debian guest and, natively, in a chroot of the same root: the parts named in the file `parts`, each with the
# same surroundings. All they print is compared; they print nothing that depends on time, process numbers or the kernel.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C TZ=UTC
export PYTHONDONTWRITEBYTECODE=1 PYTHONHASHSEED=1 PERL_HASH_SEED=1
# The host may have wider vectors than the guest's CPU: glibc's choice of algorithms must be the same.
export GLIBC_TUNABLES=glibc.cpu.hwcaps=-AVX,-AVX2,-FMA,-FMA4,-ERMS,-SSE3,-SSSE3,-SSE4_1,-SSE4_2
umask 022
job=$PWD
log=$1
: >"$log" 2>/dev/null || log=/dev/ttyS1
[ "$log" != /dev/ttyS1 ] || stty -F "$log" raw -echo
failed=0
for part in $(cat parts); do
    name=${part%%:*} args=
    [ "$name" = "$part" ] || args=$(echo "${part#*:}" | tr : ' ')
    echo "== $part" >>"$log"
    mkdir -p "/tmp/run-$name"
    cd "/tmp/run-$name" || exit 1
    read -r begin rest </proc/uptime
    (
        sh "$job/$name.sh" "$job" $args >"/tmp/log-$name" 2>&1 </dev/null
        status=$?
        times >/tmp/times
        exit $status
    )
    status=$?
    cat "/tmp/log-$name" >>"$log"
    echo "== $part ended with $status" >>"$log"
    read -r end rest </proc/uptime
    echo "PART $part status $status, user and system time $(tail -n 1 /tmp/times), $(echo "$begin $end" | awk '{printf "%.1f", $2 - $1}') s"
    [ $status = 0 ] || failed=1
    cd "$job" && rm -rf "/tmp/run-$name"
done
exit $failed
