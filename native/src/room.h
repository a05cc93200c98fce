/* Arrays that grow, in memory or in a file that the operating system may write out and drop from memory. */
#ifndef HUSHLINK_ROOM_H
#define HUSHLINK_ROOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where the arrays of one owner lie. All zero: in memory. */
typedef struct hl_place {
    int32_t file;  /* descriptor, or 0 for memory */
    uint64_t used; /* bytes of the file given out so far, holes included */
} hl_place;

/* All zero is an empty array. */
typedef struct hl_room {
    void *at;
    size_t size;
    uint64_t offset; /* in the file */
} hl_room;

/* Can arrays lie in a file here? */
bool hl_place_supported(void);

/* Make the array at least `size` bytes, what is new zeroed. False: no memory or no space, nothing changed. */
bool hl_room_grow(hl_room *room, hl_place *place, size_t size);

void hl_room_free(hl_room *room, const hl_place *place);

#endif
