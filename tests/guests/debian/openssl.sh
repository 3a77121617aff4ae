# Digests and ciphers with known inputs, keys made from fixed numbers, signatures, key agreement, short speed runs.
job=$1
status=0
same() { # NAME FILE FILE
    cmp -s "$2" "$3" && echo "$1: same" || { echo "$1: differs"; status=1; }
}
openssl version
awk 'BEGIN { for (i = 0; i < 3000; i++) printf "%d %x\n", i * i, i * 7919 }' >data
printf abc >abc
: >empty
for digest in $(openssl list -digest-commands); do
    for file in empty abc data; do
        openssl dgst "-$digest" "$file" || echo "$digest: exit code $?"
    done
done
# Published answers.
check() { # WANTED COMMAND...
    wanted=$1
    shift
    got=$("$@" | sed 's/.*= *//' | tr 'A-F' 'a-f')
    [ "$got" = "$wanted" ] && echo "known answer of $*: right" || { echo "known answer of $*: $got"; status=1; }
}
check ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad openssl dgst -sha256 abc
check 900150983cd24fb0d6963f7d28e17f72 openssl dgst -md5 abc
check a9993e364706816aba3e25717850c26c9cd0d89d openssl dgst -sha1 abc
check 3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532 openssl dgst -sha3-256 abc
check 508c5e8c327c14e2e1a72ba34eeb452f37458b209ed63a294d999b4c86675982 openssl dgst -blake2s256 abc
printf '\0\21\42\63\104\125\146\167\210\231\252\273\314\335\356\377' >fips
openssl enc -aes-128-ecb -nopad -K 000102030405060708090a0b0c0d0e0f -in fips | od -An -tx1
openssl enc -aes-256-ecb -nopad -K 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f -in fips | od -An -tx1

key=00112233445566778899aabbccddeeff0f1e2d3c4b5a69788796a5b4c3d2e1f000112233445566778899aabbccddeeff0f1e2d3c4b5a69788796a5b4c3d2e1f1
for cipher in $(openssl list -cipher-commands); do
    bits=$(printf '%s' "$cipher" | grep -o '[0-9][0-9][0-9]' | head -n 1)
    length=$((${bits:-128} / 4))
    case $cipher in des3* | des-ede3*) length=48 ;; des-ede*) length=32 ;; des*) length=16 ;; rc2-40*) length=10 ;; rc2-64*) length=16 ;; esac
    use=$(printf '%s' "$key" | cut -c 1-$length)
    if openssl enc "-$cipher" -K "$use" -iv 0102030405060708090a0b0c0d0e0f10 -in data -out sealed 2>errors; then
        echo "$cipher $(sha256sum <sealed | cut -c 1-32)"
        openssl enc -d "-$cipher" -K "$use" -iv 0102030405060708090a0b0c0d0e0f10 -in sealed -out opened 2>errors
        same "$cipher" opened data
    else
        echo "$cipher: not with enc"
    fi
    openssl enc "-$cipher" -pbkdf2 -iter 50 -S 0102030405060708 -pass pass:secret -in abc 2>/dev/null | sha256sum
done
openssl list -public-key-algorithms -kdf-algorithms -mac-algorithms -random-generators
openssl list -commands | md5sum

# Keys from fixed numbers: the same in every run.
python3 "$job/keys.py" || status=1
for size in 512 1024 2048 3072; do
    openssl asn1parse -genconf "rsa$size.conf" -noout -out "rsa$size.der"
    openssl rsa -inform DER -in "rsa$size.der" -out "rsa$size.pem" 2>/dev/null
    openssl rsa -in "rsa$size.pem" -check -noout
    openssl rsa -in "rsa$size.pem" -pubout -out "pub$size.pem" 2>/dev/null
    for digest in md5 sha1 sha256; do
        openssl dgst "-$digest" -sign "rsa$size.pem" -out "sig" data
        echo "rsa$size $digest $(sha256sum <sig)"
        openssl dgst "-$digest" -verify "pub$size.pem" -signature sig data
        openssl dgst "-$digest" -verify "pub$size.pem" -signature sig abc 2>errors
    done
    openssl pkeyutl -encrypt -pubin -inkey "pub$size.pem" -in abc -out sealed
    openssl pkeyutl -decrypt -inkey "rsa$size.pem" -in sealed -out opened
    same "rsa$size encryption" opened abc
    openssl pkeyutl -encrypt -pubin -inkey "pub$size.pem" -pkeyopt rsa_padding_mode:oaep -in abc -out sealed
    openssl pkeyutl -decrypt -inkey "rsa$size.pem" -pkeyopt rsa_padding_mode:oaep -in sealed -out opened
    same "rsa$size oaep" opened abc
    openssl req -new -key "rsa$size.pem" -subj /CN=guest -sha256 -out request.pem && sha256sum <request.pem
    openssl req -in request.pem -noout -verify -text | sha256sum
done
for curve in prime256v1 secp384r1 secp521r1 secp256k1 sect283k1 brainpoolP320t1; do
    openssl asn1parse -genconf "ec-$curve.conf" -noout -out "ec.der"
    openssl ec -inform DER -in ec.der -out ec.pem 2>/dev/null
    openssl ec -in ec.pem -pubout -out ec-pub.pem 2>/dev/null
    echo "$curve $(sha256sum <ec-pub.pem)"
    openssl ec -in ec.pem -check -noout 2>&1 | tail -n 1
    openssl dgst -sha256 -sign ec.pem -out sig data && openssl dgst -sha256 -verify ec-pub.pem -signature sig data
    openssl dgst -sha256 -verify ec-pub.pem -signature sig abc 2>errors
    openssl pkeyutl -derive -inkey ec.pem -peerkey ec-pub.pem | sha256sum
done
for kind in ed25519 ed448 x25519 x448; do
    openssl asn1parse -genconf "$kind.conf" -noout -out key.der
    openssl pkey -inform DER -in key.der -out key.pem && openssl pkey -in key.pem -pubout -out key-pub.pem && cat key-pub.pem
    case $kind in
    ed*)
        openssl pkeyutl -sign -rawin -inkey key.pem -in data -out sig && sha256sum <sig
        openssl pkeyutl -verify -rawin -pubin -inkey key-pub.pem -sigfile sig -in data
        ;;
    x*) openssl pkeyutl -derive -inkey key.pem -peerkey key-pub.pem | sha256sum ;;
    esac
done
openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:1024 -out made.pem 2>/dev/null && openssl rsa -in made.pem -check -noout
openssl ecparam -genkey -name prime256v1 -noout -out made.pem && openssl ec -in made.pem -check -noout 2>&1 | tail -n 1
openssl prime 170141183460469231731687303715884105727 170141183460469231731687303715884105725
openssl passwd -6 -salt saltsalt secret
openssl passwd -1 -salt saltsalt secret
openssl mac -macopt hexkey:000102 -digest SHA256 -in data HMAC
openssl mac -macopt hexkey:000102030405060708090a0b0c0d0e0f -cipher AES-128-CBC -in data CMAC
openssl kdf -keylen 32 -kdfopt digest:SHA256 -kdfopt pass:secret -kdfopt salt:salt -kdfopt iter:2000 PBKDF2
openssl kdf -keylen 32 -kdfopt pass:secret -kdfopt salt:salt -kdfopt n:1024 -kdfopt r:8 -kdfopt p:1 SCRYPT
openssl rand 1000 | wc -c
# Speed: the figures are the machine's own; that all of them are there is not.
for name in md5 sha1 sha256 sha512 rc4 des-ede3 aes-128-cbc aes-256-cbc camellia-128-cbc rsa1024 ecdsap256 ecdhx25519; do
    openssl speed -seconds 1 -bytes 1024 "$name" >speed 2>/dev/null || echo "speed $name: exit code $?"
    echo "speed $name: $(grep -cE '[0-9]+(\.[0-9]+)?(k|s)? *[0-9.]*' speed | sed 's/^[1-9].*/figures/')"
done
for evp in aes-128-gcm chacha20-poly1305 sha3-256 blake2b512; do
    openssl speed -seconds 1 -bytes 1024 -evp "$evp" >speed 2>/dev/null || echo "speed $evp: exit code $?"
    echo "speed $evp: $(grep -ci "^$evp" speed)"
done
exit $status
