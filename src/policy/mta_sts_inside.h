/* policy/mta_sts_inside.h - what the grammars of record and policy file share. Only for mta_sts_*.c. */
#ifndef POLICY_MTA_STS_INSIDE_H
#define POLICY_MTA_STS_INSIDE_H

#include "base/cursor.h"

/* sts-ext-name and sts-policy-ext-name of RFC 8461 3.1 and 3.2, which cover the names
 * of the known fields too: (ALPHA / DIGIT) *31(ALPHA / DIGIT / "_" / "-" / ".").
 * The empty slice when there is none, or a longer one. */
struct slice sts_take_name(struct cursor *in);

bool sts_is_blank(char c);      /* WSP: space or tab */
bool sts_is_alnum(char c);

/* For "%.*s" in an error: as much as one wants to see. fail() escapes it. */
#define STS_SHOWN(s) (int)((s).len < 48 ? (s).len : 48), (s).at

/* 1*32(ALPHA / DIGIT) */
bool sts_id_valid(struct slice id);

#endif
