/* cli/clients.h - what `postern clients` is made of. */
#ifndef CLI_CLIENTS_H
#define CLI_CLIENTS_H

#include "cli/cli.h"

#include "cli/period.h"
#include "fact/clients.h"

struct clients_view {
    const struct clients *clients;
    struct period period;
    struct clients_rule rule;
    enum clients_by by;
    bool show[VISIT_SUBMISSION + 1];    /* by enum visit_role */
    size_t top;                         /* of each role; 0: all */
};

bool clients_view_has_rule(const struct clients_view *v);

/* "tls=required, tls-minimum=1.2"; "" without a rule. */
enum { CLIENTS_RULE_MAX = 64 };
const char *clients_rule_text(const struct clients_rule *rule, char text[CLIENTS_RULE_MAX]);

/* "192.0.2.7"; "(no name)", "(not authenticated)", "(others)" */
const char *clients_who(const struct clients_view *v, const struct client *c);
const char *clients_role_name(enum visit_role role);    /* "mx", "submission" */

/* --- three ways to show it: each writes to standard output ---------------------- */

void clients_print_text(const struct clients_view *v);  /* clients_text.c */
void clients_print_json(const struct clients_view *v);  /* clients_json.c; docs/stats.md has the names */
void clients_print_csv(const struct clients_view *v);   /* clients_csv.c: figures of each */
void clients_export_csv(const struct clients_view *v);  /* whom to write to */

#endif
