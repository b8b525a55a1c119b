/* deliver/session.h - an SMTP session with one host, opened under a decision.
 *
 * From addresses to the point where MAIL may be said: dial, greeting, EHLO,
 * STARTTLS, handshake, EHLO. At each step policy/decide says whether to go on,
 * to go on in clear, or to leave. */
#ifndef DELIVER_SESSION_H
#define DELIVER_SESSION_H

#include "discover/host.h"
#include "net/socket.h"
#include "policy/decide.h"
#include "smtp/client.h"
#include "smtp/transcript.h"

struct session_settings {
    const char *hostname;               /* for EHLO (SMTP-021) */
    const struct smtp_times *times;
    const struct dial_settings *dial;
    const struct tls_client *tls;
};

struct session_target {
    const struct host_findings *found;  /* the host, its addresses, its TLSA records and names */
    const struct address *addresses;    /* of them, those to try */
    size_t address_count;
    bool implicit_tls;
    const struct decision *decision;    /* DECIDED_GO */
    time_ms waited;                     /* how long the message has been with us */
};

/* For reports: texts, "" for what there was not. */
struct session_ends {
    char from[ADDRESS_TEXT_MAX], to[ADDRESS_TEXT_MAX];      /* IP addresses, ours and the host's */
    char helo[256];                     /* the name that the host gave in its reply to EHLO */
};

struct session {
    struct smtp_client smtp;
    char host[256];                     /* of the target */
    struct decision held;               /* the decision it was opened under */
    uint8_t address[16];                /* of the peer, IPv4 mapped; of the last that answered when it failed */
    struct session_ends ends;           /* who spoke with whom */
    bool some_unasked;                  /* an address did not answer, or not in time: nothing was final there */
    int starttls_code;                  /* of the reply to STARTTLS, 0 when there was none */
    unsigned lacking;                   /* addresses that answered, and TLS was not to be had there */
    uint8_t lacking_at[16];             /* the last of them */
    bool starttls_missing;              /* EHLO did not offer it, or it was refused */
    struct tls_facts seen;              /* of the last handshake that was finished, though judged not good enough */
    bool handshaken;                    /* `seen` is filled in */
    char shown[400];                    /* "mx1.example.net[192.0.2.7]:25" */
    time_ms opened;                     /* clock_now */
    struct error tls_problem;           /* why this session is in clear although TLS was tried; E_NONE */
    unsigned messages;                  /* sent in this session */
    struct transcript transcript;       /* told to the log when that wants debugging */
};

/* Waits. `s` must be zeroed or closed. On failure nothing is left open, `s->shown` says which host was meant
 * and `s->smtp.last` what it said. */
bool session_open(const struct session_settings *settings, const struct session_target *target, struct session *s,
                  struct error *why) must_check;

/* QUIT when `polite`, then close. A session that is not open is fine. */
void session_close(struct session *s, bool polite);
bool session_is_open(const struct session *s);
const struct tls_facts *session_tls(const struct session *s);   /* NULL in clear */

/* May this open session carry a message that has waited so long, under `d`, a decision for the same host (PD-33)? */
bool session_may_carry(const struct session *s, const struct decision *d, time_ms waited);

#endif
