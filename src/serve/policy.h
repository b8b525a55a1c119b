/* serve/policy.h - the process that answers Postfix and takes what it tells for TLS reports (postfix/).
 *
 * A clerk: MTA-STS policies are kept with the store like those that deliveries
 * find, and so are the sessions that reports count. It decides by the same rules
 * as a delivery of our own. */
#ifndef SERVE_POLICY_H
#define SERVE_POLICY_H

#include "serve/config.h"

struct policy_start {
    const struct config *config;
    const int *socketmap_fds, *tcp_table_fds;   /* that listen: config->postfix says how many */
    int tlsrpt_fd;                              /* of datagrams; -1: none */
    int control_fd;
};
int policy_run(const struct policy_start *start);   /* until drained; the process's exit code */

#endif
