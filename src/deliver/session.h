/* deliver/session.h - an SMTP session with one host, opened under a TLS rule.
 *
 * From addresses to the point where MAIL may be said: dial, greeting, EHLO,
 * STARTTLS, handshake, EHLO. The facts go to policy/decide, which says whether
 * to go on, to go on in clear, or to leave. */
#ifndef DELIVER_SESSION_H
#define DELIVER_SESSION_H

#include "dns/hosts.h"
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
    const char *host;                   /* MX host name, or the relay of a route */
    bool host_is_name;                  /* false: an address, no SNI */
    const struct address *addresses;
    size_t address_count;
    bool implicit_tls;
    const struct tls_rule *rule;
    time_ms waited;                     /* how long the message has been with us */
};

struct session {
    struct smtp_client smtp;
    const char *host;                   /* of the target; memory of the caller */
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

#endif
