/* https/multi.h - libcurl's transfers on our event loop.
 *
 * One multi handle: it tells which descriptors and which timer it wants, and
 * is called when they are ready. It keeps what all transfers share, the CA
 * certificates once read. Knows nothing of what is transferred. */
#ifndef HTTPS_MULTI_H
#define HTTPS_MULTI_H

#include "base/error.h"

#include <curl/curl.h>

/* `ended` is called on the loop, outside of curl, once for each transfer that
 * came to its end by itself, with the CURLOPT_PRIVATE of its handle. It must
 * call multi_remove. */
struct multi;
struct multi *multi_new(void (*ended)(void *transfer, CURLcode code), struct error *why) must_check;
void multi_free(struct multi *m);       /* NULL is fine */

/* After this `easy` runs; later, and only then, it is removed. Not from within a callback of curl. */
bool multi_add(struct multi *m, CURL *easy) must_check;
void multi_remove(struct multi *m, CURL *easy);

/* Every transfer's CURLOPT_OPENSOCKETFUNCTION must open its sockets here; curl closes them. */
curl_socket_t multi_open_socket(struct multi *m, const struct curl_sockaddr *to);

#endif
