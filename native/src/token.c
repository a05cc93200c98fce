/* Cutting. A text is encoded once; a window is a range of its bytes, behind a prefix where there is one: the byte
 * order mark of UTF-16 and UTF-32, and the number of a positional window. */
#include "token.h"

#include <string.h>

#include "bytes.h"
#include "hushlink.h"

#define POINT_BYTES 4u   /* most that one code point takes */
#define PREFIX_BYTES 64u /* mark, ten digits and a space, four bytes each, and slack */

bool hl_points_fit(int32_t codec, const uint32_t *points, uint64_t count)
{
    uint32_t limit = codec == HL_ASCII ? 0x7F : 0x10FFFF;
    uint32_t outside = 0;
    for (uint64_t i = 0; i < count; i++)
        outside |= (uint32_t)(points[i] > limit) | (uint32_t)(points[i] - 0xD800u < 0x800u); /* surrogates */
    return !outside;
}

static size_t padded_points(const hl_cutting *cutting, uint32_t count)
{
    return (size_t)count + (cutting->ngram ? 2 * ((size_t)cutting->ngram - 1) : 0);
}

size_t hl_text_scratch(const hl_cutting *cutting, uint32_t longest)
{
    size_t points = padded_points(cutting, longest);
    return (points + 2) * sizeof(uint32_t) + 3 * (points * POINT_BYTES + PREFIX_BYTES) + sizeof(uint32_t);
}

static inline uint32_t unit_bytes(int32_t codec) { return codec == HL_UTF32 ? 4 : codec == HL_UTF16 ? 2 : 1; }

static uint8_t *put_utf8(uint8_t *at, uint32_t point)
{
    if (point < 0x80) {
        *at++ = (uint8_t)point;
    } else if (point < 0x800) {
        *at++ = (uint8_t)(0xC0 | point >> 6);
        *at++ = (uint8_t)(0x80 | (point & 0x3F));
    } else {
        if (point < 0x10000) {
            *at++ = (uint8_t)(0xE0 | point >> 12);
        } else {
            *at++ = (uint8_t)(0xF0 | point >> 18);
            *at++ = (uint8_t)(0x80 | (point >> 12 & 0x3F));
        }
        *at++ = (uint8_t)(0x80 | (point >> 6 & 0x3F));
        *at++ = (uint8_t)(0x80 | (point & 0x3F));
    }
    return at;
}

static uint8_t *put_utf16(uint8_t *at, uint32_t point)
{
    if (point >= 0x10000) {
        hl_store32_little(at, (0xD800u + ((point - 0x10000u) >> 10)) | (0xDC00u + (point & 0x3FFu)) << 16);
        return at + 4;
    }
    at[0] = (uint8_t)point, at[1] = (uint8_t)(point >> 8);
    return at + 2;
}

static uint8_t *put(int32_t codec, uint8_t *at, uint32_t point)
{
    if (codec == HL_UTF32) {
        hl_store32_little(at, point);
        return at + 4;
    }
    return codec == HL_UTF16 ? put_utf16(at, point) : put_utf8(at, point);
}

/* One byte for each code point, which is what most texts are. */
static bool encode_ascii(hl_text *text, const uint32_t *points, uint32_t count, uint32_t padding)
{
    uint32_t all = 0, size = count + 2 * padding;
    for (uint32_t i = 0; i < count; i++) {
        all |= points[i];
        text->bytes[padding + i] = (uint8_t)points[i];
    }
    if (all >= 0x80)
        return false;
    memset(text->bytes, ' ', padding);
    memset(text->bytes + padding + count, ' ', padding);
    for (uint32_t i = 0; i <= size; i++)
        text->starts[i] = i;
    return true;
}

static void encode(hl_text *text, int32_t codec, const uint32_t *points, uint32_t count, uint32_t padding)
{
    if (unit_bytes(codec) == 1 && encode_ascii(text, points, count, padding))
        return;
    uint8_t *at = text->bytes;
    uint32_t *starts = text->starts;
    for (uint32_t i = 0; i < padding; i++)
        *starts++ = (uint32_t)(at - text->bytes), at = put(codec, at, ' ');
    for (uint32_t i = 0; i < count; i++)
        *starts++ = (uint32_t)(at - text->bytes), at = put(codec, at, points[i]);
    for (uint32_t i = 0; i < padding; i++)
        *starts++ = (uint32_t)(at - text->bytes), at = put(codec, at, ' ');
    *starts = (uint32_t)(at - text->bytes);
}

hl_text hl_text_read(const hl_cutting *cutting, const uint32_t *points, uint32_t count, void *scratch)
{
    uintptr_t aligned = ((uintptr_t)scratch + sizeof(uint32_t) - 1) & ~(uintptr_t)(sizeof(uint32_t) - 1);
    size_t room = padded_points(cutting, count);
    hl_text text = {.starts = (uint32_t *)aligned};
    text.bytes = (uint8_t *)(text.starts + room + 2);
    text.token = text.bytes + room * POINT_BYTES + PREFIX_BYTES;
    text.spare = text.token + room * POINT_BYTES + PREFIX_BYTES;
    if (!count)
        return text;
    uint32_t padding = cutting->ngram ? cutting->ngram - 1 : 0;
    encode(&text, cutting->codec, points, count, padding);
    text.tokens = cutting->ngram ? count + padding : 1;
    if (!cutting->ngram)
        text.starts[1] = text.starts[count]; /* one window over everything */
    return text;
}

/* Write a number in decimal digits and a space behind it. */
static uint8_t *put_number(int32_t codec, uint8_t *at, uint32_t number)
{
    uint8_t digits[10];
    uint32_t count = 0;
    do
        digits[count++] = (uint8_t)('0' + number % 10);
    while (number /= 10);
    while (count)
        at = put(codec, at, digits[--count]);
    return put(codec, at, ' ');
}

/* Short windows are copied by one load and one store, slack included. */
static inline void copy(uint8_t *to, const uint8_t *from, uint32_t size)
{
    if (size <= HL_TOKEN_SLACK)
        memcpy(to, from, HL_TOKEN_SLACK);
    else
        memcpy(to, from, size);
}

hl_token hl_text_token(const hl_cutting *cutting, const hl_text *text, uint32_t index)
{
    uint32_t start = text->starts[index], end = text->starts[index + (cutting->ngram ? cutting->ngram : 1)];
    uint32_t unit = unit_bytes(cutting->codec);
    if (!cutting->positional && unit == 1)
        return (hl_token){text->bytes + start, end - start};
    uint8_t *at = text->token;
    if (unit == 1 && index < 9) {
        *at++ = (uint8_t)('1' + index);
        *at++ = ' ';
    } else {
        at = unit > 1 ? put(cutting->codec, at, 0xFEFF) : at;
        at = cutting->positional ? put_number(cutting->codec, at, index + 1) : at;
    }
    copy(at, text->bytes + start, end - start);
    return (hl_token){text->token, (uint32_t)(at - text->token) + end - start};
}
