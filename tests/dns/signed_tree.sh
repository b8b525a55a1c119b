#!/bin/sh
# signed_tree.sh FOLDER PORT - a small DNS on 127.0.0.1, signed from the root down.
#
# Makes keys and zones in FOLDER, which must exist, and then becomes the name
# server, so that ending this process ends it. FOLDER/anchor is the trust anchor.
set -eu
cd "$1"
port=$2

# zone NAME [TTL]: takes the records from stdin and gives the zone its head.
zone() {
    {
        echo "\$ORIGIN ${1%.}."
        echo "\$TTL ${2:-600}"
        echo "@ SOA ns.test. postmaster.test. 1 3600 600 86400 ${2:-300}"
        echo "@ NS ns.test."
        cat
    } > "$1zone"
}

# sign NAME [OPTION...]: leaves NAMEzone.signed and the DS for the parent in NAMEds.
sign() {
    name=$1
    shift
    zsk=$(ldns-keygen -r /dev/urandom -a ECDSAP256SHA256 "$name")
    ksk=$(ldns-keygen -r /dev/urandom -a ECDSAP256SHA256 -k "$name")
    ldns-signzone "$@" -f "${name}zone.signed" "${name}zone" "$ksk" "$zsk"
    cp "$ksk.ds" "${name}ds"
    cp "$ksk.key" "${name}key"
}

zone sec.test. <<'END'
@           MX    20 mx2
@           MX    10 mx1
mx1         A     192.0.2.1
mx1         AAAA  2001:db8::1
mx2         A     192.0.2.2
www         A     192.0.2.3
www     60  TXT   "one" "two"
alias       CNAME www
upper       CNAME WWW.SEC.Test.
mailalias   CNAME sec.test.
into        CNAME www.insec.test.
through     CNAME back.insec.test.
dangling    CNAME nothing
loop1       CNAME loop2
loop2       CNAME loop1
c1          CNAME c2
c2          CNAME c3
c3          CNAME c4
c4          CNAME c5
c5          CNAME c6
c6          CNAME c7
c7          CNAME c8
c8          CNAME c9
c9          CNAME c10
c10         CNAME c11
c11         A     192.0.2.11
nullmx      MX    0 .
nomx        A     192.0.2.4
nohost      MX    10 nothing
noaddress   TXT   "nothing but text"
mxalias     CNAME nomx
_mta-sts    TXT   "v=STSv1; id=2026" "1122;"
_mta-sts.www CNAME _mta-sts.insec.test.
far1        CNAME far2.insec.test.
END

# TLSA records that tell where they stand: by the port, then the last digits of the digest.
tlsa() {
    printf '_25._tcp.%s TLSA 3 1 1 %064d\n' "$1" "$2"
}
{
    cat <<'END'
dane        A     192.0.2.60
dane        AAAA  2001:db8::60
both        CNAME bothend
bothend     A     192.0.2.61
first       CNAME firstend
firstend    A     192.0.2.62
middle1     CNAME middle2
middle2     CNAME middle3
middle3     A     192.0.2.63
worse       CNAME worseend
worseend    A     192.0.2.64
_25._tcp.worseend TLSA 0 0 1 0000000000000000000000000000000000000000000000000000000000000064
intonone    CNAME www.insec.test.
shared      A     192.0.2.65
_25._tcp.shared CNAME _dane
_dane       TLSA  2 1 1 0000000000000000000000000000000000000000000000000000000000000065
away        A     192.0.2.66
_25._tcp.away CNAME tlsa.insec.test.
awayalias   CNAME away
loop        A     192.0.2.67
_25._tcp.loop CNAME _25._tcp.loop
moved       DNAME real
mx.real     A     192.0.2.68
onefamily   CNAME mx.bogus.test.
halfbad     CNAME tlsa.bogus.test.
unsure      CNAME www.optout.test.
big         A     192.0.2.69
many        A     192.0.2.70
toomany     A     192.0.2.71
_587._tcp.dane TLSA 3 1 1 0000000000000000000000000000000000000000000000000000000000000587
END
    for name in dane:60 both:160 bothend:61 first:62 middle2:63 worse:164 into:21 away.insec:1 awayalias:66 mx.real:68 \
                halfbad:31 unsure:51; do
        tlsa "${name%:*}" "${name#*:}"
    done
    for set in big:60 many:200 toomany:300; do
        i=0
        while [ $i -lt "${set#*:}" ]; do
            printf '_25._tcp.%s TLSA 3 1 2 %0128d\n' "${set%:*}" $i
            i=$((i + 1))
        done
    done
} >> sec.test.zone
sign sec.test. -n

zone insec.test. <<'END'
@     MX    10 mx.sec.test.
www   A     192.0.2.21
back  CNAME www.sec.test.
tlsa  TLSA  3 1 1 0000000000000000000000000000000000000000000000000000000000000022
mx    A     192.0.2.22
far2  CNAME www.sec.test.
short 1 A   192.0.2.24
_25._tcp.mx   TLSA 3 1 1 0000000000000000000000000000000000000000000000000000000000000022
_25._tcp.back TLSA 3 1 1 0000000000000000000000000000000000000000000000000000000000000023
_mta-sts TXT "v=STSv1; id=1;"
END

zone bogus.test. <<'END'
www   A     192.0.2.31
good  A     192.0.2.32
mx    AAAA  2001:db8::33
mx    A     192.0.2.33
tlsa  A     192.0.2.34
end   A     192.0.2.35
alias CNAME end
_25._tcp.mx    TLSA 3 1 1 0000000000000000000000000000000000000000000000000000000000000033
_25._tcp.tlsa  TLSA 3 1 1 1000000000000000000000000000000000000000000000000000000000000000
_25._tcp.alias TLSA 3 1 1 2000000000000000000000000000000000000000000000000000000000000000
_mta-sts TXT "v=STSv1; id=31;"
END
sign bogus.test.
sed -i 's/192\.0\.2\.31/192.0.2.91/; s/192\.0\.2\.33/192.0.2.93/; s/ id=31;/ id=91;/
        s/[12]\(0\{63\}\)/9\1/' bogus.test.zone.signed

zone expired.test. <<'END'
www   A     192.0.2.41
END
sign expired.test. -i 20200101000000 -e 20200201000000

# Over an hour ago, which is little compared with how long it was good.
zone late.test. <<'END'
www   A     192.0.2.42
END
sign late.test. -i "$(date -u -d '30 days ago' +%Y%m%d%H%M%S)" -e "$(date -u -d '61 minutes ago' +%Y%m%d%H%M%S)"

# Signatures that end long before the records' TTL.
zone soon.test. 86400 <<'END'
www   A     192.0.2.43
END
sign soon.test. -e "$(date -u -d '1 hour' +%Y%m%d%H%M%S)"

zone optout.test. <<'END'
child NS    ns.test.
www   A     192.0.2.51
END
sign optout.test. -n -p

{
    for child in sec insec bogus expired late soon optout; do
        echo "$child NS ns"
    done
    echo "ns A 127.0.0.1"
    # Owner names of 253 and 254 bytes; nsd cannot have them under NSEC3.
    label=$(printf '%063d' 0)
    for length in 47 48; do
        name=$(printf "%0${length}d" 0).$label.$label.$label
        echo "$name A 192.0.2.72"
        [ $length = 48 ] || tlsa "$name" 72
    done
    cat sec.test.ds bogus.test.ds expired.test.ds late.test.ds soon.test.ds optout.test.ds
} | zone test.
sign test.

{
    echo "test NS ns.test."
    cat test.ds
} | zone .
sign .
cp .key anchor

cat > nsd.conf <<END
server:
    ip-address: 127.0.0.1@$port
    username: ""
    chroot: ""
    database: ""
    zonesdir: "$PWD"
    pidfile: "$PWD/nsd.pid"
    xfrdfile: "$PWD/xfrd.state"
    zonelistfile: "$PWD/zone.list"
    xfrdir: "$PWD"
    logfile: "$PWD/nsd.log"
    rrl-ratelimit: 0
remote-control:
    control-enable: no
END
for name in . test. sec.test. bogus.test. expired.test. late.test. soon.test. optout.test.; do
    printf 'zone:\n    name: "%s"\n    zonefile: "%szone.signed"\n' "$name" "$name" >> nsd.conf
done
printf 'zone:\n    name: "insec.test."\n    zonefile: "insec.test.zone"\n' >> nsd.conf

exec nsd -d -c nsd.conf
