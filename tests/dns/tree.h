/* tests/dns/tree.h - a signed DNS on loopback, and fibers that ask it.
 *
 * signed_tree.sh says what names there are. Everything is asked on real fibers
 * but checked outside of them: a failed check jumps to the stack of its test. */
#ifndef TESTS_DNS_TREE_H
#define TESTS_DNS_TREE_H

#include "tests/test.h"

#include "dns/hosts.h"
#include "run/fiber.h"
#include "run/loop.h"

/* The name server starts with the first test that needs it and ends with the
 * program. Without one on this machine the test is skipped, and says so. */
struct tree {
    char folder[64], anchor[80];
    char address[40];           /* "127.0.0.1@port" */
    char silent_address[40];    /* takes questions and never answers */
};
extern struct tree tree;
bool tree_can_grow(void);
void tree_grow(void);

#define NEEDS_TREE                                                              \
    do {                                                                        \
        if (!tree_can_grow()) {                                                 \
            print_message("skipped: nsd and ldnsutils are not installed\n");    \
            skip();                                                             \
        }                                                                       \
        tree_grow();                                                            \
    } while (0)

/* A UDP socket on a free port of loopback. */
int udp_on_loopback(char address[40]);

/* Opens the loop and makes `resolver`; stop() undoes both. A timeout of 0 is one that is never reached. */
extern struct resolver *resolver;
extern struct arena arena;
extern struct error why;
void start(const struct resolver_settings *wanted);
void start_on_tree(time_ms timeout);
struct resolver_settings tree_settings(const char *address);    /* all zones there; valid until the next call */
void stop(void);

/* Run `run(arg)` on a fiber; loop_run() then returns when the last one has ended. */
struct fiber *on_fiber(void (*run)(void *arg), void *arg);

struct asking {
    const char *name;
    enum dns_type type;
    struct dns_answer answer;
    time_ms took;
    struct fiber *fiber;
};
void begin(struct asking *a, const char *name, enum dns_type type);
struct dns_answer ask(const char *name, enum dns_type type);

#endif
