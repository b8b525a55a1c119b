/* serve/config_inside.h - what the files that build the configuration share. */
#ifndef SERVE_CONFIG_INSIDE_H
#define SERVE_CONFIG_INSIDE_H

#include "serve/config_file.h"

struct building {
    cfg_t *cfg;
    enum config_use use;
    struct config *config;
};

/* --- config.c: from options to values; memory of the configuration ---------- */

const char *config_keep(struct building *b, const char *text);     /* NULL stays NULL */
time_ms config_seconds(cfg_t *section, const char *name);
/* A problem at the line where the section begins. */
void config_section_problem(cfg_t *section, const char *format, ...) printf_like(2, 3);
const char *const *config_list(struct building *b, cfg_t *section, const char *name, size_t *count);
/* A file that the option names and that must be there; NULL when it names none. */
const char *config_readable(struct building *b, cfg_t *section, const char *option);
/* The word of an option that chooses, checked when it was read; `fallback` when it is not given. */
unsigned config_choice(cfg_t *section, const char *option, const char *const *words, size_t count, unsigned fallback);

/* --- config_routing.c: domain and destination sections ------------------------ */

void config_build_routing(struct building *b);

/* --- config_policy.c: policy, mta-sts, and the self-test of dns ----------------- */

void config_build_policy(struct building *b);

/* --- config_watch.c: facts, dkim, tls-report, postfix, web, hooks ------------------ */

void config_build_watch(struct building *b);

#endif
