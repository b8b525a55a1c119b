/* tests/fuzz/fuzz.h - what every fuzzer begins with.
 *
 * libFuzzer calls this function with input after input. A fuzzer's claims
 * are asserts: what must hold whatever a stranger sends. */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include "base/slice.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
