# Perl: numbers, strings, patterns, modules in C, processes.
perl "$1/check.pl"
