/* Forgetting. The compiler must take memset for a function that it can't see through: it is called by a pointer that
 * may change at any time. Link-time optimisation changes nothing about that. */
#include "erase.h"

#include <string.h>

#define STACK_BYTES 4096u /* more than the deepest chain of calls of the hashes takes */

static void *(*volatile write_bytes)(void *, int, size_t) = memset;

void hl_erase(void *memory, size_t size)
{
    if (size)
        write_bytes(memory, 0, size);
}

__attribute__((noinline)) void hl_erase_stack(void)
{
    unsigned char room[STACK_BYTES];
    hl_erase(room, sizeof room);
}
