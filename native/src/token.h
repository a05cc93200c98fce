/* Texts as bytes, and the windows over them that are tokens. */
#ifndef HUSHLINK_TOKEN_H
#define HUSHLINK_TOKEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HL_TOKEN_SLACK 8u /* bytes that may be read behind a token */

/* How texts are cut. */
typedef struct hl_cutting {
    uint32_t ngram; /* 0: the text is one token */
    int32_t codec;
    bool positional;
} hl_cutting;

/* One text in the caller's scratch: padded, as bytes, with the place where every code point begins. */
typedef struct hl_text {
    uint8_t *bytes;
    uint32_t *starts; /* one for each code point, and the end */
    uint8_t *token;   /* room for a token that needs a prefix */
    uint8_t *spare;   /* as much room again, for a token that a character is put behind */
    uint32_t tokens;  /* how many there are; 0 for the empty text */
} hl_text;

typedef struct hl_token {
    const uint8_t *bytes;
    uint32_t size;
} hl_token;

/* Can the codec write all of them? */
bool hl_points_fit(int32_t codec, const uint32_t *points, uint64_t count);

/* Bytes of scratch for texts of up to `longest` code points. */
size_t hl_text_scratch(const hl_cutting *cutting, uint32_t longest);

/* Put a text, whose code points fit, into scratch that is large enough. */
hl_text hl_text_read(const hl_cutting *cutting, const uint32_t *points, uint32_t count, void *scratch);

/* Token number `index` of a text, from 0; it is overwritten by the next. */
hl_token hl_text_token(const hl_cutting *cutting, const hl_text *text, uint32_t index);

#endif
