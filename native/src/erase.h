/* Forgetting: memory that held keys, records or what became of them. */
#ifndef HUSHLINK_ERASE_H
#define HUSHLINK_ERASE_H

#include <stddef.h>

/* Write zeros that no compiler may leave out, although nobody reads them. */
void hl_erase(void *memory, size_t size);

/* Overwrite what functions that have returned left below the present stack frame. */
void hl_erase_stack(void);

#endif
