# Compiles each program in several ways and runs it. The compiler's output must be the same file as natively.
job=$1
status=0
for source in "$job"/programs/*.c; do
    name=$(basename "$source" .c)
    cp "$source" .
    while read -r variant flags; do
        if ! gcc $flags -std=gnu17 -Wall -o "$name-$variant" "$name.c" -lm -pthread; then
            echo "$name-$variant: does not compile"
            status=1
            continue
        fi
        echo "$name-$variant: $(sha256sum <"$name-$variant")"
        ./"$name-$variant" 2>&1 || { echo "$name-$variant: exit code $?"; status=1; }
    done <<TEXT
O0 -O0
x87 -O2 -march=i686 -mfpmath=387
x87-size -Os -march=pentium -mfpmath=387
sse -O2 -msse2 -mfpmath=sse -march=i686
sse-fast -O3 -msse2 -mfpmath=sse -march=pentium4 -funroll-loops
TEXT
done
# The compiler's own decisions (but for those that depend on the memory it finds), the assembler's and the linker's.
gcc -O2 -fverbose-asm -S "$job/programs/integers.c" -o - | grep -v GGC | sha256sum
gcc -O3 -march=pentium4 -c "$job/programs/floats.c" -o floats.o
objdump -d floats.o | sha256sum
exit $status
