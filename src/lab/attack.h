/* lab/attack.h - what can be done to a mail connection by who is in its path.
 *
 * The same faults, without bad intent, are also how broken hosts look, so the
 * cases use them too. */
#ifndef LAB_ATTACK_H
#define LAB_ATTACK_H

#include "net/conn.h"

enum attack {
    ATTACK_NONE,
    ATTACK_STRIP,               /* STARTTLS is struck out of the reply to EHLO */
    ATTACK_REFUSE,              /* STARTTLS is answered 454 */
    ATTACK_CERTIFICATE,         /* TLS ends here, with a certificate of ours; what is said is read */
    ATTACK_INJECT,              /* a reply follows the 220 to STARTTLS in clear */
    ATTACK_STALL,               /* nothing follows it */
    ATTACK_GARBAGE,             /* bytes that are not TLS follow it */
    ATTACK_KEYWORD,             /* EHLO in clear is answered with REQUIRETLS as well */
    ATTACK_COUNT
};
const char *attack_name(enum attack a);                                 /* "strip" */
bool attack_parse(struct slice text, enum attack *a) must_check;        /* "none" too */
const char *attack_words(void);                                         /* "strip, refuse, ... or none" */

struct attacker {
    enum attack kind;
    const struct tls_server *disguise;      /* for ATTACK_CERTIFICATE */
    const struct tls_client *any;           /* the same; asks the host for nothing */
    void (*overheard)(void *arg, bool from_host, struct slice line);    /* each line that could be read; or NULL */
    void *arg;
};

enum attack_end {
    ATTACK_OVER,                /* close both sides */
    ATTACK_BLIND,               /* from here on both speak TLS with each other: carry the bytes */
};
/* Waits. The part of the way that the attacker can read. */
enum attack_end attack_dialogue(struct conn *client, struct conn *host, const struct attacker *a);

/* Waits. Takes both descriptors, connected sockets. What is left to carry when it
 * returns is carried on fibers of its own. */
void attack_stand_between(int client, int host, const struct attacker *a);

#endif
