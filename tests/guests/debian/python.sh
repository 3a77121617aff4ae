# Modules of Python's own tests, with what each single test said.
shift
[ $# -gt 0 ] || set -- test_math test_cmath test_float test_complex test_struct test_hashlib test_hmac test_fractions test_statistics \
    test_long test_int test_int_literal test_strtod test_format test_random test_json test_re test_zlib test_binascii test_base64 \
    test_array test_bytes test_unicode test_string test_sort test_heapq test_bisect test_bigmem test_set test_dict test_list \
    test_tuple test_slice test_generators test_coroutines test_itertools test_functools test_operator test_collections \
    test_memoryview test_pickle test_marshal test_codecs test_audioop test_colorsys test_builtin test_exceptions test_compile \
    test_grammar test_ast test_dis test_decimal test_numeric_tower test_pow test_range test_thread test_threading test_queue \
    test_signal test_mmap test_fcntl test_select test_pipes test_ctypes test_faulthandler test_fork1 test_wait3 test_wait4 \
    test_posix test_time test_datetime test_textwrap test_difflib test_csv test_configparser test_bz2 test_lzma
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
