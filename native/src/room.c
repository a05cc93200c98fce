/* Growing arrays. In a file they are shared mappings of space that is reserved beforehand, so that a full disk
 * is an error here and not a signal later. An array that grows moves to the end of the file and leaves a hole. */
#define _GNU_SOURCE
#include "room.h"

#include <stdlib.h>
#include <string.h>

static bool grow_in_memory(hl_room *room, size_t size)
{
    char *at = realloc(room->at, size);
    if (!at)
        return false;
    memset(at + room->size, 0, size - room->size);
    room->at = at;
    room->size = size;
    return true;
}

#if defined(__linux__)
#include <fcntl.h>
#include <sys/mman.h>

#define PAGES ((size_t)64 << 10) /* a multiple of every size that pages have */

bool hl_place_supported(void) { return true; }

static void free_in_file(hl_room *room)
{
    if (room->at)
        munmap(room->at, room->size);
}

/* Give the space of an array that has moved back. Where the file system has no holes it comes back with the file. */
static void leave_hole(const hl_room *room, const hl_place *place)
{
    int ignored = fallocate(place->file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                            (off_t)room->offset, (off_t)room->size);
    (void)ignored;
}

static bool grow_in_file(hl_room *room, hl_place *place, size_t size)
{
    hl_room grown = {NULL, (size + PAGES - 1) & ~(PAGES - 1), place->used};
    if (posix_fallocate(place->file, (off_t)grown.offset, (off_t)grown.size) != 0)
        return false;
    grown.at = mmap(NULL, grown.size, PROT_READ | PROT_WRITE, MAP_SHARED, place->file, (off_t)grown.offset);
    if (grown.at == MAP_FAILED)
        return false;
    if (room->size) {
        memcpy(grown.at, room->at, room->size);
        free_in_file(room);
        leave_hole(room, place);
    }
    place->used += grown.size;
    *room = grown;
    return true;
}
#else
bool hl_place_supported(void) { return false; }
static void free_in_file(hl_room *room) { (void)room; }
static bool grow_in_file(hl_room *room, hl_place *place, size_t size)
{
    (void)room, (void)place, (void)size;
    return false;
}
#endif

bool hl_room_grow(hl_room *room, hl_place *place, size_t size)
{
    if (size <= room->size)
        return true;
    return place->file ? grow_in_file(room, place, size) : grow_in_memory(room, size);
}

void hl_room_free(hl_room *room, const hl_place *place)
{
    if (place->file)
        free_in_file(room); /* not its file: the descriptor may be another file's by now */
    else
        free(room->at);
    *room = (hl_room){0};
}
