use strict;
use warnings;
use Digest::MD5 qw(md5_hex);
use Digest::SHA qw(sha1_hex sha512_hex);
use Encode;
use List::Util qw(sum shuffle reduce);
use Math::BigInt;
use Math::BigFloat;
use Math::Trig;
use MIME::Base64;
use POSIX qw(floor fmod strtol setlocale DBL_MAX);
use Storable qw(freeze thaw);
use Time::Local;

$| = 1;
my $seed = 42;
sub next_number { $seed = ($seed * 1103515245 + 12345) % 2147483648; return $seed }

my @numbers = map { next_number() } 1 .. 20000;
print "sort ", md5_hex(join ",", sort { $a <=> $b } @numbers), "\n";
print "text sort ", md5_hex(join ",", sort @numbers), "\n";
print "sum ", sum(@numbers), " xor ", (reduce { $a ^ $b } @numbers), "\n";

my $text = join " ", map { sprintf "%g %e %.15g %x %o", $_ / 7, $_ * 1e10, sqrt($_), $_, $_ } @numbers[0 .. 3000];
print "formats ", sha1_hex($text), "\n";
my %count;
$count{length $1}++ while $text =~ /\b([0-9a-f]+?)(?=[.e ]|$)/g;
print "words ", join(" ", map { "$_=$count{$_}" } sort { $a <=> $b } keys %count), "\n";
(my $changed = $text) =~ s/(\d+)\.(\d+)/$2.$1/g;
print "replaced ", sha512_hex($changed), "\n";
my $depth = qr/\((?:[^()]++|(??{ our $again }))*\)/;
our $again = $depth;
print "nested ", ("((a)(b(c)))" =~ /^$depth$/ ? "yes" : "no"), "\n";

print "pack ", unpack("H*", pack "c s l q n N v V f d A5 H6 w", -5, -300, -70000, -5e9, 500, 70000, 600, 80000, 1.5, -2.25, "abc", "c0ffee", 12345678), "\n";
print "unpack ", join(",", unpack "c s l q n N v V f d A5 H6 w", pack "c s l q n N v V f d A5 H6 w", -5, -300, -70000, -5e9, 500, 70000, 600, 80000, 1.5, -2.25, "abc", "c0ffee", 12345678), "\n";
print "floats ", join(" ", map { sprintf "%.17g", $_ } sin(1), cos(2), atan2(1, 3), exp(1.5), log(10), 2**0.5, fmod(10, 3.3), tan(1), acosh(5), 1e308 * 10, -9**9**9 / 9**9**9), "\n";
print "integers ", join(" ", 7 % -3, -7 % 3, 1 << 31, 0xffffffff + 1, ~0, int(-3.7), 2**53 + 1, 18446744073709551615, "0x1F" + 0, hex "ff", oct "0b101"), "\n";
print "big ", Math::BigInt->new(2)->bpow(521)->bsub(1), " ", Math::BigInt->new("123456789" x 5)->bmodpow(65537, "987654321987654321"), "\n";
print "bigfloat ", Math::BigFloat->new(2)->bsqrt(60), " ", Math::BigFloat->bpi(50), "\n";
print "base64 ", md5_hex(encode_base64($text)), " ", (decode_base64(encode_base64($text)) eq $text ? "same" : "different"), "\n";
print "utf8 ", unpack("H*", encode("UTF-16LE", decode("UTF-8", "\xc3\xa4\xe2\x82\xac\xf0\x9d\x84\x9e"))), "\n";
print "stored ", md5_hex(join ",", @{thaw(freeze(\@numbers))}), "\n";
print "time ", timegm(1, 2, 3, 4, 5, 2020), " ", scalar(gmtime 1700000000), " ", POSIX::strftime("%j %U %A", gmtime 1e9), "\n";
srand 17;
print "random ", join(" ", map { int rand 1000 } 1 .. 10), "\n";

my %tree;
for my $n (@numbers) {
    push @{$tree{$n % 97}{$n % 13}}, $n;
}
print "tree ", md5_hex(join ";", map { my $k = $_; map { "$k/$_=" . sum(@{$tree{$k}{$_}}) } sort { $a <=> $b } keys %{$tree{$k}} } sort { $a <=> $b } keys %tree), "\n";

my $total = 0;
for my $i (1 .. 30) {
    pipe my $in, my $out or die;
    my $pid = fork;
    if (!$pid) {
        close $in;
        print $out $i * $i;
        close $out;
        POSIX::_exit($i);
    }
    close $out;
    $total += <$in>;
    waitpid $pid, 0;
    $total += $? >> 8;
}
print "processes $total\n";
my $signals = 0;
$SIG{USR1} = sub { $signals++ };
kill "USR1", $$ for 1 .. 200;
print "signals $signals\n";
$SIG{ALRM} = sub { die "alarm\n" };
eval { alarm 1; 1 while 1 };
print "interrupted by $@";
eval { my $x = 1 / ($seed - $seed) };
print "error ", $@ =~ /division by zero/ ? "division by zero" : $@, "\n";
print "command ", `echo from a shell | tr a-z A-Z`;
open my $file, "+>", "file" or die;
print $file "line $_\n" for 1 .. 5000;
seek $file, 0, 0;
my $lines = 0;
$lines += length while <$file>;
print "file $lines ", -s "file", "\n";
