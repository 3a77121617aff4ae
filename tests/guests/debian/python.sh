# Modules of Python's own tests, with what each single test said. Arguments name other ones.
shift
[ $# -gt 0 ] || set -- test_math test_cmath test_float test_complex test_struct test_fractions test_strtod test_json \
    test_binascii test_array test_heapq test_long test_re
status=0
for module in "$@"; do
    timeout 5000 python3 -m test -v --timeout 4800 "$module" >log 2>&1
    code=$?
    # Numbers of processes, times and addresses go; so do what is said about the machine, and load averages.
    grep -vE '^(== |0:[0-9:]*|Using random seed|Total duration|Warning -- |/usr/lib/python)' log |
        sed -E -e 's/ in [0-9.]+ ?(s|sec|ms|min)( [0-9.]+ (s|sec))?//g' -e '/^test_[a-z0-9_]* passed( in .*)?$/d' -e 's/0x[0-9a-f]+/0x/g' -e 's/[0-9]+(\.[0-9]+)? (ms|sec|seconds)//g' \
            -e 's/test_python_[0-9]+[^ ]*/TEMP/g' -e 's/@test_[0-9]+_tmp[^ ]*/TEMP/g'
    echo "$module: exit code $code"
    [ $code = 0 ] || status=1
done
exit $status
