/* cli/explain.h - what `postern explain` has found out, and the two ways to show it. */
#ifndef CLI_EXPLAIN_H
#define CLI_EXPLAIN_H

#include "cli/cli.h"

#include "deliver/session.h"
#include "policy/memory.h"

/* One mail host. */
struct explained_host {
    const char *name;
    int preference;                 /* of its MX record; -1: none led here */
    struct host_findings found;
    bool memory_holds;
    struct decision decision;
    struct error skip;              /* why nothing is sent to it, when the decision is not to go */
    /* STARTTLS struck out on the way: the plan, and its reason when that is the next host */
    enum tls_plan stripped;
    struct error stripped_why;
    /* --connect */
    bool connected;                 /* it was tried */
    bool usable;                    /* mail could have been sent */
    char relay[400];
    bool has_tls;                   /* a handshake was finished */
    struct tls_facts tls;
    bool requiretls;                /* offered under TLS */
    struct error problem;           /* why it was not usable */
    struct error tls_problem;       /* why it would be in clear */
    struct policy_result results[POLICY_RESULTS_MAX];
    size_t result_count;
};

/* What waits in the queue for it. */
struct explained_message {
    const char *id, *recipient, *status, *why;
    uint32_t attempts;
    time_ms arrived, due;
    bool held;
};

struct explanation {
    struct arena arena;
    const struct config *config;
    const char *domain;
    enum mail_need need;
    const struct routing_rule *rule;
    const struct explained_message *messages;   /* of `explain QUEUE-ID`; NULL */
    size_t message_count;
    struct error problem;           /* no hosts: why; E_NONE */
    struct next_hop hop;
    bool asked_mx;                  /* its security is known */
    bool sts_asked;
    struct sts_view sts;
    struct slice tls_rpt;           /* the record at _smtp._tls; empty: none */
    struct error no_store;          /* why what is kept is not known; E_NONE */
    bool remembered;
    struct memory memory;
    bool habit;
    struct explained_host *hosts;
    size_t host_count;
};

/* Made before the fiber starts: its stack is too small for what libraries do when they are set up. */
struct explain_tools {
    struct resolver *resolver;
    struct https *https;            /* NULL: MTA-STS is switched off */
    struct tls_client *tls;         /* NULL: without --connect */
    struct asking *store;           /* NULL: no postern runs here */
};

/* Waits. Fills in everything but what the caller has set: config, domain, need, rule, messages. */
void explain_find_out(struct explanation *e, const struct explain_tools *tools);

void explain_print(const struct explanation *e);
bool explain_print_json(const struct explanation *e);

/* "the message would wait" ...: one line that sums up the decisions of all hosts. */
const char *explain_sum(const struct explanation *e, char text[400]);

/* postern explain --what-if; returns the exit code. */
struct what_if {
    struct tls_rule rule;
    const char *said;               /* as the user put it */
    const char *domain;             /* only this next hop; NULL: all */
    unsigned days;
    bool json;
};
int explain_what_if(const struct config *c, const struct what_if *w);

#endif
