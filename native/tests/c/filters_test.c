/* Filters from text under sanitizers: known answers, memory and scratch of exactly the promised sizes, every cache the
 * same bits, hostile arguments, and nothing left in memory at the end. Prints what failed; part of kernel_test.c, or
 * with HL_ALONE a program that exits 0 or 1. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hushlink.h"

static int failures;

#define CHECK(condition, ...)                                   \
    do {                                                        \
        if (!(condition)) {                                     \
            failures++;                                         \
            fprintf(stderr, "line %d: %s: ", __LINE__, #condition); \
            fprintf(stderr, __VA_ARGS__);                       \
            fputc('\n', stderr);                                \
        }                                                       \
    } while (0)

static uint64_t state = 88172645463325252u;

static uint32_t drawn(uint32_t below)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)(state >> 33) % below;
}

static uint8_t keys[128];

static hl_column_settings settings_of(int hashing, uint32_t bits, uint32_t insertions, uint32_t ngram)
{
    return (hl_column_settings){
        .first_key = keys, .second_key = keys + 64, .key_bytes = 64, .filter_bits = bits, .insertions = insertions,
        .ngram = ngram, .cache_entries = 50, .hashing = hashing, .codec = HL_UTF8};
}

/* Memory for a column at the very end of its allocation, so that a byte too many is seen. */
static void *begun(const hl_column_settings *settings, size_t *size)
{
    *size = hl_column_size(settings);
    void *memory = calloc(1, *size);
    CHECK(*size && hl_column_begin(memory, *size - 1, settings) == HL_BAD_ARGUMENT, "too small");
    CHECK(hl_column_begin(memory, *size, settings) == HL_OK, "begin");
    return memory;
}

static void end(void *memory, size_t size)
{
    const uint8_t *bytes = memory;
    hl_column_end(memory);
    for (size_t i = 0; i < size; i++)
        if (bytes[i]) {
            CHECK(0, "byte %zu of %zu was left", i, size);
            break;
        }
    free(memory);
}

/* Add values with scratch of exactly the size for the longest. */
static int added(void *memory, const hl_values *values, uint8_t *filters, uint64_t count)
{
    uint32_t longest = 0;
    for (uint32_t t = 0; t < values->text_count; t++)
        longest = values->lengths[t] > longest ? values->lengths[t] : longest;
    size_t size = hl_column_scratch(memory, longest);
    void *scratch = malloc(size);
    CHECK(!values->text_count || hl_column_add(memory, values, filters, count, scratch, size - 1) == HL_BAD_ARGUMENT,
          "scratch");
    int status = hl_column_add(memory, values, filters, count, scratch, size);
    free(scratch);
    return status;
}

static void test_known(hl_column_settings settings, const char *expected)
{
    static const uint32_t points[] = {0x141, 'u', 'k', 'a', 's', 'z', 0x1F600};
    const uint32_t length = 7;
    hl_values values = {.points = points, .lengths = &length, .point_count = 7, .text_count = 1, .value_count = 1};
    uint8_t filter[8] = {0};
    char hex[17] = {0};
    size_t size;
    void *memory = begun(&settings, &size);
    CHECK(added(memory, &values, filter, 1) == HL_OK, "add");
    for (uint32_t i = 0; i < (settings.filter_bits + 7) / 8; i++)
        snprintf(hex + 2 * i, 3, "%02x", filter[i]);
    CHECK(strcmp(hex, expected) == 0, "%s, not %s", hex, expected);
    end(memory, size);
}

static void test_known_answers(void)
{
    hl_column_settings positional = settings_of(HL_DOUBLE_HASH, 50, 13, 3), whole = settings_of(HL_BLAKE_HASH, 64, 7, 0);
    positional.positional = positional.per_value = positional.prevent_singularity = 1;
    positional.codec = HL_UTF16;
    whole.codec = HL_UTF32;
    test_known(settings_of(HL_BLAKE_HASH, 64, 3, 2), "5214a20484f94124");
    test_known(positional, "00020204a30580");
    test_known(whole, "2500030090000000");
}

#define VALUES 120u

typedef struct sample {
    uint32_t *points, *lengths;
    hl_values values;
} sample;

static sample sample_values(void)
{
    static const uint32_t letters[] = {'a', 'b', ' ', 0xE9, 0x7FF, 0x800, 0xFFFF, 0x10000, 0x10FFFF};
    sample s = {malloc(VALUES * 80 * sizeof(uint32_t)), malloc(VALUES * sizeof(uint32_t)), {0}};
    for (uint32_t v = 0; v < VALUES; v++) {
        s.lengths[v] = v % 10 == 9 ? 79 : drawn(12);
        for (uint32_t i = 0; i < s.lengths[v]; i++)
            s.points[s.values.point_count++] = letters[drawn(v % 2 ? 3 : 9)];
    }
    s.points = realloc(s.points, s.values.point_count * sizeof(uint32_t)); /* nothing may be read behind it */
    s.values.points = s.points, s.values.lengths = s.lengths;
    s.values.text_count = s.values.value_count = VALUES;
    return s;
}

static void test_caches(hl_column_settings settings)
{
    static const uint32_t entries[] = {0, 1, 2, 31, 33, 4000};
    sample s = sample_values();
    size_t filters_size = (size_t)VALUES * ((settings.filter_bits + 7) / 8), size;
    uint8_t *expected = calloc(1, filters_size);
    for (size_t e = 0; e < sizeof entries / sizeof *entries; e++) {
        uint8_t *filters = calloc(1, filters_size);
        settings.cache_entries = entries[e];
        void *memory = begun(&settings, &size);
        for (int twice = 0; twice < 2; twice++)
            CHECK(added(memory, &s.values, filters, VALUES) == HL_OK, "add");
        if (!e)
            memcpy(expected, filters, filters_size);
        CHECK(memcmp(filters, expected, filters_size) == 0, "%u entries, %u bits", entries[e], settings.filter_bits);
        end(memory, size);
        free(filters);
    }
    free(expected);
    free(s.points);
    free(s.lengths);
}

static void test_all_caches(void)
{
    static const uint32_t bits[] = {2, 7, 8, 63, 64, 1024, 1032, 32776};
    for (size_t b = 0; b < sizeof bits / sizeof *bits; b++)
        for (int codec = HL_ASCII + 1; codec <= HL_UTF32; codec++) {
            hl_column_settings settings = settings_of(codec % 2 ? HL_BLAKE_HASH : HL_DOUBLE_HASH, bits[b], 5, 2);
            settings.codec = codec;
            settings.per_value = codec == HL_UTF8;
            settings.positional = codec != HL_UTF8;
            settings.prevent_singularity = bits[b] % 2 == 0;
            test_caches(settings);
            settings.ngram = 0, settings.positional = 0, settings.insertions = 540;
            test_caches(settings);
        }
}

static void test_hostile_settings(void)
{
    hl_column_settings good = settings_of(HL_DOUBLE_HASH, 64, 1, 1), bad[12];
    for (int i = 0; i < 12; i++)
        bad[i] = good;
    bad[0].first_key = NULL, bad[1].second_key = NULL, bad[2].key_bytes = 0, bad[3].key_bytes = HL_KEY_BYTES_MAX + 1;
    bad[4].filter_bits = 0, bad[5].filter_bits = HL_FILTER_BITS_MAX + 1, bad[6].insertions = 0;
    bad[7].insertions = HL_INSERTIONS_MAX + 1, bad[8].ngram = HL_NGRAM_MAX + 1, bad[9].hashing = 3, bad[10].codec = 0;
    bad[11].ngram = 0, bad[11].positional = 1;
    for (int i = 0; i < 12; i++)
        CHECK(hl_column_size(&bad[i]) == 0, "settings %d", i);
    CHECK(hl_column_size(NULL) == 0, "no settings");
    CHECK(hl_column_begin(NULL, 1 << 20, &good) == HL_BAD_ARGUMENT, "no memory");
}

static void test_hostile_values(void)
{
    const uint32_t points[] = {'a', 'b', 0xD800}, lengths[] = {1, 1, 1, UINT32_MAX}, rows[] = {0, 2}, counts[] = {1, 2};
    hl_column_settings settings = settings_of(HL_BLAKE_HASH, 64, 1, 0);
    hl_values good = {.points = points, .lengths = lengths, .point_count = 2, .text_count = 2, .value_count = 2}, bad[8];
    uint8_t filters[16] = {0}, nothing[16] = {0};
    size_t size;
    void *memory = begun(&settings, &size);
    for (int i = 0; i < 8; i++)
        bad[i] = good;
    bad[0].points = NULL, bad[1].lengths = NULL, bad[2].point_count = 3, bad[3].text_count = 4, bad[4].value_count = 1;
    bad[5].rows = rows, bad[6].token_counts = counts, bad[7].point_count = 3, bad[7].text_count = bad[7].value_count = 3;
    void *scratch = malloc(hl_column_scratch(memory, 9));
    for (int i = 0; i < 8; i++)
        CHECK(hl_column_add(memory, &bad[i], filters, 2, scratch, hl_column_scratch(memory, 9)) == HL_BAD_ARGUMENT,
              "values %d", i);
    CHECK(hl_column_add(memory, &good, filters, 1, scratch, hl_column_scratch(memory, 9)) == HL_BAD_ARGUMENT, "filters");
    CHECK(hl_column_scratch(memory, HL_VALUE_MAX + 1) == 0, "too long");
    CHECK(memcmp(filters, nothing, sizeof filters) == 0, "filters were changed");
    CHECK(added(memory, &good, filters, 2) == HL_OK, "good values");
    hl_column_end(memory);
    CHECK(hl_column_add(memory, &good, filters, 2, scratch, 1000) == HL_BAD_ARGUMENT, "ended");
    free(scratch);
    free(memory);
}

int test_filters(void);
int test_filters(void)
{
    for (uint32_t i = 0; i < sizeof keys; i++)
        keys[i] = (uint8_t)i;
    test_known_answers();
    test_all_caches();
    test_hostile_settings();
    test_hostile_values();
    if (failures)
        fprintf(stderr, "%d failures\n", failures);
    return failures;
}

#ifdef HL_ALONE
int main(void) { return test_filters() != 0; }
#endif
