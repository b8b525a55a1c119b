/* serve/hook_url.h - where a webhook lives: https anywhere, http on this machine only. Pure.
 *
 *     https://alerts.example.org/postern      https://alerts.example.org:8443/a?b=c
 *     http://127.0.0.1:9000/                  http://localhost/hook       http://[::1]:9000/hook
 *
 * No user, no fragment, no address behind https (nobody has certificates for them), and nothing to be guessed: what is
 * not printable ASCII must come percent-encoded. */
#ifndef SERVE_HOOK_URL_H
#define SERVE_HOOK_URL_H

#include "net/address.h"

enum { HOOK_PATH_MAX = 1024 };
struct hook_url {
    bool clear;                         /* http */
    char host[256];                     /* without brackets */
    uint16_t port;
    char path[HOOK_PATH_MAX + 1];       /* with its query; at least "/" */
};

/* E_USAGE, with the remedy. */
bool hook_url_parse(struct slice text, struct hook_url *out, struct error *why) must_check;

/* The addresses of a host that needs no DNS: those of http. Returns how many, 0 to 2. */
size_t hook_url_addresses(const struct hook_url *u, struct address out[2]);

#endif
