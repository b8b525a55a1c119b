/* cli/transcript.h - an SMTP dialogue on the terminal, escaped, with the facts
 * of TLS where they arise. */
#ifndef CLI_TRANSCRIPT_H
#define CLI_TRANSCRIPT_H

#include "smtp/transcript.h"

void transcript_print(void *unused, bool sent, struct slice line);     /* "C: line", "S: line" */
void transcript_print_tls(const struct tls_facts *facts);

#endif
