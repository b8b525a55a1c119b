/* serve/hook_call.h - one call of one hook: an HTTP POST, or a command. */
#ifndef SERVE_HOOK_CALL_H
#define SERVE_HOOK_CALL_H

#include "dns/resolver.h"
#include "event/event.h"
#include "https/https.h"
#include "serve/config.h"

struct hook_caller {
    const char *hostname;           /* who tells */
    struct resolver *resolver;
    struct https *https;
};

/* Waits, little more than the hook's timeout. True when it was told: HTTP status 2xx, or exit status 0. E_CANCELLED: the
 * fiber is; E_USAGE: it cannot work, now or later; else the error says what it came to. */
bool hook_call(const struct hook_caller *c, const struct hook_config *h, const struct event *e, struct error *why) must_check;

#endif
