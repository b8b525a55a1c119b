#!/bin/sh
# signed_tree.sh FOLDER PORT - a small DNS on 127.0.0.1, signed from the root down.
#
# Makes keys and zones in FOLDER, which must exist, and then becomes the name
# server, so that ending this process ends it. FOLDER/anchor is the trust anchor.
set -eu
cd "$1"
port=$2

# zone NAME: takes the records from stdin and gives the zone its head.
zone() {
    {
        echo "\$ORIGIN ${1%.}."
        echo "\$TTL 600"
        echo "@ SOA ns.test. postmaster.test. 1 3600 600 86400 300"
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
END
i=0
while [ $i -lt 60 ]; do
    printf '_25._tcp.big TLSA 3 1 2 %0128d\n' $i >> sec.test.zone
    i=$((i + 1))
done
sign sec.test. -n

zone insec.test. <<'END'
@     MX    10 mx.sec.test.
www   A     192.0.2.21
back  CNAME www.sec.test.
END

zone bogus.test. <<'END'
www   A     192.0.2.31
good  A     192.0.2.32
mx    AAAA  2001:db8::33
mx    A     192.0.2.33
END
sign bogus.test.
sed -i 's/192\.0\.2\.31/192.0.2.91/; s/192\.0\.2\.33/192.0.2.93/' bogus.test.zone.signed

zone expired.test. <<'END'
www   A     192.0.2.41
END
sign expired.test. -i 20200101000000 -e 20200201000000

zone optout.test. <<'END'
child NS    ns.test.
www   A     192.0.2.51
END
sign optout.test. -n -p

{
    for child in sec insec bogus expired optout; do
        echo "$child NS ns"
    done
    echo "ns A 127.0.0.1"
    cat sec.test.ds bogus.test.ds expired.test.ds optout.test.ds
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
for name in . test. sec.test. bogus.test. expired.test. optout.test.; do
    printf 'zone:\n    name: "%s"\n    zonefile: "%szone.signed"\n' "$name" "$name" >> nsd.conf
done
printf 'zone:\n    name: "insec.test."\n    zonefile: "insec.test.zone"\n' >> nsd.conf

exec nsd -d -c nsd.conf
