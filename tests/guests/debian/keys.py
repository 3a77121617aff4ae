# Writes private keys as configurations of `openssl asn1parse -genconf`, from fixed numbers.
import hashlib


def number(seed, bits):
    out = b"".join(hashlib.sha512(("%s %d" % (seed, i)).encode()).digest() for i in range(bits // 512 + 1))
    return int.from_bytes(out, "big") >> (len(out) * 8 - bits) | 1 << bits - 1 | 1 << bits - 2 | 1


def is_prime(n):
    if any(n % p == 0 for p in (3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53)):
        return False
    d, s = n - 1, 0
    while d % 2 == 0:
        d, s = d // 2, s + 1
    for base in (2, 3, 5, 7, 11, 13, 17, 19):
        x = pow(base, d, n)
        if x in (1, n - 1):
            continue
        for _ in range(s - 1):
            x = x * x % n
            if x == n - 1:
                break
        else:
            return False
    return True


def prime(seed, bits):
    n = number(seed, bits)
    while not is_prime(n) or (n - 1) % 65537 == 0:
        n += 2
    return n


for bits in (512, 1024, 2048, 3072):
    p, q = prime("p%d" % bits, bits // 2), prime("q%d" % bits, bits // 2)
    if p < q:
        p, q = q, p
    d = pow(65537, -1, (p - 1) * (q - 1))
    values = [0, p * q, 65537, d, p, q, d % (p - 1), d % (q - 1), pow(q, -1, p)]
    with open("rsa%d.conf" % bits, "w") as file:
        file.write("asn1=SEQUENCE:key\n[key]\n")
        file.writelines("v%d=INTEGER:0x%x\n" % item for item in enumerate(values))
    print("rsa%d %x" % (bits, p * q))

for curve, size in (("prime256v1", 32), ("secp384r1", 48), ("secp521r1", 66), ("secp256k1", 32), ("sect283k1", 36),
                    ("brainpoolP320t1", 40)):
    secret = number(curve, size * 8 - 16)
    with open("ec-%s.conf" % curve, "w") as file:
        file.write("asn1=SEQUENCE:key\n[key]\nv=INTEGER:1\nk=FORMAT:HEX,OCTETSTRING:%0*x\np=EXPLICIT:0,OID:%s\n"
                   % (size * 2, secret, curve))
for kind, oid, size in (("ed25519", "1.3.101.112", 32), ("ed448", "1.3.101.113", 57), ("x25519", "1.3.101.110", 32),
                        ("x448", "1.3.101.111", 56)):
    with open(kind + ".conf", "w") as file:
        file.write("asn1=SEQUENCE:key\n[key]\nv=INTEGER:0\na=SEQUENCE:alg\nk=OCTWRAP,FORMAT:HEX,OCTETSTRING:%0*x\n[alg]\no=OID:%s\n"
                   % (size * 2, number(kind, size * 8), oid))
